"""Serves one page for each runtime over loopback HTTP and talks to it, in the same way for every browser.

Each session has an unguessable token in its path, and everything that it may fetch is below that path: the harness,
the files that the artifact's manifest names, the inputs of the present batch. Control messages use one WebSocket;
outputs are sent by POST.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urljoin

from aiohttp import web
from aiohttp.typedefs import Handler

from ...errors import ArtifactFileError, PycheckError, RuntimeUnavailableError
from . import http
from .harness import Harness, incomplete
from .session import Session


def artifact_files(folder: Path, model_file: str = "model.json", format: str = "graph") -> Mapping[str, Path]:
    """Return the files of an artifact that the page may fetch, by URL path: model.json and its shards, or a .tflite.

    The page always uses the name model.json or model.tflite, whatever the name of `model_file`.

    ArtifactFileError if a file is missing or unreadable, or if a shard is outside of the folder, after following
    links.
    """
    manifest = folder / model_file
    if format == "tflite":
        return {"model.tflite": manifest}
    try:
        groups = json.loads(manifest.read_text(encoding="utf-8-sig")).get("weightsManifest", [])
        names = [str(name) for group in groups for name in group["paths"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactFileError(f"{manifest} is not a TF.js model: {error!r}.") from None
    files = {"model.json": manifest}
    root = folder.resolve()
    for name in names:
        path = (folder / name).resolve()
        if not path.is_relative_to(root):
            raise ArtifactFileError(f"{manifest} names the shard {name!r}, which is outside of its folder.")
        if not path.is_file():
            raise ArtifactFileError(f"{manifest} names the shard {name!r}, which is missing.", f"Copy it to {path}")
        files[_asked_for(name)] = path
    return files


def _asked_for(name: str) -> str:
    """Return the path that a browser requests: TF.js saves ``./model.weights.bin``, and browsers omit the dot."""
    return urljoin("/", name).removeprefix("/")


class Server:
    """The HTTP server of pages, as an asynchronous context manager. Listens on 127.0.0.1, by default on a free port.

    `public_url` is the origin under which browsers elsewhere reach it, through a tunnel or a reverse proxy. `origin` is
    that of its pages.
    """

    origin: str

    def __init__(self, *, public_url: str | None = None, port: int = 0) -> None:
        self._public_url = public_url
        self._port = port
        self._sessions: dict[str, Session] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/{token}/", self._page),
                web.get("/{token}/control", self._control),
                web.get("/{token}/harness/{name}", self._harness_file),
                web.get("/{token}/artifact/{name:.+}", self._artifact_file),
                web.get("/{token}/app/{path:.+}", self._app_file),
                web.get("/{token}/files/{name}", self._user_file),
                web.get("/{token}/inputs/{name}", self._send_inputs),
                web.post("/{token}/outputs/{name}", self._receive_outputs),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, auto_decompress=False)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise RuntimeUnavailableError(
                f"Cannot listen on port {self._port} of this machine: {error.strerror}.",
                "Choose another --public-port.",
            ) from None
        host, port = self._runner.addresses[0][:2]
        self._local = f"http://{host}:{port}"
        self.origin = self._public_url or self._local
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for session in list(self._sessions.values()):
            await session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @asynccontextmanager
    async def session(self, harness: Harness, *, isolated: bool = False) -> AsyncIterator[Session]:
        """Make a session for a new page of this build, see `Session`; its address is valid within this context."""
        session = Session(self.origin, harness, isolated=isolated)
        self._sessions[session.token] = session
        try:
            yield session
        finally:
            await session.close()
            del self._sessions[session.token]

    def _session(self, request: web.Request) -> Session:
        session = self._sessions.get(request.match_info["token"])
        if session is None:
            raise web.HTTPNotFound
        return session

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        http.refuse_foreign(request, self._local, self.origin)  # a proxy may keep the name or put its own
        try:
            response = await handler(request)
        except ConnectionError:  # the page has gone in the meantime; its session reports that
            return web.Response()
        return response

    def _headers(self, request: web.Request, name: str, import_map: str = "") -> dict[str, str]:
        isolated = self._session(request).isolated
        policy = http.policy(self.origin, import_map=import_map, isolated=isolated)
        return http.headers(name, policy, isolated=isolated)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        response = await self._send_harness(request, "index.html")
        if (app := self._session(request).app) and response.text:
            html, map_hash = app.page(response.text)
            return web.Response(body=html.encode(), headers=self._headers(request, "index.html", map_hash))
        return response

    async def _control(self, request: web.Request) -> web.StreamResponse:
        return await self._session(request).serve_control(request)

    async def _harness_file(self, request: web.Request) -> web.StreamResponse:
        return await self._send_harness(request, request.match_info["name"])

    async def _send_harness(self, request: web.Request, name: str) -> web.Response:
        """Send a file of the page; a missing file ends the session, because the page could never connect."""
        session = self._session(request)
        try:
            content = await asyncio.to_thread(session.harness.content, name)
        except PycheckError as error:
            session.fail(error)
            raise web.HTTPNotFound from None
        if content is None:
            if not name.endswith(".map"):  # only developer tools request it
                session.fail(incomplete(session.harness.folder / name, "its build does not list it"))
            raise web.HTTPNotFound
        return web.Response(body=content, headers=self._headers(request, name))

    async def _artifact_file(self, request: web.Request) -> web.StreamResponse:
        path = self._session(request).artifact.get(request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound
        return await self._send_file(request, path)

    async def _app_file(self, request: web.Request) -> web.StreamResponse:
        app = self._session(request).app
        is_script = request.headers.get("Sec-Fetch-Dest") == "script"
        path = await asyncio.to_thread(app.file, request.match_info["path"], is_script=is_script) if app else None
        if path is None:
            raise web.HTTPNotFound
        return await self._send_file(request, path)

    async def _user_file(self, request: web.Request) -> web.StreamResponse:
        file = self._session(request).file(request.match_info["name"])
        if isinstance(file, bytes):
            return web.Response(body=file, headers=self._headers(request, ""))
        try:
            return await http.send_file(request, file, self._headers(request, ""))
        except OSError as error:
            if isinstance(error, ConnectionError):
                raise
            raise web.HTTPNotFound(text=error.strerror) from None

    async def _send_file(self, request: web.Request, path: Path) -> web.StreamResponse:
        return await http.send_file(request, path, self._headers(request, path.name))

    async def _send_inputs(self, request: web.Request) -> web.StreamResponse:
        encoded = self._session(request).inputs(request.match_info["name"])
        response = web.StreamResponse(headers=self._headers(request, "inputs.safetensors"))
        response.content_length = encoded.size_bytes
        await response.prepare(request)
        for part in encoded.parts:
            for start in range(0, len(part), http.CHUNK_BYTES):
                await response.write(part[start : start + http.CHUNK_BYTES])
        await response.write_eof()
        return response

    async def _receive_outputs(self, request: web.Request) -> web.StreamResponse:
        await self._session(request).receive_outputs(request.match_info["name"], request)
        return web.Response(headers=self._headers(request, "reply.txt"))
