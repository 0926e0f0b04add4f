"""A session: runs share browsers, in a separate thread, so that callers need no event loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from .api import Arrays, asked_options, path_or
from .options.keywords import accepts
from .results import Report
from .workflow.pipeline import Workbench

if TYPE_CHECKING:
    from .options.settings import CompareKeywords, TraceKeywords

T = TypeVar("T")

#: The most seconds for the end of an interrupted run, or of the browsers.
_GRACE_S = 30.0


class Session:
    """Compares and traces models in browsers that stay open between the calls.

    A context manager, which closes the browsers at its end. Browsers start when a run needs them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._workbench: Workbench | None = None
        self._running: set[asyncio.Task[Any] | None] = set()  # only used by the loop's thread

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @accepts("compare")
    def compare(
        self,
        model: str | os.PathLike[str] | Any,
        inputs: str | os.PathLike[str] | Arrays | None = None,
        **options: Unpack[CompareKeywords],
    ) -> Report:
        """Compare as `pycheck.compare` does.

        Args:
            model, inputs: As in `pycheck.compare`.
        """
        asked = asked_options(options, inputs)
        return Report.of(self.run(lambda workbench: workbench.compare(path_or(model), path_or(inputs), asked)))

    @accepts("trace")
    def trace(
        self,
        model: str | os.PathLike[str] | Any,
        inputs: str | os.PathLike[str] | Arrays | None = None,
        **options: Unpack[TraceKeywords],
    ) -> Report:
        """Trace as `pycheck.trace` does.

        Args:
            model, inputs: As in `pycheck.compare`.
        """
        asked = asked_options({**options, "trace": True}, inputs)
        return Report.of(self.run(lambda workbench: workbench.trace(path_or(model), path_or(inputs), asked)))

    def run(self, work: Callable[[Workbench], Coroutine[Any, Any, T]]) -> T:
        """Do the work and wait for it. An interrupt (Ctrl-C, a timeout of a test) ends the work first."""
        __tracebackhide__ = True
        loop, workbench = self._started()
        ended = threading.Event()

        async def watched() -> T:
            task = asyncio.current_task()
            self._running.add(task)
            try:
                return await work(workbench)
            finally:
                self._running.discard(task)
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
        """End the browsers and the thread; a run in a different thread ends first, with CancelledError."""
        with self._lock:
            loop, thread, workbench = self._loop, self._thread, self._workbench
            self._loop = self._thread = self._workbench = None
        if loop and thread and workbench:
            try:
                asyncio.run_coroutine_threadsafe(self._end(workbench), loop).result(_GRACE_S)
            finally:
                loop.call_soon_threadsafe(loop.stop)
                thread.join(_GRACE_S)
                if not thread.is_alive():
                    loop.close()

    async def _end(self, workbench: Workbench) -> None:
        runs = [task for task in self._running if task]
        for task in runs:
            task.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        await workbench.__aexit__()

    def _started(self) -> tuple[asyncio.AbstractEventLoop, Workbench]:
        with self._lock:
            if self._loop is None or self._workbench is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="pycheck", daemon=True)
                self._thread.start()
                self._workbench = Workbench()
            return self._loop, self._workbench
