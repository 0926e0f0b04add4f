"""Finds pages that decide otherwise than Python, and says which part of the way makes the difference."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import FileShares, Finding, Part, Pipeline, PipelineRow, Severity
from .case import listed
from .codes import finding

_MOST_FILES = 3
_ADVICE: dict[Part, str] = {
    "preprocessing": "Preprocess in the page as in Python: see preprocessing-differs.",
    "runtime": "Find the operation whose result differs by more than roundoff: add --trace.",
    "postprocessing": "Postprocess in the page as in Python: give both functions the outputs of {}.",
}


def diagnose_decisions(pipeline: Pipeline) -> Iterator[Finding]:
    """Yield decisions-differ for each page, if there is a postprocessing."""
    for row in pipeline.rows if pipeline.postprocess else ():
        if row.changed_count or row.changed_by_postprocessing:
            yield _differs(row, pipeline)


def _differs(row: PipelineRow, pipeline: Pipeline) -> Finding:
    counts: dict[Part, int] = {"preprocessing": row.changed_by_preprocessing} if pipeline.js_preprocess else {}
    counts["runtime"] = row.changed_by_runtime
    if row.changed_by_postprocessing is not None:
        counts["postprocessing"] = row.changed_by_postprocessing
    changed = [file for file in row.files if file.change]
    count_of = pipeline.counted(row.decided_count)
    summary = f"{row.runtime}: {row.changed_count} of {count_of} get a different decision: " + listed(
        [f"{count} by the {part} alone" for part, count in counts.items()]
    )
    examples = "; ".join(f"{file.name}: {file.change}" for file in changed[:_MOST_FILES])
    failed = row.passed is False and row.changed_count > 0
    return finding(
        "decisions-differ",
        Severity.ERROR if failed else Severity.WARNING,
        runtimes=(row.runtime,),
        summary=f"{summary}. {examples}." if examples else f"{summary}. Together they change none.",
        advice=_advice(counts, row.files, pipeline.unit),
        evidence={
            "changed": row.changed_count,
            "decided": row.decided_count,
            **{f"changed_by_{part}": count for part, count in counts.items()},
            "files": [file.name for file in changed[:_MOST_FILES]],
        },
    )


def _advice(counts: dict[Part, int], files: tuple[FileShares, ...], unit: str) -> str:
    """Return the advice for each part that changes decisions, that which changes most first."""
    parts = sorted((part for part in counts if counts[part]), key=lambda part: -counts[part])
    if not parts:
        return f"No part alone changes these decisions: look at the outputs of these {unit}s, which are near a border."
    examples = {part: next((file.name for file in files if part in file.by), f"one of the {unit}s") for part in parts}
    return " ".join(_ADVICE[part].format(examples[part]) for part in parts)
