"""Sees to it that this machine has a browser: finds one that starts, or installs one.

Set-up runs it as ``python -m pycheck.provision``, which prints the browser's path.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import PycheckError, RuntimeUnavailableError
from .runtimes.launching.base import FoundBrowser
from .runtimes.launching.finding import find_browser

#: Installing moves about 150 MB; a machine that gets no answer should not wait forever.
INSTALL_TIMEOUT_S = 900
VERSION_TIMEOUT_S = 30

BROWSER_BY_HAND = (
    "Install Google Chrome or Chromium (Debian: apt-get install chromium; Fedora: dnf install chromium;\n"
    "macOS: brew install --cask google-chrome; elsewhere: python -m playwright install --with-deps chromium),\n"
    "or name one that you have with --browser-path."
)
DRIVER_BY_HAND = (
    "It carries a Node of its own, which may lack a library: install libatomic1 (Debian, Ubuntu, openSUSE) or\n"
    "libatomic (Fedora), or set PLAYWRIGHT_NODEJS_PATH to a Node that runs here."
)


@dataclass(frozen=True, slots=True)
class Step:
    """Commands that, run in turn, may bring what is missing."""

    commands: tuple[tuple[str, ...], ...]
    as_root: bool = False


@dataclass(frozen=True, slots=True)
class PackageManager:
    """How to install with it, and what it calls the packages; None for what it need not or cannot bring.

    `driver_library` is what Playwright's Node (26 since Playwright 1.65) needs beside the C library.
    """

    prepare: tuple[tuple[str, ...], ...]
    install: tuple[str, ...]
    browser: str | None
    driver_library: str | None
    as_root: bool = True

    def bring(self, package: str) -> Step:
        """The step that installs one package."""
        return Step((*self.prepare, (*self.install, package)), self.as_root)


_APT_INSTALL = ("apt-get", "install", "-qq", "--yes", "--no-install-recommends")
#: By command. Musl distributions are absent, since TensorFlow does not run on them.
PACKAGE_MANAGERS = {
    "apt-get": PackageManager((("apt-get", "update", "-qq"),), _APT_INSTALL, "chromium", "libatomic1"),
    "dnf": PackageManager((), ("dnf", "install", "--quiet", "--assumeyes"), "chromium", "libatomic"),
    "zypper": PackageManager((), ("zypper", "--quiet", "--non-interactive", "install"), "chromium", "libatomic1"),
    "pacman": PackageManager((), ("pacman", "-S", "--noconfirm", "--needed"), "chromium", None),
    "brew": PackageManager((), ("brew", "install", "--quiet", "--cask"), "google-chrome", None, as_root=False),
}


def ensure_browser(report: Callable[[str], None]) -> FoundBrowser:
    """A Chromium or Chrome that starts, and that Playwright can start; installed now if there was none.

    `report` is given a line for each thing that is missing and each attempt to bring it. What is found is
    asked for its version, since a file may be there and not start: a snap stub, or a download whose system
    libraries are missing. Raises RuntimeUnavailableError when nothing helps.
    """
    if problem := _mend(_driver_problem, _driver_steps(), report):
        raise RuntimeUnavailableError(problem, DRIVER_BY_HAND)
    if problem := _mend(_browser_problem, _browser_steps(), report):
        raise RuntimeUnavailableError(f"{problem}; and none could be installed here", BROWSER_BY_HAND)
    return find_browser()


def _mend(problem_now: Callable[[], str], steps: Iterable[Step], report: Callable[[str], None]) -> str:
    """Take step after step until there is no problem; the problem that is left, or nothing."""
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


def _browser_problem() -> str:
    try:
        found = find_browser()
    except RuntimeUnavailableError as error:
        return error.message
    if os.name == "nt":  # --version opens a window there, and a browser brings its libraries along
        return ""
    failure = _run((str(found.path), "--version"), VERSION_TIMEOUT_S)
    return f"{found.path} does not start: {failure}" if failure else ""


def _browser_steps() -> Iterator[Step]:
    """In order; the next is only asked for when the last did not help."""
    yield Step((_playwright("install", "chromium"),))
    if _has_playwright_build():
        yield Step((_playwright("install-deps", "chromium"),), as_root=True)
    for manager in _package_managers():
        if manager.browser and not (manager.install[0] == "apt-get" and _is_ubuntu()):
            yield manager.bring(manager.browser)


def _playwright(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "playwright", *arguments)


def _has_playwright_build() -> bool:
    try:
        return find_browser().source == "Playwright"
    except RuntimeUnavailableError:
        return False


def _package_managers() -> list[PackageManager]:
    return [manager for command, manager in PACKAGE_MANAGERS.items() if shutil.which(command)]


def _is_ubuntu() -> bool:
    """Ubuntu's chromium package is only a pointer to a snap, which cannot read the profiles Playwright makes."""
    try:
        return "ID=ubuntu" in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False


def _take(step: Step) -> str:
    """Run the step's commands; what stopped it, or nothing."""
    prefix = _root_prefix() if step.as_root else ()
    if prefix is None:
        return "that needs root, and sudo is not there or asks for a password"
    for command in step.commands:
        if failure := _run((*prefix, *command), INSTALL_TIMEOUT_S):
            return failure
    return ""


def _root_prefix() -> Sequence[str] | None:
    """What to put before a command that needs root; None where root is not to be had without a password."""
    if os.name == "nt":
        return None
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and not _run(("sudo", "-n", "true"), VERSION_TIMEOUT_S):
        return ("sudo", "-n")
    return None


def _run(command: Sequence[str], timeout_s: float) -> str:
    """Run quietly; nothing on success, else one line of what went wrong."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            start_new_session=True,  # so that an installer's own children can be ended with it
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
        with suppress(ProcessLookupError, PermissionError):  # ended by itself, or is root's, under sudo
            os.killpg(process.pid, signal.SIGKILL)


def main() -> int:
    """Print the path of a working browser; the exit code is the error's own."""
    try:
        print(ensure_browser(lambda line: print(f"setup: {line}", file=sys.stderr, flush=True)).path)
    except PycheckError as error:
        print(f"setup: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
