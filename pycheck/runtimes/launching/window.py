"""A browser window that goes from page to page of pycheck's server: to a runtime's page, then back to wait.

Without a debugger that opens pages, a page itself has to open the next address: it does so when its connection ends
and the reason in the close frame is an address. Between two runtimes it is in the lobby, the same page without a
runtime.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from urllib.parse import urlsplit

from ... import protocol
from ...errors import RuntimeFailedError, RuntimeUnavailableError
from ..browser.session import Session
from .base import NAMES, ConsoleLine, Listener, Page

#: A function that makes a session of the server.
Sessions = Callable[[], AbstractAsyncContextManager[Session]]

#: The most seconds for a page to return to the lobby; otherwise it hangs.
_RETURN_TIMEOUT_S = 5.0

_ENGINES = (
    ("webkit", re.compile(r"(?:CriOS|FxiOS|EdgiOS)/([\d.]+)")),  # every browser on an iPhone is WebKit
    ("firefox", re.compile(r"\bFirefox/([\d.]+)")),
    ("chromium", re.compile(r"\b(?:Headless)?(?:Chrome|Chromium)/([\d.]+)")),
    ("webkit", re.compile(r"\bVersion/([\d.]+).* Safari/")),
    ("webkit", re.compile(r"\bAppleWebKit/([\d.]+)")),
)


def identify(user_agent: str) -> tuple[str, str]:
    """Return engine and version from a browser's user agent; empty if it is unknown."""
    for engine, pattern in _ENGINES:
        if match := pattern.search(user_agent):
            return engine, match[1]
    return "", ""


class Window:
    """One window. `session` is that of its present page."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._lobby = AsyncExitStack()
        self.session: Session | None = None
        self._listener: Listener | None = None
        self._past = ""

    async def enter_lobby(self) -> Session:
        """Make a new address to wait at; the window that opens it is this window."""
        self.session = session = await self._lobby.enter_async_context(self._sessions())
        return session

    async def arrived(self, engine: str) -> protocol.Hello:
        """Wait for the window; RuntimeUnavailableError if it has a different engine."""
        assert self.session is not None
        hello = await self.session.hello()
        found, _ = identify(hello.user_agent)
        if found and found != engine:
            raise RuntimeUnavailableError(
                f"The browser is {NAMES[found]}, not {NAMES[engine]} ({hello.user_agent}).",
                "Name the browser with its own engine.",
            )
        return hello

    async def go(self, session: Session, said: Listener) -> None:
        """Leave the lobby for a runtime's page."""
        lobby = self.session
        assert lobby is not None
        self.session, self._listener, self._past = session, said, urlsplit(lobby.url).path
        await lobby.close(session.url)
        await self._lobby.aclose()

    async def back(self) -> bool:
        """Leave a page for the lobby; False if the window does not respond and cannot be used any more."""
        left = self.session
        assert left is not None
        was_well, self._listener = left.is_alive, None
        lobby = await self.enter_lobby()
        await left.close(lobby.url if was_well else "")
        if not was_well:
            return False
        try:
            async with asyncio.timeout(_RETURN_TIMEOUT_S):
                await lobby.hello()
        except (RuntimeFailedError, TimeoutError):
            return False
        return True

    def lost(self, error: Exception) -> None:
        """Report to the session of its page that the window has gone."""
        if self.session is not None:
            self.session.fail(error)

    def hear(self, line: ConsoleLine) -> None:
        """Pass a console line to the listener of its page; late lines of an earlier page are dropped."""
        if self._listener and not (self._past and self._past in line.text):
            self._listener(line)

    async def close(self) -> None:
        """Release it."""
        await self._lobby.aclose()


class WindowPage(Page):
    """A runtime's page in a window, which is released, or given up, when the page is closed."""

    def __init__(self, window: Window, handed_back: Callable[[], None], given_up: Callable[[], object]) -> None:
        self._window = window
        self._handed_back = handed_back
        self._given_up = given_up
        self._is_open = True

    async def close(self) -> None:
        """Go back to the lobby."""
        if self._is_open:
            self._is_open = False
            came_back = False
            try:
                came_back = await self._window.back()
            finally:
                if came_back:
                    self._handed_back()
                else:
                    self._given_up()
