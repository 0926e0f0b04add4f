"""The process of a worker: one workbench for all parts that run there, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ..workflow.pipeline import Workbench

T = TypeVar("T")

#: After this time without work the browsers end; the next part starts them again.
IDLE_S = 60.0
_GRACE_S = 15.0


class Workplace:
    """What the parts in one process share. Browsers start when a part needs one, and end after a while without work."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pycheck-worker", daemon=True)
        self._thread.start()
        self._folders: dict[str, Path] = {}
        self._lock = threading.Lock()
        # Only the thread of the loop uses these.
        self._bench: Workbench | None = None
        self._running: dict[asyncio.Task[Any], str] = {}
        self._over: set[str] = set()  # checks that have ended; their parts may still come
        self._ending: asyncio.TimerHandle | None = None

    def do(self, token: str, work: Callable[[Workbench], Coroutine[Any, Any, T]]) -> T:
        """Do work of the check `token`, and wait for it. CancelledError if the check has ended, or ends meanwhile."""

        async def doing() -> T:
            task = asyncio.current_task()
            assert task
            if token in self._over:
                raise asyncio.CancelledError
            if self._ending:
                self._ending.cancel()
            self._bench = self._bench or Workbench()
            self._running[task] = token
            try:
                return await work(self._bench)
            finally:
                del self._running[task]
                if not self._running:
                    self._ending = self._loop.call_later(IDLE_S, lambda: self._loop.create_task(self._end()))

        return asyncio.run_coroutine_threadsafe(doing(), self._loop).result()

    def folder(self, token: str) -> Path:
        """Return a folder that lasts until the end of a check."""
        with self._lock:
            if token not in self._folders:
                self._folders[token] = Path(tempfile.mkdtemp(prefix="pycheck-worker-"))
            return self._folders[token]

    def forget(self, token: str) -> None:
        """End what is left of a check, and the browsers unless another check uses them."""
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._forget(token), self._loop).result(_GRACE_S)
        with self._lock:
            folder = self._folders.pop(token, None)
        if folder:
            shutil.rmtree(folder, ignore_errors=True)

    async def _forget(self, token: str) -> None:
        self._over.add(token)
        left = [task for task, of in self._running.items() if of == token]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._end()

    async def _end(self) -> None:
        """Close the workbench, unless it is used."""
        if self._bench and not self._running:
            bench, self._bench = self._bench, None
            await bench.__aexit__()

    def close(self) -> None:
        """End everything."""
        for token in [*self._folders, *set(self._running.values())]:
            self.forget(token)
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_GRACE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)


_lock = threading.Lock()
_here: Workplace | None = None


def here() -> Workplace:
    """Return that of this process."""
    global _here
    with _lock:
        if _here is None:
            _here = Workplace()
            atexit.register(_here.close)
        return _here
