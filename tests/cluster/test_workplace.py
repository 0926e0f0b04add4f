"""One process of a worker: what its parts share, and how they end with their check."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from pycheck.cluster.workplace import Workplace
from pycheck.workflow.pipeline import Workbench

from ..fakes import Fakes


@pytest.fixture
def workplace(fakes: Fakes) -> Iterator[Workplace]:
    place = Workplace()
    yield place
    place.close()


async def _bench(bench: Workbench) -> Workbench:
    return bench


def test_parts_share_a_workbench_until_their_checks_have_ended(workplace: Workplace) -> None:
    first = workplace.do("a", _bench)
    assert workplace.do("b", _bench) is first
    workplace.forget("a")
    workplace.forget("b")
    assert workplace.do("c", _bench) is not first


def test_the_end_of_a_check_ends_its_parts_and_leaves_those_of_others(workplace: Workplace) -> None:
    running = threading.Event()
    go = asyncio.Event()

    async def endless(_: Workbench) -> None:
        running.set()
        await asyncio.Event().wait()

    async def waiting(_: Workbench) -> str:
        await go.wait()
        return "complete"

    async def let(_: Workbench) -> None:
        go.set()

    with ThreadPoolExecutor(2) as pool:
        ended, other = pool.submit(workplace.do, "a", endless), pool.submit(workplace.do, "b", waiting)
        assert running.wait(10)
        workplace.forget("a")
        with pytest.raises(CancelledError):
            ended.result(10)
        workplace.do("b", let)
        assert other.result(10) == "complete"


def test_a_part_that_comes_after_the_end_of_its_check_does_not_run(workplace: Workplace) -> None:
    workplace.do("a", _bench)
    workplace.forget("a")
    with pytest.raises(CancelledError):
        workplace.do("a", _bench)


def test_the_folder_of_a_check_lasts_until_its_end(workplace: Workplace) -> None:
    folder = workplace.folder("a")
    assert workplace.folder("a") == folder != workplace.folder("b")
    workplace.forget("a")
    assert not folder.exists()
    assert workplace.folder("b").is_dir()
