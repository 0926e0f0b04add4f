"""Runs one trace from start to end, and adds it to the report."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ..artifact import Point
from ..comparison import Statistics, measure, summarize
from ..diagnosis import by_severity
from ..diagnosis.converted import without_refuted
from ..diagnosis.faults import without_traced
from ..diagnosis.linking import linked
from ..diagnosis.operations import diagnose_trace
from ..errors import RuntimeFailedError
from ..gate import assess, decide
from ..options.values import Options
from ..runtimes.base import status_of
from ..runtimes.browser.litert_parts import LitertParts
from ..runtimes.browser.page import BrowserRuntime
from ..runtimes.native.litert_points import LitertPoints
from ..tensors import parts
from ..types import (
    ARTIFACT_FLOAT64,
    Array,
    ArtifactInfo,
    Comparison,
    NanPolicy,
    OutputSplit,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Tensors,
    Trace,
)
from . import selecting
from .expecting import InFloat32
from .groups import fitting, usual_memory
from .long_sums import LongSumsOfPoints
from .model_side import with_points_of
from .probing import Probed, probe
from .references import TraceReferences
from .tracer import Traced, Tracer

if TYPE_CHECKING:
    from ..artifact.long_sums import LongSums
    from ..model import Model

#: The default number of samples; fewer if these need too much memory.
_MOST_SAMPLES = 8

Observer = Callable[[str, str, int, int], None]


@dataclass(frozen=True, slots=True)
class TraceInputs:
    """The inputs of a trace, and the model's outputs for them in Python; for `size` and `classes` see the references.

    All are by the model's names; `samples` are their indices in the whole input.
    """

    tensors: Tensors
    size: Tensors
    classes: Tensors
    samples: tuple[int, ...]


async def trace_run(
    report: Report,
    *,
    references: TraceReferences,
    model: Callable[[], Awaitable[Model]],
    long_sums: Callable[[ArtifactInfo], LongSums | None],
    draw: Callable[[int], Awaitable[TraceInputs]],
    candidates: Sequence[BrowserRuntime],
    only_failed: bool,
    slots: asyncio.Semaphore,
    options: Options,
    observe: Observer,
) -> Report:
    """Trace a comparison; return its report with the trace, the findings of that, and an updated verdict.

    `model` loads the model, only if the artifact has to be compared with it point by point. `long_sums` reads the
    artifact to simulate its long sums. `draw` returns so many
    samples, or more if the model needs it. `candidates` have loaded the artifact. With `only_failed`, the points that
    a failed output depends on are traced, else all; if `options.layers` is given, only those of these layers.
    """
    single, double = references.single, references.double
    is_tflite = isinstance(single, LitertPoints)
    given = report.litert_artifact if is_tflite else report.artifact
    assert given is not None  # a comparison has an artifact
    compared = [c for c in report.comparisons if c.candidate.is_litert == is_tflite]
    artifact, swapped = rightly_paired(given, report, compared)
    is_graph = artifact.format == "graph"
    points = single.points
    if only_failed:
        failed = {artifact.output_names[c.tensor] for c in compared if c.passed is False}
        points = selecting.upstream(points, [single.point_of(name) for name in failed])
    if options.layers:
        points = selecting.of_layers(points, options.layers)
    first = await draw(1)
    has_calls = artifact.format == "layers"
    probed = await probe(single, _fed(artifact, first), points, samples=len(first.samples), is_graph=not has_calls)
    elements = probed.elements(max(len(first.samples), options.trace_samples or 1))
    memory = options.trace_memory or usual_memory(probed.points, elements, runtimes=len(candidates))
    wanted = options.trace_samples or usual_samples(probed, memory, runtimes=len(candidates))
    inputs = await draw(wanted)
    async with AsyncExitStack() as stack:
        pages: Sequence[BrowserRuntime | LitertParts] = candidates
        if isinstance(single, LitertPoints):
            pages = [stack.enter_context(LitertParts(page, single.graph, artifact)) for page in candidates]
        nan = NanPolicy.IGNORE if options.nan is NanPolicy.IGNORE else NanPolicy.FAIL
        sums = LongSumsOfPoints(partial(long_sums, given), references.executor, nan)
        stack.push_async_callback(sums.close)
        tracer = Tracer(
            single,
            double,
            pages,
            _fed(artifact, inputs),
            slots=slots,
            samples=inputs.samples,
            is_graph=is_graph,
            memory_bytes=memory,
            nan=nan,
            advance=lambda runtime, done, total: observe(str(runtime), "tracing", done, total),
            in_float32=InFloat32(double.in_float32, double.alone_in_float32) if double else None,
            long_sums=sums,
        )
        traced = await tracer.trace(artifact.output_names, probed)
    trace = traced.trace
    if swapped:
        reason = (
            f"{', '.join(sorted(swapped))}: traced with the pairs of output-pairing, not with those of the comparison"
        )
        trace = replace(trace, notes=(reason, *trace.notes))
    if references.failure:
        reason = f"artifact:float64 cannot run, so artifact:float32 is the reference: {references.failure.message}"
        trace = replace(trace, notes=(reason, *trace.notes))
    if not report.model.is_artifact:
        trace = _with_conversion(trace, traced, artifact, report, inputs.size, inputs.classes)
        if any(split.conversion and not split.conversion.passed for split in trace.splits):
            trace = await with_points_of(
                await _as_referenced(model, report, inputs, references),
                trace,
                references,
                artifact,
                _fed(artifact, inputs),
                probed,
                options,
            )
    records = (*(_record(record, traced.failures) for record in report.runtimes), *_own_records(report, references))
    outputs = {} if options.layers else {t: single.point_of(name) for t, name in artifact.output_names.items()}
    comparisons = [c for c in compared if c.tensor not in swapped]
    found = diagnose_trace(trace, records, comparisons, outputs, report.findings, artifact.quantization)
    told = (*found, *without_refuted(without_traced(report.findings, found), trace))
    findings = by_severity(linked(told, _reach(single.points, outputs)))
    return replace(
        report,
        runtimes=records,
        findings=findings,
        verdict=decide(report.comparisons, runtimes=records, findings=findings, nan=options.nan),
        trace=trace,
    )


def joined(first: Trace, second: Trace) -> Trace:
    """Join the traces of two artifacts of one model: the points of the first come first."""
    return replace(
        first,
        group_count=first.group_count + second.group_count,
        points=(*first.points, *second.points),
        splits=(*first.splits, *second.splits),
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
        repeats=(*first.repeats, *second.repeats),
        hidden=(*first.hidden, *second.hidden),
    )


def usual_samples(probed: Probed, memory_bytes: int, *, runtimes: int) -> int:
    """Choose the default number of samples: as many as possible without leaving out a point that fits with fewer."""
    most = min(_MOST_SAMPLES, probed.affordable(memory_bytes))
    return fitting(probed.points, probed.elements, runtimes=runtimes, memory_bytes=memory_bytes, most=most)


async def _as_referenced(
    model: Callable[[], Awaitable[Model]], report: Report, inputs: TraceInputs, references: TraceReferences
) -> Model:
    """Trace the model's function with the sizes of these inputs, if the reference used those of the run."""
    loaded = await model()
    if not any(f.code == "reference-differs" and f.evidence.get("outcome") == "retraced" for f in report.findings):
        return loaded
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(references.executor, loaded.in_shapes, inputs.tensors)


def rightly_paired(
    artifact: ArtifactInfo, report: Report, comparisons: Sequence[Comparison]
) -> tuple[ArtifactInfo, frozenset[str]]:
    """Pair the outputs of the artifact as all runtimes of the comparison suggest; return also the changed outputs.

    `comparisons` are those of the runtimes that ran this artifact.
    """
    ran = {c.candidate for c in comparisons if not c.is_noise_floor}
    names, swapped = dict(artifact.output_names), frozenset[str]()
    for found in report.findings:
        evidence = found.evidence
        if found.code == "output-pairing" and "pairs" in evidence and ran == {*found.runtimes}:
            names |= {tensor: artifact.output_names[other] for tensor, other in evidence["fits"].items()}
            swapped |= {*evidence["outputs"]}
    return replace(artifact, output_names=names), swapped


def _reach(points: Sequence[Point], outputs: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return the outputs that depend on each point, by the name of the point."""
    found: dict[str, set[str]] = {}
    for output, last in outputs.items():
        for point in selecting.upstream(points, [last]):
            found.setdefault(point.name, set()).add(output)
    return {name: frozenset(reached) for name, reached in found.items()}


def _fed(artifact: ArtifactInfo, inputs: TraceInputs) -> dict[str, Array]:
    return {artifact.input_names[name]: value for name, value in inputs.tensors.items()}


def _own_records(report: Report, references: TraceReferences) -> list[RuntimeRecord]:
    """Return the records of the artifact in Python, unless the artifact was the reference of the comparison."""
    records = [
        RuntimeRecord(r.id, RuntimeStatus.OK, r.environment, dict(r.timings_s))
        for r in (references.single, references.double)
        if r is not None
    ]
    if references.failure:
        error = str(references.failure)
        records.append(RuntimeRecord(ARTIFACT_FLOAT64, RuntimeStatus.FAILED, None, {}, error))
    known = {record.id for record in report.runtimes}
    return [record for record in records if record.id not in known]


def _with_conversion(
    trace: Trace, traced: Traced, artifact: ArtifactInfo, report: Report, size: Tensors, classes: Tensors
) -> Trace:
    """Add the conversion error of each output: the artifact in Python against the model."""
    splits = []
    for split in trace.splits:
        if split.tensor not in size or split.tensor not in classes or _shape(size, split) != _shape(classes, split):
            splits.append(split)  # the shape depends on values, or more samples than these were computed
            continue
        name = artifact.output_names[split.tensor]
        values = parts(traced.outputs[name]), parts(traced.singles[name])
        names = split.tensor, traced.reference
        conversion = _conversion(*names, *values, report, size[split.tensor], classes[split.tensor])
        splits.append(replace(split, conversion=conversion))
    return replace(trace, splits=tuple(splits))


def _shape(tensors: Tensors, split: OutputSplit) -> tuple[int, ...]:
    shape: tuple[int, ...] = tensors[split.tensor].shape
    return shape


def _conversion(
    tensor: str, candidate: RuntimeId, value: Array, value_single: Array, report: Report, size: Array, classes: Array
) -> Comparison:
    """Compare an output of the artifact in Python with the model's: errors in float64, classes in float32.

    `size` and `classes` are the model's values; `value` and `value_single` the artifact's.
    """
    single, double = report.model.references
    known = size.dtype == "float64" or size.dtype.kind in "biu"
    is_assumed = any(c.tensor == tensor and c.floor_assumed_for for c in report.comparisons)
    sampled = next(spec.has_sample_axis for spec in report.model.signature.outputs if spec.name == tensor)
    is_measured = known and not is_assumed

    def measured(candidate: Array, reference: Array, class_reference: Array) -> Statistics:
        return measure(candidate, reference, class_reference, start=0, drawn=False, has_sample_axis=sampled)

    floor = measured(classes, size, size) if is_measured else None
    found = measured(value, size, classes)
    if value.dtype != value_single.dtype:  # a class that float32 changes is not the conversion's
        in_float32 = measured(value_single, classes, classes)
        worst = replace(in_float32.worst, errors=found.worst.errors)
        found = replace(found, class_counts=in_float32.class_counts, worst=worst)
    (assessed,) = assess(
        [
            summarize(
                found,
                tensor=tensor,
                reference=double if known else single,
                candidate=candidate,
                class_reference=single,
                noise_floor=floor,
            )
        ]
    )
    return assessed


def _record(record: RuntimeRecord, failures: Mapping[RuntimeId, RuntimeFailedError]) -> RuntimeRecord:
    error = failures.get(record.id)
    if error is None:
        return record
    return replace(record, status=status_of(error), error=f"while tracing: {error}")
