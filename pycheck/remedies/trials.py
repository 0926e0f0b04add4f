"""Runs trials, each once, within limits of number and time."""

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

#: Of one search: ddmin finds two culprits among forty kernels in fewer.
MOST_TRIALS = 32
#: For all searches on one runtime, in seconds.
MOST_SECONDS = 300.0

Observer = Callable[[str, str, int, int], None]


class Trials:
    """Runs trials with `run`, which takes a trial through the same stages as the run that failed.

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
        """From here on its time counts."""
        self._runtime = str(runtime)
        self._deadline = time.monotonic() + MOST_SECONDS

    def begin(self, kind: str) -> None:
        """From here on the trials of this kind of remedy are counted."""
        self._doing, self.count = f"trying {kind}", 0

    @property
    def limits(self) -> str:
        """How many and how long, in words."""
        return f"{MOST_TRIALS} for one kind of fix, {MOST_SECONDS:g} s for one runtime"

    async def outcome(self, trial: Trial, runtime: RuntimeId) -> Outcome:
        """What a runtime gives with the change; a change that cannot be made is told as its error."""
        result = await self._result(trial)
        if isinstance(result, PycheckError):
            return Outcome(decide(()), None, None, _in_one_line(result.message))
        return outcome(result, runtime, self._options)

    async def passes(self, trial: Trial, runtime: RuntimeId) -> bool:
        """Whether a runtime passes the gate with the change."""
        return (await self.outcome(trial, runtime)).verdict is Verdict.PASS

    async def failing(self, trial: Trial, runtime: RuntimeId) -> tuple[Comparison, ...]:
        """The outputs that a runtime fails in with the change; none where it gave nothing."""
        result = await self._result(trial)
        return () if isinstance(result, PycheckError) else failing(result, runtime)

    async def environment(self, trial: Trial, runtime: RuntimeId) -> Environment | None:
        """What a runtime was with the change; None where it did not start."""
        result = await self._result(trial)
        records = () if isinstance(result, PycheckError) else result.runtimes
        return next((record.environment for record in records if record.id == runtime), None)

    async def artifact(self, trial: Trial) -> ArtifactInfo | None:
        """What was run with the change; None where it was not made."""
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
    """Without what nobody asks a trial for."""
    return replace(report, findings=(), comparisons=tuple(replace(c, worst=()) for c in report.comparisons))


def _in_one_line(message: str) -> str:
    """A heading and its items, each on a line of its own, as a sentence."""
    heading, *items = (line.strip() for line in message.splitlines())
    return f"{heading} {'; '.join(items)}" if items else heading
