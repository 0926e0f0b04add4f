"""Shared code of pycheck's servers: the policy of answers, the rejection of foreign requests, and sending of files."""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

#: The bytes of one write: with more, asyncio copies the rest of a partial write; with fewer, calls dominate.
CHUNK_BYTES = 256 * 1024
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".cjs": "text/javascript",
    ".wasm": "application/wasm",
    ".json": "application/json",
}
#: Images and sounds that the user's own code makes of its files, and never of an address of a network.
_LOCAL = "'self' data: blob:"


def policy(
    origin: str, *, framed: bool = False, frames: bool = False, import_map: str = "", isolated: bool = False
) -> str:
    """Return the Content-Security-Policy: only this origin; 'wasm-unsafe-eval' compiles WebAssembly, not scripts.

    `import_map` is the hash of the import map of a page with the user's own code, which may make images, sounds and
    data of its files. `framed` allows a page of this origin to hold the page in a frame, `frames` allows the page to
    hold such frames. `isolated` allows the scripts that TF.js makes for the threads of its WebAssembly.
    """
    threads = " blob:" if isolated else ""
    rules = {
        "default-src": "'none'",
        "script-src": f"'self'{threads} 'wasm-unsafe-eval' {import_map}".strip(),
        **({"worker-src": f"'self'{threads}"} if isolated else {}),
        "connect-src": f"'self' {origin.replace('http', 'ws', 1)}{' data: blob:' if import_map else ''}",
        "img-src": _LOCAL if import_map else "data:",
        **({"media-src": _LOCAL} if import_map else {}),
        "frame-src": "'self'" if frames else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'" if framed else "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def import_map_in(policy: str) -> str:
    """Return the hash of the import map that a policy allows; empty if it allows none."""
    found = re.search(r"'sha256-[A-Za-z0-9+/=]+'", policy)
    return found[0] if found else ""


#: What makes a page cross-origin isolated, which gives it threads in WebAssembly:
#: https://html.spec.whatwg.org/multipage/document-lifecycle.html#dom-crossoriginisolated
_ISOLATING = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


def headers(name: str, policy: str, *, isolated: bool = False) -> dict[str, str]:
    """Return the headers for a file of this name; those of an `isolated` page are cross-origin isolated."""
    return {
        **(_ISOLATING if isolated else {}),
        "Content-Type": _TYPES.get(Path(name).suffix, "application/octet-stream"),
        "Content-Security-Policy": policy,
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def refuse_foreign(request: web.Request, *origins: str) -> None:
    """Reject other names of this host (DNS rebinding) and other sites (the Origin that browsers send)."""
    if request.host not in {urlsplit(origin).netloc for origin in origins}:
        raise web.HTTPMisdirectedRequest
    origin = request.headers.get("Origin")
    if origin not in origins and (origin is not None or request.method != "GET"):
        raise web.HTTPForbidden


def is_secret(secret: str, given: str) -> bool:
    """Tell in constant time whether a request gives a secret; what it gives may be any text."""
    return secrets.compare_digest(secret.encode(), given.encode(errors="surrogateescape"))


async def send_file(request: web.Request, path: Path, headers: dict[str, str]) -> web.StreamResponse:
    """Send exactly this file: aiohttp's own FileResponse would prefer a neighbour named .gz."""
    with path.open("rb") as file:
        response = web.StreamResponse(headers=headers)
        response.content_length = path.stat().st_size
        await response.prepare(request)
        while chunk := await asyncio.to_thread(file.read, 4 * CHUNK_BYTES):
            await response.write(chunk)
    await response.write_eof()
    return response
