"""Keeps pages open that the next run will need: a new page with its backend started, or one with compiled programs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RuntimeFailedError
from ..options.values import Options
from ..types import ArtifactInfo, RuntimeId
from .browsers import Asked, Hosts

if TYPE_CHECKING:
    from ..runtimes.browser.page import BrowserRuntime

#: The most pages that wait: each is a process, with memory of the GPU.
_MOST_PAGES = 8

_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Used:
    """A page in which an artifact of this topology has run."""

    page: BrowserRuntime
    topology: str


class ReadyPages:
    """Pages that wait for a run. Each serves one, or several in turn of artifacts that differ in their weights alone.

    A library compiles the programs of a GPU at the first batch, which takes seconds without a GPU. They depend on the
    topology, not on the weights. On a backend without programs a new page costs nothing, since it has waited.
    """

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._opening: dict[_Key, asyncio.Task[BrowserRuntime]] = {}
        self._used: dict[_Key, _Used] = {}
        self._is_prepared = False

    async def prepare(self, each: Iterable[Options]) -> None:
        """Open a page for each runtime of the options, and close those that no runtime needs."""
        self._is_prepared = True
        wanted = {
            _key(options, runtime): (options, runtime)
            for options in each
            for runtime in options.runtimes
            if not runtime.is_on_device and options.browser(runtime.engine).address is None
        }
        for key in self._opening.keys() - wanted.keys():
            await _close(self._opening.pop(key))
        for key in self._used.keys() - wanted.keys():
            await self._used.pop(key).page.close()
        for key, (options, runtime) in wanted.items():
            if key not in (*self._opening, *self._used) and len(self._opening) + len(self._used) < _MOST_PAGES:
                self._opening[key] = asyncio.create_task(self._open(options, runtime))
        if self._opening:
            await asyncio.wait([*self._opening.values()])

    async def take(
        self, options: Options, runtime: RuntimeId, artifact: Awaitable[ArtifactInfo]
    ) -> BrowserRuntime | None:
        """Return the page for a runtime with an artifact, which the caller closes; None if there is none that works."""
        key = _key(options, runtime)
        if key in self._used:
            topology = await asyncio.to_thread(_topology, await artifact)  # the page waits on if this fails or ends
            if used := self._used.pop(key, None):
                if used.page.is_alive and used.topology == topology:
                    used.page.renew()
                    return used.page
                await used.page.close()
        opening = self._opening.pop(key, None)
        if opening is None:
            return None
        try:
            page = await asyncio.shield(opening)
        except RuntimeFailedError:  # the run says why
            return None
        except asyncio.CancelledError:
            await _close(opening)
            raise
        if page.is_alive:
            return page
        await page.close()
        return None

    async def keep(self, options: Options, page: BrowserRuntime, artifact: ArtifactInfo) -> bool:
        """Keep a page in which an artifact has run, for a next run, if that saves time; tell whether it is kept."""
        is_compiled = page.id.kind.startswith("web")
        if not (self._is_prepared and is_compiled and page.is_alive):
            return False
        topology, key = await asyncio.to_thread(_topology, artifact), _key(options, page.id)
        if key in (*self._used, *self._opening):  # another run of the same options was first
            return False
        self._used[key] = _Used(page, topology)
        return True

    async def close(self) -> None:
        """Close all pages."""
        while self._used:
            await self._used.popitem()[1].page.close()
        while self._opening:
            await _close(self._opening.popitem()[1])

    async def _open(self, options: Options, runtime: RuntimeId) -> BrowserRuntime:
        host = await self._hosts.get(options, runtime.engine)
        page = host.runtime(runtime, None, flags=dict(options.flags), cpu_kernels=options.cpu_kernels)
        return await page.__aenter__()


def _topology(artifact: ArtifactInfo) -> str:
    """Return a digest of an artifact of TF.js without its weights."""
    content = (artifact.folder / artifact.model_file).read_bytes()
    return f"{artifact.format} {hashlib.sha256(content).hexdigest()}"


def _key(options: Options, runtime: RuntimeId) -> _Key:
    flags = tuple(sorted(dict(options.flags).items()))
    return runtime, Asked.by(options, runtime.engine), flags, options.cpu_kernels


async def _close(opening: asyncio.Task[BrowserRuntime]) -> None:
    opening.cancel()
    with suppress(RuntimeFailedError, asyncio.CancelledError):
        await (await opening).close()
