"""Spreads the variants of a check over the workers of a cluster, part by part.

Python's part of a variant is its conversion and its results, each runtime is a part, and the conclusion judges them.
Dask runs the part of a worker that died again elsewhere. A variant of which a part fails runs again as a whole, so that
its error is that of one machine.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from ..checks.configuration import Configuration
from ..checks.running import Observer, Pages, keep_nothing, outcome_of, pages_for, run, silent, with_page
from ..checks.scope import Outcome, is_timed
from ..checks.variants import Variant
from ..errors import RuntimeFailedError
from ..options.values import Options
from ..report.codec import decode
from ..system.cache import content_key
from ..system.together import together
from ..types import Report, VariantFailure
from ..workflow.pipeline import Workbench
from . import tasks
from .connecting import Cluster, connected
from .dividing import Work, check_variants, is_divided, runtimes_of
from .members import PYTHON, engine_resource, fitting_worker
from .parcels import Parcel, given_paths, parcel_of

#: After this time without a worker that can do a part, it fails.
PATIENCE_S = 60.0
_POLL_S = 2.0
#: What is done first of what can be done: the sooner a variant is complete, the less is in memory.
_CONCLUDING, _ANSWERING = 20, 10


class LostError(RuntimeFailedError):
    """The scheduler, or every worker that could do a part, has ended."""


async def spread(
    where: str,
    config: Configuration,
    variants: Sequence[Variant],
    observe: Observer = silent,
    keep: Callable[[Outcome], None] = keep_nothing,
    *,
    note: Callable[[str], None],
) -> Mapping[str, Outcome]:
    """Run every variant on the cluster at `where`, and return the results by name, as checks/running.py does.

    What is missing because the cluster ended is a failure that says so. Errors of `connected`, and UsageError for a
    variant that cannot run on a cluster.
    """
    is_here = where == "local"
    check_variants(variants, is_here=is_here)
    kept = await _kept(config, variants, observe, keep) if is_here else {}
    variants = [variant for variant in variants if variant.name not in kept]
    return {**kept, **await _spread(where, config, variants, observe, keep, note)}


async def _kept(
    config: Configuration, variants: Sequence[Variant], observe: Observer, keep: Callable[[Outcome], None]
) -> Mapping[str, Outcome]:
    """Return the results of the variants that this machine has in the cache, for which no worker need start."""
    async with Workbench() as bench:
        known = [
            variant
            for variant in variants
            if is_divided(variant.options)
            and not (variant.release or is_timed(config, variant.name))
            and await bench.is_kept(variant.entry.path, variant.entry.inputs, variant.options)
        ]
        return await run(config, known, observe, keep, bench)


async def _spread(
    where: str,
    config: Configuration,
    variants: Sequence[Variant],
    observe: Observer,
    keep: Callable[[Outcome], None],
    note: Callable[[str], None],
) -> Mapping[str, Outcome]:
    if not variants:
        return {}
    runtimes = tuple(dict.fromkeys(runtime for variant in variants for runtime in variant.options.runtimes))
    async with (
        connected(where, replace(variants[0].options, runtimes=runtimes), note) as cluster,
        pages_for(variants) as pages,
    ):
        return await _Spread(cluster, config, pages, observe, keep).run(variants)


@dataclass(slots=True, weakref_slot=True)
class _Held:
    """A future that is shared, and freed when nothing needs it."""

    future: Any


class _Spread:
    """One check on a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        config: Configuration,
        pages: Pages,
        observe: Observer,
        keep: Callable[[Outcome], None],
    ) -> None:
        self._cluster = cluster
        self._config = config
        self._pages = pages
        self._observe = observe
        self._keep = keep
        self._outcomes: dict[str, Outcome] = {}
        self._shared: WeakValueDictionary[str, _Held] = WeakValueDictionary()
        loop = asyncio.get_running_loop()
        engines = {engine for member in cluster.members.values() for engine in member.engines}
        #: Of each resource a future, which is done with the reason when no worker has it any more.
        self._gone: dict[str, asyncio.Future[str]] = {
            name: loop.create_future() for name in (PYTHON, *map(engine_resource, sorted(engines)))
        }
        self._number = 0

    async def run(self, variants: Sequence[Variant]) -> dict[str, Outcome]:
        """Run all variants: the timed ones at the end, one after the other, while nothing else runs."""
        self._cluster.client.subscribe_topic(self._cluster.token, self._receive)
        watching = asyncio.ensure_future(self._watch())
        at_once = asyncio.Semaphore(max(4, 2 * self._cluster.threads))  # the others would only take memory

        async def one(variant: Variant, *, timed: bool = False) -> None:
            async with at_once:
                outcome = await self._outcome(variant, timed=timed)
            self._outcomes[variant.name] = outcome
            self._keep(outcome)
            self._observe(variant.name, "", "failed" if isinstance(outcome, VariantFailure) else "done", 0, 0)

        timed = [variant for variant in variants if is_timed(self._config, variant.name)]
        try:
            await together(one(variant) for variant in variants if variant not in timed)
            for variant in timed:
                await one(variant, timed=True)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        return self._outcomes

    def _receive(self, event: tuple[float, Sequence[Any]]) -> None:
        """Show progress, unless the variant is complete."""
        variant, runtime, step, done, total = event[1]
        if variant not in self._outcomes:
            self._observe(variant, runtime, step, done, total)

    async def _watch(self) -> None:
        """Look again and again which resources are left."""
        since: dict[str, float] = {}
        while True:
            now = time.monotonic()
            try:
                workers = await self._cluster.resources()
            except Exception:  # the scheduler has ended or will answer again; futures say which
                workers = {}
            there = {name for of_worker in workers.values() for name, count in of_worker.items() if count}
            for name, gone in self._gone.items():
                if name in there:
                    since.pop(name, None)
                elif now - since.setdefault(name, now) > PATIENCE_S and not gone.done():
                    what = "TensorFlow" if name == PYTHON else name.partition(":")[2]
                    gone.set_result(f"No worker with {what} is left.")
            await asyncio.sleep(_POLL_S)

    async def _outcome(self, variant: Variant, *, timed: bool) -> Outcome:
        try:
            options = await with_page(variant, self._pages, self._observe)
            work, contents = await self._work(variant, options)
            if timed:
                work = replace(work, options=replace(options, fresh=True))
            if timed or not is_divided(options):
                return await self._whole(work, contents, timed=timed)
            try:
                return await self._in_parts(work, contents)
            except tasks.PartFailedError:
                return await self._whole(work, contents)
        except Exception as error:
            return await outcome_of(variant.name, _raising(self._explained(error, variant)))

    async def _work(self, variant: Variant, options: Options) -> tuple[Work, list[_Held]]:
        """Return what a worker needs of a variant, with the contents of its files."""
        model, inputs = variant.entry.path, variant.entry.inputs
        parcels: list[Parcel] = []
        contents: list[_Held] = []
        for path in () if self._cluster.is_here else dict.fromkeys(given_paths(model, inputs, options)):
            parcel, files = await asyncio.to_thread(parcel_of, path)
            parcels.append(parcel)
            contents.append(self._once(parcel.key, partial(self._submit, "files", tasks.hold, files)))
        cluster = self._cluster
        work = Work(
            variant.name, model, inputs, options, cluster.token, cluster.packages, cluster.is_here, tuple(parcels)
        )
        return work, contents

    async def _in_parts(self, work: Work, contents: list[_Held]) -> Outcome:
        began = time.perf_counter()
        packed, files = pickle.dumps(work), [held.future for held in contents]
        converted = self._submit("convert", tasks.convert, packed, files, resources={PYTHON: 1})
        make = partial(self._submit, "Python", tasks.refer, packed, files, resources={PYTHON: 1})
        referred = self._once(_reference_key(work), make)
        answers = {
            runtime: asyncio.ensure_future(self._answer(packed, files, converted, runtime))
            for runtime in runtimes_of(work)
        }
        try:
            await self._done(converted, [PYTHON])
            await self._done(referred.future, [PYTHON])
            ends = dict(zip(answers, await asyncio.gather(*answers.values()), strict=True))
        finally:
            for each in answers.values():
                each.cancel()
            await asyncio.gather(*answers.values(), return_exceptions=True)
        concluded = self._submit(
            "judge",
            tasks.conclude,
            packed,
            files,
            [converted, referred.future],
            [end for end in ends.values() if not isinstance(end, str)],
            {runtime: end for runtime, end in ends.items() if isinstance(end, str)},
            time.perf_counter() - began,
            resources={PYTHON: 1},
            priority=_CONCLUDING,
        )
        return await self._received(concluded, [PYTHON])

    async def _answer(self, work: bytes, files: list[Any], converted: Any, runtime: str) -> Any:
        """Run one runtime; return the future of its answers, or why it has none: its workers died, or all of them."""
        resource = engine_resource(runtime.rpartition(":")[0])
        needed = [resource if resource in self._gone else PYTHON]  # any worker says that it has no browser
        submit = partial(self._submit, runtime, tasks.answer, work, files, converted, runtime, priority=_ANSWERING)
        able = [member for member in self._cluster.members.values() if resource in member.resources]
        future = submit(is_last=len(able) < 2, resources={needed[0]: 1})
        try:
            try:
                await self._done(future, needed)
            except tasks.NotHereError as error:
                others = [w for w, has in (await self._cluster.resources()).items() if resource in has]
                others = [address for address in others if address != error.args[0]]
                future = submit(is_last=True, resources={needed[0]: 1}, workers=others or None)
                await self._done(future, needed)
        except LostError as error:
            return error.message
        except Exception as error:
            if deaths := _deaths(error):
                return f"{deaths} workers died while it ran."
            raise
        return future

    async def _whole(self, work: Work, contents: list[_Held], *, timed: bool = False) -> Outcome:
        # Each worker of this machine has every browser, whatever its share is.
        engines = [] if work.is_here else [runtime.engine for runtime in work.options.runtimes]
        resources = fitting_worker(engines, self._cluster.members)
        files = [held.future for held in contents]
        future = self._submit("whole", tasks.whole, pickle.dumps(work), files, is_timed=timed, resources=resources)
        return await self._received(future, list(resources))

    async def _received(self, future: Any, needed: Sequence[str]) -> Outcome:
        await self._done(future, needed)
        data = json.loads(await future.result())
        outcome: Outcome = (
            decode(data["report"], Report) if "report" in data else decode(data["failure"], VariantFailure)
        )
        return outcome

    def _submit(self, name: str, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
        self._number += 1
        key = (name, self._cluster.token, self._number)  # Dask groups by the first
        return self._cluster.client.submit(function, *args, key=key, pure=False, **more)

    def _once(self, key: str, make: Callable[[], Any]) -> _Held:
        """Return what is shared by this key, and make it if nothing has it."""
        held = self._shared.get(key)
        if held is None or held.future.status in ("error", "cancelled", "lost"):
            held = self._shared[key] = _Held(make())
        return held

    async def _done(self, future: Any, needed: Sequence[str]) -> None:
        """Wait for the end of a part, and raise its error. LostError if nothing can do it any more."""
        waiting = asyncio.ensure_future(future.exception())
        gone = [self._gone[name] for name in needed if name in self._gone]
        try:
            await asyncio.wait({waiting, *gone}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                with suppress(Exception):
                    await future.cancel()
                raise LostError(next(each.result() for each in gone if each.done()))
            if error := waiting.result():
                raise error
            if future.status != "finished":
                raise LostError(f"The Dask scheduler at {self._cluster.address} ended.")
        finally:
            waiting.cancel()

    def _explained(self, error: Exception, variant: Variant) -> Exception:
        """Return the error of a variant as the user should read it."""
        again = f"Run what is missing again: pycheck check {variant.name} --dask {self._cluster.address}"
        if isinstance(error, LostError):
            return RuntimeFailedError(f"{error.message} This variant was not complete.", again)
        if deaths := _deaths(error):
            return RuntimeFailedError(
                f"{deaths} workers died while they ran this variant.",
                "The logs of the workers say why; often the memory of their machine is full.",
            )
        if isinstance(error, OSError) and self._cluster.client.status != "running":
            return RuntimeFailedError(f"The Dask scheduler at {self._cluster.address} ended.", again)
        return error


def _deaths(error: Exception) -> int:
    """Return how many workers died during a part, after which Dask gave it up; 0 if that is not the error."""
    from distributed import KilledWorker

    return int(error.allowed_failures) + 1 if isinstance(error, KilledWorker) else 0


async def _raising(error: Exception) -> Report:
    raise error


def _reference_key(work: Work) -> str:
    """Return what is equal for variants with the same results in Python: they differ in artifacts and limits only."""
    plain = Options()
    others = ("format", "quantize", "keep_float", "converter", "tfjs_model", "map_output", "rules", "page", "command",
              "runtimes", "rtol", "atol", "max_ulp", "nan", "flags", "cpu_kernels",
              "isolated")  # fmt: skip
    options = replace(work.options, **{name: getattr(plain, name) for name in others})
    has_litert = any(runtime.is_litert for runtime in work.options.runtimes)
    return content_key(
        str(work.model), str(work.inputs), has_litert, repr(options), sorted(options.named & {"batch_size"})
    )
