"""Tells whether the file or the browser is wrong, after an output failed on LiteRT.js: Python runs the same file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor

from ..artifact.tflite.interpreter import Kernels
from ..comparison import Statistics, measure, merge, summarize
from ..errors import PycheckError
from ..gate import judged
from ..runtimes.native.litert import LitertRuntime
from ..types import ARTIFACT_LITERT, ArtifactInfo, Batch, Comparison, FaultyPart, Report, Tensors
from .lazy_model import Source
from .references import ReferenceBatch, References

#: The most batches to run again: those with the largest errors.
_MOST_BATCHES = 4
_HALF_BITS = 16


async def faulty_parts(
    report: Report, source: Source, references: References, executor: Executor
) -> Mapping[str, FaultyPart]:
    """Return where the error of each output that failed on LiteRT.js begins; empty if that cannot be measured.

    The outputs of TensorFlow Lite are judged by the limits of the browser's, on the batches with the largest errors.
    """
    failed = _failed(report)
    artifact = report.litert_artifact
    if not failed or artifact is None:
        return {}
    await source.tensorflow()
    batches = [batch for batch in references.again() if _holds(batch, failed.values())][:_MOST_BATCHES]
    expected = [await references.batch(batch.index) for batch in batches]
    wrong: dict[Kernels, set[str]] = {}
    try:
        for kernels in Kernels:
            outputs = await _outputs(artifact, kernels, batches, executor)
            wrong[kernels] = {name for name, c in failed.items() if _fails(c, batches, outputs, expected)}
    except PycheckError:  # a file that Python cannot run tells nothing about the browser
        return {}
    return {
        name: FaultyPart.FILE
        if name in wrong[Kernels.BUILTIN]
        else FaultyPart.XNNPACK
        if name in wrong[Kernels.XNNPACK]
        else FaultyPart.BROWSER
        for name in failed
    }


def _failed(report: Report) -> dict[str, Comparison]:
    """Return a failed comparison of each output on LiteRT.js, in full precision if there is one."""
    found: dict[str, Comparison] = {}
    for c in report.comparisons:
        is_failed = c.passed is False and c.candidate.is_litert and not c.is_noise_floor and not c.shape_mismatch
        if is_failed and (c.tensor not in found or found[c.tensor].precision_bits == _HALF_BITS):
            found[c.tensor] = c
    return found


def _holds(batch: Batch, failed: Iterable[Comparison]) -> bool:
    """Tell whether a batch has one of the elements that differ most; without such elements, the first has."""
    samples = {element.sample for c in failed for element in c.worst} or {0}
    return any(batch.start <= sample < batch.start + batch.size for sample in samples)


async def _outputs(
    artifact: ArtifactInfo, kernels: Kernels, batches: Sequence[Batch], executor: Executor
) -> list[Tensors]:
    async with LitertRuntime(artifact, executor=executor, kernels=kernels) as runtime:
        return [await runtime.predict(batch.tensors) for batch in batches]


def _fails(
    c: Comparison, batches: Sequence[Batch], outputs: Sequence[Tensors], expected: Sequence[ReferenceBatch]
) -> bool:
    """Judge an output of TensorFlow Lite by the limits of the failed comparison `c`."""
    measured: Statistics | None = None
    limits = c.tolerance
    for batch, given, reference in zip(batches, outputs, expected, strict=True):
        classes = reference.classes[c.tensor]
        size = reference.size[c.tensor] if reference.size[c.tensor].shape == classes.shape else classes
        found = measure(
            given[c.tensor],
            size,
            classes,
            start=batch.start,
            rtol=limits.rtol if limits else None,
            atol=limits.atol if limits else None,
            precision_bits=c.precision_bits,
            has_sample_axis=c.has_sample_axis,
            name=c.tensor,
        )
        measured = merge(measured, found) if measured else found
    if measured is None or limits is None:
        return False
    summary = summarize(
        measured, tensor=c.tensor, reference=c.reference, candidate=ARTIFACT_LITERT, class_reference=c.reference
    )
    return judged(summary, limits).passed is False
