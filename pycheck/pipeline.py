"""Orders the stages and runs them side by side: convert, run, compare, diagnose, gate, report."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .artifact.epsilons import with_epsilons
from .cache import Cache
from .command_line import command_line
from .config import Options
from .errors import ConversionError, RuntimeFailedError, RuntimeTimeoutError, RuntimeUnavailableError, UsageError
from .folders import check_new_folder, write_folder
from .hosts import Hosts
from .inputs import Inputs, altered, even_batch_size, from_arrays, make_inputs, open_inputs
from .judgement import Measurements, conclude
from .model import identify
from .model.source import TFJS
from .references import References
from .runtimes.base import Runtime
from .runtimes.page import BrowserRuntime
from .source import Source
from .store import PendingRun, SavedRun, open_run, read_outputs, starts
from .together import together
from .types import (
    ArtifactInfo,
    Environment,
    Evidence,
    ModelInfo,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Tensors,
    Verdict,
)

if TYPE_CHECKING:
    from .remedies import Trial
    from .tracing import TraceInputs, TraceReferences
    from .training import RecipeText

# What shows that a conversion computes the same: TF.js's plainest kernels, on as many made inputs.
_VERIFIER = RuntimeId("chromium", "cpu")
_VERIFYING_SAMPLES = 2

#: Tensors of fewer elements are left to the CPU by TF.js's WebGL (128) and WebGPU (1000) backends.
_FORWARDED_BELOW = 1000

#: Told what happens: runtime, what it is doing now, samples it has done, samples in all.
Observer = Callable[[str, str, int, int], None]


def _silent(runtime: str, step: str, done: int, total: int) -> None:
    """An observer for those who do not watch."""


class Workbench:
    """What several runs share, side by side or in turn: browsers, the thread that TensorFlow runs in, and the cores.

    An asynchronous context manager. A browser starts when the first run needs it and ends with the workbench.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="tensorflow")
        self._hosts = Hosts()
        self._cores = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
        self._slots = asyncio.Semaphore(self._cores)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await self._hosts.close()
        finally:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def start_browsers(self, options: Options) -> None:
        """Begin to start what a run with these options needs, without waiting for it: before there is a run."""
        self._hosts.start(options)

    @asynccontextmanager
    async def one_at_a_time(self) -> AsyncIterator[None]:
        """Meanwhile no two runtimes run side by side, so that their times can be told from one another."""
        for _ in range(self._cores - 1):
            await self._slots.acquire()
        try:
            yield
        finally:
            for _ in range(self._cores - 1):
                self._slots.release()

    async def compare(self, model: Any, inputs: Any, options: Options, observe: Observer = _silent) -> Report:
        """What the function `compare` does."""
        options = _reproducible("compare", model, inputs, options)
        async with self.opened(model, options, observe) as run:
            run.keeps_open = options.trace
            report = conclude(*await run.run(inputs), options)
            failed = {c.candidate for c in report.comparisons if c.passed is False} if options.trace else set()
            report = await run.trace(report, failed, only_failed=True) if failed else report
            return await run.try_remedies(report) if options.try_remedies else report

    async def trace(self, model: Any, inputs: Any, options: Options, observe: Observer = _silent) -> Report:
        """What the function `trace` does."""
        options = _reproducible("trace", model, inputs, options)
        explorer = options.model_explorer
        for option, folder in (("--bundle", options.bundle), ("--model-explorer", explorer)):
            if folder:
                check_new_folder(option, folder)
        async with self.opened(model, options, observe) as run:
            run.keeps_open = True
            run.prepares_trace = True
            report = conclude(*await run.run(inputs), options)
            report = await run.trace(report, set(options.runtimes), only_failed=False)
            report = await run.bundle(report, options.bundle) if options.bundle else report
            report = await run.try_remedies(report) if options.try_remedies else report
        if explorer:
            from .report.model_explorer import model_explorer_files

            files = {name: text.encode() for name, text in model_explorer_files(report).items()}
            write_folder("--model-explorer", explorer, files)
        return report

    async def train(
        self, model: Any, inputs: Any, targets: Any, recipe: RecipeText, options: Options, observe: Observer = _silent
    ) -> Report:
        """What the function `train` does."""
        from .training import Bench, read_arrays, setup_of, train_run

        recipe.check()
        async with AsyncExitStack() as stack:
            cache = Cache(options.cache_dir, enabled=options.cache)
            stack.callback(cache.close)
            source = Source(model, options, cache, self._executor)
            stack.push_async_callback(source.close)
            signature = (await source.info()).signature
            given = open_inputs(inputs, signature) if isinstance(inputs, Path) else from_arrays(inputs, signature)
            wanted = read_arrays(targets) if isinstance(targets, Path) else targets
            loaded = await source.model()
            prepare = partial(setup_of, loaded, given, wanted, recipe)
            setup = await asyncio.get_running_loop().run_in_executor(self._executor, prepare)
            self._hosts.start(options)
            host_of = partial(self._hosts.get, options)
            bench = Bench(options.runtimes, host_of, dict(options.flags), self._executor, observe)
            stack.push_async_callback(bench.close)
            return await train_run(
                bench, loaded, given, setup, options,
                try_remedies=recipe.try_remedies, gradients_only=recipe.gradients_only,
            )  # fmt: skip

    @asynccontextmanager
    async def opened(self, model: Any, options: Options, observe: Observer) -> AsyncIterator[_Run]:
        """A run of one model with what it alone needs, which is closed again in every case."""
        async with AsyncExitStack() as stack:
            cache = Cache(options.cache_dir, enabled=options.cache)
            stack.callback(cache.close)
            source = Source(model, options, cache, self._executor)
            stack.push_async_callback(source.close)
            keep = PendingRun(options.save_run) if options.save_run else None
            if keep:
                stack.callback(keep.discard)
            run = _Run(options, observe, source, self._hosts, cache, self._executor, self._slots, keep)
            stack.push_async_callback(run.close)
            yield run


async def compare(model: Any, inputs: Any, options: Options, observe: Observer = _silent) -> Report:
    """Run everything once. `model` is a path or a live model; `inputs` a path, arrays, or None for made ones.

    Errors: ModelFileError, InputsFileError, ArtifactFileError, UsageError, ConversionError, and
    RuntimeFailedError when native float32 itself fails. A candidate that fails is in the report.
    """
    async with Workbench() as bench:
        return await bench.compare(model, inputs, options, observe)


async def trace(model: Any, inputs: Any, options: Options, observe: Observer = _silent) -> Report:
    """What `compare` gives, and where it starts: every point of the artifact, on the samples that failed.

    Errors are those of `compare`; ArtifactFileError and RuntimeFailedError where the artifact cannot be
    executed in Python. A runtime that fails keeps what was traced until then.
    """
    async with Workbench() as bench:
        return await bench.trace(model, inputs, options, observe)


async def convert(
    model: Any, folder: Path, options: Options, observe: Observer = _silent
) -> tuple[ArtifactInfo, Report]:
    """Convert into a new or empty folder, after one run in a browser has shown that the artifact answers alike.

    UsageError when the folder is neither. ConversionError names what lacks, or how the artifact
    answers otherwise; then nothing is handed out. Where no browser starts, the report says so;
    quantized weights are handed out with the error that they cost.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not an empty folder", "Name a new folder: nothing is overwritten.")
    if isinstance(model, Path) and (await asyncio.to_thread(identify, model)).format == TFJS:
        raise UsageError(f"{model} is a TF.js model already", "Check it with pycheck compare.")
    options = replace(options, runtimes=(_VERIFIER,), samples=_VERIFYING_SAMPLES, save_run=None)
    async with Workbench() as bench, bench.opened(model, options, observe) as run:
        report = conclude(*await run.run(None), options)
        artifact = report.artifact
        assert artifact is not None  # a conversion that fails raises
        if report.verdict in (Verdict.DRIFT, Verdict.NAN_DIVERGENCE) and options.quantize == "none":
            raise ConversionError(
                f"the {artifact.format} artifact does not answer as the model does: {report.findings[0].summary}",
                "Try the other --format; pycheck compare shows the difference on inputs of your own.",
            )
        try:
            shutil.copytree(artifact.folder, folder, dirs_exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder} cannot be written: {error}") from error
    return replace(artifact, folder=folder), report


async def train(
    model: Any, inputs: Any, targets: Any, recipe: RecipeText, options: Options, observe: Observer = _silent
) -> Report:
    """Train in Python and in the pages on the same batches; say where they part, what breaks, and why.

    `inputs` and `targets` are paths or arrays. Errors are those of `compare` for what is bad input, and UsageError
    for what cannot be trained in both worlds.
    """
    async with Workbench() as bench:
        return await bench.train(model, inputs, targets, recipe, options, observe)


def rejudge(folder: Path, options: Options) -> Report:
    """Compare, diagnose and judge a saved run again; needs neither TensorFlow nor a browser."""
    saved, store = open_run(folder)
    environments = {record.id: record.environment for record in saved.runtimes}
    options.tolerance.check_outputs([spec.name for spec in saved.model.signature.outputs])
    measurements = Measurements(options.tolerance, environments.get)
    whole = {record.id for record in saved.runtimes if record.status is RuntimeStatus.OK}
    class_runtime, double = saved.model.references
    size_runtime = double if double in whole else class_runtime
    for index, start in enumerate(starts(saved.batch_sizes)):
        classes = read_outputs(saved, store, class_runtime, index)
        size = classes if size_runtime == class_runtime else read_outputs(saved, store, size_runtime, index)
        measurements.add_reference(size_runtime, size, classes, start)
        for candidate in saved.candidates:
            if candidate in whole or store.has(candidate, index):  # one that failed has what it gave before
                measurements.add(candidate, read_outputs(saved, store, candidate, index), size, classes, start)
    return conclude(saved, measurements, options)


class _Run:
    """The candidates of one run, side by side, each compared batch by batch as its outputs come.

    With `keeps_open` they stay as they are to be traced; with `prepares_trace` the artifact starts in Python
    while they run.
    """

    def __init__(
        self,
        options: Options,
        observe: Observer,
        source: Source,
        hosts: Hosts,
        cache: Cache,
        executor: ThreadPoolExecutor,
        slots: asyncio.Semaphore,
        keep: PendingRun | None,
    ) -> None:
        self._options = options
        self._observe = observe
        self._source = source
        self._hosts = hosts
        self._cache = cache
        self._executor = executor
        self._pending = keep
        self._keep = keep.outputs if keep else None
        self._slots = slots
        self._records: dict[RuntimeId, RuntimeRecord] = {}
        self._environments: dict[RuntimeId, Environment] = {}
        self.keeps_open = False
        self.prepares_trace = False
        self.lent_references: References | None = None  # of another run on the same inputs
        self._kept: dict[RuntimeId, BrowserRuntime] = {}
        self._stack = AsyncExitStack()
        self._preparing: asyncio.Task[TraceReferences] | None = None

    async def close(self) -> None:
        """Close what stayed open."""
        if self._preparing:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await self._stack.aclose()

    async def run(self, given: Any) -> tuple[SavedRun, Measurements]:
        options, source = self._options, self._source
        # No browser for what is no model, nor for inputs or an artifact that do not fit; but where TensorFlow
        # has to be loaded to know, the browser starts meanwhile.
        if not await source.is_known():
            self._hosts.start(options)
        info = await source.info()
        inputs = await self._open_inputs(given)
        if options.tfjs_model:
            await source.artifact()
        self._hosts.start(options)
        batch_size = info.signature.inputs[0].shape[0] or even_batch_size(options.batch_size, inputs.sample_count)
        options.tolerance.check_outputs([spec.name for spec in info.signature.outputs])
        measurements = Measurements(options.tolerance, self._environments.get)
        self._references = self.lent_references or References(
            source, info.references, inputs, batch_size, self._cache, self._executor, self._advance(inputs)
        )
        self._measured = measurements
        self._inputs, self._batch_size = inputs, batch_size
        # The artifact goes first through the one TensorFlow thread: the browsers wait for it.
        self._artifact = asyncio.ensure_future(source.artifact())
        preparing = [self._trace_references()] if self.prepares_trace else []
        candidates = map(self._candidate, options.runtimes)
        await together([self._artifact, *candidates, *preparing, self._reference_batches()])
        saved = self._saved(info, replace(await source.evidence(), scales=measurements.scales))
        if self._pending:
            self._pending.publish(saved)
        return saved, measurements

    async def trace(self, report: Report, runtimes: Collection[RuntimeId], *, only_failed: bool) -> Report:
        """The report of `run`, with the trace of those runtimes that ran to their end."""
        from .tracing import trace_run

        references = await self._trace_references()
        return await trace_run(
            report,
            references=references,
            model=self._source.model,
            draw=lambda count: self._trace_inputs(report, count),
            candidates=[self._kept[r] for r in self._options.runtimes if r in runtimes and r in self._kept],
            only_failed=only_failed,
            slots=self._slots,
            options=self._options,
            observe=self._observe,
        )

    async def try_remedies(self, report: Report) -> Report:
        """The report of `run`, traced or not, with what was tried on the runtimes that failed."""
        from .remedies import try_remedies

        await self.close()  # the pages that were traced: a GPU has room for so many
        return await try_remedies(report, self._options, trial=self._trial, observe=self._observe)

    async def _trial(self, trial: Trial) -> Report:
        """What the same run gives with one thing changed."""
        options = trial.options(self._options)
        source, inputs = self._source, self._inputs
        if trial.converts or trial.epsilons:
            source = source.variant(options)
        if trial.epsilons:
            source.adopt(await self._with_epsilons(dict(trial.epsilons)))
        if trial.changes_inputs:
            inputs = altered(inputs, factors=dict(trial.factors), limits=dict(trial.limits))
        run = _Run(options, _silent, source, self._hosts, self._cache, self._executor, self._slots, None)
        run.lent_references = None if trial.changes_inputs else self._references
        try:
            return conclude(*await run.run(inputs), options)
        finally:
            await run.close()
            if source is not self._source:
                await source.close()

    async def _with_epsilons(self, epsilons: Mapping[str, float]) -> ArtifactInfo:
        artifact, layers = await self._source.artifact(), await self._source.layer_names()
        folder = self._cache.reserve("epsilons", None).folder
        return await asyncio.to_thread(with_epsilons, artifact, epsilons, folder, layers)

    async def bundle(self, report: Report, folder: Path) -> Report:
        """The report of a trace, with its first source operation in a folder of its own."""
        from .bundle import bundle_source

        async def draw(count: int) -> Tensors:
            return (await self._trace_inputs(report, count)).tensors

        return await bundle_source(
            report,
            folder,
            name=self._options.bundle_point,
            single=(await self._trace_references()).single,
            draw=draw,
            candidates=list(self._kept.values()),
            executor=self._executor,
        )

    def _trace_references(self) -> asyncio.Task[TraceReferences]:
        """The artifact in Python, which is started once."""
        from .tracing import of_layers, start_references

        async def start() -> TraceReferences:
            artifact = await self._source.artifact()
            layers = await self._source.layer_names() if artifact.format == "graph" else ()
            await self._source.tensorflow()
            references = await start_references(artifact, layers=layers, executor=self._executor, stack=self._stack)
            of_layers(references.single.points, self._options.layers)  # a name that is not there ends the run here
            return references

        self._preparing = self._preparing or asyncio.create_task(start())
        return self._preparing

    async def _trace_inputs(self, report: Report, count: int) -> TraceInputs:
        """The samples that failed, and others to make up the number, which may have to be larger."""
        from .tracing import TraceInputs, worst_samples

        fixed = report.model.signature.inputs[0].shape[0]
        total = self._inputs.sample_count
        largest = max(value[0].size or 1 for value in next(iter(self._inputs.batches(1))).tensors.values())
        # With fewer, TF.js would compute on the CPU what it computes on the GPU for the whole batch.
        count = max(count, -(-_FORWARDED_BELOW // largest))
        samples = worst_samples(report.comparisons, count=1 if fixed else count, total=total)
        if fixed:  # the whole batch of the worst
            first = samples[0] // fixed * fixed
            samples = tuple(range(first, first + fixed))
        parts: list[tuple[Tensors, Tensors, Tensors]] = []
        for batch in self._inputs.batches(self._batch_size):
            rows = [sample - batch.start for sample in samples if 0 <= sample - batch.start < batch.size]
            if rows:
                reference = await self._references.batch(batch.index)
                every = (batch.tensors, reference.size, reference.classes)
                parts.append(tuple(_rows(part, rows, batch.size) for part in every))  # type: ignore[arg-type]

        def joined(kind: int) -> Tensors:
            names = [name for name in parts[0][kind] if all(name in part[kind] for part in parts)]
            return {name: np.concatenate([part[kind][name] for part in parts]) for name in names}

        return TraceInputs(joined(0), joined(1), joined(2), samples)

    def _saved(self, info: ModelInfo, evidence: Evidence) -> SavedRun:
        inputs, measurements, options = self._inputs, self._measured, self._options
        return SavedRun(
            model=info,
            artifact=self._artifact.result(),
            inputs=inputs.info,
            runtimes=(*self._references.records.values(), *(self._records[r] for r in options.runtimes)),
            candidates=options.runtimes,
            batch_sizes=tuple(batch.size for batch in inputs.batches(self._batch_size)),
            nonfinite_inputs=measurements.nonfinite_inputs,
            input_elements=measurements.input_elements,
            command=options.command,
            evidence=evidence,
        )

    async def _open_inputs(self, given: Any) -> Inputs:
        if isinstance(given, Inputs):
            return given
        signature = (await self._source.info()).signature
        if isinstance(given, Path):
            return await asyncio.to_thread(open_inputs, given, signature)
        if given is not None:
            return from_arrays(given, signature)
        low, high = self._options.range or (None, None)
        bounds = await self._source.input_bounds()
        return make_inputs(
            signature, samples=self._options.samples, seed=self._options.seed, low=low, high=high, bounds=bounds
        )

    def _advance(self, inputs: Inputs) -> Callable[[RuntimeId, int], None]:
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
                )
                if self._keep:
                    self._keep.write(self._references.class_runtime, batch.index, reference.classes)
                    if self._references.size_runtime != self._references.class_runtime:
                        self._keep.write(self._references.size_runtime, batch.index, reference.size)
            await computing
        finally:
            computing.cancel()
            await asyncio.gather(computing, return_exceptions=True)

    async def _candidate(self, runtime_id: RuntimeId) -> None:
        """Run one candidate to its end or its failure; both are recorded."""
        async with self._hosts.turn(runtime_id), self._slots:
            runtime: BrowserRuntime | None = None
            status, error = RuntimeStatus.OK, None
            try:
                self._observe(str(runtime_id), "starting", 0, self._inputs.sample_count)
                host = await self._hosts.get(self._options, runtime_id.engine)
                runtime = host.runtime(
                    runtime_id,
                    self._artifact,
                    flags=dict(self._options.flags),
                    cpu_kernels=self._options.cpu_kernels,
                )
                async with AsyncExitStack() as stack:
                    await stack.enter_async_context(runtime)
                    await self._predict_all(runtime)
                    if self.keeps_open:
                        self._kept[runtime_id] = runtime
                        self._stack.push_async_exit(stack.pop_all())
            except RuntimeFailedError as failure:
                status, error = _status_of(failure), str(failure)
            self._records[runtime_id] = RuntimeRecord(
                runtime_id,
                status,
                getattr(runtime, "environment", None),
                dict(runtime.timings_s) if runtime else {},
                error,
            )
            self._observe(str(runtime_id), status.value, self._inputs.sample_count, self._inputs.sample_count)

    async def _predict_all(self, runtime: Runtime) -> None:
        self._environments[runtime.id] = runtime.environment
        done = 0
        for batch in self._inputs.batches(self._batch_size):
            outputs = await runtime.predict(batch.tensors)
            reference = await self._references.batch(batch.index)
            await asyncio.to_thread(
                self._measured.add, runtime.id, outputs, reference.size, reference.classes, batch.start
            )
            if self._keep:
                await asyncio.to_thread(self._keep.write, runtime.id, batch.index, outputs)
            done += batch.size
            self._observe(str(runtime.id), "running", done, self._inputs.sample_count)


def _reproducible(command: str, model: Any, inputs: Any, options: Options) -> Options:
    """Options with the command that asks for the same, unless they came with one."""
    return options if options.command else replace(options, command=command_line(command, model, inputs, options))


def _rows(tensors: Tensors, rows: Sequence[int], size: int) -> Tensors:
    """These samples of a batch of so many; without outputs that have no row for each sample."""
    return {name: value[rows] for name, value in tensors.items() if value.shape[:1] == (size,)}


def _status_of(error: RuntimeFailedError) -> RuntimeStatus:
    if isinstance(error, RuntimeUnavailableError):
        return RuntimeStatus.UNAVAILABLE
    return RuntimeStatus.TIMED_OUT if isinstance(error, RuntimeTimeoutError) else RuntimeStatus.FAILED
