"""Every kind proves what it is and computes what NumPy computes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Error as PlaywrightError

from pycheck.errors import RuntimeFailedError
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.runtimes.browser.page import COLLECT_EVERY
from pycheck.runtimes.launching.driven import PlaywrightPage
from pycheck.types import TFJS_KINDS, Array, ArtifactInfo, RuntimeId

from ..conftest import more
from . import artifacts
from .conftest import TIMEOUT_S, Run, ready

pytestmark = pytest.mark.real

TOLERANCE = {"webgl-f16": 1e-2}


async def predict(host: BrowserHost, kind: str, artifact: ArtifactInfo, inputs: dict[str, Array], **flags: Any) -> Any:
    async with host.runtime(RuntimeId("chromium", kind), ready(artifact), flags=flags) as runtime:
        return await runtime.predict(inputs), runtime


@pytest.mark.parametrize("format", ["graph", *more("layers")])
@pytest.mark.parametrize("kind", TFJS_KINDS)
def test_a_kind_computes_dense_and_relu_as_numpy_does(
    kind: str, format: str, run: Run[Any], host: BrowserHost, x: Array, request: pytest.FixtureRequest
) -> None:
    artifact: ArtifactInfo = request.getfixturevalue(format)
    (name,) = artifact.input_names
    outputs, runtime = run(predict(host, kind, artifact, {name: x}))
    (output,) = outputs.values()
    assert list(outputs) == list(artifact.output_names)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, artifacts.dense_expected(x), atol=TOLERANCE.get(kind, 1e-5), rtol=0)
    environment = runtime.environment
    assert environment.backend == kind.removesuffix("-f16")
    assert environment.float_bits == (16 if kind == "webgl-f16" else 32)
    assert environment.denormals in ("kept", "flushed", "partly flushed")
    assert environment.library == f"tfjs {host.harness.tfjs_version}"
    assert environment.platform == f"Chromium {host.version} (headless, started by Playwright)"
    assert environment.sandbox is not None
    assert host.version.split(".")[0] in environment.user_agent
    assert {"launch", "page", "backend", "artifact", "load", "first_predict", "predict"} <= runtime.timings_s.keys()


@pytest.mark.parametrize("kind", ["webgl", "webgl-f16", "webgpu"])
def test_a_gpu_kind_names_its_renderer_and_whether_it_is_software(kind: str, run: Run[Any], host: BrowserHost) -> None:
    async def environment() -> Any:
        async with host.runtime(RuntimeId("chromium", kind), None) as runtime:
            return runtime.environment

    found = run(environment())
    assert found.renderer
    assert found.software_renderer is ("swiftshader" in found.renderer.lower() or "llvmpipe" in found.renderer.lower())
    assert any("in its CPU kernels" in note for note in found.notes)


def test_half_float_textures_are_a_flag_that_is_not_tfjss_default(run: Run[Any], host: BrowserHost) -> None:
    async def environment(kind: str) -> Any:
        async with host.runtime(RuntimeId("chromium", kind), None) as runtime:
            return runtime.environment

    half, whole = run(environment("webgl-f16")), run(environment("webgl"))
    assert half.flags_set["WEBGL_FORCE_F16_TEXTURES"] is True
    assert whole.flags["WEBGL_FORCE_F16_TEXTURES"] is False
    assert "WEBGL_FORCE_F16_TEXTURES" not in whole.flags_set
    assert whole.flags["WEBGL_CPU_FORWARD"] is True
    assert whole.flags["WEBGL_MAX_SIZE_FOR_NARROW_TEXTURE"] == "Infinity"


@pytest.mark.exhaustive
def test_kinds_run_side_by_side_in_one_browser(run: Run[Any], host: BrowserHost, graph: ArtifactInfo, x: Array) -> None:
    async def side_by_side() -> list[Any]:
        return await asyncio.gather(*(predict(host, kind, graph, {"X": x}) for kind in ("cpu", "wasm", "webgl")))

    for outputs, _ in run(side_by_side()):
        np.testing.assert_allclose(outputs["Y"], artifacts.dense_expected(x), atol=1e-5)


@pytest.mark.exhaustive
def test_more_large_shards_than_a_browser_has_connections_are_loaded(
    run: Run[Any], host: BrowserHost, x: Array, tmp_path: Path
) -> None:
    artifact = artifacts.cut(artifacts.layers_dense(tmp_path, units=2**17), shards=8)
    outputs, _ = run(predict(host, "cpu", artifact, {"D_INPUT": x[:2]}))
    kernel, bias = artifacts.dense_weights(units=2**17)
    np.testing.assert_allclose(outputs["D"], np.maximum(x[:2] @ kernel + bias, 0), atol=1e-4)


def test_no_tensor_is_left_behind_from_batch_to_batch(
    run: Run[Any], host: BrowserHost, layers: ArtifactInfo, graph: ArtifactInfo, x: Array
) -> None:
    async def counts(kind: str, artifact: ArtifactInfo) -> list[int | None]:
        async with host.runtime(RuntimeId("chromium", kind), ready(artifact)) as runtime:
            counted = [runtime.tensor_count]
            for _ in range(3):
                await runtime.predict(dict.fromkeys(artifact.input_names, x))
                counted.append(runtime.tensor_count)
            return counted

    for kind in ("cpu", "webgl"):
        for artifact in (layers, graph):
            assert run(counts(kind, artifact)) == [2, 2, 2, 2]  # the kernel and the bias


@pytest.mark.exhaustive
def test_a_batch_size_that_returns_compiles_no_program_again(
    run: Run[Any], host: BrowserHost, layers: ArtifactInfo, x: Array
) -> None:
    """The time of one sample of a run of one batch comes from a batch that returns after one sample alone."""
    count = """() => {
      globalThis.linked = 0;
      const link = WebGL2RenderingContext.prototype.linkProgram;
      WebGL2RenderingContext.prototype.linkProgram = function (program) { linked++; return link.call(this, program); };
    }"""

    async def linked() -> list[int]:
        counts = []
        async with host.runtime(RuntimeId("chromium", "webgl"), ready(layers)) as runtime:
            page = runtime._page.page
            await page.evaluate(count)
            for batch in (x, x[:1], x):
                await runtime.predict(dict.fromkeys(layers.input_names, batch), samples=len(batch))
                counts.append(await page.evaluate("globalThis.linked"))
        return counts

    first, other, again = run(linked())
    assert 0 < first < other == again


def test_garbage_of_many_predictions_is_collected(
    run: Run[Any], host: BrowserHost, layers: ArtifactInfo, x: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has become old in V8 stays until tens of megabytes of it lie about, unless somebody asks."""
    asked = []
    collect = PlaywrightPage.collect_garbage

    async def collect_old(page: PlaywrightPage) -> None:
        await page.page.evaluate("globalThis.old = new WeakRef(new Array(1e6))")
        await collect(page)
        asked.append(await page.page.evaluate("globalThis.old.deref() === undefined"))

    monkeypatch.setattr(PlaywrightPage, "collect_garbage", collect_old)

    async def predict_often() -> None:
        async with host.runtime(RuntimeId("chromium", "cpu"), ready(layers)) as runtime:
            for _ in range(2 * COLLECT_EVERY):
                await runtime.predict(dict.fromkeys(layers.input_names, x))

    run(predict_often())
    assert asked == [True, True]


def test_a_page_that_a_runtime_left_shows_the_next_one_as_a_new_document(
    run: Run[Any], graph: ArtifactInfo, x: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    visit = PlaywrightPage.visit

    async def visit_and_mark(page: PlaywrightPage, *arguments: Any) -> None:
        await visit(page, *arguments)
        seen.append((page, await page.page.evaluate("globalThis.mark ?? (globalThis.mark = 1, 'new')")))

    monkeypatch.setattr(PlaywrightPage, "visit", visit_and_mark)

    async def counts() -> list[int | None]:
        counted = []
        async with BrowserHost(timeout_s=TIMEOUT_S) as host:
            for _ in range(3):
                async with host.runtime(RuntimeId("chromium", "cpu"), ready(graph)) as runtime:
                    await runtime.predict({"X": x})
                    counted.append(runtime.tensor_count)
            with pytest.raises(RuntimeFailedError, match="It failed"):
                async with host.runtime(RuntimeId("chromium", "cpu"), ready(graph)) as runtime:
                    await seen[-1][0].page.evaluate("setTimeout(() => { throw new Error('It failed') })")
                    while runtime.is_alive:
                        await asyncio.sleep(0.01)
                    await runtime.predict({"X": x})
            async with host.runtime(RuntimeId("chromium", "cpu"), ready(graph)):
                pass
            idle = seen[-1][0].page
            async with idle.expect_event("crash"):
                with pytest.raises(PlaywrightError):
                    await idle.goto("chrome://crash")
            async with host.runtime(RuntimeId("chromium", "cpu"), ready(graph)):
                pass
        return counted

    assert run(counts()) == [2, 2, 2]  # the kernel and the bias
    pages = [page for page, _ in seen]
    assert pages[:4] == pages[:1] * 4
    assert len({*pages[3:]}) == 3  # one that has failed or crashed shows no other
    assert [mark for _, mark in seen] == ["new"] * 6


def test_a_page_that_a_runtime_left_keeps_no_memory_of_it(
    run: Run[Any], graph: ArtifactInfo, x: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited: list[PlaywrightPage] = []
    visit = PlaywrightPage.visit

    async def visit_and_fill(page: PlaywrightPage, *arguments: Any) -> None:
        await visit(page, *arguments)
        await page.page.evaluate("globalThis.large = new Uint8Array(1e8).fill(1), 0")
        visited.append(page)

    monkeypatch.setattr(PlaywrightPage, "visit", visit_and_fill)

    async def kept_bytes() -> float:
        async with BrowserHost(timeout_s=TIMEOUT_S) as host:
            async with host.runtime(RuntimeId("chromium", "cpu"), ready(graph)) as runtime:
                await runtime.predict({"X": x})
            devtools = await visited[0].page.context.new_cdp_session(visited[0].page)
            return float((await devtools.send("Runtime.getHeapUsage"))["backingStorageSize"])

    assert run(kept_bytes()) < 1e7


def test_pages_of_a_browser_are_tabs_of_one_window_and_one_that_crashes_leaves_the_other(
    run: Run[Any], graph: ArtifactInfo, x: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited: list[Any] = []
    visit = PlaywrightPage.visit

    async def visit_and_note(page: PlaywrightPage, *arguments: Any) -> None:
        await visit(page, *arguments)
        visited.append(page.page)

    monkeypatch.setattr(PlaywrightPage, "visit", visit_and_note)

    async def window(page: Any) -> Any:
        devtools = await page.context.new_cdp_session(page)
        return (await devtools.send("Browser.getWindowForTarget"))["windowId"]

    async def scenario() -> None:
        async with BrowserHost(timeout_s=TIMEOUT_S) as host:
            cpu, wasm = (host.runtime(RuntimeId("chromium", kind), ready(graph)) for kind in ("cpu", "wasm"))
            async with cpu:
                async with wasm:
                    first, second = visited
                    assert await window(first) == await window(second)
                    with suppress(PlaywrightError):
                        await second.goto("chrome://crash")
                assert (await cpu.predict({"X": x})).keys()

    run(scenario())


def test_a_graph_with_a_loop_is_executed_asynchronously_and_leaves_nothing_behind(
    run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    artifact = artifacts.graph_loop(tmp_path)
    x = np.linspace(0, 1, 200, dtype=np.float32).reshape(2, 100)

    async def loop() -> Any:
        async with host.runtime(RuntimeId("chromium", "webgl"), ready(artifact)) as runtime:
            outputs, counts = {}, []
            for _ in range(3):
                outputs = await runtime.predict({"X": x})
                counts.append(runtime.tensor_count)
            return outputs["Y"], counts, runtime.environment.notes

    output, counts, notes = run(loop())
    np.testing.assert_allclose(output, x + 3, rtol=1e-6)
    assert len(set(counts)) == 1
    assert any("executeAsync" in note for note in notes)


def test_integers_and_booleans_arrive_as_such_and_come_back_as_such(
    run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    artifact = artifacts.graph_dtypes(tmp_path)
    inputs = {"N": np.array([16777217, -3], np.int64), "MASK": np.array([True, False])}
    outputs, runtime = run(predict(host, "cpu", artifact, inputs))
    assert outputs["TWICE"].dtype == np.int32
    assert outputs["TWICE"].tolist() == [33554434, -6]
    assert outputs["NOT"].dtype == np.bool_
    assert outputs["NOT"].tolist() == [False, True]
    assert any(note.startswith("N: int64 as int32") for note in runtime.environment.notes)


def test_numbers_that_json_has_not_come_back_to_the_bit(run: Run[Any], host: BrowserHost, tmp_path: Path) -> None:
    artifact = artifacts.graph_unary(tmp_path, "Identity")
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38], np.float32)
    outputs, _ = run(predict(host, "cpu", artifact, {"X": x}))
    assert outputs["Y"].tobytes() == x.tobytes()


def test_an_empty_batch_and_a_large_one_come_back(run: Run[Any], host: BrowserHost, tmp_path: Path) -> None:
    artifact = artifacts.graph_unary(tmp_path, "Identity")
    for size in (0, 1, 3_000_001):
        x = np.arange(size, dtype=np.float32)
        outputs, _ = run(predict(host, "cpu", artifact, {"X": x}))
        assert np.array_equal(outputs["Y"], x)


def test_one_tensor_may_be_two_outputs(run: Run[Any], host: BrowserHost, tmp_path: Path) -> None:
    artifact = artifacts.graph_unary(tmp_path, "Relu", output_names={"FIRST": "y", "SECOND": "y"})
    outputs, _ = run(predict(host, "cpu", artifact, {"X": np.array([-1.0, 2.0], np.float32)}))
    assert outputs["FIRST"].tolist() == outputs["SECOND"].tolist() == [0.0, 2.0]


def test_a_flag_that_a_backend_reads_while_it_loads_is_in_force(
    run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    """Half-float textures cannot hold 2049, so that it tells where a sum was computed."""
    artifact = artifacts.graph_double(tmp_path)
    x = np.array([1024.5], np.float32)
    forwarded, runtime = run(predict(host, "webgl-f16", artifact, {"X": x}))
    assert forwarded["Y"].tolist() == [2049.0]
    assert "CPU_HANDOFF_SIZE_THRESHOLD" not in runtime.environment.flags_set
    on_gpu, runtime = run(predict(host, "webgl-f16", artifact, {"X": x}, CPU_HANDOFF_SIZE_THRESHOLD="0"))
    assert on_gpu["Y"].tolist() != [2049.0]
    assert runtime.environment.flags_set["CPU_HANDOFF_SIZE_THRESHOLD"] == 0


def test_a_flag_of_another_backend_is_told_to_have_no_effect(run: Run[Any], host: BrowserHost) -> None:
    async def notes() -> tuple[str, ...]:
        flags = {"WEBGL_PACK": False}
        async with host.runtime(RuntimeId("chromium", "cpu"), None, flags=flags) as runtime:
            return runtime.environment.notes

    assert any("flag WEBGL_PACK has no effect here" in note for note in run(notes()))
