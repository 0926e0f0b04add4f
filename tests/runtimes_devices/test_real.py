"""A second browser, which stands for a phone, runs a model to the end, or is gone in the middle of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.cli import main as cli
from pycheck.gate import exit_code
from pycheck.options.reading import build
from pycheck.options.values import Options
from pycheck.report import render
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.runtimes.launching.playwright import WEBGPU_ARGS
from pycheck.setup import doctor
from pycheck.types import AppCode, AppFile, Report, RuntimeId, RuntimeStatus
from pycheck.workflow import pipeline

from ..conftest import more
from ..runtimes_browser.media import png
from .conftest import TIMEOUT_S, Listening, Phone, until

pytestmark = pytest.mark.real

_TEXT = "document.querySelector('main').innerText"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, x.npy beside it."""
    import keras

    folder = tmp_path_factory.mktemp("model")
    keras.utils.set_random_seed(0)
    x = keras.Input((4,), name="x")
    keras.Model(x, keras.layers.Dense(3, name="y")(x)).save(folder / "m.keras")
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32))
    return folder / "m.keras"


@pytest.fixture(scope="module")
def phone(listening: Listening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    """A phone that has opened the address, and is called phone."""
    with Phone(tmp_path_factory.mktemp("phone"), listening.address(), *WEBGPU_ARGS) as phone:
        listening.wait("device:phone connected: Chromium")
        yield phone


@pytest.fixture(autouse=True)
def _where_it_listens(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(listening.folder))


def options(*runtimes: str, **more: Any) -> Options:
    return build({"runtimes": runtimes, "timeout_s": TIMEOUT_S, **more}, environ={})


def compare(model: Path, options: Options, observe: Any = lambda *_: None, inputs: Path | None = None) -> Report:
    return asyncio.run(
        pipeline.alone(lambda bench: bench.compare(model, inputs or model.with_name("x.npy"), options, observe))
    )


def status(report: Report) -> dict[str, RuntimeStatus]:
    return {str(record.id): record.status for record in report.runtimes}


def says(phone: Phone, text: str) -> str:
    """What the page says, when it says this."""
    return str(until(lambda: (found := str(asyncio.run(phone.evaluate(_TEXT)))) and text in found and found, text))


def test_a_device_runs_the_kinds_in_turn_and_its_page_says_so(
    model: Path, phone: Phone, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "device:phone" in says(phone, "Connected")
    seen: list[str] = []

    def observe(runtime: str, step: str, done: int, total: int) -> None:
        if runtime.startswith("device:"):
            seen.append(f"{runtime} {step}")

    kinds = ("cpu", "webgl", "webgl-f16", "wasm", "litert-wasm")
    wanted = options(*(f"device:phone:{kind}" for kind in kinds), save_run=tmp_path / "run")
    report = compare(model, wanted, observe)
    assert report.verdict == "pass"
    assert {c.candidate.engine for c in report.comparisons if c.passed} == {"device:phone"}
    environment = next(record.environment for record in report.runtimes if str(record.id) == "device:phone:webgl")
    assert environment is not None
    assert environment.platform is not None
    assert "(device phone, opened by hand)" in environment.platform
    assert environment.backend == "webgl"
    ended = [seen.index(f"device:phone:{kind} ok") for kind in kinds]
    began = [seen.index(f"device:phone:{kind} starting") for kind in kinds]
    assert sorted([*began, *ended]) == [index for pair in sorted(zip(began, ended, strict=True)) for index in pair]
    page = says(phone, "Done")
    assert [page.count(word) for word in ("Done", "Running", "Failed")] == [len(kinds) + 1, 0, 0]
    assert all(kind in page for kind in kinds)

    for kind in ("json", "html", "junit", "markdown"):
        assert all(f"device:phone:{name}" in render(report, kind) for name in ("webgl-f16", "litert-wasm"))
    again = pipeline.rejudge(tmp_path / "run", options("device:phone:cpu"))
    assert again.comparisons == report.comparisons

    capfd.readouterr()
    assert cli.run(["devices"]) == 0
    assert capfd.readouterr().out.startswith("device:phone Chromium")


def test_a_device_whose_page_is_isolated_runs_the_build_for_threads(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path))
    place = ("--host", "127.0.0.1", "--port", "0", "--name", "phone", "--isolated")
    with Listening(tmp_path, *place) as listening, Phone(tmp_path / "phone", listening.address()):
        listening.wait("device:phone connected")
        report = compare(model, options("device:phone:wasm", isolated=True))
    assert report.passed, str(report)
    assert any(
        "TF.js's build for threads" in note for r in report.runtimes if r.environment for note in r.environment.notes
    )


def test_a_device_whose_page_is_not_isolated_is_unavailable_to_a_run_that_needs_it(model: Path, phone: Phone) -> None:
    report = compare(model, options("device:phone:wasm", isolated=True))
    assert status(report)["device:phone:wasm"] is RuntimeStatus.UNAVAILABLE


@pytest.mark.exhaustive
def test_its_page_says_running_while_it_runs(model: Path, phone: Phone, tmp_path: Path) -> None:
    many = tmp_path / "many.npy"
    np.save(many, np.random.default_rng(1).normal(size=(80, 4)).astype(np.float32))
    seen: list[str] = []

    async def watched() -> Report:
        running = asyncio.ensure_future(
            pipeline.alone(
                lambda bench: bench.compare(model, many, options("device:phone:cpu", batch_size=1), lambda *_: None)
            )
        )
        while not running.done():
            seen.append(str(await phone.evaluate(_TEXT)))
            await asyncio.sleep(0.02)
        return await running

    assert asyncio.run(watched()).verdict == "pass"
    assert any("Running\n\ndevice:phone" in text and "cpu" in text for text in seen)


def test_a_trace_holds_several_pages_of_a_device_open(model: Path, phone: Phone) -> None:
    wanted = options("device:phone:cpu", "device:phone:webgl")
    report = asyncio.run(pipeline.alone(lambda bench: bench.trace(model, model.with_name("x.npy"), wanted)))
    assert report.trace is not None
    assert {row["runtime"] for row in report.trace.table()} >= {"device:phone:cpu", "device:phone:webgl"}


def test_a_device_prepares_files_with_the_users_own_javascript(phone: Phone, tmp_path: Path) -> None:
    files = {
        "prep.js": "import {scale} from 'scale'; import {browser} from '@tensorflow/tfjs';"
        "export default async (blob) => browser.fromPixels(await createImageBitmap(blob)).div(scale);",
        "node_modules/scale/index.js": "export const scale = 255;",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    code = AppCode(tmp_path / "prep.js")
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)

    async def prepare() -> Any:
        async with (
            BrowserHost("device:phone", timeout_s=TIMEOUT_S) as host,
            host.runtime(RuntimeId("device:phone", "cpu"), None, app=[code]) as page,
        ):
            return await page.prepare(code, [AppFile("a.png", png(pixels)), AppFile("b.png", b"")], ["x"])

    prepared = asyncio.run(prepare())
    np.testing.assert_allclose(prepared.tensors["x"], [pixels / 255], atol=1e-6)
    assert [file.failure is None for file in prepared.files] == [True, False]


@pytest.mark.exhaustive
def test_the_doctor_says_what_a_device_can_run(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "BROWSER_ENGINES", ())
    diagnosis = asyncio.run(doctor.examine(build({}, environ={}), lambda *_: None))
    rows = {str(row.runtime): row for row in diagnosis.rows}
    assert rows["device:phone:webgl"].ok
    assert "(device phone, opened by hand)" in rows["device:phone:webgl"].detail


def test_two_runs_at_once_share_a_device(model: Path, phone: Phone) -> None:
    async def both() -> list[Report]:
        wanted = options("device:phone:cpu")
        runs = [pipeline.alone(lambda bench: bench.compare(model, model.with_name("x.npy"), wanted)) for _ in range(2)]
        return list(await asyncio.gather(*runs))

    assert [report.verdict for report in asyncio.run(both())] == ["pass", "pass"]


def test_webgpu_says_what_a_page_over_http_from_another_machine_lacks(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path))
    with Listening(tmp_path, "--port", "0", "--name", "far") as listening:
        if "no network address" in listening.first_words():  # any other reason fails below
            pytest.skip("this machine is in no network")
        with Phone(tmp_path / "phone", listening.address()) as phone:
            listening.wait("device:far connected: Chromium")
            assert "no secure context, so no WebGPU" in listening.said
            assert "browsers have no WebGPU for such a page" in says(phone, "Connected")
            report = compare(model, options("device:far:webgpu", "device:far:wasm"))
            assert "browsers have no WebGPU for a page" in says(phone, "Failed")
    assert (status(report)["device:far:webgpu"], status(report)["device:far:wasm"]) == ("unavailable", "ok")
    webgpu, wasm = (record for record in report.runtimes if record.id.is_on_device)
    assert "opened over http from a different machine (no secure context)" in str(webgpu.error)
    assert "docs/devices.md" in str(webgpu.error)
    assert wasm.environment is not None
    assert any("not a secure context" in note for note in wasm.environment.notes)


def killed_while_running(model: Path, many: Path, end: Callable[[], object]) -> Report:
    """A run of a device and of a browser here, in which the device is ended."""
    ended = []

    def observe(runtime: str, step: str, done: int, total: int) -> None:
        if runtime.startswith("device:") and step == "running" and done > 3 and not ended:
            ended.append(done)
            end()

    report = compare(model, options("device:victim:cpu", "chromium:cpu", batch_size=1), observe, many)
    assert ended
    return report


@pytest.mark.parametrize("what", ["the device", *more("the process that listens")])
def test_a_device_that_is_gone_in_the_middle_is_named_and_what_others_measured_is_kept(
    what: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path))
    many = tmp_path / "many.npy"
    np.save(many, np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32))
    with (
        Listening(tmp_path, "--host", "127.0.0.1", "--port", "0", "--name", "victim") as listening,
        Phone(tmp_path / "phone", listening.address()) as phone,
    ):
        listening.wait("device:victim connected")
        end = phone.kill if what == "the device" else listening.process.kill
        report = killed_while_running(model, many, end)
        if what == "the device":
            listening.wait("device:victim disconnected")
        else:
            says(phone, "Disconnected")
    assert status(report)["device:victim:cpu"] == "failed"
    assert status(report)["chromium:cpu"] == "ok"
    assert any(c.passed for c in report.comparisons if str(c.candidate) == "chromium:cpu")
    assert exit_code(report) == 3
    error = next(str(record.error) for record in report.runtimes if record.id.is_on_device)
    if what == "the device":
        assert "The device victim disconnected" in error
    else:
        assert "The device victim disconnected: pycheck devices --listen has ended" in error


@pytest.mark.exhaustive
def test_a_device_that_hangs_is_given_up_after_the_timeout_and_is_there_again_when_it_wakes(
    model: Path, phone: Phone
) -> None:
    hang = "setTimeout(() => { const end = Date.now() + 8000; while (Date.now() < end); })"

    def observe(runtime: str, step: str, done: int, total: int) -> None:
        if runtime.startswith("device:") and step == "starting":
            hanging = threading.Thread(target=lambda: asyncio.run(phone.evaluate(hang)))
            hanging.start()
            hanging.join()

    report = compare(model, options("device:phone:cpu", timeout_s=2), observe)
    assert status(report)["device:phone:cpu"] == "timed_out"
    assert "no answer within 2 s" in str(report.runtimes[-1].error)
    assert compare(model, options("device:phone:cpu")).verdict == "pass"


@pytest.mark.exhaustive
def test_litert_js_runs_on_the_gpu_of_a_device(model: Path, phone: Phone) -> None:
    report = compare(model, options("device:phone:litert-webgpu"))
    assert report.passed, [record.error for record in report.runtimes]
    (record,) = [record for record in report.runtimes if record.id.is_litert]
    assert record.environment is not None and record.environment.renderer
