"""Pages that wait: one for each runtime of the options, for one run, and only if they still work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.errors import RuntimeFailedError
from pycheck.options.reading import build
from pycheck.options.values import Options
from pycheck.runtimes.browser.page import BrowserRuntime
from pycheck.runtimes.fake import FakePage, Fault
from pycheck.types import ArtifactInfo, Report, RuntimeId
from pycheck.workflow.browsers import Hosts
from pycheck.workflow.pipeline import Workbench
from pycheck.workflow.ready import ReadyPages

from ..fakes import Fakes

CPU = RuntimeId("chromium", "cpu")


WEBGL = RuntimeId("chromium", "webgl")


def options(*runtimes: str, **more: Any) -> Options:
    return build({"runtimes": runtimes or ["chromium:cpu"], **more})


def making(folder: Path = Path()) -> asyncio.Future[ArtifactInfo]:
    """An artifact, of which a page is to run."""
    made = asyncio.get_running_loop().create_future()
    made.set_result(ArtifactInfo(folder, "layers", "none", 0, "", "", (), (), {}, {}))
    return made


@pytest.fixture
def pages(fakes: Fakes) -> Callable[[Callable[[ReadyPages], Awaitable[None]]], None]:
    def run(act: Callable[[ReadyPages], Awaitable[None]]) -> None:
        async def all_of_it() -> None:
            hosts = Hosts(fakes.host, lambda *_, **__: None)
            ready = ReadyPages(hosts)
            try:
                await act(ready)
            finally:
                await ready.close()
                await hosts.close()

        asyncio.run(all_of_it())

    return run


Pages = Callable[[Callable[[ReadyPages], Awaitable[None]]], None]


def test_a_page_serves_one_run(pages: Pages) -> None:
    async def act(ready: ReadyPages) -> None:
        assert await ready.take(options(), CPU, making()) is None
        await ready.prepare([options()])
        page = await ready.take(options(), CPU, making())
        assert page and page.id == CPU
        assert await ready.take(options(), CPU, making()) is None

    pages(act)


@pytest.mark.parametrize(
    "other",
    [options(flags={"WEBGL_PACK": False}), options(headed=True), options(timeout_s=7.0)],
    ids=["flags", "headed", "timeout"],
)
def test_a_page_of_other_options_is_not_taken_and_closes(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, other: Options
) -> None:
    closed: list[FakePage] = []

    async def close(page: FakePage) -> None:
        closed.append(page)

    monkeypatch.setattr(FakePage, "close", close)

    async def act(ready: ReadyPages) -> None:
        await ready.prepare([options()])
        assert await ready.take(other, CPU, making()) is None
        await ready.prepare([other])
        assert len(closed) == 1
        assert await ready.take(options(), CPU, making()) is None
        assert await ready.take(other, CPU, making())

    pages(act)


def test_a_page_that_has_failed_is_not_taken(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(ready: ReadyPages) -> None:
        await ready.prepare([options()])
        monkeypatch.setattr(FakePage, "is_alive", property(lambda _: False))
        assert await ready.take(options(), CPU, making()) is None

    pages(act)


def test_a_runtime_that_does_not_start_is_left_to_the_run(pages: Pages, fakes: Fakes) -> None:
    fakes.break_("chromium:cpu", Fault(error=RuntimeFailedError("it does not start"), at="start"))

    async def act(ready: ReadyPages) -> None:
        await ready.prepare([options()])
        assert await ready.take(options(), CPU, making()) is None

    pages(act)


def test_few_pages_wait_however_many_variants_there_are(pages: Pages, fakes: Fakes) -> None:
    made: list[RuntimeId] = []
    many = [options("chromium:cpu", "chromium:wasm", timeout_s=float(n)) for n in range(1, 20)]

    async def act(ready: ReadyPages) -> None:
        await ready.prepare(many)
        taken = [await ready.take(one, runtime, making()) for one in many for runtime in one.runtimes]
        made.extend(page.id for page in taken if page)

    pages(act)
    assert len(made) == 8


def test_a_page_with_programs_serves_artifacts_that_differ_in_their_weights_and_no_others(
    pages: Pages, tmp_path: Path
) -> None:
    def of(name: str, topology: str) -> asyncio.Future[ArtifactInfo]:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "model.json").write_text(topology)
        return making(tmp_path / name)

    async def act(ready: ReadyPages) -> None:
        both = options("chromium:cpu", "chromium:webgl")
        await ready.prepare([both])
        page, plain = await ready.take(both, WEBGL, of("a", "{}")), await ready.take(both, CPU, of("a", "{}"))
        await ready.prepare([both])
        other_page = await ready.take(both, WEBGL, of("a", "{}"))
        assert other_page
        assert page and plain and not await ready.keep(both, plain, await of("a", "{}"))
        page.timings_s["first_predict"] = 1.0
        page.note("of the first run")
        assert await ready.keep(both, page, await of("a", "{}"))
        await ready.prepare([both])
        again = await ready.take(both, WEBGL, of("b", "{}"))
        assert again is page and "first_predict" not in page.timings_s and not page.environment.notes
        assert await ready.keep(both, page, await of("b", "{}"))
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(RuntimeFailedError("it cannot be converted"))
        with pytest.raises(RuntimeFailedError):
            await ready.take(both, WEBGL, failed)
        assert await ready.take(both, WEBGL, of("b", "{}")) is page
        assert await ready.keep(both, page, await of("b", "{}"))
        assert not await ready.keep(both, other_page, await of("b", "{}"))
        assert await ready.take(both, WEBGL, of("c", "[]")) is None
        await ready.prepare([both])
        other = await ready.take(both, WEBGL, of("c", "[]"))
        assert other and other is not page

    pages(act)


def test_without_a_later_run_no_page_is_kept(pages: Pages, fakes: Fakes) -> None:
    async def act(ready: ReadyPages) -> None:
        async with fakes.host("chromium") as host, host.runtime(WEBGL, None) as page:
            assert not await ready.keep(options("chromium:webgl"), page, await making())

    pages(act)


@pytest.mark.real
def test_changed_weights_run_in_the_page_of_the_first_ones_and_answer_as_in_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    opened: list[BrowserRuntime] = []
    start = BrowserRuntime.start

    async def counted(page: BrowserRuntime) -> None:
        opened.append(page)
        await start(page)

    monkeypatch.setattr(BrowserRuntime, "start", counted)
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path / "cache"))
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    asked = build({"runtimes": ["chromium:webgl"], "recheck": 0.0})
    path = tmp_path / "m.keras"

    def save(seed: int) -> None:
        keras.utils.set_random_seed(seed)
        keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, "relu", name="y")], name="m").save(path)

    async def watched() -> list[Report]:
        reports = []
        async with Workbench() as bench:
            for seed in (1, 2):
                save(seed)
                await bench.warm([(path, asked)])
                reports.append(await bench.compare(path, x, asked))
        return reports

    first, second = asyncio.run(watched())
    assert len(opened) == 1
    plain = pycheck.compare(path, x, runtimes=["chromium:webgl"], fresh=True)
    assert len(opened) == 2
    assert second.comparisons == plain.comparisons != first.comparisons
