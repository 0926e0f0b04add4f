"""Browsers that Playwright drives, whoever started them, and their pages."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from ...errors import RuntimeFailedError, RuntimeUnavailableError
from ..browser.session import Session
from .base import Browser, ConsoleLine, Listener, Page, closed_error

#: The most seconds for a browser to end, which usually takes less than one.
_CLOSE_TIMEOUT_S = 10.0
#: The most seconds for a page to close; otherwise it ends with its browser.
_PAGE_CLOSE_TIMEOUT_S = 5.0
#: The most seconds for a page to show an empty document; otherwise it hangs.
_BLANK_TIMEOUT_S = 2.0
#: The most seconds until the cause is reported, after Playwright could not open a page.
_CAUSE_S = 1.0

_CRASH_ADVICE = "It may have run out of memory. Try a smaller --batch-size, or fewer runtimes at a time."


class Driver:
    """Playwright's own process, started on the first request and shared by the launches of one host."""

    def __init__(self) -> None:
        self._starting: asyncio.Task[Any] | None = None

    async def get(self) -> Any:
        """Return the started playwright.async_api.Playwright; RuntimeUnavailableError if it does not start."""
        self.start()
        assert self._starting is not None
        return await asyncio.shield(self._starting)

    def start(self) -> None:
        """Start it, without waiting."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(_start_playwright())

    async def close(self) -> None:
        """End it, and with it all that it started."""
        if self._starting is not None:
            for outcome in await asyncio.gather(self._starting, return_exceptions=True):
                if not isinstance(outcome, BaseException):
                    await outcome.stop()


async def _start_playwright() -> Any:
    from playwright.async_api import async_playwright

    try:
        return await async_playwright().start()
    except Exception as error:  # the start of its driver may raise any error
        raise RuntimeUnavailableError(
            f"Playwright does not start: {error}", "Reinstall it: pip install --force-reinstall playwright"
        ) from None


class PlaywrightPage(Page):
    """A page that shows one session after the other.

    A page for the next session costs half of a new one: the process and the compiled harness stay, and the document,
    with all that TF.js and the model were in it, is new.
    """

    def __init__(self, browser: PlaywrightBrowser, page: Any) -> None:
        self.page = page  # playwright.async_api.Page
        self._browser = browser
        self._session: Session | None = None
        self._said: Listener | None = None
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        page.on("crash", self._on_crash)
        page.on("close", self._on_close)

    @property
    def is_idle(self) -> bool:
        """Tell whether it shows no session."""
        return self._session is None

    async def visit(self, session: Session, said: Listener) -> None:
        """Open the session's address."""
        self._session, self._said = session, said
        await self.page.goto(session.url, wait_until="commit", timeout=0)

    def fail(self, error: Exception) -> None:
        """Report to its session, if it shows one, that the page has gone."""
        if self._session:
            self._session.fail(error)

    async def collect_garbage(self) -> None:
        """Make the engine free memory; if the page has gone, its session has reported that."""
        from playwright.async_api import Error

        with suppress(Error):
            await self.page.request_gc()

    async def close(self) -> None:
        """Leave the session. The browser uses a page that responds for the next one, and closes any other."""
        responds = False
        try:
            responds = self._session is not None and self._session.is_alive and await self._show_nothing()
        finally:
            if not responds:
                await self.discard()
            self._session = None

    async def discard(self) -> None:
        """Close it, unless it has gone."""
        from playwright.async_api import Error

        self._browser.forget(self)
        with suppress(Error, TimeoutError):
            async with asyncio.timeout(_PAGE_CLOSE_TIMEOUT_S):
                await self.page.close()

    async def _show_nothing(self) -> bool:
        """Go to an empty document, which frees all that the session's document had; tell whether the page did."""
        from playwright.async_api import Error

        self._said = None
        try:
            async with asyncio.timeout(_BLANK_TIMEOUT_S):
                await self.page.goto("about:blank", timeout=0)
                await self.page.request_gc()  # else weights stay, on the GPU too, until V8 needs the memory
        except (Error, TimeoutError):
            return False
        return True

    def _on_console(self, message: Any) -> None:
        if self._said:
            self._said(ConsoleLine(message.type, message.text))

    def _on_error(self, error: Any) -> None:
        self.fail(RuntimeFailedError(f"Uncaught error in the page: {error.message}"))

    def _on_crash(self, _: object) -> None:
        if self.is_idle:
            self._browser.forget(self)
        self.fail(RuntimeFailedError("The page crashed.", _CRASH_ADVICE))

    def _on_close(self, _: object) -> None:
        if self._session:
            self._session.fail_unless_explained(RuntimeFailedError("The page was closed."))
        else:
            self._browser.forget(self)


class PlaywrightBrowser(Browser):
    """A browser that Playwright drives, whoever started it. Its idle pages are for later sessions.

    All pages are tabs of one window, in a context of its own: a window for each would cost twice as much. A tab has a
    process of its own nevertheless, and Playwright lets it run as if it were in front.
    """

    def __init__(self, handle: Any) -> None:
        self.handle = handle  # playwright.async_api.Browser
        self.version = handle.version
        self._pages: list[PlaywrightPage] = []
        self._context: Any = None  # playwright.async_api.BrowserContext, made with the first page
        self._making = asyncio.Lock()
        handle.on("disconnected", self._on_end)

    @property
    def is_alive(self) -> bool:
        """Tell whether Playwright is connected to it."""
        return bool(self.handle.is_connected())

    async def open_page(self, session: Session, said: Listener) -> Page:
        """Show the session in an idle page, or else in a new one."""
        from playwright.async_api import Error

        try:
            page = next((page for page in self._pages if page.is_idle), None) or await self._new_page()
            try:
                await page.visit(session, said)
            except BaseException:
                await page.discard()
                raise
            return page
        except Error as error:
            # The usual reason is a failure of the page or the browser, whose message is better.
            with suppress(TimeoutError):
                async with asyncio.timeout(_CAUSE_S):
                    await session.failed()
            raise RuntimeFailedError(f"The browser failed while opening a page: {error.message}") from None

    def forget(self, page: PlaywrightPage) -> None:
        """Use this page no more."""
        if page in self._pages:
            self._pages.remove(page)

    async def close(self) -> None:
        """Disconnect."""
        await self._closed()

    async def _new_page(self) -> PlaywrightPage:
        async with self._making:
            if self._context is None:
                self._context = await self.handle.new_context()
        page = PlaywrightPage(self, await self._context.new_page())
        self._pages.append(page)
        return page

    def _on_end(self, _: object) -> None:
        for page in self._pages:
            page.fail(closed_error())

    async def _closed(self) -> bool:
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                with suppress(Error):  # its connection ended first
                    await self.handle.close()
        except TimeoutError:
            return False
        return True
