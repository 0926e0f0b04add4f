"""Computes the results in Python that candidates are compared with, batch by batch."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from ..artifact.content import artifact_digest
from ..errors import InputError, RuntimeFailedError
from ..inputs import Inputs
from ..runtimes.base import Runtime
from ..system.cache import Cache, content_key
from ..system.memory import give_back
from ..types import (
    ArtifactInfo,
    Batch,
    Environment,
    OutOfRangeCast,
    ReferenceCheck,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Tensors,
)
from .casts import out_of_range_casts
from .lazy_model import Source
from .reference_check import check_failure, check_reference, told
from .store import OutputStore

T = TypeVar("T")

_ENVIRONMENTS = TypeAdapter(dict[str, Environment])
_CHECK = TypeAdapter(ReferenceCheck | None)
_CASTS = TypeAdapter(tuple[OutOfRangeCast, ...])


@dataclass(frozen=True, slots=True)
class ReferenceBatch:
    """TensorFlow's results for one batch. `size` is in float64 if that runs, else in float32."""

    size: Tensors
    classes: Tensors


class References:
    """Computes the model in Python, in float32 and float64, once, keeps the results on disk, and returns them by batch.

    At most one batch is in memory at a time, for any number of samples. The results of the first batch are compared
    with the user's own predict; `check` is the result. `casts` are numbers that an integer type cannot hold.
    """

    def __init__(
        self,
        source: Source,
        runtimes: tuple[RuntimeId, RuntimeId],
        inputs: Inputs,
        batch_size: int,
        cache: Cache,
        executor: Executor,
        advance: Callable[[RuntimeId, int], None],
    ) -> None:
        self._source = source
        self.class_runtime, self._double_runtime = runtimes
        self._inputs = inputs
        self._batch_size = batch_size
        self.cache = cache
        self._executor = executor
        self._advance = advance
        count = -(-inputs.sample_count // batch_size)
        loop = asyncio.get_running_loop()
        self._ready: list[asyncio.Future[None]] = [loop.create_future() for _ in range(count)]
        self._closed: asyncio.Future[None] = loop.create_future()  # both runtimes are closed
        self._store: OutputStore | None = None
        self._moving = threading.Lock()  # locked while the store moves into the cache
        self.records: dict[RuntimeId, RuntimeRecord] = {}
        self.check: ReferenceCheck | None = None
        self.casts: tuple[OutOfRangeCast, ...] = ()

    async def cache_key(self, artifact: ArtifactInfo | None = None, *parts: object) -> str | None:
        """Return the cache key of these results; None if they have none.

        With an artifact, that of what it gives on the same inputs, with `parts` (JSON-ready) that decide on it too.
        """
        key = await self._source.cache_key()
        if key is None:
            return None
        key = content_key(key, self._inputs.info.sha256, self._inputs.sample_count, self._batch_size)
        if artifact is None:
            return key
        try:
            return content_key(key, await asyncio.to_thread(artifact_digest, artifact), *parts)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None  # running the artifact says what is damaged

    async def are_kept(self) -> bool:
        """Tell whether these results are in the cache."""
        key = await self.cache_key()
        return key is not None and self.cache.find("native", key) is not None

    @property
    def size_runtime(self) -> RuntimeId:
        """Return the runtime that errors are measured against."""
        record = self.records.get(self._double_runtime)
        failed = record is not None and record.status is not RuntimeStatus.OK
        return self.class_runtime if failed else self._double_runtime

    async def compute(self) -> None:
        """Compute every batch, unless that is done; RuntimeFailedError if float32 itself fails."""
        if all(future.done() for future in self._ready):
            return
        try:
            key = await self.cache_key()
            if not (key and self.cache.read("native", key, self._taken)):
                await self._run(key)
                await asyncio.get_running_loop().run_in_executor(self._executor, give_back)
            self._closed.set_result(None)
        except BaseException as error:
            for future in (*self._ready, self._closed):
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
                    future.exception() if not future.cancelled() else None  # marks it as retrieved
            raise

    async def done(self) -> None:
        """Wait for the last batch, and until the runtimes have freed their memory."""
        await asyncio.shield(self._closed)

    def again(self, at_least: int = 1) -> Iterator[Batch]:
        """Yield the inputs from the beginning, in the same batches unless these are smaller than `at_least`."""
        return self._inputs.batches(max(self._batch_size, at_least))

    async def batch(self, index: int) -> ReferenceBatch:
        """Return one batch as soon as both native runtimes have computed it."""
        await asyncio.shield(self._ready[index])
        classes = await asyncio.to_thread(self._read, self.class_runtime, index)
        if self.size_runtime == self.class_runtime:
            return ReferenceBatch(classes, classes)
        return ReferenceBatch(await asyncio.to_thread(self._read, self._double_runtime, index), classes)

    def _read(self, runtime: RuntimeId, index: int) -> Tensors:
        assert self._store is not None
        try:
            return self._store.read(runtime, index)
        except InputError:  # the computing thread may have just moved it
            with self._moving:
                return self._store.read(runtime, index)

    def _taken(self, entry: Path) -> bool:
        """Read all results from the cache. ValueError for an entry that cannot be read; then nothing was read."""
        environments = _ENVIRONMENTS.validate_json((entry / "environments.json").read_bytes())
        self.check = _CHECK.validate_json((entry / "reference_check.json").read_bytes())
        self.casts = _CASTS.validate_json((entry / "casts.json").read_bytes())
        self._store = OutputStore(entry)
        for runtime in dict.fromkeys((self.class_runtime, self._double_runtime)):
            self.records[runtime] = RuntimeRecord(
                runtime, RuntimeStatus.OK, environments[str(runtime)], {"from_cache": 0.0}
            )
            self._advance(runtime, self._inputs.sample_count)
        for future in self._ready:
            future.set_result(None)
        return True

    async def _run(self, key: str | None) -> None:
        pending = self.cache.reserve("native", key)
        self._store = OutputStore(pending.folder)
        await self._source.tensorflow()
        async with AsyncExitStack() as stack:
            runtimes: list[Runtime] = []
            for batch in self._inputs.batches(self._batch_size):
                if batch.index == 0:
                    runtimes = await self._first(stack, batch)
                else:
                    for runtime in runtimes:
                        await self._predict(runtime, batch)
                for runtime in runtimes:
                    self._advance(runtime.id, batch.size)
                self._ready[batch.index].set_result(None)
            for runtime in runtimes:
                self.records[runtime.id] = _record(runtime, self.check)
        if key and len(runtimes) == len({self.class_runtime, self._double_runtime}):
            (pending.folder / "reference_check.json").write_bytes(_CHECK.dump_json(self.check))
            (pending.folder / "casts.json").write_bytes(_CASTS.dump_json(self.casts))
            environments = {str(r): record.environment for r, record in self.records.items() if record.environment}
            (pending.folder / "environments.json").write_bytes(_ENVIRONMENTS.dump_json(environments))
            with self._moving:
                self._store.folder = pending.publish()

    async def _first(self, stack: AsyncExitStack, batch: Batch) -> list[Runtime]:
        """Return the runtimes that run, after the first batch, and results that agree with the user's predict.

        If the function that was traced with free sizes does not agree, it is traced again with the sizes of each
        batch.
        """
        try:
            runtimes = await self._start(stack, batch)
        except RuntimeFailedError:
            self.check = await self._in_thread(check_failure, batch)
            if self.check is None:
                raise
        else:
            self.casts = await self._in_thread(out_of_range_casts, batch) or ()
            self.check = await self._in_thread(check_reference, batch, *self._outputs(runtimes, batch), self.casts)
        if self.check and self.check.outcome == "retraced":
            runtimes = await self._start(stack, batch, in_shapes=True)
        return runtimes

    async def _in_thread(self, check: Callable[..., T | None], batch: Batch, *known: Any) -> T | None:
        if self.class_runtime.engine != "native":
            return None
        model = await self._source.model()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, check, model, batch.tensors, *known)
        finally:
            await loop.run_in_executor(self._executor, give_back)

    def _outputs(self, runtimes: Sequence[Runtime], batch: Batch) -> tuple[Tensors, Tensors]:
        """Return the results in float64, or float32 without it, and those in float32."""
        single, double = (self._read(runtime.id, batch.index) for runtime in (runtimes[0], runtimes[-1]))
        return double, single

    async def _start(self, stack: AsyncExitStack, batch: Batch, *, in_shapes: bool = False) -> list[Runtime]:
        single = await stack.enter_async_context(self._source.runtime(self.class_runtime, in_shapes=in_shapes))
        await self._predict(single, batch)
        self.records.pop(self._double_runtime, None)
        if self._double_runtime == self.class_runtime:  # there is no float64
            return [single]
        double = await self._first_double(stack, batch, in_shapes)
        return [single, double] if double else [single]

    async def _first_double(self, stack: AsyncExitStack, batch: Batch, in_shapes: bool) -> Runtime | None:
        """Decide on the first batch whether float64 runs, so that all batches have the same reference."""
        try:
            double = await stack.enter_async_context(self._source.runtime(self._double_runtime, in_shapes=in_shapes))
            await self._predict(double, batch)
        except RuntimeFailedError as error:
            failed = self._double_runtime
            self.records[failed] = RuntimeRecord(failed, RuntimeStatus.FAILED, None, {}, str(error))
            return None
        return double

    async def _predict(self, runtime: Runtime, batch: Batch) -> None:
        assert self._store is not None
        outputs = await runtime.predict(batch.tensors)
        await asyncio.to_thread(self._store.write, runtime.id, batch.index, outputs)


def _record(runtime: Runtime, check: ReferenceCheck | None) -> RuntimeRecord:
    environment = runtime.environment
    if check and runtime.id.kind == "float32":
        environment = replace(environment, notes=(*environment.notes, told(check)))
    return RuntimeRecord(runtime.id, RuntimeStatus.OK, environment, dict(runtime.timings_s))
