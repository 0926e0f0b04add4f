"""Does the parts of a variant on a worker."""

from __future__ import annotations

import functools
import json
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..checks.running import outcome_of
from ..checks.scope import Outcome
from ..errors import PycheckError, RuntimeUnavailableError
from ..options.reading import named
from ..options.values import Options
from ..report.codec import encode
from ..runtimes.browser.harness import Harness
from ..system import installed
from ..system.cache import Cache
from ..types import RuntimeId, RuntimeRecord, RuntimeStatus, VariantFailure
from ..version import __version__
from ..workflow import apart
from ..workflow.answers import page_digest
from ..workflow.brought import Brought, Told
from ..workflow.pipeline import Workbench
from ..workflow.run import Run
from ..workflow.setting import Observer, silent
from ..workflow.versions import own_code
from .dividing import Work
from .members import Member, share_of
from .parcels import files_of, named_as, pack, unpack, unpack_entries, write_files
from .tasks import Files, NotHereError, PartFailedError
from .workplace import here

T = TypeVar("T")

#: The least seconds between two messages about the progress of one runtime in one step.
_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class _Placed:
    """A variant with its files on this worker. `paths` are these by those that the user gave."""

    model: Path
    inputs: Path | None
    options: Options
    cache: Cache
    paths: Mapping[Path, Path]


def look(asked: bytes, name: Any = None) -> Member:
    """Describe this process: its versions, and of which of the engines that `asked` has (options) it has a browser.

    `asked` has the number of workers of a cluster on this machine, else 0; there `name` is the number of this one, and
    it has only its share of the engines.
    """
    options: Options | None
    options, workers = pickle.loads(asked)
    engines: tuple[str, ...] = ()
    if options:
        own = _own(options, is_here=workers > 0)
        every = dict.fromkeys(runtime.engine for runtime in options.runtimes)
        engines = tuple(engine for engine in every if _has_browser(own, engine))
        if workers:
            engines = share_of(engines, name, workers)
    try:
        page = page_digest(Harness.read())
    except RuntimeUnavailableError:
        page = ""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Member(__version__, python, own_code(), page, installed.versions(), engines)


def _has_browser(options: Options, engine: str) -> bool:
    choice = options.browser(engine)
    return Workbench.identify(engine, path=choice.path, headed=options.headed, args=choice.args) is not None


def convert(work: bytes, contents: Sequence[Files]) -> Files:
    """Convert the model."""
    return _made(work, contents, apart.convert)


def refer(work: bytes, contents: Sequence[Files]) -> Files:
    """Compute the results in Python."""
    return _made(work, contents, apart.refer)


def _made(work: bytes, contents: Sequence[Files], part: Callable[[Run, Any], Coroutine[Any, Any, None]]) -> Files:
    asked: Work = pickle.loads(work)

    async def doing(bench: Workbench, observe: Observer) -> Files:
        with _placed(asked, contents) as placed:
            async with bench.opened(placed.model, placed.options, observe, inputs=placed.inputs, prunes=False) as run:
                await part(run, placed.inputs)
                return pack(run.setting.cache)

    return _part(asked, doing)


def answer(work: bytes, contents: Sequence[Files], converted: Files, runtime: str, *, is_last: bool) -> Files:
    """Run one runtime."""
    asked: Work = pickle.loads(work)

    async def doing(bench: Workbench, observe: Observer) -> Files:
        with _placed(asked, contents, [converted]) as placed, tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
            async with bench.opened(placed.model, placed.options, observe, inputs=placed.inputs, prunes=False) as run:
                record = await apart.answer(run, placed.inputs, RuntimeId.parse(runtime), Path(folder))
            if record.status is RuntimeStatus.UNAVAILABLE and not is_last:
                raise NotHereError(record.error)
            return files_of(Path(folder))

    return _part(asked, doing)


def conclude(
    work: bytes,
    contents: Sequence[Files],
    parts: Sequence[Files],
    answers: Sequence[Files],
    ended: Mapping[str, str],
    spent_s: float,
) -> bytes:
    """Judge by the results of the parts."""
    asked: Work = pickle.loads(work)

    async def doing(bench: Workbench, observe: Observer) -> bytes:
        with ExitStack() as stack:
            placed = stack.enter_context(_placed(asked, contents, parts))
            brought = [_dead(RuntimeId.parse(runtime), error) for runtime, error in ended.items()]
            for files in answers:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycheck-")))
                write_files(folder, files)
                brought.append(Brought.of(folder))
            report = await bench.compare(
                placed.model,
                placed.inputs,
                placed.options,
                silent,  # the runtimes have told their progress
                brought={each.id: each for each in brought},
                spent_s=spent_s,
            )
            return _told(replace(report, name=asked.name), placed.paths)

    return _part(asked, doing)


def whole(work: bytes, contents: Sequence[Files], *, is_timed: bool) -> bytes:
    """Run a variant as on one machine; with `is_timed` one runtime after the other."""
    asked: Work = pickle.loads(work)

    async def doing(bench: Workbench, observe: Observer) -> bytes:
        with _placed(asked, contents) as placed:
            comparing = bench.compare(placed.model, placed.inputs, placed.options, observe)
            if not is_timed:
                return _told(await outcome_of(asked.name, comparing), placed.paths)
            async with bench.one_at_a_time():
                return _told(await outcome_of(asked.name, comparing), placed.paths)

    return _do(asked, doing)


def _do(work: Work, doing: Callable[[Workbench, Observer], Coroutine[Any, Any, T]]) -> T:
    observe = _observer(work)
    return here().do(work.token, lambda bench: doing(bench, observe))


def _part(work: Work, doing: Callable[[Workbench, Observer], Coroutine[Any, Any, T]]) -> T:
    """Do a part; PartFailedError for each error of pycheck or the system, so that Dask carries only a text."""
    try:
        return _do(work, doing)
    except (PycheckError, OSError) as error:
        raise PartFailedError(f"{type(error).__name__}: {error}") from None


@contextmanager
def _placed(work: Work, contents: Sequence[Files], parts: Sequence[Files] = ()) -> Iterator[_Placed]:
    """Put the files of a variant, and the entries that earlier parts made, into the cache of this worker."""
    options = _own(work.options, is_here=work.is_here)
    root = options.cache_dir if work.options.cache else here().folder(work.token)
    cache = Cache(root)
    try:
        if not _has_tensorflow():
            cache.note("versions", work.packages)  # the keys of what the others made have these
        paths = {p.given: unpack(cache, p, files) for p, files in zip(work.parcels, contents, strict=True)}
        for files in parts:
            unpack_entries(cache, files)

        def here_(path: Path | None) -> Any:
            return path and paths.get(path, path)

        page, tfjs, tflite = map(here_, (options.page, options.tfjs_model, options.tflite_model))
        options = replace(options, cache=True, cache_dir=root, page=page, tfjs_model=tfjs, tflite_model=tflite)
        yield _Placed(here_(work.model), here_(work.inputs), options, cache, paths)
    finally:
        cache.close(prunes=False)  # the conclusion does


@functools.cache
def _has_tensorflow() -> bool:
    return installed.find("tensorflow") is not None


def _own(options: Options, *, is_here: bool) -> Options:
    """Return the options with the browsers and the cache of this worker, as its environment names them."""
    if is_here:
        return options
    own = named({}, {})
    return replace(options, browser_path=own.get("browser_path", ()), cache_dir=own.get("cache_dir"))


def _dead(runtime: RuntimeId, error: str) -> Brought:
    return Brought(Told(RuntimeRecord(runtime, RuntimeStatus.FAILED, None, {}, error)))


def _told(outcome: Outcome, paths: Mapping[Path, Path]) -> bytes:
    kind = "failure" if isinstance(outcome, VariantFailure) else "report"
    return json.dumps({kind: named_as(paths, encode(outcome))}, allow_nan=False).encode()


def _observer(work: Work) -> Observer:
    """Return what sends the progress of a variant to the process that asked for it."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:  # this is no worker
        return lambda *_: None
    last: dict[str, tuple[str, float]] = {}

    def observe(runtime: str, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        was, at = last.get(runtime, ("", 0.0))
        if step != was or now - at >= _PAUSE_S or done == total:
            last[runtime] = (step, now)
            worker.log_event(work.token, [work.name, runtime, step, done, total])

    return observe
