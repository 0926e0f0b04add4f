"""Measures the error that quantization makes in the outputs of an artifact, by rounding again in Python."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from ..artifact.rounding import with_other_rounding
from ..artifact.tflite import read_tflite
from ..artifact.tflite.rounding import in_float32
from ..comparison import Errors
from ..errors import PycheckError
from ..runtimes.base import Runtime
from ..types import ARTIFACT_FLOAT32, ArtifactInfo, Batch, Comparison, QuantizationNoise, Report, Tensors
from .lazy_model import Source
from .noise import chosen_batches, exceeds
from .references import References

#: The number of times that the weights are rounded differently.
_ROUNDINGS = 3
#: Quantizations that round values inside the model too.
_ROUNDS_VALUES = ("int8", "dynamic")
_KEPT = TypeAdapter(list[QuantizationNoise])


async def quantization_noise(
    report: Report, source: Source, references: References, executor: Executor
) -> tuple[QuantizationNoise, ...]:
    """Return the noise of each output that exceeds the automatic limits of float32 on a quantized artifact.

    Two errors are measured on the same inputs, and added as independent ones. The weights are rounded again: the
    artifact runs in float32 as it is, and several times with each quantized weight moved at random by up to half of its
    step. If MODEL is itself the artifact, it has the same weights, and this error is left out. Values inside the model:
    TensorFlow Lite runs the file, and once more in float32.
    """
    found: list[QuantizationNoise] = []
    for artifact, rows in _coarse(report):
        is_litert, tensors = rows[0].candidate.is_litert, list(dict.fromkeys(c.tensor for c in rows))
        try:
            batches = chosen_batches(references, rows)
            key = await references.cache_key(artifact, _ROUNDINGS, tensors, [batch.index for batch in batches])
            noises = references.cache.value("roundings", key, _KEPT)
            if noises is None:
                await source.tensorflow()
                noises = await _noises(artifact, batches, tensors, executor, report.model.is_artifact)
                references.cache.keep("roundings", key, _KEPT, noises)
            found += noises
        except PycheckError:  # Python cannot run the artifact
            found += [QuantizationNoise(tensor, is_litert, None, None) for tensor in tensors]
    return tuple(found)


def not_measured(report: Report) -> tuple[QuantizationNoise, ...]:
    """Return the same outputs without a measurement, if none can be made any more."""
    return tuple(
        QuantizationNoise(tensor, rows[0].candidate.is_litert, None, None)
        for _, rows in _coarse(report)
        for tensor in dict.fromkeys(c.tensor for c in rows)
    )


def _coarse(report: Report) -> Iterator[tuple[ArtifactInfo, list[Comparison]]]:
    """Yield the quantized artifacts that do more than MODEL, with the rows that exceed the automatic limits."""
    for artifact, is_litert in ((report.artifact, False), (report.litert_artifact, True)):
        if artifact is None or artifact.quantization == "none":
            continue
        rows = [c for c in report.comparisons if c.candidate.is_litert is is_litert and exceeds(c)]
        rows = [c for c in rows if c.quantization_noise is None]
        if rows and (_rounds_values(artifact) or not report.model.is_artifact):
            yield artifact, rows


def _rounds_values(artifact: ArtifactInfo) -> bool:
    return artifact.quantization.startswith(_ROUNDS_VALUES)


async def _noises(
    artifact: ArtifactInfo, batches: Sequence[Batch], tensors: Sequence[str], executor: Executor, is_model: bool
) -> list[QuantizationNoise]:
    """Measure the noise of each output; without the error of the weights if the model has the same ones."""
    weights, values = ({tensor: Errors() for tensor in tensors} for _ in range(2))
    is_tflite = artifact.format == "tflite"

    async def compare(other: ArtifactInfo, into: dict[str, Errors]) -> None:
        for mine, theirs in zip(await _run(other, batches, executor), center, strict=True):
            for tensor in tensors:
                into[tensor].add(mine[tensor], theirs[tensor])

    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        exact = await asyncio.to_thread(_other, artifact, Path(folder, "exact"), None) if is_tflite else artifact
        center = await _run(exact, batches, executor)
        for seed in range(0 if is_model else _ROUNDINGS):
            await compare(await asyncio.to_thread(_other, artifact, Path(folder, str(seed)), seed), weights)
        if _rounds_values(artifact):
            await compare(artifact, values)
    return [_together(tensor, is_tflite, weights[tensor], values[tensor]) for tensor in tensors]


def _together(tensor: str, is_litert: bool, weights: Errors, values: Errors) -> QuantizationNoise:
    """Add the errors of weights and of values, which are independent. The larger one decides how certain the sum is."""
    larger = max(weights, values, key=lambda errors: errors.mean_square)
    return QuantizationNoise(
        tensor,
        is_litert,
        largest=math.hypot(weights.largest, values.largest),
        rms=math.sqrt(weights.mean_square + values.mean_square),
        count=larger.effective_count,
    )


def _other(artifact: ArtifactInfo, folder: Path, seed: int | None) -> ArtifactInfo:
    """Write the artifact in float32: with its own weights, or for a seed with those rounded differently."""
    if artifact.format != "tflite":
        return with_other_rounding(artifact, folder, seed or 0)
    folder.mkdir(parents=True)
    made = in_float32(read_tflite(artifact.folder / artifact.model_file), seed)
    (folder / artifact.model_file).write_bytes(made.to_bytes())
    return replace(artifact, folder=folder)


async def _run(artifact: ArtifactInfo, batches: Sequence[Batch], executor: Executor) -> list[Tensors]:
    from ..artifact.tflite.interpreter import Kernels
    from ..runtimes.native.artifact import ArtifactRuntime
    from ..runtimes.native.litert import LitertRuntime

    async with AsyncExitStack() as stack:
        runtime: Runtime = (
            LitertRuntime(artifact, executor=executor, kernels=Kernels.BUILTIN)
            if artifact.format == "tflite"
            else ArtifactRuntime(ARTIFACT_FLOAT32, artifact, executor=executor)
        )
        await stack.enter_async_context(runtime)
        return [await runtime.predict(batch.tensors) for batch in batches]
