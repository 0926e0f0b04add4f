"""Waits for files to change. Events of the system wake it up; the stamps of the files decide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from ..errors import InstallationError
from ..system.stamps import Stamps, changed, stamps

#: A function that waits for events in folders, not below them, and yields after each group of events.
Events = Callable[[Collection[Path]], AsyncIterator[Any]]
#: A group of events ends with so many milliseconds without one: a save of a file is many events.
_QUIET_MS = 20
#: The most seconds between two looks at the files: some network drives have no events.
_LOOK_S = 2.0


def events(folders: Collection[Path]) -> AsyncIterator[Any]:
    """Watch folders with the package watchfiles; InstallationError if it is not installed."""
    try:
        from watchfiles import awatch
    except ImportError as error:
        raise InstallationError(
            f"pycheck watch needs the package watchfiles: {error}.", 'Install it: pip install "watchfiles>=0.21"'
        ) from error
    return awatch(*folders, watch_filter=None, step=_QUIET_MS, recursive=False)


class Changes:
    """The changes of files, as an asynchronous context manager; `ignored` are files that pycheck itself writes."""

    def __init__(self, ignored: Collection[Path] = (), events: Events = events, look_s: float = _LOOK_S) -> None:
        self._ignored = frozenset(path.resolve() for path in ignored)
        self._events = events
        self._look_s = look_s
        self._places: Callable[[], Iterable[Path]] = lambda: ()
        self._late: frozenset[Path] = frozenset()  # of which only a run tells that it reads them
        self._seen: Stamps = {}
        self._folders: frozenset[Path] = frozenset()
        self._watching: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stop()

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files that are watched."""
        return tuple(self._seen)

    async def begin(self, places: Callable[[], Iterable[Path]], known: Stamps) -> tuple[Path, ...]:
        """Watch the files at these places, which may be others at each look; return those that changed until now.

        `known` are stamps that were taken earlier, before the files were read.
        """
        self._places, self._late = places, frozenset()
        known = {file.absolute(): stamp for file, stamp in known.items()}
        before, present = self._seen, {**await asyncio.to_thread(self._look), **known}
        self._seen = present
        await self._follow()
        return tuple(file for file in changed(before, present) if file in before and file in present)

    async def extend(self, files: Iterable[Path], read_since: float) -> None:
        """Watch files too of which only now it is known that they were read, since a time of the clock in seconds."""
        self._late = frozenset(file.absolute() for file in files)
        new = await asyncio.to_thread(stamps, self._late - self._seen.keys())
        late = {file for file, stamp in new.items() if stamp and stamp[1] >= read_since * 1e9}
        self._seen = {**self._seen, **{file: None if file in late else stamp for file, stamp in new.items()}}
        await self._follow()

    async def now(self) -> tuple[Path, ...]:
        """Return the files that have changed since `begin`."""
        return changed(self._seen, await asyncio.to_thread(self._look))

    async def next(self) -> tuple[Path, ...]:
        """Wait until files have changed since `begin`."""
        while not (found := await self.now()):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await self._woken.wait()
            self._woken.clear()
        return found

    def _look(self) -> Stamps:
        found = stamps({place.absolute(): None for place in self._places()} | dict.fromkeys(self._late))
        return {file: stamp for file, stamp in found.items() if file.resolve() not in self._ignored}

    async def _follow(self) -> None:
        """Watch the folders of the files, or the nearest ones that exist."""
        folders = frozenset(_existing(file.absolute().parent) for file in self._seen)
        if folders != self._folders:
            await self._stop()
            self._folders = folders
            self._watching = asyncio.create_task(self._watch(folders)) if folders else None

    async def _watch(self, folders: Collection[Path]) -> None:
        async for _ in self._events(folders):
            self._woken.set()

    async def _stop(self) -> None:
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.is_dir())
