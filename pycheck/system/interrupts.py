"""Ctrl-C and SIGTERM end what runs in order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

#: A signal so soon after the first is the same: timeout(1) sends it to the process, and then to its whole group, and a
#: busy machine is slow to hand them over.
_SAME_S = 1.0

EXIT_SIGNAL = 128  # and the number of the signal: 130 for Ctrl-C, 143 for SIGTERM


class Interrupted(BaseException):
    """A signal ended the work, and everything that it had started is closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = EXIT_SIGNAL + number


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end. A signal cancels the work, which closes its browsers; a second one does not wait.

    Interrupted once that is done.
    """
    import asyncio  # not above: `pycheck --help` has no use for it, and it takes as long as all of pycheck's own

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
                os._exit(EXIT_SIGNAL + number)  # Playwright's driver ends the browsers when we are gone

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
        if received:  # what broke because it was being closed
            raise Interrupted(received[0]) from None
        raise
