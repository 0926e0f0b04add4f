"""Starts browsers with Playwright, with few flags, and observes them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import RuntimeFailedError, RuntimeTimeoutError, RuntimeUnavailableError
from ..browser.session import Session
from . import firefox
from .base import (
    NAMES,
    SLOW_START,
    Browser,
    ConsoleLine,
    FoundBrowser,
    Launcher,
    LaunchOptions,
    Listener,
    Page,
    closed_error,
    describe,
)
from .display import Display, open_display
from .finding import advice

#: Headless Chromium renders in software by default; this flag restores its usual choice, which is the GPU if there is
#: one, else SwiftShader (headless_mode_switches.h in Chromium). On Linux without a display it is SwiftShader
#: nevertheless: see GPU_ON_LINUX in proof.py.
HEADLESS_ARGS = ("--enable-gpu",)
#: Playwright's own defaults already keep background networking, updates and sync off.
QUIET_ARGS = ("--no-pings", "--disable-domain-reliability", "--disable-client-side-phishing-detection")
#: The flag that enables WebGPU on Linux and on software adapters.
WEBGPU_ARGS = ("--enable-unsafe-webgpu",)

#: Chromium's message if its sandbox prevents the start.
_SANDBOX = re.compile(r"--no-sandbox is not supported|No usable sandbox|SUID sandbox helper|sandboxing failed", re.I)
_PLAYWRIGHT_WORDS = ("<launching>", "<launched>", "Call log", "╔", "║", "╚")
#: The most seconds for a browser to end, which usually takes less than one.
_CLOSE_TIMEOUT_S = 10.0
_CLEANUP_TIMEOUT_S = 5.0
#: The most seconds for a page to close; otherwise it ends with its browser.
_PAGE_CLOSE_TIMEOUT_S = 5.0
#: The path of Chromium's socket below its TMPDIR, and the longest path of a socket: 108 bytes including the terminator
#: on Linux, 104 on other systems (sun_path in unix(7) and in the manual pages of BSD).
_SOCKET = "/org.chromium.Chromium.XXXXXX/SingletonSocket"
_SOCKET_PATH_BYTES = 103
_SHORT_FOLDER = "/tmp"
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
    """A page in a separate context, which shows one session after the other.

    A page for the next session costs half of a new one: the process, the compiled harness and the context stay, and the
    document, with all that TF.js and the model were in it, is new.
    """

    def __init__(self, browser: PlaywrightBrowser, context: Any) -> None:
        self.context = context
        self._browser = browser
        self._session: Session | None = None

    async def visit(self, session: Session, said: Listener) -> None:
        """Open the session's address."""
        self._session = session
        page = await self.context.new_page() if not self.context.pages else self.context.pages[0]
        self._listeners = {
            "console": lambda message: said(ConsoleLine(message.type, message.text)),
            "crash": lambda _: session.fail(RuntimeFailedError("The page crashed.", _CRASH_ADVICE)),
            "pageerror": lambda error: session.fail(RuntimeFailedError(f"Uncaught error in the page: {error.message}")),
            "close": lambda _: session.fail_unless_explained(RuntimeFailedError("The page was closed.")),
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)
        self._page = page
        await page.goto(session.url, wait_until="commit", timeout=0)

    def fail(self, error: Exception) -> None:
        """Report to its session, if it shows one, that the page has gone."""
        if self._session:
            self._session.fail(error)

    async def collect_garbage(self) -> None:
        """Make the engine free memory; if the page has gone, its session has reported that."""
        from playwright.async_api import Error

        with suppress(Error):
            for page in self.context.pages:
                await page.request_gc()

    async def close(self) -> None:
        """Leave the session. The browser keeps a page that responds for the next one, and closes any other."""
        session, self._session = self._session, None
        can_show_another = False
        try:
            can_show_another = session is not None and session.is_alive and await self._is_blank()
        finally:
            if can_show_another:
                self._browser.keep(self)
            else:
                await self.discard()

    async def discard(self) -> None:
        """Close the context, unless it has gone."""
        from playwright.async_api import Error

        self._browser.forget(self)
        with suppress(Error, TimeoutError):
            async with asyncio.timeout(_PAGE_CLOSE_TIMEOUT_S):
                await self.context.close()

    async def _is_blank(self) -> bool:
        """Go to an empty document, which frees all that the session's document had; tell whether the page did."""
        from playwright.async_api import Error

        try:
            for event, listener in self._listeners.items():
                self._page.remove_listener(event, listener)
            async with asyncio.timeout(_BLANK_TIMEOUT_S):
                await self._page.goto("about:blank", timeout=0)
                await self._page.request_gc()  # else weights stay, on the GPU too, until V8 needs the memory
        except (Error, KeyError, TimeoutError):
            return False
        return True


class PlaywrightBrowser(Browser):
    """A browser that Playwright drives, whoever started it. It keeps pages that sessions have left for later ones."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle  # playwright.async_api.Browser
        self.version = handle.version
        self._pages: list[PlaywrightPage] = []
        self._idle: list[PlaywrightPage] = []
        handle.on("disconnected", self._disconnected)

    @property
    def is_alive(self) -> bool:
        """Tell whether Playwright is connected to it."""
        return bool(self.handle.is_connected())

    async def open_page(self, session: Session, said: Listener) -> Page:
        """Show the session in a page that an earlier one has left, or else in a new context."""
        from playwright.async_api import Error

        try:
            while self._idle:
                page = self._idle.pop()
                with suppress(Error):  # it has crashed while nothing used it
                    return await self._shown(page, session, said)
            page = PlaywrightPage(self, await self.handle.new_context())
            self._pages.append(page)
            return await self._shown(page, session, said)
        except Error as error:
            # The usual reason is a failure of the page or the browser, whose message is better.
            with suppress(TimeoutError):
                async with asyncio.timeout(_CAUSE_S):
                    await session.failed()
            raise RuntimeFailedError(f"The browser failed while opening a page: {error.message}") from None

    def _disconnected(self, _: object) -> None:
        for page in self._pages:
            page.fail(closed_error())

    async def _shown(self, page: PlaywrightPage, session: Session, said: Listener) -> PlaywrightPage:
        try:
            await page.visit(session, said)
        except BaseException:
            await page.discard()
            raise
        return page

    def keep(self, page: PlaywrightPage) -> None:
        """Use this page, which shows an empty document, for a later session."""
        self._idle.append(page)

    def forget(self, page: PlaywrightPage) -> None:
        """Use this page no more."""
        for pages in (self._pages, self._idle):
            if page in pages:
                pages.remove(page)

    async def close(self) -> None:
        """Disconnect."""
        await self._closed()

    async def _closed(self) -> bool:
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                with suppress(Error):  # its connection ended first
                    await self.handle.close()
        except TimeoutError:
            return False
        return True


class StartedBrowser(PlaywrightBrowser):
    """A browser process that Playwright started."""

    def __init__(self, handle: Any, identity: _Identity, found: FoundBrowser, sandbox: bool | None) -> None:
        super().__init__(handle)
        self.path = found.path
        self.source = found.source
        self.sandbox = sandbox
        self._identity = identity

    @property
    def pid(self) -> int | None:
        """Return the browser's own process; only Chromium reports it."""
        return self._identity.pid

    async def close(self) -> None:
        """End it; a browser that does not end in time is killed."""
        if not await self._closed():
            if self.pid is not None:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            await self._closed()  # Playwright sees the process end, and removes its profile
        if self._identity.profile is not None:
            await _until_gone(self._identity.profile)
        # Files that a killed browser, or Playwright on a busy machine, had no time to remove.
        for folder in (self._identity.profile, self._identity.socket_folder):
            if folder is not None:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


class PlaywrightLauncher(Launcher):
    """Starts any Chromium, or Playwright's own Firefox or WebKit."""

    name = "started by Playwright"

    def __init__(self, engine: str, found: FoundBrowser) -> None:
        self._engine = engine
        self._found = found
        self._driver = Driver()
        self._displays: list[Display] = []
        self._driver.start()

    @property
    def found(self) -> FoundBrowser:
        """Return the browser that it starts."""
        return self._found

    async def launch(self, options: LaunchOptions) -> Browser:
        """Start a browser with its sandbox, or without it if it does not start with it."""
        playwright = await self._driver.get()
        for sandbox in (True, False):
            try:
                return await self._launch(playwright, options, sandbox)
            except RuntimeUnavailableError as error:
                if not sandbox or not _SANDBOX.search(error.message):
                    raise
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """End Playwright."""
        await self._driver.close()
        for display in self._displays:
            await display.close()

    async def _launch(self, playwright: Any, options: LaunchOptions, sandbox: bool) -> Browser:
        from playwright.async_api import Error, TimeoutError

        display = await self._display(options)
        arguments: dict[str, Any] = {
            "executable_path": self._found.path,
            "headless": display.headless,
            "args": list(options.args),
            "timeout": options.timeout_s * 1000,
            "handle_sigint": False,  # Python receives Ctrl-C too, and closes the browser
        }
        if self._engine == "chromium":
            arguments["chromium_sandbox"] = sandbox
            arguments["args"] = [
                *(WEBGPU_ARGS if options.webgpu else ()),
                *QUIET_ARGS,
                *(HEADLESS_ARGS if display.headless else ()),
                *options.args,
            ]
        elif self._engine == "firefox":
            arguments["firefox_user_prefs"] = dict(firefox.preferences(options.webgpu))
        if own := {**display.environment, **(_room_for_a_socket() if self._engine == "chromium" else {})}:
            arguments["env"] = {**os.environ, **own}
        path = self._found.path
        try:
            handle = await getattr(playwright, self._engine).launch(**arguments)
        except TimeoutError as error:
            raise RuntimeTimeoutError(
                f"The browser {path} did not start within {options.timeout_s:g} s: {_said(error.message)}",
                SLOW_START,
            ) from None
        except Error as error:
            raise RuntimeUnavailableError(
                f"The browser {path} does not start: {_said(error.message)}", advice(self._engine)
            ) from None
        identity = await _identify(handle) if self._engine == "chromium" else _Identity()
        browser = StartedBrowser(handle, identity, self._found, sandbox if self._engine == "chromium" else None)
        browser.description = describe(NAMES[self._engine], browser.version, display.description, self.name)
        browser.renderer = display.renderer
        return browser

    async def _display(self, options: LaunchOptions) -> Display:
        """Choose the display: headless Firefox on Linux has no WebGL; the other two have it."""
        if self._engine != "firefox":
            return Display(headless=not options.headed)
        display = await open_display(headed=options.headed, has_headless=True, timeout_s=options.timeout_s)
        self._displays.append(display)
        return display


def _room_for_a_socket() -> dict[str, str]:
    """Return a different TMPDIR for Chromium if the present one is too long for its socket."""
    too_long = len(os.fsencode(tempfile.gettempdir())) + len(_SOCKET) > _SOCKET_PATH_BYTES
    return {"TMPDIR": _SHORT_FOLDER} if too_long and os.access(_SHORT_FOLDER, os.W_OK) else {}


async def _until_gone(folder: Path) -> None:
    """Wait until Playwright has removed its files after the end of a browser, because Playwright ends next."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLEANUP_TIMEOUT_S):
            while folder.exists():
                await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class _Identity:
    """The data to end a browser that does not respond, and to clean up after it."""

    pid: int | None = None
    profile: Path | None = None
    socket_folder: Path | None = None  # on Linux, Chromium makes a second folder beside the profile


async def _identify(handle: Any) -> _Identity:
    session = await handle.new_browser_cdp_session()
    try:
        processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
        command = (await session.send("SystemInfo.getInfo"))["commandLine"]
    finally:
        await session.detach()
    pid = next((int(process["id"]) for process in processes if process["type"] == "browser"), None)
    found = re.search(r"--user-data-dir=(\S+)", command)
    profile = Path(found[1]) if found else None
    socket = profile / "SingletonSocket" if profile else None
    return _Identity(pid, profile, socket.readlink().parent if socket and socket.is_symlink() else None)


def _said(message: str) -> str:
    """Return the browser's own output within Playwright's message."""
    lines = [re.sub(r"^\s*-?\s*(\[pid=\d+\])?(\[(out|err)\])?\s*", "", line) for line in message.splitlines()]
    said = [line for line in lines if line and not line.startswith(_PLAYWRIGHT_WORDS)]
    return "; ".join(dict.fromkeys(said))[:1000] or message[:1000]
