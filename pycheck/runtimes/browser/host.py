"""The host of an engine's runtimes: their browser, started in parallel with other work, and the server of its pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Self

from ...protocol import FlagValue
from ...types import BROWSER_KINDS, AppCode, ArtifactInfo, RuntimeId
from ..launching.base import Browser, FoundBrowser, LaunchOptions
from ..launching.choosing import choose
from . import proof
from .harness import Harness
from .page import BrowserRuntime
from .server import Server
from .session import Session

#: The most seconds for the start of a browser; one that hangs ends with Playwright, which ends all its processes.
_START_GRACE_S = 5.0


class BrowserHost:
    """The server and the browser that runtimes share, as an asynchronous context manager.

    `kinds` names the later runtimes, so that WebGPU's browser starts at once too; without it, the first request starts
    that browser. WebGPU has a separate browser, because its flags must not affect other runtimes, and an error of its
    GPU process must not end them. `timeout_s` bounds every step of a runtime, and the start of a browser. `connect` is
    the address of a running browser (a Playwright server's or a DevTools address), or "by-hand" if a person opens one.
    `capabilities` is a file that says which browser a WebDriver end is asked for, if `connect` is the address of one.
    `page` is the folder of a page other than pycheck's own. `server` is a running one; without it the host has its own.
    `isolated` asks for cross-origin isolated pages.

    RuntimeUnavailableError if there is no browser, no harness, or the browser does not start.
    """

    def __init__(
        self,
        engine: str = "chromium",
        *,
        browser_path: Path | None = None,
        connect: str | None = None,
        capabilities: Path | None = None,
        headed: bool = False,
        browser_args: Sequence[str] = (),
        timeout_s: float = 300.0,
        kinds: Collection[str] = (),
        page: Path | None = None,
        server: Server | None = None,
        isolated: bool = False,
    ) -> None:
        self.engine = engine
        self.timeout_s = timeout_s
        self._browser_path = browser_path
        self._connect = connect
        self._capabilities = capabilities
        self._headed = headed
        self._args = tuple(browser_args)
        self._kinds = kinds
        self._page = page
        self._shared = server
        self._isolated = isolated
        self._stack = AsyncExitStack()
        self._browsers: dict[bool, asyncio.Task[Browser]] = {}
        self._launches: list[asyncio.Task[Browser]] = []

    async def __aenter__(self) -> Self:
        self.harness = Harness.read(self._page) if self._page else Harness.read()
        self._launcher = choose(
            self.engine,
            path=self._browser_path,
            address=self._connect,
            capabilities=self._capabilities,
            headed=self._headed,
            sessions=self.session,
        )
        try:
            self._stack.push_async_callback(self._launcher.close)
            shared = self._shared
            self.server = shared if shared is not None else await self._stack.enter_async_context(Server())
            self._stack.push_async_callback(self._close_browsers)
            first = {kind.endswith("webgpu") for kind in self._kinds} or {False}
            starting = [self._browser_task(webgpu) for webgpu in first]
            self.version = (await asyncio.shield(starting[0])).version
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    def session(self) -> AbstractAsyncContextManager[Session]:
        """Make a session for a new page."""
        return self.server.session(self.harness, isolated=self._isolated)

    @property
    def found(self) -> FoundBrowser | None:
        """Return the browser's executable and its source; None for a browser that was not started here."""
        return self._launcher.found

    def runtime(
        self,
        id: RuntimeId,
        artifact: Awaitable[ArtifactInfo] | None,
        *,
        flags: Mapping[str, FlagValue] | None = None,
        cpu_kernels: Sequence[str] = (),
        app: Sequence[AppCode] = (),
    ) -> BrowserRuntime:
        """Make a runtime of this browser, not started; `artifact` may be shared, and may not exist yet.

        Without an artifact it only starts and checks its environment, and cannot predict. `flags` are TF.js's
        (WEBGL_PACK); a string is read as a number or a boolean if possible. TF.js's CPU backend runs the kernels in
        `cpu_kernels` ("*" for all). `app` is the user's JavaScript for `BrowserRuntime.prepare`. UsageError for a flag
        that TF.js does not have.
        """
        if id.engine != self.engine or id.kind not in BROWSER_KINDS:
            raise ValueError(f"A {self.engine} host cannot run {id}.")
        parsed = {name: proof.parse_flag(v) if isinstance(v, str) else v for name, v in (flags or {}).items()}
        proof.check_flags(parsed, self.harness.flags)
        return BrowserRuntime(self, id, artifact, parsed, cpu_kernels, app)

    async def browser(self, kind: str) -> Browser:
        """Return the running browser for a kind of runtime; start it again if it has ended."""
        return await asyncio.shield(self._browser_task(kind.endswith("webgpu")))

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
        # A browser that still starts is awaited, because Playwright removes the profile only of a running browser.
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
