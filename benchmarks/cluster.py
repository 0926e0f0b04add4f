"""Prints what a Dask cluster costs and gives: two workers on the cores of one process, and four against one.

    python benchmarks/cluster.py [--rounds N] [--only matrix|sleeping] [--config FILE]

The first part is the sample matrix, in one process and with --dask local; only the ratio of both on the same machine
means something. The second has fake runtimes that sleep, so that any machine has cores for them: its workers are
processes, which preload this file.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from common import pycheck
from page import ROOT

sys.path.insert(0, str(ROOT))
CONFIG = ROOT / "models" / "pycheck.toml"
MODELS, RUNTIMES = 12, ("cpu", "wasm", "webgl", "webgpu")
SLEEP_S = 1.0  # each of the three predictions of a runtime
GOALS = {"matrix": 1.15, "sleeping": 0.8}
_lasting = ExitStack()


def main() -> None:
    """Print one line for each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, metavar="N")
    parser.add_argument("--only", choices=["matrix", "sleeping"])
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE")
    asked = parser.parse_args()
    if asked.only != "sleeping":
        print(matrix_line(asked.rounds, asked.config), flush=True)
    if asked.only != "matrix":
        print(sleeping_line(asked.rounds), flush=True)


def matrix_line(rounds: int, config: Path) -> str:
    """Check the configuration in one process and on two workers, in turn, and format the ratio of their times."""
    ratios, walls = [], []
    for _ in range(rounds):
        took = []
        for more in ([], ["--dask", "local"]):
            with tempfile.TemporaryDirectory() as cache:
                took.append(pycheck(["check", "--config", config, "-q", *more], Path(cache)).wall_s)
        ratios.append(took[1] / took[0])
        walls.append(took)
    each = ", ".join(f"{one:.0f} s and {two:.0f} s" for one, two in walls)
    return (
        f"{config}: --dask local takes {statistics.median(ratios):.2f} times as long as one process "
        f"(goal {GOALS['matrix']:g}; {each})"
    )


def sleeping_line(rounds: int) -> str:
    """Check models on runtimes that sleep, with one worker and with four, and format the efficiency of the four."""
    found, walls = [], []
    for _ in range(rounds):
        took = [sleeping(1), sleeping(4)]
        found.append(took[0] / took[1] / 4)
        walls.append(took)
    each = ", ".join(f"{one:.0f} s and {four:.0f} s" for one, four in walls)
    parts = MODELS * len(RUNTIMES)
    return (
        f"{parts} runtimes that sleep: four workers scale at {statistics.median(found):.0%} "
        f"(goal {GOALS['sleeping']:.0%}; {each})"
    )


def sleeping(workers: int) -> float:
    """Return the seconds of a check on so many workers, each with one thread."""
    from distributed import LocalCluster

    from pycheck.checks import check, plan
    from pycheck.cluster import runner_of

    os.environ["PYTHONPATH"] = f"{ROOT}:{ROOT / 'benchmarks'}"
    options = {"n_workers": workers, "threads_per_worker": 1, "preload": [__file__], "memory_limit": None}
    with (
        tempfile.TemporaryDirectory() as folder,
        faking_in(Path(folder)) as config,
        LocalCluster(**options, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
    ):
        planned = plan(config, {"dask": cluster.scheduler_address})
        with cluster.get_client() as client:
            client.run(import_all)  # as in a cluster that has run a check before
        started = time.perf_counter()
        report = asyncio.run(check(planned, runner=runner_of(planned)))
        took = time.perf_counter() - started
    assert report.passed, report
    return took


def import_all() -> None:
    """Import what a worker needs."""
    from pycheck.cluster import working

    assert working


def faking_in(folder: Path) -> Any:
    """Return a context that has fake models in a folder, and yields their configuration."""
    from contextlib import contextmanager

    from tests.fakes import dense, faking

    @contextmanager
    def context() -> Any:
        with faking(folder / "cache") as fakes:
            fakes.identity = "a browser"
            for number in range(MODELS):
                fakes.save(folder / f"m{number}.keras", dense(seed=number))
            models = "".join(f'[[models]]\npath = "m{n}.keras"\n' for n in range(MODELS))
            runtimes = ", ".join(f'"chromium:{kind}"' for kind in RUNTIMES)
            config = folder / "pycheck.toml"
            config.write_text(f"runtimes = [{runtimes}]\nrecheck = 0.0\n{models}")
            yield config

    return context()


def dask_setup(worker: Any) -> None:
    """Make a worker one whose runtimes sleep."""
    from pycheck.runtimes.fake import Fault
    from pycheck.types import RuntimeId
    from tests.fakes import dense, faking

    @dataclass(frozen=True, slots=True)
    class Sleeps(Fault):
        async def meet(self, step: Literal["start", "predict", "run"]) -> None:
            if step == "predict":
                await asyncio.sleep(SLEEP_S)

    folder = Path(_lasting.enter_context(tempfile.TemporaryDirectory(prefix="pycheck-sleeping-")))
    fakes = _lasting.enter_context(faking(folder / "cache"))
    fakes.identity = "a browser"
    for number in range(MODELS):
        fakes.save(folder / f"m{number}.keras", dense(seed=number))
    fakes.faults.update({RuntimeId("chromium", kind): Sleeps() for kind in RUNTIMES})


if __name__ == "__main__":
    main()
