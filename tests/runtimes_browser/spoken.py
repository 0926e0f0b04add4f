"""A page that is a coroutine: it speaks the protocol over the same server and socket, and computes with NumPy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import numpy as np
import safetensors.numpy

from pycheck.protocol import PROTOCOL_VERSION
from pycheck.runtimes.browser.session import Session
from pycheck.runtimes.launching.base import Browser, Launcher, LaunchOptions, Listener, Page

from .artifacts import dense_expected

Reply = dict[str, Any]
#: Answers one command in the place of what follows; None says nothing, so that the page hangs.
Answer = Callable[[Reply], Reply | None]


class SpokenPage(Page):
    """Dense and relu, as `artifacts` writes them; `answers` are by the type of a command."""

    def __init__(self, session: Session, answers: dict[str, Answer]) -> None:
        self._url = session.url
        self._answers = answers
        self._held: dict[str, Any] = {}
        self._speaking = asyncio.create_task(self._speak())

    async def close(self) -> None:
        self._speaking.cancel()
        with suppress(asyncio.CancelledError):
            await self._speaking

    async def _speak(self) -> None:
        origin = "/".join(self._url.split("/")[:3])
        self._client = aiohttp.ClientSession(headers={"Origin": origin})
        async with self._client, self._client.ws_connect(f"{self._url}control") as socket:
            hello = {
                "type": "hello",
                "protocol_version": PROTOCOL_VERSION,
                "user_agent": "spoken",
                "is_isolated": False,
            }
            await socket.send_json(self._answers.get("hello", lambda it: it)(hello))
            async for message in socket:
                command = json.loads(message.data)
                answer = self._answers.get(command["type"])
                reply = answer(command) if answer else await self._made(command)
                if reply is not None:
                    await socket.send_json({"id": command["id"], **reply})

    async def _made(self, command: Reply) -> Reply:
        answer: Callable[[Reply], Awaitable[Reply]] = getattr(self, f"_{command['type']}")
        names = {"start": "started", "load": "loaded", "predict": "predicted", "prepare": "prepared"}
        return {"type": names.get(command["type"], "ran"), **await answer(command)}

    async def _start(self, command: Reply) -> Reply:
        bits = [int(np.float32(number).view(np.uint32)) for number in (2049, 16777215)]
        probes = {"significand": bits, "denormals_float32": [1, 1], "denormals_float16": [1, 1]}
        return {
            "library": "tfjs 4.22.0", "backend": command["backend"], "renderer": None, "software_renderer": None,
            "epsilon": 1e-7, "flags": command["flags"], "flags_default": {}, "flags_unknown": [], "wasm_threads": None,
            "wasm_simd": "without SIMD",
            "probes": {**probes, "limits_float16": bits}, "notes": [],
        }  # fmt: skip

    async def _load(self, command: Reply) -> Reply:
        async with self._client.get(self._url + command["url"]) as response:
            document = json.loads(await response.text())
        for name in document["weightsManifest"][0]["paths"]:
            async with self._client.get(f"{self._url}artifact/{name}") as response:
                assert response.status == 200
        return {"inputs": [], "outputs": [], "tensor_count": 2}

    async def _predict(self, command: Reply) -> Reply:
        given = await self._fetched(command["inputs_url"])
        value = dense_expected(given[command["inputs"][0]])
        await self._send(command["outputs_url"], dict.fromkeys(command["outputs"], value))
        return {"method": "execute", **self._times()}

    async def _run(self, command: Reply) -> Reply:
        given = await self._fetched(command["inputs_url"])
        made: dict[str, Any] = {}
        failed = []
        for number, job in enumerate(command["jobs"]):
            if "nowhere" in job["outputs"]:
                failed.append({"job": number, "message": "no such node"})
                continue
            value = dense_expected(given[job["inputs"][0]])
            made |= {name if command["outputs_url"] is None else f"{number}/{name}": value for name in job["outputs"]}
        if command["outputs_url"] is None:
            self._held = made
        else:
            await self._send(command["outputs_url"], made)
        return {"failed": failed, **self._times()}

    async def _take(self, command: Reply) -> Reply:
        await self._send(command["outputs_url"], {name: self._held.pop(name) for name in command["names"]})
        return {"failed": [], **self._times()}

    async def _prepare(self, command: Reply) -> Reply:
        """Of each text file its length, as many times as it says; at most two files a message.

        A decision is the text of the file.
        """
        results, values = [], {}
        decides = command["makes"] == "decision"
        for number, file in enumerate(command["files"][:2]):
            async with self._client.get(self._url + file["url"]) as response:
                text = await response.text()
            bad = text == "bad"
            results.append(
                {
                    "failure": "threw" if bad else None, "message": text, "leaked_tensors": len(text), "compute_s": 0.5,
                    "decision": text if decides and not bad else None,
                }
            )  # fmt: skip
            if not bad and not decides:
                values |= {f"{number}/{name}": np.full(int(text), len(text), np.float32) for name in command["names"]}
        await self._send(command["outputs_url"], values)
        return {
            "files": results, "backend": "cpu", "requested": [],
            "download_s": 0.25, "upload_s": 0.125, "tensor_count": 2,
        }  # fmt: skip

    def _times(self) -> Reply:
        return {"download_s": 0.25, "compute_s": 0.5, "upload_s": 0.125, "tensor_count": 2}

    async def _fetched(self, url: str) -> dict[str, Any]:
        async with self._client.get(self._url + url) as response:
            return dict(safetensors.numpy.load(await response.read()))

    async def _send(self, url: str, values: dict[str, Any]) -> None:
        data = safetensors.numpy.save(values)
        half = len(data) // 2
        for start, part in ((half, data[half:]), (0, data[:half])):
            address = f"{self._url}{url}?offset={start}&total={len(data)}"
            async with self._client.post(address, data=part) as response:
                assert response.status < 300, await response.text()


class SpokenBrowser(Browser):
    """Opens such pages."""

    version = "1"
    description = "a coroutine"
    pages = 0

    def __init__(self, answers: dict[str, Answer]) -> None:
        self._answers = answers
        self._alive = True

    @property
    def is_alive(self) -> bool:
        return self._alive

    async def open_page(self, session: Session, said: Listener) -> Page:
        self.pages += 1
        return SpokenPage(session, self._answers)

    async def close(self) -> None:
        self._alive = False


class SpokenLauncher(Launcher):
    """Starts such browsers, which `browsers` lists."""

    name = "spoken"

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.browsers: list[SpokenBrowser] = []

    async def launch(self, options: LaunchOptions) -> Browser:
        self.browsers.append(SpokenBrowser(self.answers))
        return self.browsers[-1]
