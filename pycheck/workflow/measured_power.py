"""Returns the power of a comparison on these inputs: from the cache, else measured now."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from functools import partial

from pydantic import TypeAdapter

from ..artifact import ArtifactGraph
from ..power import MOST_SAMPLES, Allowance, measure_power
from ..system.cache import Cache
from ..system.memory import give_back
from ..types import ArtifactInfo, Power
from .lazy_model import Source
from .references import References

_POWER = TypeAdapter(Power)
#: A part of the key, to be increased if more is measured.
_RECIPE = 3


async def find_power(
    source: Source,
    artifact: ArtifactInfo,
    references: References,
    cache: Cache,
    executor: Executor,
    allowance: Allowance,
    graph: ArtifactGraph | None = None,
) -> Power:
    """Measure the effect of an error in each weight on the outputs, on the inputs of `references`.

    A migration runs one sample at a time, and the effect of an error on one sample may be small by chance. So several
    samples run together if their results can certainly be joined.
    `graph` is the graph of the artifact if it was already read.
    """
    key = await references.cache_key(artifact, _RECIPE)
    if known := cache.value("power", key, _POWER):
        return known
    layers = await source.layer_names() if artifact.format == "graph" else ()
    signature = (await source.info()).signature
    await source.tensorflow()
    power = await measure_power(
        artifact,
        partial(references.again, MOST_SAMPLES if signature.joins_samples else 1),
        executor=executor,
        allowance=allowance,
        layers=layers,
        fixed=signature.fixed_batch is not None,
        apart=signature.joins_samples,
        graph=graph,
    )
    await asyncio.get_running_loop().run_in_executor(executor, give_back)  # includes the time of the artifact in Python
    return power if power.note else cache.keep("power", key, _POWER, power)
