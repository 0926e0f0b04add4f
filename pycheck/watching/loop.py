"""Runs a job, tells its answer, waits for a change, and runs it again; an answer is never of an old file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

from ..errors import PycheckError, of_run
from ..system.stamps import stamps
from ..types import CheckReport, Report
from ..workflow.run import First
from .changes import Changes
from .jobs import Job, Result
from .modules import OwnModules

#: An error within so many seconds after a change may be that of a file that is not written completely.
_SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run gave.

    Attributes:
        outcome: The report, or why there is none.
        before: The last report before, if there is one.
        changed: The files that changed since the last answer.
        took_s: The seconds since the change was seen.
        is_complete: Whether the report will stay as it is; otherwise its verdict will, and the power follows.
    """

    outcome: Result | PycheckError
    before: Result | None
    changed: tuple[Path, ...]
    took_s: float
    is_complete: bool = True
    at: datetime = field(default_factory=datetime.now)


@dataclass(frozen=True, slots=True)
class Running:
    """A run begins, because these files changed."""

    changed: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing runs until one of these files changes."""

    files: tuple[Path, ...]


Event = Running | Answer | Waiting


@dataclass(frozen=True, slots=True)
class _Cause:
    """Why a run begins, and when that was seen."""

    changed: tuple[Path, ...]
    began: float


class Watch:
    """Watches one job.

    `plan` reads the options and the configuration again for each run. `tell` is called with each event.
    """

    def __init__(
        self, plan: Callable[[], Job], changes: Changes, tell: Callable[[Event], None], settle_s: float = _SETTLE_S
    ) -> None:
        self._plan = plan
        self._changes = changes
        self._tell = tell
        self._settle_s = settle_s
        self._modules = OwnModules()
        self._before: Result | None = None
        self._first: Report | None = None  # of a run whose report is not complete
        self._warming: asyncio.Task[None] | None = None

    async def run(self) -> NoReturn:
        """Answer until cancelled. UsageError if the first plan is not possible; later ones are told."""
        job, changed, began = self._plan(), set[Path](), time.perf_counter()
        try:
            while True:
                modules = self._modules.files  # a run that imports more is not cancelled by them
                changed |= set(await self._changes.begin(partial(_places, job, modules), job.read))
                if changed.intersection(modules):
                    self._modules.forget()
                self._tell(Running(tuple(sorted(changed))))
                if more := await self._answer(job, _Cause(tuple(sorted(changed)), began)):
                    changed |= set(more)
                else:
                    self._tell(Waiting(self._changes.files))
                    self._warm(job)
                    changed, began = set(await self._changes.next()), time.perf_counter()
                job = self._planned_again(job)
        finally:
            if self._warming:
                self._warming.cancel()
                await asyncio.gather(self._warming, return_exceptions=True)

    async def _answer(self, job: Job, cause: _Cause) -> tuple[Path, ...]:
        """Run and tell the answer; instead, return files that changed before it, because then it is of an old file."""

        async def first(report: Report) -> None:
            if not await self._changes.now():
                self._first = report
                self._tell(Answer(report, self._before, cause.changed, time.perf_counter() - cause.began, False))

        # An incomplete answer counts as the last one only if its run has been cancelled.
        self._before, self._first = self._first or self._before, None
        began = time.time()
        running = asyncio.ensure_future(_outcome(job, first if self._before else None))
        changing = asyncio.ensure_future(self._changes.next())
        try:
            await asyncio.wait({running, changing}, return_when=asyncio.FIRST_COMPLETED)
            if changing.done():
                return changing.result()
            outcome = running.result()
            await self._changes.extend(self._modules.files, began)
            if cause.changed and _may_be_of_half_a_file(outcome):
                await asyncio.wait({changing}, timeout=self._settle_s)
            if more := await self._changes.now():
                return more
        finally:
            for task in (running, changing):
                task.cancel()
            await asyncio.gather(running, changing, return_exceptions=True)
        self._tell(Answer(outcome, self._before, cause.changed, time.perf_counter() - cause.began))
        self._first = None
        if not isinstance(outcome, PycheckError):
            self._before = outcome
        return ()

    def _planned_again(self, job: Job) -> Job:
        """Return the job by the present configuration, or one that fails with the error in that."""
        read = stamps(job.read)
        try:
            return self._plan()
        except PycheckError as error:
            wrong = error

        async def fail(_: First | None) -> Result:
            raise wrong

        return Job(fail, job.warm, job.places, read)

    def _warm(self, job: Job) -> None:
        if self._warming is None or self._warming.done():
            self._warming = asyncio.ensure_future(_warmed(job))


def _places(job: Job, modules: Iterable[Path]) -> Iterator[Path]:
    yield from job.places()
    yield from modules


async def _warmed(job: Job) -> None:
    with suppress(PycheckError):  # the next run says what is wrong
        await job.warm()


async def _outcome(job: Job, first: First | None) -> Result | PycheckError:
    try:
        return await job.run(first)
    except Exception as error:  # the next change may end it
        return of_run(error)


def _may_be_of_half_a_file(outcome: Result | PycheckError) -> bool:
    return isinstance(outcome, PycheckError) or (isinstance(outcome, CheckReport) and bool(outcome.failures))
