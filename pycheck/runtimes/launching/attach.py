"""Uses a browser window that a person opened at pycheck's address, while it stays open."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from ... import protocol
from ...errors import RuntimeTimeoutError
from ..browser.session import Session
from .base import NAMES, Browser, Launcher, LaunchOptions, Listener, Page, describe
from .window import Sessions, Window, WindowPage, identify

#: A function that shows an address to the person who opens it.
Invite = Callable[[str], None]


class AttachLauncher(Launcher):
    """Asks for a window and waits until it is open."""

    name = "opened by hand"

    def __init__(self, engine: str, sessions: Sessions, invite: Invite | None = None) -> None:
        self._engine = engine
        self._sessions = sessions
        self._invite = invite or self._print

    async def launch(self, options: LaunchOptions) -> Browser:
        """Wait for the window to be opened."""
        browser = AttachedBrowser(self._engine, self._sessions, self._invite, options.timeout_s)
        try:
            await browser.start()
        except BaseException:
            await browser.close()
            raise
        return browser

    def _print(self, address: str) -> None:
        print(f"pycheck: Open this address in {NAMES[self._engine]}: {address}", file=sys.stderr, flush=True)


class AttachedBrowser(Browser):
    """One window, which shows one page after the other. If it was closed, the next page asks for it again."""

    def __init__(self, engine: str, sessions: Sessions, invite: Invite, timeout_s: float) -> None:
        self._engine = engine
        self._sessions = sessions
        self._invite = invite
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._window: Window | None = None
        self._closed = False

    async def start(self) -> None:
        """Ask for the window."""
        hello = await self._open()
        _, self.version = identify(hello.user_agent)
        self.description = describe(NAMES[self._engine], self.version, "headed", AttachLauncher.name)

    @property
    def is_alive(self) -> bool:
        """Return True until it is closed: a lost window is asked for again."""
        return not self._closed

    async def open_page(self, session: Session, said: Listener) -> Page:
        """Send the window to the page, once the present page has ended."""
        await self._turn.acquire()
        try:
            if self._window is None or self._window.session is None or not self._window.session.is_alive:
                await self._open()
            window = self._window
            assert window is not None
            await window.go(session, said)
        except BaseException:
            self._turn.release()
            raise
        return WindowPage(window, self._turn.release, self._lose)

    async def close(self) -> None:
        """Release the window, which then says that it can be closed."""
        self._closed = True
        if self._window is not None:
            await self._window.close()

    def _lose(self) -> None:
        self._window = None
        self._turn.release()

    async def _open(self) -> protocol.Hello:
        window = Window(self._sessions)
        lobby = await window.enter_lobby()
        self._invite(lobby.url)
        try:
            async with asyncio.timeout(self._timeout_s):
                hello = await window.arrived(self._engine)
        except BaseException as error:
            await window.close()
            if isinstance(error, TimeoutError):
                raise RuntimeTimeoutError(
                    f"The address {lobby.url} was not opened within {self._timeout_s:g} s.",
                    "Open it sooner, or set a longer --timeout.",
                ) from None
            raise
        self._window = window
        return hello
