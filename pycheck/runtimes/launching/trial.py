"""Tests whether a browser starts, for set-up code that can install its dependencies."""

from __future__ import annotations

import sys

from ...errors import RuntimeFailedError
from .base import FoundBrowser, LaunchOptions
from .command import ENGINES, ask_version
from .display import open_display
from .playwright import PlaywrightLauncher

_TIMEOUT_S = 60.0


async def trial(engine: str, found: FoundBrowser) -> str:
    """Return why a Firefox or WebKit does not start; empty if it starts."""
    try:
        if engine in ENGINES and found.source != "Playwright":
            return await _ask(engine, found)
        launcher = PlaywrightLauncher(engine, found)
        try:
            await (await launcher.launch(LaunchOptions(timeout_s=_TIMEOUT_S))).close()
        finally:
            await launcher.close()
    except RuntimeFailedError as error:
        return error.message
    return ""


async def _ask(engine: str, found: FoundBrowser) -> str:
    """Run the command's --version, on the display that its windows would use."""
    display = await open_display(headed=False, has_headless=engine == "firefox", timeout_s=_TIMEOUT_S)
    try:
        if await ask_version(found.path, display) is None:
            return f"{found.path} does not start"
    finally:
        await display.close()
    if sys.platform == "linux" and display.headless:
        return "Firefox needs a display or Xvfb: without one it has no WebGL"
    return ""
