"""Keeps pages open that the next run will need: a new page, with its backend started and no model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from ..errors import RuntimeFailedError
from ..options.values import Options
from ..runtimes.browser.page import BrowserRuntime
from ..types import RuntimeId
from .browsers import Asked, Hosts

#: The most pages that wait: each is a process, with memory of the GPU.
_MOST_PAGES = 8

_Key = tuple[object, ...]


class ReadyPages:
    """Pages that wait for a run; each serves only one."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._opening: dict[_Key, asyncio.Task[BrowserRuntime]] = {}

    async def prepare(self, each: Iterable[Options]) -> None:
        """Open a page for each runtime of the options, and close those that no runtime needs."""
        wanted = {
            _key(options, runtime): (options, runtime)
            for options in each
            for runtime in options.runtimes
            if not runtime.is_on_device and options.browser(runtime.engine).address is None
        }
        for key in self._opening.keys() - wanted.keys():
            await _close(self._opening.pop(key))
        for key, (options, runtime) in wanted.items():
            if key not in self._opening and len(self._opening) < _MOST_PAGES:
                self._opening[key] = asyncio.create_task(self._open(options, runtime))
        if self._opening:
            await asyncio.wait([*self._opening.values()])

    async def take(self, options: Options, runtime: RuntimeId) -> BrowserRuntime | None:
        """Return the page for a runtime, which the caller closes; None if there is none that works."""
        opening = self._opening.pop(_key(options, runtime), None)
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

    async def close(self) -> None:
        """Close all pages."""
        while self._opening:
            await _close(self._opening.popitem()[1])

    async def _open(self, options: Options, runtime: RuntimeId) -> BrowserRuntime:
        host = await self._hosts.get(options, runtime.engine)
        page = host.runtime(runtime, None, flags=dict(options.flags), cpu_kernels=options.cpu_kernels)
        return await page.__aenter__()


def _key(options: Options, runtime: RuntimeId) -> _Key:
    flags = tuple(sorted(dict(options.flags).items()))
    return runtime, Asked.by(options, runtime.engine), flags, options.cpu_kernels


async def _close(opening: asyncio.Task[BrowserRuntime]) -> None:
    opening.cancel()
    with suppress(RuntimeFailedError, asyncio.CancelledError):
        await (await opening).close()
