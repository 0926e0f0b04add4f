"""Listens for devices on behalf of all runs to come, until it is ended; says which are there."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import socket
from collections.abc import Callable, Sequence

from ..errors import UsageError
from ..runtimes.devices import DeviceInfo, Event, Invited, Joined, Left, Listener, connected, is_listening
from ..runtimes.devices.naming import system
from ..runtimes.launching.base import NAMES
from ..runtimes.launching.window import identify
from ..types import DEVICE_NAME

__all__ = ["DeviceInfo", "Event", "Invited", "Joined", "Left", "connected", "describe", "listen", "qr_code"]

#: An address that is routed and belongs to nobody (RFC 5737); nothing is sent there.
_ELSEWHERE = ("198.51.100.1", 9)


async def listen(host: str | None, port: int, names: Sequence[str], tell: Callable[[Event], None]) -> None:
    """Let devices in until cancelled, which is its ordinary end.

    `host` is an address of this machine, by default that of the network it is in; `port` 0 is a free one.
    UsageError: one of them is wrong or taken, a name is none, or another process listens already.
    """
    address = _address(host) if host else own_address()
    for name in names:
        if not DEVICE_NAME.fullmatch(name):
            raise UsageError(f"--name {name}: the name must have at most 32 lower-case letters, digits and hyphens.")
    if len(set(names)) < len(names):
        raise UsageError(f"--name {' '.join(names)}: two devices cannot have the same name.")
    if await is_listening():
        raise UsageError("Another pycheck devices --listen is running.", "Open its address on the device, or stop it.")
    async with Listener(address, port, names, tell):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return


def own_address() -> str:
    """This machine's address in the network that its traffic leaves by; UsageError where it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)  # sends nothing: it asks the routing table
            address: str = probe.getsockname()[0]
        except OSError:
            address = "0.0.0.0"
    if ipaddress.ip_address(address).is_unspecified:
        raise UsageError(
            "This machine has no network address.",
            "Give an address with --host. 127.0.0.1 is for devices on a cable or a tunnel.",
        )
    return address


def describe(device: DeviceInfo) -> str:
    """Such as "Chromium 156.0 on Android", and what its page cannot have."""
    engine, version = identify(device.user_agent)
    found = system(device.user_agent)
    browser = f"{NAMES[engine]} {version}" if engine else f"an unknown browser ({device.user_agent})"
    lacks = "" if device.is_secure_context else "; no secure context, so no WebGPU"
    return f"{browser}{f' on {found}' if found else ''}{lacks}"


def qr_code(text: str) -> str:
    """A QR code as lines of half blocks, light where there is a block: for light text on a dark ground."""
    import segno

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue().rstrip("\n")


def _address(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise UsageError(
            f"--host {host}: this is not an address.", "Give one of this machine, such as 192.168.1.20 or 127.0.0.1."
        ) from None
    if address.is_unspecified:
        raise UsageError(
            f"--host {host} stands for all addresses, but devices need one that they can open.",
            "Give the address in the network of the device, or remove --host.",
        )
    return str(address)
