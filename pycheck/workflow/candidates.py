"""Runs the candidates of a run: each runtime answers batch by batch, and what it answers is measured as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import ConversionError, RuntimeFailedError, UnsupportedModelError
from ..inputs import Inputs
from ..runtimes.base import status_of
from ..types import (
    ArtifactInfo,
    Batch,
    ChangedAnswer,
    Environment,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Signature,
    Tensors,
)
from .answers import Answers, AnswersInMaking, KeptAnswers
from .batching import litert_shapes
from .brought import Brought
from .evaluation import Measurements
from .references import References
from .repeating import ANSWERS, Predicted, changed_answers
from .setting import Setting
from .store import OutputStore

if TYPE_CHECKING:
    from ..runtimes.browser.page import BrowserRuntime


@dataclass(frozen=True, slots=True)
class Ground:
    """What all candidates of a run have in common.

    `artifacts` are those of TF.js and of LiteRT.js, by whether a runtime is of LiteRT.js; they may not exist yet.
    `keep` keeps the raw outputs. Without `references` nothing is measured.
    """

    inputs: Inputs
    batch_size: int
    references: References | None
    measured: Measurements
    artifacts: Mapping[bool, asyncio.Future[ArtifactInfo]]
    keep: OutputStore | None

    @property
    def signature(self) -> Signature:
        """Return the model's signature."""
        return self.measured.signature


class Candidates:
    """The candidates of one run. With `keeps_open` their pages stay open, until `close`.

    `answers` are those of earlier runs, and `brought` candidates that ran elsewhere in this one. Without `repeats` no
    candidate predicts its first batch again.
    """

    def __init__(
        self,
        setting: Setting,
        answers: Answers | None = None,
        *,
        brought: Mapping[RuntimeId, Brought] | None = None,
        keeps_open: bool = False,
        repeats: bool = True,
    ) -> None:
        self.records: dict[RuntimeId, RuntimeRecord] = {}
        self.environments: dict[RuntimeId, Environment] = {}
        self.changed: dict[RuntimeId, tuple[ChangedAnswer, ...]] = {}
        self.pages: dict[RuntimeId, BrowserRuntime] = {}  # that stayed open
        self.known: dict[RuntimeId, KeptAnswers] = {}
        self._checked: dict[RuntimeId, KeptAnswers] = {}  # runs although its answers are known
        self._unlike: dict[RuntimeId, dict[str, ChangedAnswer]] = {}  # what then differs, by output
        self._setting = setting
        self._answers = answers
        self._brought = brought or {}
        self._keeps_open = keeps_open
        self._repeats = repeats
        self._stack = AsyncExitStack()

    @property
    def are_running(self) -> bool:
        """Tell whether a candidate has not ended."""
        return len(self.records) < len(self._setting.options.runtimes)

    async def close(self) -> None:
        """Close the pages that stayed open."""
        await self._stack.aclose()

    async def find_answers(
        self, signature: Signature, inputs: Inputs, batch_size: int, *, only: RuntimeId | None = None
    ) -> None:
        """Find those that need not run, of all or of one. What is not converted yet has no answers."""
        answers, source = self._answers, self._setting.source
        if answers is None:
            return
        shapes = litert_shapes(signature, inputs, batch_size)
        for runtime in (only,) if only else self._setting.options.runtimes:
            if runtime in self._brought:
                continue
            if not await source.is_converted(*((shapes, inputs) if runtime.is_litert else ())):
                continue
            artifact = source.litert_artifact(shapes, inputs) if runtime.is_litert else source.artifact()
            if known := await answers.find(runtime, await artifact, signature, inputs, batch_size):
                if not answers.is_to_be_checked():
                    self.known[runtime] = known
                elif not known.refusal:  # else there is no answer to compare with
                    self._checked[runtime] = known

    async def run(self, runtime: RuntimeId, ground: Ground) -> None:
        """Run one candidate to its end or its failure, or take what it answered earlier; both are recorded."""
        if brought := self._brought.get(runtime):
            await self._take_brought(brought, ground)
        elif known := self.known.get(runtime):
            await self._take(known, ground)
        else:
            async with self._setting.shared.hosts.turn(runtime), self._setting.shared.slots:
                await self._run(runtime, ground)

    async def _take(self, known: KeptAnswers, ground: Ground) -> None:
        """Measure what a runtime answered earlier as if it ran; a refusal is recorded again."""
        if known.refusal:
            self.records[known.id] = known.record
            return
        first = await self._measure_all(
            known.id, known.environment, lambda batch: asyncio.to_thread(known.read, batch.index), ground
        )
        assert first
        for number in range(ANSWERS if known.changed else 0):
            again = await asyncio.to_thread(known.read, first.predictions + number)
            await _measure_again(known.id, first, number, again, ground)
        self.changed[known.id] = known.changed
        self.records[known.id] = known.record

    async def _take_brought(self, brought: Brought, ground: Ground) -> None:
        """Measure what a runtime answered elsewhere, as if it ran here; one that failed has its earlier batches."""
        told = brought.told
        if told.record.environment and told.predictions:
            first = await self._measure_all(
                brought.id,
                told.record.environment,
                lambda batch: asyncio.to_thread(brought.read, batch.index),
                ground,
                most=told.predictions,
            )
            assert first
            for number in range(told.later):
                again = await asyncio.to_thread(brought.read, told.predictions + number)
                await _measure_again(brought.id, first, number, again, ground)
        self.changed[brought.id] = told.changed
        self.records[brought.id] = told.record

    async def _run(self, id: RuntimeId, ground: Ground) -> None:
        options, observe, count = self._setting.options, self._setting.observe, ground.inputs.sample_count
        runtime: BrowserRuntime | None = None
        making: AnswersInMaking | None = None
        status, error, is_refused, predictions = RuntimeStatus.OK, None, False, 0
        artifact, ready = ground.artifacts[id.is_litert], self._setting.shared.ready

        async def begin() -> AnswersInMaking | None:
            if self._answers is None:
                return None
            return await self._answers.begin(id, await artifact, ground.signature, ground.inputs, ground.batch_size)

        try:
            observe(str(id), "starting", 0, count)
            async with AsyncExitStack() as stack:
                if runtime := await ready.take(options, id, artifact):
                    stack.push_async_exit(runtime)
                    await runtime.load(await artifact)
                else:
                    host = await self._setting.shared.hosts.get(options, id.engine)
                    runtime = host.runtime(id, artifact, flags=dict(options.flags), cpu_kernels=options.cpu_kernels)
                    await stack.enter_async_context(runtime)
                making = await begin()
                first = await self._predict_all(runtime, making, ground)
                predictions = first.predictions
                if self._keeps_open:
                    self.pages[id] = runtime
                    self._stack.push_async_exit(stack.pop_all())
                elif not self.changed.get(id) and await ready.keep(options, runtime, await artifact):
                    stack.pop_all()
        except (RuntimeFailedError, ConversionError) as failure:
            status, error = status_of(failure), str(failure)
            if is_refused := isinstance(failure, UnsupportedModelError):
                making = making or await begin()
        timings = dict(runtime.timings_s) if runtime else {}
        record = RuntimeRecord(id, status, getattr(runtime, "environment", None), timings, error)
        changed = self.changed.get(id, ())
        if making and (status is RuntimeStatus.OK or (is_refused and making.is_empty)):
            await asyncio.to_thread(making.finish, record, changed, predictions)
        self.changed[id] = (*changed, *self._unlike.get(id, {}).values())
        self.records[id] = record
        observe(str(id), status.value, count, count)

    async def _predict_all(self, runtime: BrowserRuntime, making: AnswersInMaking | None, ground: Ground) -> Predicted:
        """Predict all batches, and the first one again; return what it gave."""
        checked = self._checked.get(runtime.id)

        async def answer(batch: Batch) -> Tensors:
            outputs = await runtime.predict(ground.inputs.for_page(batch.tensors), samples=batch.size)
            if making:
                await asyncio.to_thread(making.write, batch.index, outputs)
            if checked:
                found = await asyncio.to_thread(checked.unlike, ground.signature, batch, outputs)
                self._unlike[runtime.id] = found | self._unlike.get(runtime.id, {})
            return outputs

        async def receive(number: int, again: Tensors) -> None:
            if making:
                await asyncio.to_thread(making.write, first.predictions + number, again)
            await _measure_again(runtime.id, first, number, again, ground)

        measured = await self._measure_all(runtime.id, runtime.environment, answer, ground)
        assert measured  # there is a batch
        first = measured
        if self._repeats:
            count = ground.inputs.sample_count
            self._setting.observe(str(runtime.id), "repeating", count, count)
            self.changed[runtime.id] = await changed_answers(runtime, ground.signature, first, receive)
        return first

    async def _measure_all(
        self,
        runtime: RuntimeId,
        environment: Environment,
        answer: Callable[[Batch], Awaitable[Tensors]],
        ground: Ground,
        most: int | None = None,
    ) -> Predicted | None:
        """Measure and keep the answers to all batches, or to the first `most`, as they come; return the first."""
        self.environments[runtime] = environment
        first: tuple[Batch, Tensors] | None = None
        sizes: list[int] = []
        for batch in islice(ground.inputs.batches(ground.batch_size), most):
            outputs = await answer(batch)
            first = first or (batch, outputs)
            sizes.append(batch.size)
            if ground.references:
                reference = await ground.references.batch(batch.index)
                await asyncio.to_thread(
                    ground.measured.add, runtime, outputs, reference.size, reference.classes, batch.start, batch.size
                )
            if ground.keep:
                await asyncio.to_thread(ground.keep.write, runtime, batch.index, outputs)
            self._setting.observe(str(runtime), "running", sum(sizes), ground.inputs.sample_count)
        return first and Predicted(*first, predictions=len(sizes), is_resized=len(set(sizes)) > 1)


async def _measure_again(runtime: RuntimeId, first: Predicted, number: int, answer: Tensors, ground: Ground) -> None:
    """Measure and keep a later answer to the first batch."""
    if ground.references:
        reference = await ground.references.batch(first.batch.index)
        size, classes, count = reference.size, reference.classes, first.batch.size
        await asyncio.to_thread(ground.measured.add_answer, runtime, first.outputs, answer, size, classes, count)
    if ground.keep:
        await asyncio.to_thread(ground.keep.write, runtime, first.predictions + number, answer)
