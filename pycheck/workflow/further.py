"""Continues after a comparison, on the same inputs and pages: the trace, the search for fixes, a bundle."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..artifact.epsilons import with_epsilons
from ..conversion.existing import tflite_shapes
from ..errors import RuntimeFailedError
from ..inputs import altered, refuse_ids
from ..types import ArtifactInfo, Report, RuntimeId, RuntimeStatus, Tensors
from .run import Compared, Run
from .setting import Setting

if TYPE_CHECKING:
    from ..remedies import Trial
    from ..runtimes.native.artifact import ArtifactRuntime
    from ..runtimes.native.litert_points import LitertPoints
    from ..tracing import TraceInputs

#: TF.js's WebGL (128) and WebGPU (1000) backends compute tensors with fewer elements on the CPU.
_FORWARDED_BELOW = 1000


async def traced(compared: Compared, runtimes: Collection[RuntimeId], *, only_failed: bool) -> Compared:
    """Add the trace of the runtimes that ran to their end, of each library that has an artifact."""
    report = compared.report
    for is_litert, artifact in ((False, report.artifact), (True, report.litert_artifact)):
        if artifact and any(runtime.is_litert == is_litert for runtime in runtimes):
            compared = await _traced(compared, runtimes, is_litert=is_litert, only_failed=only_failed)
    return compared


async def _traced(
    compared: Compared, runtimes: Collection[RuntimeId], *, is_litert: bool, only_failed: bool
) -> Compared:
    """Trace the artifact of one of the two libraries, and add it to the trace of the other."""
    setting = compared.setting
    references = await (compared.python.of_litert() if is_litert else compared.python.references())
    from ..tracing import joined, trace_run

    options, source = setting.options, setting.source
    candidates = [r for r in options.runtimes if r in runtimes and r in compared.pages and r.is_litert == is_litert]
    try:
        report = await trace_run(
            compared.report,
            references=references,
            model=source.model,
            long_sums=source.long_sums,
            draw=lambda count: _trace_inputs(compared, count),
            candidates=[compared.pages[runtime] for runtime in candidates],
            only_failed=only_failed,
            slots=setting.shared.slots,
            options=options,
            observe=setting.observe,
        )
    except RuntimeFailedError as error:
        await asyncio.to_thread(refuse_ids, compared.inputs, await source.input_hints(), error)
        raise
    if compared.report.trace and report.trace:
        report = replace(report, trace=joined(compared.report.trace, report.trace))
    return replace(compared, report=report)


async def bundled(compared: Compared, folder: Path) -> Compared:
    """Add a bundle of the first source operation of the trace, in its own folder."""
    from ..bundle import bundle_source

    async def draw(count: int) -> Tensors:
        return (await _trace_inputs(compared, count)).tensors

    async def single(is_litert: bool) -> ArtifactRuntime | LitertPoints:
        references = compared.python.of_litert() if is_litert else compared.python.references()
        return (await references).single

    report = await bundle_source(
        compared.report,
        folder,
        name=compared.setting.options.bundle_point,
        single=single,
        draw=draw,
        candidates=list(compared.pages.values()),
        executor=compared.setting.shared.executor,
    )
    return replace(compared, report=report)


async def with_remedies(compared: Compared) -> Compared:
    """Add the fixes that were tried on the runtimes that failed; the open pages are not used."""
    from ..remedies import try_remedies

    setting = compared.setting
    report = await try_remedies(
        compared.report, setting.options, trial=partial(_trial, compared), observe=setting.observe
    )
    return replace(compared, report=report)


async def _trial(compared: Compared, trial: Trial) -> Report:
    """Repeat the run with one change, and return its result.

    A trial is judged by its comparisons, which the repeat of the first batch does not change. Only if a runtime failed,
    it may have failed in the repeat.
    """
    setting = compared.setting
    options = trial.options(setting.options)
    source, inputs = setting.source, compared.inputs
    if trial.converts or trial.epsilons:
        source = source.variant(options)
    if trial.epsilons:
        source.adopt(await _with_epsilons(setting, dict(trial.epsilons)))
    if trial.changes_inputs:
        inputs = altered(inputs, factors=dict(trial.factors), limits=dict(trial.limits))
    references = None if trial.recomputes else compared.references
    repeats = any(record.status is not RuntimeStatus.OK for record in compared.report.runtimes)
    run = Run(Setting(options, source, setting.cache, setting.shared), references=references, repeats=repeats)
    try:
        return (await run.compare(inputs)).report
    finally:
        await run.close()
        if source is not setting.source:
            await source.close()


async def _with_epsilons(setting: Setting, epsilons: Mapping[str, float]) -> ArtifactInfo:
    artifact, layers = await setting.source.artifact(), await setting.source.layer_names()
    folder = setting.cache.reserve("epsilons", None).folder
    return await asyncio.to_thread(with_epsilons, artifact, epsilons, folder, layers)


async def _trace_inputs(compared: Compared, count: int) -> TraceInputs:
    """Choose the samples that failed, and more up to `count`, or up to the number that the GPU backends need."""
    from ..tracing import TraceInputs, worst_samples

    report, source = compared.report, compared.inputs
    signature, total = report.model.signature, source.sample_count
    fixed = signature.fixed_batch or await _file_batch(compared)
    # With fewer samples, TF.js would compute on the CPU instead of the GPU.
    count = max(count, -(-_FORWARDED_BELOW // _largest_input(compared)))
    samples = worst_samples(report.comparisons, count=1 if fixed else count, total=total)
    if fixed:  # the whole batch with the worst sample
        first = samples[0] // fixed * fixed
        samples = tuple(range(first, first + fixed))
    sampled = {spec.name for spec in signature.outputs if spec.has_sample_axis}
    inputs, size, classes = (list[Tensors]() for _ in range(3))
    for batch in source.batches(compared.batch_size):
        rows = [sample - batch.start for sample in samples if 0 <= sample - batch.start < batch.size]
        if rows:
            reference = await compared.references.batch(batch.index)
            with_rows = batch.tensors.keys() - batch.whole
            inputs.append({name: v[rows] if name in with_rows else v for name, v in batch.tensors.items()})
            complete = len(rows) == batch.size == len(samples)
            size.append(_rows(reference.size, rows, sampled, batch.size, complete=complete))
            classes.append(_rows(reference.classes, rows, sampled, batch.size, complete=complete))
    return TraceInputs(
        _joined(inputs, source.whole),
        _joined(size, reference.size.keys() - sampled),
        _joined(classes, reference.classes.keys() - sampled),
        samples,
    )


async def _file_batch(compared: Compared) -> int | None:
    """Return the samples in a batch of a given .tflite file, if it takes more than one."""
    if not (given := await compared.setting.source.given_tflite()):
        return None
    batches = [shape[0] for name, shape in tflite_shapes(given).items() if name not in compared.inputs.whole]
    return batches[0] if batches and batches[0] > 1 else None


def _largest_input(compared: Compared) -> int:
    """Return the number of elements of the largest input for one sample."""
    first = next(iter(compared.inputs.batches(1)))
    return max((v.size // (1 if name in first.whole else len(v)) or 1 for name, v in first.tensors.items()), default=1)


def _rows(outputs: Tensors, rows: Sequence[int], sampled: Collection[str], size: int, *, complete: bool) -> Tensors:
    """Select samples of a batch of size `size`.

    An output without a row for each is used only if the batch is complete.
    """
    has_rows = {name for name in sampled if outputs[name].shape[:1] == (size,)}
    return {
        name: value[rows] if name in has_rows else value
        for name, value in outputs.items()
        if complete or name in has_rows
    }


def _joined(parts: Sequence[Tensors], whole: Collection[str]) -> Tensors:
    """Concatenate the parts of all batches; a tensor without a sample axis stays one value."""
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {n: parts[0][n] if n in whole else np.concatenate([part[n] for part in parts]) for n in names}
