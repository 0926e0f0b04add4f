"""What is looked at once an output has failed, so that a cause is established and not guessed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from .artifact.epsilons import with_epsilons
from .errors import PycheckError
from .reference_check import agreeing
from .references import References
from .source import Source
from .types import ArtifactInfo, Evidence, Report, RuntimeId

_ARTIFACT_FLOAT32 = RuntimeId("artifact", "float32")


async def established(
    report: Report, evidence: Evidence, source: Source, references: References, executor: Executor
) -> Evidence:
    """The evidence, with what is found only where an output fails."""
    failed = {c.tensor for c in report.comparisons if not c.is_noise_floor and c.passed is False}
    wrong = {e.layer: e.model for e in evidence.epsilons if e.differs and e.model is not None}
    if not failed or not wrong:
        return evidence
    return replace(evidence, mended_by_epsilons=await _mended(wrong, failed, source, references, executor))


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
