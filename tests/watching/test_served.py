"""The page of the report: only for who knows its address, without scripts in the report, and always the present one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pycheck.errors import ModelFileError, UsageError
from pycheck.report import render
from pycheck.watching.loop import Answer, Running
from pycheck.watching.served import ReportPage, State, state_of

from ..report.conftest import drifting, passing

HTML = render(passing(), "html")


def with_page(act: Callable[[ReportPage, aiohttp.ClientSession], Awaitable[None]]) -> None:
    async def both() -> None:
        async with ReportPage() as page, aiohttp.ClientSession() as client:
            await act(page, client)

    asyncio.run(asyncio.wait_for(both(), 30))


async def events(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The next state."""
    while not (line := await response.content.readline()).startswith(b"data: "):
        assert line, "the stream has ended"
    return dict(json.loads(line.removeprefix(b"data: ")))


def test_the_page_its_script_and_its_style_are_served_with_a_policy_of_this_origin_only() -> None:
    async def act(page: ReportPage, client: aiohttp.ClientSession) -> None:
        for name, kind in (("", "text/html"), ("watch.js", "text/javascript"), ("watch.css", "text/css")):
            async with client.get(page.url + name) as response:
                assert (response.status, response.content_type) == (200, kind)
                policy = response.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
                assert "unsafe" not in policy and "http:" not in policy
                assert response.headers["Cache-Control"] == "no-store"

    with_page(act)


def test_the_report_has_its_own_policy_and_runs_no_script() -> None:
    async def act(page: ReportPage, client: aiohttp.ClientSession) -> None:
        async with client.get(f"{page.url}report") as response:
            assert response.status == 404  # there is none yet
        page.tell(State("passed", "PASS", "first answer"), HTML)
        async with client.get(f"{page.url}report?1") as response:
            policy = response.headers["Content-Security-Policy"]
            assert "script-src" not in policy and "default-src 'none'" in policy
            assert policy.endswith("frame-ancestors 'self'; sandbox allow-same-origin")
            assert await response.text() == HTML

    with_page(act)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 404),
        ("/wrong-token/", {}, 404),
        ("/wrong-token/report", {}, 404),
        ("/TOKEN/../loop.py", {}, 404),
        ("/TOKEN/loop.py", {}, 404),
        ("/TOKEN/", {"Host": "attacker.example"}, 421),
        ("/TOKEN/events", {"Origin": "http://attacker.example"}, 403),
    ],
)
def test_others_get_nothing(path: str, headers: dict[str, str], status: int) -> None:
    async def act(page: ReportPage, client: aiohttp.ClientSession) -> None:
        origin, token = page.url.rstrip("/").rsplit("/", 1)
        assert origin.startswith("http://127.0.0.1:") and len(token) > 40
        async with client.get(origin + path.replace("TOKEN", token), headers=headers) as response:
            assert response.status == status

    with_page(act)


def test_a_page_gets_the_present_state_and_each_later_one() -> None:
    async def act(page: ReportPage, client: aiohttp.ClientSession) -> None:
        page.tell(State("passed", "PASS", "first answer"), HTML)
        async with client.get(f"{page.url}events") as response:
            assert response.content_type == "text/event-stream"
            assert await events(response) == {
                "state": "passed", "label": "PASS", "title": "first answer", "lines": [], "report": 1,
            }  # fmt: skip
            page.tell(State("running", "running", "m.keras changed"))
            assert (await events(response))["report"] == 1
            page.tell(State("failed", "DRIFT", "m.keras changed", ("a line",)), HTML)
            assert await events(response) == {
                "state": "failed", "label": "DRIFT", "title": "m.keras changed", "lines": ["a line"], "report": 2,
            }  # fmt: skip

    with_page(act)


def test_a_port_that_is_used_is_named() -> None:
    async def act(page: ReportPage, client: aiohttp.ClientSession) -> None:
        port = int(page.url.split(":")[2].split("/")[0])
        with pytest.raises(UsageError, match=f"--port {port}: cannot listen there"):
            async with ReportPage(port):
                pass

    with_page(act)


def test_a_state_says_the_verdict_and_what_changed_or_the_error() -> None:
    good, bad, files = passing(), drifting(), (Path("m.keras"),)
    assert state_of(Running(files), "m.keras changed").state == "running"
    assert state_of(Answer(good, None, (), 1.0), "first answer") == State("passed", "PASS", "first answer")
    drifted = state_of(Answer(bad, good, files, 1.0), "m.keras changed")
    assert (drifted.state, drifted.label) == ("failed", "DRIFT")
    assert drifted.lines[0].startswith("chromium:webgl") and "-> DRIFT" in drifted.lines[0]
    failed = state_of(Answer(ModelFileError("m.keras is truncated.", "Save it again."), good, files, 1.0), "")
    assert failed == State("failed", "ERROR", "", ("m.keras is truncated.", "Save it again."))
