"""A device on which a person has opened pycheck's page, lent by the process that listens for devices."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from urllib.parse import urlsplit

import aiohttp
from aiohttp import WSMsgType

from ...errors import RuntimeFailedError, RuntimeUnavailableError
from ..browser.session import Session
from ..devices import DeviceInfo, connected
from ..devices import link as links
from ..devices.naming import system
from .base import NAMES, Browser, Launcher, LaunchOptions, Listener, Page, describe
from .window import identify

_AWAKE = "Keep its page open and its screen on. If it does not reconnect, open the address again."


class DeviceLauncher(Launcher):
    """Finds the device, whose browser the person has started."""

    name = "opened by hand"

    def __init__(self, name: str) -> None:
        self._device = name

    async def launch(self, options: LaunchOptions) -> Browser:
        """Return the device's browser; RuntimeUnavailableError if nothing listens, or the device is not connected."""
        try:
            devices = await connected()
        except RuntimeUnavailableError as error:
            raise RuntimeUnavailableError(
                f"The device {self._device} is not available: {error.message}", error.advice
            ) from None
        for device in devices:
            if device.name == self._device:
                return DeviceBrowser(device)
        others = ", ".join(device.name for device in devices)
        raise RuntimeUnavailableError(
            f"The device {self._device} is not connected. Connected are: {others or 'none'}.",
            f"Run pycheck devices --listen --name {self._device}, and open its address on the device.",
        )


class DeviceBrowser(Browser):
    """A device, while its page stays open."""

    def __init__(self, device: DeviceInfo) -> None:
        self._name = device.name
        self.engine, self.version = identify(device.user_agent)
        product = NAMES.get(self.engine, "unknown browser")
        on = f" on {found}" if (found := system(device.user_agent)) else ""
        self.description = describe(product, f"{self.version}{on}", f"device {device.name}", DeviceLauncher.name)
        self._is_there = True

    @property
    def is_alive(self) -> bool:
        """Return True until the device is lost; then the next launch looks for it again."""
        return self._is_there

    async def open_page(self, session: Session, said: Listener) -> Page:
        """Make the device open the session's page."""
        link = links.read()
        if link is None:
            self._is_there = False
            raise self._unavailable()
        stack = AsyncExitStack()
        try:
            client = await stack.enter_async_context(links.opened(link))
            lent = await stack.enter_async_context(client.ws_connect(link.url("lend")))
            address = urlsplit(session.url)
            asked = {"device": self._name, "origin": f"{address.scheme}://{address.netloc}", "token": session.token}
            await lent.send_json(asked)
        except (aiohttp.ClientError, OSError):
            await stack.aclose()
            self._is_there = False
            raise self._unavailable() from None
        except BaseException:
            await stack.aclose()
            raise
        watching = asyncio.ensure_future(self._watch(lent, session))
        return DevicePage(stack, lent, watching)

    async def close(self) -> None:
        """Do nothing, because nothing was started."""

    async def _watch(self, lent: aiohttp.ClientWebSocketResponse, session: Session) -> None:
        """Report the loss of the device to the session."""
        message = await lent.receive()
        self._is_there = False
        if message.type is WSMsgType.CLOSE and message.extra == "lost":
            why = "its page was closed, its screen was off, or it lost the network"
            session.fail(RuntimeFailedError(f"The device {self._name} disconnected: {why}.", _AWAKE))
        elif message.type is WSMsgType.CLOSE and message.extra == "absent":
            session.fail(
                RuntimeFailedError(f"The device {self._name} disconnected before its page was opened.", _AWAKE)
            )
        else:
            session.fail(self._unavailable())

    def _unavailable(self) -> RuntimeFailedError:
        return RuntimeFailedError(
            f"The device {self._name} disconnected: pycheck devices --listen has ended.", links.LISTEN
        )


class DevicePage(Page):
    """A page of a run on a device."""

    def __init__(
        self, stack: AsyncExitStack, lent: aiohttp.ClientWebSocketResponse, watching: asyncio.Future[None]
    ) -> None:
        self._stack = stack
        self._lent = lent
        self._watching = watching

    async def close(self) -> None:
        """Give the device back."""
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        with suppress(aiohttp.ClientError, OSError):
            await self._lent.close()
        await self._stack.aclose()
