"""What is done again and again: a compare of one model, or a check of a configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .. import checks
from ..checks.running import run as run_variants
from ..options.file import NAME, find
from ..options.reading import build
from ..options.values import Options
from ..system.stamps import Stamps, stamps
from ..types import CheckReport, Report
from ..workflow.pipeline import Workbench
from ..workflow.places import input_places, model_places, python_places, script_places
from ..workflow.run import First

Result = Report | CheckReport


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work, planned by the options and the configuration as they are now.

    Attributes:
        run: Does it once; `first` may get the report before it is complete.
        warm: Prepares the next run while nothing runs.
        places: Lists the files that it reads, as they are at the time of the call.
        read: The stamps of the files that it was planned by, taken before they were read.
    """

    run: Callable[[First | None], Coroutine[Any, Any, Result]]
    warm: Callable[[], Awaitable[None]]
    places: Callable[[], Iterable[Path]]
    read: Stamps


def compare_job(
    bench: Workbench,
    model: Path,
    inputs: Path | list[Path] | None,
    given: Mapping[str, Any],
    command: str,
    progress: Callable[[], AbstractContextManager[Any]],
) -> Job:
    """Plan a compare; the parameters are those of `pycheck compare`. UsageError for an invalid option."""
    read = stamps(_settings())
    options = build(given, has_inputs=inputs is not None, command=command)

    async def run(first: First | None) -> Report:
        with progress() as observe:
            return await bench.compare(model, inputs, options, observe, first)

    def places() -> Iterator[Path]:
        yield from read
        yield from _of_run(model, inputs, options)

    return Job(run, lambda: bench.warm([(model, options)]), places, read)


def check_job(
    bench: Workbench,
    config: Path | None,
    only: Sequence[str],
    given: Mapping[str, Any],
    progress: Callable[[Mapping[str, int]], AbstractContextManager[Any]],
) -> Job:
    """Plan a check; the parameters are those of `pycheck check`. UsageError for an invalid configuration or option."""
    read = stamps([config] if config else _settings())
    plan = checks.plan(config, given, only)

    async def run(first: First | None) -> CheckReport:
        with progress(plan.runtime_counts) as observe:
            return await checks.check(plan, observe, runner=partial(run_variants, bench=bench))

    def places() -> Iterator[Path]:
        yield from read
        yield plan.config.baseline.file
        for variant in plan.variants:
            yield from _of_run(variant.entry.path, variant.entry.inputs, variant.options)

    return Job(run, lambda: bench.warm([(v.entry.path, v.options) for v in plan.variants]), places, read)


def _settings() -> list[Path]:
    """Return the configuration of this folder, and the file that would replace it."""
    found = find(Path())
    return list(dict.fromkeys([Path(NAME), *([found.path] if found else [])]))


def _of_run(model: Path, inputs: Path | list[Path] | None, options: Options) -> Iterator[Path]:
    yield from model_places(model, options)
    yield from input_places(inputs)
    yield from script_places(options)
    yield from python_places(options)  # the modules that they import are known after the import
