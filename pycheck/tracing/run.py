"""One trace from start to end: starts what has to run, traces, and puts what was found into the report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import replace

from ..compare import measure, summarize
from ..config import Options
from ..diagnose import by_severity
from ..diagnose.operations import diagnose_trace
from ..errors import RuntimeFailedError, RuntimeTimeoutError
from ..gate import assess, decide
from ..runtimes.artifact import ArtifactRuntime
from ..runtimes.page import BrowserRuntime
from ..types import (
    Array,
    ArtifactInfo,
    Comparison,
    NanPolicy,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Tensors,
    Trace,
)
from .measuring import ARTIFACT_FLOAT32, ARTIFACT_FLOAT64
from .tracer import Traced, Tracer

Observer = Callable[[str, str, int, int], None]


async def trace_run(
    report: Report,
    *,
    inputs: Tensors,
    size: Tensors,
    classes: Tensors,
    candidates: Sequence[BrowserRuntime],
    layers: Collection[str],
    executor: Executor,
    slots: asyncio.Semaphore,
    options: Options,
    observe: Observer,
) -> Report:
    """The report of a comparison with its trace, the findings of that, and a verdict that knows both.

    `inputs`, and what the model gives for them in Python (`size` and `classes`, see the references), are by the
    model's names and of few samples. `candidates` are not started yet.
    """
    artifact = report.artifact
    assert artifact is not None  # what has been compared has an artifact
    async with AsyncExitStack() as stack:
        single, double = (
            ArtifactRuntime(id, artifact, executor=executor, layers=layers)
            for id in (ARTIFACT_FLOAT32, ARTIFACT_FLOAT64)
        )
        await stack.enter_async_context(single)
        await stack.enter_async_context(double)
        failures: dict[RuntimeId, RuntimeFailedError] = {}
        started = await _started(candidates, stack, failures, slots, observe)
        tracer = Tracer(
            single,
            double,
            [_Taken(candidate, slots) for candidate in started],
            {artifact.input_names[name]: value for name, value in inputs.items()},
            is_graph=artifact.format == "graph",
            fixed_batch=report.model.signature.inputs[0].shape[0] is not None,
            memory_bytes=options.trace_memory,
            nan=NanPolicy.IGNORE if options.nan is NanPolicy.IGNORE else NanPolicy.FAIL,
            advance=lambda runtime, done, total: observe(str(runtime), "tracing", done, total),
        )
        traced = await tracer.trace(artifact.output_names)
        failures |= traced.failures
        own_records = [
            RuntimeRecord(r.id, RuntimeStatus.OK, r.environment, dict(r.timings_s))
            for r in (single, double)
            if all(r.id != record.id for record in report.runtimes)
        ]
    trace = traced.trace
    if report.model.format != "tfjs":
        trace = _with_conversion(trace, traced, artifact, report, size, classes)
    records = (*(_record(record, failures) for record in report.runtimes), *own_records)
    findings = by_severity((*diagnose_trace(trace, records, report.comparisons), *report.findings))
    return replace(
        report,
        runtimes=records,
        findings=findings,
        verdict=decide(report.comparisons, runtimes=records, findings=findings, nan=options.nan),
        trace=trace,
    )


async def _started(
    candidates: Sequence[BrowserRuntime],
    stack: AsyncExitStack,
    failures: dict[RuntimeId, RuntimeFailedError],
    slots: asyncio.Semaphore,
    observe: Observer,
) -> list[BrowserRuntime]:
    """Those that start; all of them are closed with the stack."""

    async def start(candidate: BrowserRuntime) -> None:
        observe(str(candidate.id), "starting", 0, 0)
        async with slots:
            await candidate.start()

    for candidate in candidates:
        stack.push_async_callback(candidate.close)
    outcomes = await asyncio.gather(*map(start, candidates), return_exceptions=True)
    for candidate, outcome in zip(candidates, outcomes, strict=True):
        if isinstance(outcome, RuntimeFailedError):
            failures[candidate.id] = outcome
        elif outcome is not None:
            raise outcome
    return [candidate for candidate in candidates if candidate.id not in failures]


class _Taken:
    """A runtime that computes only while one of the machine's cores is its own."""

    def __init__(self, runtime: BrowserRuntime, slots: asyncio.Semaphore) -> None:
        self.id = runtime.id
        self.environment = runtime.environment
        self._runtime = runtime
        self._slots = slots

    @property
    def is_alive(self) -> bool:
        return self._runtime.is_alive

    async def run(self, feeds: Tensors, fetches: Sequence[str]) -> dict[str, Array]:
        async with self._slots:
            return await self._runtime.run(feeds, fetches)


def _with_conversion(
    trace: Trace, traced: Traced, artifact: ArtifactInfo, report: Report, size: Tensors, classes: Tensors
) -> Trace:
    """The trace with what conversion costs each output: the artifact in float64 against the model's."""
    splits = []
    for split in trace.splits:
        value = traced.outputs[artifact.output_names[split.tensor]]
        conversion = _conversion(split.tensor, value, report, size[split.tensor], classes[split.tensor])
        splits.append(replace(split, conversion=conversion))
    return replace(trace, splits=tuple(splits))


def _conversion(tensor: str, value: Array, report: Report, size: Array, classes: Array) -> Comparison:
    single, double = report.model.references
    known = size.dtype == "float64" or size.dtype.kind in "biu"
    floor = measure(classes, size, size, start=0) if known else None
    (assessed,) = assess(
        [
            summarize(
                measure(value, size, classes, start=0),
                tensor=tensor,
                reference=double if known else single,
                candidate=ARTIFACT_FLOAT64,
                class_reference=single,
                noise_floor=floor,
            )
        ]
    )
    return assessed


def _record(record: RuntimeRecord, failures: dict[RuntimeId, RuntimeFailedError]) -> RuntimeRecord:
    error = failures.get(record.id)
    if error is None:
        return record
    status = RuntimeStatus.TIMED_OUT if isinstance(error, RuntimeTimeoutError) else RuntimeStatus.FAILED
    return replace(record, status=status, error=f"while tracing: {error}")
