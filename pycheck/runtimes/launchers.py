"""Finds a Chromium and starts it, with as few flags as will do."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RuntimeFailedError, RuntimeTimeoutError, RuntimeUnavailableError

ADVICE = (
    "Let pycheck install one (pycheck doctor --install), install it yourself (playwright install chromium, or your "
    "system's Chrome or Chromium), or name one with --browser-path."
)

#: In order of preference: what this engine is named on a PATH.
_COMMANDS = (
    "google-chrome-stable",
    "google-chrome",
    "chrome",
    "chromium",
    "chromium-browser",
    "microsoft-edge-stable",
    "microsoft-edge",
    "msedge",
)
_LINUX = ("/opt/google/chrome/chrome", "/usr/lib/chromium/chromium", "/snap/bin/chromium")
_MAC = ("Google Chrome", "Chromium", "Microsoft Edge")
_WINDOWS = (
    "Google/Chrome/Application/chrome.exe",
    "Chromium/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
)
#: Inside one of Playwright's build folders; the names changed with its version 1.57.
_BUILDS = (
    "chrome-linux64/chrome",
    "chrome-linux/chrome",
    "chrome-mac-*/*.app/Contents/MacOS/*",
    "chrome-mac/*.app/Contents/MacOS/*",
    "chrome-win64/chrome.exe",
    "chrome-win/chrome.exe",
)

#: Headless Chromium renders in software by default; this gives its usual choice back, which is the
#: GPU where there is one and SwiftShader where there is none. (headless_mode_switches.h in Chromium)
_HEADLESS_ARGS = ("--enable-gpu",)
#: Playwright's own defaults already keep background networking, updates and sync off.
_QUIET_ARGS = ("--no-pings", "--disable-domain-reliability", "--disable-client-side-phishing-detection")
#: WebGPU on Linux and on software adapters is behind this.
WEBGPU_ARGS = ("--enable-unsafe-webgpu",)

#: What Chromium says when its sandbox is what keeps it from starting.
_SANDBOX = re.compile(r"--no-sandbox is not supported|No usable sandbox|SUID sandbox helper|sandboxing failed", re.I)
_PLAYWRIGHT_WORDS = ("<launching>", "<launched>", "Call log", "╔", "║", "╚")
#: An orderly end takes well under a second; a browser that needs longer hangs.
_CLOSE_TIMEOUT_S = 10.0
_CLEANUP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class FoundBrowser:
    """A browser on this machine. `source` says who put it there: given, Playwright or system."""

    path: Path
    source: str


def find_browser(explicit: Path | None = None, *, headed: bool = False) -> FoundBrowser:
    """The Chromium to use: the one given, else Playwright's own build, else the system's.

    Raises RuntimeUnavailableError, which says where it looked.
    """
    if explicit is not None:
        path = Path(shutil.which(explicit) or explicit).expanduser()
        if not path.is_file():
            raise RuntimeUnavailableError(f"the browser {explicit} is not there", "Check --browser-path.")
        return FoundBrowser(path, "given")
    looked: list[str] = []
    for source, candidates in (
        ("Playwright", _playwright_builds(looked, headed)),
        ("system", _system_browsers(looked)),
    ):
        for path in candidates:
            if path.is_file() and os.access(path, os.X_OK):
                return FoundBrowser(path, source)
    raise RuntimeUnavailableError(f"no Chromium or Chrome found; looked in {', '.join(looked)}", ADVICE)


def _playwright_builds(looked: list[str], headed: bool) -> Iterator[Path]:
    """Playwright's downloads: the one that this Playwright wants, then the newest; whole browsers before shells."""
    folder = _playwright_folder()
    looked.append(str(folder))
    wanted = _playwright_revision()
    prefixes = ("chromium-",) if headed else ("chromium-", "chromium_headless_shell-")
    for prefix in prefixes:
        builds = [(int(p.name[len(prefix) :]), p) for p in folder.glob(f"{prefix}*") if p.name[len(prefix) :].isdigit()]
        for _, build in sorted(builds, key=lambda item: (item[0] == wanted, item[0]), reverse=True):
            if (build / "INSTALLATION_COMPLETE").is_file():
                for pattern in (*_BUILDS, "*/chrome-headless-shell", "*/chrome-headless-shell.exe", "*/headless_shell"):
                    yield from build.glob(pattern)


def _playwright_folder() -> Path:
    """Where Playwright keeps its browsers: https://playwright.dev/python/docs/browsers#managing-browser-binaries."""
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if named == "0":
        return _driver_package() / ".local-browsers"
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ms-playwright"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "ms-playwright"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ms-playwright"


def _driver_package() -> Path:
    import playwright

    return Path(playwright.__file__).parent / "driver" / "package"


def _playwright_revision() -> int | None:
    with suppress(OSError, ValueError, KeyError, StopIteration):
        browsers = json.loads((_driver_package() / "browsers.json").read_text(encoding="utf-8"))["browsers"]
        return int(next(browser["revision"] for browser in browsers if browser["name"] == "chromium"))
    return None


def _system_browsers(looked: list[str]) -> Iterator[Path]:
    looked.append("PATH")
    yield from (Path(found) for name in _COMMANDS if (found := shutil.which(name)))
    if sys.platform == "darwin":
        roots = [Path("/Applications"), Path.home() / "Applications"]
        places = [root / f"{name}.app" / "Contents" / "MacOS" / name for name in _MAC for root in roots]
    elif sys.platform == "win32":
        names = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        roots = [Path(os.environ[name]) for name in names if name in os.environ]
        places = [root / name for name in _WINDOWS for root in roots]
    else:
        places = [Path(name) for name in _LINUX]
    looked.extend(map(str, places))
    yield from places


class Browser:
    """A running Chromium process."""

    def __init__(self, handle: Any, identity: _Identity, found: FoundBrowser, sandbox: bool, headed: bool) -> None:
        self.handle = handle  # playwright.async_api.Browser
        self.version: str = handle.version
        self.path = found.path
        self.source = found.source
        self.sandbox = sandbox
        self.headed = headed
        self._identity = identity

    @property
    def pid(self) -> int | None:
        """The browser's own process, not those of its pages; None where it does not tell."""
        return self._identity.pid

    @property
    def description(self) -> str:
        """Such as "Chromium 156.0.8078.79 (headless)"."""
        return f"Chromium {self.version} ({'headed' if self.headed else 'headless'})"

    async def close(self) -> None:
        """End it; one that does not end in time is killed."""
        if not await self._closed():
            if self.pid is not None:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            await self._closed()  # Playwright sees the process end, and removes its profile
        if self._identity.profile is not None:
            await _until_gone(self._identity.profile)
        # What a browser that was killed had no time to remove.
        if self._identity.socket_folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._identity.socket_folder, ignore_errors=True)

    async def _closed(self) -> bool:
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self.handle.close()
        except TimeoutError:
            return False
        return True


async def launch(
    playwright: Any, found: FoundBrowser, *, headed: bool, args: Sequence[str], timeout_s: float
) -> Browser:
    """Start a browser with its sandbox, or without where it refuses to start with it.

    Raises RuntimeUnavailableError with what the browser said, RuntimeTimeoutError where it says nothing.
    """
    for sandbox in (True, False):
        try:
            return await _launch(playwright, found, headed, args, timeout_s, sandbox)
        except RuntimeUnavailableError as error:
            if not sandbox or not _SANDBOX.search(error.message):
                raise
    raise AssertionError("unreachable")


async def _launch(
    playwright: Any, found: FoundBrowser, headed: bool, args: Sequence[str], timeout_s: float, sandbox: bool
) -> Browser:
    from playwright.async_api import Error, TimeoutError

    flags = [*_QUIET_ARGS, *(() if headed else _HEADLESS_ARGS), *args]
    try:
        handle = await playwright.chromium.launch(
            executable_path=found.path,
            headless=not headed,
            args=flags,
            chromium_sandbox=sandbox,
            timeout=timeout_s * 1000,
            handle_sigint=False,  # Ctrl-C comes to Python too, which ends the browser in order
        )
    except TimeoutError as error:
        raise RuntimeTimeoutError(
            f"the browser {found.path} did not start within {timeout_s:g} s: {_said(error.message)}", ADVICE
        ) from None
    except Error as error:
        raise RuntimeUnavailableError(
            f"the browser {found.path} does not start: {_said(error.message)}", ADVICE
        ) from None
    return Browser(handle, await _identify(handle), found, sandbox, headed)


async def _until_gone(folder: Path) -> None:
    """Wait for Playwright, which removes what it made beside the end of a browser, and is itself ended next."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLEANUP_TIMEOUT_S):
            while folder.exists():
                await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class _Identity:
    """What it takes to end a browser that does not answer any more, and to clean up after it."""

    pid: int | None = None
    profile: Path | None = None
    socket_folder: Path | None = None  # Chromium makes one beside the profile, on Linux


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
    """The browser's own words within Playwright's account of them."""
    lines = [re.sub(r"^\s*-?\s*(\[pid=\d+\])?(\[(out|err)\])?\s*", "", line) for line in message.splitlines()]
    said = [
        line for line in lines if line and not line.startswith(("<launching>", "<launched>", "Call log", "╔", "║", "╚"))
    ]
    return "; ".join(dict.fromkeys(said))[:1000] or message[:1000]


def closed_error() -> RuntimeFailedError:
    """The browser process is gone."""
    return RuntimeFailedError("the browser ended", "It crashed or was killed; run again, or name another browser.")
