"""Provides a browser of each engine: finds one that starts, or installs one.

Set-up runs it as ``python -m pycheck.setup.provision``, which prints each engine with its browser's path.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import PycheckError, RuntimeUnavailableError
from ..runtimes.launching.base import FoundBrowser
from ..runtimes.launching.finding import find_browser
from ..runtimes.launching.trial import trial
from ..types import BROWSER_ENGINES

#: The most seconds of an installation, which downloads about 150 MB.
INSTALL_TIMEOUT_S = 900
VERSION_TIMEOUT_S = 30

BY_HAND = {
    "chromium": (
        "Install Google Chrome or Chromium (Debian: apt-get install chromium; Fedora: dnf install chromium;\n"
        "macOS: brew install --cask google-chrome; or: python -m playwright install --with-deps chromium),\n"
        "or name an installed one with --browser-path."
    ),
    "firefox": (
        "Install Firefox, and on Linux without a display Xvfb (Debian: apt-get install firefox-esr xvfb;\n"
        "Fedora: dnf install firefox xorg-x11-server-Xvfb; macOS: brew install --cask firefox; or:\n"
        "python -m playwright install --with-deps firefox), or name an installed one with --browser-path firefox=PATH."
    ),
    "webkit": (
        "Install Playwright's WebKit (python -m playwright install --with-deps webkit), or on Linux WebKitGTK and\n"
        "Xvfb (Debian: apt-get install libwebkit2gtk-4.1-0 xvfb), or name an installed MiniBrowser with\n"
        "--browser-path webkit=PATH."
    ),
}
DRIVER_BY_HAND = (
    "Playwright's Node may miss a library: install libatomic1 (Debian, Ubuntu, openSUSE) or libatomic (Fedora),\n"
    "or set PLAYWRIGHT_NODEJS_PATH to a Node that runs here."
)


@dataclass(frozen=True, slots=True)
class Step:
    """Commands that, run in turn, may install what is missing."""

    commands: tuple[tuple[str, ...], ...]
    as_root: bool = False


@dataclass(frozen=True, slots=True)
class PackageManager:
    """A package manager: its command, and its names of the packages; engines that it lacks are absent.

    `driver_library` is the package that Playwright's Node (26 since Playwright 1.65) needs besides the C library, or
    None.
    """

    prepare: tuple[tuple[str, ...], ...]
    install: tuple[str, ...]
    browsers: Mapping[str, tuple[str, ...]]
    driver_library: str | None
    as_root: bool = True

    def bring(self, *packages: str) -> Step:
        """Return the step that installs packages."""
        return Step((*self.prepare, (*self.install, *packages)), self.as_root)


_APT_INSTALL = ("apt-get", "install", "-qq", "--yes", "--no-install-recommends")
#: The package that renders WebGL in software, which Debian's browsers only recommend.
_DEBIAN_SCREEN = ("xvfb", "libegl1", "libgl1-mesa-dri")
#: Package managers by command. Musl distributions are absent, because TensorFlow does not run on them.
PACKAGE_MANAGERS = {
    "apt-get": PackageManager(
        (("apt-get", "update", "-qq"),),
        _APT_INSTALL,
        {
            "chromium": ("chromium",),
            "firefox": ("firefox-esr", *_DEBIAN_SCREEN),
            "webkit": ("libwebkit2gtk-4.1-0", *_DEBIAN_SCREEN),
        },
        "libatomic1",
    ),
    "dnf": PackageManager(
        (),
        ("dnf", "install", "--quiet", "--assumeyes"),
        {"chromium": ("chromium",), "firefox": ("firefox", "xorg-x11-server-Xvfb")},
        "libatomic",
    ),
    "zypper": PackageManager(
        (), ("zypper", "--quiet", "--non-interactive", "install"), {"chromium": ("chromium",)}, "libatomic1"
    ),
    "pacman": PackageManager(
        (),
        ("pacman", "-S", "--noconfirm", "--needed"),
        {
            "chromium": ("chromium",),
            "firefox": ("firefox", "xorg-server-xvfb"),
            "webkit": ("webkit2gtk-4.1", "xorg-server-xvfb"),
        },
        None,
    ),
    "brew": PackageManager(
        (),
        ("brew", "install", "--quiet", "--cask"),
        {"chromium": ("google-chrome",), "firefox": ("firefox",)},
        None,
        as_root=False,
    ),
}
#: On Ubuntu these packages only install snaps, which cannot read the profiles that pycheck makes.
_UBUNTU_SNAPS = {"chromium", "firefox"}


def ensure_browser(report: Callable[[str], None], engine: str = "chromium") -> FoundBrowser:
    """Return a browser of an engine that starts; install one if there is none.

    `report` receives a line for each missing part and each attempt to install it. Browsers that are found are started,
    since a file may exist and not start: a snap stub, or a download without its system libraries.
    RuntimeUnavailableError if nothing helps.
    """
    if problem := _mend(_driver_problem, _driver_steps(), report):
        raise RuntimeUnavailableError(problem, DRIVER_BY_HAND)
    if problem := _mend(partial(_browser_problem, engine), _browser_steps(engine), report):
        raise RuntimeUnavailableError(f"{problem.removesuffix('.')}. pycheck cannot install it here.", BY_HAND[engine])
    return find_browser(engine=engine)


def ensure_browsers(report: Callable[[str], None]) -> Mapping[str, FoundBrowser]:
    """Return a browser of every engine that is available here; report others, with the steps to do by hand.

    RuntimeUnavailableError if there is no Chromium, the default engine.
    """
    found = {"chromium": ensure_browser(report)}
    for engine in BROWSER_ENGINES:
        if engine not in found:
            try:
                found[engine] = ensure_browser(report, engine)
            except RuntimeUnavailableError as error:
                report(str(error))
    return found


def _mend(problem_now: Callable[[], str], steps: Iterable[Step], report: Callable[[str], None]) -> str:
    """Run one step after the other until there is no problem; return the remaining problem; empty if none."""
    problem = problem_now()
    if problem:
        report(problem)
        for step in steps:
            report(f"trying {' '.join(step.commands[-1])}")
            if failure := _take(step):
                report(failure)
            elif not (problem := problem_now()):
                break
    return problem


def _driver_problem() -> str:
    failure = _run(_playwright("--version"), VERSION_TIMEOUT_S)
    return f"Playwright, which starts the browser, does not run: {failure}" if failure else ""


def _driver_steps() -> Iterator[Step]:
    for manager in _package_managers():
        if manager.driver_library:
            yield manager.bring(manager.driver_library)


def _browser_problem(engine: str) -> str:
    try:
        found = find_browser(engine=engine)
    except RuntimeUnavailableError as error:
        return error.message
    if engine != "chromium":
        return asyncio.run(trial(engine, found))
    if os.name == "nt":  # there --version opens a window, and a browser contains its libraries
        return ""
    failure = _run((str(found.path), "--version"), VERSION_TIMEOUT_S)
    return f"{found.path} does not start: {failure}" if failure else ""


def _browser_steps(engine: str) -> Iterator[Step]:
    """Yield steps in order; the next one runs only if the last did not help."""
    yield Step((_playwright("install", engine),))
    if _has_playwright_build(engine):
        yield Step((_playwright("install-deps", engine),), as_root=True)
    for manager in _package_managers():
        if engine in manager.browsers and not (
            manager.install[0] == "apt-get" and engine in _UBUNTU_SNAPS and _is_ubuntu()
        ):
            yield manager.bring(*manager.browsers[engine])


def _playwright(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "playwright", *arguments)


def _has_playwright_build(engine: str) -> bool:
    try:
        return find_browser(engine=engine).source == "Playwright"
    except RuntimeUnavailableError:
        return False


def _package_managers() -> list[PackageManager]:
    return [manager for command, manager in PACKAGE_MANAGERS.items() if shutil.which(command)]


def _is_ubuntu() -> bool:
    try:
        return "ID=ubuntu" in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False


def _take(step: Step) -> str:
    """Run the step's commands; return the error; empty if none."""
    prefix = _root_prefix() if step.as_root else ()
    if prefix is None:
        return "this needs root, but sudo is not installed or asks for a password"
    for command in step.commands:
        if failure := _run((*prefix, *command), INSTALL_TIMEOUT_S):
            return failure
    return ""


def _root_prefix() -> Sequence[str] | None:
    """Return the prefix for a command that needs root; None if root needs a password."""
    if os.name == "nt":
        return None
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and not _run(("sudo", "-n", "true"), VERSION_TIMEOUT_S):
        return ("sudo", "-n")
    return None


def _run(command: Sequence[str], timeout_s: float) -> str:
    """Run without output; return one line about the error, empty on success."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            start_new_session=True,  # so that the children of an installer end with it
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    with process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            return f"{command[0]}: no answer within {timeout_s:g} s"
        except BaseException:
            _kill(process)
            raise
    if process.returncode == 0:
        return ""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "e:"))]
    return (errors or lines[-1:] or [f"{command[0]}: exit code {process.returncode}"])[0]


def _kill(process: subprocess.Popen[str]) -> None:
    if os.name == "nt":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # has ended, or belongs to root under sudo
            os.killpg(process.pid, signal.SIGKILL)


def main() -> int:
    """Print each engine with the path of a working browser; the exit code is the error's if one is missing.

    A developer's machine may lack an engine, whose tests are then skipped; a CI machine may not.
    """
    try:
        found = ensure_browsers(lambda line: print(f"setup: {line}", file=sys.stderr, flush=True))
    except PycheckError as error:
        print(f"setup: {error}", file=sys.stderr)
        return error.exit_code
    for engine, browser in found.items():
        print(engine, browser.path)
    return RuntimeUnavailableError.exit_code if os.environ.get("CI") and len(found) < len(BROWSER_ENGINES) else 0


if __name__ == "__main__":
    sys.exit(main())
