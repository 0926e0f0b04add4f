"""Ends the work in an orderly way on Ctrl-C and SIGTERM."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

#: A second signal within this time counts as the first: timeout(1) sends it to the process and then to its whole group,
#: and a busy machine delivers it late.
_SAME_S = 1.0

EXIT_SIGNAL = 128  # plus the number of the signal: 130 for Ctrl-C, 143 for SIGTERM


class Interrupted(BaseException):
    """The error after a signal has ended the work, and everything that it started is closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = EXIT_SIGNAL + number


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end. A signal cancels the work, which closes its browsers; a second one ends the process at once.

    Interrupted is raised after the work has closed everything.
    """
    import asyncio  # imported here, because `pycheck --help` does not need it, and it is slow

    received: list[int] = []
    first = 0.0

    async def guarded() -> T:
        task = asyncio.ensure_future(work)

        def interrupt(number: int) -> None:
            nonlocal first
            if not received:
                received.append(number)
                first = time.monotonic()
                task.cancel()
            elif time.monotonic() - first > _SAME_S:
                os._exit(EXIT_SIGNAL + number)  # Playwright's driver ends the browsers after this process

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows: asyncio.run cancels on Ctrl-C by itself
                loop.add_signal_handler(number, interrupt, number)
        return await task

    try:
        return asyncio.run(guarded())
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise Interrupted(received[0] if received else signal.SIGINT) from None
    except Exception:
        if received:  # errors caused by closing
            raise Interrupted(received[0]) from None
        raise
