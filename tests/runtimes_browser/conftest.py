"""One browser for all tests of this folder, and tiny artifacts for it to load."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import numpy as np
import pytest

from pycheck.runtimes.browser import BrowserHost
from pycheck.types import Array, ArtifactInfo

from . import artifacts

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]

#: Enough for SwiftShader on a busy machine; a test that means to time out has a host of its own.
TIMEOUT_S = 60.0


@pytest.fixture(scope="session")
def run() -> Iterator[Run[Any]]:
    """Run a coroutine on the loop that the shared browser lives on."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="session")
def host(run: Run[Any]) -> Iterator[BrowserHost]:
    """A started host, shared: runtimes do not see one another."""
    host = run(BrowserHost(timeout_s=TIMEOUT_S).__aenter__())
    yield host
    run(host.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def layers(tmp_path_factory: pytest.TempPathFactory) -> ArtifactInfo:
    """Dense and relu in layers format."""
    return artifacts.layers_dense(tmp_path_factory.mktemp("layers"))


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> ArtifactInfo:
    """Dense and relu in graph format."""
    return artifacts.graph_dense(tmp_path_factory.mktemp("graph"))


@pytest.fixture(scope="session")
def x() -> Array:
    """Inputs for both; large enough that nothing is forwarded to the CPU kernels."""
    return np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32)


async def ready(artifact: ArtifactInfo) -> ArtifactInfo:
    """An artifact that needs no waiting for."""
    return artifact


@pytest.fixture(scope="session")
def soon() -> Callable[[ArtifactInfo], Awaitable[ArtifactInfo]]:
    """Makes an artifact awaitable."""
    return ready
