"""The artifact in Python, started for a trace: what everything is measured against."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ..errors import ArtifactFileError, PycheckError, RuntimeFailedError
from ..runtimes.artifact import ArtifactRuntime
from ..types import ArtifactInfo
from .measuring import ARTIFACT_FLOAT32, ARTIFACT_FLOAT64


@dataclass(frozen=True, slots=True)
class TraceReferences:
    """The artifact in Python, started. Where `double` is None, `failure` says why artifact:float64 cannot run.

    `executor` is TensorFlow's one thread.
    """

    single: ArtifactRuntime
    double: ArtifactRuntime | None
    failure: PycheckError | None
    executor: Executor


async def start_references(
    artifact: ArtifactInfo, *, layers: Collection[str], executor: Executor, stack: AsyncExitStack
) -> TraceReferences:
    """Start both, to be closed with the stack; only artifact:float32 must run.

    ArtifactFileError and RuntimeFailedError when it does not.
    """
    single = await stack.enter_async_context(
        ArtifactRuntime(ARTIFACT_FLOAT32, artifact, executor=executor, layers=layers)
    )
    try:
        double = await stack.enter_async_context(
            ArtifactRuntime(ARTIFACT_FLOAT64, artifact, executor=executor, like=single)
        )
    except (RuntimeFailedError, ArtifactFileError) as failure:
        return TraceReferences(single, None, failure, executor)
    return TraceReferences(single, double, None, executor)
