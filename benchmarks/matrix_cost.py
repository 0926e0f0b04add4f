"""What the sample matrix costs beside each engine's own part of it; a section of run.py."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import Sizes, new_table, number, pycheck
from page import ROOT
from processes import Measured
from rich.console import Console

CONFIG = ROOT / "models" / "pycheck.toml"
GOAL = 1.3  # times the own work of the slowest engine


def section_matrix(console: Console, sizes: Sizes, work: Path) -> None:
    """`pycheck check` of the whole sample matrix and of each engine alone, with what runs in Python in the cache."""
    del sizes
    engines: dict[str, list[str]] = {}
    for runtime in tomllib.loads(CONFIG.read_text(encoding="utf-8"))["runtimes"]:
        engines.setdefault(runtime.partition(":")[0], []).append(f"--runtime={runtime}")

    def check(*runtimes: str) -> tuple[Measured, float | None]:
        command = ["check", "--config", CONFIG, "-q", *runtimes]
        return with_processor_time(lambda: pycheck(command, work / "matrix-cache"))

    check(engines["chromium"][0])
    console.print(cost_table({"all": check(), **{engine: check(*its) for engine, its in engines.items()}}))


def with_processor_time(work: Callable[[], Measured]) -> tuple[Measured, float | None]:
    """What the work gives, and the processor seconds that the whole machine spent meanwhile.

    Of the machine, since not all processes of a browser are waited for. None where there is no /proc/stat.
    """
    before = _processor_s()
    done = work()
    after = _processor_s()
    return done, None if before is None or after is None else after - before


def _processor_s() -> float | None:
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, interrupt, soft = map(int, fields[:7])
    return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")


def cost_table(done: dict[str, tuple[Measured, float | None]]) -> Any:
    whole = done["all"][0].wall_s
    table = new_table(
        f"The sample matrix, goal {GOAL:g} times the slowest engine's own work",
        *("engines", "wall s", "processor s", "cores busy", "all by its wall", "all by its processor s"),
    )
    for name, (measured, busy) in done.items():
        wall = measured.wall_s
        ratios = (whole / wall, busy and whole / busy) if name != "all" else (None, None)
        table.add_row(name, *map(number, (wall, busy, busy and busy / wall, *ratios)))
    return table
