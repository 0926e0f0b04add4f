"""Shares browsers between runs: one host for each engine and set of options."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..options.values import BrowserChoice, Options
from ..runtimes.launching.identity import identify
from ..runtimes.launching.remote import leaves_for, tell_that_model_leaves
from ..types import DEVICE, RuntimeId

if TYPE_CHECKING:
    from ..runtimes.browser.host import BrowserHost
    from ..runtimes.browser.server import Server


def browser_host(engine: str, **options: Any) -> BrowserHost:
    """Make the host of an engine's browser.

    What hosts need (a web server, the protocol of the pages) is only imported here: a run whose answers are all kept
    has no host, and is the one that should be fast.
    """
    from ..runtimes.browser.host import BrowserHost

    return BrowserHost(engine, **options)


@dataclass(frozen=True, slots=True)
class Asked:
    """The options by which hosts differ."""

    engine: str
    choice: BrowserChoice
    headed: bool
    timeout_s: float
    public_url: str | None
    port: int
    may_leave: bool
    page: Path | None
    isolated: bool

    @classmethod
    def by(cls, options: Options, engine: str) -> Asked:
        """Return those of an engine."""
        choice = options.browser(engine)
        address = (options.public_url, options.public_port or 0) if choice.address else (None, 0)
        of_page = (options.page, options.isolated)
        return cls(engine, choice, options.headed, options.timeout_s, *address, options.allow_remote, *of_page)


class Hosts:
    """Hosts of browsers. The first run that needs a host starts it, later runs share it, and all end together.

    `sends_models`: the pages get models and inputs, of which a notice tells if they leave this machine.
    """

    def __init__(
        self,
        make_host: Callable[..., BrowserHost] = browser_host,
        identify: Callable[..., str | None] = identify,
        *,
        sends_models: bool = True,
    ) -> None:
        self._make_host = make_host
        self._identify = identify
        self._starting: dict[Asked, asyncio.Task[BrowserHost]] = {}
        self._servers: dict[tuple[str, int], asyncio.Task[Server]] = {}
        self._sends_models = sends_models
        self._told: set[str] = set()
        self._turns: dict[str, asyncio.Lock] = {}

    def start(self, options: Options) -> None:
        """Start the browsers for a run with these options, without waiting for them."""
        for engine in dict.fromkeys(runtime.engine for runtime in options.runtimes):
            self._task(options, engine)

    async def get(self, options: Options, engine: str) -> BrowserHost:
        """Return the browser of an engine, and start it if nobody has; RuntimeUnavailableError if it does not start."""
        return await asyncio.shield(self._task(options, engine))

    def _task(self, options: Options, engine: str) -> asyncio.Task[BrowserHost]:
        asked = Asked.by(options, engine)
        if asked not in self._starting:
            kinds = [runtime.kind for runtime in options.runtimes if runtime.engine == engine]
            self._starting[asked] = asyncio.create_task(self._start(asked, kinds))
        return self._starting[asked]

    def identity(self, options: Options, engine: str) -> str | None:
        """Identify the browser of an engine and this machine without starting it; None if that is not possible."""
        choice = options.browser(engine)
        return self._identify(engine, path=choice.path, address=choice.address, headed=options.headed, args=choice.args)

    def turn(self, runtime: RuntimeId) -> AbstractAsyncContextManager[Any]:
        """Return a lock for a runtime on a device, whose pages share one thread.

        Waiting for it does not count as run time.
        """
        return self._turns.setdefault(runtime.engine, asyncio.Lock()) if runtime.is_on_device else nullcontext()

    async def close(self) -> None:
        """Close every browser, including those that are still starting."""
        for task in self._starting.values():
            if not task.done():
                task.cancel()
        for host in await asyncio.gather(*self._starting.values(), return_exceptions=True):
            if not isinstance(host, BaseException):
                await host.__aexit__(None, None, None)
        for server in await asyncio.gather(*self._servers.values(), return_exceptions=True):
            if not isinstance(server, BaseException):
                await server.__aexit__(None, None, None)

    async def _start(self, asked: Asked, kinds: list[str]) -> BrowserHost:
        if self._sends_models:
            self._tell_where_models_go(asked)
        host = self._make_host(
            asked.engine,
            kinds=kinds,
            browser_path=asked.choice.path,
            connect=asked.choice.address,
            capabilities=asked.choice.capabilities,
            headed=asked.headed,
            browser_args=asked.choice.args,
            timeout_s=asked.timeout_s,
            page=asked.page,
            isolated=asked.isolated,
            server=await self._server(asked.public_url, asked.port) if asked.public_url else None,
        )
        return await host.__aenter__()

    def _tell_where_models_go(self, asked: Asked) -> None:
        if (place := _place_of_models(asked)) and place not in self._told:
            self._told.add(place)
            tell_that_model_leaves(place, allowed=asked.may_leave)

    async def _server(self, public_url: str, port: int) -> Server:
        """Return the server at a public address, which all engines share: one tunnel leads to all of them."""
        from ..runtimes.browser.server import Server

        address = (public_url, port)
        if address not in self._servers:
            self._servers[address] = asyncio.create_task(Server(public_url=public_url, port=port).__aenter__())
        return await asyncio.shield(self._servers[address])


def _place_of_models(asked: Asked) -> str | None:
    """Return where the browser's models go, if that is not this machine."""
    device_at = None
    if asked.engine.startswith(DEVICE):
        from ..runtimes.devices import public_url

        device_at = public_url()
    return device_at or leaves_for(asked.choice.address, asked.public_url)
