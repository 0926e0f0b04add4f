"""Starts browsers with Playwright, with few flags."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import RuntimeTimeoutError, RuntimeUnavailableError
from . import firefox
from .base import (
    NAMES,
    SLOW_START,
    Browser,
    FoundBrowser,
    Launcher,
    LaunchOptions,
    describe,
)
from .display import Display, open_display
from .driven import Driver, PlaywrightBrowser
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
_CLEANUP_TIMEOUT_S = 5.0
#: The path of Chromium's socket below its TMPDIR, and the longest path of a socket: 108 bytes including the terminator
#: on Linux, 104 on other systems (sun_path in unix(7) and in the manual pages of BSD).
_SOCKET = "/org.chromium.Chromium.XXXXXX/SingletonSocket"
_SOCKET_PATH_BYTES = 103
_SHORT_FOLDER = "/tmp"


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
        for sandbox in (False,) if self._engine == "chromium" and _is_root_on_linux() else (True, False):
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


def _is_root_on_linux() -> bool:
    """Tell whether Chromium ends at once with its sandbox (zygote_host_impl_linux.cc in Chromium)."""
    return sys.platform == "linux" and os.geteuid() == 0


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
