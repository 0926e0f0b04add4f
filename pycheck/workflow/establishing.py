"""Runs further measurements after an output has failed, so that its cause is measured rather than guessed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..artifact.document import read_document
from ..artifact.epsilons import with_epsilons
from ..artifact.layers.differences import layers_differences
from ..errors import PycheckError
from ..gate import AUTO
from ..types import (
    ARTIFACT_FLOAT32,
    Array,
    ArtifactDifferences,
    ArtifactInfo,
    Comparison,
    Evidence,
    Report,
    RuntimeStatus,
    Tensors,
)
from .lazy_model import Source
from .quantization import quantization_noise
from .reference_check import agreeing
from .references import ReferenceBatch, References
from .summation import summation_noise
from .tflite_check import faulty_parts

_IN_PYTHON = frozenset({"native", "artifact"})
_HALF_BITS = 16


async def with_noise(
    report: Report, evidence: Evidence, source: Source, references: References, executor: Executor
) -> Evidence:
    """Add the noise of quantization and of long sums for outputs that fail by the limits of float32."""
    noise = await quantization_noise(report, source, references, executor)
    sums = await summation_noise(report, source, references, executor)
    return replace(evidence, quantization_noise=noise, summation_noise=sums) if noise or sums else evidence


async def established(
    report: Report, evidence: Evidence, source: Source, references: References, executor: Executor
) -> Evidence:
    """Add the evidence that is needed only if an output fails."""
    failed = {c.tensor for c in report.comparisons if not c.is_noise_floor and c.passed is False}
    ended = any(r.status is RuntimeStatus.FAILED and r.id.engine not in ("native", "artifact") for r in report.runtimes)
    wrong = {e.layer: e.model for e in evidence.epsilons if e.differs and e.model is not None}
    if failed and wrong:
        evidence = replace(evidence, mended_by_epsilons=await _mended(wrong, failed, source, references, executor))
    if (failed or ended) and (found := await _differences(source, executor)):
        evidence = replace(evidence, differences=await _effective(found, report, source, references, executor))
    if parts := await faulty_parts(report, source, references, executor):
        evidence = replace(evidence, faulty_parts=parts)
    return evidence


async def _differences(source: Source, executor: Executor) -> ArtifactDifferences | None:
    """Compare the layers of a given artifact with those of a new conversion of the model."""
    if not source.is_given:
        return None
    artifact = await source.artifact()
    if artifact.format != "layers":
        return None
    model = await source.model()

    def find() -> ArtifactDifferences | None:
        from ..conversion import convert
        from ..model.evidence import configurations

        given = read_document(artifact.folder / artifact.model_file)
        names = {tensor: name for name, tensor in artifact.output_names.items()}
        outputs = [names[port.tensor] for port in given.outputs]
        with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
            made = convert(model, Path(folder, "artifact"), format="layers")
            fresh = read_document(made.folder / made.model_file)
            return layers_differences(fresh, given, configurations(model.keras_model), outputs)

    try:
        return await asyncio.get_running_loop().run_in_executor(executor, find)
    except PycheckError:  # tfjs-layers cannot convert the model, or the artifact cannot be read
        return None


async def _effective(
    found: ArtifactDifferences, report: Report, source: Source, references: References, executor: Executor
) -> ArtifactDifferences:
    """Keep the outputs that are wrong in the artifact itself: in Python, or in every browser.

    An output that a browser in full precision computes correctly is not wrong in the artifact. Errors of quantized
    weights need no difference of layers to explain them.
    """
    artifact = await source.artifact()
    browsers = [c for c in report.comparisons if not c.is_noise_floor and c.candidate.engine not in _IN_PYTHON]
    right = {c.tensor for c in browsers if c.passed and c.precision_bits != _HALF_BITS}
    behind = [name for name in found.outputs if name not in right]
    try:
        given, reference = await _first_batch(artifact, references, executor)
    except PycheckError:  # if it does not run in Python, errors of all browsers are attributed to it
        return replace(found, outputs=tuple(name for name in behind if _is_alike(name, browsers)))
    share = AUTO.upper_bound if artifact.quantization != "none" else 0.0
    limits = {c.tensor: c.tolerance.max_abs for c in browsers if c.tolerance and c.tolerance.max_abs is not None}
    roundoff = agreeing(given, reference.size, reference.classes)
    nonfinite = tuple(name for name in behind if name not in roundoff and _is_changed(given, reference.size, name))
    small = {name for name in behind if name not in nonfinite and name in given}
    small = {n for n in small if is_within(given[n], reference.size[n], limits.get(n, 0.0), share)}
    wrong = tuple(name for name in behind if name not in roundoff | small)
    return replace(found, outputs=wrong, nonfinite=nonfinite)


def is_within(given: Array, expected: Array, limit: float, share: float) -> bool:
    """Tell whether no finite element errs by more than the limit, and than this share of the largest one."""
    if not expected.size:
        return True
    finite = np.isfinite(given) & np.isfinite(expected)
    error = np.abs(np.asarray(given, np.float64) - expected)[finite].max(initial=0.0)
    scale = np.abs(np.asarray(expected, np.float64))[finite].max(initial=0.0)
    return bool(error <= max(limit, share * scale))


def _is_changed(given: Tensors, expected: Tensors, name: str) -> bool:
    """Tell whether an output has a different shape, or elements of a different class: finite, NaN or infinite."""
    if name not in given or given[name].shape != expected[name].shape:
        return True
    mine, other = given[name], expected[name]
    infinite = np.where(np.isinf(mine), mine, 0) != np.where(np.isinf(other), other, 0)
    return bool(np.any((np.isnan(mine) != np.isnan(other)) | infinite))


def _is_alike(tensor: str, browsers: Sequence[Comparison]) -> bool:
    """Tell whether all browsers with this output fail in the same way."""
    rows = [c for c in browsers if c.tensor == tensor]
    kinds = {(c.shape_mismatch, c.nonfinite.changed > 0) for c in rows}
    return len(kinds) == 1 and all(c.passed is False for c in rows)


async def _mended(
    epsilons: Mapping[str, float], failed: set[str], source: Source, references: References, executor: Executor
) -> tuple[str, ...]:
    """Return the outputs of the first batch that are wrong in the artifact, but right with these epsilons."""
    artifact, layers = await source.artifact(), await source.layer_names()
    await source.tensorflow()
    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        try:
            other = await asyncio.to_thread(with_epsilons, artifact, epsilons, Path(folder), layers)
            right = await _agreeing(other, references, executor)
            mended = right - await _agreeing(artifact, references, executor) if right else right
        except PycheckError:  # the artifact does not run in Python, so the effect is unknown
            return ()
    return tuple(sorted(mended & failed))


async def _agreeing(artifact: ArtifactInfo, references: References, executor: Executor) -> set[str]:
    """Return the outputs of the artifact in Python that agree with the reference."""
    given, reference = await _first_batch(artifact, references, executor)
    return agreeing(given, reference.size, reference.classes)


async def _first_batch(
    artifact: ArtifactInfo, references: References, executor: Executor
) -> tuple[Tensors, ReferenceBatch]:
    """Return the results of the artifact and of the model in Python for the first batch."""
    from ..runtimes.native.artifact import ArtifactRuntime

    batch, reference = next(references.again()), await references.batch(0)
    async with ArtifactRuntime(ARTIFACT_FLOAT32, artifact, executor=executor) as runtime:
        return await runtime.predict(batch.tensors), reference
