"""The words for a pipeline in reports: what changes from the file to the answer, and by what."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import ALL_FILES, FileShares, OutputShares, Pipeline, PipelineRow, Report
from .wording import ABSENT, names, short

_COLUMNS = (
    ("page of", "runtime"),
    ("decoded", "decoded"),
    ("input", "input"),
    ("output", "output"),
    ("by input", "by_input"),
    ("by runtime", "by_runtime"),
    ("by both", "by_both"),
    ("other class", "changed"),
    ("result", "result"),
)
#: Of the decisions of a postprocessing, which take the place of the classes.
DECISION_COLUMNS = ("page of", "other decision", "by preprocessing", "by runtime", "by postprocessing")
_FILE_COLUMNS = ("page of", "file", "input", "by input", "by runtime", "by both", "class", "margin")
_DECISION_FILE_COLUMNS = ("page of", "file", "in Python", "in the page", "difference", "by")
_MOST_FILES = 4
#: Causes in the first line of a report.
_MOST_CAUSES = 3
#: The most characters of a decision, and of how two differ, in a table.
_DECISION, _DIFFERENCE = 32, 72


def columns(pipeline: Pipeline) -> tuple[tuple[str, str], ...]:
    """Return the title and the field of each column of `rows`."""
    left_out = {"changed"} if pipeline.postprocess else set()
    left_out |= set() if any(row.decoded for row in pipeline.rows) else {"decoded"}
    return tuple(column for column in _COLUMNS if column[1] not in left_out)


def file_columns(pipeline: Pipeline) -> tuple[str, ...]:
    """Return the titles of `files`."""
    page, _, *rest = _DECISION_FILE_COLUMNS if pipeline.postprocess else _FILE_COLUMNS
    return (page, pipeline.unit, *rest)


def title(pipeline: Pipeline, rest: str) -> str:
    """Return the title of a table of files or samples, such as "Files that change most"."""
    return f"{pipeline.unit.capitalize()}s {rest}"


def way(pipeline: Pipeline) -> str:
    """Return the title of the table of pages."""
    return f"From the {'file' if pipeline.preprocess else 'input'} to the answer"


@dataclass(frozen=True, slots=True)
class Row:
    """A page as text: the decoders' difference, RMS of the input's, largest changes of an output, changed classes."""

    runtime: str
    decoded: str
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
        _decoded(row) if is_first else "",
        (", ".join(short(each.rms) for each in differing) or "equal") if is_first else "",
        output.tensor,
        short(output.preprocessing_max),
        short(output.runtime_max),
        short(output.both_max),
        changed if is_first else "",
        ("pass" if row.passed else "DIFFERS") if is_first else "",
        row.passed is False,
    )


def _decoded(row: PipelineRow) -> str:
    """Return the worst difference of the decoders: of 255 for images, of 1 for sounds."""
    if not row.decoded:
        return ABSENT
    worst = max(row.decoded, key=lambda file: file.rms)
    return short(worst.rms) if worst.largest else "equal"


def decisions(pipeline: Pipeline) -> tuple[tuple[str, ...], ...]:
    """Return the number of files that get another decision, by page and part; none without a postprocessing."""
    return tuple(
        (
            str(row.runtime),
            f"{row.changed_count} of {row.decided_count}",
            str(row.changed_by_preprocessing) if pipeline.js_preprocess else ABSENT,
            str(row.changed_by_runtime),
            ABSENT if row.changed_by_postprocessing is None else str(row.changed_by_postprocessing),
        )
        for row in pipeline.rows
        if pipeline.postprocess
    )


def files(pipeline: Pipeline, most: int = _MOST_FILES) -> tuple[tuple[str, ...], ...]:
    """Return the files that change most on pages that fail, or where a file gets another decision."""
    found = []
    for row in pipeline.rows:
        changed = [file for file in row.files if file.change or file.by] if pipeline.postprocess else row.files
        if row.passed is False or row.changed_count or row.changed_by_postprocessing:
            for number, file in enumerate(changed[:most]):
                cells = _decision_cells(file) if pipeline.postprocess else _class_cells(file)
                found.append((str(row.runtime) if number == 0 else "", file.name, *cells))
    return tuple(found)


def _class_cells(file: FileShares) -> tuple[str, ...]:
    return (
        short(file.input_rms),
        short(file.preprocessing_max),
        short(file.runtime_max),
        short(file.both_max),
        file.change or ABSENT,
        short(file.margin),
    )


def _decision_cells(file: FileShares) -> tuple[str, ...]:
    together = "all together" if file.change else ABSENT
    return (
        *(_cut(text, _DECISION) for text in file.shown),
        _cut(file.change, _DIFFERENCE) or "none in the end",
        ", ".join(file.by) or together,
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def context(pipeline: Pipeline) -> tuple[tuple[str, str], ...]:
    """Return label and text of the code on both sides."""
    page = f"; in the page {pipeline.js_preprocess}" if pipeline.js_preprocess else ""
    lines = [("preprocess", f"{pipeline.preprocess}{page}")] if pipeline.preprocess else []
    left_out = {failed.name for failed in pipeline.failed if failed.step == "preprocess"} - {ALL_FILES}
    if left_out:
        count = pipeline.counted(pipeline.file_count)
        lines.append(("", f"{len(left_out)} of {count} cannot be preprocessed, and are left out"))
    if pipeline.postprocess:
        page = f"; in the page {pipeline.js_postprocess}" if pipeline.js_postprocess else ", also of the page's outputs"
        lines.append(("postprocess", f"{pipeline.postprocess}{page}"))
    undecided = {failed.name for failed in pipeline.failed if failed.step == "postprocess"} - {ALL_FILES}
    if undecided:
        lines.append(("", f"{len(undecided)} of {pipeline.counted(pipeline.file_count)} cannot be postprocessed"))
    lines += [
        ("", f"{row.runtime}: roundoff alone changes the {pipeline.decision} of "
             f"{pipeline.counted(row.roundoff_count)}, which do not count")
        for row in pipeline.rows
        if row.roundoff_count
    ]  # fmt: skip
    return (*lines, *(("", note) for note in pipeline.notes))


def changes(report: Report) -> bool:
    """Tell whether a file gets another class or decision, and more of them than are allowed."""
    rows = report.pipeline.rows if report.pipeline else ()
    return any(row.passed is False and row.changed_count for row in rows)


def headline(report: Report) -> str | None:
    """Return the sentence about the answers of files; None if there is none."""
    pipeline = report.pipeline
    judged = [row for row in pipeline.rows if row.passed is not None] if pipeline else []
    failed = [row for row in judged if not row.passed]
    if pipeline is None:
        return None
    if not judged:
        dead = [each for each in pipeline.failed if each.name == ALL_FILES and each.step == "preprocess"]
        runtimes = names(list(dict.fromkeys(each.runtime for each in dead if each.runtime is not None)))
        return f"the page of {runtimes} made no input to compare" if runtimes else None
    worst = max(failed or judged, key=lambda row: row.changed_count)
    if worst.changed_count:
        allowed = "" if failed else ", which is within the allowed share"
        return f"{_changed(worst, pipeline)}{allowed}"
    if failed:
        on, why = names([row.runtime for row in failed]), _causes(failed[0])
        if failed[0].decided_count:
            unit, what = pipeline.unit, pipeline.decision
            return f"no {unit} gets a different {what} on {on}, but its input changes the output{why}"
        return f"the input that {on} makes of a {pipeline.unit} changes the answer{why}"
    on, give = names([row.runtime for row in judged]), "gives" if len(judged) == 1 else "give"
    if pipeline.postprocess and not all(row.decided_count for row in judged):
        undecided = names([row.runtime for row in judged if not row.decided_count])
        return f"no {pipeline.unit} has a decision on {undecided}"
    count, least = (choose(row.decided_count for row in judged) for choose in (max, min))
    if not count:
        return f"{on} {give} the same answers"
    lost = _lost(pipeline)
    if lost:
        return f"{lost}; the other {pipeline.unit}s get the same {pipeline.decision}"
    left_out = f"{least} of {pipeline.counted(pipeline.file_count)}"
    every = f"the only {pipeline.unit}" if count == 1 else f"all {pipeline.counted(count)}"
    return f"{on} {give} the same {pipeline.decision} for {every if least == pipeline.file_count else left_out}"


def _lost(pipeline: Pipeline) -> str:
    """Say how many files a page cannot preprocess that Python can, or nothing."""
    in_python = {each.name for each in pipeline.failed if each.runtime is None}
    lost = [each for each in pipeline.failed if each.step == "preprocess" and each.name not in {*in_python, ALL_FILES}]
    if not lost:
        return ""
    runtimes = names(list(dict.fromkeys(each.runtime for each in lost if each.runtime is not None)))
    share = f"{len({each.name for each in lost})} of {pipeline.counted(pipeline.file_count)}"
    return f"{share} cannot be preprocessed on {runtimes}"


def _changed(row: PipelineRow, pipeline: Pipeline) -> str:
    """Say how many files get another decision, and how many of them by each part alone."""
    why = _causes(row) if row.changed_by_preprocessing else ""
    parts = [f"{row.changed_by_preprocessing} by its preprocessing{why}"] if pipeline.js_preprocess else []
    parts.append(f"{row.changed_by_runtime} by the runtime")
    if row.changed_by_postprocessing is not None:
        parts.append(f"{row.changed_by_postprocessing} by its postprocessing")
    get = "gets" if row.decided_count == 1 else "get"
    of = pipeline.counted(row.decided_count)
    told = f"{row.changed_count} of {of} {get} a different {pipeline.decision} on {row.runtime}"
    return f"{told}: {', '.join(parts)}"


def _causes(row: PipelineRow) -> str:
    """Return the codes of the causes in brackets, the largest first."""
    codes = [cause.code for cause in row.causes]
    more = [f"{len(codes) - _MOST_CAUSES} more"] if len(codes) > _MOST_CAUSES else []
    return f" ({', '.join([*codes[:_MOST_CAUSES], *more])})" if codes else ""
