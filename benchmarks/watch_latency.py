"""The time from saving changed weights of the small CNN until `pycheck watch compare` prints the verdict.

Processor time is that of pycheck and its browser until the verdict: on a busy machine it says more than the wall.

python benchmarks/watch_latency.py [--rounds 7] [--pause 3] [--kinds cpu,wasm] [--kinds cpu,wasm,webgl]
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from common import new_table, number
from page import ROOT
from rich.console import Console

MODEL, INPUTS = ROOT / "models" / "cnn.keras", ROOT / "models" / "cnn_inputs.npy"
_WEIGHTS = "model.weights.h5"
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between a verdict and the next save")
    parser.add_argument("--kinds", action="append", default=[], help="of Chromium; repeatable")
    asked = parser.parse_args()
    table = new_table(
        f"From save to verdict, median of {asked.rounds}", "runtimes", "wall s", "smallest s", "cpu s", "of pycheck s"
    )
    for kinds in asked.kinds or ["cpu,wasm", "cpu,wasm,webgl"]:
        done = list(saves(kinds.split(","), asked.rounds, asked.pause))
        walls, cpus, own = zip(*done, strict=True)
        medians = map(statistics.median, (cpus, own))
        table.add_row(kinds, *map(number, (statistics.median(walls), min(walls), *medians)))
    Console().print(table)


def saves(kinds: list[str], rounds: int, pause_s: float) -> Iterator[tuple[float, float, float]]:
    """Save the model so many times; yield the seconds until the verdict, those of the processors, and of pycheck's."""
    with tempfile.TemporaryDirectory(prefix="pycheck-bench-") as folder:
        model = Path(shutil.copy(MODEL, folder))
        command = [sys.executable, "-P", "-m", "pycheck", "watch", "compare", str(model), str(INPUTS), "-q"]
        command += [f"--runtime=chromium:{kind}" for kind in kinds]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYCHECK_CACHE_DIR": f"{folder}/cache"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, bufsize=1) as watch:
            assert watch.stdout
            try:
                watch.stdout.readline()  # the first answer, with the imports and the start of the browser
                for number_ in range(rounds + 1):
                    time.sleep(pause_s)  # pages for the next run open, as they do while somebody works
                    content = with_weights(model, 1.001)
                    (used, own), begun = cpu_s(watch.pid), time.perf_counter()
                    model.write_bytes(content)
                    verdict = watch.stdout.readline()
                    wall_s, (used_then, own_then) = time.perf_counter() - begun, cpu_s(watch.pid)
                    if not verdict.startswith("PASS"):
                        raise RuntimeError(f"the watch said {verdict!r}")
                    if number_:  # the first run loads what TensorFlow and the converter import late
                        yield wall_s, used_then - used, own_then - own
            finally:
                watch.send_signal(signal.SIGINT)
                watch.wait()


def with_weights(model: Path, factor: float) -> bytes:
    """The file with all its weights times a factor."""
    saved = io.BytesIO()
    with zipfile.ZipFile(model) as archive, zipfile.ZipFile(saved, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            other.writestr(name, scaled(content, factor) if name == _WEIGHTS else content)
    return saved.getvalue()


def scaled(content: bytes, factor: float) -> bytes:
    """An HDF5 file with all its floats times a factor."""
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as weights:

        def scale(_: str, item: object) -> None:
            if isinstance(item, h5py.Dataset) and np.issubdtype(item.dtype, np.floating):
                item[...] = np.asarray(item[...]) * factor

        weights.visititems(scale)
    return file.getvalue()


def cpu_s(root: int) -> tuple[float, float]:
    """Processor seconds of a process with its descendants, also those that have ended; and of the process alone."""
    found: dict[int, tuple[int, float]] = {}
    alone = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        process = int(stat.parent.name)
        found[process] = int(fields[1]), sum(map(int, fields[11:15])) / _TICKS
        alone = sum(map(int, fields[11:13])) / _TICKS if process == root else alone
    mine, before = {root}, 0
    while len(mine) > before:
        before = len(mine)
        mine |= {process for process, (parent, _) in found.items() if parent in mine}
    return sum(found[process][1] for process in mine if process in found), alone


if __name__ == "__main__":
    main()
