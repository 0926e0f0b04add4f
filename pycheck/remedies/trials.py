"""Runs each trial once, within limits of number and time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ..errors import PycheckError
from ..gate import decide
from ..options.values import Options
from ..types import ArtifactInfo, Comparison, Environment, Outcome, Report, RuntimeId, Verdict
from .failure import failing, outcome
from .searching import ExhaustedError
from .trial import Trial

#: The most trials of one search; ddmin finds two culprits among forty kernels with fewer.
MOST_TRIALS = 32
#: The most seconds for all searches on one runtime.
MOST_SECONDS = 300.0

Observer = Callable[[str, str, int, int], None]


class Trials:
    """Runs trials with `run`, which takes a trial through the same stages as the failed run.

    `begin` starts one search, and `begin_runtime` the searches on one runtime; ExhaustedError ends a search whose
    trials or time are used up.
    """

    def __init__(self, run: Callable[[Trial], Awaitable[Report]], options: Options, observe: Observer) -> None:
        self._run = run
        self._options = options
        self._observe = observe
        self._done: dict[Trial, Report | PycheckError] = {}
        self._runtime = ""
        self._doing = ""
        self._deadline = 0.0
        self.count = 0

    def begin_runtime(self, runtime: RuntimeId) -> None:
        """Start to measure the time of a runtime's trials."""
        self._runtime = str(runtime)
        self._deadline = time.monotonic() + MOST_SECONDS

    def begin(self, kind: str) -> None:
        """Start to count the trials of one kind of fix."""
        self._doing, self.count = f"trying {kind}", 0

    @property
    def limits(self) -> str:
        """Describe the limits of number and time."""
        return f"{MOST_TRIALS} for one kind of fix, {MOST_SECONDS:g} s for one runtime"

    async def outcome(self, trial: Trial, runtime: RuntimeId) -> Outcome:
        """Return the result of a runtime with the change; if the change is impossible, its error."""
        result = await self._result(trial)
        if isinstance(result, PycheckError):
            return Outcome(decide(()), None, None, _in_one_line(result.message))
        return outcome(result, runtime, self._options)

    async def passes(self, trial: Trial, runtime: RuntimeId) -> bool:
        """Tell whether a runtime passes the gate with the change."""
        return (await self.outcome(trial, runtime)).verdict is Verdict.PASS

    async def failing(self, trial: Trial, runtime: RuntimeId) -> tuple[Comparison, ...]:
        """Return the outputs in which a runtime fails with the change; none if it returned nothing."""
        result = await self._result(trial)
        return () if isinstance(result, PycheckError) else failing(result, runtime)

    async def environment(self, trial: Trial, runtime: RuntimeId) -> Environment | None:
        """Return the environment of a runtime with the change; None if it did not start."""
        result = await self._result(trial)
        records = () if isinstance(result, PycheckError) else result.runtimes
        return next((record.environment for record in records if record.id == runtime), None)

    async def artifact(self, trial: Trial) -> ArtifactInfo | None:
        """Return the artifact with the change; None if it could not be converted."""
        result = await self._result(trial)
        return None if isinstance(result, PycheckError) else result.artifact

    async def _result(self, trial: Trial) -> Report | PycheckError:
        if trial not in self._done:
            left = self._deadline - time.monotonic()
            if self.count >= MOST_TRIALS or left <= 0:
                raise ExhaustedError
            self.count += 1
            self._observe(self._runtime, self._doing, self.count, MOST_TRIALS)
            try:
                async with asyncio.timeout(left):
                    self._done[trial] = _lean(await self._run(trial))
            except TimeoutError:
                raise ExhaustedError from None
            except PycheckError as error:
                self._done[trial] = error
        return self._done[trial]


def _lean(report: Report) -> Report:
    """Remove options that a trial does not need."""
    return replace(report, findings=(), comparisons=tuple(replace(c, worst=()) for c in report.comparisons))


def _in_one_line(message: str) -> str:
    """Join a heading and its items, which are on separate lines, to a sentence."""
    heading, *items = (line.strip() for line in message.splitlines())
    return f"{heading} {'; '.join(items)}" if items else heading
