"""Defines the interface of all ways to open a browser."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import RuntimeFailedError, RuntimeUnavailableError

if TYPE_CHECKING:
    from ..browser.session import Session

#: The usual names of the engines' browsers.
NAMES = {"chromium": "Chromium", "firefox": "Firefox", "webkit": "WebKit"}
#: The advice for a browser that exists but does not start in time.
SLOW_START = "Set a longer --timeout. To check whether the browser starts, run: pycheck doctor"


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """The options for the start of a browser. `webgpu` requests the browser with the flags for WebGPU."""

    headed: bool = False
    args: tuple[str, ...] = ()
    timeout_s: float = 300.0
    webgpu: bool = False


@dataclass(frozen=True, slots=True)
class FoundBrowser:
    """A browser on this machine. `source` says where it comes from: given, Playwright or system."""

    path: Path
    source: str


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """A line of a page's console; `type` is error, warning or a different type of the console."""

    type: str
    text: str


#: A function that receives each line of a page's console, if the browser exposes it.
Listener = Callable[[ConsoleLine], None]


class Page(ABC):
    """One open page."""

    @abstractmethod
    async def close(self) -> None:
        """Close the page and its session; a page that hangs does not delay this."""

    async def collect_garbage(self) -> None:  # noqa: B027  # whoever cannot ask leaves it to the browser
        """Make its JavaScript engine free unused memory."""


class Browser(ABC):
    """A running browser, or a replacement for one.

    `version` is the browser's own; `description` names it, with how it runs and who started it. `sandbox` says whether
    its own sandbox is on, and `renderer` is the GPU if it is known here and hidden from its pages; None is unknown.
    """

    version: str
    description: str
    engine: str = ""  # if it differs from the requested one
    source: str = ""
    path: Path | None = None
    sandbox: bool | None = None
    renderer: str | None = None

    @property
    @abstractmethod
    def is_alive(self) -> bool:
        """Tell whether pages can be opened."""

    @property
    def pid(self) -> int | None:
        """Return the browser's own process, not those of its pages; None if there is none or it is unknown."""
        return None

    @abstractmethod
    async def open_page(self, session: Session, said: Listener) -> Page:
        """Open the session's address in a new page.

        From then on the session receives all events that end the page, if the browser reports them: a crash, an
        uncaught error, its closing, the end of the browser. RuntimeFailedError if no page opens.
        """

    @abstractmethod
    async def close(self) -> None:
        """End everything that was started, or only disconnect. It is safe to call this more than once."""


class Launcher(ABC):
    """One way to open a browser of one engine. Making it finds the browser, or raises RuntimeUnavailableError."""

    #: Its name in reports.
    name: str

    @property
    def found(self) -> FoundBrowser | None:
        """Return the browser on this machine, for launchers that start one."""
        return None

    @abstractmethod
    async def launch(self, options: LaunchOptions) -> Browser:
        """Start the browser.

        RuntimeUnavailableError has the browser's message; RuntimeTimeoutError if it does not respond.
        """

    async def close(self) -> None:  # noqa: B027  # most share nothing
        """Release resources that the launches shared, after their browsers were closed."""


def given_browser(engine: str, path: Path) -> FoundBrowser:
    """Return the browser that the user named, by its path or its command."""
    found = Path(shutil.which(path) or path).expanduser()
    if not found.is_file():
        option = "--browser-path" if engine == "chromium" else f"--browser-path {engine}=PATH"
        raise RuntimeUnavailableError(f"There is no browser at {path}.", f"Check {option}")
    return FoundBrowser(found, "given")


def closed_error() -> RuntimeFailedError:
    """Make the error for a browser process that has ended."""
    return RuntimeFailedError(
        "The browser ended.", "It crashed or was killed. Run the command again, or name a different browser."
    )


def describe(name: str, version: str, how: str, launcher: str) -> str:
    """Describe a browser, such as "Firefox 153.7.0esr (under Xvfb, started by command)"."""
    return f"{name} {version} ({how}, {launcher})"
