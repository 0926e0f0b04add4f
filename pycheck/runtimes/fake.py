"""Replaces a real runtime in tests of judging and reporting: a NumPy function, with faults on demand.

No option, file or environment variable uses it: a test sets `FakeHost` and `FakeReference` in a workbench instead of
browsers and TensorFlow (`Workbench.make_host`, `Workbench.make_source`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from ..artifact import Point
from ..errors import InputError, RuntimeFailedError
from ..protocol import FlagValue
from ..types import AppCode, Array, ArtifactInfo, Environment, RuntimeId, Signature, Tensors
from .base import Runtime
from .browser import proof
from .browser.host import BrowserHost
from .browser.page import BrowserRuntime, PointJob
from .native.artifact import ArtifactRuntime

LIBRARY = "fake 1"

_DTYPES: Mapping[str, type[np.floating[Any]]] = {"float32": np.float32, "float64": np.float64}


@dataclass(frozen=True, slots=True)
class Step:
    """A value within a fake model: computed from inputs of the model and earlier steps, in float64."""

    inputs: tuple[str, ...]
    function: Callable[..., Array]
    op: str = "Dense"


@dataclass(frozen=True, slots=True)
class FakeModel:
    """A model of NumPy functions: steps by name, each after those that it reads; the outputs are steps.

    `weights` are the content of its artifact; the functions need not use them.
    """

    signature: Signature
    steps: Mapping[str, Step]
    weights: Mapping[str, Array] = field(default_factory=dict)

    def run(
        self, feeds: Tensors, fetches: Sequence[str], dtype: type[np.floating[Any]], fault: Fault | None = None
    ) -> dict[str, Array]:
        """Compute steps, each rounded to `dtype`, from `feeds` alone: inputs or steps."""
        values = {name: _rounded(value, dtype) for name, value in feeds.items()}
        for name, step in self.steps.items():
            if name not in values and all(other in values for other in step.inputs):
                exact = (_rounded(values[other], np.float64) for other in step.inputs)
                value = _rounded(np.asarray(step.function(*exact)), dtype)
                values[name] = fault.changed(name, value) if fault else value
        return {name: values[name] for name in fetches}

    def predict(self, inputs: Tensors, dtype: type[np.floating[Any]], fault: Fault | None = None) -> dict[str, Array]:
        """Compute outputs from inputs."""
        return self.run(inputs, [spec.name for spec in self.signature.outputs], dtype, fault)


@dataclass(frozen=True, slots=True)
class Fault:
    """The faults of a fake runtime; by default there are none.

    `change` alters the value of `step`, or of every step. `error` is raised, or with `hangs` the call never returns,
    `at` the start, a prediction, or a run between steps; in predictions only from number `since` of a page on.
    `kept` adds this share of the mean of all outputs since loading to the outputs; `resized` is added once batches had
    two sizes since loading. `seconds_per_sample` is the reported time of a sample.
    """

    change: Callable[[Array], Array] | None = None
    step: str | None = None
    error: BaseException | None = None
    hangs: bool = False
    at: Literal["start", "predict", "run"] = "predict"
    seconds_per_sample: float = 1e-3
    since: int = 1
    kept: float = 0.0
    resized: float = 0.0

    async def meet(self, step: Literal["start", "predict", "run"]) -> None:
        """Fail or hang if this is the step for it."""
        if step == self.at and self.error is not None:
            raise self.error
        if step == self.at and self.hangs:
            await asyncio.Event().wait()

    def changed(self, step: str, value: Array) -> Array:
        """Return the value of a step with the fault."""
        return self.change(value) if self.change and self.step in (None, step) else value


SOUND = Fault()


def drifting(by: float, *, sample: int = 0, step: str | None = None) -> Fault:
    """Make a fault that adds `by` to one sample of a step, or of every step; smaller batches are right."""
    return Fault(lambda value: _with_sample(value, sample, lambda row: row + by), step)


def giving(number: float, *, sample: int = 0, step: str | None = None) -> Fault:
    """Make a fault that sets one sample of a step, or of every step, to this number, such as NaN."""
    return Fault(lambda value: _with_sample(value, sample, lambda row: np.full_like(row, number)), step)


class FakeReference(Runtime):
    """A runtime of Python: float32 or float64."""

    def __init__(self, id: RuntimeId, model: FakeModel | Awaitable[FakeModel], fault: Fault = SOUND) -> None:
        self.id = id
        self.timings_s: dict[str, float] = {}
        self._given = model
        self._fault = fault

    async def start(self) -> None:
        """Wait for the model."""
        await self._fault.meet("start")
        self._model = await self._given if inspect.isawaitable(self._given) else self._given
        bits = 64 if self.id.kind == "float64" else 32
        self.environment = Environment(LIBRARY, platform="NumPy", float_bits=bits, denormals="kept", epsilon=1e-7)

    async def predict(self, inputs: Tensors) -> Tensors:
        """Compute the outputs in this precision."""
        await self._fault.meet("predict")
        self.timings_s["first_predict"] = 0.0
        return self._model.predict(inputs, _DTYPES[self.id.kind], self._fault)

    async def close(self) -> None:
        """Do nothing, because nothing is held."""


class FakeArtifact(ArtifactRuntime):
    """An artifact in Python, whose points are the steps of its model."""

    def __init__(self, id: RuntimeId, model: Awaitable[FakeModel]) -> None:
        self.id = id
        self.timings_s: dict[str, float] = {}
        self._given = model

    async def start(self) -> None:
        """Wait for the model."""
        self._model = await self._given
        self.environment = Environment(LIBRARY, platform="NumPy", float_bits=64 if self.id.kind == "float64" else 32)

    @property
    def points(self) -> tuple[Point, ...]:
        """Return the steps."""
        return tuple(Point(n, step.op, step.inputs, n, f"{n}:0", False) for n, step in self._model.steps.items())

    @property
    def quantized(self) -> frozenset[str]:
        """Return no points."""
        return frozenset()

    @property
    def in_float32(self) -> Mapping[str, tuple[str, ...]]:
        """Return no points."""
        return {}

    @property
    def alone_in_float32(self) -> frozenset[str]:
        """Return no points."""
        return frozenset()

    def point_of(self, output: str) -> str:
        """Return the output, which is a step."""
        return output

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Compute steps."""
        return self._model.run(feeds, fetches, _DTYPES[self.id.kind])

    async def forget_weights(self) -> None:
        """Do nothing, because there are no weights."""

    async def close(self) -> None:
        """Do nothing, because nothing is held."""


class FakeHost(BrowserHost):
    """A fake browser. `model_of` returns the model of an artifact, `faults` are by runtime."""

    def __init__(
        self,
        engine: str,
        *,
        model_of: Callable[[ArtifactInfo], FakeModel],
        faults: Mapping[RuntimeId, Fault],
        **asked: Any,
    ) -> None:
        super().__init__(engine, **asked)
        self.model_of = model_of
        self._faults = faults

    async def __aenter__(self) -> Self:
        self.version = LIBRARY
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Nothing was started."""

    def runtime(
        self,
        id: RuntimeId,
        artifact: Awaitable[ArtifactInfo] | None,
        *,
        flags: Mapping[str, FlagValue] | None = None,
        cpu_kernels: Sequence[str] = (),
        app: Sequence[AppCode] = (),
    ) -> FakePage:
        """Make a runtime of this host, not started."""
        return FakePage(self, id, artifact, flags or {}, cpu_kernels, app, self._faults.get(id, SOUND))


class FakePage(BrowserRuntime):
    """A fake runtime of the browser; its steps are timed, bounded and explained like real ones."""

    def __init__(
        self,
        host: FakeHost,
        id: RuntimeId,
        artifact: Awaitable[ArtifactInfo] | None,
        flags: Mapping[str, FlagValue],
        cpu_kernels: Sequence[str],
        app: Sequence[AppCode],
        fault: Fault,
    ) -> None:
        super().__init__(host, id, artifact, flags, cpu_kernels, app)
        self._fault = fault
        self._dtype = np.float16 if id.kind == "webgl-f16" else np.float32
        self._held: dict[str, Array] = {}
        self._means: dict[str, float] = {}
        self._sizes: set[int] = set()
        self._model_of = host.model_of

    async def start(self) -> None:
        """Wait for the artifact."""
        async with self._step("launch", "waiting for the browser"):
            await self._fault.meet("start")
        self.environment = Environment(
            LIBRARY,
            platform=f"{self.id.engine}, a fake",
            backend=proof.KINDS[self.id.kind][0],
            software_renderer=False,
            float_bits=16 if self.id.kind == "webgl-f16" else 32,
            denormals="kept",
            epsilon=1e-7,
            flags=dict(self._flags),
            flags_set=dict(self._flags),
        )
        self._begun = self.environment, dict(self.timings_s)
        if self._artifact is not None:
            self._model = self._model_of(await asyncio.shield(asyncio.ensure_future(self._artifact)))

    async def load(self, artifact: ArtifactInfo) -> None:
        """Take the model of a different artifact, without the state of the earlier one."""
        self._model = self._model_of(artifact)
        await self.reload()

    async def predict(self, inputs: Tensors, *, samples: int = 1, timed: bool = True) -> Tensors:
        """Compute the outputs in the precision of this kind."""
        self._predictions += 1
        fault = self._fault if self._predictions >= self._fault.since else SOUND
        async with self._step("predict", "predicting"):
            wire = dict(self._convert(spec.name, spec.name, inputs) for spec in self._model.signature.inputs)
            await fault.meet("predict")
            outputs = self._model.predict(wire, self._dtype, fault)
        self._sizes.add(samples)
        if self._fault.resized and len(self._sizes) > 1:
            outputs = {name: value + np.float32(self._fault.resized) for name, value in outputs.items()}
        if self._fault.kept:
            for name, value in outputs.items():
                before = self._means.get(name, 0.0)
                self._means[name] = before + float(np.abs(value).mean())
                outputs[name] = value + np.float32(self._fault.kept * before)
        self.timings_s.setdefault("first_predict", 0.0)
        self.timings_s["per_sample"] = self._fault.seconds_per_sample
        return {name: _rounded(value, np.float32) for name, value in outputs.items()}

    async def run_jobs(
        self, feeds: Mapping[str, Array], jobs: Sequence[PointJob]
    ) -> list[dict[str, Array] | RuntimeFailedError | InputError]:
        """Run jobs between steps, each only from its own inputs."""
        async with self._step("predict", "running operations"):
            await self._fault.meet("run")
            return [self._run({name: feeds[name] for name in fed}, fetches) for fed, fetches in jobs]

    async def hold(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> None:
        """Run once, and keep the values for `take`."""
        async with self._step("predict", "running the model"):
            await self._fault.meet("run")
            self._held = self._run(feeds, fetches)

    async def take(self, names: Sequence[str]) -> dict[str, Array]:
        """Return values that were kept."""
        return {name: self._held.pop(name) for name in names}

    def _run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        values = self._model.run(feeds, fetches, self._dtype, self._fault)
        return {name: _rounded(value, np.float32) for name, value in values.items()}

    async def reload(self) -> None:
        """Drop the state of earlier predictions."""
        self._means = {}
        self._sizes = set()

    @property
    def is_alive(self) -> bool:
        """Return True, because it cannot crash."""
        return True

    async def close(self) -> None:
        """Drop the artifact, which may not have been awaited."""
        if inspect.iscoroutine(self._artifact):
            self._artifact.close()


def _rounded(value: Array, dtype: type[np.floating[Any]]) -> Array:
    return value.astype(dtype) if value.dtype.kind == "f" else value


def _with_sample(value: Array, sample: int, change: Callable[[Array], Array]) -> Array:
    copy = value.copy()
    copy[sample : sample + 1] = change(copy[sample : sample + 1])
    return copy
