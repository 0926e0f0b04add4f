"""One page of one runtime on the server: its address, its WebSocket, its tensors in transfer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
from aiohttp import WSMsgType, web

from ... import protocol
from ...errors import RuntimeFailedError
from ...tensors import Encoded
from ...types import Array
from .app import App
from .harness import Harness

_T = TypeVar("_T")

#: The most seconds between the effects of a crash and its report.
_GRACE_S = 0.5
#: The most seconds for a page to close its connection; a page that hangs never does.
_HANG_UP_S = 1.0


class Session:
    """One page: its address, its WebSocket, its files, and the data that it sends.

    `isolated` asks for a cross-origin isolated page.
    """

    def __init__(self, origin: str, harness: Harness, *, isolated: bool = False) -> None:
        self.harness = harness
        self.isolated = isolated
        self.token = secrets.token_urlsafe(32)
        self.url = f"{origin}/{self.token}/"
        self.artifact: Mapping[str, Path] = {}
        self.app: App | None = None  # the user's own JavaScript
        self.last_file: int | None = None  # the number of the file that the page requested last
        #: Called when the page requests a file, and when it begins to send outputs.
        self.on_progress: Callable[[], None] = lambda: None
        loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[protocol.Hello] = loop.create_future()
        self._failure: asyncio.Future[None] = loop.create_future()
        self._failure.add_done_callback(_mark_as_seen)
        self._replies: dict[int, asyncio.Future[protocol.Reply]] = {}
        self._socket: web.WebSocketResponse | None = None
        self._closed = False
        self._command_id = 0
        self._inputs: dict[str, Encoded] = {}
        self._files: dict[str, Path | bytes] = {}
        self._outputs: dict[str, _Upload] = {}

    def next_id(self) -> int:
        """Return the id of the next command."""
        self._command_id += 1
        return self._command_id

    async def hello(self) -> protocol.Hello:
        """Wait until the page has connected; RuntimeFailedError if it fails first."""
        return await self._or_failure(self._hello)

    async def request(self, command: protocol.Command) -> protocol.Reply:
        """Send a command and wait for its reply; RuntimeFailedError if the page fails first."""
        if self._socket is None:
            raise RuntimeFailedError("pycheck sent a command before the page had connected.")
        reply: asyncio.Future[protocol.Reply] = asyncio.get_running_loop().create_future()
        self._replies[command.id] = reply
        try:
            if not self._failure.done():
                with suppress(ConnectionError):  # the reason will be reported soon
                    await self._socket.send_str(protocol.encode(command))
            return await self._or_failure(reply)
        finally:
            del self._replies[command.id]

    def fail(self, error: Exception) -> None:
        """End everything that waits for this page with this error; the first error counts."""
        if not self._failure.done() and not self._closed:
            self._failure.set_exception(error)

    def fail_unless_explained(self, error: Exception) -> None:
        """Fail after a short time, unless a more exact error is reported until then."""
        asyncio.get_running_loop().call_later(_GRACE_S, self.fail, error)

    @property
    def is_alive(self) -> bool:
        """Tell whether this page has not failed."""
        return not self._failure.done()

    async def failed(self) -> None:
        """Wait for this page to fail, and raise its error."""
        await asyncio.shield(self._failure)

    def offer_inputs(self, encoded: Encoded) -> str:
        """Offer these tensors to the page; return the URL, relative to the page."""
        name = str(self._command_id)
        self._inputs = {name: encoded}
        return f"inputs/{name}"

    def offer_files(self, files: Sequence[Path | bytes]) -> list[str]:
        """Offer the user's files to the page instead of earlier ones; return the URLs, relative to the page."""
        self.last_file = None
        self._files = {f"{self._command_id}-{number}": file for number, file in enumerate(files)}
        return [f"files/{name}" for name in self._files]

    def expect_outputs(self) -> str:
        """Prepare to receive tensors from the page; return the URL, relative to the page."""
        name = str(self._command_id)
        self._outputs = {name: _Upload()}
        return f"outputs/{name}"

    def take_outputs(self) -> Array:
        """Return the received bytes in one piece, and drop them."""
        (upload,) = self._outputs.values()
        self._inputs, self._outputs = {}, {}
        return upload.complete()

    async def close(self, next_url: str = "") -> None:
        """Close the connection; the page then opens `next_url` on this server, or says that it has finished."""
        self.fail(RuntimeFailedError("The page was closed before it answered."))
        self._closed = True
        if self._socket is not None and not self._socket.closed:
            await self._socket.close(message=urlsplit(next_url).path.encode())

    async def _or_failure(self, future: asyncio.Future[_T]) -> _T:
        both: set[asyncio.Future[Any]] = {future, self._failure}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            self._failure.result()
        return future.result()

    # ---------------------------------------------------------------- calls by the server

    async def serve_control(self, request: web.Request) -> web.StreamResponse:
        """Serve the WebSocket: one for each session, until the page ends."""
        if self._socket is not None:
            raise web.HTTPConflict(text="this page is already connected")
        socket = web.WebSocketResponse(compress=False, timeout=_HANG_UP_S)
        self._socket = socket
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(protocol.decode_page_message(message.data))
        except RuntimeFailedError as error:
            self.fail(error)
        self.fail_unless_explained(RuntimeFailedError("The page closed its connection."))
        return socket

    def inputs(self, name: str) -> Encoded:
        """Return the tensors with a name; 404 if there are none."""
        if name not in self._inputs:
            raise web.HTTPNotFound
        return self._inputs[name]

    def file(self, name: str) -> Path | bytes:
        """Return the user's file with a name; 404 if there is none."""
        if name not in self._files:
            raise web.HTTPNotFound
        self.last_file = int(name.rpartition("-")[2])
        self.on_progress()
        return self._files[name]

    async def receive_outputs(self, name: str, request: web.Request) -> None:
        """Receive one range of a safetensors file."""
        if name not in self._outputs:
            raise web.HTTPNotFound
        self.on_progress()
        await self._outputs[name].receive(request)

    def _receive(self, message: protocol.PageMessage) -> None:
        if isinstance(message, protocol.Hello):
            if not self._hello.done():
                self._hello.set_result(message)
        elif isinstance(message, protocol.Event):
            self.fail(RuntimeFailedError(message.message))
        elif (waiting := self._replies.get(message.id)) and not waiting.done():
            waiting.set_result(message)


def _mark_as_seen(failure: asyncio.Future[None]) -> None:
    """Mark a failure as retrieved: nobody may wait for it, and asyncio would complain."""
    failure.exception()


class _Upload:
    """Bytes that arrive as parallel ranges, each written to its place."""

    def __init__(self) -> None:
        self._data: Array | None = None
        self._received = 0

    async def receive(self, request: web.Request) -> None:
        try:
            offset, total = int(request.query["offset"]), int(request.query["total"])
            size = int(request.headers["Content-Length"])
        except (KeyError, ValueError):
            raise web.HTTPBadRequest(text="a range needs offset, total and Content-Length") from None
        if self._data is None:
            self._data = np.empty(max(0, total), np.uint8)
        if total != len(self._data) or not 0 <= offset <= offset + size <= total:
            raise web.HTTPBadRequest(text=f"bytes {offset} to {offset + size} are not within {len(self._data)}")
        view = self._data.data
        while chunk := await request.content.readany():
            view[offset : offset + len(chunk)] = chunk
            offset += len(chunk)
            self._received += len(chunk)

    def complete(self) -> Array:
        total = -1 if self._data is None else len(self._data)
        if self._data is None or self._received != total:
            raise RuntimeFailedError(f"The page sent {self._received} of {total} bytes of its outputs.")
        return self._data
