"""Chooses where a browser's window goes: the present display, a new Xvfb, or nowhere (headless)."""

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
#: Xvfb has no GPU, so software rendering is requested by name, which reports can then show.
SOFTWARE = {"LIBGL_ALWAYS_SOFTWARE": "1", "GALLIUM_DRIVER": "llvmpipe"}
_WILD = 0xFFFF  # FamilyWild: the cookie is valid for any display number (X11/Xauth.h)


@dataclass(frozen=True, slots=True)
class Display:
    """The environment variables of a display, and its name in reports."""

    headless: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    renderer: str | None = None  # the renderer, if pycheck chose it
    server: Kept | None = None

    @property
    def description(self) -> str:
        """Headless, headed or under Xvfb."""
        return "under Xvfb" if self.server else "headless" if self.headless else "headed"

    async def close(self) -> None:
        """End the Xvfb, if there is one."""
        if self.server:
            await self.server.close()


async def open_display(*, headed: bool, has_headless: bool, timeout_s: float) -> Display:
    """Return the present display; without one start an Xvfb, unless a person must see the window.

    `has_headless` says that the browser can run without a display, which on Linux means without WebGL.
    RuntimeUnavailableError if no display is possible.
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
    # -displayfd 1: it chooses a free number and prints it
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
    """Return an Xauthority file with one secret, without which no other user of this machine can read the screen."""
    name, secret = b"MIT-MAGIC-COOKIE-1", secrets.token_bytes(16)
    fields = (b"", b"", name, secret)  # the address and the number
    return struct.pack(">H", _WILD) + b"".join(struct.pack(">H", len(part)) + part for part in fields)
