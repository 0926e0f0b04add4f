"""What the server lets in and out."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from yarl import URL

from pycheck import tensors
from pycheck.errors import ArtifactFileError
from pycheck.runtimes.browser.app import App
from pycheck.runtimes.browser.harness import Harness
from pycheck.runtimes.browser.server import Server, artifact_files
from pycheck.runtimes.browser.session import Session
from pycheck.types import AppCode, ArtifactInfo

from .conftest import Run

Visit = Callable[[aiohttp.ClientSession, Server, Session], Coroutine[Any, Any, Any]]


@pytest.fixture
def visit(run: Run[Any]) -> Callable[[Visit], Any]:
    """Run a visit to a server with one session."""

    async def visiting(do: Visit) -> Any:
        client = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        async with Server() as server, server.session(Harness.read()) as session, client:
            return await do(client, server, session)

    return lambda do: run(visiting(do))


def status(visit: Any, path: str, method: str = "GET", **headers: str) -> int:
    async def ask(client: aiohttp.ClientSession, server: Server, session: Session) -> int:
        address = URL(path.format(origin=server.origin, token=session.token), encoded=True)
        filled = {name: value.format(origin=server.origin) for name, value in headers.items()}
        async with client.request(method, address, headers=filled, data=b"x" if method == "POST" else None) as response:
            return response.status

    found: int = visit(ask)
    return found


def test_the_page_is_served_below_the_token(visit: Any) -> None:
    assert status(visit, "{origin}/{token}/") == 200
    assert status(visit, "{origin}/{token}/harness/main.js") == 200


def test_a_page_that_leaves_in_the_middle_of_a_transfer_is_no_error_of_the_server(
    visit: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def leave(client: aiohttp.ClientSession, server: Server, session: Session) -> None:
        url = session.offer_inputs(tensors.encode({"x": np.zeros(1 << 24, np.float32)}))
        address = URL(server.origin)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(f"GET /{session.token}/{url} HTTP/1.1\r\nHost: {address.authority}\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.transport.abort()

    visit(leave)  # the server waits for its handlers when it ends
    assert [record.getMessage() for record in caplog.records if record.name.startswith("aiohttp")] == []


@pytest.mark.parametrize("path", ["/", "/wrong/", "/wrong/harness/main.js", "/harness/main.js", "/wrong/control"])
def test_without_the_token_there_is_nothing(visit: Any, path: str) -> None:
    assert status(visit, "{origin}" + path) == 404


def test_a_token_ends_with_its_session(run: Run[Any]) -> None:
    async def ask() -> int:
        async with Server() as server, aiohttp.ClientSession() as client:
            async with server.session(Harness.read()) as session:
                url = session.url
            async with client.get(url) as response:
                return response.status

    assert run(ask()) == 404


def test_tokens_are_long_and_differ(run: Run[Any]) -> None:
    async def tokens() -> set[str]:
        async with Server() as server, server.session(Harness.read()) as one, server.session(Harness.read()) as other:
            return {one.token, other.token}

    found = run(tokens())
    assert len(found) == 2
    assert all(len(token) >= 43 for token in found)


@pytest.mark.parametrize("host", ["example.com", "localhost", "127.0.0.1", "127.0.0.1:1"])
def test_another_name_of_this_host_is_refused(visit: Any, host: str) -> None:
    assert status(visit, "{origin}/{token}/", Host=host) == 421


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1", "http://localhost:1"])
def test_another_site_is_refused(visit: Any, origin: str) -> None:
    assert status(visit, "{origin}/{token}/", Origin=origin) == 403
    assert status(visit, "{origin}/{token}/outputs/0", "POST", Origin=origin) == 403
    assert status(visit, "{origin}/{token}/control", Origin=origin) == 403


@pytest.mark.parametrize("isolated", [False, True])
def test_all_that_an_isolated_page_loads_has_its_headers(isolated: bool) -> None:
    async def ask() -> list[dict[str, str]]:
        found = []
        async with (
            Server() as server,
            server.session(Harness.read(), isolated=isolated) as session,
            aiohttp.ClientSession() as client,
        ):
            for path in ("", "harness/courier.js"):
                async with client.get(f"{session.url}{path}") as answer:
                    found.append({name.lower(): value for name, value in answer.headers.items()})
        return found

    asked = {"cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp"}
    for headers in asyncio.run(ask()):
        assert {name: headers.get(name) for name in asked} == (asked if isolated else dict.fromkeys(asked))
        assert ("blob:" in headers["content-security-policy"]) is isolated


def test_a_post_that_names_no_site_is_refused(visit: Any) -> None:
    assert status(visit, "{origin}/{token}/outputs/0", "POST") == 403


def test_a_second_page_of_one_session_is_refused(visit: Any) -> None:
    async def connect(client: aiohttp.ClientSession, server: Server, session: Session) -> int:
        headers = {"Origin": server.origin}
        async with client.ws_connect(f"{session.url}control", headers=headers):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{session.url}control", headers=headers)
            return refused.value.status

    assert visit(connect) == 409


ESCAPES = [
    "harness/../../tensors.py",
    "harness/..%2f..%2ftensors.py",
    "harness/%2e%2e/tensors.py",
    "harness/manifest.json",
    "artifact/../secret.txt",
    "artifact/..%2fsecret.txt",
    "artifact/%2e%2e%2fsecret.txt",
    "artifact//etc/passwd",
    "artifact/%2fetc%2fpasswd",
    "artifact/unlisted.txt",
    "artifact/model.json.gz",
    "inputs/0",
    "inputs/../harness/main.js",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_only_files_that_a_manifest_names_are_served(
    visit: Any, path: str, graph: ArtifactInfo, tmp_path: Path
) -> None:
    folder = tmp_path / "artifact"
    folder.mkdir()
    for file in graph.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    for file in (folder / "unlisted.txt", folder / "model.json.gz", tmp_path / "secret.txt"):
        file.write_text("secret")

    async def ask(client: aiohttp.ClientSession, server: Server, session: Session) -> list[int]:
        session.artifact = artifact_files(folder)
        statuses = []
        for url in (f"{session.url}artifact/model.json", f"{session.url}{path}"):
            async with client.get(URL(url, encoded=True)) as response:
                statuses.append(response.status)
                assert "secret" not in await response.text()
        return statuses

    found, escaped = visit(ask)
    assert found == 200
    assert escaped == 404


def test_a_compressed_neighbour_is_not_served_in_place_of_a_file(visit: Any, graph: ArtifactInfo) -> None:
    neighbour = graph.folder / "model.json.gz"
    neighbour.write_bytes(b"secret")

    async def ask(client: aiohttp.ClientSession, server: Server, session: Session) -> bytes:
        session.artifact = artifact_files(graph.folder)
        headers = {"Accept-Encoding": "gzip"}
        async with client.get(f"{session.url}artifact/model.json", headers=headers) as response:
            return await response.read()

    try:
        assert json.loads(visit(ask))["format"] == "graph-model"
    finally:
        neighbour.unlink()


def test_every_answer_forbids_what_is_not_of_this_origin(visit: Any, graph: ArtifactInfo) -> None:
    async def ask(client: aiohttp.ClientSession, server: Server, session: Session) -> list[dict[str, str]]:
        session.artifact = artifact_files(graph.folder)
        url = session.url + session.offer_inputs(tensors.encode({"x": np.zeros(1, np.float32)}))
        headers = []
        for address in (session.url, f"{session.url}harness/main.js", f"{session.url}artifact/model.json", url):
            async with client.get(address) as response:
                headers.append(dict(response.headers))
        return headers

    for headers in visit(ask):
        policy = headers["Content-Security-Policy"]
        assert policy.startswith(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws://127"
        )
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Cross-Origin-Opener-Policy" not in headers  # threads would run that most sites do not have


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app of one module; a file that is not of it lies above its folder."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "prep.js").write_text("export default 1;")
    (tmp_path / "secret.txt").write_text("secret")
    return App([AppCode(tmp_path / "web" / "prep.js")])


def test_a_page_without_an_app_is_served_as_it_was_built(visit: Any) -> None:
    async def ask(client: aiohttp.ClientSession, server: Server, session: Session) -> tuple[bytes, str, int]:
        async with client.get(session.url) as page, client.get(f"{session.url}app/0/prep.js") as module:
            return await page.read(), page.headers["Content-Security-Policy"], module.status

    content, policy, status = visit(ask)
    assert content == Harness.read().content("index.html")
    assert "sha256" not in policy and "blob:" not in policy
    assert status == 404


def test_a_page_with_an_app_allows_its_import_map_and_no_other_inline_script(visit: Any, app: App) -> None:
    async def ask(client: aiohttp.ClientSession, server: Server, session: Session) -> tuple[str, str]:
        session.app = app
        async with client.get(session.url) as page:
            return await page.text(), page.headers["Content-Security-Policy"]

    html, policy = visit(ask)
    text = html.split('<script type="importmap">')[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["script-src"] == f"'self' 'wasm-unsafe-eval' 'sha256-{digest}'"
    assert rules["img-src"] == rules["media-src"] == "'self' data: blob:"
    assert rules["connect-src"].startswith("'self' ws://127.0.0.1:")
    assert not any("*" in rule or "http:" in rule or "https:" in rule for rule in rules.values())


APP_ESCAPES = [
    "app/0/../../secret.txt",
    "app/0/..%2fsecret.txt",
    "app/0/%2e%2e%2fsecret.txt",
    "app/0//etc/passwd",
    "app/..%2f..%2fsecret.txt",
    "app/1/secret.txt",
    "files/0-0",
    "files/..%2fsecret.txt",
]


@pytest.mark.parametrize("path", APP_ESCAPES)
def test_only_files_of_the_app_s_folder_are_served(visit: Any, path: str, app: App) -> None:
    async def ask(client: aiohttp.ClientSession, server: Server, session: Session) -> list[int]:
        session.app = app
        statuses = []
        for url in (f"{session.url}app/0/prep.js", f"{session.url}{path}"):
            async with client.get(URL(url, encoded=True)) as response:
                statuses.append(response.status)
                assert "secret" not in await response.text()
        return statuses

    assert visit(ask) == [200, 404]


def test_the_user_s_files_are_served_until_the_next_ones_are_offered(visit: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"from a path")

    async def ask(client: aiohttp.ClientSession, server: Server, session: Session) -> list[tuple[int, bytes]]:
        session.next_id()
        first = session.offer_files([path, b"bytes", tmp_path / "gone.txt"])
        answers = []
        for url in first:
            async with client.get(session.url + url) as response:
                answers.append((response.status, await response.read()))
        session.next_id()
        session.offer_files([b"later"])
        async with client.get(session.url + first[0]) as response:
            answers.append((response.status, b""))
        return answers

    assert visit(ask) == [
        (200, b"from a path"), (200, b"bytes"), (404, b"No such file or directory"), (404, b""),
    ]  # fmt: skip


def upload(visit: Any, *ranges: tuple[str, bytes]) -> Any:
    async def send(client: aiohttp.ClientSession, server: Server, session: Session) -> tuple[list[int], Any]:
        url, headers = session.url + session.expect_outputs(), {"Origin": server.origin}
        statuses = []
        for query, data in ranges:
            async with client.post(f"{url}?{query}", data=data, headers=headers) as response:
                statuses.append(response.status)
        try:
            return statuses, bytes(session.take_outputs())
        except Exception as error:
            return statuses, str(error)

    return visit(send)


def test_ranges_are_put_where_they_belong_in_whichever_order(visit: Any) -> None:
    assert upload(visit, ("offset=2&total=5", b"cde"), ("offset=0&total=5", b"ab")) == ([200, 200], b"abcde")


@pytest.mark.parametrize("query", ["", "offset=0", "offset=a&total=1", "offset=-1&total=4", "offset=3&total=4"])
def test_a_range_that_does_not_fit_is_refused(visit: Any, query: str) -> None:
    statuses, said = upload(visit, (query, b"ab"))
    assert statuses == [400]
    assert "bytes of its outputs" in said


def test_outputs_that_came_in_part_are_not_taken_for_whole(visit: Any) -> None:
    assert upload(visit, ("offset=0&total=5", b"ab")) == ([200], "The page sent 2 of 5 bytes of its outputs.")


def manifest(folder: Path, *paths: Any) -> Path:
    (folder / "model.json").write_text(json.dumps({"weightsManifest": [{"paths": list(paths), "weights": []}]}))
    return folder


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/passwd", "sub/../../outside.bin", "link.bin"])
def test_a_shard_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "artifact"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "outside.bin").write_bytes(b"x")
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    with pytest.raises(ArtifactFileError, match="outside of its folder"):
        artifact_files(manifest(folder, name))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("sub/a.bin", "sub/a.bin"),
        ("./a.bin", "a.bin"),
        ("./sub/a.bin", "sub/a.bin"),
        ("sub/../a.bin", "a.bin"),
        ("sub/./a.bin", "sub/a.bin"),
    ],
)
def test_a_shard_is_served_under_the_path_that_browsers_ask_for(tmp_path: Path, name: str, asked: str) -> None:
    (tmp_path / "sub").mkdir()
    for file in (tmp_path / "a.bin", tmp_path / "sub" / "a.bin"):
        file.write_bytes(b"x")
    files = artifact_files(manifest(tmp_path, name))
    assert set(files) == {"model.json", asked}
    assert files[asked] == (tmp_path / asked).resolve()


def test_the_page_knows_a_model_file_of_any_name_as_model_json(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"")
    manifest(tmp_path, "a.bin")
    (tmp_path / "model.json").rename(tmp_path / "web.json")
    assert artifact_files(tmp_path, "web.json")["model.json"] == tmp_path / "web.json"


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactFileError, match=r"'a\.bin', which is missing"):
        artifact_files(manifest(tmp_path, "a.bin"))


@pytest.mark.parametrize("text", [None, "", "[]", "{", '{"weightsManifest": [{}]}', '{"weightsManifest": 3}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "model.json").write_text(text)
    with pytest.raises(ArtifactFileError, match=r"is not a TF\.js model"):
        artifact_files(tmp_path)
