"""One browser for all tests of this folder, and tiny artifacts for it to load."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
import pytest

from pycheck.errors import RuntimeUnavailableError
from pycheck.runtimes.browser.host import BrowserHost
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


def must_start(error: RuntimeUnavailableError) -> NoReturn:
    """What a machine lacks is skipped on a developer's, and is a failure where others rely on the outcome."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"unavailable: {error}")
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def host_of(run: Run[Any], host: BrowserHost) -> Iterator[Callable[[str], BrowserHost]]:
    """The shared host of an engine, started when first asked for."""
    started = {"chromium": host}

    def host_of(engine: str) -> BrowserHost:
        if engine not in started:
            try:
                started[engine] = run(BrowserHost(engine, timeout_s=TIMEOUT_S).__aenter__())
            except RuntimeUnavailableError as error:
                must_start(error)
        return started[engine]

    yield host_of
    for engine, other in started.items():
        if engine != "chromium":
            run(other.__aexit__(None, None, None))


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go during one test, for this process and those that it starts."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


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
