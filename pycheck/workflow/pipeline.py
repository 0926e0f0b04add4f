"""Orders the stages and runs them in parallel: convert, run, compare, diagnose, gate, report."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from ..errors import PycheckError, UsageError
from ..inputs import from_arrays, open_inputs
from ..model.kind import is_tflite
from ..options.replay import command_line
from ..options.values import LITERT_RUNTIMES, Options
from ..runtimes.launching.identity import identify
from ..system.cache import Cache
from ..system.fatal_signals import NativeThread, working_on
from ..system.folders import check_new_folder, write_folder
from ..system.stamps import Stamps, stamps
from ..types import Report, RuntimeId, RuntimeStatus
from . import apart
from .answers import Answers
from .brought import Brought
from .browsers import Hosts, browser_host
from .evaluation import Measurements, conclude
from .files.comparing import compared_from, with_pipeline
from .files.prepared import as_inputs
from .further import bundled, traced, with_remedies
from .lazy_model import Source
from .places import model_places
from .quantization import not_measured
from .ready import ReadyPages
from .repeating import ANSWERS
from .run import Compared, First, Run
from .setting import Observer, Setting, Shared, silent
from .store import PendingRun, open_run, read_outputs, starts

if TYPE_CHECKING:
    from ..runtimes.browser.host import BrowserHost
    from ..training import RecipeText

T = TypeVar("T")


class Workbench:
    """The resources that several runs share: browsers, the thread for TensorFlow, and the cores.

    An asynchronous context manager. A browser starts when the first run needs it and ends with the workbench.
    """

    #: The factories of both sides of a run. Tests of judging and reporting replace them by runtimes/fake.py.
    make_source: ClassVar[Callable[..., Source]] = Source
    make_host: ClassVar[Callable[..., BrowserHost]] = staticmethod(browser_host)
    identify: ClassVar[Callable[..., str | None]] = staticmethod(identify)

    def __init__(self) -> None:
        self._cores = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
        hosts = Hosts(self.make_host, self.identify)
        self._shared = Shared(
            hosts=hosts,
            ready=ReadyPages(hosts),
            executor=NativeThread(),
            slots=asyncio.Semaphore(self._cores),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await self._shared.ready.close()
            await self._shared.hosts.close()
        finally:
            self._shared.executor.shutdown(wait=False, cancel_futures=True)

    @property
    def hosts(self) -> Hosts:
        """Return the browsers."""
        return self._shared.hosts

    @asynccontextmanager
    async def one_at_a_time(self) -> AsyncIterator[None]:
        """Prevent runtimes from running in parallel within this context, so that their times can be measured."""
        for _ in range(self._cores - 1):
            await self._shared.slots.acquire()
        try:
            yield
        finally:
            for _ in range(self._cores - 1):
                self._shared.slots.release()

    async def warm(self, works: Sequence[tuple[Any, Options]]) -> None:
        """Prepare for compares of models with these options: import TensorFlow, and open the pages that they need.

        What cannot be prepared is left to the compare, which says why.
        """
        works = [(model, with_runtimes_for(model, options)) for model, options in works]
        sources = [self.make_source(*work, Cache(enabled=False), self._shared.executor) for work in works[:1]]
        pages = self._shared.ready.prepare([options for _, options in works])
        await asyncio.gather(pages, *(source.tensorflow() for source in sources), return_exceptions=True)

    async def is_kept(self, model: Path, inputs: Path | None, options: Options) -> bool:
        """Tell whether a compare would take everything from the cache; False if it would fail."""
        try:
            async with self.opened(model, options, silent, inputs=inputs, prunes=False) as run:
                return await apart.is_kept(run, inputs)
        except (PycheckError, OSError):  # the compare says why
            return False

    async def compare(
        self,
        model: Any,
        inputs: Any,
        options: Options,
        observe: Observer = silent,
        first: First | None = None,
        *,
        brought: Mapping[RuntimeId, Brought] | None = None,
        spent_s: float = 0.0,
    ) -> Report:
        """Run everything once; `first` may get the report before the power is measured.

        `brought` are candidates that ran elsewhere in this run, which has taken `spent_s` seconds so far.
        `model` is a path or a live model; `inputs` is a path, arrays, or None to generate them. Errors: ModelFileError,
        InputsFileError, ArtifactFileError, UsageError, ConversionError, and RuntimeFailedError if native:float32 itself
        fails. A candidate that fails is in the report.
        """
        options = _reproducible("compare", model, inputs, options)
        async with (
            self.opened(
                model, options, observe, inputs=inputs, keeps_open=options.trace, brought=brought, spent_s=spent_s
            ) as run,
            as_inputs(run.setting, inputs) as given,
        ):
            compared = await compared_from(run, given, first)
            failed = {c.candidate for c in compared.report.comparisons if c.passed is False}
            if options.trace and failed:
                compared = await traced(compared, failed, only_failed=True)
            return (await self._with_remedies(run, compared)).report

    async def trace(self, model: Any, inputs: Any, options: Options, observe: Observer = silent) -> Report:
        """Compare, and trace every point of the artifact on the samples that failed.

        Errors are those of `compare`, and ArtifactFileError and RuntimeFailedError if Python cannot run the artifact.
        If a runtime fails, its results until then are kept.
        """
        options = _reproducible("trace", model, inputs, options)
        explorer = options.model_explorer
        for option, folder in (("--bundle", options.bundle), ("--model-explorer", explorer)):
            if folder:
                check_new_folder(option, folder)
        async with (
            self.opened(model, options, observe, inputs=inputs, keeps_open=True, prepares_trace=True) as run,
            as_inputs(run.setting, inputs) as given,
        ):
            runtimes = set(run.setting.options.runtimes)  # those of LiteRT.js for a .tflite file
            compared = await traced(await compared_from(run, given), runtimes, only_failed=False)
            if options.bundle:
                compared = await bundled(compared, options.bundle)
            report = (await self._with_remedies(run, compared)).report
        if explorer:
            from ..report.model_explorer import model_explorer_files

            files = {name: text.encode() for name, text in model_explorer_files(report).items()}
            write_folder("--model-explorer", explorer, files)
        return report

    async def _with_remedies(self, run: Run, compared: Compared) -> Compared:
        if not run.setting.options.try_remedies:
            return compared
        await run.close()  # the trace has ended, and a GPU has memory for few pages
        return await with_remedies(compared)

    async def train(
        self, model: Any, inputs: Any, targets: Any, recipe: RecipeText, options: Options, observe: Observer = silent
    ) -> Report:
        """Train in Python and in the pages on the same batches; report where they diverge, what fails, and why.

        `inputs` and `targets` are paths or arrays. Errors are those of `compare` for invalid input, and UsageError for
        a model that Python or TF.js cannot train.
        """
        from ..training import Bench, read_arrays, setup_of, train_run

        recipe.check()
        working_on.set(_name(model))
        if litert := [runtime for runtime in options.runtimes if runtime.is_litert]:
            raise UsageError(f"{litert[0]} cannot train: LiteRT.js only predicts.", "Name runtimes of TF.js.")
        async with AsyncExitStack() as stack:
            cache = Cache(options.cache_dir, enabled=options.cache)
            stack.callback(cache.close)
            source = self.make_source(model, options, cache, self._shared.executor)
            stack.push_async_callback(source.close)
            signature = (await source.info()).signature
            given = open_inputs(inputs, signature) if isinstance(inputs, Path) else from_arrays(inputs, signature)
            wanted = read_arrays(targets) if isinstance(targets, Path) else targets
            loaded = await source.model()
            prepare = partial(setup_of, loaded, given, wanted, recipe)
            setup = await asyncio.get_running_loop().run_in_executor(self._shared.executor, prepare)
            self._shared.hosts.start(options)
            host_of = partial(self._shared.hosts.get, options)
            bench = Bench(
                options.runtimes, host_of, dict(options.flags), self._shared.executor, observe,
                may_leave_out="runtimes" not in options.named,
            )  # fmt: skip
            stack.push_async_callback(bench.close)
            return await train_run(
                bench, loaded, given, setup, options,
                try_remedies=recipe.try_remedies, gradients_only=recipe.gradients_only,
            )  # fmt: skip

    @asynccontextmanager
    async def opened(
        self,
        model: Any,
        options: Options,
        observe: Observer,
        *,
        inputs: Any = None,
        keeps_open: bool = False,
        prepares_trace: bool = False,
        brought: Mapping[RuntimeId, Brought] | None = None,
        spent_s: float = 0.0,
        prunes: bool = True,
    ) -> AsyncIterator[Run]:
        """Open a run of one model with its own resources, which are closed at the end in every case.

        At the end it `prunes` the cache to its size limit. The cache gets no result if a file of the model or of the
        `inputs` changes meanwhile.
        """
        options = with_runtimes_for(model, options)
        working_on.set(_name(model))

        def look() -> Stamps:
            return stamps([*model_places(model, options), *([inputs] if is_file else ())])

        is_file = (
            isinstance(inputs, Path) and inputs.is_file()
        )  # many files are read once, and the key is of the result

        begun = look()
        async with AsyncExitStack() as stack:
            cache = Cache(options.cache_dir, enabled=options.cache, is_valid=lambda: look() == begun)
            stack.callback(cache.close, prunes=prunes)
            source = self.make_source(model, options, cache, self._shared.executor)
            stack.push_async_callback(source.close)
            keep = PendingRun(options.save_run) if options.save_run else None
            if keep:
                stack.callback(keep.discard)
            setting = Setting(options, source, cache, self._shared, observe)
            answers = None if keeps_open else Answers(cache, self._shared.hosts, options)
            run = Run(
                setting, keep=keep, answers=answers, brought=brought, spent_s=spent_s, keeps_open=keeps_open,
                prepares_trace=prepares_trace,
            )  # fmt: skip
            stack.push_async_callback(run.close)
            yield run


def with_runtimes_for(model: Any, options: Options) -> Options:
    """Return the options with runtimes of LiteRT.js if MODEL is a .tflite file; UsageError if others were named."""
    if not isinstance(model, Path) or not is_tflite(model):
        return options
    if "runtimes" not in options.named:
        return replace(options, runtimes=LITERT_RUNTIMES)
    if others := [runtime for runtime in options.runtimes if not runtime.is_litert]:
        raise UsageError(
            f"{others[0]} cannot run {model}: it is of TF.js, and a .tflite file runs on LiteRT.js.",
            "Name runtimes of LiteRT.js, such as --runtime chromium:litert-wasm.",
        )
    return options


async def alone(work: Callable[[Workbench], Awaitable[T]]) -> T:
    """Do one piece of work in a workbench of its own."""
    async with Workbench() as bench:
        return await work(bench)


def rejudge(folder: Path, options: Options) -> Report:
    """Compare, diagnose and judge a saved run again, without TensorFlow and without a browser."""
    saved, store = open_run(folder)
    environments = {record.id: record.environment for record in saved.runtimes}
    options.tolerance.check_outputs([spec.name for spec in saved.model.signature.outputs])
    measurements = Measurements(saved.model.signature, options.tolerance, environments.get)
    whole = {record.id for record in saved.runtimes if record.status is RuntimeStatus.OK}
    class_runtime, double = saved.model.references
    size_runtime = double if double in whole else class_runtime
    for index, (start, count) in enumerate(zip(starts(saved.batch_sizes), saved.batch_sizes, strict=True)):
        classes = read_outputs(saved, store, class_runtime, index)
        size = classes if size_runtime == class_runtime else read_outputs(saved, store, size_runtime, index)
        measurements.add_reference(size_runtime, size, classes, start, count)
        for candidate in saved.candidates:
            if candidate in whole or store.has(candidate, index):  # a runtime that failed has its earlier batches
                outputs = read_outputs(saved, store, candidate, index)
                measurements.add(candidate, outputs, size, classes, start, count)
    repeated = [answer for answer in saved.evidence.changed_answers if answer.after != "kept"]
    for candidate in dict.fromkeys(answer.runtime for answer in repeated):
        first = read_outputs(saved, store, candidate, 0)
        classes = read_outputs(saved, store, class_runtime, 0)
        size = classes if size_runtime == class_runtime else read_outputs(saved, store, size_runtime, 0)
        for number in range(ANSWERS):
            again = read_outputs(saved, store, candidate, len(saved.batch_sizes) + number)
            measurements.add_answer(candidate, first, again, size, classes, saved.batch_sizes[0])
    report = conclude(saved, measurements, options)
    if noise := not_measured(report):  # the limits of the run were given
        measured = (*saved.evidence.quantization_noise, *noise)
        saved = replace(saved, evidence=replace(saved.evidence, quantization_noise=measured))
        report = conclude(saved, measurements, options)
    return with_pipeline(report, saved.pipeline, options) if saved.pipeline else report


def _name(model: Any) -> str:
    return str(model) if isinstance(model, Path) else f"a {type(model).__name__}"


def _reproducible(command: str, model: Any, inputs: Any, options: Options) -> Options:
    """Add the command that repeats the call to the options, unless they have one."""
    return options if options.command else replace(options, command=command_line(command, model, inputs, options))
