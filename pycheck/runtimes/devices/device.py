"""One device: its open page, and the pages of runs within it."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from ... import protocol


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A connected device. If its context is not secure, it has no WebGPU."""

    name: str
    user_agent: str
    is_secure_context: bool


class Relay:
    """One page of a run on a device: the run's own server, and an event for the loss of the device."""

    def __init__(self, device: Device, origin: str, token: str) -> None:
        self.device = device
        self.origin = origin
        self.token = token
        self.path = f"/{token}/"
        self.lost = asyncio.Event()
        self.sockets: set[web.WebSocketResponse] = set()

    async def close(self) -> None:
        """Close the connections of the page."""
        for socket in list(self.sockets):
            await socket.close()


class Device:
    """A device, also while its connection is broken; its page reconnects with the `key`. `cookie` is its browser's."""

    def __init__(self, cookie: str) -> None:
        self.key = secrets.token_urlsafe(32)
        self.cookie = cookie
        self.remote = ""  # the network address of its last connection
        self.info: DeviceInfo | None = None
        self.socket: web.WebSocketResponse | None = None
        self.relays: set[Relay] = set()

    @property
    def name(self) -> str:
        """Return the name of the device; empty until its page has connected."""
        return self.info.name if self.info else ""

    @property
    def is_connected(self) -> bool:
        """Tell whether its page is connected."""
        return self.socket is not None and self.info is not None

    async def send(self, command: protocol.DeviceCommand) -> None:
        """Send a command to its page; do nothing if the page has gone."""
        if self.socket is not None:
            with suppress(ConnectionError):
                await self.socket.send_str(protocol.encode_for_device(command))

    def lost(self) -> None:
        """Mark its page as gone, and with it the pages of runs."""
        self.socket = None
        for relay in self.relays:
            relay.lost.set()
