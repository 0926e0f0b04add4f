"""What a process that listens for devices lets in and out."""

from __future__ import annotations

import asyncio
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import pytest
from yarl import URL

from pycheck import protocol, tensors
from pycheck.errors import RuntimeFailedError, RuntimeUnavailableError, UsageError
from pycheck.options.values import Options
from pycheck.runtimes.browser.harness import Harness
from pycheck.runtimes.browser.server import Server
from pycheck.runtimes.browser.session import Session
from pycheck.runtimes.devices import Event, Left, Listener, connected, link
from pycheck.runtimes.launching.base import LaunchOptions
from pycheck.runtimes.launching.choosing import choose
from pycheck.workflow import devices
from pycheck.workflow.browsers import Hosts

Visit = Callable[["Hall"], Coroutine[Any, Any, Any]]


class Hall:
    """A listener, a client that behaves as devices do, and what was told."""

    def __init__(self, listener: Listener, client: aiohttp.ClientSession, told: list[Event]) -> None:
        self.listener = listener
        self.client = client
        self.told = told
        self.origin = "{0.scheme}://{0.netloc}".format(urlsplit(listener.url))

    def local(self, path: str) -> str:
        """The address of a path on this machine, behind the proxy if there is one."""
        return f"{self.listener._local}{path}"

    def connect(self, url: str, key: str = "", **headers: str) -> AbstractAsyncContextManager[Any]:
        address = f"{self.local(urlsplit(url).path)}control{f'?key={key}' if key else ''}"
        return self.client.ws_connect(address, headers={"Origin": self.origin, **headers})

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of its client."""
        return {cookie.key: cookie.value for cookie in self.client.cookie_jar}

    @asynccontextmanager
    async def device(self, url: str | None = None, key: str = "") -> AsyncIterator[tuple[Any, protocol.Welcome]]:
        """A device's connection, and what it was called."""
        url = url or self.listener.url
        assert await self.status(urlsplit(url).path) in (200, 410)  # with the page comes a cookie
        async with self.connect(url, key) as socket:
            arrived = {"type": "arrived", "user_agent": "Firefox/1 Linux", "model": None, "is_secure_context": False}
            await socket.send_json(arrived)
            message = await socket.receive_json(timeout=10)
            message.pop("type")
            yield socket, protocol.Welcome(**message)

    async def status(self, path: str, method: str = "GET", **headers: str) -> int:
        data = b"x" if method == "POST" else None
        async with self.client.request(method, self.local(path), headers=headers, data=data) as answer:
            return answer.status

    async def until(self, event: type[Event], count: int = 1) -> None:
        async with asyncio.timeout(10):
            while sum(isinstance(one, event) for one in self.told) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
def visit(device_cache: Path) -> Callable[..., Any]:
    """Run a visit to a listener on a free port of 127.0.0.1."""

    async def visiting(do: Visit, names: tuple[str, ...], public_url: str | None) -> Any:
        told: list[Event] = []
        async with (
            Listener("127.0.0.1", 0, names, told.append, public_url) as listener,
            browser(listener) as client,
        ):
            return await do(Hall(listener, client, told))

    return lambda do, names=(), public_url=None: asyncio.run(visiting(do, names, public_url))


def browser(listener: Listener, **more: Any) -> aiohttp.ClientSession:
    """A client that keeps cookies; it speaks as a proxy does, over http, and has the cookies of https."""
    jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(listener._local))
    return aiohttp.ClientSession(cookie_jar=jar, **more)


# ------------------------------------------------------------------- the port that is open to the network


@pytest.mark.parametrize("path", ["/", "/wrong/", "/wrong/control", "/wrong/harness/device.js", "/devices", "/lend"])
def test_without_the_token_there_is_nothing(visit: Any, path: str) -> None:
    assert visit(lambda hall: hall.status(path)) == 404


@pytest.mark.parametrize(
    "rest",
    ["harness/manifest.json", "harness/..%2ftensors.py", "artifact/model.json", "inputs/1", "outputs/1", "anything"],
)
def test_the_address_for_a_device_has_its_page_and_nothing_else(visit: Any, rest: str) -> None:
    async def ask(hall: Hall) -> list[int]:
        path = urlsplit(hall.listener.url).path
        return [await hall.status(path), await hall.status(f"{path}harness/device.js"), await hall.status(path + rest)]

    assert visit(ask) == [200, 200, 404]


def test_the_address_lets_in_one_page_and_then_says_that_it_is_used(visit: Any) -> None:
    async def ask(hall: Hall) -> tuple[Any, ...]:
        url = hall.listener.url
        for _ in range(2):  # what a messenger's preview does uses up nothing
            assert await hall.status(urlsplit(url).path) == 200
        async with hall.device():
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with hall.connect(url):
                    pass
            async with hall.client.get(url) as answer:
                return refused.value.status, answer.status, await answer.text(), hall.listener.url == url

    status, again, text, same = visit(ask)
    assert (status, again, same) == (409, 410, False)
    assert "This address has been used" in text


@pytest.mark.parametrize("host", ["example.com", "localhost", "127.0.0.1", "127.0.0.1:1"])
def test_another_name_of_this_machine_is_refused(visit: Any, host: str) -> None:
    assert visit(lambda hall: hall.status(urlsplit(hall.listener.url).path, Host=host)) == 421


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1"])
def test_another_site_is_refused(visit: Any, origin: str) -> None:
    async def ask(hall: Hall) -> tuple[int, int]:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with hall.connect(hall.listener.url, Origin=origin):
                pass
        return await hall.status(urlsplit(hall.listener.url).path, Origin=origin), refused.value.status

    assert visit(ask) == (403, 403)


def test_what_answers_forbid_is_what_a_runs_page_forbids_but_for_the_frames_that_hold_it(visit: Any) -> None:
    async def ask(hall: Hall) -> Any:
        async with hall.client.get(hall.listener.url) as answer:
            return dict(answer.headers)

    headers = visit(ask)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws://127" in policy
    assert "frame-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    assert headers["Cache-Control"] == "no-store"


def test_a_connection_that_does_not_speak_as_our_page_does_is_closed(visit: Any) -> None:
    async def ask(hall: Hall) -> tuple[Any, ...]:
        await hall.status(urlsplit(hall.listener.url).path)
        async with hall.connect(hall.listener.url) as socket:
            await socket.send_str('{"type": "hello"}')
            return (await socket.receive(timeout=10)).type, hall.listener.devices

    assert visit(ask) == (aiohttp.WSMsgType.CLOSE, ())


# ------------------------------------------------------------------- devices that come and go


def test_a_device_that_joins_and_leaves_is_told_and_the_next_is_invited(visit: Any) -> None:
    async def ask(hall: Hall) -> list[str]:
        async with hall.device() as (_, welcome):
            assert [device.name for device in await connected()] == [welcome.name] == ["firefox-linux"]
        await hall.until(Left)
        assert await connected() == ()
        return [type(event).__name__ for event in hall.told]

    assert visit(ask) == ["Invited", "Invited", "Joined", "Left"]


def test_a_page_whose_connection_broke_comes_back_as_the_same_device_with_its_key(visit: Any) -> None:
    async def ask(hall: Hall) -> tuple[Any, ...]:
        url = hall.listener.url
        async with hall.device() as (_, first):
            pass
        await hall.until(Left)
        statuses = []
        for key in ("x" * 43, "\xe9" * 43):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with hall.connect(url, key=key):
                    pass
            statuses.append(refused.value.status)
        async with hall.device(url, first.key) as (_, second):
            return statuses, first.name, second.name

    assert visit(ask) == ([409, 409], "firefox-linux", "firefox-linux")


def test_a_device_that_is_gone_leaves_its_name_to_the_next_and_cannot_come_back(visit: Any) -> None:
    async def ask(hall: Hall) -> tuple[str, str, int]:
        url = hall.listener.url
        async with hall.device() as (_, first):
            pass
        await hall.until(Left)
        async with hall.device() as (_, second):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with hall.connect(url, key=first.key):
                    pass
            return first.name, second.name, refused.value.status

    assert visit(ask, ("pixel",)) == ("pixel", "pixel", 404)


def test_two_devices_at_once_have_two_names(visit: Any) -> None:
    async def ask(hall: Hall) -> list[str]:
        async with hall.device() as (_, one), hall.device() as (_, two), hall.device() as (_, three):
            return [one.name, two.name, three.name]

    assert visit(ask, ("pixel",)) == ["pixel", "firefox-linux", "firefox-linux-2"]


# ------------------------------------------------------------------- what lends devices to runs


def test_who_does_not_know_the_secret_is_lent_nothing(visit: Any) -> None:
    async def ask(hall: Hall) -> list[int]:
        published = link.read()
        assert published is not None
        statuses = []
        for headers in ({}, {"Authorization": "Bearer wrong"}, {**published.headers, "Host": "localhost"}):
            for path in ("devices", "lend"):
                async with hall.client.get(published.url(path), headers=headers) as answer:
                    statuses.append(answer.status)
        return statuses

    assert visit(ask) == [403] * 6


def test_only_its_owner_can_read_the_secret_which_ends_with_the_listener(visit: Any) -> None:
    async def ask(hall: Hall) -> int:
        return stat.S_IMODE(link.file().stat().st_mode)

    assert visit(ask) == 0o600
    assert not link.file().exists()


def test_the_listener_of_another_pycheck_is_not_used(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(hall: Hall) -> None:
        monkeypatch.setattr(link, "__version__", "0.0.1")
        await connected()

    with pytest.raises(RuntimeUnavailableError, match=r"this is pycheck 0\.0\.1"):
        visit(ask)


def test_a_run_names_the_devices_that_are_there_where_its_own_is_not(visit: Any) -> None:
    async def ask(hall: Hall) -> None:
        async with hall.device():
            await choose("device:pixel", sessions=lambda: None).launch(LaunchOptions())  # type: ignore[arg-type,return-value]

    with pytest.raises(RuntimeUnavailableError) as caught:
        visit(ask)
    assert caught.value.message == "The device pixel is not connected. Connected are: firefox-linux."
    assert "pycheck devices --listen" in caught.value.advice


def test_where_nothing_listens_a_run_says_what_to_start(device_cache: Path) -> None:
    with pytest.raises(RuntimeUnavailableError) as caught:
        asyncio.run(choose("device:pixel", sessions=lambda: None).launch(LaunchOptions()))  # type: ignore[arg-type,return-value]
    assert caught.value.message == "The device pixel is not available: pycheck devices --listen is not running."
    assert "pycheck devices --listen" in caught.value.advice


def test_what_a_listener_that_was_killed_left_is_taken_for_nothing(device_cache: Path) -> None:
    link.publish(1)
    with pytest.raises(RuntimeUnavailableError, match="pycheck devices --listen has ended"):
        asyncio.run(connected())


@pytest.mark.real
def test_the_secret_is_not_told_where_the_listener_is_gone(device_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose port the next process to ask for one may have, which may be another user's."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    published = link.publish(1)
    assert link.read() == published
    monkeypatch.setattr("os.getpid", lambda: ended.pid)
    link.publish(1)
    assert link.read() is None


@asynccontextmanager
async def lent(hall: Hall) -> AsyncIterator[tuple[Any, Session, str]]:
    """A device, the session of a run whose page it has opened, and that page's address on the open port."""
    async with Server() as server, server.session(Harness.read()) as session, hall.device() as (socket, welcome):
        browser = await choose(f"device:{welcome.name}", sessions=lambda: server.session(Harness.read())).launch(
            LaunchOptions()
        )
        page = await browser.open_page(session, lambda line: None)
        opening = await socket.receive_json(timeout=10)
        assert opening == {"type": "open-frame", "path": f"/{session.token}/"}
        try:
            yield socket, session, hall.local(opening["path"])
        finally:
            await page.close()
        if not socket.closed:
            assert await socket.receive_json(timeout=10) == {"type": "close-frame", "path": f"/{session.token}/"}
            assert await hall.status(opening["path"]) == 404


def test_a_runs_page_is_relayed_for_as_long_as_it_is_lent(visit: Any) -> None:
    async def ask(hall: Hall) -> tuple[Any, ...]:
        async with lent(hall) as (_, session, url):
            async with hall.client.get(url) as answer:
                status, policy = answer.status, answer.headers["Content-Security-Policy"]
            async with hall.connect(url) as page:
                await page.send_str(
                    protocol.encode(protocol.Hello(protocol.PROTOCOL_VERSION, "a phone", is_isolated=False))
                )
                hello = await session.hello()
            return status, policy, hello.user_agent

    status, policy, user_agent = visit(ask)
    assert (status, user_agent) == (200, "a phone")
    assert "frame-ancestors 'self'" in policy
    assert "frame-src 'none'" in policy


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_webassembly_is_relayed_in_an_encoding_that_the_device_accepts(visit: Any, encoding: str) -> None:
    name = "litert_wasm_internal.wasm"

    async def ask(hall: Hall) -> tuple[str | None, bytes]:
        headers = {"Accept-Encoding": encoding}
        async with lent(hall) as (_, _, url), hall.client.get(f"{url}harness/{name}", headers=headers) as answer:
            assert answer.content_type == "application/wasm"
            return answer.headers.get("Content-Encoding"), bytes(await answer.read())

    used, content = visit(ask)
    assert used == (encoding if encoding == "gzip" else None)
    assert content == Harness.read().content(name)


def test_tensors_of_many_megabytes_pass_both_ways_unchanged(visit: Any) -> None:
    x = np.random.default_rng(0).normal(size=(1 << 21)).astype(np.float32)

    async def ask(hall: Hall) -> tuple[bytes, bytes]:
        async with lent(hall) as (_, session, url):
            async with hall.client.get(url + session.offer_inputs(tensors.encode({"x": x}))) as answer:
                came = await answer.read()
            address, total, half = url + session.expect_outputs(), len(came), len(came) // 2
            sending = [
                hall.client.post(f"{address}?offset={at}&total={total}", data=part, headers={"Origin": hall.origin})
                for at, part in ((0, came[:half]), (half, came[half:]))
            ]
            for answer in await asyncio.gather(*sending):
                assert answer.status == 200
            return came, bytes(session.take_outputs())

    there, back = visit(ask)
    assert np.array_equal(tensors.decode(np.frombuffer(there, np.uint8))["x"], x)
    assert back == there


@pytest.mark.parametrize("rest", ["harness/manifest.json", "artifact/model.json", "inputs/1", "devices"])
def test_a_relay_gives_what_the_run_serves_and_nothing_else(visit: Any, rest: str) -> None:
    async def ask(hall: Hall) -> tuple[int, int]:
        async with lent(hall) as (_, _session, url):
            return await hall.status(urlsplit(url).path + rest), await hall.status("/" + rest)

    assert visit(ask) == (404, 404)


@pytest.mark.parametrize("public", [None, "https://pc.example"])
def test_another_browser_is_not_let_into_a_run_and_in_a_network_no_other_address(
    visit: Any, public: str | None
) -> None:
    async def ask(hall: Hall) -> list[int]:
        async def other(url: str, address: str, **cookies: str) -> int:
            connector = aiohttp.TCPConnector(local_addr=(address, 0))
            async with (
                browser(hall.listener, connector=connector, cookies=cookies) as client,
                client.get(url) as answer,
            ):
                return answer.status

        async with lent(hall) as (_, _session, url):
            name, own = next(iter(hall.cookies.items()))
            return [
                await other(url, "127.0.0.1"),
                await other(url, "127.0.0.1", **{name: own[:-1]}),
                await other(url, "127.0.0.1", **{name: "\xe9" * 43}),
                await other(url, "127.0.0.1", **{name: own}),
                await other(url, "127.0.0.2", **{name: own}),  # behind a proxy all have its address
            ]

    assert visit(ask, public_url=public) == [404, 404, 404, 200, 200 if public else 404]


def test_an_address_that_is_taken_without_a_cookie_lets_in_nobody_and_stays_free(visit: Any) -> None:
    async def ask(hall: Hall) -> tuple[int, str]:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with hall.connect(hall.listener.url):
                pass
        async with hall.device() as (_, welcome):
            return refused.value.status, welcome.name

    assert visit(ask, ("pixel",)) == (403, "pixel")


def test_two_pages_of_one_browser_have_one_cookie(visit: Any) -> None:
    async def ask(hall: Hall) -> bool:
        async with hall.device():
            before = dict(hall.cookies)
            async with hall.device():
                return hall.cookies == before

    assert visit(ask)


def test_the_cookie_is_for_this_host_alone_and_for_no_script(visit: Any) -> None:
    async def ask(hall: Hall) -> str:
        async with hall.client.get(hall.local(urlsplit(hall.listener.url).path)) as answer:
            return answer.headers["Set-Cookie"]

    assert re.fullmatch(r"pycheck=[\w-]{43}; HttpOnly; Path=/; SameSite=Lax", visit(ask))
    secure = r"__Host-pycheck=[\w-]{43}; HttpOnly; Path=/; SameSite=Lax; Secure"
    assert re.fullmatch(secure, visit(ask, public_url="https://pc.example"))


def test_behind_a_proxy_pages_have_the_public_address_and_its_secure_socket(visit: Any) -> None:
    async def ask(hall: Hall) -> list[str]:
        assert hall.listener.url.startswith("https://pc.example/")
        async with lent(hall) as (_, _session, url):
            policies = []
            for at in (hall.local(urlsplit(hall.listener.url).path), url):
                for headers, status in (
                    ({}, 200), ({"Host": "pc.example"}, 200), ({"Host": "evil.example"}, 421),
                    ({"Host": "pc.example", "Origin": "https://pc.example"}, 200),
                    ({"Host": "pc.example", "Origin": "https://evil.example"}, 403),
                ):  # fmt: skip
                    async with hall.client.get(at, headers=headers) as answer:
                        assert answer.status == status, (at, headers)
                async with hall.client.get(at) as answer:
                    policies.append(answer.headers["Content-Security-Policy"])
            return policies

    assert all(
        "connect-src 'self' wss://pc.example;" in policy for policy in visit(ask, public_url="https://pc.example")
    )


def test_a_run_on_a_device_at_a_public_address_says_that_the_model_leaves(visit: Any) -> None:
    async def ask(hall: Hall) -> str:
        async with hall.device() as (_, welcome):
            hosts = Hosts()
            try:
                with pytest.raises(UsageError) as refused:
                    await hosts.get(Options(), f"device:{welcome.name}")
                host = await hosts.get(Options(allow_remote=True), f"device:{welcome.name}")
                assert host.version == "1"
            finally:
                await hosts.close()
            return str(refused.value)

    assert "leave this machine, for https://pc.example." in visit(ask, public_url="https://pc.example")


def test_another_site_is_not_let_into_a_run(visit: Any) -> None:
    async def ask(hall: Hall) -> tuple[int, int, int]:
        async with lent(hall) as (_, session, url):
            session.expect_outputs()
            path = urlsplit(url).path
            return (
                await hall.status(path, Host="example.com"),
                await hall.status(path, Origin="https://example.com"),
                await hall.status(f"{path}outputs/0?offset=0&total=1", "POST"),
            )

    assert visit(ask) == (421, 403, 403)


def test_a_device_that_is_gone_ends_its_run_with_its_name(visit: Any) -> None:
    async def ask(hall: Hall) -> None:
        async with lent(hall) as (socket, session, _):
            await socket.close()
            async with asyncio.timeout(10):
                await session.failed()

    with pytest.raises(RuntimeFailedError, match="The device firefox-linux disconnected"):
        visit(ask)


# ------------------------------------------------------------------- how it is started


def listen(host: str | None = "127.0.0.1", port: int = 0, names: tuple[str, ...] = ()) -> None:
    asyncio.run(devices.listen(host, port, names, lambda event: None))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"host": "0.0.0.0"}, "--host"),
        ({"host": "phone.local"}, "--host"),
        ({"host": "203.0.113.7"}, "Cannot listen on 203.0.113.7"),
        ({"names": ("Pixel 8",)}, "lower-case letters, digits and hyphens"),
        ({"names": ("pixel", "pixel")}, "two devices"),
    ],
)
def test_what_cannot_be_listened_on_is_told(device_cache: Path, arguments: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        listen(**arguments)
    assert said in caught.value.message


def test_a_port_that_is_taken_and_a_second_listener_are_told(visit: Any) -> None:
    async def ask(hall: Hall) -> tuple[str, str]:
        port = urlsplit(hall.listener.url).port
        assert port is not None
        with pytest.raises(UsageError) as second:
            await devices.listen("127.0.0.1", 0, (), lambda event: None)
        with pytest.raises(UsageError) as taken:
            async with Listener("127.0.0.1", port, (), lambda event: None):
                pass
        return second.value.message, taken.value.message

    second, taken = visit(ask)
    assert second == "Another pycheck devices --listen is running."
    assert "Cannot listen on 127.0.0.1 port" in taken


def test_an_address_is_of_the_network_unless_another_is_asked_for() -> None:
    try:
        assert not devices.own_address().startswith(("0.", "127."))
    except UsageError as error:  # a machine in no network
        assert "--host" in error.advice


def test_the_code_to_scan_says_the_address() -> None:
    lines = devices.qr_code("http://192.168.1.20:8477/" + "a" * 43 + "/").splitlines()
    assert {len(line) for line in lines} == {len(lines[0])}
    assert set("".join(lines)) <= set(" ▀▄█")
    assert len(lines[0]) <= 50  # fits beside nothing in 80 columns
