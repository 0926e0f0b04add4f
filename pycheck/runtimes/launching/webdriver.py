"""Uses browsers of a W3C WebDriver end: chromedriver, WebKitWebDriver, Safari, Selenium Grid, device clouds.

Each page has a WebDriver session, and so a browser, of its own; if the end has no other, a window of its own. The
session opens the page's address and is ended when the page is closed; nothing else goes through WebDriver
(https://www.w3.org/TR/webdriver2/).
"""

from __future__ import annotations

import asyncio
import json
import os
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp

from ...errors import RuntimeFailedError, RuntimeTimeoutError, RuntimeUnavailableError, UsageError
from ..browser.session import Session
from .base import NAMES, Browser, Launcher, LaunchOptions, Listener, Page, closed_error, describe

#: The scheme before the address of a WebDriver end: ``webdriver+http://localhost:4444``.
PREFIX = "webdriver+"

#: The names by which ends know the browsers of an engine, the usual one first.
_BROWSERS = {
    "chromium": ("chrome", "chromium", "MicrosoftEdge"),
    "firefox": ("firefox",),
    "webkit": ("safari", "MiniBrowser", "epiphany"),
}
#: The capability of each engine that takes the arguments of its browser.
_ARGUMENTS = {"chromium": "goog:chromeOptions", "firefox": "moz:firefoxOptions", "webkit": "webkitgtk:browserOptions"}
#: The flags of WebGPU, as for a Chromium that is started here.
_WEBGPU_ARGS = ("--enable-unsafe-webgpu",)
#: The seconds between two looks whether the browser is still there, and the most for one.
_LOOK_EVERY_S, _LOOK_TIMEOUT_S = 5.0, 30.0
#: The most seconds to end a session. A device cloud counts the minutes until then.
_END_TIMEOUT_S = 10.0


class WebDriverLauncher(Launcher):
    """Asks a WebDriver end for browsers. `capabilities` is a JSON file that decides which; None asks for the engine."""

    name = "through WebDriver"

    def __init__(self, engine: str, address: str, capabilities: Path | None = None) -> None:
        self._engine = engine
        self._end = _End(address.removeprefix(PREFIX).rstrip("/"))
        self._asked = _read(capabilities) if capabilities else None

    async def launch(self, options: LaunchOptions) -> Browser:
        """Begin the session of the first page, which shows that the end has the browser."""
        browser = WebDriverBrowser(self._engine, self._end, self._asked, options)
        await browser.start()
        return browser

    async def close(self) -> None:
        """End the connections."""
        await self._end.close()


class WebDriverBrowser(Browser):
    """The browsers of one end: one for each page, or a window for each if the end has no other browser."""

    def __init__(self, engine: str, end: _End, asked: Mapping[str, Any] | None, options: LaunchOptions) -> None:
        self._engine = engine
        self._end = end
        self._asked = asked
        self._options = options
        self._begun: list[_Begun] = []
        self._closed = False

    async def start(self) -> None:
        """Begin the first session, and learn what the browser is."""
        found = await self._begin()
        name, self.version = str(found.get("browserName", "")), str(found.get("browserVersion", ""))
        engine = next((engine for engine, names in _BROWSERS.items() if name in names), "")
        if engine and engine != self._engine:
            await self.close()
            raise RuntimeUnavailableError(
                f"{self._end} gave {name}, which is {NAMES[engine]} and not {NAMES[self._engine]}.",
                "Name the browser with its own engine, or change browserName in the file of --capabilities.",
            )
        on = f" on {platform}" if (platform := found.get("platformName")) else ""
        self.source = str(self._end)
        self.description = describe(NAMES[self._engine], f"{self.version}{on}", "remote", WebDriverLauncher.name)

    @property
    def is_alive(self) -> bool:
        """Return True until it is closed: a browser that is lost is asked for again."""
        return not self._closed

    async def open_page(self, session: Session, said: Listener) -> Page:
        """Open the session's address in a browser of its own, or in a window of its own."""
        page = WebDriverPage(self._end, *await self._place(), session)
        try:
            await page.open(self._options.timeout_s)
        except BaseException:
            await page.close()
            raise
        return page

    async def close(self) -> None:
        """End what no page uses; pages end theirs."""
        self._closed = True
        for begun in self._begun:
            if not begun.windows:
                await self._end.delete(begun.name)

    async def _place(self) -> tuple[_Begun, str]:
        """Return a session and a window of it that no page has."""
        self._begun = [begun for begun in self._begun if not begun.ended]
        if not any(begun.first for begun in self._begun):
            try:
                await self._begin()
            except RuntimeUnavailableError:
                if not self._begun:
                    raise
        for begun in self._begun:
            if window := begun.first:
                begun.first = None
                begun.windows.add(window)
                return begun, window
        begun = self._begun[-1]  # such as WebKitWebDriver, which has one session at a time
        async with begun.turn:
            made = await self._end.ask(
                "POST", f"session/{begun.name}/window/new", {"type": "window"}, timeout_s=self._options.timeout_s
            )
        begun.windows.add(made["handle"])
        return begun, str(made["handle"])

    async def _begin(self) -> Mapping[str, Any]:
        """Begin a session; return the capabilities of its browser."""
        asked, timeout_s = {"capabilities": self._capabilities()}, self._options.timeout_s
        try:
            value = await self._end.ask("POST", "session", asked, timeout_s=timeout_s)
            name = str(value["sessionId"])
            window = await self._end.ask("GET", f"session/{name}/window", timeout_s=timeout_s)
        except (RuntimeTimeoutError, _UnreachableError):
            raise
        except RuntimeFailedError as error:
            raise RuntimeUnavailableError(
                f"{self._end} has no browser for {self._engine}: {error.message}", self._advice()
            ) from None
        self._begun.append(_Begun(name, window))
        found: Mapping[str, Any] = value.get("capabilities") or {}
        return found

    def _capabilities(self) -> dict[str, Any]:
        if self._asked is not None:
            return {"alwaysMatch": self._asked}
        arguments = [*self._options.args, *(_WEBGPU_ARGS if self._options.webgpu else ())]
        more = {_ARGUMENTS[self._engine]: {"args": arguments}} if arguments else {}
        return {"firstMatch": [{"browserName": name, **more} for name in _BROWSERS[self._engine]]}

    def _advice(self) -> str:
        local = "--browser-arg=--no-sandbox --browser-arg=--headless=new"
        chromium = f"A local chromedriver that runs as root and without a display needs {local}. "
        return (
            f"{chromium if self._engine == 'chromium' else ''}To choose the browser, name a JSON file with "
            f"capabilities: --capabilities {self._engine}=FILE."
        )


@dataclass
class _Begun:
    """A WebDriver session, one browser: `first` is its first window until a page has it, `windows` are those of pages.

    Commands go to the window that was switched to last, so that one page has the `turn`.
    """

    name: str
    first: str | None
    windows: set[str] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    ended: bool = False


class WebDriverPage(Page):
    """A page in a window of a session."""

    def __init__(self, end: _End, begun: _Begun, window: str, session: Session) -> None:
        self._end = end
        self._begun = begun
        self._window = window
        self._session = session
        self._watching: asyncio.Future[None] | None = None

    async def open(self, timeout_s: float) -> None:
        """Open the session's address; RuntimeFailedError says why it did not open."""
        at = f"session/{self._begun.name}"
        async with self._begun.turn:
            await self._end.ask("POST", f"{at}/window", {"handle": self._window}, timeout_s=timeout_s)
            await self._end.ask("POST", f"{at}/url", {"url": self._session.url}, timeout_s=timeout_s)
        self._watching = asyncio.ensure_future(self._watch())

    async def close(self) -> None:
        """End the session with its last page, and before that only the window."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._window not in self._begun.windows:
            return
        self._begun.windows.discard(self._window)
        if not self._begun.windows:
            self._begun.ended = True
            await self._end.delete(self._begun.name)
            return
        at = f"session/{self._begun.name}/window"
        async with self._begun.turn:
            with suppress(RuntimeFailedError):
                await self._end.ask("POST", at, {"handle": self._window}, timeout_s=_END_TIMEOUT_S)
                await self._end.ask("DELETE", at, timeout_s=_END_TIMEOUT_S)

    async def _watch(self) -> None:
        """Report the end of the browser to the session; a look asks the browser, not its page, which may compute."""
        looking = f"session/{self._begun.name}/window/handles"
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                handles = await self._end.ask("GET", looking, timeout_s=_LOOK_TIMEOUT_S)
                told = None if self._window in handles else "the window is gone."
            except RuntimeTimeoutError:
                continue  # busy; what waits for the page has a limit of its own
            except RuntimeFailedError as error:
                told = error.message
            if told:
                ended = closed_error()
                self._session.fail(RuntimeFailedError(f"{ended.message} {self._end}: {told}", ended.advice))
                return


class _UnreachableError(RuntimeUnavailableError):
    """Nothing answers there, or what answers is no WebDriver end."""


class _End:
    """A WebDriver end. Its text is the address without the password of a device cloud."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        named = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
        self._headers = {"Authorization": f"Basic {b64encode(named).decode()}"} if parts.username else {}
        self._address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._client: aiohttp.ClientSession | None = None

    def __str__(self) -> str:
        return self._address

    async def ask(self, method: str, path: str, body: Any = None, *, timeout_s: float) -> Any:
        """Send a command and return its value.

        RuntimeFailedError has the end's own words; RuntimeTimeoutError if it does not answer, RuntimeUnavailableError
        if nothing listens, or what listens is no WebDriver end.
        """
        if self._client is None:
            self._client = aiohttp.ClientSession(headers=self._headers)
        try:
            async with self._client.request(
                method, f"{self._address}/{path}", json=body, timeout=aiohttp.ClientTimeout(timeout_s)
            ) as answer:
                value = json.loads(await answer.text())["value"]
        except TimeoutError:
            raise RuntimeTimeoutError(
                f"{self} did not answer within {timeout_s:g} s.", "Check the address, or set a longer --timeout."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _UnreachableError(f"Cannot reach {self}: {_why(error)}.", "Check the address of --connect.") from None
        except (ValueError, KeyError, TypeError):
            raise _UnreachableError(
                f"{self} is not a WebDriver end: it answers with status {answer.status} and no WebDriver value.",
                "Check the address of --connect. That of Selenium 3 ends with /wd/hub.",
            ) from None
        if answer.status >= 400 or (isinstance(value, dict) and "error" in value):
            told = value if isinstance(value, dict) else {}
            kind = str(told.get("error", answer.status))
            lines = str(told.get("message") or "no message").strip().splitlines()
            raise RuntimeFailedError(f"{kind}: {lines[0].removeprefix(f'{kind}: ')}")
        return value

    async def delete(self, name: str) -> None:
        """End a session, if it is still there."""
        with suppress(RuntimeFailedError):
            await self.ask("DELETE", f"session/{name}", timeout_s=_END_TIMEOUT_S)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


def _why(error: Exception) -> str:
    """Return the system's own words for an error of the network."""
    cause = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None)
    return os.strerror(number) if number and number > 0 else str(getattr(cause, "strerror", None) or cause)


def _read(path: Path) -> Mapping[str, Any]:
    """Read a file of capabilities; UsageError if it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--capabilities {path}: {error.strerror}.", "Name a JSON file.") from None
    except ValueError as error:
        raise UsageError(f"--capabilities {path} is not JSON: {error}.", "Correct it.") from None
    if not isinstance(found, dict):
        raise UsageError(
            f"--capabilities {path} has no capabilities: it is {json.dumps(found):.40}.",
            'Write an object, such as {"browserName": "safari", "platformName": "mac"}.',
        )
    return found
