"""A browser has the same identity until something changes that it computes with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pycheck.runtimes.launching import identity
from pycheck.runtimes.launching.identity import identify


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    file = tmp_path / "chrome"
    file.write_text("version 1")
    file.chmod(0o755)
    return file


def test_it_stays_and_differs_by_executable_arguments_and_window(browser: Path) -> None:
    first = identify("chromium", path=browser)
    assert first and first == identify("chromium", path=browser)
    others = {
        identify("chromium", path=browser, args=["--use-gl=egl"]),
        identify("chromium", path=browser, headed=True),
        identify("firefox", path=browser),
    }
    browser.write_text("version 20")
    others.add(identify("chromium", path=browser))
    os.utime(browser, (1, 1))
    others.add(identify("chromium", path=browser))
    assert None not in others and len(others | {first}) == 6


def test_it_differs_by_the_settings_of_graphics_drivers(browser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity.machine.cache_clear()
    first = identify("chromium", path=browser)
    monkeypatch.setenv("LIBGL_ALWAYS_SOFTWARE", "1")
    identity.machine.cache_clear()
    assert identify("chromium", path=browser) != first
    monkeypatch.undo()
    identity.machine.cache_clear()


def test_what_is_elsewhere_or_missing_has_none(browser: Path, tmp_path: Path) -> None:
    assert identify("chromium", path=browser, address="ws://there") is None
    assert identify("device:phone") is None
    assert identify("chromium", path=tmp_path / "missing") is None


def test_a_link_to_another_version_is_another_browser(browser: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(browser)
    first = identify("chromium", path=link)
    other = tmp_path / "chrome-2"
    other.write_text("version 2, longer")
    other.chmod(0o755)
    link.unlink()
    link.symlink_to(other)
    assert identify("chromium", path=link) != first
