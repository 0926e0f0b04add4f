"""What each runtime of Chromium costs by itself, of both libraries; a section of run.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from common import Case, Sizes, cases, median, new_table, number, pycheck
from processes import Measured
from rich.console import Console
from rich.table import Table

KINDS = ("cpu", "wasm", "webgl", "webgpu", "litert-wasm", "litert-webgpu")


def section_runtimes(console: Console, sizes: Sizes, work: Path) -> None:
    """`pycheck compare` on one runtime alone, with what runs in Python in the cache; the runtimes take turns."""
    for case in cases(sizes, work):
        for kind in ("wasm", "litert-wasm"):  # not measured: fills the cache with both artifacts
            _compare(case, kind, work / "runtimes-cache")
        rounds = [{kind: _compare(case, kind, work / "runtimes-cache") for kind in KINDS} for _ in range(sizes.rounds)]
        console.print(cost_table(case, rounds))


def _compare(case: Case, kind: str, cache: Path) -> tuple[Measured, dict[str, Any]]:
    arguments = ["compare", case.model, case.inputs, "-q", "--json", "-", "--no-power", f"--runtime=chromium:{kind}"]
    measured = pycheck([*arguments, f"--batch-size={case.batch_size}"], cache)
    return measured, json.loads(measured.stdout)


def cost_table(case: Case, rounds: list[dict[str, tuple[Measured, dict[str, Any]]]]) -> Table:
    """Medians over rounds: the whole process, then the runtime's own times."""
    title = f"{case.title}, {case.sample_count} samples in batches of {case.batch_size}, median of {len(rounds)}"
    heads = ("runtime", "wall s", "artifact MB", "load s", "first s", "ms a sample", "of the limit", "verdict")
    table = new_table(title, *heads)
    for kind in rounds[0]:
        reports = [results[kind][1] for results in rounds]
        records = [record for report in reports for record in report["runtimes"] if record["id"].endswith(f":{kind}")]
        (artifact,) = [found for name in ("artifact", "litert_artifact") if (found := reports[0].get(name))]

        def of(step: str, records: list[dict[str, Any]] = records) -> float | None:
            return median(record["timings_s"].get(step) for record in records)

        steady = of("per_sample")
        share = max(c["limit_use"]["share"] for c in reports[0]["comparisons"] if c["limit_use"])
        table.add_row(
            kind,
            number(median(results[kind][0].wall_s for results in rounds)),
            number(artifact["bytes"] / 1e6),
            number(of("load")),
            number(of("first_predict")),
            number(None if steady is None else 1000.0 * steady),
            f"{100.0 * share:.0f} %",
            reports[0]["verdict"],
        )
    return table
