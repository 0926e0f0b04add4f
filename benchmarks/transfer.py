"""What moving tensors to the page and back costs, against bare loopback methods in the same run.

    python benchmarks/transfer.py [--megabytes 64] [--rounds 7] [--browser-path P]

The harness's own figure is a whole prediction of an identity model on TF.js's cpu backend, as
`compare` runs it: safetensors written and read on both sides, the page's policy and the server's
checks in force. Its two directions are the page's clock from the request to the decoded tensors,
and from the encoding to the last answer. The bare methods move the same number of bytes into
memory that can be kept, with no format and no checks, in a page of the same browser. Rounds of
all methods take turns, so that a busy moment hits them alike, and the best round of each counts,
since what else the machine does can only add to a time. Each direction ends with whether the
harness reaches 80 % of the best bare method; the exit code says the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from aiohttp import web

from pycheck.runtimes.browser.host import BrowserHost
from pycheck.runtimes.browser.page import BrowserRuntime
from pycheck.types import ArtifactInfo, RuntimeId

GOAL = 0.8
MB = 1 << 20
CHUNK = 256 * 1024

#: Each gives the seconds that a transfer took, by the page's clock.
PAGE = """
window.timed = async (work) => { const t = performance.now(); await work(); return (performance.now() - t) / 1000; };
window.get = async (url) => (await fetch(url)).arrayBuffer();
window.get_by_xhr = (url) => new Promise((resolve) => {
  const request = new XMLHttpRequest();
  request.open('GET', url);
  request.responseType = 'arraybuffer';
  request.onload = () => resolve(request.response);
  request.send();
});
window.post = async (url, body) => (await fetch(url, {method: 'POST', body})).text();
window.ranges = (count) =>
  Array.from({length: count}, (_, i) => [i, i + 1].map((n) => Math.floor(n * data.length / count)));
window.get_ranges = (count) => Promise.all(ranges(count).map(([from, to]) => get(`bytes?from=${from}&to=${to}`)));
window.post_ranges = (count) => {
  const blob = new Blob([data]);
  return Promise.all(ranges(count).map(([from, to]) => post(`bytes?from=${from}`, blob.slice(from, to))));
};
window.post_blobs = (count) =>
  Promise.all(ranges(count).map(([from, to]) => post(`bytes?from=${from}`, new Blob([data.subarray(from, to)]))));
window.fill = (size) => { window.data = new Uint8Array(size); crypto.getRandomValues(data.subarray(0, 65536)); };
window.open_socket = () => new Promise((resolve) => {
  const socket = new WebSocket(location.href.replace('http', 'ws') + 'socket');
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => resolve(window.socket = socket);
});
window.answer = (say) => new Promise((resolve) => { socket.onmessage = resolve; socket.send(say); });
"""
TO_PAGE = {
    "GET, streamed": "() => timed(() => get('bytes'))",
    "GET, one body": "() => timed(() => get('body'))",
    "2 GETs side by side": "() => timed(() => get_ranges(2))",
    "4 GETs side by side": "() => timed(() => get_ranges(4))",
    "XMLHttpRequest": "() => timed(() => get_by_xhr('bytes'))",
    "WebSocket": "() => timed(() => answer('send'))",
}
FROM_PAGE = {
    "POST of an ArrayBuffer": "() => timed(() => post('bytes', data))",
    "POST of a Blob": "() => timed(() => post_ranges(1))",
    "2 POSTs of Blob parts": "() => timed(() => post_ranges(2))",
    "4 POSTs of Blob parts": "() => timed(() => post_ranges(4))",
    "6 POSTs of Blob parts": "() => timed(() => post_ranges(6))",
    "4 POSTs of 4 Blobs": "() => timed(() => post_blobs(4))",
    "WebSocket": "() => timed(() => answer(data))",
}
#: Slow beyond doubt; once is enough to know.
ONCE = {"POST of an ArrayBuffer", "WebSocket"}


class Bare:
    """An aiohttp server that moves bytes and does nothing else."""

    def __init__(self, size: int) -> None:
        self.data = np.random.default_rng(0).integers(0, 256, size, np.uint8).tobytes()
        self.received = np.empty(0, np.uint8)
        self.missing = 0

    async def start(self) -> str:
        """The address of its page."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/bytes", self._stream),
                web.get("/body", self._body),
                web.post("/bytes", self._receive),
                web.get("/socket", self._socket),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        """Hang up."""
        await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>bare</title>", content_type="text/html")

    async def _body(self, request: web.Request) -> web.Response:
        return web.Response(body=self.data, headers={"Cache-Control": "no-store"})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        part = memoryview(self.data)[int(request.query.get("from", 0)) : int(request.query.get("to", len(self.data)))]
        response = web.StreamResponse(headers={"Cache-Control": "no-store"})
        response.content_length = len(part)
        await response.prepare(request)
        for start in range(0, len(part), CHUNK):
            await response.write(part[start : start + CHUNK])
        await response.write_eof()
        return response

    async def _receive(self, request: web.Request) -> web.Response:
        at = int(request.query.get("from", 0))
        if self.missing == 0:  # a result that its receiver keeps needs memory of its own
            self.received = np.empty(len(self.data), np.uint8)
            self.missing = len(self.data)
        view = memoryview(self.received)
        while chunk := await request.content.readany():
            view[at : at + len(chunk)] = chunk
            at += len(chunk)
            self.missing -= len(chunk)
        return web.Response(text="ok")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is web.WSMsgType.TEXT:
                await socket.send_bytes(self.data)
            else:
                await socket.send_str("ok")
        return socket


def identity_model(folder: Path) -> ArtifactInfo:
    """A graph that gives back its input."""
    node = [
        {
            "name": "x",
            "op": "Placeholder",
            "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": {"dim": [{"size": "-1"}]}}},
        },
        {"name": "y", "op": "Identity", "input": ["x"]},
    ]
    topology = {"node": node, "versions": {"producer": 1, "minConsumer": 1}}
    signature = {"inputs": {"x": {"name": "x"}}, "outputs": {"y": {"name": "y"}}}
    manifest = {"format": "graph-model", "modelTopology": topology, "signature": signature, "weightsManifest": []}
    (folder / "model.json").write_text(json.dumps(manifest))
    return ArtifactInfo(folder, "graph", "none", 0, "by hand", "", ("x",), ("y",), {"x": "x"}, {"y": "y"})


async def harness_round(runtime: BrowserRuntime, x: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """Seconds to the page, from the page, and of the whole prediction by Python's clock."""
    before = dict(runtime.timings_s)
    started = time.perf_counter()
    outputs = await runtime.predict({"x": x})
    whole = time.perf_counter() - started
    assert outputs["y"].tobytes() == x.tobytes()
    names = ("transfer_to_page", "transfer_from_page")
    to_page, from_page = (runtime.timings_s[name] - before.get(name, 0.0) for name in names)
    return to_page, from_page, whole


async def measure(size: int, rounds: int, browser_path: Path | None) -> dict[str, dict[str, list[float]]]:
    """Seconds of each method, by direction."""
    times: dict[str, dict[str, list[float]]] = {"to the page": {}, "from the page": {}, "there and back": {}}
    x = np.random.default_rng(1).random(size // 4, np.float32)
    bare = Bare(size)
    with tempfile.TemporaryDirectory() as folder:
        artifact = identity_model(Path(folder))

        async def ready() -> ArtifactInfo:
            return artifact

        id = RuntimeId("chromium", "cpu")
        async with BrowserHost(browser_path=browser_path) as host, host.runtime(id, ready()) as runtime:
            page = await (await host.browser(id.kind)).handle.new_page()
            await page.goto(await bare.start())
            await page.evaluate(f"() => {{ {PAGE}; fill({size}); return open_socket().then(() => 0); }}")
            try:
                for number in range(rounds + 1):  # the first warms up and is not counted
                    await one_round(number, times, page.evaluate, lambda: harness_round(runtime, x))
            finally:
                await bare.stop()
    return times


async def one_round(
    number: int,
    times: dict[str, dict[str, list[float]]],
    evaluate: Callable[[str], Awaitable[float]],
    harness: Callable[[], Awaitable[tuple[float, float, float]]],
) -> None:
    """Every method once."""
    to_page, from_page, whole = await harness()
    found = [("to the page", "harness", to_page), ("from the page", "harness", from_page)]
    found.append(("there and back", "harness, a whole prediction", whole))
    for direction, methods in (("to the page", TO_PAGE), ("from the page", FROM_PAGE)):
        for name, script in methods.items():
            if name not in ONCE or number == 1:
                found.append((direction, name, await evaluate(script)))
    for direction, name, seconds in found if number else []:
        times[direction].setdefault(name, []).append(seconds)


def report(times: dict[str, dict[str, list[float]]], size: int) -> bool:
    """Print the table; whether the harness reaches the goal each way."""
    reached = True
    for direction, methods in times.items():
        best = {name: min(seconds) for name, seconds in methods.items()}
        bare = [seconds for name, seconds in best.items() if not name.startswith("harness")]
        print(f"\n{direction:28s} {'MB/s':>8s} {'best s':>8s} {'median s':>8s}   of the best bare method")
        for name, seconds in sorted(best.items(), key=lambda item: item[1]):
            share = f"{min(bare) / seconds:8.0%}" if bare else ""
            print(f"  {name:26s} {size / MB / seconds:8.0f} {seconds:8.3f} {median(methods[name]):8.3f}   {share}")
        if bare:
            share_reached = min(bare) / best["harness"]
            reached &= share_reached >= GOAL
            verdict = "reached" if share_reached >= GOAL else "missed"
            print(f"  goal of {GOAL:.0%} of the best bare method: {verdict} ({share_reached:.0%})")
    return reached


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=64, help="of float32 each way (default 64)")
    parser.add_argument("--rounds", type=int, default=7, help="counted, after one that warms up (default 7)")
    parser.add_argument("--browser-path", type=Path, default=None)
    options = parser.parse_args()
    size = options.megabytes * MB
    print(f"{options.megabytes} MB each way, best of {options.rounds} rounds, on loopback")
    times = asyncio.run(measure(size, options.rounds, options.browser_path))
    sys.exit(0 if report(times, size) else 1)


if __name__ == "__main__":
    main()
