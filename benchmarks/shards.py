"""Prints how long 2,000 variants of a small model take to be planned for five shards, saved and merged, and the memory.

    python benchmarks/shards.py

No variant runs: one report, of a check on fake runtimes, stands for all of them. Each number of variants has a process
of its own, whose largest memory is that of its merge.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycheck.types import Report

ROOT = Path(__file__).parents[1]
SHARDS = 5


def main() -> None:
    """Print one line for each number of variants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, nargs="+", default=[200, 2000], metavar="N")
    parser.add_argument("--merge", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.merge:
        print(json.dumps(merge(asked.merge)))
        return
    print("variants  planned  saved    merged   together  cpu s   on disk  memory before, after the merge")
    for count in asked.variants:
        with tempfile.TemporaryDirectory() as scratch:
            print(line(count, Path(scratch)), flush=True)


def line(count: int, folder: Path) -> str:
    """Save the parts of a check of `count` variants, merge them in a new process, and format what that took."""
    from pycheck.checks import plan, saving

    report = one_report(folder)
    models = "".join(f'[[models]]\npath = "m.keras"\nname = "m{i}"\n' for i in range(count // 2))
    (folder / "pycheck.toml").write_text('runtimes = ["chromium:cpu"]\nformats = ["layers", "graph"]\n' + models)
    started, busy = time.perf_counter(), time.process_time()
    given = [{"shard": f"{k}/{SHARDS}", "save_run": folder / str(k)} for k in range(1, SHARDS + 1)]
    plans = [plan(folder / "pycheck.toml", each) for each in given]
    planned = time.perf_counter()
    for each in plans:
        with saving(each) as part:
            assert part
            for variant in each.variants:
                part.add(replace(report, name=variant.name))
            part.publish(1.0)
    saved = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--merge", str(folder)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    busy = time.process_time() - busy
    merged_s, merged_busy, before, after = json.loads(done.stdout)
    on_disk = sum(path.stat().st_size for path in folder.glob("*/part.jsonl"))
    planned_s, saved_s = planned - started, saved - planned
    return (
        f"{count:8}  {planned_s:5.2f} s  {saved_s:5.2f} s  {merged_s:5.2f} s  {planned_s + saved_s + merged_s:6.2f} s  "
        f"{busy + merged_busy:5.2f}  {on_disk / 1e6:5.1f} MB  {before / 1e6:11.0f} MB, {after / 1e6:.0f} MB"
    )


def merge(folder: Path) -> tuple[float, float, int, int]:
    """Merge the parts in a folder.

    Returns the seconds, those of the processor, and the largest memory of this process before and after.
    """
    from pycheck import checks
    from pycheck.report.json import render_check_json

    before = _peak_bytes()
    started, busy = time.perf_counter(), time.process_time()
    report = checks.merge([folder / str(k) for k in range(1, SHARDS + 1)], folder / "pycheck.toml")
    took, busy = time.perf_counter() - started, time.process_time() - busy
    after = _peak_bytes()
    assert report.passed, render_check_json(report)[:2000]
    return took, busy, before, after


def one_report(folder: Path) -> Report:
    """Return the report of a small model on a fake runtime."""
    sys.path.insert(0, str(ROOT))
    from pycheck.checks import check, plan
    from tests.fakes import faking

    with faking(folder / "cache") as fakes:
        fakes.save(folder / "m.keras")
        (folder / "pycheck.toml").write_text('runtimes = ["chromium:cpu"]\n[[models]]\npath = "m.keras"\n')
        (report,) = asyncio.run(check(plan(folder / "pycheck.toml", {}))).reports
    return report


def _peak_bytes() -> int:
    """Return the largest memory of this process; getrusage would count that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
