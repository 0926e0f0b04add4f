"""Stands for a real runtime in tests of what judges and reports a run: a NumPy function, and faults on demand.

No option, file or environment variable leads here: a test puts `FakeHost` where a workbench has its browsers, and
`FakeReference` where it has TensorFlow (`Workbench.make_host`, `Workbench.make_source`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from ..protocol import FlagValue
from ..types import Array, ArtifactInfo, Environment, RuntimeId, Signature, Tensors
from .base import Runtime
from .browser import proof
from .browser.host import BrowserHost
from .browser.page import BrowserRuntime

LIBRARY = "fake 1"


@dataclass(frozen=True, slots=True)
class FakeModel:
    """A model as a NumPy function: outputs by name for inputs by name, floating-point ones in the precision asked for.

    `weights` are what its artifact holds; the function need not use them.
    """

    signature: Signature
    function: Callable[[Tensors], Tensors]
    weights: Mapping[str, Array] = field(default_factory=dict)

    def __call__(self, inputs: Tensors, dtype: type[np.floating[Any]]) -> dict[str, Array]:
        """What it gives where all is computed in `dtype`; roundoff of float64 in between does not show."""
        exact = {name: value.astype(np.float64) if value.dtype.kind == "f" else value for name, value in inputs.items()}
        return {name: _rounded(np.asarray(value), dtype) for name, value in self.function(exact).items()}


@dataclass(frozen=True, slots=True)
class Fault:
    """How a fake runtime misbehaves; by default it does not.

    `change` alters an output, by its name. `error` is raised, or with `hangs` nothing ever comes, `at` the start or a
    prediction. `seconds_per_sample` is what it says that a sample took.
    """

    change: Callable[[str, Array], Array] | None = None
    error: BaseException | None = None
    hangs: bool = False
    at: Literal["start", "predict"] = "predict"
    seconds_per_sample: float = 1e-3

    async def meet(self, step: Literal["start", "predict"]) -> None:
        """Fail or hang, if this is the step for it."""
        if step == self.at and self.error is not None:
            raise self.error
        if step == self.at and self.hangs:
            await asyncio.Event().wait()

    def changed(self, outputs: Tensors) -> dict[str, Array]:
        """The outputs as they come out."""
        return {name: self.change(name, value) if self.change else value for name, value in outputs.items()}


SOUND = Fault()


def drifting(by: float, *, sample: int = 0) -> Fault:
    """A fault that adds `by` to one sample of every output."""
    return Fault(lambda _, value: _with_sample(value, sample, value[sample] + by))


def giving(number: float, *, sample: int = 0) -> Fault:
    """A fault that makes one sample of every output this number, such as NaN."""
    return Fault(lambda _, value: _with_sample(value, sample, np.full_like(value[sample], number)))


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
        """What the model gives in this precision."""
        await self._fault.meet("predict")
        self.timings_s["first_predict"] = 0.0
        return self._fault.changed(self._model(inputs, np.float64 if self.id.kind == "float64" else np.float32))

    async def close(self) -> None:
        """Nothing is held."""


class FakeHost(BrowserHost):
    """A browser that is none. `model_of` is the model that an artifact was made from, `faults` are by runtime."""

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

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Nothing was started."""

    def runtime(
        self,
        id: RuntimeId,
        artifact: Awaitable[ArtifactInfo] | None,
        *,
        flags: Mapping[str, FlagValue] | None = None,
        cpu_kernels: Sequence[str] = (),
    ) -> FakePage:
        """A runtime of this host, not started."""
        return FakePage(self, id, artifact, flags or {}, cpu_kernels, self._faults.get(id, SOUND))


class FakePage(BrowserRuntime):
    """A runtime of the browser; its steps are timed, bounded and explained as a real one's."""

    def __init__(
        self,
        host: FakeHost,
        id: RuntimeId,
        artifact: Awaitable[ArtifactInfo] | None,
        flags: Mapping[str, FlagValue],
        cpu_kernels: Sequence[str],
        fault: Fault,
    ) -> None:
        super().__init__(host, id, artifact, flags, cpu_kernels)
        self._fault = fault
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
        if self._artifact is not None:
            self._model = self._model_of(await asyncio.shield(asyncio.ensure_future(self._artifact)))

    async def predict(self, inputs: Tensors, *, samples: int = 1) -> Tensors:
        """What the model gives in the precision of this kind."""
        async with self._step("predict", "predicting"):
            wire = dict(self._convert(spec.name, spec.name, inputs) for spec in self._model.signature.inputs)
            await self._fault.meet("predict")
            outputs = self._model(wire, np.float16 if self.id.kind == "webgl-f16" else np.float32)
        self.timings_s.setdefault("first_predict", 0.0)
        self.timings_s["per_sample"] = self._fault.seconds_per_sample
        return self._fault.changed({name: _rounded(value, np.float32) for name, value in outputs.items()})

    @property
    def is_alive(self) -> bool:
        """It cannot crash."""
        return True

    async def close(self) -> None:
        """Forget the artifact, which may not have been waited for."""
        if inspect.iscoroutine(self._artifact):
            self._artifact.close()


def _rounded(value: Array, dtype: type[np.floating[Any]]) -> Array:
    return value.astype(dtype) if value.dtype.kind == "f" else value


def _with_sample(value: Array, sample: int, row: Array) -> Array:
    copy = value.copy()
    copy[sample] = row
    return copy
