"""Every engine and kind proves what it is and computes what NumPy computes, in the real browsers of this machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import RuntimeUnavailableError
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.runtimes.launching.command import CommandBrowser
from pycheck.types import Array, ArtifactInfo, RuntimeId

from ..conftest import more
from . import artifacts
from .conftest import Run, ready

pytestmark = pytest.mark.real

HostOf = Callable[[str], BrowserHost]
OTHERS = ("firefox", "webkit")
TOLERANCE = {"webgl-f16": 2e-2}


def commands(host: BrowserHost, run: Run[Any]) -> CommandBrowser:
    """The browser of an engine that was started as a command; another is not what is tested here."""
    browser = run(host.browser("cpu"))
    if not isinstance(browser, CommandBrowser):
        pytest.skip(f"{browser.description} is not started as a command")
    return browser


@pytest.mark.parametrize("format", ["layers", *more("graph")])
@pytest.mark.parametrize("kind", ["cpu", "wasm", "webgl", *more("webgl-f16")])
@pytest.mark.parametrize("engine", OTHERS)
def test_a_kind_of_an_engine_computes_dense_and_relu_as_numpy_does(
    engine: str, kind: str, format: str, run: Run[Any], host_of: HostOf, x: Array, request: pytest.FixtureRequest
) -> None:
    artifact: ArtifactInfo = request.getfixturevalue(format)
    host = host_of(engine)

    async def predict() -> Any:
        async with host.runtime(RuntimeId(engine, kind), ready(artifact)) as runtime:
            outputs = await runtime.predict(dict.fromkeys(artifact.input_names, x))
            return outputs, runtime.environment

    outputs, environment = run(predict())
    (output,) = outputs.values()
    np.testing.assert_allclose(output, artifacts.dense_expected(x), atol=TOLERANCE.get(kind, 1e-5), rtol=0)
    assert environment.backend == kind.removesuffix("-f16")
    assert environment.float_bits == (16 if kind == "webgl-f16" else 32)
    assert environment.denormals in ("kept", "flushed", "partly flushed")
    name = {"firefox": "Firefox", "webkit": "WebKit"}[engine]
    assert environment.platform.startswith(name)
    assert f" {host.version} (" in environment.platform
    assert any(way in environment.platform for way in ("headless", "headed", "under Xvfb"))
    assert any(who in environment.platform for who in ("started by command", "started by Playwright"))
    assert {"firefox": "Firefox/", "webkit": "AppleWebKit/"}[engine] in environment.user_agent
    if kind.startswith("webgl"):
        assert environment.renderer
    if kind == "webgl-f16":
        assert environment.flags_set["WEBGL_FORCE_F16_TEXTURES"] is True
        assert any(note.startswith("float16: rounded ") for note in environment.notes)


@pytest.mark.parametrize("engine", [*more("firefox"), "webkit"])
def test_webgpu_runs_or_is_unavailable_with_what_to_do(
    engine: str, run: Run[Any], host_of: HostOf, graph: ArtifactInfo, x: Array
) -> None:
    async def predict() -> Any:
        async with host_of(engine).runtime(RuntimeId(engine, "webgpu"), ready(graph)) as runtime:
            return (await runtime.predict({"X": x}))["Y"]

    try:
        output = run(predict())
    except RuntimeUnavailableError as error:
        assert error.message.startswith(f"{engine}:webgpu: this browser has ")
        assert "this runtime" in error.advice
    else:
        np.testing.assert_allclose(output, artifacts.dense_expected(x), atol=1e-5)


@pytest.mark.parametrize("engine", OTHERS)
def test_flags_are_in_force_as_in_chromium(engine: str, run: Run[Any], host_of: HostOf) -> None:
    async def flags() -> Any:
        asked = {"WEBGL_PACK": "false", "CPU_HANDOFF_SIZE_THRESHOLD": "0"}
        async with host_of(engine).runtime(RuntimeId(engine, "webgl"), None, flags=asked) as runtime:
            return runtime.environment.flags_set

    found = run(flags())
    assert (found["WEBGL_PACK"], found["CPU_HANDOFF_SIZE_THRESHOLD"]) == (False, 0)


def pids_of(browser: Any) -> tuple[int, ...]:
    """The processes of a browser, without those that they start."""
    return tuple(window.pid for window in browser._windows)


@pytest.mark.exhaustive
@pytest.mark.parametrize("engine", [*more("firefox"), "webkit"])
def test_runtimes_side_by_side_have_processes_of_their_own_which_later_ones_take_over(
    engine: str, run: Run[Any], graph: ArtifactInfo, x: Array
) -> None:
    async def scenario() -> None:
        async with BrowserHost(engine, timeout_s=60) as host:
            browser = await host.browser("cpu")
            if not isinstance(browser, CommandBrowser):
                return

            async def predict(kind: str) -> None:
                async with host.runtime(RuntimeId(engine, kind), ready(graph)) as runtime:
                    output = (await runtime.predict({"X": x}))["Y"]
                np.testing.assert_allclose(output, artifacts.dense_expected(x), atol=1e-5)

            (first,) = pids_of(browser)
            await predict("cpu")
            assert pids_of(browser) == (first,)
            await asyncio.gather(predict("cpu"), predict("webgl"))
            both = pids_of(browser)
            assert len(both) == 2
            assert both[0] == first
            await asyncio.gather(predict("wasm"), predict("webgl"))
            assert pids_of(browser) == both

    try:
        run(scenario())
    except RuntimeUnavailableError as error:
        from .conftest import must_start

        must_start(error)


@pytest.mark.parametrize("engine", OTHERS)
def test_a_page_that_follows_another_in_one_process_is_fresh(
    engine: str, run: Run[Any], host_of: HostOf, graph: ArtifactInfo, x: Array
) -> None:
    async def counts() -> list[int | None]:
        counted = []
        for _ in range(2):
            async with host_of(engine).runtime(RuntimeId(engine, "webgl"), ready(graph)) as runtime:
                await runtime.predict({"X": x})
                counted.append(runtime.tensor_count)
        return counted

    assert run(counts()) == [2, 2]  # the kernel and the bias


@pytest.mark.parametrize("engine", OTHERS)
def test_a_large_batch_comes_back_to_the_bit(engine: str, run: Run[Any], host_of: HostOf, tmp_path: Path) -> None:
    artifact = artifacts.graph_unary(tmp_path, "Identity")
    x = np.arange(3_000_001, dtype=np.float32)
    x[:5] = [np.nan, np.inf, -np.inf, -0.0, 1e-45]

    async def predict() -> Any:
        async with host_of(engine).runtime(RuntimeId(engine, "cpu"), ready(artifact)) as runtime:
            return (await runtime.predict({"X": x}))["Y"]

    assert run(predict()).tobytes() == x.tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("engine", OTHERS)
def test_a_browser_knows_no_way_off_the_machine(engine: str, run: Run[Any], host_of: HostOf) -> None:
    """Everything but the loopback goes to a proxy that is not there; Firefox resolves no names either."""
    from .processes import command_of, descendants, variable_of

    browser = commands(host_of(engine), run)
    assert browser.pid
    if engine == "webkit":
        assert "--proxy=http://127.0.0.1:9 --ignore-host=127.0.0.1" in command_of(browser.pid)
    else:
        preferences = (Path(variable_of(browser.pid, "HOME")).parent / "profile" / "user.js").read_text()
        for name, value in (("proxy.type", "1"), ("proxy.failover_direct", "false"), ("dns.disabled", "true")):
            assert f'user_pref("network.{name}", {value});' in preferences
    assert Path(variable_of(browser.pid, "HOME")) != Path.home()
    inodes = {
        link.readlink().name[8:-1]
        for pid in [browser.pid, *descendants(browser.pid)]
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if str(link.readlink()).startswith("socket:[")
    }
    for table in ("tcp", "udp"):
        rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
        remote = {row[2].partition(":")[0] for row in rows if row[9] in inodes}
        assert remote <= {"0100007F", "00000000"}  # 127.0.0.1, and none
