"""The bare page of the benchmarks: its bundle, a plain HTTP server for it, and the browser that opens it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_INDEX = b'<!doctype html><meta charset="utf-8"><script type="module" src="bare.js"></script>'
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}


@dataclass(frozen=True, slots=True)
class Task:
    """What the floor and the way by hand are asked to do; travels between processes as JSON.

    `artifact` is the folder of a converted model, `bundle` that of the built page.
    """

    model: str
    inputs: str
    batch_size: int
    backends: tuple[str, ...]
    artifact: str
    format: str
    bundle: str
    browser: str
    browser_args: tuple[str, ...]
    sandbox: bool

    def to_json(self) -> str:
        """One argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """The task back."""
        return cls(**json.loads(text))


def build_bundle(folder: Path) -> None:
    """One file of TF.js with every backend that is measured, by the esbuild that builds the harness."""
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        raise SystemExit("benchmarks: node_modules is missing; run `npm ci`, or `make bench`, which does")
    folder.mkdir(parents=True, exist_ok=True)
    node_only = ("fs", "path", "os", "perf_hooks", "worker_threads", "crypto", "util", "string_decoder")
    options = ["--bundle", "--format=esm", "--target=es2022", "--minify-syntax", "--minify-whitespace"]
    options += [f"--external:{name}" for name in node_only] + ["--log-level=error", f"--outdir={folder}"]
    subprocess.run([esbuild, ROOT / "benchmarks" / "bare.js", *options], check=True, cwd=ROOT)
    for file in (ROOT / "node_modules" / "@tensorflow" / "tfjs-backend-wasm" / "dist").glob("*.wasm"):
        (folder / file.name).write_bytes(file.read_bytes())


@contextmanager
def serve(folders: Mapping[str, Path], inputs: list[bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Serve folders by URL prefix and the inputs by index; yields the address and what the page posts, by path."""
    received: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            prefix, _, name = self.path[1:].rpartition("/")
            if self.path == "/":
                self._answer(200, _INDEX, "text/html")
            elif prefix == "inputs":
                self._answer(200, inputs[int(name)], "application/octet-stream")
            elif prefix in folders and (file := folders[prefix] / name).is_file():
                self._answer(200, file.read_bytes(), _TYPES.get(file.suffix, "application/octet-stream"))
            else:
                self._answer(404, b"", "text/plain")

        def do_POST(self) -> None:
            received[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200, b"", "text/plain")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", received
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def open_page(task: Task, url: str) -> Iterator[Any]:
    """The page in the browser that pycheck takes, started with the same arguments."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=task.browser, args=list(task.browser_args), chromium_sandbox=task.sandbox
        )
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.goto(url)
        page.wait_for_function("globalThis.ready")
        yield page
        browser.close()
