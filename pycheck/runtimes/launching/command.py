"""Starts browsers as plain commands, without a debugger: a system's Firefox, WebKitGTK's MiniBrowser.

There is one process for each open page, each with its own profile. A process whose page has ended without an error
gets the next page; a process that failed or does not respond is ended.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import RuntimeFailedError, RuntimeTimeoutError, RuntimeUnavailableError
from ..browser.session import Session
from . import firefox
from .base import (
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
from .kept import Kept
from .window import Sessions, Window, WindowPage

_VERSION_TIMEOUT_S = 30.0
#: The format of console lines that both browsers write to their standard output.
_CONSOLE = re.compile(r"^(?:.*CONSOLE (?:\w+ )?|console\.|JavaScript )(error|warn)(?:ing)?\b:?\s*(.*)", re.I)
#: The message of bubblewrap, WebKitGTK's sandbox, if the system forbids namespaces.
_SANDBOX = re.compile(r"bwrap|bubblewrap|xdg-dbus-proxy|sandbox|namespace", re.I)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The command that runs one engine's browser: `command(path, folder, options, sandbox)`, and then the address.

    `sandboxes` are tried in turn: whether to request the browser's own sandbox, None if the browser decides.
    """

    product: str  # in the output of --version
    command: Callable[[Path, Path, LaunchOptions, bool | None, bool], Sequence[str | Path]]
    environment: Mapping[str, str]
    sandboxes: tuple[bool | None, ...]
    has_headless: bool
    names_renderer: bool  # whether its pages see the real renderer


def _firefox(
    path: Path, folder: Path, options: LaunchOptions, sandbox: bool | None, headless: bool
) -> Sequence[str | Path]:
    profile = folder / "profile"
    firefox.write_profile(profile, options.webgpu)
    window = ("--headless",) if headless else ()
    return (path, "--no-remote", "--profile", profile, *window, *options.args)


def _webkit(
    path: Path, folder: Path, options: LaunchOptions, sandbox: bool | None, headless: bool
) -> Sequence[str | Path]:
    # A proxy that does not exist, for every address except the server's.
    quiet = ("--proxy=http://127.0.0.1:9", "--ignore-host=127.0.0.1", "--enable-dns-prefetching=false")
    plain = ("--enable-page-cache=false", "--enable-write-console-messages-to-stdout=true")
    return (path, *(("--enable-sandbox",) if sandbox else ()), *quiet, *plain, *options.args)


_RECIPES = {
    "firefox": Recipe(
        product="Mozilla Firefox",
        command=_firefox,
        environment={"MOZ_CRASHREPORTER_DISABLE": "1", "MOZ_DISABLE_AUTO_SAFE_MODE": "1"},
        sandboxes=(None,),
        has_headless=True,
        names_renderer=True,
    ),
    "webkit": Recipe(
        product="WebKitGTK",
        command=_webkit,
        environment={},
        sandboxes=(True, False),
        has_headless=False,
        names_renderer=False,
    ),
}
ENGINES = tuple(_RECIPES)


class CommandLauncher(Launcher):
    """Starts a browser as a command with an address of pycheck's server."""

    name = "started by command"

    def __init__(self, engine: str, found: FoundBrowser, sessions: Sessions) -> None:
        self._engine = engine
        self._found = found
        self._sessions = sessions
        if sys.platform != "linux" and engine == "webkit":
            raise RuntimeUnavailableError(f"pycheck can start {found.path} as a command only on Linux.", advice(engine))

    @property
    def found(self) -> FoundBrowser:
        """Return the browser that it starts."""
        return self._found

    async def launch(self, options: LaunchOptions) -> Browser:
        """Start a first process, which waits for a page."""
        recipe = _RECIPES[self._engine]
        display = await open_display(
            headed=options.headed, has_headless=recipe.has_headless, timeout_s=options.timeout_s
        )
        try:
            for sandbox in recipe.sandboxes:
                browser = CommandBrowser(self._engine, self._found, options, display, sandbox, self._sessions)
                try:
                    await browser.start()
                    return browser
                except BaseException as error:
                    await browser.end_windows()
                    refused = isinstance(error, RuntimeUnavailableError) and _SANDBOX.search(error.message)
                    if not refused or sandbox is recipe.sandboxes[-1]:
                        raise
            raise AssertionError("unreachable")
        except BaseException:
            await display.close()
            raise


class CommandBrowser(Browser):
    """The processes of one browser, each with one window."""

    def __init__(
        self,
        engine: str,
        found: FoundBrowser,
        options: LaunchOptions,
        display: Display,
        sandbox: bool | None,
        sessions: Sessions,
    ) -> None:
        self.path = found.path
        self.source = found.source
        self.sandbox = sandbox
        self.renderer = None if _RECIPES[engine].names_renderer else display.renderer
        self._engine = engine
        self._recipe = _RECIPES[engine]
        self._options = options
        self._display = display
        self._sessions = sessions
        self._windows: list[_Process] = []
        self._idle: list[_Process] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Start a first process and read the version."""
        assert self.path is not None
        version = asyncio.ensure_future(ask_version(self.path, self._display))
        try:
            self._idle.append(await self._open_window())
            self.version = await version or "of unknown version"
        finally:
            version.cancel()
            await asyncio.gather(version, return_exceptions=True)
        name = self._recipe.product.removeprefix("Mozilla ")
        self.description = describe(name, self.version, self._display.description, CommandLauncher.name)

    @property
    def is_alive(self) -> bool:
        """Return True until it is closed: the next page replaces a process that has ended."""
        return not self._closed

    @property
    def pid(self) -> int | None:
        """Return the process that was started last."""
        return self._windows[-1].pid if self._windows else None

    async def open_page(self, session: Session, said: Listener) -> Page:
        """Use a process that waits, or start one."""
        window = self._idle.pop() if self._idle else await self._open_window()
        try:
            await window.go(session, said)
        except BaseException:
            await window.end()
            raise
        return WindowPage(window, lambda: self._hand_back(window), lambda: self._give_up(window))

    async def close(self) -> None:
        """End all processes, and the display."""
        self._closed = True
        await self.end_windows()
        await self._display.close()

    async def end_windows(self) -> None:
        """End all processes."""
        await asyncio.gather(*(window.end() for window in self._windows), *self._ending)

    def _hand_back(self, window: _Process) -> None:
        if window in self._windows:
            self._idle.append(window)

    def _give_up(self, window: _Process) -> None:
        task = asyncio.ensure_future(window.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _forget(self, window: _Process) -> None:
        for windows in (self._windows, self._idle):
            if window in windows:
                windows.remove(window)

    async def _open_window(self) -> _Process:
        """Return a process that has connected.

        Try a second one if the first ends early, as WebKitGTK's rarely does.
        """
        try:
            return await self._start_window()
        except RuntimeUnavailableError:
            return await self._start_window()

    async def _start_window(self) -> _Process:
        window = _Process(self._sessions, self._forget)
        timeout_s = self._options.timeout_s
        self._windows.append(window)
        try:
            async with asyncio.timeout(timeout_s):
                await window.start(self._command, self._environment)
                await window.arrived(self._engine)
        except BaseException as error:
            await window.end()
            if isinstance(error, TimeoutError):
                raise RuntimeTimeoutError(
                    f"The browser {self.path} did not start within {timeout_s:g} s: {window.said}",
                    SLOW_START,
                ) from None
            if isinstance(error, RuntimeFailedError) and window.has_ended:
                raise RuntimeUnavailableError(
                    f"The browser {self.path} does not start: {window.said}", advice(self._engine)
                ) from None
            raise
        return window

    def _command(self, folder: Path) -> Sequence[str | Path]:
        assert self.path is not None
        return self._recipe.command(self.path, folder, self._options, self.sandbox, self._display.headless)

    def _environment(self, folder: Path) -> Mapping[str, str]:
        """Return an environment without the user's files; everything is written below the folder."""
        places = {"HOME": "home", "TMPDIR": "tmp", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache"}
        places |= {"XDG_DATA_HOME": "data", "XDG_STATE_HOME": "state"}
        if self._display.server:
            places["XDG_RUNTIME_DIR"] = "run"  # a real display has its socket there
        environment = {name: str(folder / place) for name, place in places.items()}
        for place in environment.values():
            Path(place).mkdir(mode=0o700)
        return {
            "XAUTHORITY": os.environ.get("XAUTHORITY") or str(Path.home() / ".Xauthority"),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            "GSETTINGS_BACKEND": "memory",
            "GIO_USE_VFS": "local",
            "NO_AT_BRIDGE": "1",
            **self._recipe.environment,
            **environment,
            **self._display.environment,
        }


async def ask_version(path: Path, display: Display) -> str | None:
    """Ask a browser for its version; None if it does not start."""
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "--version",
            env={**os.environ, **display.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(_VERSION_TIMEOUT_S):
            said, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    match = re.search(r"(\d+\.[\w.]+)", said.decode(errors="replace"))
    return match[1] if match and process.returncode == 0 else None


class _Process(Window):
    """A window that is a separate browser process."""

    def __init__(self, sessions: Sessions, forget: Callable[[_Process], None]) -> None:
        super().__init__(sessions)
        self._forget = forget
        self._kept: Kept | None = None

    async def start(
        self,
        command: Callable[[Path], Sequence[str | Path]],
        environment: Callable[[Path], Mapping[str, str]],
    ) -> None:
        """Run the command with the lobby's address and a separate folder."""
        lobby = await self.enter_lobby()
        folder = Path(tempfile.mkdtemp(prefix="pycheck-browser-"))
        try:
            arguments, variables = (*command(folder), lobby.url), environment(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._kept = await Kept.start(arguments, folder=folder, environment=variables, listen=self._hear)
        self._kept.ended.add_done_callback(self._on_end)

    @property
    def pid(self) -> int:
        """Return the browser's own process; 0 before it runs."""
        return self._kept.pid if self._kept else 0

    @property
    def has_ended(self) -> bool:
        """Tell whether the process has ended, or never started."""
        return self._kept is None or self._kept.ended.done()

    @property
    def said(self) -> str:
        """Return the last lines of its output."""
        return self._kept.said if self._kept else "it was not started"

    async def end(self) -> None:
        """End the process and all that it started."""
        self._forget(self)
        if self._kept:
            await self._kept.close()
        await self.close()

    def _on_end(self, _: object) -> None:
        self._forget(self)
        self.lost(closed_error())

    def _hear(self, line: str) -> None:
        if match := _CONSOLE.match(line):
            kind = "warning" if match[1].lower() == "warn" else "error"
            self.hear(ConsoleLine(kind, match[2].strip().strip('"')))
