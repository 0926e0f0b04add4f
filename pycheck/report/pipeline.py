"""The words for a pipeline in reports: what changes from the file to the answer, and by what."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import ALL_FILES, OutputShares, Pipeline, PipelineRow, Report
from .wording import ABSENT, names, short

COLUMNS = (
    ("page of", "runtime"),
    ("input", "input"),
    ("output", "output"),
    ("by input", "by_input"),
    ("by runtime", "by_runtime"),
    ("by both", "by_both"),
    ("other class", "changed"),
    ("result", "result"),
)
FILE_COLUMNS = ("page of", "file", "input", "by input", "by runtime", "by both", "class")
_MOST_FILES = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A page as text: RMS of the input's difference, the largest changes of an output, the files that change class."""

    runtime: str
    input: str
    output: str
    by_input: str
    by_runtime: str
    by_both: str
    changed: str
    result: str
    failed: bool


def rows(pipeline: Pipeline) -> tuple[Row, ...]:
    """Return a line for each output of each page."""
    return tuple(_row(row, output, number == 0) for row in pipeline.rows for number, output in enumerate(row.outputs))


def _row(row: PipelineRow, output: OutputShares, is_first: bool) -> Row:
    differing = [each for each in row.inputs if not each.identical]
    changed = f"{row.changed_count} of {row.decided_count}" if row.decided_count else ABSENT
    return Row(
        str(row.runtime) if is_first else "",
        (", ".join(short(each.rms) for each in differing) or "equal") if is_first else "",
        output.tensor,
        short(output.preprocessing_max),
        short(output.runtime_max),
        short(output.both_max),
        changed if is_first else "",
        ("pass" if row.passed else "DIFFERS") if is_first else "",
        row.passed is False,
    )


def files(pipeline: Pipeline, most: int = _MOST_FILES) -> tuple[tuple[str, ...], ...]:
    """Return the files that change most on pages that fail."""
    return tuple(
        (
            str(row.runtime) if number == 0 else "",
            file.name,
            short(file.input_rms),
            short(file.preprocessing_max),
            short(file.runtime_max),
            short(file.both_max),
            f"{file.decision} -> {file.page_decision}" if file.changed else ABSENT,
        )
        for row in pipeline.rows
        if row.passed is False
        for number, file in enumerate(row.files[:most])
    )


def context(pipeline: Pipeline) -> tuple[tuple[str, str], ...]:
    """Return label and text of the code on both sides."""
    page = f"; in the page {pipeline.js_preprocess}" if pipeline.js_preprocess else ""
    lines = [("preprocess", f"{pipeline.preprocess}{page}")]
    left_out = len({failed.name for failed in pipeline.failed} - {ALL_FILES})
    if left_out:
        lines.append(("", f"{left_out} of {pipeline.file_count} files cannot be preprocessed, and are left out"))
    return (*lines, *(("", note) for note in pipeline.notes))


def headline(report: Report) -> str | None:
    """Return the sentence about the answers of files; None if there is none."""
    judged = [row for row in report.pipeline.rows if row.passed is not None] if report.pipeline else []
    failed = [row for row in judged if not row.passed]
    if not judged:
        return None
    if not failed:
        count = max(row.decided_count for row in judged)
        same = f"the same class for all {count} files" if count else "the same answers"
        return f"{names([row.runtime for row in judged])} {'gives' if len(judged) == 1 else 'give'} {same}"
    worst = max(failed, key=lambda row: row.changed_count)
    if not worst.changed_count:
        return f"the input that {names([row.runtime for row in failed])} makes of a file changes the answer"
    return (
        f"{worst.changed_count} of {worst.decided_count} files get a different class on {worst.runtime}, "
        f"{worst.changed_by_preprocessing} of them by its preprocessing alone"
    )
