"""The workbench of a session, in a thread of its own: tests are not asynchronous, and browsers outlive each of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..pipeline import Workbench

T = TypeVar("T")

#: How long an interrupted run, or the end of the browsers, may take.
_GRACE_S = 30.0


class Bench:
    """Starts with the first run. Browsers start when a run needs them and end in `close`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._workbench: Workbench | None = None

    def run(self, work: Callable[[Workbench], Coroutine[Any, Any, T]]) -> T:
        """Do it and wait. What interrupts the wait (Ctrl-C, a timeout of the test) ends the work first."""
        __tracebackhide__ = True
        loop, workbench = self._started()
        ended = threading.Event()

        async def watched() -> T:
            try:
                return await work(workbench)
            finally:
                ended.set()

        future = asyncio.run_coroutine_threadsafe(watched(), loop)
        try:
            return future.result()
        except BaseException:
            if not ended.is_set():
                future.cancel()
                ended.wait(_GRACE_S)
            raise

    def close(self) -> None:
        """End the browsers and the thread."""
        if self._loop and self._thread and self._workbench:
            asyncio.run_coroutine_threadsafe(self._workbench.__aexit__(), self._loop).result(_GRACE_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_GRACE_S)
            self._loop.close()
        self._loop = self._thread = self._workbench = None

    def _started(self) -> tuple[asyncio.AbstractEventLoop, Workbench]:
        if self._loop is None or self._workbench is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="pycheck", daemon=True)
            self._thread.start()
            self._workbench = Workbench()
        return self._loop, self._workbench
