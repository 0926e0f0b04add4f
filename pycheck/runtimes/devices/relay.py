"""Relays requests of a run's page to the server of that run, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
from aiohttp import WSMsgType, web
from yarl import URL

from ..browser import http
from .device import Relay

#: A connection without an answer to a ping for so long is lost: the device sleeps, or has left the network.
HEARTBEAT_S = 10.0
_HANG_UP_S = 1.0


async def pass_on(
    relay: Relay, request: web.Request, client: aiohttp.ClientSession, origin: str, *, isolated: bool
) -> web.StreamResponse:
    """Return the answer of the run's server, with the policy of this one at `origin`; 502 if the run's has gone.

    A frame in an `isolated` page is isolated too, or the browser does not load it.
    """
    target = URL(relay.origin + request.raw_path, encoded=True)
    passed = {name: request.headers[name] for name in ("Content-Length",) if name in request.headers}
    if "Origin" in request.headers:  # checked; these are for this server
        passed["Origin"] = relay.origin
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await _pass_messages(relay, request, client, target, passed)
    body = request.content if request.can_read_body else None
    try:
        async with client.request(request.method, target, headers=passed, data=body) as answer:
            import_map = http.import_map_in(answer.headers.get("Content-Security-Policy", ""))
            policy = http.policy(origin, framed=True, import_map=import_map, isolated=isolated)
            headers = http.headers("", policy, isolated=isolated)
            response = web.StreamResponse(status=answer.status, headers=headers)
            response.content_type = answer.content_type
            if answer.content_type == "application/wasm":  # up to 9 MB, a third when compressed
                response.enable_compression()
            else:
                response.content_length = answer.content_length
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response
    except aiohttp.ClientConnectionError:
        raise web.HTTPBadGateway from None


async def _pass_messages(
    relay: Relay, request: web.Request, client: aiohttp.ClientSession, target: URL, passed: dict[str, str]
) -> web.StreamResponse:
    try:
        upstream = await client.ws_connect(target, headers=passed, max_msg_size=0)
    except aiohttp.WSServerHandshakeError as refused:
        return web.Response(status=refused.status)
    async with upstream:
        page = web.WebSocketResponse(compress=False, timeout=_HANG_UP_S, heartbeat=HEARTBEAT_S)
        await page.prepare(request)
        relay.sockets.add(page)
        try:
            pumps = [
                asyncio.ensure_future(_pump(page, upstream.send_str)),
                asyncio.ensure_future(_pump(upstream, page.send_str)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            relay.sockets.discard(page)
            await page.close()
    return page


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse, sink: Callable[[str], Awaitable[None]]
) -> None:
    with suppress(ConnectionError):
        async for message in source:
            if message.type is WSMsgType.TEXT:
                await sink(message.data)
