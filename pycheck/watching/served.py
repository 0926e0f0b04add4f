"""Serves the report to a browser on this machine, in a page that shows each new one by itself.

The report is the same page as that of ``--html``, in a frame, and runs no script. The page around it has the script.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Literal, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from ..errors import PycheckError, UsageError
from ..report import check_view, view
from ..report.since import since, since_lines
from ..runtimes.browser import http
from ..types import Report
from .loop import Answer, Running

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_OF_REPORT = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
_FILES = {"": "watch.html", "watch.js": "watch.js", "watch.css": "watch.css"}


@dataclass(frozen=True, slots=True)
class State:
    """What the page shows above the report; see watch.js for the meaning of the fields."""

    state: Literal["running", "passed", "failed"]
    label: str
    title: str
    lines: tuple[str, ...] = ()


def state_of(event: Running | Answer, title: str) -> State:
    """Return what the page shows of an event; `title` says why it came, and when."""
    if isinstance(event, Running):
        return State("running", "running", title)
    outcome = event.outcome
    if isinstance(outcome, PycheckError):
        return State("failed", "ERROR", title, (outcome.message, *outcome.advice.splitlines()))
    label = view.LABELS[outcome.verdict] if isinstance(outcome, Report) else check_view.label(outcome)
    lines = tuple(since_lines(since(event.before, outcome))) if event.before else ()
    return State("passed" if outcome.passed else "failed", label, title, lines)


class ReportPage:
    """The server of the page on 127.0.0.1, as an asynchronous context manager; `port` 0 is a free one."""

    url: str

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._token = secrets.token_urlsafe(32)
        self._report = ""
        self._number = 0
        self._state = State("running", "pycheck", "Waiting for the first answer.")
        self._told = asyncio.Condition()
        self._count = 0  # of what was told
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/{token}/report", self._send_report),
                web.get("/{token}/events", self._send_events),
                web.get("/{token}/{name:.*}", self._send_file),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"--port {self._port}: cannot listen there: {error.strerror or error}.",
                "Name a different port, or leave --port out.",
            ) from error
        self._origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.url = f"{self._origin}/{self._token}/"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self._tasks:
            task.cancel()
        await self._runner.cleanup()

    def tell(self, state: State, report: str | None = None) -> None:
        """Show a state, and a report as HTML instead of the present one."""
        self._state = state
        if report is not None:
            self._report, self._number = report, self._number + 1
        self._count += 1
        task = asyncio.ensure_future(self._wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        async with self._told:
            self._told.notify_all()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        http.refuse_foreign(request, self._origin)
        if not http.is_secret(self._token, request.match_info.get("token", "")):
            raise web.HTTPNotFound
        return await handler(request)

    async def _send_file(self, request: web.Request) -> web.StreamResponse:
        name = _FILES.get(request.match_info["name"])
        if name is None:
            raise web.HTTPNotFound
        content = resources.files(__package__).joinpath(name).read_bytes()
        return web.Response(body=content, headers=http.headers(name, _POLICY))

    async def _send_report(self, request: web.Request) -> web.StreamResponse:
        own = _OF_REPORT.search(self._report)
        if own is None:
            raise web.HTTPNotFound
        policy = f"{own[1]}; frame-ancestors 'self'; sandbox allow-same-origin"
        return web.Response(body=self._report.encode(), headers=http.headers("report.html", policy))

    async def _send_events(self, request: web.Request) -> web.StreamResponse:
        """Send the present state, and each later one, until the page is closed."""
        response = web.StreamResponse(headers=http.headers("", _POLICY) | {"Content-Type": "text/event-stream"})
        await response.prepare(request)
        sent = -1
        while True:
            async with self._told:
                await self._told.wait_for(lambda: self._count != sent)  # noqa: B023
                sent, data = self._count, {**asdict(self._state), "report": self._number}
            try:
                await response.write(f"data: {json.dumps(data)}\n\n".encode())
            except ConnectionError:
                return response
