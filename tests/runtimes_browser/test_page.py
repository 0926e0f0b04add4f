"""What Python asks of a page and makes of its answers, with a page that is a coroutine behind the real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import (
    AppCodeError,
    InputsFileError,
    RuntimeFailedError,
    RuntimeTimeoutError,
    RuntimeUnavailableError,
)
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.runtimes.browser.page import BrowserRuntime
from pycheck.types import AppCode, AppFile, Array, ArtifactInfo, RuntimeId

from .artifacts import dense_expected
from .conftest import Run, ready
from .spoken import Answer, SpokenLauncher

CPU = RuntimeId("chromium", "cpu")
Doing = Callable[[BrowserRuntime], Any]


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> SpokenLauncher:
    """Every host starts these browsers."""
    made = SpokenLauncher()
    monkeypatch.setattr("pycheck.runtimes.browser.host.choose", lambda *_, **__: made)
    return made


@pytest.fixture
def on_page(run: Run[Any], graph: ArtifactInfo, launcher: SpokenLauncher) -> Callable[..., Any]:
    """Starts a runtime and does something with it."""

    def do(
        work: Doing,
        *,
        timeout_s: float = 30.0,
        kind: str = "cpu",
        app: Sequence[AppCode] = (),
        isolated: bool = False,
        **answers: Answer,
    ) -> Any:
        launcher.answers |= answers

        async def scenario() -> Any:
            id = RuntimeId("chromium", kind)
            async with (
                BrowserHost(timeout_s=timeout_s, isolated=isolated) as host,
                host.runtime(id, ready(graph), app=app) as runtime,
            ):
                return await work(runtime)

        return run(scenario())

    return do


def test_a_page_that_is_not_isolated_does_not_run_in_place_of_one_that_is(on_page: Any) -> None:
    with pytest.raises(RuntimeUnavailableError, match="not cross-origin isolated"):
        on_page(lambda runtime: asyncio.sleep(0), isolated=True)
    assert on_page(lambda runtime: asyncio.sleep(0, True), isolated=True, hello=lambda it: it | {"is_isolated": True})


def test_outputs_come_back_by_the_models_names_and_times_are_told(on_page: Any, x: Array) -> None:
    async def work(runtime: BrowserRuntime) -> Any:
        for _ in range(2):
            outputs = await runtime.predict({"X": x}, samples=len(x))
        return outputs, dict(runtime.timings_s), runtime.environment

    outputs, timings, environment = on_page(work)
    np.testing.assert_array_equal(outputs["Y"], dense_expected(x))
    assert (timings["transfer_to_page"], timings["transfer_from_page"]) == (0.5, 0.25)
    assert {"launch", "page", "backend", "artifact", "load", "first_predict", "per_sample"} <= timings.keys()
    assert (environment.library, environment.backend, environment.float_bits) == ("tfjs 4.22.0", "cpu", 32)


def test_a_prediction_that_is_not_timed_gives_no_time_of_a_sample(on_page: Any, x: Array) -> None:
    async def work(runtime: BrowserRuntime) -> Any:
        for _ in range(2):
            await runtime.predict({"X": x}, samples=len(x), timed=False)
        return dict(runtime.timings_s)

    assert "first_predict" in (timings := on_page(work)) and "per_sample" not in timings


def test_float64_is_rounded_with_a_note_and_a_missing_input_is_named(on_page: Any, x: Array) -> None:
    async def work(runtime: BrowserRuntime) -> Any:
        await runtime.predict({"X": x.astype(np.float64)})
        with pytest.raises(InputsFileError, match=r"input 'X' is missing.*: Z"):
            await runtime.predict({"Z": x})
        return runtime.environment.notes

    assert any("float64" in note for note in on_page(work))


def test_points_are_run_held_and_taken_and_one_that_fails_ends_no_other(on_page: Any, x: Array) -> None:
    async def work(runtime: BrowserRuntime) -> Any:
        good, bad = await runtime.run_jobs({"x": x}, [(("x",), ("y",)), (("x",), ("nowhere",))])
        assert isinstance(bad, RuntimeFailedError) and "no such node" in bad.message
        with pytest.raises(RuntimeFailedError, match="no such node"):
            await runtime.hold({"x": x}, ["nowhere"])
        await runtime.hold({"x": x}, ["y"])
        return [good, await runtime.take(["y"]), await runtime.run({"x": x}, ["y"])]

    for values in on_page(work):
        np.testing.assert_array_equal(values["y"], dense_expected(x))


@pytest.mark.parametrize(("command", "doing"), [("start", "starting TF.js's cpu backend"), ("predict", "predicting")])
def test_a_page_that_hangs_is_a_timeout_that_names_the_step(command: str, doing: str, on_page: Any, x: Array) -> None:
    with pytest.raises(RuntimeTimeoutError, match=f"^chromium:cpu: no answer within 0.2 s while {doing}"):
        on_page(lambda runtime: runtime.predict({"X": x}), timeout_s=0.2, **{command: lambda _: None})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"type": "failed", "code": "predict", "message": "out of memory", "stack": ""}, "out of memory"),
        ({"type": "loaded", "inputs": [], "outputs": [], "tensor_count": 0}, "answered predict with loaded"),
        ({"type": "what"}, "what"),
    ],
    ids=["failed", "another reply", "no reply"],
)
def test_what_a_page_answers_wrongly_is_the_failure_of_the_runtime(
    answer: dict[str, Any], said: str, on_page: Any, x: Array
) -> None:
    with pytest.raises(RuntimeFailedError, match=said) as failed:
        on_page(lambda runtime: runtime.predict({"X": x}), predict=lambda _: answer)
    assert failed.value.message.startswith("chromium:cpu")


def test_a_page_of_another_protocol_is_refused(on_page: Any) -> None:
    with pytest.raises(RuntimeFailedError, match="protocol version 99"):
        on_page(lambda _: None, hello=lambda hello: {**hello, "protocol_version": 99})


def test_a_page_is_told_the_backend_and_the_flags_of_its_kind(on_page: Any) -> None:
    made = {}

    def start(command: dict[str, Any]) -> None:
        made.update(command)

    with pytest.raises(RuntimeTimeoutError):
        on_page(lambda _: None, timeout_s=0.2, kind="webgl-f16", start=start)
    assert (made["backend"], made["flags"]) == ("webgl", {"WEBGL_FORCE_F16_TEXTURES": True})


def test_runtimes_of_a_host_share_a_browser_and_one_that_ended_is_started_again(
    run: Run[Any], graph: ArtifactInfo, x: Array, launcher: SpokenLauncher
) -> None:
    async def scenario() -> None:
        async with BrowserHost(timeout_s=30.0) as host:
            for _ in range(2):
                async with host.runtime(CPU, ready(graph)) as runtime:
                    await runtime.predict({"X": x})
            assert [browser.pages for browser in launcher.browsers] == [2]
            await launcher.browsers[0].close()
            async with host.runtime(CPU, ready(graph)) as runtime:
                await runtime.predict({"X": x})
            assert len(launcher.browsers) == 2

    run(scenario())


@pytest.fixture
def code(tmp_path: Path) -> AppCode:
    """A module of an app, which no browser runs here."""
    module = tmp_path / "prep.js"
    module.write_text("import gone from 'gone';")
    return AppCode(module)


def texts(*contents: str) -> list[AppFile]:
    return [AppFile(f"{number}.txt", content.encode()) for number, content in enumerate(contents)]


def test_the_samples_of_several_messages_are_one_array_and_files_that_fail_are_left_out(
    on_page: Any, code: AppCode
) -> None:
    async def work(runtime: BrowserRuntime) -> Any:
        return await runtime.prepare(code, texts("3", "bad", "03", "003", "4", "3"), ["x", "y"])

    prepared = on_page(work, app=[code])
    assert prepared.worked == (0, 2, 3, 5)
    for name in ("x", "y"):
        np.testing.assert_array_equal(prepared.tensors[name], np.full((4, 3), 1) * [[1], [2], [3], [1]])
    assert [file.leaked_tensors for file in prepared.files] == [1, 3, 2, 3, 1, 1]
    assert [file.failure and file.failure.code for file in prepared.files] == [
        None, "threw", None, None, "differs", None,
    ]  # fmt: skip
    assert prepared.files[4].failure.message.startswith("'x' is float32[4], but float32[3] for 0.txt")
    assert (prepared.download_s, prepared.upload_s) == (0.75, 0.375)


def test_decisions_come_as_text_and_no_tensor_with_them(on_page: Any, code: AppCode) -> None:
    async def work(runtime: BrowserRuntime) -> Any:
        return await runtime.decide(code, texts('"cat"', "bad", '{"score":NaN}'), ["y"])

    files = on_page(work, app=[code])
    assert [file.decision for file in files] == ['"cat"', None, '{"score":NaN}']
    assert [file.failure and file.failure.code for file in files] == [None, "threw", None]


def test_no_file_gives_no_sample(on_page: Any, code: AppCode) -> None:
    prepared = on_page(lambda runtime: runtime.prepare(code, [], ["x"]), app=[code])
    assert (prepared.files, prepared.tensors) == ((), {})


def test_a_page_is_told_names_media_types_and_times_within_the_step(on_page: Any, code: AppCode) -> None:
    made: list[Any] = []
    files = [AppFile(f"a{suffix}", b"1") for suffix in (".JPG", ".png", ".webp", ".flac", ".json", "")]

    def prepare(command: dict[str, Any]) -> dict[str, Any]:
        made.append(command)
        return {"type": "failed", "code": "app", "message": "no", "stack": ""}

    with pytest.raises(AppCodeError):
        on_page(lambda runtime: runtime.prepare(code, files, ["x"]), app=[code], timeout_s=20.0, prepare=prepare)
    (command,) = made
    assert [file["media_type"] for file in command["files"]] == [
        "image/jpeg", "image/png", "image/webp", "audio/flac", "application/json", "application/octet-stream",
    ]  # fmt: skip
    assert (command["module_url"], command["export"], command["names"]) == ("app/0/prep.js", "default", ["x"])
    assert command["file_timeout_s"] * 3 < 20.0  # loading, a batch and the last file
