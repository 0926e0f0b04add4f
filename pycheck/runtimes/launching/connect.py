"""Connects to a running browser, here or on a different machine, through a Playwright server or a DevTools address."""

from __future__ import annotations

import re
from typing import Any

from ...errors import RuntimeTimeoutError, RuntimeUnavailableError
from .base import NAMES, Browser, Launcher, LaunchOptions, describe
from .driven import Driver, PlaywrightBrowser

#: Addresses of Chromium's own protocol: HTTP, which returns the WebSocket's address, or the WebSocket itself.
_DEVTOOLS = re.compile(r"^https?://|^wss?://[^/]+/devtools/")


class ConnectLauncher(Launcher):
    """Connects to an address, and starts nothing."""

    name = "connected"

    def __init__(self, engine: str, address: str) -> None:
        self._engine = engine
        self._address = address
        self._driver = Driver()
        if self._is_devtools and engine != "chromium":
            raise RuntimeUnavailableError(
                f"{NAMES[engine]} does not support DevTools addresses such as {address}.",
                "Start a Playwright server (playwright run-server), and give its ws:// address.",
            )

    async def launch(self, options: LaunchOptions) -> Browser:
        """Connect. A Playwright server's browser reaches pycheck's server through that connection, on any machine."""
        from playwright.async_api import Error, TimeoutError

        kind = getattr(await self._driver.get(), self._engine)
        timeout = options.timeout_s * 1000
        try:
            handle: Any
            if self._is_devtools:
                handle = await kind.connect_over_cdp(self._address, timeout=timeout)
            else:
                handle = await kind.connect(self._address, timeout=timeout, expose_network="<loopback>")
        except TimeoutError:
            raise RuntimeTimeoutError(
                f"The browser at {self._address} did not answer within {options.timeout_s:g} s.", self._advice
            ) from None
        except Error as error:
            said = "; ".join(dict.fromkeys(line.strip() for line in error.message.splitlines() if line.strip()))[:500]
            raise RuntimeUnavailableError(
                f"Cannot connect to a browser at {self._address}: {said}", self._advice
            ) from None
        browser = PlaywrightBrowser(handle)
        browser.source = self._address
        way = "over DevTools" if self._is_devtools else "to a Playwright server"
        browser.description = describe(NAMES[self._engine], browser.version, "remote", f"{self.name} {way}")
        return browser

    async def close(self) -> None:
        """Disconnect."""
        await self._driver.close()

    @property
    def _is_devtools(self) -> bool:
        return bool(_DEVTOOLS.match(self._address))

    @property
    def _advice(self) -> str:
        return (
            f"Check --connect {self._engine}=ADDRESS. A DevTools address is that of --remote-debugging-port, on this "
            "machine. "
            "A Playwright server must have the version of the Playwright here."
        )
