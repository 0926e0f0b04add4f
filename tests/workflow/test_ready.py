"""Pages that wait: one for each runtime of the options, for one run, and only if they still work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pycheck.errors import RuntimeFailedError
from pycheck.options.reading import build
from pycheck.options.values import Options
from pycheck.runtimes.fake import FakePage, Fault
from pycheck.types import RuntimeId
from pycheck.workflow.browsers import Hosts
from pycheck.workflow.ready import ReadyPages

from ..fakes import Fakes

CPU = RuntimeId("chromium", "cpu")


def options(*runtimes: str, **more: Any) -> Options:
    return build({"runtimes": runtimes or ["chromium:cpu"], **more})


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
        assert await ready.take(options(), CPU) is None
        await ready.prepare([options()])
        page = await ready.take(options(), CPU)
        assert page and page.id == CPU
        assert await ready.take(options(), CPU) is None

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
        assert await ready.take(other, CPU) is None
        await ready.prepare([other])
        assert len(closed) == 1
        assert await ready.take(options(), CPU) is None
        assert await ready.take(other, CPU)

    pages(act)


def test_a_page_that_has_failed_is_not_taken(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(ready: ReadyPages) -> None:
        await ready.prepare([options()])
        monkeypatch.setattr(FakePage, "is_alive", property(lambda _: False))
        assert await ready.take(options(), CPU) is None

    pages(act)


def test_a_runtime_that_does_not_start_is_left_to_the_run(pages: Pages, fakes: Fakes) -> None:
    fakes.break_("chromium:cpu", Fault(error=RuntimeFailedError("it does not start"), at="start"))

    async def act(ready: ReadyPages) -> None:
        await ready.prepare([options()])
        assert await ready.take(options(), CPU) is None

    pages(act)


def test_few_pages_wait_however_many_variants_there_are(pages: Pages, fakes: Fakes) -> None:
    made: list[RuntimeId] = []
    many = [options("chromium:cpu", "chromium:wasm", timeout_s=float(n)) for n in range(1, 20)]

    async def act(ready: ReadyPages) -> None:
        await ready.prepare(many)
        taken = [await ready.take(one, runtime) for one in many for runtime in one.runtimes]
        made.extend(page.id for page in taken if page)

    pages(act)
    assert len(made) == 8
