"""Chooses how to open a browser."""

from __future__ import annotations

from pathlib import Path

from ...types import DEVICE
from .attach import AttachLauncher
from .base import Launcher
from .command import ENGINES as _BY_COMMAND
from .command import CommandLauncher
from .connect import ConnectLauncher
from .device import DeviceLauncher
from .finding import find_browser
from .playwright import PlaywrightLauncher
from .webdriver import PREFIX, WebDriverLauncher
from .window import Sessions

#: The value instead of an address if a person opens the page.
BY_HAND = "by-hand"


def choose(
    engine: str,
    *,
    path: Path | None = None,
    address: str | None = None,
    capabilities: Path | None = None,
    headed: bool = False,
    sessions: Sessions,
) -> Launcher:
    """Choose how to open an engine's browser: by the given address, else the given browser, else one that is found.

    Playwright's own browsers come before the system's. Playwright drives every Chromium, but only its own builds of
    the others. RuntimeUnavailableError if there is no browser.
    """
    if engine.startswith(DEVICE):
        return DeviceLauncher(engine.removeprefix(DEVICE))
    if address == BY_HAND:
        return AttachLauncher(engine, sessions)
    if address is not None and address.startswith(PREFIX):
        return WebDriverLauncher(engine, address, capabilities)
    if address is not None:
        return ConnectLauncher(engine, address)
    found = find_browser(path, engine=engine, headed=headed)
    if engine in _BY_COMMAND and found.source != "Playwright":
        return CommandLauncher(engine, found, sessions)
    return PlaywrightLauncher(engine, found)
