"""Runs the artifact in Python with a fault in one weight after the other, in steps that stop when the time is used up.

A fault multiplies all elements of one weight tensor by 1.01. If running the artifact once for each weight takes too
long, random projections come first: for random signs r and an output y, one backward pass gives ``<r, dy/dw . w>`` for
every weight w at once. The mean of its square over r is the squared norm of the first-order change of y (M. F.
Hutchinson, A stochastic estimator of the trace of the influence matrix, 1989). The remaining time then goes to running
the artifact with a fault in those weights that have the smallest estimates, because large ones exceed any limit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..types import ArtifactInfo, Batch, Power
from .contradiction import Contradiction, reason_of
from .meter import FAULT, Meter
from .portions import parts

if TYPE_CHECKING:
    from ..artifact.executable import ArtifactGraph

#: The smallest time in seconds, so that small models are measured completely.
_ALWAYS_S = 0.3

#: The smallest number of projections of each output.
_LEAST_ROUNDS = 2

Step = Callable[[Callable[[], Any]], Awaitable[Any]]


async def measure_power(
    artifact: ArtifactInfo,
    batches: Callable[[], Iterable[Batch]],
    *,
    executor: Executor,
    allowance: Allowance,
    layers: Collection[str] = (),
    fixed: bool = False,
    apart: bool = False,
    graph: ArtifactGraph | None = None,
) -> Power:
    """Measure the effect of a fault in each weight of the artifact on the outputs, on a few samples of the first batch.

    `batches` starts the inputs from the beginning. All batches are used to find the rows of tables that are selected,
    and as many as there is time for to find the channels of a ReLU that are reached. `fixed` says that the model takes
    only whole batches, `apart` that the results of separate samples can be joined. `graph` is the artifact's graph if
    it was already read. If Python cannot run the artifact, the result has a note.
    """

    async def step(work: Callable[[], Any]) -> Any:
        def timed() -> tuple[Any, float]:
            begin = time.perf_counter()
            return work(), time.perf_counter() - begin

        result, seconds = await asyncio.get_running_loop().run_in_executor(executor, timed)
        allowance.use(seconds)
        return result

    first = next(iter(batches()))
    try:
        meter: Meter = await step(lambda: Meter(artifact, first, layers, fixed=fixed, apart=apart, graph=graph))
        try:
            await _select_rows(meter, batches, step, allowance)
            await _watch_channels(meter, batches, step, allowance, fixed=fixed)
            await _perturb(meter, step, allowance)
        finally:
            await step(meter.close)
    except Exception as error:  # TensorFlow may raise any error for an artifact written for TF.js
        contradicts = isinstance(error, Contradiction)
        reason = reason_of(error.__cause__ if contradicts and isinstance(error.__cause__, Exception) else error)
        failure = reason if contradicts else ""
        return Power(FAULT, 0, (), note=f"Not measured: {reason}", failure=failure, seconds=allowance.used_s)
    return replace(meter.power(), seconds=allowance.used_s)


async def _select_rows(meter: Meter, batches: Callable[[], Iterable[Batch]], step: Step, allowance: Allowance) -> None:
    for batch in batches() if meter.has_tables else ():
        if batch.start and allowance.left_s <= 0.0:
            return
        await step(partial(meter.select_rows, batch))


async def _watch_channels(
    meter: Meter, batches: Callable[[], Iterable[Batch]], step: Step, allowance: Allowance, *, fixed: bool
) -> None:
    """Observe the channels of at least the first samples, for at most half of the time left.

    With few samples, a channel may be 0 by chance.
    """
    begin_s, most_s = allowance.used_s, max(allowance.left_s / 2, _ALWAYS_S)
    for batch in batches() if meter.has_channels else ():
        for tensors, end in parts(batch, fixed=fixed, most=meter.at_once):
            await step(partial(meter.watch_channels, tensors, end))
            if allowance.used_s - begin_s > most_s:
                return


async def _perturb(meter: Meter, step: Step, allowance: Allowance) -> None:
    if meter.cost_s > max(allowance.left_s, _ALWAYS_S):
        for number, calls in enumerate(await step(meter.start_projecting)):
            if number >= _LEAST_ROUNDS and not await allowance.granted():
                break
            for project in calls:
                await step(project)
        await step(meter.estimate)
    begin_s = allowance.used_s
    while meter.has_pending and (allowance.used_s - begin_s < _ALWAYS_S or await allowance.granted()):
        await step(meter.perturb_some)


#: The share of the time since the comparison began.
SHARE = 0.25
_PAUSE_S = 0.02


class Allowance:
    """A budget of time: a share of the time since `began_at`, which grows while browsers run."""

    def __init__(self, began_at: float, is_running: Callable[[], bool], *, share: float = SHARE) -> None:
        self._began_at = began_at
        self._is_running = is_running
        self._share = share
        self.used_s = 0.0

    @property
    def left_s(self) -> float:
        """Return the seconds that are left; negative after a step that took too long."""
        return self._share * (time.perf_counter() - self._began_at) - self.used_s

    def use(self, seconds: float) -> None:
        """Count the time of a step."""
        self.used_s += seconds

    async def granted(self) -> bool:
        """Wait until there is time for a step; return False if the browsers finish before that."""
        while self.left_s <= 0.0:
            if not self._is_running():
                return False
            await asyncio.sleep(_PAUSE_S)
        return True
