"""Returns the power of a comparison on these inputs: from the cache, else measured now."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from ..artifact import ArtifactGraph
from ..power import MOST_SAMPLES, Allowance, measure_power
from ..system.cache import Cache, content_key
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
    key = await references.cache_key()
    if key:
        topology = await asyncio.to_thread((artifact.folder / artifact.model_file).read_bytes)
        key = content_key(key, _RECIPE, hashlib.sha256(topology).hexdigest(), artifact.weights_sha256)
        if known := cache.read("power", key, _stored):
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
    if key and not power.note:
        pending = cache.reserve("power", key)
        (pending.folder / "power.json").write_bytes(_POWER.dump_json(power))
        pending.publish()
    return power


def _stored(entry: Path) -> Power:
    return _POWER.validate_json((entry / "power.json").read_bytes())
