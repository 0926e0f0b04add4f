"""The host of an engine's runtimes: one server, one browser, started while everything else starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from ...protocol import FlagValue
from ...types import BROWSER_KINDS, ArtifactInfo, RuntimeId
from ..launching import Browser, FoundBrowser, LaunchOptions, choose
from . import proof
from .page import BrowserRuntime
from .server import Harness, Server

#: A browser starts well within this, or hangs; then it ends with Playwright, whose end ends all that it started.
_START_GRACE_S = 5.0


class BrowserHost:
    """The server and the browser that runtimes share, as an asynchronous context manager.

    `kinds` names the runtimes to come, so that WebGPU's browser starts at once too; without it
    that one starts when first asked for. WebGPU has a browser of its own, because its flags
    should not change what the others run on, and an error of its GPU process should not end them.
    `timeout_s` bounds every step of a runtime, and the start of a browser. `connect` is the address of
    a browser that runs already (a Playwright server's or a DevTools address), or "by-hand" to have a person open one.
    `page` is the folder of another page than pycheck's own.

    Raises RuntimeUnavailableError where there is no browser, no harness, or the browser does not start.
    """

    def __init__(
        self,
        engine: str = "chromium",
        *,
        browser_path: Path | None = None,
        connect: str | None = None,
        headed: bool = False,
        browser_args: Sequence[str] = (),
        timeout_s: float = 300.0,
        kinds: Collection[str] = (),
        page: Path | None = None,
    ) -> None:
        self.engine = engine
        self.timeout_s = timeout_s
        self._browser_path = browser_path
        self._connect = connect
        self._headed = headed
        self._args = tuple(browser_args)
        self._kinds = kinds
        self._page = page
        self._stack = AsyncExitStack()
        self._browsers: dict[bool, asyncio.Task[Browser]] = {}
        self._launches: list[asyncio.Task[Browser]] = []

    async def __aenter__(self) -> Self:
        self.harness = Harness.read(self._page) if self._page else Harness.read()
        self._launcher = choose(
            self.engine,
            path=self._browser_path,
            address=self._connect,
            headed=self._headed,
            sessions=lambda: self.server.session(),
        )
        try:
            self._stack.push_async_callback(self._launcher.close)
            self.server = await self._stack.enter_async_context(Server(self.harness))
            self._stack.push_async_callback(self._close_browsers)
            first = {kind == "webgpu" for kind in self._kinds} or {False}
            starting = [self._browser_task(webgpu) for webgpu in first]
            self.version = (await asyncio.shield(starting[0])).version
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    @property
    def found(self) -> FoundBrowser | None:
        """The browser's executable and who put it there; None for one that was not started here."""
        return self._launcher.found

    def runtime(
        self,
        id: RuntimeId,
        artifact: Awaitable[ArtifactInfo] | None,
        *,
        flags: Mapping[str, FlagValue] | None = None,
        cpu_kernels: Sequence[str] = (),
    ) -> BrowserRuntime:
        """A runtime of this browser, not started; `artifact` may be shared and still be in the making.

        Without an artifact it starts and proves itself and cannot predict. Flags are TF.js's
        (WEBGL_PACK); a string is read as a number or a boolean where it is one. `cpu_kernels` are run
        by TF.js's CPU backend instead ("*" for all). Raises UsageError for a flag that TF.js does not have.
        """
        if id.engine != self.engine or id.kind not in BROWSER_KINDS:
            raise ValueError(f"A {self.engine} host cannot run {id}.")
        parsed = {name: proof.parse_flag(v) if isinstance(v, str) else v for name, v in (flags or {}).items()}
        proof.check_flags(parsed, self.harness.flags)
        return BrowserRuntime(self, id, artifact, parsed, cpu_kernels)

    async def browser(self, kind: str) -> Browser:
        """The running browser for a kind of runtime; started again if it has ended."""
        return await asyncio.shield(self._browser_task(kind == "webgpu"))

    def _browser_task(self, webgpu: bool) -> asyncio.Task[Browser]:
        task = self._browsers.get(webgpu)
        if task is None or (task.done() and _is_gone(task)):
            task = asyncio.create_task(self._launch(webgpu))
            self._browsers[webgpu] = task
            self._launches.append(task)
        return task

    async def _launch(self, webgpu: bool) -> Browser:
        options = LaunchOptions(headed=self._headed, args=self._args, timeout_s=self.timeout_s, webgpu=webgpu)
        return await self._launcher.launch(options)

    async def _close_browsers(self) -> None:
        # One that is still starting is let start: only of a browser that runs does Playwright remove the profile.
        starting = [task for task in self._launches if not task.done()]
        if starting:
            await asyncio.wait(starting, timeout=_START_GRACE_S)
        for task in starting:
            task.cancel()
        for outcome in await asyncio.gather(*self._launches, return_exceptions=True):
            if isinstance(outcome, Browser):
                await outcome.close()


def _is_gone(task: asyncio.Task[Browser]) -> bool:
    return task.cancelled() or task.exception() is not None or not task.result().is_alive
