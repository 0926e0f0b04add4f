"""Starts the artifact in Python, the reference of a trace."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ..errors import ArtifactFileError, PycheckError, RuntimeFailedError
from ..runtimes.native.artifact import ArtifactRuntime
from ..runtimes.native.litert_points import LitertPoints


@dataclass(frozen=True, slots=True)
class TraceReferences:
    """The artifact in Python, started. If `double` is None, `failure` says why artifact:float64 cannot run.

    A .tflite file has no float64, and no failure.

    `executor` is TensorFlow's one thread.
    """

    single: ArtifactRuntime | LitertPoints
    double: ArtifactRuntime | None
    failure: PycheckError | None
    executor: Executor


async def start_references(
    single: ArtifactRuntime, beside: ArtifactRuntime, *, executor: Executor, stack: AsyncExitStack
) -> TraceReferences:
    """Start artifact:float64 beside `single`; `stack` closes it. The graph that `single` read is freed."""
    double, failure = None, None
    try:
        double = await stack.enter_async_context(beside)
        await double.forget_weights()
    except (RuntimeFailedError, ArtifactFileError) as error:
        double, failure = None, error
    await single.forget_weights()
    return TraceReferences(single, double, failure, executor)
