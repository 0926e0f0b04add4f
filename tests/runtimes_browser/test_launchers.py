"""Where a browser is looked for, how it is started, and what is said when there is none."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pycheck.errors import RuntimeTimeoutError, RuntimeUnavailableError
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.runtimes.launching import finding, playwright
from pycheck.runtimes.launching.base import FoundBrowser
from pycheck.runtimes.launching.finding import find_browser

from ..conftest import more
from .conftest import Run
from .processes import nothing_left


def program(path: Path, script: str = "") -> Path:
    """A shell script where a browser would be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def playwright_build(folder: Path, name: str, executable: str = "chrome-linux64/chrome", complete: bool = True) -> Path:
    """A browser as Playwright would have downloaded it."""
    path = program(folder / name / executable)
    if complete:
        (folder / name / "INSTALLATION_COMPLETE").touch()
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any browser; the folder is where Playwright keeps its own."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.setitem(finding.PLACES, "chromium", replace(finding.PLACES["chromium"], linux=()))
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "playwright").mkdir()
    return tmp_path / "playwright"


def wanted_revision() -> int:
    file = finding._driver_package() / "browsers.json"
    return next(int(b["revision"]) for b in json.loads(file.read_text())["browsers"] if b["name"] == "chromium")


def test_the_browser_that_is_given_is_taken_before_all_others(bare: Path, tmp_path: Path) -> None:
    playwright_build(bare, f"chromium-{wanted_revision()}")
    given = program(tmp_path / "mine")
    assert find_browser(given) == FoundBrowser(given, "given")


def test_a_browser_that_is_given_by_its_command_is_looked_up(bare: Path, tmp_path: Path) -> None:
    there = program(tmp_path / "bin" / "my-chrome")
    assert find_browser(Path("my-chrome")) == FoundBrowser(there, "given")


def test_a_browser_that_is_given_and_not_there_is_unavailable(bare: Path, tmp_path: Path) -> None:
    playwright_build(bare, f"chromium-{wanted_revision()}")
    with pytest.raises(RuntimeUnavailableError, match="nowhere") as caught:
        find_browser(tmp_path / "nowhere")
    assert "--browser-path" in caught.value.advice


def test_playwrights_build_is_taken_before_the_systems(bare: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "chromium")
    build = playwright_build(bare, "chromium-1")
    assert find_browser() == FoundBrowser(build, "Playwright")


def test_the_build_that_this_playwright_wants_is_taken_before_newer_ones(bare: Path) -> None:
    build = playwright_build(bare, f"chromium-{wanted_revision()}")
    playwright_build(bare, f"chromium-{wanted_revision() + 1}")
    assert find_browser().path == build


def test_of_other_builds_the_newest_is_taken(bare: Path) -> None:
    playwright_build(bare, "chromium-999")
    build = playwright_build(bare, "chromium-1000", "chrome-linux/chrome")
    assert find_browser().path == build


def test_a_build_whose_download_broke_off_is_not_taken(bare: Path) -> None:
    playwright_build(bare, "chromium-1000", complete=False)
    build = playwright_build(bare, "chromium-999")
    assert find_browser().path == build


def test_a_headless_shell_is_taken_only_where_nothing_is_to_be_seen(bare: Path) -> None:
    name = f"chromium_headless_shell-{wanted_revision()}"
    shell = playwright_build(bare, name, "chrome-headless-shell-linux64/chrome-headless-shell")
    assert find_browser().path == shell
    with pytest.raises(RuntimeUnavailableError):
        find_browser(headed=True)
    browser = playwright_build(bare, "chromium-1")
    assert find_browser().path == browser


@pytest.mark.parametrize("name", ["google-chrome", "chromium", "chromium-browser", "microsoft-edge"])
def test_a_browser_of_the_system_is_found_on_the_path(bare: Path, tmp_path: Path, name: str) -> None:
    there = program(tmp_path / "bin" / name)
    assert find_browser() == FoundBrowser(there, "system")


def test_a_browser_of_the_system_is_found_in_its_usual_place(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = program(tmp_path / "opt" / "chrome")
    monkeypatch.setitem(finding.PLACES, "chromium", replace(finding.PLACES["chromium"], linux=(str(there),)))
    assert find_browser() == FoundBrowser(there, "system")


def test_a_browser_of_a_mac_is_found(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    there = program(tmp_path / "Applications" / "Chromium.app" / "Contents" / "MacOS" / "Chromium")
    assert find_browser() == FoundBrowser(there, "system")


def test_a_browser_of_windows_is_found(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(finding.shutil, "which", lambda name: None)
    monkeypatch.setenv("PROGRAMFILES", str(tmp_path))
    there = program(tmp_path / "Google" / "Chrome" / "Application" / "chrome.exe")
    assert find_browser() == FoundBrowser(there, "system")


def test_what_is_not_executable_is_not_a_browser(bare: Path, tmp_path: Path) -> None:
    playwright_build(bare, "chromium-1000").chmod(0o644)
    with pytest.raises(RuntimeUnavailableError):
        find_browser()


def test_no_browser_at_all_is_told_with_where_it_was_looked_for_and_what_to_do(bare: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match="Chromium or Chrome") as caught:
        find_browser()
    assert str(bare) in caught.value.message
    assert "PATH" in caught.value.message
    for way_out in ("pycheck doctor --install", "playwright install chromium", "--browser-path"):
        assert way_out in caught.value.advice


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/cache"}, "/cache/ms-playwright"),
        ("linux", {"XDG_CACHE_HOME": ""}, "{home}/.cache/ms-playwright"),
        ("darwin", {}, "{home}/Library/Caches/ms-playwright"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/ms-playwright"),
        ("linux", {"PLAYWRIGHT_BROWSERS_PATH": "/named"}, "/named"),
    ],
)
def test_playwrights_folder_is_where_playwright_puts_it(
    platform: str, variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("PLAYWRIGHT_BROWSERS_PATH", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(finding.playwright_folder()) == expected.format(home=tmp_path)


def start(run: Run[Any], **options: Any) -> Any:
    async def scenario() -> Any:
        async with BrowserHost(**options) as host:
            return host, await host.browser("cpu")

    return run(scenario())


@pytest.mark.real
def test_a_program_that_is_no_browser_is_unavailable_with_what_it_said(run: Run[Any], tmp_path: Path) -> None:
    given = program(tmp_path / "chrome", "echo 'cannot open shared object file: libnss3.so' >&2; exit 127")
    with pytest.raises(RuntimeUnavailableError, match="does not start") as caught:
        start(run, browser_path=given)
    assert "libnss3.so" in caught.value.message
    assert str(given) in caught.value.message


@pytest.mark.real
def test_a_browser_that_does_not_come_up_is_a_timeout(run: Run[Any], tmp_path: Path) -> None:
    given = program(tmp_path / "chrome", "exec sleep 30")
    with pytest.raises(RuntimeTimeoutError, match="did not start within 1 s"):
        start(run, browser_path=given, timeout_s=1)


@pytest.mark.real
def test_a_start_that_is_broken_off_ends_at_once_and_leaves_nothing(run: Run[Any], tmp_path: Path) -> None:
    told = tmp_path / "pid"
    given = program(tmp_path / "chrome", f"echo $$ > {told}; exec sleep 600")

    async def scenario() -> int:
        starting = asyncio.ensure_future(BrowserHost(browser_path=given).__aenter__())
        while not (told.exists() and told.read_text().strip()):
            await asyncio.sleep(0.05)
        starting.cancel()
        await asyncio.wait([starting], timeout=60)
        assert starting.cancelled()
        return int(told.read_text())

    pid = run(scenario())
    folder = tmp_path / "empty"
    folder.mkdir()
    assert nothing_left([pid], folder)


CHROMIUM_WITHOUT_SANDBOX = """
echo x >> {count}
case " $* " in
  *" --no-sandbox "*) exec {chromium} "$@" ;;
  *) echo "No usable sandbox! If you are running on Ubuntu" >&2; exit 1 ;;
esac
"""


@pytest.mark.real
@pytest.mark.parametrize(("is_root", "starts"), [(False, 2), *more((True, 1))])
def test_the_sandbox_is_given_up_only_where_the_browser_refuses_to_start_with_it(
    run: Run[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_root: bool, starts: int
) -> None:
    monkeypatch.setattr(playwright, "_is_root_on_linux", lambda: is_root)
    text = CHROMIUM_WITHOUT_SANDBOX.format(chromium=find_browser().path, count=tmp_path / "count")
    refusing = program(tmp_path / "chrome", text)
    host, browser = start(run, browser_path=refusing)
    assert browser.sandbox is False
    assert host.found == FoundBrowser(refusing, "given")
    assert (tmp_path / "count").read_text() == starts * "x\n"


@pytest.mark.real
def test_a_browser_that_does_not_start_for_another_reason_is_not_tried_again(run: Run[Any], tmp_path: Path) -> None:
    count = tmp_path / "count"
    given = program(tmp_path / "chrome", f"echo x >> {count}; echo 'no display' >&2; exit 1")
    with pytest.raises(RuntimeUnavailableError, match="no display"):
        start(run, browser_path=given)
    assert count.read_text() == "x\n"


@pytest.mark.real
def test_the_sandbox_is_on_where_it_can_be(host: BrowserHost, run: Run[Any]) -> None:
    browser = run(host.browser("cpu"))
    assert browser.sandbox is not (os.geteuid() == 0)


@pytest.mark.real
def test_the_users_arguments_reach_the_browser(run: Run[Any]) -> None:
    async def scenario() -> str:
        async with BrowserHost(browser_args=["--user-agent=pycheck-test"]) as host:
            page = await (await host.browser("cpu")).handle.new_page()
            agent: str = await page.evaluate("navigator.userAgent")
            return agent

    assert run(scenario()) == "pycheck-test"


@pytest.mark.real
def test_webgpus_flags_are_not_given_to_the_other_kinds(run: Run[Any], host: BrowserHost) -> None:
    async def command(kind: str) -> str:
        session = await (await host.browser(kind)).handle.new_browser_cdp_session()
        line: str = (await session.send("SystemInfo.getInfo"))["commandLine"]
        await session.detach()
        return line

    assert "--enable-unsafe-webgpu" not in run(command("webgl"))
    assert "--enable-unsafe-webgpu" in run(command("webgpu"))


def test_a_profile_that_playwright_has_no_time_to_remove_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Handle:
        version = "1"

        def on(self, event: str, listener: Any) -> None: ...

        async def close(self) -> None:
            """As of a busy machine: the browser ends, and its profile is still there."""

    monkeypatch.setattr(playwright, "_CLEANUP_TIMEOUT_S", 0.1)
    folders = [tmp_path / name for name in ("profile", "socket")]
    for folder in folders:
        (folder / "Default").mkdir(parents=True)
    identity = playwright._Identity(None, *folders)
    found = FoundBrowser(tmp_path / "chrome", "given")
    asyncio.run(playwright.StartedBrowser(Handle(), identity, found, None).close())
    assert list(tmp_path.iterdir()) == []
