"""Defines the interface of all runtimes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

from ..errors import PycheckError, RuntimeTimeoutError, RuntimeUnavailableError
from ..types import Environment, RuntimeId, RuntimeStatus, Tensors


class Runtime(ABC):
    """A runtime that executes one model, as an asynchronous context manager.

    Entering starts it, loads the model and checks its environment (`environment`); leaving ends it and everything it
    started. Errors are RuntimeFailedError and its subclasses. `predict` must not be called concurrently. `timings_s`
    has the seconds of each step.
    """

    id: RuntimeId
    environment: Environment
    timings_s: Mapping[str, float]

    @abstractmethod
    async def start(self) -> None:
        """Start, load the model, and set `environment`."""

    @abstractmethod
    async def predict(self, inputs: Tensors) -> Tensors:
        """Compute outputs from inputs, both by the model's names."""

    @abstractmethod
    async def close(self) -> None:
        """End the runtime; safe to call at any time and more than once."""

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


def status_of(error: PycheckError) -> RuntimeStatus:
    """Return the status of a runtime that ended with this error."""
    if isinstance(error, RuntimeUnavailableError):
        return RuntimeStatus.UNAVAILABLE
    return RuntimeStatus.TIMED_OUT if isinstance(error, RuntimeTimeoutError) else RuntimeStatus.FAILED
