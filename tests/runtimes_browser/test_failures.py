"""What is told, and how soon, when a page, its GPU or its browser breaks; and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import (
    ArtifactFileError,
    ConversionError,
    InputsFileError,
    NoKernelError,
    PycheckError,
    RuntimeFailedError,
    RuntimeTimeoutError,
    RuntimeUnavailableError,
    UsageError,
)
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.runtimes.browser.page import BrowserRuntime
from pycheck.types import Array, ArtifactInfo, RuntimeId

from ..conftest import more
from . import artifacts
from .conftest import Run, ready
from .processes import nothing_left

pytestmark = pytest.mark.real

WEBGL = RuntimeId("chromium", "webgl")
CPU = RuntimeId("chromium", "cpu")
#: Below the 30 s after which a step is given up, and long for a busy machine.
AT_ONCE_S = 25.0


async def processes(host: BrowserHost, kind: str = "cpu") -> dict[str, list[int]]:
    """Process ids of the browser that runs a kind, by what they are."""
    session = await (await host.browser(kind)).handle.new_browser_cdp_session()
    found: dict[str, list[int]] = {}
    for process in (await session.send("SystemInfo.getProcessInfo"))["processInfo"]:
        found.setdefault(process["type"], []).append(process["id"])
    await session.detach()
    return found


async def page_of(host: BrowserHost, runtime: BrowserRuntime) -> Any:
    """The Playwright page of a runtime."""
    browser = await host.browser(runtime.id.kind)
    pages = [page for context in browser.handle.contexts for page in context.pages]
    return next(page for page in pages if page.url == runtime._session.url)


async def fails_while_predicting(
    host: BrowserHost, id: RuntimeId, artifact: ArtifactInfo, x: Array, harm: Callable[[Any], Coroutine[Any, Any, Any]]
) -> tuple[PycheckError, float]:
    """Start a runtime, do it harm, and predict; what was said and how long it took."""
    async with host.runtime(id, ready(artifact)) as runtime:
        await runtime.predict({"X": x})
        await harm(runtime)
        started = time.monotonic()
        with pytest.raises(PycheckError) as caught:
            for _ in range(20):
                await runtime.predict({"X": x})
                await asyncio.sleep(0.1)
        return caught.value, time.monotonic() - started


@asynccontextmanager
async def own_host(**options: Any) -> AsyncIterator[BrowserHost]:
    async with BrowserHost(**{"timeout_s": 30.0, **options}) as host:
        yield host


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for a browser's own files; a short one, since Chromium keeps a socket there (108 bytes on Linux)."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_renderer_that_is_killed_is_told_at_once_and_the_next_runtime_works(
    run: Run[Any], graph: ArtifactInfo, x: Array
) -> None:
    async def scenario() -> tuple[Any, float]:
        async with own_host() as host:

            async def kill(_: Any) -> None:
                for pid in (await processes(host))["renderer"]:
                    os.kill(pid, signal.SIGKILL)

            told = await fails_while_predicting(host, CPU, graph, x, kill)
            async with host.runtime(CPU, ready(graph)) as runtime:
                np.testing.assert_allclose(
                    (await runtime.predict({"X": x}))["Y"], artifacts.dense_expected(x), atol=1e-5
                )
            return told

    error, took_s = run(scenario())
    assert type(error) is RuntimeFailedError
    assert error.message == "chromium:cpu: The page crashed."
    assert "--batch-size" in error.advice
    assert took_s < AT_ONCE_S


def test_a_browser_that_is_killed_is_told_at_once_and_the_next_runtime_has_a_new_one(
    run: Run[Any], graph: ArtifactInfo, x: Array
) -> None:
    async def scenario() -> tuple[Any, float]:
        async with own_host() as host:

            async def kill(_: Any) -> None:
                os.kill((await host.browser("cpu")).pid or 0, signal.SIGKILL)

            told = await fails_while_predicting(host, CPU, graph, x, kill)
            async with host.runtime(CPU, ready(graph)) as runtime:
                await runtime.predict({"X": x})
            return told

    error, took_s = run(scenario())
    assert error.message == "chromium:cpu: The browser ended."
    assert took_s < AT_ONCE_S


def test_a_browser_that_is_killed_while_the_artifact_is_in_the_making_is_told_at_once(run: Run[Any]) -> None:
    async def scenario() -> None:
        async with own_host() as host:
            never: asyncio.Future[ArtifactInfo] = asyncio.get_running_loop().create_future()
            runtime = host.runtime(CPU, never)
            starting = asyncio.ensure_future(runtime.start())
            while "backend" not in runtime.timings_s:
                await asyncio.sleep(0.05)
            os.kill((await host.browser("cpu")).pid or 0, signal.SIGKILL)
            try:
                with pytest.raises(RuntimeFailedError, match=r"chromium:cpu: The browser ended\."):
                    await asyncio.wait_for(starting, AT_ONCE_S)
                assert not never.done()  # shared with others, who may still want it
            finally:
                await runtime.close()

    run(scenario())


@pytest.mark.parametrize("role", ["renderer", *more("browser")])
def test_a_process_that_hangs_is_a_timeout_that_names_the_step_and_leaves_nothing(
    role: str, run: Run[Any], graph: ArtifactInfo, x: Array, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycheck.runtimes.launching.driven._CLOSE_TIMEOUT_S", 1.0)
    monkeypatch.setattr("pycheck.runtimes.launching.driven._PAGE_CLOSE_TIMEOUT_S", 1.0)
    monkeypatch.setattr("pycheck.runtimes.launching.driven._BLANK_TIMEOUT_S", 0.5)
    monkeypatch.setattr("pycheck.runtimes.launching.playwright._CLEANUP_TIMEOUT_S", 1.0)
    monkeypatch.setenv("TMPDIR", str(temporary))
    pids: list[int] = []

    async def scenario() -> tuple[Any, float]:
        async with own_host() as host:

            async def hang(_: Any) -> None:
                host.timeout_s = 1.5
                found = await processes(host)
                pids.extend(pid for some in found.values() for pid in some)
                # A browser that hangs takes its renderers along, or they would answer without it.
                for pid in found["renderer"] + (found["browser"] if role == "browser" else []):
                    os.kill(pid, signal.SIGSTOP)

            return await fails_while_predicting(host, CPU, graph, x, hang)

    error, took_s = run(scenario())
    assert type(error) is RuntimeTimeoutError
    assert error.message == "chromium:cpu: no answer within 1.5 s while predicting."
    assert "--timeout" in error.advice
    assert 1.4 < took_s < AT_ONCE_S
    assert nothing_left(pids, temporary)


def test_a_webgl_context_that_is_lost_is_told(run: Run[Any], host: BrowserHost, graph: ArtifactInfo, x: Array) -> None:
    async def lose(runtime: BrowserRuntime) -> None:
        page = await page_of(host, runtime)
        # TF.js keeps its context to itself: the prototype is the way to it from outside.
        await page.evaluate(
            """() => {
              const draw = WebGL2RenderingContext.prototype.drawElements;
              WebGL2RenderingContext.prototype.drawElements = function (...args) {
                this.getExtension('WEBGL_lose_context')?.loseContext();
                return draw.apply(this, args);
              };
            }"""
        )

    error, took_s = run(fails_while_predicting(host, WEBGL, graph, x, lose))
    assert "WebGL context was lost" in error.message
    assert error.message.startswith("chromium:webgl: ")
    assert took_s < AT_ONCE_S


@pytest.mark.exhaustive
def test_a_gpu_process_that_is_killed_is_told(run: Run[Any], graph: ArtifactInfo, x: Array) -> None:
    async def scenario() -> tuple[Any, float]:
        async with own_host() as host:

            async def kill(_: Any) -> None:
                for pid in (await processes(host, "webgl"))["GPU"]:
                    os.kill(pid, signal.SIGKILL)

            return await fails_while_predicting(host, WEBGL, graph, x, kill)

    error, took_s = run(scenario())
    assert "WebGL context was lost" in error.message
    assert took_s < AT_ONCE_S


def test_a_webgpu_device_that_is_lost_is_told(run: Run[Any], graph: ArtifactInfo, x: Array) -> None:
    async def scenario() -> tuple[Any, float]:
        async with own_host(kinds=("webgpu",)) as host:

            async def kill(_: Any) -> None:
                for pid in (await processes(host, "webgpu"))["GPU"]:
                    os.kill(pid, signal.SIGKILL)

            return await fails_while_predicting(host, RuntimeId("chromium", "webgpu"), graph, x, kill)

    error, took_s = run(scenario())
    assert "WebGPU device was lost" in error.message
    assert took_s < AT_ONCE_S


def test_a_webgpu_shader_that_is_refused_is_told_even_where_tfjs_goes_on(
    run: Run[Any], graph: ArtifactInfo, x: Array
) -> None:
    async def scenario() -> tuple[Any, float]:
        async with own_host(kinds=("webgpu",)) as host:

            async def refuse(runtime: BrowserRuntime) -> None:
                page = await page_of(host, runtime)
                # On a device of its own, so that the console is all that tells.
                await page.evaluate(
                    """async () => {
                      const adapter = await navigator.gpu.requestAdapter();
                      window.device = await adapter.requestDevice();
                      const shader = window.device.createShaderModule({code: 'fn broken( {'});
                      const compute = {module: shader, entryPoint: 'broken'};
                      window.device.createComputePipeline({compute, layout: 'auto'});
                      await shader.getCompilationInfo();
                    }"""
                )

            return await fails_while_predicting(host, RuntimeId("chromium", "webgpu"), graph, x, refuse)

    error, took_s = run(scenario())
    assert type(error) is RuntimeFailedError
    assert "WebGPU shader: Error while parsing WGSL: " in error.message
    assert "different backend" in error.advice
    assert took_s < AT_ONCE_S


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ("removed", "index.html"),
        ("renamed by a new build", "main.js"),
        ("removed", "engine"),
        pytest.param("removed", "main.js", marks=pytest.mark.exhaustive),
        pytest.param("renamed by a new build", "index.html", marks=pytest.mark.exhaustive),
        pytest.param("renamed by a new build", "engine", marks=pytest.mark.exhaustive),
    ],
)
def test_a_file_of_the_page_that_is_missing_is_told_at_once(
    name: str, how: str, run: Run[Any], host: BrowserHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = next(file for file in host.harness.files if file.removeprefix("chunk-").startswith(name))
    folder = shutil.copytree(host.harness.folder, tmp_path / "harness")
    files = dict(host.harness.files)
    if how == "removed":
        (folder / files[file]).unlink()
    else:
        del files[file]
    monkeypatch.setattr(host, "harness", replace(host.harness, folder=folder, files=files))

    async def scenario() -> tuple[Any, float]:
        started = time.monotonic()
        with pytest.raises(RuntimeFailedError) as caught:
            async with host.runtime(CPU, None):
                raise AssertionError("it started")
        assert file in caught.value.message
        return caught.value, time.monotonic() - started

    error, took_s = run(scenario())
    assert type(error) is RuntimeFailedError
    assert "a file of the page that runs TF.js" in error.message
    assert "npm run build" in error.advice
    assert took_s < AT_ONCE_S


def test_an_uncaught_error_in_the_page_is_told(run: Run[Any], host: BrowserHost, graph: ArtifactInfo, x: Array) -> None:
    async def throw(runtime: BrowserRuntime) -> None:
        page = await page_of(host, runtime)
        await page.evaluate("() => { setTimeout(() => { throw new Error('out of nowhere'); }) }")

    error, _ = run(fails_while_predicting(host, CPU, graph, x, throw))
    assert "out of nowhere" in error.message


def test_a_page_that_is_closed_is_told(run: Run[Any], host: BrowserHost, graph: ArtifactInfo, x: Array) -> None:
    async def close(runtime: BrowserRuntime) -> None:
        await (await page_of(host, runtime)).close()

    error, _ = run(fails_while_predicting(host, CPU, graph, x, close))
    assert error.message.startswith("chromium:cpu: The page ")
    assert "closed" in error.message


def test_what_the_console_said_is_part_of_the_error(
    run: Run[Any], host: BrowserHost, graph: ArtifactInfo, x: Array
) -> None:
    async def speak(runtime: BrowserRuntime) -> None:
        page = await page_of(host, runtime)
        await page.evaluate("() => console.error('shader will not link')")
        await page.close()

    error, _ = run(fails_while_predicting(host, CPU, graph, x, speak))
    assert "(the browser said: shader will not link)" in error.message


def test_the_page_can_reach_nothing_but_its_own_server(run: Run[Any], host: BrowserHost) -> None:
    async def scenario() -> tuple[str, list[bytes]]:
        received: list[bytes] = []

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received.append(await reader.read(100))  # a connection opened in advance sends nothing and is closed
            writer.close()

        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with host.runtime(CPU, None) as runtime:
            page = await page_of(host, runtime)
            said: str = await page.evaluate(
                "url => fetch(url).then(() => 'reached', (error) => error.message)", address
            )
            for attempt in (
                "url => { new Image().src = url; }",
                "url => { document.body.append(Object.assign(document.createElement('script'), {src: url})); }",
                "url => { document.body.append(Object.assign(document.createElement('iframe'), {src: url})); }",
                "url => { navigator.sendBeacon(url); }",
                "url => { try { new WebSocket(url.replace('http', 'ws')); } catch {} }",
                "url => { import(url).catch(() => {}); }",
            ):
                await page.evaluate(attempt, address)
            await asyncio.sleep(0.5)
        server.close()
        return said, received

    said, received = run(scenario())
    assert said == "Failed to fetch"
    assert b"".join(received) == b""


def test_a_prediction_that_is_under_way_when_its_page_is_closed_fails(
    run: Run[Any], host: BrowserHost, graph: ArtifactInfo, x: Array
) -> None:
    async def scenario() -> None:
        runtime = host.runtime(CPU, ready(graph))
        await runtime.start()
        predicting = asyncio.ensure_future(runtime.predict({"X": np.repeat(x, 2000, axis=0)}))
        await asyncio.sleep(0.05)
        await runtime.close()
        with pytest.raises(RuntimeFailedError, match="chromium:cpu: "):
            await predicting

    run(scenario())


def start_error(run: Run[Any], host: BrowserHost, id: RuntimeId, artifact: Any, **flags: Any) -> PycheckError:
    async def scenario() -> PycheckError:
        with pytest.raises(PycheckError) as caught:
            async with host.runtime(id, artifact, flags=flags):
                raise AssertionError("it started")
        return caught.value

    error: PycheckError = run(scenario())
    return error


def test_webgpu_without_an_adapter_is_unavailable_and_says_what_to_do(
    run: Run[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pycheck.runtimes.launching.playwright.WEBGPU_ARGS", ("--disable-features=WebGPU", "--disable-webgpu")
    )

    async def scenario() -> PycheckError:
        async with own_host(kinds=["webgpu"]) as host:
            with pytest.raises(PycheckError) as caught:
                async with host.runtime(RuntimeId("chromium", "webgpu"), None):
                    raise AssertionError("it started")
            return caught.value

    error = run(scenario())
    assert type(error) is RuntimeUnavailableError
    assert error.message.startswith("chromium:webgpu: this browser has ")
    assert "WebGPU" in error.message
    assert "--browser-path" in error.advice


@pytest.mark.exhaustive
def test_webgl_that_is_off_is_unavailable(run: Run[Any]) -> None:
    async def scenario() -> PycheckError:
        async with own_host(browser_args=["--disable-3d-apis"]) as host:
            with pytest.raises(PycheckError) as caught:
                async with host.runtime(WEBGL, None):
                    raise AssertionError("it started")
            return caught.value

    error = run(scenario())
    assert type(error) is RuntimeUnavailableError
    assert error.message.startswith("chromium:webgl: this browser provides no WebGL 2 or WebGL 1 context")


def test_a_kernel_that_a_backend_lacks_is_named(run: Run[Any], host: BrowserHost, tmp_path: Path) -> None:
    error = predict_error(run, host, RuntimeId("chromium", "wasm"), artifacts.graph_einsum(tmp_path))
    assert type(error) is NoKernelError
    assert error.message == "chromium:wasm: TF.js's wasm backend has no kernel for Einsum, which this model needs."


def test_an_operation_that_tfjs_lacks_is_named(run: Run[Any], host: BrowserHost, tmp_path: Path) -> None:
    error = predict_error(run, host, CPU, artifacts.graph_unary(tmp_path, "Lgamma"))
    assert error.message.startswith("chromium:cpu: TF.js has no operation Lgamma")


def predict_error(run: Run[Any], host: BrowserHost, id: RuntimeId, artifact: ArtifactInfo) -> PycheckError:
    async def scenario() -> PycheckError:
        async with host.runtime(id, ready(artifact)) as runtime:
            with pytest.raises(PycheckError) as caught:
                await runtime.predict({"X": np.zeros(4, np.float32)})
            return caught.value

    error: PycheckError = run(scenario())
    return error


def test_a_layer_that_tfjs_lacks_is_named_with_the_way_out(run: Run[Any], host: BrowserHost, tmp_path: Path) -> None:
    error = start_error(run, host, CPU, ready(artifacts.layers_unknown(tmp_path)))
    assert "tfjs-layers has no layer Quantum" in error.message
    assert "--format graph" in error.advice


def test_a_shard_that_is_short_is_told(run: Run[Any], host: BrowserHost, tmp_path: Path) -> None:
    artifact = artifacts.graph_dense(tmp_path)
    shard = tmp_path / "group1-shard1of1.bin"
    shard.write_bytes(shard.read_bytes()[:-40])
    error = start_error(run, host, CPU, ready(artifact))
    assert error.message.startswith("chromium:cpu: ")


def test_a_shard_that_is_missing_is_an_error_of_the_artifact(run: Run[Any], host: BrowserHost, tmp_path: Path) -> None:
    artifact = artifacts.graph_dense(tmp_path)
    (tmp_path / "group1-shard1of1.bin").unlink()
    assert type(start_error(run, host, CPU, ready(artifact))) is ArtifactFileError


def test_a_conversion_that_fails_is_told_as_it_is(run: Run[Any], host: BrowserHost) -> None:
    async def fail() -> ArtifactInfo:
        raise ConversionError("no such layer")

    error = start_error(run, host, CPU, fail())
    assert (type(error), error.message) == (ConversionError, "no such layer")


def test_a_flag_of_a_wrong_type_is_an_error_of_usage(run: Run[Any], host: BrowserHost) -> None:
    error = start_error(run, host, WEBGL, None, WEBGL_CPU_FORWARD="often")
    assert type(error) is UsageError
    assert "flag WEBGL_CPU_FORWARD takes a boolean, such as true, not string often" in error.message


def test_a_flag_that_tfjs_lacks_is_refused_before_anything_starts(host: BrowserHost) -> None:
    with pytest.raises(UsageError, match="no flag 'WEBGL_PAK'"):
        host.runtime(CPU, None, flags={"WEBGL_PAK": True})


def test_an_input_that_is_missing_is_named(run: Run[Any], host: BrowserHost, graph: ArtifactInfo, x: Array) -> None:
    async def scenario() -> None:
        async with host.runtime(CPU, ready(graph)) as runtime:
            with pytest.raises(InputsFileError, match=r"input 'X' is missing.*: other"):
                await runtime.predict({"other": x})
            await runtime.predict({"X": x})

    run(scenario())


def test_a_runtime_of_another_engine_is_refused(host: BrowserHost) -> None:
    with pytest.raises(ValueError, match="A chromium host cannot run native:float32"):
        host.runtime(RuntimeId("native", "float32"), None)


def test_nothing_is_left_behind_after_an_orderly_end(
    run: Run[Any], graph: ArtifactInfo, x: Array, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(temporary))

    async def scenario() -> list[int]:
        async with own_host() as host:
            runtime = host.runtime(CPU, ready(graph))
            await runtime.start()
            await runtime.predict({"X": x})
            assert len(list(temporary.iterdir())) > 0
            pids = [pid for some in (await processes(host)).values() for pid in some]
            await runtime.close()
            await runtime.close()
            return pids

    pids = run(scenario())
    assert len(pids) > 2
    assert nothing_left(pids, temporary)


SCRIPT = """
import asyncio, sys
from pathlib import Path
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.types import RuntimeId

async def main():
    async with BrowserHost() as host, host.runtime(RuntimeId("chromium", "cpu"), None):
        session = await (await host.browser("cpu")).handle.new_browser_cdp_session()
        processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
        print(*(process["id"] for process in processes), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_temporary_folder_with_a_long_name_keeps_no_browser_from_starting(
    run: Run[Any], graph: ArtifactInfo, x: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)

    async def predict() -> Any:
        async with own_host() as host, host.runtime(CPU, ready(graph)) as runtime:
            return await runtime.predict(dict.fromkeys(graph.input_names, x))

    assert run(predict())
    assert not list(folder.iterdir())


@pytest.mark.parametrize("how", ["killed", *more("ctrl-c", "terminated")])
def test_nothing_is_left_behind_when_python_is_ended_from_outside(how: str, temporary: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(root)}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) > 2
        if how == "ctrl-c":
            os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
        else:
            process.send_signal(signal.SIGTERM if how == "terminated" else signal.SIGKILL)
        process.wait(60)
    assert nothing_left([process.pid, *pids], temporary)
