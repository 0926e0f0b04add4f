"""A command that runs with a keeper: its output, its end, and the way to end it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ...errors import RuntimeUnavailableError

_KEEPER = Path(__file__).with_name("keeper.py")
#: The keeper kills a command after 3 s; a keeper that needs longer than this hangs itself.
_CLOSE_TIMEOUT_S = 10.0
_LINES = 8
_LONGEST_LINE = 1 << 20


class Kept:
    """A running command. `pid` is its own; `ended` is done when it and all processes that it started have ended."""

    def __init__(self, keeper: asyncio.subprocess.Process, folder: Path, listen: Callable[[str], None] | None) -> None:
        self.pid = 0
        self._keeper = keeper
        self._folder = folder
        self._listen = listen
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._news = asyncio.Event()
        self.ended = asyncio.ensure_future(self._watch())

    @classmethod
    async def start(
        cls,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str],
        gently: bool = False,
        listen: Callable[[str], None] | None = None,
    ) -> Kept:
        """Run a command with `environment` added to the present one; `folder` belongs to it and is removed with it.

        `gently` asks it to end before it is killed; `listen` receives every line of its output.
        RuntimeUnavailableError if it cannot run.
        """
        how = "TERM" if gently else "KILL"
        try:
            keeper = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_KEEPER), how, str(folder), *map(str, command)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **environment},
                start_new_session=True,
                limit=_LONGEST_LINE,
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        kept = cls(keeper, folder, listen)
        try:
            assert keeper.stdout is not None
            line = await keeper.stdout.readline()
        except BaseException:
            await kept.close()
            raise
        if not line:
            await kept.ended
            raise RuntimeUnavailableError(f"{command[0]} does not start: {kept.said}")
        kept.pid = int(line)
        return kept

    @property
    def said(self) -> str:
        """Return the last lines of its output, for the end of a message."""
        return "; ".join(dict.fromkeys(self._lines))[:1000] or "it printed nothing"

    async def line(self, fits: Callable[[str], bool]) -> str | None:
        """Wait for a line that matches; None if the command ends first."""
        while True:
            lines = list(self._lines)
            for line in lines:
                if fits(line):
                    return line
            if self.ended.done():
                return None
            self._news.clear()
            waiting = asyncio.ensure_future(self._news.wait())
            await asyncio.wait({waiting, self.ended}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()

    async def close(self) -> None:
        """End it, and wait until all processes that it started have ended."""
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await asyncio.shield(self.ended)
        except TimeoutError:
            for end in (self._kill_group, self._keeper.kill):
                with suppress(ProcessLookupError, PermissionError):
                    end()
            await self.ended
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _kill_group(self) -> None:
        if self.pid and os.name == "posix":
            os.killpg(self.pid, signal.SIGKILL)

    async def _watch(self) -> int:
        assert self._keeper.stderr is not None
        while line := await self._read_line(self._keeper.stderr):
            text = line.decode(errors="replace").strip()
            if text:
                self._lines.append(text)
                self._news.set()
                if self._listen:
                    self._listen(text)
        return await self._keeper.wait()

    async def _read_line(self, stream: asyncio.StreamReader) -> bytes:
        """Read a line, or the first part of one that never ends."""
        try:
            return await stream.readuntil()
        except asyncio.IncompleteReadError as cut:
            return cut.partial
        except asyncio.LimitOverrunError as overrun:
            return await stream.read(overrun.consumed)
