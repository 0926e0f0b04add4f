"""Listens for devices on behalf of all later runs until it is cancelled, and reports which are connected."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import socket
from collections.abc import Callable, Sequence

from ..errors import UsageError
from ..options.kinds import Origin, WrongValue
from ..runtimes.devices import DeviceInfo, Event, Invited, Joined, Left, Listener, Published, connected, is_listening
from ..runtimes.devices.naming import system
from ..runtimes.launching.base import NAMES
from ..runtimes.launching.window import identify
from ..types import DEVICE_NAME

__all__ = [
    "DeviceInfo",
    "Event",
    "Invited",
    "Joined",
    "Left",
    "Published",
    "connected",
    "describe",
    "listen",
    "qr_code",
]

#: A reserved address that is routed (RFC 5737); nothing is sent to it.
_ELSEWHERE = ("198.51.100.1", 9)


async def listen(
    host: str | None,
    port: int,
    names: Sequence[str],
    tell: Callable[[Event], None],
    public_url: str | None = None,
    *,
    isolated: bool = False,
) -> None:
    """Accept devices until cancelled.

    `host` is an address of this machine, by default that of its network; `port` 0 is a free one. `public_url` is the
    origin of a tunnel or a proxy that leads to this port, by default of 127.0.0.1. With `isolated` the pages are
    cross-origin isolated. UsageError if an address or port is wrong or taken, if a name is invalid, or if a different
    process already listens.
    """
    if public_url is not None:
        public_url = _origin(public_url)
        host = host or "127.0.0.1"
    address = _address(host) if host else own_address()
    for name in names:
        if not DEVICE_NAME.fullmatch(name):
            raise UsageError(f"--name {name}: the name must have at most 32 lower-case letters, digits and hyphens.")
    if len(set(names)) < len(names):
        raise UsageError(f"--name {' '.join(names)}: two devices cannot have the same name.")
    if await is_listening():
        raise UsageError("Another pycheck devices --listen is running.", "Open its address on the device, or stop it.")
    async with Listener(address, port, names, tell, public_url, isolated=isolated):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return


def own_address() -> str:
    """Return this machine's address in the network of its default route; UsageError if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)  # connecting a UDP socket only reads the routing table
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
    """Describe a device, such as "Chromium 156.0 on Android", and the features that its page lacks."""
    engine, version = identify(device.user_agent)
    found = system(device.user_agent)
    browser = f"{NAMES[engine]} {version}" if engine else f"an unknown browser ({device.user_agent})"
    lacks = "" if device.is_secure_context else "; no secure context, so no WebGPU"
    return f"{browser}{f' on {found}' if found else ''}{lacks}"


def qr_code(text: str) -> str:
    """Return a QR code as lines of half blocks; a block is light, for light text on a dark background."""
    import segno

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue().rstrip("\n")


def _origin(url: str) -> str:
    try:
        return Origin().read(url)
    except WrongValue as wrong:
        raise UsageError(f"--public-url {url}: {wrong.problem}.", wrong.advice) from None


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
