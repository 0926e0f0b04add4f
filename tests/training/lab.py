"""One browser and one page a runtime, in which many trainings run one after another."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from pycheck.diagnosis.training import TrainingCase
from pycheck.inputs import from_arrays
from pycheck.model import load
from pycheck.options.values import Options
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.training.bench import Bench, Outcome
from pycheck.training.cures import attempt, cures
from pycheck.training.inspecting import inspect
from pycheck.training.recipe import RecipeText
from pycheck.training.setup import Setup
from pycheck.training.train import setup_of, train_run
from pycheck.types import CureTrial, Report, RuntimeId


@dataclass(frozen=True)
class Trained:
    """A report, and what it takes to go on from it."""

    report: Report
    setup: Setup

    @property
    def codes(self) -> set[str]:
        return {finding.code for finding in self.report.findings}


class Lab:
    """Trains on the given runtimes; `with` closes the browser."""

    def __init__(self, *runtimes: str, may_leave_out: bool = False) -> None:
        self.runtimes = tuple(RuntimeId.parse(name) for name in runtimes)
        self._loop = asyncio.new_event_loop()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="tensorflow")
        self._host: BrowserHost | None = None
        self.bench = Bench(
            self.runtimes, self._get_host, {}, self._executor, lambda *_: None, may_leave_out=may_leave_out
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.run(self.bench.close())
        if self._host:
            self.run(self._host.__aexit__(None, None, None))
        self._executor.shutdown()
        self._loop.close()

    def run(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    def train(self, model: Any, x: Any, y: Any, *, gradients_only: bool = False, **text: Any) -> Trained:
        """One training; `text` is that of RecipeText."""

        async def work() -> Trained:
            recipe = RecipeText(**text)
            loaded = await self.bench.in_thread(lambda: load(model))
            inputs = from_arrays(x, loaded.info.signature)
            setup = setup_of(loaded, inputs, y, recipe)
            report = await train_run(
                self.bench, loaded, inputs, setup, Options(runtimes=self.runtimes or (RuntimeId("chromium", "cpu"),)),
                try_remedies=recipe.try_remedies, gradients_only=gradients_only,
            )  # fmt: skip
            return Trained(report, setup)

        trained: Trained = self.run(work())
        return trained

    def outcome(self, model: Any, x: Any, y: Any, **text: Any) -> Outcome:
        """The training alone, without what explains it."""

        async def work() -> Outcome:
            loaded = await self.bench.in_thread(lambda: load(model))
            return await self.bench.train(
                setup_of(loaded, from_arrays(x, loaded.info.signature), y, RecipeText(**text))
            )

        outcome: Outcome = self.run(work())
        return outcome

    def cured(self, trained: Trained, name: str) -> CureTrial:
        """One cure, applied; LookupError where it is not among those that fit."""

        async def work() -> CureTrial:
            case = await self._case(trained)
            fitting = {cure.name: cure for cure in cures(trained.setup, case)}
            if name not in fitting:
                raise LookupError(f"{name} does not fit; these do: {', '.join(fitting)}")
            return await attempt(self.bench, fitting[name], case)

        trial: CureTrial = self.run(work())
        return trial

    def cured_training(self, trained: Trained, name: str) -> tuple[Setup, Outcome]:
        """What a cure gave, to look at."""

        async def work() -> tuple[Setup, Outcome]:
            case = await self._case(trained)
            (cure,) = [cure for cure in cures(trained.setup, case) if cure.name == name][:1]
            return cure.setup, await self.bench.train(cure.setup)

        result: tuple[Setup, Outcome] = self.run(work())
        return result

    async def _case(self, trained: Trained) -> TrainingCase:
        training = trained.report.training
        assert training is not None
        outcome = await self.bench.train(replace(trained.setup), alone=True)
        looked = await self.bench.in_thread(lambda: inspect(trained.setup, outcome))
        return TrainingCase(training, trained.report.runtimes, evidence=looked.evidence)

    async def _get_host(self, engine: str) -> BrowserHost:
        if self._host is None:
            self._host = await BrowserHost(engine, timeout_s=120.0).__aenter__()
        return self._host


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)
