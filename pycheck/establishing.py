"""What is looked at once an output has failed, so that a cause is established and not guessed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from .artifact.document import read_document
from .artifact.epsilons import with_epsilons
from .artifact.layers_differences import layers_differences
from .errors import PycheckError
from .reference_check import agreeing
from .references import References
from .source import Source
from .types import ArtifactDifferences, ArtifactInfo, Evidence, Report, RuntimeId, RuntimeStatus

_ARTIFACT_FLOAT32 = RuntimeId("artifact", "float32")


async def established(
    report: Report, evidence: Evidence, source: Source, references: References, executor: Executor
) -> Evidence:
    """The evidence, with what is found only where an output fails."""
    failed = {c.tensor for c in report.comparisons if not c.is_noise_floor and c.passed is False}
    ended = any(r.status is RuntimeStatus.FAILED and r.id.engine not in ("native", "artifact") for r in report.runtimes)
    wrong = {e.layer: e.model for e in evidence.epsilons if e.differs and e.model is not None}
    if failed and wrong:
        evidence = replace(evidence, mended_by_epsilons=await _mended(wrong, failed, source, references, executor))
    if (failed or ended) and (found := await _differences(source, executor)):
        evidence = replace(evidence, differences=found)
    return evidence


async def _differences(source: Source, executor: Executor) -> ArtifactDifferences | None:
    """How the layers of an artifact that was given differ from those that the model converts to."""
    artifact = await source.artifact()
    if not source.is_given or artifact.format != "layers":
        return None
    model = await source.model()

    def find() -> ArtifactDifferences | None:
        from .convert import convert
        from .model.evidence import configurations

        given = read_document(artifact.folder / artifact.model_file)
        names = {tensor: name for name, tensor in artifact.output_names.items()}
        outputs = [names[port.tensor] for port in given.outputs]
        with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
            made = convert(model, Path(folder, "artifact"), format="layers")
            fresh = read_document(made.folder / made.model_file)
            return layers_differences(fresh, given, configurations(model.keras_model), outputs)

    try:
        return await asyncio.get_running_loop().run_in_executor(executor, find)
    except PycheckError:  # tfjs-layers cannot take the model now, or not read the artifact: nothing to compare with
        return None


async def _mended(
    epsilons: Mapping[str, float], failed: set[str], source: Source, references: References, executor: Executor
) -> tuple[str, ...]:
    """The outputs of the first batch that are wrong in the artifact and right with these epsilons, both in Python."""
    artifact, layers = await source.artifact(), await source.layer_names()
    await source.tensorflow()
    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        try:
            other = await asyncio.to_thread(with_epsilons, artifact, epsilons, Path(folder), layers)
            right = await _agreeing(other, references, executor)
            mended = right - await _agreeing(artifact, references, executor) if right else right
        except PycheckError:  # the artifact does not run in Python: what mends it is not known
            return ()
    return tuple(sorted(mended & failed))


async def _agreeing(artifact: ArtifactInfo, references: References, executor: Executor) -> set[str]:
    """The outputs that the artifact in Python gives as the reference does."""
    from .runtimes.artifact import ArtifactRuntime

    batch, reference = next(references.again()), await references.batch(0)
    async with ArtifactRuntime(_ARTIFACT_FLOAT32, artifact, executor=executor) as runtime:
        given = await runtime.predict(batch.tensors)
    return agreeing(given, reference.size, reference.classes)
