"""Connects processes of pycheck to the one that listens for devices: a loopback address and a secret in a file.

The file is in the cache folder and only its owner can read it. Requests use HTTP to 127.0.0.1, with the secret in a
header.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import platformdirs

from ...errors import RuntimeUnavailableError, UsageError
from ...version import __version__
from .device import DeviceInfo

_ANSWER_S = 10.0
LISTEN = "Run pycheck devices --listen in another terminal, and open its address on the device."


@dataclass(frozen=True, slots=True)
class Link:
    """The address of the listening process, the secret for it, and where devices reach it, if through the internet."""

    port: int
    secret: str
    version: str
    pid: int
    public_url: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        return {"Authorization": f"Bearer {self.secret}"}

    def url(self, path: str) -> str:
        """Return the URL of a path of the listener."""
        return f"http://127.0.0.1:{self.port}/{path}"


def file() -> Path:
    """Return the file of the link: one for each user, wherever a run starts, for any cache in pycheck.toml."""
    return Path(os.environ.get("PYCHECK_CACHE_DIR") or platformdirs.user_cache_dir("pycheck")) / "devices.json"


def publish(port: int, public_url: str | None = None) -> Link:
    """Write the link for other processes; UsageError if the cache folder cannot be written."""
    link = Link(port, secrets.token_urlsafe(32), __version__, os.getpid(), public_url)
    target = file()
    beside = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(link), stream)
        beside.replace(target)
    except OSError as error:
        raise UsageError(
            f"Cannot write {target}: {error.strerror}.", "Set PYCHECK_CACHE_DIR to a folder that you can write to."
        ) from error
    return link


def withdraw(link: Link) -> None:
    """Remove the published link, unless a different process has published since."""
    if read() == link:
        with suppress(OSError):
            file().unlink()


def read() -> Link | None:
    """Read the published link; None if there is none, if it is a different user's, or if its process has ended.

    A port that is free again may belong to any process, which would receive the secret.
    """
    try:
        with file().open(encoding="utf-8") as stream:
            link = Link(**json.load(stream))
            if hasattr(os, "getuid"):
                if os.fstat(stream.fileno()).st_uid != os.getuid():
                    return None
                os.kill(link.pid, 0)  # fails if it does not exist, or belongs to a different user
            return link
    except (OSError, ValueError, TypeError, OverflowError):
        return None


def public_url() -> str | None:
    """Return the public address at which devices connect; None if they are in the network of this machine."""
    link = read()
    return link.public_url if link else None


@asynccontextmanager
async def opened(link: Link) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client of the listening process."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_ANSWER_S)
    async with aiohttp.ClientSession(headers=link.headers, timeout=timeout) as client:
        yield client


async def is_listening() -> bool:
    """Tell whether a process listens for devices."""
    try:
        await connected()
    except RuntimeUnavailableError:
        return False
    return True


async def connected() -> tuple[DeviceInfo, ...]:
    """Return the connected devices; RuntimeUnavailableError if no process listens for them."""
    link = read()
    if link is None:
        raise RuntimeUnavailableError("pycheck devices --listen is not running.", LISTEN)
    if link.version != __version__:
        raise RuntimeUnavailableError(
            f"pycheck {link.version} listens for devices, but this is pycheck {__version__}.",
            "Stop pycheck devices --listen, and start it with this version.",
        )
    try:
        limit = aiohttp.ClientTimeout(total=_ANSWER_S)  # it may be stopped rather than ended
        async with opened(link) as client, client.get(link.url("devices"), timeout=limit) as answer:
            answer.raise_for_status()
            return tuple(DeviceInfo(**device) for device in await answer.json())
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, TypeError):
        raise RuntimeUnavailableError("pycheck devices --listen has ended.", LISTEN) from None
