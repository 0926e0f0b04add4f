"""A watch in a test: files that are saved, events that are told, and a job that answers when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycheck.watching.changes import Changes
from pycheck.watching.jobs import Job
from pycheck.watching.loop import Answer, Event, Watch

#: A test that waits longer than this has failed; a look at the files without an event would hide a missing event.
LONG_S = 20.0


@dataclass
class Disk:
    """Files, and what the system says of them."""

    folder: Path
    folders: list[frozenset[Path]] = field(default_factory=list)  # that were watched
    _woken: list[asyncio.Event] = field(default_factory=list)

    def save(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        self.wake()
        return path

    def wake(self) -> None:
        for woken in self._woken:
            woken.set()

    async def events(self, folders: Collection[Path]) -> AsyncIterator[None]:
        self.folders.append(frozenset(folders))
        self._woken.append(woken := asyncio.Event())
        while True:
            await woken.wait()
            woken.clear()
            yield

    def changes(self, ignored: Iterable[Path] = ()) -> Changes:
        return Changes([*ignored], self.events, LONG_S)


class Told:
    """What a watch tells, in order."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue()

    def __call__(self, event: Event) -> None:
        self._queue.put_nowait(event)

    async def next(self, kind: type[Any]) -> Any:
        """The next event of a kind; those before are dropped, except answers."""
        while True:
            event = await asyncio.wait_for(self._queue.get(), LONG_S)
            if isinstance(event, kind):
                return event
            assert not isinstance(event, Answer), event

    @property
    def is_silent(self) -> bool:
        return self._queue.empty()


async def until_acted(make: Callable[[Told], Watch], act: Callable[[Told], Awaitable[None]]) -> None:
    """Run a watch until the test has acted; an error of either counts."""
    told = Told()
    watching = asyncio.ensure_future(make(told).run())
    acting = asyncio.ensure_future(act(told))
    try:
        await asyncio.wait({watching, acting}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        acting.result()
    finally:
        for task in (watching, acting):
            task.cancel()
        await asyncio.gather(watching, acting, return_exceptions=True)


def watch(
    disk: Disk,
    plan: Callable[[], Job],
    act: Callable[[Told], Awaitable[None]],
    *,
    settle_s: float = 0.0,
    ignored: Iterable[Path] = (),
) -> None:
    """Watch while the test acts."""

    async def both() -> None:
        async with disk.changes(ignored) as changes:
            await until_acted(lambda told: Watch(plan, changes, told, settle_s), act)

    asyncio.run(both())
