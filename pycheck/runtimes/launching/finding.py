"""Finds browsers: in Playwright's folder, then on the system."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import RuntimeUnavailableError
from .base import NAMES, FoundBrowser, given_browser

#: The paths of WebKitGTK's small browser in the folders of its library, which are not on a PATH.
_MINIBROWSERS = tuple(
    f"/usr/{folder}/{library}/MiniBrowser"
    for library in ("webkit2gtk-4.1", "webkitgtk-6.0", "webkit2gtk-4.0")
    for folder in ("lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "libexec", "lib64", "lib")
)


@dataclass(frozen=True, slots=True)
class Places:
    """The possible places of an engine's browsers, in order of preference.

    `builds` are folders of Playwright's, by name before the revision, and the executables within; the names of
    Chromium's changed with Playwright 1.57. `shells` are builds without a window.
    """

    builds: tuple[str, ...]
    executables: tuple[str, ...]
    shells: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    linux: tuple[str, ...] = ()
    mac: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()


PLACES = {
    "chromium": Places(
        builds=("chromium-",),
        shells=("chromium_headless_shell-",),
        executables=(
            "chrome-linux64/chrome",
            "chrome-linux/chrome",
            "chrome-mac-*/*.app/Contents/MacOS/*",
            "chrome-mac/*.app/Contents/MacOS/*",
            "chrome-win64/chrome.exe",
            "chrome-win/chrome.exe",
            "*/chrome-headless-shell",
            "*/chrome-headless-shell.exe",
            "*/headless_shell",
        ),
        commands=(
            "google-chrome-stable",
            "google-chrome",
            "chrome",
            "chromium",
            "chromium-browser",
            "microsoft-edge-stable",
            "microsoft-edge",
            "msedge",
        ),
        linux=("/opt/google/chrome/chrome", "/usr/lib/chromium/chromium", "/snap/bin/chromium"),
        mac=("Google Chrome", "Chromium", "Microsoft Edge"),
        windows=(
            "Google/Chrome/Application/chrome.exe",
            "Chromium/Application/chrome.exe",
            "Microsoft/Edge/Application/msedge.exe",
        ),
    ),
    "firefox": Places(
        builds=("firefox-",),
        executables=(
            "firefox/firefox",
            "firefox/*.app/Contents/MacOS/firefox",
            "firefox/firefox.exe",
        ),
        commands=("firefox", "firefox-esr"),
        linux=("/usr/lib/firefox/firefox", "/usr/lib/firefox-esr/firefox-esr", "/opt/firefox/firefox"),
        mac=("Firefox",),
        windows=("Mozilla Firefox/firefox.exe",),
    ),
    # Safari cannot be started with a separate profile: a Mac needs Playwright's build, or --connect.
    "webkit": Places(
        builds=("webkit-",),
        executables=("pw_run.sh", "Playwright.exe"),
        commands=("MiniBrowser",),
        linux=_MINIBROWSERS,
    ),
}

_BY_HAND = {
    "chromium": "playwright install chromium, or your system's Chrome or Chromium",
    "firefox": "playwright install firefox, or Firefox, and without a display Xvfb",
    "webkit": "playwright install webkit, or on Linux WebKitGTK with its MiniBrowser (libwebkit2gtk-4.1-0), and Xvfb",
}


def advice(engine: str) -> str:
    """Return the advice for an engine without a browser."""
    path = "--browser-path" if engine == "chromium" else f"--browser-path {engine}=PATH"
    return (
        f"Run pycheck doctor --install, install it yourself ({_BY_HAND[engine]}), or name an installed one with {path}."
    )


def find_browser(explicit: Path | None = None, *, engine: str = "chromium", headed: bool = False) -> FoundBrowser:
    """Return the browser to use: the given one, else Playwright's own build, else the system's.

    RuntimeUnavailableError says which places were tried.
    """
    if explicit is not None:
        return given_browser(engine, explicit)
    looked: list[str] = []
    for source, candidates in (
        ("Playwright", _playwright_builds(engine, looked, headed)),
        ("system", _system_browsers(engine, looked)),
    ):
        for path in candidates:
            if path.is_file() and os.access(path, os.X_OK):
                return FoundBrowser(path, source)
    name = "Chromium or Chrome" if engine == "chromium" else NAMES[engine]
    raise RuntimeUnavailableError(f"Cannot find {name} in {', '.join(looked)}.", advice(engine))


def _playwright_builds(engine: str, looked: list[str], headed: bool) -> Iterator[Path]:
    """Yield Playwright's builds: that of this Playwright, then the newest; whole browsers before shells."""
    folder = playwright_folder()
    looked.append(str(folder))
    wanted = _wanted_revision(engine)
    places = PLACES[engine]
    for prefix in places.builds if headed else (*places.builds, *places.shells):
        builds = [(int(p.name[len(prefix) :]), p) for p in folder.glob(f"{prefix}*") if p.name[len(prefix) :].isdigit()]
        for _, build in sorted(builds, key=lambda item: (item[0] == wanted, item[0]), reverse=True):
            if (build / "INSTALLATION_COMPLETE").is_file():
                for pattern in places.executables:
                    yield from build.glob(pattern)


def playwright_folder() -> Path:
    """Return the folder of Playwright's browsers: https://playwright.dev/python/docs/browsers#managing-browser-binaries."""
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


def _wanted_revision(engine: str) -> int | None:
    with suppress(OSError, ValueError, KeyError, StopIteration):
        browsers = json.loads((_driver_package() / "browsers.json").read_text(encoding="utf-8"))["browsers"]
        return int(next(browser["revision"] for browser in browsers if browser["name"] == engine))
    return None


def _system_browsers(engine: str, looked: list[str]) -> Iterator[Path]:
    places = PLACES[engine]
    looked.append("PATH")
    yield from (Path(found) for name in places.commands if (found := shutil.which(name)))
    usual = list(_usual_places(places))
    looked.extend(_shortened(usual))
    yield from usual


def _usual_places(places: Places) -> Iterable[Path]:
    if sys.platform == "darwin":
        roots = [Path("/Applications"), Path.home() / "Applications"]
        return [_executable_of(root / f"{name}.app", name) for name in places.mac for root in roots]
    if sys.platform == "win32":
        names = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        return [Path(os.environ[name]) / place for name in names if name in os.environ for place in places.windows]
    return [Path(name) for name in places.linux]


def _executable_of(bundle: Path, name: str) -> Path:
    return bundle / "Contents" / "MacOS" / (name.lower() if name == "Firefox" else name)


def _shortened(places: list[Path]) -> list[str]:
    """Return places for a message, without many folders of one library."""
    return [*map(str, places[:6]), *(["and similar places"] if len(places) > 6 else [])]
