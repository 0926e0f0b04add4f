"""Where a browser's window goes: the display that is there, an Xvfb of our own, or nowhere (headless)."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import struct
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import RuntimeTimeoutError, RuntimeUnavailableError
from .kept import Kept

_ADVICE = "Install Xvfb (Debian: apt-get install xvfb; Fedora: dnf install xorg-x11-server-Xvfb), or set DISPLAY."
#: What Xvfb has no GPU for anyway is asked for by name, so that it can be said what it was.
SOFTWARE = {"LIBGL_ALWAYS_SOFTWARE": "1", "GALLIUM_DRIVER": "llvmpipe"}
_WILD = 0xFFFF  # FamilyWild: the cookie opens whatever number the display has (X11/Xauth.h)


@dataclass(frozen=True, slots=True)
class Display:
    """What a browser needs in its environment, and how a report calls the place."""

    headless: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    renderer: str | None = None  # what draws, where that was our choice
    server: Kept | None = None

    @property
    def description(self) -> str:
        """Headless, headed or under Xvfb."""
        return "under Xvfb" if self.server else "headless" if self.headless else "headed"

    async def close(self) -> None:
        """End the Xvfb, where there is one."""
        if self.server:
            await self.server.close()


async def open_display(*, headed: bool, has_headless: bool, timeout_s: float) -> Display:
    """The display that is there; without one an Xvfb, unless a person is to see the window.

    `has_headless` tells of a browser that can do without any, which on Linux has no WebGL then. Raises
    RuntimeUnavailableError where there is no way.
    """
    if sys.platform != "linux":
        return Display(headless=has_headless and not headed)
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return Display()
    if headed:
        raise RuntimeUnavailableError(
            "--headed needs a display, but neither DISPLAY nor WAYLAND_DISPLAY is set.",
            "Remove --headed, or set DISPLAY.",
        )
    if shutil.which("Xvfb"):
        return await _start_xvfb(timeout_s)
    if has_headless:
        return Display(headless=True)
    raise RuntimeUnavailableError(
        "This browser needs a display, but DISPLAY is not set and Xvfb is not installed.", _ADVICE
    )


async def _start_xvfb(timeout_s: float) -> Display:
    folder = Path(tempfile.mkdtemp(prefix="pycheck-xvfb-"))
    authority = folder / "Xauthority"
    authority.write_bytes(_cookie())
    command = ("Xvfb", "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-noreset")
    # -displayfd 1: it chooses a free number and says which
    server = await Kept.start((*command, "-auth", authority), folder=folder, environment=SOFTWARE, gently=True)
    try:
        async with asyncio.timeout(timeout_s):
            number = await server.line(str.isdigit)
    except BaseException as error:
        await server.close()
        if isinstance(error, TimeoutError):
            raise RuntimeTimeoutError(f"Xvfb did not start within {timeout_s:g} s: {server.said}") from None
        raise
    if number is None:
        raise RuntimeUnavailableError(f"Xvfb does not start: {server.said}", _ADVICE)
    environment = {**SOFTWARE, "DISPLAY": f":{number}", "XAUTHORITY": str(authority), "GDK_BACKEND": "x11"}
    return Display(environment=environment, renderer="llvmpipe", server=server)


def _cookie() -> bytes:
    """An Xauthority file with one secret, without which nobody else on this machine may look at the screen."""
    name, secret = b"MIT-MAGIC-COOKIE-1", secrets.token_bytes(16)
    fields = (b"", b"", name, secret)  # address, number
    return struct.pack(">H", _WILD) + b"".join(struct.pack(">H", len(part)) + part for part in fields)
