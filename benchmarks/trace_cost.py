"""What a trace of every point costs beside the plain compare of the same inputs; a section of run.py."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import Case, Sizes, cases, new_table, number, pycheck
from processes import Measured
from rich.console import Console

BACKENDS = ("wasm", "webgl")
GOAL = 3.0  # times the plain compare


def section_trace(console: Console, sizes: Sizes, work: Path) -> None:
    """`pycheck trace` and `pycheck compare` in turns, each with a cache of its own that is empty at first."""
    for case in list(cases(sizes, work))[-1:]:
        rounds = [one_round(case) for _ in range(sizes.rounds)]
        console.print(_table(case, rounds), coverage(rounds[-1]["trace"][1]), _goal(rounds), sep="\n")


def one_round(case: Case) -> dict[str, tuple[Measured, dict[str, Any]]]:
    """Both commands once, with their reports."""
    done = {}
    for command in ("compare", "trace"):
        with tempfile.TemporaryDirectory() as cache:
            runtimes = [f"--runtime=chromium:{backend}" for backend in BACKENDS]
            options = ["-q", "--json", "-", f"--batch-size={case.batch_size}"]
            measured = pycheck([command, case.model, case.inputs, *options, *runtimes], Path(cache), watch_memory=True)
            done[command] = measured, json.loads(measured.stdout)
    return done


def ratios(rounds: list[dict[str, tuple[Measured, dict[str, Any]]]]) -> list[float]:
    """How many times the compare the trace takes, in each round."""
    return [one["trace"][0].wall_s / one["compare"][0].wall_s for one in rounds]


def _table(case: Case, rounds: list[dict[str, tuple[Measured, dict[str, Any]]]]) -> Any:
    title = f"{case.title}, {case.sample_count} samples, {', '.join(BACKENDS)}, median of {len(rounds)}"
    table = new_table(title, "whole process", "wall s", "cpu s", "Python MB", "x compare")
    for command in ("compare", "trace"):
        runs = [one[command][0] for one in rounds]
        times = [statistics.median(getattr(one, name) for one in runs) for name in ("wall_s", "cpu_s")]
        peak = max(one.peak_mb.get("python", 0.0) for one in runs)
        ratio = statistics.median(ratios(rounds)) if command == "trace" else 1.0
        table.add_row(command, *map(number, times), f"{peak:.0f}", number(ratio))
    return table


def coverage(report: Mapping[str, Any]) -> str:
    trace = report["trace"]
    traced = [point for point in trace["points"] if not point["skipped"]]
    complete = sum(len(point["results"]) == len(BACKENDS) for point in traced)
    return (
        f"{complete} of {len(trace['points'])} points on every backend, {trace['sample_count']} samples, "
        f"{trace['group_count']} groups within {trace['memory_bytes'] / 2**20:.0f} MiB"
    )


def _goal(rounds: list[dict[str, tuple[Measured, dict[str, Any]]]]) -> str:
    ratio = statistics.median(ratios(rounds))
    return f"goal of {GOAL:g} times the compare: {'reached' if ratio <= GOAL else 'missed'} ({ratio:.2f})"
