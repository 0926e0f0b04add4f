"""Simulates in Python the error of long sums that browsers compute in sequence, for outputs that exceed the limits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import Executor

from pydantic import TypeAdapter

from ..comparison import Errors
from ..errors import PycheckError
from ..types import ArtifactInfo, Batch, Report, SummationNoise, Tensors
from .lazy_model import Source
from .noise import chosen_batches, exceeds
from .references import References

#: The number of simulations.
_SIMULATIONS = 3
_KEPT = TypeAdapter(tuple[SummationNoise, ...])


async def summation_noise(
    report: Report, source: Source, references: References, executor: Executor
) -> tuple[SummationNoise, ...]:
    """Return the error of long sums in each output that exceeds the automatic limits, if the model has such sums.

    The TF.js artifact runs in Python, also if only LiteRT.js ran: the model has the same sums in both.
    """
    rows = [c for c in report.comparisons if exceeds(c)]
    if not rows:
        return ()
    tensors = list(dict.fromkeys(c.tensor for c in rows))
    try:
        artifact = await source.artifact()
        batches = chosen_batches(references, rows)
        key = await references.cache_key(artifact, _SIMULATIONS, tensors, [batch.index for batch in batches])
        if (known := references.cache.value("sums", key, _KEPT)) is not None:
            return known
        await source.tensorflow()
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(executor, _simulated, source, artifact, batches, tensors)
        return references.cache.keep("sums", key, _KEPT, found)
    except PycheckError:  # there is no such artifact, or Python cannot run it
        return ()


def _simulated(
    source: Source, artifact: ArtifactInfo, batches: Sequence[Batch], tensors: Sequence[str]
) -> tuple[SummationNoise, ...]:
    sums = source.long_sums(artifact)
    if sums is None:
        return ()
    errors = {tensor: Errors() for tensor in tensors}

    def run(batch: Batch, *, disturbed: bool) -> Tensors:
        feeds = {artifact.input_names[name]: value for name, value in batch.tensors.items()}
        found = sums.run(feeds, [artifact.output_names[tensor] for tensor in tensors], disturbed=disturbed)
        return {tensor: found[artifact.output_names[tensor]] for tensor in tensors}

    try:
        for batch in batches if sums.count else ():
            exact = run(batch, disturbed=False)
            for _ in range(_SIMULATIONS):
                for tensor, value in run(batch, disturbed=True).items():
                    errors[tensor].add(value, exact[tensor])
    finally:
        sums.close()
    return tuple(
        SummationNoise(tensor, found.largest, math.sqrt(found.mean_square), found.effective_count)
        for tensor, found in errors.items()
        if found.largest
    )
