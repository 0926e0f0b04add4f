"""Browsers of a WebDriver end: what it is asked for, what it refuses, what is ended, and pages behind a proxy."""

from __future__ import annotations

import asyncio
import gc
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from pycheck.errors import RuntimeFailedError, RuntimeTimeoutError, RuntimeUnavailableError, UsageError
from pycheck.options.values import Options
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.runtimes.browser.server import Server
from pycheck.runtimes.launching import remote, webdriver
from pycheck.types import Array, ArtifactInfo, RuntimeId
from pycheck.workflow.browsers import Hosts

from .artifacts import dense_expected
from .conftest import Run, ready
from .spoken import SpokenPage

CPU = RuntimeId("chromium", "cpu")


class End:
    """A WebDriver end whose pages are coroutines. `most` is the number of its sessions at a time."""

    def __init__(self, most: int = 9, **capabilities: str) -> None:
        self.most = most
        self.capabilities = {"browserName": "chrome", "browserVersion": "156.1", "platformName": "linux"} | capabilities
        self.asked: list[Any] = []
        self.authorized: list[str | None] = []
        self.sessions: dict[str, dict[str, SpokenPage | None]] = {}
        self.ended = 0
        self.windows = 0
        self._current: dict[str, str] = {}
        self._begun = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Yield its address."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"webdriver+http://user:secret@127.0.0.1:{runner.addresses[0][1]}/wd/hub"
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.authorized.append(request.headers.get("Authorization"))
        body = await request.json() if request.can_read_body else None
        try:
            value = await self._do(request.method, request.path.removeprefix("/wd/hub/session").split("/")[1:], body)
        except LookupError as error:
            told = {"error": str(error.args[0]), "message": f"{error.args[0]}: {error.args[1]}\nmore", "stacktrace": ""}
            return web.json_response({"value": told}, status=500)
        return web.json_response({"value": value})

    async def _do(self, method: str, path: list[str], body: Any) -> Any:
        if not path:
            self.asked.append(body["capabilities"])
            if len(self.sessions) >= self.most:
                raise LookupError("session not created", "Maximum number of active sessions")
            self._begun += 1
            name = f"s{self._begun}"
            self.sessions[name] = {}
            self._open(name)
            return {"sessionId": name, "capabilities": self.capabilities}
        name, *what = path
        if name not in self.sessions:
            raise LookupError("invalid session id", "the browser is gone")
        windows = self.sessions[name]
        match method, what:
            case "GET", ["window"]:
                return self._current[name]
            case "GET", ["window", "handles"]:
                return list(windows)
            case "POST", ["window"]:
                self._current[name] = body["handle"]
            case "POST", ["window", "new"]:
                return {"handle": self._open(name), "type": "window"}
            case "POST", ["url"]:
                windows[self._current[name]] = SpokenPage(SimpleNamespace(url=body["url"]), {})  # type: ignore[arg-type]
            case "DELETE", ["window"]:
                await self._close(windows.pop(self._current[name]))
            case "DELETE", []:
                await self.lose(name)
                self.ended += 1
        return None

    def _open(self, name: str) -> str:
        self.windows += 1
        window = f"w{self.windows}"
        self.sessions[name][window] = None
        self._current.setdefault(name, window)
        return window

    async def lose(self, name: str) -> None:
        """What a browser does that dies."""
        for page in self.sessions.pop(name).values():
            await self._close(page)

    @staticmethod
    async def _close(page: SpokenPage | None) -> None:
        if page:
            await page.close()


@asynccontextmanager
async def host_at(end: End, **options: Any) -> AsyncIterator[BrowserHost]:
    async with end.running() as address, BrowserHost(connect=address, timeout_s=20, **options) as host:
        yield host


def _open_clients() -> set[int]:
    return {id(each) for each in gc.get_objects() if isinstance(each, aiohttp.ClientSession) and not each.closed}


@pytest.mark.parametrize("most", [1, 9])
def test_runtimes_beside_each_other_have_pages_of_their_own_and_all_is_ended(
    run: Run[Any], graph: ArtifactInfo, x: Array, most: int
) -> None:
    end = End(most)

    async def scenario() -> list[Any]:
        async with host_at(end) as host:
            async with host.runtime(CPU, ready(graph)) as one, host.runtime(CPU, ready(graph)) as other:
                assert one.environment.platform == "Chromium 156.1 on linux (remote, through WebDriver)"
                answers = [(await runtime.predict({"X": x}))["Y"] for runtime in (one, other)]
                assert (len(end.sessions), sum(map(len, end.sessions.values()))) == (min(most, 2), 2)
            async with host.runtime(CPU, ready(graph)) as third:
                answers.append((await third.predict({"X": x}))["Y"])
        return answers

    before = _open_clients()
    for answer in run(scenario()):
        np.testing.assert_array_equal(answer, dense_expected(x))
    assert end.sessions == {} and end.ended > 0
    assert _open_clients() <= before
    assert set(end.authorized) == {"Basic dXNlcjpzZWNyZXQ="}


def test_it_is_asked_for_the_engine_with_the_users_arguments_or_for_what_a_file_says(
    run: Run[Any], tmp_path: Path
) -> None:
    (tmp_path / "caps.json").write_text('{"browserName": "chrome", "cloud:options": {"os": "mac"}}')
    plain, told = End(), End()

    async def scenario() -> None:
        async with host_at(plain, browser_args=["--headless=new"]), host_at(told, capabilities=tmp_path / "caps.json"):
            pass

    run(scenario())
    arguments = {"goog:chromeOptions": {"args": ["--headless=new"]}}
    names = ("chrome", "chromium", "MicrosoftEdge")
    assert plain.asked == [{"firstMatch": [{"browserName": name, **arguments} for name in names]}]
    assert told.asked == [{"alwaysMatch": {"browserName": "chrome", "cloud:options": {"os": "mac"}}}]
    assert (plain.ended, told.ended) == (1, 1)


def test_what_has_no_such_browser_is_unavailable_in_its_own_words_without_its_password(run: Run[Any]) -> None:
    for end, message in (
        (End(0), r"127\.0\.0\.1:\d+/wd/hub has no browser for chromium: session not created: Maximum number"),
        (End(browserName="firefox"), r"hub gave firefox, which is Firefox and not Chromium"),
    ):

        async def scenario(end: End = end) -> None:
            async with host_at(end):
                pass

        with pytest.raises(RuntimeUnavailableError, match=message) as caught:
            run(scenario())
        assert "secret" not in f"{caught.value} {caught.value.advice}"
        assert end.sessions == {}


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (None, RuntimeUnavailableError, "Cannot reach .*: Connection refused"),
        (web.Response(text="hello"), RuntimeUnavailableError, "is not a WebDriver end: it answers with status 200"),
        (web.json_response([], status=404), RuntimeUnavailableError, "is not a WebDriver end: .* status 404"),
        ("silence", RuntimeTimeoutError, "did not answer within 0.3 s"),
    ],
)
def test_what_is_no_webdriver_end_is_told(run: Run[Any], answer: Any, error: type[Exception], message: str) -> None:
    async def answers(_: web.Request) -> web.Response:
        if answer == "silence":
            await over.wait()
        return answer  # type: ignore[no-any-return]

    over = asyncio.Event()

    async def scenario() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answers)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        if answer is None:
            await runner.cleanup()
        try:
            async with BrowserHost(connect=f"webdriver+http://127.0.0.1:{port}", timeout_s=0.3):
                pass
        finally:
            over.set()
            await runner.cleanup()

    with pytest.raises(error, match=message):
        run(scenario())


def test_a_browser_that_is_lost_is_told_and_the_next_page_has_another(
    run: Run[Any], graph: ArtifactInfo, x: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdriver, "_LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("pycheck.runtimes.browser.session._GRACE_S", 5.0)  # a far host that is gone closes nothing
    end = End()

    async def scenario() -> Any:
        async with host_at(end) as host:
            async with host.runtime(CPU, ready(graph)) as runtime:
                await end.lose("s1")
                with pytest.raises(
                    RuntimeFailedError, match=r"The browser ended\. .*invalid session id: the browser is"
                ):
                    await runtime._session.failed()
            async with host.runtime(CPU, ready(graph)) as runtime:
                return await runtime.predict({"X": x})

    np.testing.assert_array_equal(run(scenario())["Y"], dense_expected(x))
    assert end.sessions == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), ("{", "is not JSON"), ("[1]", r"has no capabilities: it is \[1\]")],
)
def test_a_file_without_capabilities_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "caps.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        webdriver.WebDriverLauncher("chromium", "webdriver+http://grid:4444", tmp_path / "caps.json")


@pytest.mark.parametrize(
    ("address", "public_url", "place"),
    [
        (None, None, None),
        ("by-hand", None, None),
        ("ws://localhost:3000", None, None),
        ("webdriver+http://127.0.0.1:4444", None, None),
        ("webdriver+http://[::1]:4444", None, None),
        ("webdriver+https://key@grid.example/wd/hub", None, "grid.example"),
        ("ws://192.168.1.7:3000", None, "192.168.1.7"),
        ("by-hand", "https://pc.example", "https://pc.example"),
    ],
)
def test_a_browser_elsewhere_takes_the_model_there(address: Any, public_url: Any, place: str | None) -> None:
    assert remote.leaves_for(address, public_url) == place


def test_where_nobody_reads_a_notice_the_model_leaves_only_if_it_may(
    run: Run[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[Any] = []

    class Host(BrowserHost):
        async def __aenter__(self) -> Host:
            started.append(self)
            return self

    async def ask(**more: Any) -> None:
        options = Options(connect=(("chromium", "ws://far.example:1"),), **more)
        for _ in range(2):
            await Hosts(Host).get(options, "chromium")

    with pytest.raises(UsageError, match=r"leave this machine, for far\.example\.") as refused:
        run(ask())
    assert refused.value.advice == "If they may, add --allow-remote." and not started
    run(ask(allow_remote=True))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    run(ask())
    assert len(started) == 4
    assert capsys.readouterr().err.count("pycheck: The model and the inputs leave this machine, for far.example.") == 4


def test_pages_at_a_public_address_use_its_origin_and_its_secure_socket(run: Run[Any]) -> None:
    async def scenario() -> None:
        end = End()
        async with (
            end.running() as address,
            Server(public_url="https://pc.example") as server,
            BrowserHost(connect=address, server=server, timeout_s=20) as host,
            host.session() as session,
            aiohttp.ClientSession() as client,
        ):
            assert session.url == f"https://pc.example/{session.token}/"
            local = f"{server._local}/{session.token}/"
            for name, origin, status in (
                ("pc.example", None, 200), (None, None, 200), ("evil.example", None, 421),
                ("pc.example", "https://pc.example", 200), ("pc.example", "https://evil.example", 403),
                ("pc.example", "http://pc.example", 403),
            ):  # fmt: skip
                headers = {k: v for k, v in (("Host", name), ("Origin", origin)) if v}
                async with client.get(local, headers=headers) as answer:
                    assert answer.status == status, (name, origin)
                    if status == 200:
                        assert "connect-src 'self' wss://pc.example" in answer.headers["Content-Security-Policy"]
            with pytest.raises(RuntimeUnavailableError, match=r"Cannot listen on port \d+ .* in use"):
                async with Server(port=int(server._local.rpartition(":")[2])):
                    pass

    run(scenario())


@pytest.fixture(scope="module")
def chromedriver() -> Iterator[str]:
    """A real end, on a free port."""
    program = shutil.which("chromedriver")
    if program is None:
        pytest.skip("there is no chromedriver on this machine")
    with subprocess.Popen([program, "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = next(line.rpartition("port ")[2] for line in process.stdout if "started successfully on port" in line)
        yield f"webdriver+http://127.0.0.1:{port.strip().rstrip('.')}"
        process.terminate()


@pytest.mark.real
def test_a_real_chromedriver_runs_a_model(run: Run[Any], chromedriver: str, graph: ArtifactInfo, x: Array) -> None:
    async def scenario() -> Any:
        arguments = ("--no-sandbox", "--headless=new")
        async with (
            BrowserHost(connect=chromedriver, browser_args=arguments, timeout_s=60) as host,
            host.runtime(CPU, ready(graph)) as runtime,
        ):
            return await runtime.predict({"X": x})

    np.testing.assert_allclose(run(scenario())["Y"], dense_expected(x), rtol=0, atol=1e-6)
