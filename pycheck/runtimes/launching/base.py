"""The small interface that every way to a browser has."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import RuntimeFailedError, RuntimeUnavailableError
from ..browser.session import Session

#: What people call the engines' browsers.
NAMES = {"chromium": "Chromium", "firefox": "Firefox", "webkit": "WebKit"}
#: What to do about a browser that is there and does not start in time.
SLOW_START = "Set a longer --timeout. To check whether the browser starts, run: pycheck doctor"


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How a browser is to be started. `webgpu` asks for the one that WebGPU needs, which has flags of its own."""

    headed: bool = False
    args: tuple[str, ...] = ()
    timeout_s: float = 300.0
    webgpu: bool = False


@dataclass(frozen=True, slots=True)
class FoundBrowser:
    """A browser on this machine. `source` says who put it there: given, Playwright or system."""

    path: Path
    source: str


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """What a page said on its console; `type` is error, warning or another of the console's own words."""

    type: str
    text: str


#: Told each line of a page's console, where the browser lets us hear it.
Listener = Callable[[ConsoleLine], None]


class Page(ABC):
    """One open page."""

    @abstractmethod
    async def close(self) -> None:
        """Close it, and its session; a page that hangs does not hold up its end."""

    async def collect_garbage(self) -> None:  # noqa: B027  # whoever cannot ask leaves it to the browser
        """Have its JavaScript engine free what nothing refers to any more."""


class Browser(ABC):
    """A running browser, or what stands for one.

    `version` is the browser's own, `description` names it with how it runs and who started it. `sandbox` is
    whether its own sandbox is on, `renderer` what is known here of a GPU that its pages may not be told;
    None is unknown.
    """

    version: str
    description: str
    engine: str = ""  # where it is not the one that was asked for
    source: str = ""
    path: Path | None = None
    sandbox: bool | None = None
    renderer: str | None = None

    @property
    @abstractmethod
    def is_alive(self) -> bool:
        """Whether pages can be opened."""

    @property
    def pid(self) -> int | None:
        """The browser's own process, not those of its pages; None where there is none or it does not tell."""
        return None

    @abstractmethod
    async def open_page(self, session: Session, said: Listener) -> Page:
        """Send a fresh page to the session's address.

        From then on the session is told of all that ends the page and that the browser lets us see: a crash, an
        uncaught error, its closing, the end of the browser. RuntimeFailedError where no page opens.
        """

    @abstractmethod
    async def close(self) -> None:
        """End everything that was started; where nothing was, let go of it. Safe to call more than once."""


class Launcher(ABC):
    """One way to a browser of one engine. Making it finds the browser, or raises RuntimeUnavailableError."""

    #: How reports call it.
    name: str

    @property
    def found(self) -> FoundBrowser | None:
        """The browser on this machine, for those that start one."""
        return None

    @abstractmethod
    async def launch(self, options: LaunchOptions) -> Browser:
        """A running browser.

        Raises RuntimeUnavailableError with what the browser said, RuntimeTimeoutError where it says nothing.
        """

    async def close(self) -> None:  # noqa: B027  # most share nothing
        """Let go of what the launches shared, after their browsers have been closed."""


def given_browser(engine: str, path: Path) -> FoundBrowser:
    """The browser that the user named, by its path or its command."""
    found = Path(shutil.which(path) or path).expanduser()
    if not found.is_file():
        option = "--browser-path" if engine == "chromium" else f"--browser-path {engine}=PATH"
        raise RuntimeUnavailableError(f"There is no browser at {path}.", f"Check {option}")
    return FoundBrowser(found, "given")


def closed_error() -> RuntimeFailedError:
    """The browser process is gone."""
    return RuntimeFailedError(
        "The browser ended.", "It crashed or was killed. Run the command again, or name a different browser."
    )


def describe(name: str, version: str, how: str, launcher: str) -> str:
    """Such as "Firefox 153.7.0esr (under Xvfb, started by command)"."""
    return f"{name} {version} ({how}, {launcher})"
