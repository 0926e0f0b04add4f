"""Set-up finds a browser that starts, or brings one, or says what to do; nothing here installs anything."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pycheck.errors import RuntimeUnavailableError
from pycheck.runtimes.launching import finding
from pycheck.setup import provision

pytestmark = pytest.mark.real

WORKING = "#!/bin/sh\necho Chromium 156.0\n"
#: Stands in for Playwright's own Node, whose download takes three tries to fail.
NODE = "#!/bin/sh\n[ \"$2\" = --version ] || { echo 'Error: Download failure'; exit 1; }\n"
FIREFOX = "#!/bin/sh\necho Mozilla Firefox 153.7.0esr\n"
#: Says which display it is, and shows nothing.
XVFB = "#!/bin/sh\necho 7\nexec /bin/sleep 60\n"
BROKEN = "#!/bin/sh\necho 'requires the chromium snap'; exit 1\n"


class Machine:
    """A machine whose commands are these scripts and whose downloads go nowhere."""

    def __init__(self, commands: Path) -> None:
        self.commands = commands
        self.calls = commands / "calls.txt"
        self.lines: list[str] = []

    def add(self, name: str, script: str) -> Path:
        path = self.commands / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
        return path

    def add_apt(self, body: str = "") -> None:
        """An apt-get that writes down what it is asked for and then does `body`."""
        self.add("apt-get", f'#!/bin/sh\necho "$*" >> {self.calls}\n{body}\n')

    def installs_chromium(self) -> str:
        source = self.add("package", WORKING)
        return f'case "$*" in *chromium) /bin/cp {source} {self.commands}/chromium;; esac'

    def asked(self) -> list[str]:
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []

    def installs(self, **scripts: str) -> str:
        """What lets an apt-get bring a command for each package that it is asked for."""
        cases = [f'*{package}*) /bin/cp {self.add(f"package-{package}", script)} {self.commands}/{name};;'
                 for name, (package, script) in ((n, s.split("|", 1)) for n, s in scripts.items())]  # fmt: skip
        return "\n".join(f'case "$*" in {case} esac' for case in cases)

    def ensure(self, engine: str = "chromium") -> Path:
        return provision.ensure_browser(self.lines.append, engine).path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("PATH", str(commands))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    for engine, places in list(finding.PLACES.items()):
        monkeypatch.setitem(finding.PLACES, engine, replace(places, linux=(), mac=()))
    monkeypatch.setattr(provision, "_is_ubuntu", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    machine = Machine(commands)
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(machine.add("playwright-node", NODE)))
    return machine


def test_a_browser_that_starts_is_taken_and_nothing_is_installed(machine: Machine) -> None:
    chromium = machine.add("chromium", WORKING)
    machine.add_apt()
    assert machine.ensure() == chromium
    assert machine.lines == []
    assert machine.asked() == []


@pytest.mark.exhaustive
def test_without_a_browser_playwright_is_tried_and_then_the_package_manager(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLAYWRIGHT_NODEJS_PATH")
    machine.add_apt(machine.installs_chromium())
    assert machine.ensure() == machine.commands / "chromium"
    attempts = [line for line in machine.lines if line.startswith("trying ")]
    assert "playwright install chromium" in attempts[0]
    assert attempts[1].startswith("trying apt-get install")
    assert machine.asked()[0] == "update -qq"


def test_a_browser_that_is_there_and_does_not_start_is_replaced(machine: Machine) -> None:
    machine.add("chromium", BROKEN)
    machine.add_apt(machine.installs_chromium())
    machine.ensure()
    assert "does not start: requires the chromium snap" in machine.lines[0]


def test_ubuntu_s_package_is_not_installed_since_it_is_a_snap(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provision, "_is_ubuntu", lambda: True)
    machine.add_apt(machine.installs_chromium())
    with pytest.raises(RuntimeUnavailableError):
        machine.ensure()
    assert machine.asked() == []


def test_without_root_nothing_is_installed_and_the_error_says_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine.add_apt(machine.installs_chromium())
    with pytest.raises(RuntimeUnavailableError) as raised:
        machine.ensure()
    assert machine.asked() == []
    assert any("needs root" in line for line in machine.lines)
    assert "apt-get install chromium" in raised.value.advice


def test_sudo_is_used_where_it_asks_for_no_password(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine.add_apt(machine.installs_chromium())
    machine.add("sudo", '#!/bin/sh\nshift\n[ "$1" = true ] || exec "$@"\n')
    assert machine.ensure() == machine.commands / "chromium"


def test_an_installer_that_hangs_is_given_up_with_all_its_children(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provision, "INSTALL_TIMEOUT_S", 3)
    machine.add_apt("/bin/sleep 60; true")
    start = time.monotonic()
    with pytest.raises(RuntimeUnavailableError):
        machine.ensure()
    assert time.monotonic() - start < 30
    assert any("apt-get: no answer within 3 s" in line for line in machine.lines)


def test_what_playwright_s_own_node_lacks_is_brought_first(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    node = machine.commands / "node"
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(node))
    works = machine.add("works", "#!/bin/sh\necho Version 1.65\n")
    chromium = machine.add("chromium", WORKING)
    machine.add_apt(f'case "$*" in *libatomic1) /bin/cp {works} {node};; esac')
    assert machine.ensure() == chromium
    assert machine.asked()[-1].endswith("libatomic1")


def test_a_playwright_that_cannot_be_mended_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", "/nowhere/node")
    with pytest.raises(RuntimeUnavailableError, match="Playwright, which starts the browser, does not run") as raised:
        machine.ensure()
    assert "PLAYWRIGHT_NODEJS_PATH" in raised.value.advice


def test_a_firefox_that_is_there_and_can_be_shown_is_taken(machine: Machine) -> None:
    firefox = machine.add("firefox", FIREFOX)
    machine.add("Xvfb", XVFB)
    machine.add_apt()
    assert machine.ensure("firefox") == firefox
    assert machine.lines == []
    assert machine.asked() == []


@pytest.mark.parametrize(("engine", "command"), [("firefox", "firefox-esr"), ("webkit", "MiniBrowser")])
def test_a_missing_engine_is_brought_with_what_it_needs_to_be_shown(
    engine: str, command: str, machine: Machine
) -> None:
    package = {"firefox": "firefox-esr", "webkit": "libwebkit2gtk"}[engine]
    machine.add_apt(machine.installs(**{command: f"{package}|{FIREFOX}", "Xvfb": f"xvfb|{XVFB}"}))
    assert machine.ensure(engine) == machine.commands / command
    assert all(fact in machine.lines[0] for fact in ("Firefox" if engine == "firefox" else "WebKit", "PATH"))
    assert "xvfb" in machine.asked()[-1]


def test_a_firefox_that_could_only_be_headless_gets_an_xvfb(machine: Machine) -> None:
    machine.add("firefox", FIREFOX)
    machine.add_apt(machine.installs(Xvfb=f"xvfb|{XVFB}"))
    machine.ensure("firefox")
    assert "Xvfb" in machine.lines[0]


def test_the_command_prints_each_engine_with_its_path_and_what_it_could_not_bring_elsewhere(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    chromium, firefox = machine.add("chromium", WORKING), machine.add("firefox", FIREFOX)
    machine.add("Xvfb", XVFB)
    assert provision.main() == 0
    said = capsys.readouterr()
    assert said.out == f"chromium {chromium}\nfirefox {firefox}\n"
    assert "WebKit" in said.err
    assert "apt-get install libwebkit2gtk-4.1-0 xvfb" in said.err


def test_in_ci_an_engine_that_is_missing_is_a_failure(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    machine.add("chromium", WORKING)
    assert provision.main() == 3


def test_the_command_ends_with_exit_code_3_where_there_is_no_browser(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert provision.main() == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "cannot install it here" in captured.err
