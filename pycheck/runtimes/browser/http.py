"""What every server of ours does alike: what its answers forbid a page, whom it refuses, how it sends a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

#: Above this asyncio copies what the socket does not take at once; below it, calls cost more than bytes.
CHUNK_BYTES = 256 * 1024
_TYPES = {".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}


def policy(host: str, *, framed: bool = False, frames: bool = False) -> str:
    """Content-Security-Policy: nothing but this origin; 'wasm-unsafe-eval' compiles WebAssembly, not scripts.

    `framed` lets a page of this origin hold it in a frame, `frames` lets it hold such frames.
    """
    rules = {
        "default-src": "'none'",
        "script-src": "'self' 'wasm-unsafe-eval'",
        "connect-src": f"'self' ws://{host}",
        "img-src": "data:",
        "frame-src": "'self'" if frames else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'" if framed else "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def headers(name: str, policy: str) -> dict[str, str]:
    """The headers of an answer that is a file of this name."""
    return {
        "Content-Type": _TYPES.get(Path(name).suffix, "application/octet-stream"),
        "Content-Security-Policy": policy,
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def refuse_foreign(request: web.Request, host: str) -> None:
    """Refuse other names of this host (DNS rebinding) and other sites (the Origin that browsers send)."""
    if request.host != host:
        raise web.HTTPMisdirectedRequest
    origin = request.headers.get("Origin")
    if origin != f"http://{host}" and (origin is not None or request.method != "GET"):
        raise web.HTTPForbidden


async def send_file(request: web.Request, path: Path, headers: dict[str, str]) -> web.StreamResponse:
    """The file and nothing else: aiohttp's own FileResponse would prefer a neighbour named .gz."""
    with path.open("rb") as file:
        response = web.StreamResponse(headers=headers)
        response.content_length = path.stat().st_size
        await response.prepare(request)
        while chunk := await asyncio.to_thread(file.read, 4 * CHUNK_BYTES):
            await response.write(chunk)
    await response.write_eof()
    return response
