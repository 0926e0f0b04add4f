"""Tells whether the file or the browser is wrong, after an output failed on LiteRT.js: Python runs the same file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
#: An error in Python that is smaller than this share of the browser's does not explain it.
_LEAST_SHARE = 0.5


async def faulty_parts(
    report: Report, source: Source, references: References, executor: Executor
) -> Mapping[str, Mapping[str, FaultyPart]]:
    """Return where the error of each output that failed on LiteRT.js begins, by output and runtime.

    The outputs of TensorFlow Lite are judged by the limits of the browser's, on the batches with the largest errors.
    The result is empty if that cannot be measured.
    """
    failed = _failed(report)
    artifact = report.litert_artifact
    if not failed or artifact is None:
        return {}
    await source.tensorflow()
    batches = [batch for batch in references.again() if _holds(batch, failed)][:_MOST_BATCHES]
    expected = [await references.batch(batch.index) for batch in batches]
    python: dict[Kernels, list[Comparison | None]] = {}
    try:
        for kernels in Kernels:
            outputs = await _outputs(artifact, kernels, batches, executor)
            python[kernels] = [_compared(c, batches, outputs, expected) for c in failed]
    except PycheckError:  # a file that Python cannot run tells nothing about the browser
        return {}
    parts: dict[str, dict[str, FaultyPart]] = {}
    for c, builtin, xnnpack in zip(failed, python[Kernels.BUILTIN], python[Kernels.XNNPACK], strict=True):
        samples = {sample for batch in batches for sample in range(batch.start, batch.start + batch.size)}
        parts.setdefault(c.tensor, {})[str(c.candidate)] = faulty_part(c, builtin, xnnpack, samples)
    return parts


def faulty_part(
    browser: Comparison, builtin: Comparison | None, xnnpack: Comparison | None, samples: Collection[int]
) -> FaultyPart:
    """Return where the error of an output begins; both results of Python are of `samples` alone."""
    errors = [abs(w.candidate - w.reference) for w in browser.worst if w.kind == "error" and w.sample in samples]
    needed = _LEAST_SHARE * max(errors, default=0.0)
    failed = {
        part: python
        for part, python in ((FaultyPart.FILE, builtin), (FaultyPart.XNNPACK, xnnpack))
        if python is not None and python.passed is False
    }
    if FaultyPart.FILE in failed and FaultyPart.XNNPACK not in failed:
        failed = {FaultyPart.BUILTIN: failed[FaultyPart.FILE]}
    for part, python in failed.items():
        if python.max_abs_error is None or python.max_abs_error >= needed:
            return part
    return FaultyPart.MOSTLY_BROWSER if failed else FaultyPart.BROWSER


def _failed(report: Report) -> tuple[Comparison, ...]:
    """Return the failed comparisons of LiteRT.js that have values to compare."""
    return tuple(
        c
        for c in report.comparisons
        if c.passed is False and c.candidate.is_litert and not c.is_noise_floor and not c.shape_mismatch
    )


def _holds(batch: Batch, failed: Iterable[Comparison]) -> bool:
    """Tell whether a batch has one of the elements that differ most; without such elements, the first has."""
    samples = {element.sample for c in failed for element in c.worst} or {0}
    return any(batch.start <= sample < batch.start + batch.size for sample in samples)


async def _outputs(
    artifact: ArtifactInfo, kernels: Kernels, batches: Sequence[Batch], executor: Executor
) -> list[Tensors]:
    async with LitertRuntime(artifact, executor=executor, kernels=kernels) as runtime:
        return [await runtime.predict(batch.tensors) for batch in batches]


def _compared(
    c: Comparison, batches: Sequence[Batch], outputs: Sequence[Tensors], expected: Sequence[ReferenceBatch]
) -> Comparison | None:
    """Judge an output of TensorFlow Lite by the limits of the failed comparison `c`; None if it has no limits."""
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
        return None
    summary = summarize(
        measured, tensor=c.tensor, reference=c.reference, candidate=ARTIFACT_LITERT, class_reference=c.reference
    )
    return judged(summary, limits)
