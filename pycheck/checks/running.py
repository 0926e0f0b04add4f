"""Runs variants in parallel, with one TensorFlow import and one start of each browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from ..errors import of_run
from ..options.values import Options
from ..setup.releases import Release, page_with
from ..system.cache import Cache
from ..system.together import together
from ..types import Report, VariantFailure
from ..workflow import pipeline
from ..workflow.pipeline import Workbench
from .configuration import Configuration
from .scope import Outcome, is_timed
from .variants import Variant

#: A function that receives progress: variant, runtime, the current step, finished samples, all samples.
Observer = Callable[[str, str, str, int, int], None]

#: The number of models that run at once. The cores bound the work of browsers; this number bounds the memory.
_AT_ONCE = 4


def silent(variant: str, runtime: str, step: str, done: int, total: int) -> None:
    """Ignore progress."""


def keep_nothing(outcome: Outcome) -> None:
    """Do not save a result."""


async def run(
    config: Configuration,
    variants: Sequence[Variant],
    observe: Observer = silent,
    keep: Callable[[Outcome], None] = keep_nothing,
    bench: Workbench | None = None,
) -> Mapping[str, Outcome]:
    """Run every variant, and return the results by name; `keep` receives each as soon as it is there.

    An error of one variant is its result, and the others still run. Without `bench` they have one of their own.
    """

    async def work(bench: Workbench) -> Mapping[str, Outcome]:
        return await _run(bench, config, variants, observe, keep)

    return await (work(bench) if bench else pipeline.alone(work))


async def _run(
    bench: Workbench,
    config: Configuration,
    variants: Sequence[Variant],
    observe: Observer,
    keep: Callable[[Outcome], None],
) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    at_once = asyncio.Semaphore(_AT_ONCE)
    timed: list[Variant] = []
    by_model: dict[str, list[Variant]] = {}
    for variant in variants:
        together_with = timed if is_timed(config, variant.name) else by_model.setdefault(variant.entry.name, [])
        together_with.append(variant)
    async with pages_for(variants) as pages:

        async def one(variant: Variant) -> None:
            outcomes[variant.name] = outcome = await _compare(bench, variant, pages, observe)
            keep(outcome)

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


class Pages:
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
async def pages_for(variants: Sequence[Variant]) -> AsyncIterator[Pages]:
    """Open the pages with other releases of the variants."""
    cache = Cache(variants[0].options.cache_dir, enabled=variants[0].options.cache) if variants else Cache()
    try:
        yield Pages(cache)
    finally:
        cache.close()


async def _compare(bench: Workbench, variant: Variant, pages: Pages, observe: Observer) -> Outcome:
    outcome = await outcome_of(variant.name, _report(bench, variant, pages, observe))
    observe(variant.name, "", "failed" if isinstance(outcome, VariantFailure) else "done", 0, 0)
    return outcome


async def outcome_of(name: str, running: Awaitable[Report]) -> Outcome:
    """Return the report of a variant with its name, or its error: the other models can still run."""
    try:
        return replace(await running, name=name)
    except Exception as error:
        failed = of_run(error)
        return VariantFailure(name, failed.message, failed.advice, failed.exit_code)


async def _report(bench: Workbench, variant: Variant, pages: Pages, observe: Observer) -> Report:
    def tell(runtime: str, step: str, done: int, total: int) -> None:
        observe(variant.name, runtime, step, done, total)

    options = await with_page(variant, pages, observe)
    return await bench.compare(variant.entry.path, variant.entry.inputs, options, tell)


async def with_page(variant: Variant, pages: Pages, observe: Observer) -> Options:
    """Return the options of a variant, with the page of its release; PycheckError if that cannot be built."""
    if not variant.release:
        return variant.options
    observe(variant.name, variant.release.library.key, "building", 0, 0)
    options = replace(variant.options, page=await pages.of(variant.release))
    observe(variant.name, variant.release.library.key, "ok", 0, 0)
    return options
