"""Selects a source operation that errs in isolation, shrinks its inputs, and writes the bundle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from ..artifact.cutting import cut_out
from ..artifact.document import read_document
from ..errors import PycheckError, UsageError
from ..runtimes.browser.litert_parts import LitertParts
from ..runtimes.browser.page import BrowserRuntime
from ..runtimes.native.artifact import ArtifactRuntime
from ..runtimes.native.litert_points import LitertPoints
from ..system.folders import write_folder
from ..types import Array, ArtifactInfo, Bundle, Report, RuntimeId, Tensors, Trace, TracePoint
from .litert import litert_files, reproduced_litert
from .operation import Outcome, alone
from .page import PAGE_FILE, Content, bundle_files

_MOST_NEAR = 4
_MOST_TRIED = 8


@dataclass(frozen=True, slots=True)
class Source:
    """A point that errs in isolation, and its wrong element."""

    point: TracePoint
    runtime: RuntimeId


async def bundle_source(
    report: Report,
    folder: Path,
    *,
    name: str | None,
    single: Callable[[bool], Awaitable[ArtifactRuntime | LitertPoints]],
    draw: Callable[[int], Awaitable[Tensors]],
    candidates: Sequence[BrowserRuntime],
    executor: Executor,
) -> Report:
    """Add `trace.bundle` to a report: the content of the folder, or the reason why there is none.

    Args:
        report: A report with a trace.
        folder: New or empty.
        name: A point or a layer; None for the first source that also errs in isolation.
        single: Returns the artifact in Python, started: that of LiteRT if its argument is true.
        draw: Returns so many samples of the model's inputs, by its names: those that were traced.
        candidates: The runtimes of the trace, still open.
        executor: TensorFlow's one thread.

    Raises:
        UsageError: there is no point and no layer with that name, or the folder cannot be written.
    """
    trace = report.trace
    assert trace is not None  # the caller has run a trace
    if name is not None:
        _check_name(trace, name)
    open_ones = {candidate.id: candidate for candidate in candidates if candidate.is_alive}
    found = [source for source in _sources(trace, name) if source.runtime in open_ones]
    failures: list[str] = []
    drawn: Tensors | None = None
    for source in found[:_MOST_TRIED]:
        drawn = drawn or await draw(trace.sample_count)
        page = open_ones[source.runtime]
        try:
            python = await single(source.runtime.is_litert)
            if isinstance(python, LitertPoints):
                made = await _reproduced_litert(report, source, python, drawn, page)
            else:
                made = await _reproduced(report, source, python, drawn, page, executor)
        except PycheckError as error:
            failures.append(f"{source.point.name}: {error.message}")
            continue
        if made is None:
            failures.append(f"{source.point.name}: the operation does not err in isolation, on Python's values")
            continue
        files, outcome = made
        write_folder("--bundle", folder, files)
        note = f"{folder / PAGE_FILE} shows {source.point.op} in isolation, on {_amount(outcome)}"
        return _with(report, Bundle(str(folder), note, source.point.name, source.runtime))
    return _with(report, Bundle(None, _why_not(trace, name, failures)))


def _fed(artifact: ArtifactInfo, drawn: Tensors) -> dict[str, Array]:
    return {artifact.input_names[name]: value for name, value in drawn.items()}


async def _reproduced_litert(
    report: Report, source: Source, single: LitertPoints, drawn: Tensors, candidate: BrowserRuntime
) -> tuple[dict[str, bytes], Outcome] | None:
    """Return the files and the result of an operation of a .tflite file, as `_reproduced` does."""
    artifact = report.litert_artifact
    assert artifact is not None
    with LitertParts(candidate, single.graph, artifact) as parts:
        content = await reproduced_litert(report.pycheck_version, source.point, single, _fed(artifact, drawn), parts)
    return (litert_files(content), content.outcome) if content else None


async def _reproduced(
    report: Report,
    source: Source,
    single: ArtifactRuntime,
    drawn: Tensors,
    candidate: BrowserRuntime,
    executor: Executor,
) -> tuple[dict[str, bytes], Outcome] | None:
    """Return the files of the bundle and the result that they show; None if the operation does not err in isolation."""
    artifact = report.artifact
    assert artifact is not None
    feeds = _fed(artifact, drawn)
    point = next(point for point in single.points if point.name == source.point.name)
    operands = await single.run(feeds, point.inputs)
    cut = cut_out(read_document(artifact.folder / artifact.model_file), point, operands)
    async with alone(point, cut, candidate, executor) as operation:
        whole = await operation.run(operands)
        if whole.comparison.passed is not False:
            return None
        outcome = await operation.smallest(whole)
    on_gpu = tuple(name for name in point.inputs if name not in artifact.inputs)
    content = Content(
        report.pycheck_version,
        source.point,
        candidate.id,
        candidate.environment,
        single.environment,
        cut,
        outcome,
        on_gpu,
    )
    return bundle_files(content), outcome


def _sources(trace: Trace, name: str | None) -> list[Source]:
    """Return the sources with the largest effect on the outputs first."""
    return [
        Source(point, result.runtime) for point, result in trace.sources() if name in (None, point.name, point.layer)
    ]


def _check_name(trace: Trace, name: str) -> None:
    known = dict.fromkeys(n for p in trace.points for n in (p.layer, p.name) if n)
    if name not in known:
        near = get_close_matches(name, known, n=_MOST_NEAR, cutoff=0.5)
        sources = [source.point.name for source in _sources(trace, None)]
        raise UsageError(
            f"--bundle-point {name}: the artifact has no layer and no node of that name",
            f"The nearest: {', '.join(near or sources or list(known)[:_MOST_NEAR])}.",
        )


def _why_not(trace: Trace, name: str | None, failures: Sequence[str]) -> str:
    if failures:
        return f"nothing written: {'; '.join(failures)}"
    sources = dict.fromkeys(source.point.name for source in _sources(trace, None))
    if name is not None and sources:
        return f"nothing written: {name} is not a source operation; the sources are {', '.join(sources)}"
    return "nothing written: no operation exceeds its tolerance in isolation"


def _amount(outcome: Outcome) -> str:
    """Format the size of the operands: ``1 element`` or ``2 operands of 128 and 16 elements``."""
    sizes = [value.size for value in outcome.operands.values()]
    elements = f"{' and '.join(f'{size:,}' for size in sizes)} element{'' if sizes == [1] else 's'}"
    return elements if len(sizes) == 1 else f"{len(sizes)} operands of {elements}"


def _with(report: Report, bundle: Bundle) -> Report:
    assert report.trace is not None
    return replace(report, trace=replace(report.trace, bundle=bundle))
