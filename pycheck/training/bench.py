"""Runs trainings in parallel, in chunks of steps: Python in its thread, every page in its browser."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..errors import NoKernelError, RuntimeFailedError
from ..runtimes.base import status_of
from ..runtimes.browser.host import BrowserHost
from ..runtimes.browser.training import ACTIVATION_ELEMENTS, PageStep, PageTrainer, seen
from ..types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    Array,
    GradientComparison,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    TrainingCurves,
    TrainingVariable,
)
from .curvature import Snapshot, preconditioner
from .keras_models import require_scales
from .measure import CurveBuilder, Floor, Observed
from .native import Step, joined
from .roundoff import with_roundoff
from .setup import Ready, Setup, page_recipe, pair, prepare
from .sums import summation_errors

T = TypeVar("T")

Observer = Callable[[str, str, int, int], None]
GetHost = Callable[[str], Awaitable[BrowserHost]]

#: The approximate number of elements that a page sends at a time.
_CHUNK_ELEMENTS = 1 << 20
_LONGEST_CHUNK = 50
#: The most elements, of all runtimes and steps, that are kept to explain differences.
_MOST_KEPT = 1 << 26


@dataclass(frozen=True, slots=True)
class Outcome:
    """The measured result of one training. `snapshots` are states of native:float64, by step.

    `before_failure` are the weights of native:float32 before its first step that was not finite. `trajectories` are
    all observed steps of each runtime, to explain differences with; empty if they are too large to keep. `notes` name
    the runtimes that were left out, with the reason. `moved` are trainings of float32 with moved weights, if there are
    some (roundoff.py).
    """

    ready: Ready
    variables: tuple[TrainingVariable, ...]
    curves: tuple[TrainingCurves, ...]
    gradients: tuple[GradientComparison, ...]
    records: tuple[RuntimeRecord, ...]
    floor: Floor
    snapshots: Mapping[int, Snapshot]
    before_failure: tuple[Array, ...] | None
    trajectories: Mapping[RuntimeId, tuple[Observed, ...]]
    epsilons: Mapping[RuntimeId, float]
    notes: tuple[str, ...] = ()
    moved: tuple[Sequence[Observed], ...] = ()

    def of(self, runtime: RuntimeId) -> TrainingCurves | None:
        """Return the curves of one runtime."""
        return next((curves for curves in self.curves if curves.runtime == runtime), None)


class Bench:
    """The pages of some runtimes, opened once, in which one training runs after another.

    With `may_leave_out`, a runtime whose backend lacks a kernel for this training does not fail. It is left out with a
    note, as long as a different runtime trains.
    """

    def __init__(
        self,
        runtimes: tuple[RuntimeId, ...],
        get_host: GetHost,
        flags: Mapping[str, str],
        executor: Executor,
        observe: Observer,
        *,
        may_leave_out: bool = False,
    ) -> None:
        self._runtimes = runtimes
        self._may_leave_out = may_leave_out
        self._get_host = get_host
        self._flags = flags
        self._executor = executor
        self._observe = observe
        self._stack = AsyncExitStack()
        self._pages: dict[RuntimeId, PageTrainer] = {}
        self._failed: dict[RuntimeId, RuntimeRecord] = {}
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pycheck-training-")))
        self._count = 0

    async def close(self) -> None:
        """Close the pages."""
        await self._stack.aclose()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run work that uses TensorFlow in its one thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def train(self, setup: Setup, *, alone: bool = False) -> Outcome:
        """Run one training; the records have the error of a page that fails.

        UsageError if the model cannot be trained in TF.js. With `alone`, only Python trains.
        """
        self._count += 1
        folder = self._folder / str(self._count)
        ready = await self.in_thread(lambda: prepare(setup, folder))
        runtimes = () if alone else self._runtimes
        if runtimes:
            require_scales(ready.single.model)
        outcome = await _Race(self, ready, runtimes).run()
        return await self.in_thread(lambda: with_roundoff(outcome))

    async def page(self, runtime: RuntimeId, ready: Ready) -> PageTrainer:
        """Return the page of a runtime with this training's artifact loaded; the first call opens the page."""
        trainer = self._pages.get(runtime)
        if trainer is None:
            host = await self._get_host(runtime.engine)
            opened = host.runtime(runtime, None, flags=dict(self._flags))
            trainer = PageTrainer(opened)
            await self._stack.enter_async_context(opened)
            self._pages[runtime] = trainer
        await trainer.runtime.load(ready.artifact)
        return trainer

    def leave_out(self, missing: Mapping[RuntimeId, str]) -> tuple[str, ...]:
        """Leave out runtimes that lack a kernel from now on; return notes for the report.

        `missing` has their messages.
        """
        left = tuple(runtime for runtime in self._runtimes if runtime not in missing)
        if not (self._may_leave_out and missing and left):
            return ()
        self._runtimes = left
        reasons = {
            runtime: message.removeprefix(f"{runtime}: ").replace("this model", "training this model")
            for runtime, message in missing.items()
        }
        return tuple(
            f"{runtime} is skipped: {reason.removesuffix('.')}; add --runtime {runtime} to include it"
            for runtime, reason in reasons.items()
        )

    def note(self, runtime: RuntimeId, doing: str, done: int, total: int) -> None:
        """Report progress to the observer."""
        self._observe(str(runtime), doing, done, total)


class _Race:
    """One training on all runtimes."""

    def __init__(self, bench: Bench, ready: Ready, runtimes: tuple[RuntimeId, ...]) -> None:
        self._bench = bench
        self._ready = ready
        self._runtimes = runtimes
        self._steps = ready.setup.recipe.steps
        self._floor = Floor()
        self._single = CurveBuilder(NATIVE_FLOAT32, ready.variables)
        self._double = CurveBuilder(NATIVE_FLOAT64, ready.variables)
        self._pages: dict[RuntimeId, _Lane] = {}
        self._records: dict[RuntimeId, RuntimeRecord] = {}
        self._missing: dict[RuntimeId, str] = {}  # the message of each runtime that lacks a kernel
        self._snapshots: dict[int, Snapshot] = {}
        self._before_failure: tuple[Array, ...] | None = None
        self._previous = ready.single.weights
        self._bad = False
        size = 2 * sum(seen(value).size for value in self._previous) * self._steps * (len(runtimes) + 3)
        self._keeps = size <= _MOST_KEPT
        self._kept: dict[RuntimeId, list[Observed]] = {NATIVE_FLOAT32: [], NATIVE_FLOAT64: []}

    async def run(self) -> Outcome:
        ready = self._ready
        self._floor = Floor(
            await self._bench.in_thread(lambda: summation_errors(ready.single, *ready.setup.plan.batch(0)))
        )
        await asyncio.gather(*(self._open(runtime) for runtime in self._runtimes))
        variables = tuple(
            replace(v, compared=all(lane.pairs[i] is not None for lane in self._pages.values()))
            for i, v in enumerate(self._ready.variables)
        )
        done = 0
        while done < self._steps:
            count = min(self._chunk(), self._steps - done)
            advancing = asyncio.gather(*(self._advance(lane, done, count) for lane in self._lanes()))
            native = await self._bench.in_thread(partial(self._native, done, count))
            await advancing
            for index, (single, double) in enumerate(native):
                self._floor.add(single, double)
                self._single.add(single, double, self._floor)
                self._double.add(double, double, self._floor)
                for lane in self._lanes():
                    lane.curves.add(lane.steps[index], double, self._floor)
            if self._keeps:
                self._kept[NATIVE_FLOAT32] += [_without_results(single) for single, _ in native]
                self._kept[NATIVE_FLOAT64] += [_without_results(double) for _, double in native]
                for lane in self._lanes():
                    self._kept.setdefault(lane.runtime, []).extend(map(_without_results, lane.steps))
            done += count
        notes = self._bench.leave_out(self._missing)
        runtimes = [runtime for runtime in self._runtimes if not (notes and runtime in self._missing)]
        lanes = [self._pages[runtime] for runtime in runtimes if runtime in self._pages]
        builders = (self._single, self._double, *(lane.curves for lane in lanes))
        return Outcome(
            self._ready,
            variables,
            tuple(builder.curves() for builder in builders),
            tuple(row for builder in builders for row in builder.gradients),
            tuple(self._records[r] if r in self._records else self._pages[r].record() for r in runtimes),
            self._floor,
            self._snapshots,
            self._before_failure,
            {runtime: tuple(steps) for runtime, steps in self._kept.items()} if self._keeps else {},
            {lane.runtime: lane.epsilon for lane in lanes},
            notes,
        )

    def _lanes(self) -> list[_Lane]:
        return [lane for lane in self._pages.values() if lane.runtime not in self._records]

    def _chunk(self) -> int:
        per_step = 2 * sum(seen(value).size for value in self._previous) + ACTIVATION_ELEMENTS // 4
        return max(1, min(_LONGEST_CHUNK, _CHUNK_ELEMENTS // per_step))

    def _native(self, first: int, count: int) -> list[tuple[Observed, Observed]]:
        """Train a few steps in both precisions, and keep snapshots of some."""
        results = []
        plan, single, double = self._ready.setup.plan, self._ready.single, self._ready.double
        for step in range(first, first + count):
            batch, kept = plan.batch(step), step & (step - 1) == 0
            before = double.weights if kept else ()
            one, two = single.step(*batch), double.step(*batch)
            if kept:
                self._snapshots[step] = Snapshot(before, preconditioner(double, self._ready.setup.recipe.optimizer))
            if not self._bad and not _is_finite(one):
                self._bad, self._before_failure = True, self._previous
            self._previous = one.weights
            results.append((_observed(one), _observed(two)))
            self._bench.note(NATIVE_FLOAT32, "training", step + 1, self._steps)
        return results

    async def _open(self, runtime: RuntimeId) -> None:
        self._bench.note(runtime, "starting", 0, self._steps)
        try:
            trainer = await self._bench.page(runtime, self._ready)
            await self._compile(runtime, trainer)
        except RuntimeFailedError as error:
            self._fail(runtime, error)

    async def _compile(self, runtime: RuntimeId, trainer: PageTrainer) -> None:
        ready = self._ready
        plan, artifact = ready.setup.plan, ready.artifact
        inputs = {artifact.input_names[name]: value for name, value in plan.inputs.items()}
        inputs = {name: inputs[name] for name in artifact.inputs}
        # TF.js's sparse loss computes the floor of the class numbers, for which it has no int32 kernel.
        by_name = {artifact.output_names[name]: value.astype(np.float32) for name, value in plan.targets.items()}
        targets = {name: by_name[name] for name in artifact.outputs}
        await trainer.compile(page_recipe(ready, {}), inputs, targets)
        pairs = pair(ready.variables, self._previous, trainer.variables)
        names = {
            v.name: trainer.variables[i].name for v, i in zip(ready.variables, pairs, strict=True) if i is not None
        }
        recipe = page_recipe(ready, names)
        if recipe.frozen or recipe.penalties:
            await trainer.compile(recipe, inputs, targets)
            pairs = pair(ready.variables, self._previous, trainer.variables)
        environment = trainer.runtime.environment
        half = runtime.kind == "webgl-f16" or environment.float_bits == 16
        curves = CurveBuilder(runtime, ready.variables, half=half)
        self._pages[runtime] = _Lane(runtime, trainer, pairs, curves, environment.epsilon or 1e-7)

    async def _advance(self, lane: _Lane, first: int, count: int) -> None:
        trainable = sum(v.trainable for v in self._ready.variables)
        try:
            steps = await lane.trainer.steps(first, count)
        except RuntimeFailedError as error:
            self._fail(lane.runtime, error)
            return
        lane.steps = [lane.observed(step, trainable) for step in steps]
        self._bench.note(lane.runtime, "training", first + count, self._steps)

    def _fail(self, runtime: RuntimeId, error: RuntimeFailedError) -> None:
        status = status_of(error)
        if isinstance(error, NoKernelError):
            self._missing[runtime] = error.message
        lane = self._pages.get(runtime)
        environment = lane.trainer.runtime.environment if lane else None
        timings = dict(lane.trainer.runtime.timings_s) if lane else {}
        self._records[runtime] = RuntimeRecord(runtime, status, environment, timings, str(error))
        self._bench.note(runtime, status.value, 0, self._steps)


class _Lane:
    """One page during one training."""

    def __init__(
        self,
        runtime: RuntimeId,
        trainer: PageTrainer,
        pairs: tuple[int | None, ...],
        curves: CurveBuilder,
        epsilon: float,
    ) -> None:
        self.runtime = runtime
        self.trainer = trainer
        self.pairs = pairs
        self.curves = curves
        self.epsilon = epsilon
        self.steps: list[Observed] = []

    def observed(self, step: PageStep, trainable: int) -> Observed:
        """Convert a step of the page to the order of the model's variables."""
        gradients_at = {i: n for n, i in enumerate(i for i, v in enumerate(self.trainer.variables) if v.trainable)}
        counts: dict[str, int] = {}
        for layer, values in step.activations:
            counts[layer] = counts.get(layer, 0) + int(values.size - np.count_nonzero(np.isfinite(values)))
        return Observed(
            step.loss,
            tuple(
                step.gradients[gradients_at[i]] if i is not None and i in gradients_at else None
                for i in self.pairs[:trainable]
            ),
            tuple(None if i is None else step.weights[i] for i in self.pairs),
            counts or None,
            joined([layer for layer, _ in step.activations], [values for _, values in step.activations]),
        )

    def record(self) -> RuntimeRecord:
        runtime = self.trainer.runtime
        return RuntimeRecord(self.runtime, RuntimeStatus.OK, runtime.environment, dict(runtime.timings_s))


def _observed(step: Step) -> Observed:
    looked_at = sum(value.size for value in step.results.values()) <= ACTIVATION_ELEMENTS
    return Observed(
        step.loss,
        tuple(map(seen, step.gradients)),
        tuple(map(seen, step.weights)),
        step.activations,
        step.results if looked_at else {},
    )


def _without_results(step: Observed) -> Observed:
    return replace(step, results={})


def _is_finite(step: Step) -> bool:
    parts = (np.asarray(step.loss), *step.gradients, *step.weights)
    return not any(step.activations.values()) and all(bool(np.isfinite(part).all()) for part in parts)
