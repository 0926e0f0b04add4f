"""One runtime: a backend of TF.js and a model in a new page, observed at every step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ... import protocol, tensors
from ...errors import (
    InputError,
    InputsFileError,
    PycheckError,
    RuntimeFailedError,
    RuntimeTimeoutError,
    RuntimeUnavailableError,
)
from ...protocol import FlagValue
from ...types import AppCode, AppFile, Array, ArtifactInfo, Prepared, PreparedFile, RuntimeId, Tensors
from ..base import Runtime
from ..launching.base import Browser, ConsoleLine
from . import proof
from .app import App
from .console import Console
from .preparing import PagePreparer
from .server import artifact_files
from .session import Session

if TYPE_CHECKING:
    from .host import BrowserHost

#: The number of parallel ranges of one upload; benchmarks/transfer.py found it best.
_UPLOAD_STREAMS = 4
#: The number of predictions after which the page's garbage is collected. V8 waits for tens of megabytes, so the memory
#: of a page would grow with the number of samples, although it keeps none of them.
COLLECT_EVERY = 32

#: The names of the inputs of an execution between points, and the names of its outputs.
PointJob = tuple[tuple[str, ...], tuple[str, ...]]

_Reply = TypeVar("_Reply", bound=protocol.Reply)


class BrowserRuntime(Runtime):
    """One backend of TF.js in a new page, with one model.

    `timings_s`, in seconds, has launch (waiting for the browser), page, backend, artifact (waiting for it), load,
    first_predict, predict (all of them, including the first), transfer_to_page and transfer_from_page. per_sample is
    the time for one sample in the fastest batch except the first, which compiles; it excludes transfers.
    """

    def __init__(
        self,
        host: BrowserHost,
        id: RuntimeId,
        artifact: Awaitable[ArtifactInfo] | None,
        flags: Mapping[str, FlagValue],
        cpu_kernels: Sequence[str] = (),
        app: Sequence[AppCode] = (),
    ) -> None:
        self.id = id
        self.timings_s: dict[str, float] = {}
        self.tensor_count: int | None = None  # the tensors of TF.js after the last step
        self._host = host
        self._artifact = artifact
        self._flags = {**flags, **proof.KINDS[id.kind][1]}
        self._cpu_kernels = () if id.kind == "cpu" else tuple(cpu_kernels)
        self._app = tuple(app)
        self._preparers: dict[AppCode, PagePreparer] = {}
        self._deciders: dict[AppCode, PagePreparer] = {}
        self._stack = AsyncExitStack()
        self._console = Console(id)
        self._predictions = 0
        self._ran_on_cpu = False

    async def start(self) -> None:
        """Open a page, start and check the backend, then wait for the artifact and load it."""
        if self._cpu_kernels and self.id.kind == "webgpu":
            raise RuntimeFailedError(
                f"{self.id}: --cpu-kernel is not supported on WebGPU, because TF.js cannot read WebGPU tensors "
                "synchronously.",
                "Remove --cpu-kernel or this runtime.",
            )
        async with self._step("launch", "waiting for the browser"):
            browser = await self._host.browser(self.id.kind)
        async with self._step("page", "opening a page"):
            hello = await self._open(browser)
        backend, _ = proof.KINDS[self.id.kind]
        starting = backend if self.id.is_litert else f"TF.js's {backend} backend"
        async with self._step("backend", f"starting {starting}"):
            command = protocol.Start(self._session.next_id(), backend, self._flags)  # type: ignore[arg-type]
            started = await self._request(command, protocol.Started)
            asked = proof.Asked(
                self.id,
                self._flags,
                browser.description,
                browser.sandbox,
                self._host.harness.flags,
                browser.renderer,
                browser.engine,
            )
            self.environment = proof.environment(asked, hello, started)
        self._begun = self.environment, dict(self.timings_s)
        if self._artifact is not None:
            await self._load(await self._wait_for_artifact(self._artifact))

    async def predict(self, inputs: Tensors, *, samples: int = 1, timed: bool = True) -> Tensors:
        """Compute outputs for `samples` samples of inputs, by the model's names; complex outputs become parts.

        float64 and int64 are converted to types of TF.js, which `environment.notes` then says. If it is not `timed`,
        per_sample stays as it is.
        """
        info = self._info
        wire = dict(self._convert(name, artifact_name, inputs) for name, artifact_name in info.input_names.items())
        # In a graph, two outputs may be one node; layers outputs are paired by position.
        wanted = info.outputs if info.format == "layers" else tuple(dict.fromkeys(info.outputs))
        outputs = await self._predict(wire, info.inputs, wanted, samples if timed else None)
        return {name: tensors.parts(outputs[artifact_name]) for name, artifact_name in info.output_names.items()}

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Compute points within the artifact from `feeds` alone; both by the artifact's names.

        The names are those of `ArtifactRuntime.run`. Feeds are float32, int32 or bool, or what `predict`
        converts to these. RuntimeFailedError: TF.js has no such point, needs more than is fed, or fails.
        """
        (values,) = await self.run_jobs(feeds, [(tuple(feeds), tuple(dict.fromkeys(fetches)))])
        if isinstance(values, PycheckError):
            raise values
        return {name: values[name] for name in fetches}

    async def run_jobs(
        self, feeds: Mapping[str, Array], jobs: Sequence[PointJob]
    ) -> list[dict[str, Array] | RuntimeFailedError | InputError]:
        """Run many executions in one message; return for each its values or its error, which does not affect others.

        A job consists of the names of its inputs, from `feeds`, and of its outputs, as in `run`. InputError is for
        values that TF.js cannot hold.
        """
        wire, refused = self._convert_all(feeds)
        results: list[dict[str, Array] | RuntimeFailedError | InputError] = [
            next((refused[name] for name in inputs if name in refused), {}) for inputs, _ in jobs
        ]
        numbers = [number for number, result in enumerate(results) if isinstance(result, dict)]
        session = self._session
        async with self._step("predict", "running operations"):
            command = protocol.Run(
                id=session.next_id(),
                jobs=tuple(protocol.Job(*jobs[number]) for number in numbers),
                inputs_url=session.offer_inputs(tensors.encode(wire)),
                outputs_url=session.expect_outputs(),
                upload_streams=_UPLOAD_STREAMS,
            )
            ran = await self._ran(command)
            outputs = tensors.decode(session.take_outputs())
        failed = {failure.job: self._explained(RuntimeFailedError(failure.message)) for failure in ran.failed}
        for sent, number in enumerate(numbers):
            results[number] = failed.get(sent) or {name: outputs[f"{sent}/{name}"] for name in jobs[number][1]}
        return results

    async def hold(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> None:
        """Run once and keep the values in the page for `take`; earlier ones are disposed.

        RuntimeFailedError as in `run`.
        """
        wire = dict(self._convert(name, name, feeds) for name in feeds)
        session = self._session
        async with self._step("predict", "running the model"):
            command = protocol.Run(
                id=session.next_id(),
                jobs=(protocol.Job(tuple(feeds), tuple(dict.fromkeys(fetches))),),
                inputs_url=session.offer_inputs(tensors.encode(wire)),
                outputs_url=None,
                upload_streams=_UPLOAD_STREAMS,
            )
            for failure in (await self._ran(command)).failed:
                raise self._explained(RuntimeFailedError(failure.message))

    async def take(self, names: Sequence[str]) -> dict[str, Array]:
        """Return values that `hold` kept, each once."""
        session = self._session
        async with self._step("predict", "fetching values"):
            command = protocol.Take(
                id=session.next_id(),
                names=tuple(names),
                outputs_url=session.expect_outputs(),
                upload_streams=_UPLOAD_STREAMS,
            )
            await self._ran(command)
            return tensors.decode(session.take_outputs())

    async def prepare(
        self, code: AppCode, files: Sequence[Path | AppFile], names: Sequence[str], *, file_timeout_s: float = 30.0
    ) -> Prepared:
        """Make one sample of each file with the user's JavaScript, which the runtime was made with.

        `names` are the inputs that it returns. One tensor belongs to the only name; the keys of an object must be the
        names. All samples have the shape and dtype of the first one that this runtime made with the code; a file with
        different ones has failed, as has one without a result after `file_timeout_s` seconds, at most a quarter of the
        step's timeout. If the code blocks the page, the page is opened again. The page keeps no file and no sample, so
        for a flat memory here, too, give some files at a time.

        TF.js has the backend of the runtime; beside LiteRT.js it is the CPU. AppCodeError: the module does not load, or
        has no such function. RuntimeTimeoutError: three files in sequence timed out.
        """
        preparer = self._preparers.setdefault(code, PagePreparer(self, code))
        return await preparer.prepare(files, names, min(file_timeout_s, self._host.timeout_s / 4))

    async def decide(
        self, code: AppCode, outputs: Sequence[AppFile], names: Sequence[str], *, file_timeout_s: float = 30.0
    ) -> tuple[PreparedFile, ...]:
        """Make a decision of the outputs of each sample with the user's JavaScript, as `prepare` makes samples.

        The content of a file is a safetensors file with outputs that TF.js can hold, by `names`.
        """
        preparer = self._deciders.setdefault(code, PagePreparer(self, code, "decision"))
        return (await preparer.prepare(outputs, names, min(file_timeout_s, self._host.timeout_s / 4))).files

    async def exchange(
        self, step: str, doing: str, make: Callable[[Session], protocol.Command], wanted: type[_Reply]
    ) -> tuple[_Reply, dict[str, Array]]:
        """Send a command that returns tensors; return its reply and the tensors. RuntimeFailedError as in `run`."""
        async with self._step(step, doing):
            reply = await self._request(make(self._session), wanted)
            return reply, tensors.decode(self._session.take_outputs())

    async def load(self, artifact: ArtifactInfo) -> None:
        """Load a different artifact into this page; the present one is disposed."""
        await self._load(artifact)

    def renew(self) -> None:
        """Forget what a run has measured and noted, so that the page serves another one, which begins with `load`."""
        self.environment, self.timings_s = self._begun[0], dict(self._begun[1])

    async def reload(self) -> None:
        """Load the present artifact again, as a page does that starts anew with the same backend."""
        await self._load(self._info)

    async def run_part(self, part: ArtifactInfo, inputs: Tensors) -> tuple[Tensors, bool]:
        """Load a part of a .tflite file and run it; return its outputs, and whether the CPU ran it instead of the GPU.

        The names are those of the part. Neither the environment nor the time of a sample is that of the artifact.
        """
        environment, times = self.environment, dict(self.timings_s)
        try:
            await self._load(part, may_use_cpu=True)
            outputs = await self.predict(inputs)
            return outputs, self._ran_on_cpu
        finally:
            self.environment, self.timings_s = environment, times

    async def _ran(self, command: protocol.Run | protocol.Take) -> protocol.Ran:
        ran = await self._request(command, protocol.Ran)
        self._count("transfer_to_page", ran.download_s)
        self._count("transfer_from_page", ran.upload_s)
        self.tensor_count = ran.tensor_count
        return ran

    @property
    def is_alive(self) -> bool:
        """Tell whether the page can run again after an error."""
        return self._session.is_alive

    async def _predict(
        self, wire: Mapping[str, Array], inputs: tuple[str, ...], wanted: tuple[str, ...], samples: int | None
    ) -> dict[str, Array]:
        first = "first_predict" not in self.timings_s
        started = time.perf_counter()
        async with self._step("predict", "predicting"):
            session = self._session
            command = protocol.Predict(
                id=session.next_id(),
                inputs=inputs,
                outputs=wanted,
                inputs_url=session.offer_inputs(tensors.encode(wire)),
                outputs_url=session.expect_outputs(),
                upload_streams=_UPLOAD_STREAMS,
            )
            predicted = await self._request(command, protocol.Predicted)
            outputs = tensors.decode(session.take_outputs())
        took = time.perf_counter() - started
        self._predictions += 1
        if self._predictions % COLLECT_EVERY == 0:
            async with self._step("predict", "collecting garbage"):
                await self._page.collect_garbage()
        if samples and not first:
            per_sample = max(0.0, took - predicted.download_s - predicted.upload_s) / samples
            self.timings_s["per_sample"] = min(per_sample, self.timings_s.get("per_sample", per_sample))
        self._ran_on_cpu = predicted.ran_on_cpu
        self.environment = replace(self.environment, cpu_kernels=predicted.cpu_kernels)
        if first:
            self.timings_s["first_predict"] = took
            if predicted.method == "executeAsync":
                self.note(
                    "run with executeAsync, because the graph has control flow, lookup tables or shapes that depend on "
                    "values"
                )
        self._count("transfer_to_page", predicted.download_s)
        self._count("transfer_from_page", predicted.upload_s)
        self.tensor_count = predicted.tensor_count
        return outputs

    async def close(self) -> None:
        """Close the page and free everything in it."""
        if isinstance(self._artifact, Coroutine):
            self._artifact.close()  # never awaited if the start failed first
        await self._stack.aclose()

    async def _open(self, browser: Browser) -> protocol.Hello:
        session = await self._stack.enter_async_context(self._host.session())
        self._session = session
        session.app = await asyncio.to_thread(App, self._app) if self._app else None
        self._page = await browser.open_page(session, self._on_console)
        self._stack.push_async_callback(self._page.close)
        hello = await session.hello()
        if hello.protocol_version != protocol.PROTOCOL_VERSION:
            raise RuntimeFailedError(
                f"The page has protocol version {hello.protocol_version}, and pycheck has {protocol.PROTOCOL_VERSION}.",
                "Rebuild the page: npm run build",
            )
        if session.isolated and not hello.is_isolated:
            raise RuntimeUnavailableError("The page is not cross-origin isolated.", proof.isolation_advice(self.id))
        return hello

    async def _wait_for_artifact(self, artifact: Awaitable[ArtifactInfo]) -> ArtifactInfo:
        """Return the artifact, which has no time limit here, or raise the failure of the page in the meantime."""
        started = time.perf_counter()
        self._artifact = making = asyncio.ensure_future(artifact)
        failing = asyncio.ensure_future(self._session.failed())
        try:
            await asyncio.wait({making, failing}, return_when=asyncio.FIRST_COMPLETED)
            if not making.done():
                try:
                    await failing
                except RuntimeFailedError as error:
                    raise self._explained(error) from None
            return await asyncio.shield(making)
        finally:
            failing.cancel()
            self.timings_s["artifact"] = time.perf_counter() - started

    async def _load(self, info: ArtifactInfo, *, may_use_cpu: bool = False) -> None:
        self._info = info
        async with self._step("load", f"loading {info.folder / info.model_file}"):
            self._session.artifact = await asyncio.to_thread(artifact_files, info.folder, info.model_file, info.format)
            command = protocol.Load(
                self._session.next_id(),
                info.format,  # type: ignore[arg-type]
                "artifact/model.tflite" if info.format == "tflite" else "artifact/model.json",
                self._cpu_kernels,
                may_use_cpu,
            )
            loaded = await self._request(command, protocol.Loaded)
            self.tensor_count = loaded.tensor_count
            self.environment = replace(self.environment, left_to_cpu=loaded.left_to_cpu)
            if loaded.on_cpu:
                self.note(f"{loaded.on_gpu} operations on the GPU, {loaded.on_cpu} on the CPU")

    def _convert_all(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, InputError]]:
        """Convert the inputs to types of TF.js; for those that it cannot hold, return the error."""
        wire: dict[str, Array] = {}
        refused: dict[str, InputError] = {}
        for name in feeds:
            try:
                wire |= dict([self._convert(name, name, feeds)])
            except InputError as error:
                refused[name] = error
        return wire, refused

    def _convert(self, name: str, artifact_name: str, inputs: Tensors) -> tuple[str, Array]:
        if name not in inputs:
            raise InputsFileError(f"The input {name!r} is missing. Given are: {', '.join(inputs) or 'none'}.")
        array, note = tensors.to_tfjs(name, inputs[name], self.id.library)
        if note:
            self.note(note)
        return artifact_name, array

    def note(self, note: str) -> None:
        """Add a note about this run to `environment`, once."""
        if note not in self.environment.notes:
            self.environment = replace(self.environment, notes=(*self.environment.notes, note))

    def _count(self, name: str, seconds: float) -> None:
        self.timings_s[name] = self.timings_s.get(name, 0.0) + seconds

    async def _request(self, command: protocol.Command, wanted: type[_Reply]) -> _Reply:
        reply = await self._session.request(command)
        if isinstance(reply, protocol.Failed):
            raise proof.failure(self.id, reply)
        if not isinstance(reply, wanted):
            raise RuntimeFailedError(f"The page answered {command.type} with {reply.type}.")
        return reply

    @asynccontextmanager
    async def _step(self, name: str, doing: str) -> AsyncIterator[None]:
        """Measure and bound a step, and convert any failure to an error that names this runtime."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._host.timeout_s):
                yield
        except TimeoutError:
            raise RuntimeTimeoutError(
                f"{self.id}: no answer within {self._host.timeout_s:g} s while {doing}{self._console.said()}.",
                "Set a longer --timeout, or a smaller --batch-size.",
            ) from None
        except RuntimeFailedError as error:
            raise self._explained(error) from None
        finally:
            self._count(name, time.perf_counter() - started)

    def _explained(self, error: RuntimeFailedError) -> RuntimeFailedError:
        if error.message.startswith(str(self.id)):
            return error
        said = "" if "the browser said" in error.message else self._console.said()
        message = f"{error.message.removesuffix('.')}{said}." if said else error.message
        return type(error)(f"{self.id}: {message}", error.advice)

    def _on_console(self, line: ConsoleLine) -> None:
        if failure := self._console.add(line):
            self._session.fail(failure)
