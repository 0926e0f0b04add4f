"""Finds files whose answer differs because Python and the page preprocess them differently."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import ALL_FILES, FailedFile, Finding, InputDifference, Pipeline, PipelineRow, Severity, TensorLeak
from .case import listed, number, percent
from .codes import finding
from .decided import diagnose_decisions
from .pipeline_causes import diagnose_causes

_MOST_FILES = 3
#: A difference of inputs up to this share of the largest value is roundoff of float32.
_ROUNDOFF = 2.0**-20

_OF_USERS = "Your users may send such {}s: handle them on both sides."


def diagnose_pipeline(pipeline: Pipeline) -> Iterator[Finding]:
    """Yield preprocessing-differs and decisions-differ for each page, file-fails and tensor-leak."""
    yield from diagnose_decisions(pipeline)
    for row in pipeline.rows:
        is_told = pipeline.postprocess and row.changed_count  # by decisions-differ
        if not all(map(_is_roundoff, row.inputs)) or (row.passed is False and not is_told):
            yield _differs(row, pipeline)
            yield from diagnose_causes(row)
    yield from _failed(pipeline)
    yield from _leaks(pipeline)


def _is_roundoff(difference: InputDifference) -> bool:
    return difference.max_abs <= _ROUNDOFF * difference.scale


def _differs(row: PipelineRow, pipeline: Pipeline) -> Finding:
    # With a postprocessing, the page may fail although its input changes no decision.
    matters = not pipeline.postprocess or row.changed_by_preprocessing or not row.changed_count
    failed = row.passed is False and bool(matters)
    worst = [file.name for file in row.files[:_MOST_FILES]]
    return finding(
        "preprocessing-differs",
        Severity.ERROR if failed else Severity.INFO,
        runtimes=(row.runtime,),
        summary=f"{row.runtime}: {_inputs(row)}. {_effect(row, pipeline)}{_causes(row)}",
        advice=f"Preprocess in the page as in Python. Files that change most: {listed(worst)}." if failed else "",
        evidence={
            "changed": row.changed_count,
            "decided": row.decided_count,
            "changed_by_preprocessing": row.changed_by_preprocessing,
            "causes": [cause.code for cause in row.causes],
            "files": worst,
        },
    )


def _inputs(row: PipelineRow) -> str:
    texts = [
        f"the page's {each.tensor} differs from Python's by up to {number(each.max_abs)} (RMS {number(each.rms)}, "
        f"largest value {number(each.scale)})"
        for each in row.inputs
        if not each.identical
    ]
    return listed(texts) if texts else "the page's inputs equal Python's"


def _effect(row: PipelineRow, pipeline: Pipeline) -> str:
    if not row.outputs:
        return ""
    worst = max(row.outputs, key=lambda output: output.both_max / (output.scale or 1.0))
    share = percent(worst.both_max / worst.scale) if worst.scale else number(worst.both_max)
    changed = f"{worst.tensor} changes by up to {share} of its largest value"
    if not row.decided_count:
        return f"{changed}: {_blame(worst.preprocessing_max, worst.runtime_max)}."
    files = f"{row.changed_count} of {pipeline.counted(row.decided_count)} get a different {pipeline.decision}"
    by = f", {row.changed_by_preprocessing} by the input alone" if row.changed_count else ""
    return f"{files}{by}; {changed}: {_blame(worst.preprocessing_max, worst.runtime_max)}."


def _blame(preprocessing: float, runtime: float) -> str:
    return f"{number(preprocessing)} by the input, {number(runtime)} by the runtime"


def _causes(row: PipelineRow) -> str:
    if not row.causes:
        return ""
    texts = [f"{cause.page} instead of {cause.python}" for cause in row.causes]
    left = f" Without them, an RMS difference of {number(row.unexplained_rms)} remains." if row.unexplained_rms else ""
    return f" In the page: {'; '.join(texts)}.{left}"


def _failed(pipeline: Pipeline) -> Iterator[Finding]:
    by_file: dict[tuple[str, str], list[FailedFile]] = {}
    for each in pipeline.failed:
        by_file.setdefault((each.name, each.step), []).append(each)
    for (name, step), sides in by_file.items():
        in_python = [each for each in sides if each.runtime is None]
        pages = [each.runtime for each in sides if each.runtime is not None]
        where = "Python" if not pages else f"{'Python and ' if in_python else ''}{listed(pages)}"
        both = bool(in_python and pages)
        if name == ALL_FILES:
            yield from (_dead(side, pipeline) for side in sides)
            continue
        decides = step == "postprocess"
        told = f"cannot {step} {'its outputs' if decides else 'it'}: {sides[0].message}"
        yield finding(
            "file-fails",
            Severity.WARNING if both or not pages else Severity.ERROR,
            runtimes=pages,
            summary=f"{name}: {where} {told}. {'It has no decision' if decides else 'It was left out'}.",
            advice=f"Remove the {pipeline.unit}." if both else _OF_USERS.format(pipeline.unit),
            evidence={"file": name, "message": sides[0].message},
        )


def _dead(side: FailedFile, pipeline: Pipeline) -> Finding:
    message = side.message.rstrip(".")
    if side.step == "preprocess":
        told = f"The page of {side.runtime} made no input to compare: {message}."
        advice = "Open the page of your application in this browser with the same files."
    else:
        told = f"{pipeline.js_postprocess} decides of no {pipeline.unit} on {side.runtime}: {message}."
        advice = "Call the function with the outputs of one {pipeline.unit} in the page of your application."
    return finding(
        "file-fails",
        Severity.ERROR,
        runtimes=() if side.runtime is None else (side.runtime,),
        summary=told,
        advice=advice,
        evidence={"file": "", "message": side.message},
    )


def _leaks(pipeline: Pipeline) -> Iterator[Finding]:
    by_module: dict[str, list[TensorLeak]] = {}
    for leak in pipeline.leaks:
        by_module.setdefault(leak.module, []).append(leak)
    for module, leaks in by_module.items():
        first, runtimes = leaks[0], [leak.runtime for leak in leaks]
        files = f"{first.file_count} of {pipeline.counted(pipeline.file_count)}"
        yield finding(
            "tensor-leak",
            Severity.WARNING,
            runtimes=runtimes,
            summary=f"{module} keeps tensors for {files} on {listed(runtimes)}, {first.tensors} for {first.file}. The "
            "memory of a page grows with every call.",
            advice="Wrap the synchronous part of the function in tf.tidy, and dispose tensors that are made outside.",
            evidence={"module": module, "file": first.file, "tensors": first.tensors, "files": first.file_count},
        )
