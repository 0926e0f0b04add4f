"""The process that devices connect to, and that lends them to runs.

It has two servers. One is open to the network, at one address, or behind a tunnel or a proxy at a public one: it
serves one-time addresses for device pages, and relays the addresses of pages of current runs; all other paths do not
exist. The second, on 127.0.0.1, lends devices to processes of pycheck that present its secret.

A browser that opens an address for a device gets a cookie, and the pages of runs on that device need it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from typing import Self

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.typedefs import Handler

from ... import protocol
from ...errors import UsageError
from ..browser import http
from ..browser.harness import Harness
from . import link as links
from .device import Device, DeviceInfo, Relay
from .naming import choose
from .relay import HEARTBEAT_S, pass_on

#: The most seconds until a connected page identifies itself; otherwise it is not pycheck's.
_ARRIVAL_S = 15.0
_HANG_UP_S = 1.0
#: A cookie: 256 bits.
_COOKIE = re.compile(r"[\w-]{43}", re.ASCII)
#: The reason in the close frame at the end; see js_harness/src/device.js.
_ENDED = b"ended"
_USED = (
    '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark">'
    "<title>pycheck</title><h1>This address has been used</h1>"
    "<p>An address accepts only one page. Scan the code, or open the address, that pycheck shows now.</p>\n"
)


@dataclass(frozen=True, slots=True)
class Published:
    """An event: the tunnel or the proxy at `public_url` has to lead to `address`."""

    public_url: str
    address: str


@dataclass(frozen=True, slots=True)
class Invited:
    """An event: the next device may open this address."""

    url: str


@dataclass(frozen=True, slots=True)
class Joined:
    """An event: a device has connected, for the first time or again."""

    device: DeviceInfo


@dataclass(frozen=True, slots=True)
class Left:
    """An event: a device has gone, because its page was closed or its connection broke."""

    device: DeviceInfo


Event = Published | Invited | Joined | Left


class Listener:
    """Both servers, as an asynchronous context manager; `tell` receives events.

    `host` is an address of this machine, `port` 0 a free one; `public_url` is the origin of a tunnel or a proxy that
    leads there. With `isolated`, the pages are cross-origin isolated. Devices get the first free of `names`, in the
    order in which they connect; then a name from their browsers. UsageError if the address cannot be used.
    """

    url: str

    def __init__(
        self,
        host: str,
        port: int,
        names: Sequence[str],
        tell: Callable[[Event], None],
        public_url: str | None = None,
        *,
        isolated: bool = False,
    ) -> None:
        self._bind, self._port = host, port
        self._public_url = public_url
        self._isolated = isolated
        self._names = tuple(names)
        self._tell = tell
        self._stack = AsyncExitStack()
        self._invitation = ""
        self._pages: dict[str, Device] = {}  # by the token in the address of each
        self._relays: dict[str, Relay] = {}  # by the token in the address of the run's page

    async def __aenter__(self) -> Self:
        self._harness = Harness.read()
        try:
            self._client = await self._stack.enter_async_context(
                aiohttp.ClientSession(
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None),
                    connector=aiohttp.TCPConnector(limit=0),
                    auto_decompress=False,
                )
            )
            port = await self._serve(self._open_to_devices(), self._bind, self._port)
            shown = f"[{self._bind}]" if ipaddress.ip_address(self._bind).version == 6 else self._bind
            self._local = f"http://{shown}:{port}"
            self._origin = self._public_url or self._local
            self._desk_port = await self._serve(self._open_to_runs(), "127.0.0.1", 0)
            self._link = links.publish(self._desk_port, self._public_url)
            self._stack.callback(links.withdraw, self._link)
            self._stack.push_async_callback(self._hang_up)
            if self._public_url is not None:
                self._tell(Published(self._public_url, self._local))
            self._invite()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    @property
    def devices(self) -> tuple[DeviceInfo, ...]:
        """Return the connected devices."""
        return tuple(device.info for device in self._pages.values() if device.is_connected and device.info)

    async def _serve(self, app: web.Application, host: str, port: int) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, auto_decompress=False)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise UsageError(
                f"Cannot listen on {host} port {port}: {error.strerror}.",
                "Give a different --port, or an address of this machine as --host.",
            ) from None
        bound: int = runner.addresses[0][1]
        return bound

    async def _hang_up(self) -> None:
        for device in self._pages.values():
            if device.socket is not None:
                await device.socket.close(code=WSCloseCode.GOING_AWAY, message=_ENDED)

    def _invite(self) -> None:
        self._invitation = secrets.token_urlsafe(32)
        self.url = f"{self._origin}/{self._invitation}/"
        self._tell(Invited(self.url))

    # ---------------------------------------------------------------- paths for devices

    def _open_to_devices(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/{token}/", self._page),
                web.get("/{token}/control", self._control),
                web.get("/{token}/harness/{name}", self._harness_file),
                web.get("/{token}/{rest:.+}", self._nothing),  # a relay accepts it
                web.post("/{token}/{rest:.+}", self._nothing),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        http.refuse_foreign(request, self._local, self._origin)  # a proxy may keep the name or put its own
        relay = self._relays.get(request.match_info.get("token", ""))
        try:
            if relay is not None:
                if not self._is_from(relay.device, request):
                    raise web.HTTPNotFound
                return await pass_on(relay, request, self._client, self._origin, isolated=self._isolated)
            response = await handler(request)
        except ConnectionError:  # the device has gone in the meantime
            return web.Response()
        return response

    async def _nothing(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPNotFound

    def _headers(self, name: str) -> dict[str, str]:
        return http.headers(name, http.policy(self._origin, frames=True), isolated=self._isolated)

    @property
    def _cookie(self) -> str:
        """Return the name of the cookie; browsers keep the prefix for secure pages of this host alone (RFC 6265bis)."""
        return "__Host-pycheck" if self._is_secure else "pycheck"

    @property
    def _is_secure(self) -> bool:
        return self._origin.startswith("https:")

    def _is_from(self, device: Device, request: web.Request) -> bool:
        """Tell whether a request comes from the device's browser. Behind a proxy all have the address of the proxy."""
        is_peer = self._public_url is not None or request.remote == device.remote
        return is_peer and http.is_secret(device.cookie, request.cookies.get(self._cookie, ""))

    async def _page(self, request: web.Request) -> web.StreamResponse:
        token = request.match_info["token"]
        if token in self._pages:
            return web.Response(status=410, text=_USED, headers=self._headers("used.html"))
        if token != self._invitation:
            raise web.HTTPNotFound
        response = await self._send_harness("device.html")
        if not _COOKIE.fullmatch(request.cookies.get(self._cookie, "")):  # two pages of one browser share it
            value = secrets.token_urlsafe(32)
            response.set_cookie(self._cookie, value, secure=self._is_secure, httponly=True, samesite="Lax")
        return response

    async def _harness_file(self, request: web.Request) -> web.StreamResponse:
        token, name = request.match_info["token"], request.match_info["name"]
        if token != self._invitation and token not in self._pages:
            raise web.HTTPNotFound
        return await self._send_harness(name)

    async def _send_harness(self, name: str) -> web.StreamResponse:
        content = await asyncio.to_thread(self._harness.content, name)
        if content is None:
            raise web.HTTPNotFound
        return web.Response(body=content, headers=self._headers(name))

    async def _control(self, request: web.Request) -> web.StreamResponse:
        """Serve the connection of a device's page, while it is open."""
        token = request.match_info["token"]
        device = self._pages.get(token)
        if device is None:
            if token != self._invitation:
                raise web.HTTPNotFound
            cookie = request.cookies.get(self._cookie, "")
            if not _COOKIE.fullmatch(cookie):
                raise web.HTTPForbidden(text="this browser keeps no cookies")
            self._pages[token] = device = Device(cookie)
            self._invite()
        elif not http.is_secret(device.key, request.query.get("key", "")):
            raise web.HTTPConflict(text="this address has been used")
        device.remote = request.remote or ""
        socket = web.WebSocketResponse(compress=False, timeout=_HANG_UP_S, heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        try:
            async with asyncio.timeout(_ARRIVAL_S):
                arrived = protocol.decode_arrived(await socket.receive_str())
        except (ValueError, TypeError, TimeoutError):  # not a page of pycheck
            await socket.close()
            return socket
        await self._attend(device, arrived, socket)
        return socket

    async def _attend(self, device: Device, arrived: protocol.Arrived, socket: web.WebSocketResponse) -> None:
        before, device.socket = device.socket, socket
        if before is not None:  # its page noticed first that the connection was broken
            for relay in device.relays:
                relay.lost.set()
            await before.close()
        name = device.name or choose(arrived, self._names, [info.name for info in self.devices])
        for token, other in list(self._pages.items()):
            if other is not device and other.name == name:  # gone; it cannot reconnect with this name
                del self._pages[token]
        device.info = DeviceInfo(name, arrived.user_agent, arrived.is_secure_context)
        await device.send(protocol.Welcome(name, device.key))
        self._tell(Joined(device.info))
        async for _ in socket:
            pass
        if device.socket is socket:
            device.lost()
            self._tell(Left(device.info))

    # ---------------------------------------------------------------- paths for runs

    def _open_to_runs(self) -> web.Application:
        app = web.Application(middlewares=[self._check_secret])
        app.add_routes([web.get("/devices", self._list), web.get("/lend", self._lend)])
        return app

    @web.middleware
    async def _check_secret(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        is_known = http.is_secret(self._link.headers["Authorization"], request.headers.get("Authorization", ""))
        if request.host != f"127.0.0.1:{self._desk_port}" or not is_known:
            raise web.HTTPForbidden
        return await handler(request)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        return web.json_response([asdict(info) for info in self.devices])

    async def _lend(self, request: web.Request) -> web.StreamResponse:
        """Make a device open the page of a run, until the connection ends or the device has gone."""
        run = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
        await run.prepare(request)
        asked = await run.receive_json()
        device = next((d for d in self._pages.values() if d.is_connected and d.name == asked["device"]), None)
        if device is None:
            await run.close(message=b"absent")
            return run
        relay = Relay(device, asked["origin"], asked["token"])
        self._relays[relay.token] = relay
        device.relays.add(relay)
        await device.send(protocol.OpenFrame(relay.path))
        waiting = [asyncio.ensure_future(_end_of(run)), asyncio.ensure_future(relay.lost.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            del self._relays[relay.token]
            device.relays.discard(relay)
            if relay.lost.is_set():
                with suppress(ConnectionError):
                    await run.close(message=b"lost")
            await relay.close()
            await device.send(protocol.CloseFrame(relay.path))
        return run


async def _end_of(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is WSMsgType.ERROR:
            return
