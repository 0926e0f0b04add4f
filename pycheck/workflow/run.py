"""Runs one model on all runtimes with the same inputs, and compares the outputs as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConversionError, RuntimeFailedError
from ..inputs import Inputs, from_arrays, make_inputs, open_inputs, refuse_ids
from ..system.together import together
from ..types import (
    ArtifactInfo,
    Evidence,
    ModelInfo,
    Pipeline,
    Power,
    Report,
    RuntimeId,
)
from .answers import Answers
from .batching import batch_size_of, litert_shapes
from .brought import Brought
from .candidates import Candidates, Ground
from .establishing import established, with_noise
from .evaluation import Measurements, conclude
from .lengthening import fitting_lengths
from .python_artifact import PythonArtifact
from .references import References
from .setting import Setting
from .store import OutputStore, PendingRun, SavedRun

if TYPE_CHECKING:
    from ..runtimes.browser.page import BrowserRuntime

T = TypeVar("T")

#: A function that gets a report before it is complete.
First = Callable[[Report], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Compared:
    """A run whose runtimes have ended: its report, and everything that further work needs.

    Attributes:
        setting: The setting of the run.
        inputs: The inputs, to be read again in the same batches.
        batch_size: The samples in a batch.
        references: Python's results for the inputs.
        pages: The candidates that stayed open, by their names.
        python: The artifact in Python, which the first request starts.
    """

    setting: Setting
    report: Report
    inputs: Inputs
    batch_size: int
    references: References
    pages: Mapping[RuntimeId, BrowserRuntime]
    python: PythonArtifact


class Run:
    """The candidates of one run, in parallel, each compared batch by batch as its outputs come.

    `outputs` keeps the raw outputs of all runtimes, as `keep` does for a run that is saved. `references` are those of
    an earlier run on the same inputs, and `answers` those of runtimes that need not run again. With `keeps_open` the
    candidates stay open, to be traced; with `prepares_trace` the artifact starts in Python, in float32, while they run.
    `brought` are candidates that ran elsewhere, of which the work before took `spent_s` seconds.
    With `is_timed` they start after all work in Python, which would slow them down; `Workbench.one_at_a_time` runs them
    in turn. Without `repeats` no candidate predicts its first batch again.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        keep: PendingRun | None = None,
        outputs: OutputStore | None = None,
        references: References | None = None,
        answers: Answers | None = None,
        brought: Mapping[RuntimeId, Brought] | None = None,
        spent_s: float = 0.0,
        keeps_open: bool = False,
        prepares_trace: bool = False,
        is_timed: bool = False,
        repeats: bool = True,
    ) -> None:
        self.setting = setting
        self._options = options = setting.options
        self._source = setting.source
        self._cache = setting.cache
        self._shared = setting.shared
        self._observe = setting.observe
        self._pending = keep
        self._keep = keep.outputs if keep else outputs
        self._lent = references
        self.answers = answers
        self._brought = brought or {}
        self._spent_s = spent_s
        self._candidates = Candidates(setting, answers, brought=brought, keeps_open=keeps_open, repeats=repeats)
        self._prepares_trace = prepares_trace
        self._is_timed = is_timed
        self._python = PythonArtifact(setting.source, options.layers, setting.shared.executor, self._made_litert)
        self._power: Power | None = None

    def keep_outputs(self, beside: OutputStore) -> OutputStore:
        """Keep the raw outputs of all runtimes: where the run is saved, or else in `beside`."""
        self._keep = self._keep or beside
        return self._keep

    def keep_pipeline(self, pipeline: Pipeline) -> None:
        """Add a pipeline, before the gate, to the run that is saved, if it is."""
        if self._pending:
            self._pending.add_pipeline(pipeline)

    async def close(self) -> None:
        """Close everything that stayed open."""
        await self._python.close()
        await self._candidates.close()

    async def _made_litert(self) -> ArtifactInfo:
        assert self._litert_artifact  # one of the runtimes is of LiteRT.js
        return await self._litert_artifact

    async def convert(self, given: Any) -> ArtifactInfo:
        """Convert the model for the first runtime, without running anything; `given` as for `compare`."""
        if not self._options.runtimes[0].is_litert:
            return await self._source.artifact()
        info = await self._source.info()
        inputs = await self.open_inputs(given)
        batch_size = await batch_size_of(self._source, self._options, inputs)
        return await self._source.litert_artifact(litert_shapes(info.signature, inputs, batch_size), inputs)

    async def compare(self, given: Any, first: First | None = None) -> Compared:
        """Run everything on these inputs: a path, arrays, opened inputs, or None to generate them.

        `first` gets the report as soon as nothing is left that may change the verdict: the power is measured after it.
        """
        options, source = self._options, self._source
        began_at = time.perf_counter() - self._spent_s
        await source.check_tflite()
        # A browser starts only after model, inputs and artifact are checked; but if that needs TensorFlow, the browser
        # starts while TensorFlow is loaded.
        is_known = await source.is_known()
        if not is_known and not self._brought:
            self._shared.hosts.start(options)
        info = await source.info()
        inputs = await self.open_inputs(given)
        if options.tfjs_model:
            await source.artifact()
        batch_size = await batch_size_of(source, options, inputs)
        if is_known:
            await self._candidates.find_answers(info.signature, inputs, batch_size)
        ready = self._candidates.known.keys() | self._brought.keys()
        if left := tuple(runtime for runtime in options.runtimes if runtime not in ready):
            self._shared.hosts.start(replace(options, runtimes=left))
        options.tolerance.check_outputs([spec.name for spec in info.signature.outputs])
        hints = await source.input_hints()
        self._id_inputs = tuple(name for name, hint in hints.items() if hint.entry_columns != ())
        measurements = Measurements(info.signature, options.tolerance, self._candidates.environments.get, hints)
        self._references = self._lent or References(
            source, info.references, inputs, batch_size, self._cache, self._shared.executor, self.advance(inputs)
        )
        self._measured = measurements
        self._inputs, self._batch_size = inputs, batch_size
        # The artifacts come first in the one TensorFlow thread, because the browsers wait for them.
        self._artifact = self._litert_artifact = None
        if any(not runtime.is_litert for runtime in options.runtimes):
            self._artifact = asyncio.ensure_future(source.artifact())
        if any(runtime.is_litert for runtime in options.runtimes):
            shapes = litert_shapes(info.signature, inputs, batch_size)
            self._litert_artifact = asyncio.ensure_future(source.litert_artifact(shapes, inputs))
        made = {False: self._artifact, True: self._litert_artifact}
        artifacts = {is_litert: artifact for is_litert, artifact in made.items() if artifact}
        ground = Ground(inputs, batch_size, self._references, measurements, artifacts, self._keep)
        preparing = [settled(self._python.single())] if self._prepares_trace and self._artifact else []
        # Those that compile shaders take longest, and so start first where not all run at once.
        order = sorted(options.runtimes, key=lambda runtime: not runtime.kind.startswith("web"))
        candidates = (self._candidates.run(runtime, ground) for runtime in order)
        of_power = self._artifact if options.power else None
        powers = [settled(self._measure_power(began_at, of_power))] if of_power and not first else []
        try:
            in_python: list[Awaitable[Any]] = [
                one_of(artifacts.values()),
                *preparing,
                self._reference_batches(),
                *powers,
            ]
            for works in [in_python, candidates] if self._is_timed else [[*in_python, *candidates]]:
                await together(works)
        except RuntimeFailedError as error:
            await asyncio.to_thread(refuse_ids, inputs, hints, error)
            raise
        evidence = replace(
            await source.evidence(with_artifact=_made(self._artifact) is not None),
            scales=measurements.scales,
            ids=measurements.ids,
            reference=self._references.check,
            casts=self._references.casts,
            changed_answers=tuple(chain.from_iterable(self._candidates.changed.get(r, ()) for r in options.runtimes)),
        )
        saved = self._saved(info, evidence)
        report = conclude(saved, measurements, options)
        for look in (with_noise, established):
            more = await look(report, saved.evidence, source, self._references, self._shared.executor)
            if more is not saved.evidence:
                saved = replace(saved, evidence=more)
                report = conclude(saved, measurements, options)
        if first:
            await first(report)
        if first and of_power:
            await settled(self._measure_power(began_at, of_power))
            saved = replace(saved, power=self._power)
            report = conclude(saved, measurements, options)
        if self._pending:
            self._pending.publish(saved)
        return Compared(
            self.setting, report, inputs, batch_size, self._references, self._candidates.pages, self._python
        )

    def _saved(self, info: ModelInfo, evidence: Evidence) -> SavedRun:
        inputs, measurements, options = self._inputs, self._measured, self._options
        return SavedRun(
            model=replace(info, signature=measurements.signature),
            artifact=_made(self._artifact),
            litert_artifact=_made(self._litert_artifact),
            inputs=replace(inputs.info, ids=self._id_inputs),
            runtimes=(*self._references.records.values(), *(self._candidates.records[r] for r in options.runtimes)),
            candidates=options.runtimes,
            batch_sizes=tuple(batch.size for batch in inputs.batches(self._batch_size)),
            nonfinite_inputs=measurements.nonfinite_inputs,
            input_elements=measurements.input_elements,
            command=options.command,
            evidence=evidence,
            power=self._power,
        )

    async def open_inputs(self, given: Any) -> Inputs:
        """Return inputs: those of a path or of arrays, opened ones as they are, and for None generated ones."""
        if isinstance(given, Inputs):
            return given
        signature = (await self._source.info()).signature
        if isinstance(given, Path):
            return await asyncio.to_thread(open_inputs, given, signature)
        if given is not None:
            return from_arrays(given, signature)
        options, hints = self._options, await self._source.input_hints()
        lengths = await fitting_lengths(self._source, options, self._cache, self._shared.executor)
        made = make_inputs(
            signature,
            samples=options.samples,
            seed=options.seed,
            ranges=options.range,
            sizes=lengths.sizes,
            hints=hints,
        )
        return replace(made, info=replace(made.info, notes=(*made.info.notes, *lengths.notes)))

    def advance(self, inputs: Inputs) -> Callable[[RuntimeId, int], None]:
        """Return a function that tells the progress of a runtime in Python, in samples."""
        done: dict[RuntimeId, int] = {}

        def advance(runtime: RuntimeId, samples: int) -> None:
            done[runtime] = done.get(runtime, 0) + samples
            self._observe(str(runtime), "running", done[runtime], inputs.sample_count)

        return advance

    async def _reference_batches(self) -> None:
        """Compute the references, and the noise floor from them as they come."""
        computing = asyncio.ensure_future(self._references.compute())
        try:
            for batch in self._inputs.batches(self._batch_size):
                reference = await self._references.batch(batch.index)
                await asyncio.to_thread(self._measured.add_inputs, batch)
                await asyncio.to_thread(
                    self._measured.add_reference,
                    self._references.size_runtime,
                    reference.size,
                    reference.classes,
                    batch.start,
                    batch.size,
                )
                if self._keep:
                    self._keep.write(self._references.class_runtime, batch.index, reference.classes)
                    if self._references.size_runtime != self._references.class_runtime:
                        self._keep.write(self._references.size_runtime, batch.index, reference.size)
            await computing
        finally:
            computing.cancel()
            await asyncio.gather(computing, return_exceptions=True)

    async def _measure_power(self, began_at: float, making: Awaitable[ArtifactInfo]) -> None:
        """Measure the effect of weight errors on the outputs, while the browsers run and after the references."""
        from ..power import Allowance
        from .measured_power import find_power

        artifact = await making
        # Without browsers that run meanwhile, it may take as long as the work before it.
        allowance = (
            Allowance(began_at, lambda: False, share=0.5)
            if self._is_timed or self._brought or not self._candidates.are_running
            else Allowance(began_at, lambda: self._candidates.are_running)
        )
        await self._references.done()
        graph = (await self._python.single()).graph if self._prepares_trace else None
        self._power = await find_power(
            self._source, artifact, self._references, self._cache, self._shared.executor, allowance, graph
        )


async def one_of(artifacts: Iterable[Awaitable[ArtifactInfo]]) -> None:
    """Wait for the artifacts of all libraries; ConversionError only if there is none.

    A library without an artifact is a runtime that fails, beside others that run.
    """
    outcomes = [await settled(artifact) for artifact in artifacts]
    failures = [outcome for outcome in outcomes if isinstance(outcome, ConversionError)]
    if failures and len(failures) == len(outcomes):
        raise failures[0]


async def settled(artifact: Awaitable[T]) -> T | ConversionError:
    """Return what this gives, or the error of the conversion that it needs."""
    try:
        return await artifact
    except ConversionError as error:
        return error


def _made(artifact: asyncio.Future[ArtifactInfo] | None) -> ArtifactInfo | None:
    return artifact.result() if artifact and not artifact.exception() else None
