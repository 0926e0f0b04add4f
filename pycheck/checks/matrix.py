"""Runs the whole matrix in parallel, with one TensorFlow import and one start of each browser."""

from __future__ import annotations

import asyncio
import datetime
import shlex
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InternalError, PycheckError, UsageError
from ..gate import decide_check
from ..setup.releases import Release, page_with
from ..system.cache import Cache
from ..system.together import together
from ..types import CheckReport, Report, VariantFailure
from ..version import __version__
from ..workflow import pipeline
from ..workflow.pipeline import Workbench
from . import accepting, baseline_file
from .baseline_file import Baseline
from .configuration import Configuration
from .judging import Judge
from .reading import load
from .variants import Variant, expand

#: A function that receives progress: variant, runtime, the current step, finished samples, all samples.
Observer = Callable[[str, str, str, int, int], None]

#: The number of models that run at once. The cores bound the work of browsers; this number bounds the memory.
_AT_ONCE = 4


def _silent(variant: str, runtime: str, step: str, done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The variants to check. `whole` is True if these are all variants, each on all of its runtimes."""

    config: Configuration
    variants: tuple[Variant, ...]
    whole: bool = True
    command: str = ""

    @property
    def runtime_counts(self) -> dict[str, int]:
        """Count the runtimes of each variant, including those in Python."""
        return {variant.name: len(variant.options.runtimes) + _IN_PYTHON for variant in self.variants}


_IN_PYTHON = 2


def plan(
    path: Path | None,
    given: Mapping[str, Any],
    only: Sequence[str] = (),
    *,
    releases: Sequence[Release] = (),
    command: str = "",
) -> Plan:
    """Read the configuration in `path`, by default the nearest one above the current folder, and plan the variants.

    `given` and `releases` are those of the call; they override the file. UsageError names the wrong entry
    and its line.
    """
    config = load(path)
    whole = not only and not given.get("runtimes") and not releases
    here = shlex.join(["pycheck", "check", *only, *(["--config", str(path)] if path else [])])
    return Plan(config, expand(config, given, only, releases=releases), whole, command or here)


async def check(
    plan: Plan,
    observe: Observer = _silent,
    *,
    today: datetime.date | None = None,
    against_baseline: bool = True,
) -> CheckReport:
    """Run and judge every variant. An error of one variant is a failure in the report, and the others still run.

    InputError if the baseline cannot be read.
    """
    started = time.perf_counter()
    config = plan.config
    accepted = open_baseline(config) if against_baseline else None
    ran = await pipeline.alone(lambda bench: _run(bench, config, plan.variants, observe))
    judge = Judge(config, accepted, today or datetime.date.today())
    failures = []
    for variant in plan.variants:
        outcome = ran[variant.name]
        if isinstance(outcome, PycheckError):
            failures.append(VariantFailure(variant.name, outcome.message, outcome.advice, outcome.exit_code))
        elif mismatch := judge.take(outcome, variant):
            failures.append(mismatch)
    reports, findings = judge.reports(), judge.findings(whole=plan.whole and not failures)
    return CheckReport(
        pycheck_version=__version__,
        config=str(config.file),
        reports=reports,
        failures=tuple(failures),
        verdict=decide_check(reports, failures=failures, findings=findings),
        wall_s=time.perf_counter() - started,
        command=plan.command,
        findings=findings,
    )


def open_baseline(config: Configuration) -> Baseline | None:
    """Read the baseline; None if there is none and the configuration does not name one."""
    settings = config.baseline
    if not settings.file.exists():
        if settings.named:
            raise UsageError(
                f"The baseline {settings.file} does not exist.",
                "Write it from results that pass: pycheck baseline update",
            )
        return None
    return baseline_file.read(settings.file)


def accept(report: CheckReport, plan: Plan) -> str:
    """Write the results of a check to the baseline; return a line that says so.

    If the plan is a part of the matrix, the entries of other variants stay unchanged.
    """
    file = plan.config.baseline.file
    own = {variant.name for variant in plan.variants if not variant.release}
    reports = [r for r in report.reports if r.name in own]
    if not reports:
        raise UsageError(
            "Cannot update the baseline: it is of TF.js and LiteRT.js as pycheck contains them, and no variant ran "
            "with these."
        )
    old = baseline_file.read(file) if not plan.whole and file.exists() else None
    baseline_file.write(file, accepting.accept(old, reports, pycheck=__version__))
    outputs = sum(not c.is_noise_floor for r in reports for c in r.comparisons)
    counted = (f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((outputs, "output"), (len(reports), "variant")))
    excused = sum(c.excused is not None for r in reports for c in r.comparisons)
    return f"{file}: {' of '.join(counted)} accepted{f', including {excused} excused' if excused else ''}"


# --- running


async def _run(
    bench: Workbench, config: Configuration, variants: Sequence[Variant], observe: Observer
) -> dict[str, Report | PycheckError]:
    outcomes: dict[str, Report | PycheckError] = {}
    at_once = asyncio.Semaphore(_AT_ONCE)
    timed = [v for v in variants if _is_timed(config, v)]
    by_model: dict[str, list[Variant]] = {}
    for variant in variants:
        if variant not in timed:
            by_model.setdefault(variant.entry.name, []).append(variant)
    async with _pages(variants) as pages:

        async def one(variant: Variant) -> None:
            outcomes[variant.name] = await _compare(bench, variant, pages, observe)

        async def in_turn(same_model: Sequence[Variant]) -> None:
            async with at_once:  # the first variant caches the results in Python for the others
                for variant in same_model:
                    await one(variant)

        await together(in_turn(group) for group in by_model.values())
        if timed:
            async with bench.one_at_a_time():
                for variant in timed:  # a time is measured anew
                    await one(replace(variant, options=replace(variant.options, fresh=True)))
    return outcomes


def _is_timed(config: Configuration, variant: Variant) -> bool:
    return any(b.latency is not None and b.where.takes_variant(variant.name) for b in config.budgets)


class _Pages:
    """The pages with other releases of TF.js or LiteRT.js, each built once."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._building: dict[Release, asyncio.Task[Path]] = {}

    async def of(self, release: Release) -> Path:
        """Return the folder of a page; PycheckError if it cannot be built."""
        if release not in self._building:
            building = asyncio.to_thread(page_with, release.text, self._cache, release.library)
            self._building[release] = asyncio.create_task(building)
        return await asyncio.shield(self._building[release])


@asynccontextmanager
async def _pages(variants: Sequence[Variant]) -> AsyncIterator[_Pages]:
    cache = Cache(variants[0].options.cache_dir, enabled=variants[0].options.cache) if variants else Cache()
    try:
        yield _Pages(cache)
    finally:
        cache.close()


async def _compare(bench: Workbench, variant: Variant, pages: _Pages, observe: Observer) -> Report | PycheckError:
    def tell(runtime: str, step: str, done: int, total: int) -> None:
        observe(variant.name, runtime, step, done, total)

    options = variant.options
    try:
        if variant.release:
            observe(variant.name, variant.release.library.key, "building", 0, 0)
            options = replace(options, page=await pages.of(variant.release))
            observe(variant.name, variant.release.library.key, "ok", 0, 0)
        report = await bench.compare(variant.entry.path, variant.entry.inputs, options, tell)
    except PycheckError as error:
        observe(variant.name, "", "failed", 0, 0)
        return error
    except OSError as error:  # such as a full disk
        observe(variant.name, "", "failed", 0, 0)
        return UsageError(f"{error.strerror or error}: {error.filename or 'while writing'}")
    except Exception as error:  # the other models can still run
        observe(variant.name, "", "failed", 0, 0)
        return InternalError(error)
    observe(variant.name, "", "done", 0, 0)
    return replace(report, name=variant.name)
