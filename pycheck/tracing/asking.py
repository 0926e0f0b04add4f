"""Runs one runtime in a trace: the value of every point in the whole run, and of each operation in isolation."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..artifact import Point
from ..errors import InputError, RuntimeFailedError, RuntimeTimeoutError
from ..gate import precision_bits
from ..runtimes.browser.litert_parts import LitertParts
from ..runtimes.browser.page import BrowserRuntime, PointJob
from ..tensors import parts
from ..types import Array, Comparison, NanPolicy
from .expecting import Work, first_line
from .groups import Segment
from .measuring import LARGEST_HALF, Expected, compare_point

Outcome = dict[str, Array] | RuntimeFailedError | InputError


@dataclass(frozen=True, slots=True)
class Measured:
    """One point on one runtime, before its role is known."""

    inherited: Comparison | None
    own: Comparison | None
    note: str | None


class Asker:
    """One runtime in a trace. It measures group by group, in order; `over` is the error that ended the runtime.

    The runtime computes only while it has one of the `slots`, which are the cores of the machine. `feeds` are the
    artifact's inputs. `outputs` keeps the values of the points in `wanted`.
    """

    def __init__(
        self,
        candidate: BrowserRuntime | LitertParts,
        slots: asyncio.Semaphore,
        feeds: Mapping[str, Array],
        nan: NanPolicy,
        wanted: Collection[str],
    ) -> None:
        self.id = candidate.id
        self.over: RuntimeFailedError | None = None
        self.outputs: dict[str, Array] = {}
        self._wanted = wanted
        self._candidate = candidate
        self._slots = slots
        self._feeds = feeds
        self._nan = nan
        self._bits = precision_bits(candidate.id, candidate.environment)
        self._library = candidate.id.library
        self._holds = False

    @property
    def runs_outputs_alone(self) -> bool:
        """Tell whether `outputs` come from a run in which nothing else is returned, because that may change them.

        LiteRT.js fuses operations whose results are not outputs.
        """
        return isinstance(self._candidate, LitertParts)

    async def begin(self, segment: Segment) -> None:
        """Run the whole model once for all groups of a segment."""
        self._holds = False
        if self.over is None:
            try:
                async with self._slots:
                    await self._candidate.hold(self._feeds, segment.names)
                self._holds = True
            except RuntimeFailedError as error:  # an operation cannot run; its group finds out which one
                if self._is_over(error):
                    self.over = error

    async def ask(self, work: Work) -> dict[str, Measured]:
        """Measure the points of one group; if the runtime ends, return the points that it measured until then."""
        if self.over is not None:
            return {}
        names = [point.name for point in work.points]
        failed: dict[str, str] = {}
        try:
            values = await self._inherited(names, failed)
        except RuntimeFailedError as error:
            self.over = error
            return {}
        if not self.runs_outputs_alone:
            self.outputs |= {name: value for name, value in values.items() if name in self._wanted}
        measuring = asyncio.ensure_future(self._compare_all(values, work.inherited))
        try:
            own, notes = await self._own(work)
        except RuntimeFailedError as error:
            self.over = error
            own, notes = {}, dict.fromkeys(names, "not run in isolation: the runtime ended first")
        finally:
            inherited = await measuring
        noted = {name: "; ".join(filter(None, (failed.get(name), notes.get(name)))) or None for name in names}
        return {name: Measured(inherited.get(name), own.get(name), noted[name]) for name in names}

    async def see_to(self, names: Sequence[str]) -> None:
        """Add the values of these points to `outputs`, unless the runtime has ended."""
        self.outputs |= await self.once_more([name for name in names if name not in self.outputs])

    async def once_more(self, names: Sequence[str]) -> dict[str, Array]:
        """Run the whole model again, and return these values; nothing if the runtime has ended."""
        if self.over is None and names:
            self._holds = False
            try:
                if not isinstance(self._candidate, LitertParts):
                    return await self._inherited(names, {})
                async with self._slots:
                    values = await self._candidate.whole(self._feeds)
                return {name: values[name] for name in names}
            except RuntimeFailedError as error:
                self.over = error
        return {}

    async def _inherited(self, names: Sequence[str], failed: dict[str, str]) -> dict[str, Array]:
        """Return the values of these points in the whole run; add points that cannot be returned to `failed`."""
        if self._holds:
            try:
                async with self._slots:
                    return await self._candidate.take(names)
            except RuntimeFailedError as error:  # one of them may be of a dtype that is not compared
                if self._is_over(error):
                    raise
        (outcome,) = await self._run(self._feeds, [(tuple(self._feeds), tuple(names))])
        if isinstance(outcome, dict):
            return outcome
        if len(names) == 1:
            failed[names[0]] = f"{self._library} cannot return its value: {first_line(outcome)}"
            return {}
        middle = len(names) // 2
        return {**await self._inherited(names[:middle], failed), **await self._inherited(names[middle:], failed)}

    async def _own(self, work: Work) -> tuple[dict[str, Comparison], dict[str, str]]:
        """Run every operation in isolation, in one message; return also the reason for each that cannot run."""
        notes = {name: f"not run in isolation: {note}" for name, note in work.notes.items()}
        points: list[Point] = []
        for point in work.points:
            if point.name in work.own:
                if self._bits == 16 and (beyond := self._beyond_half(point, work.operands)):
                    notes[point.name] = f"not run in isolation: its inputs overflow float16, {', '.join(beyond)}"
                else:
                    points.append(point)
        feeds = {name: work.operands[name] for point in points for name in point.inputs}
        outcomes = await self._run(feeds, [(point.inputs, (point.name,)) for point in points])
        values: dict[str, Array] = {}
        for point, outcome in zip(points, outcomes, strict=True):
            if isinstance(outcome, dict):
                values |= outcome
                if isinstance(self._candidate, LitertParts) and point.name in self._candidate.on_cpu:
                    notes[point.name] = "in isolation the CPU ran it, because LiteRT.js has no WebGPU code for it"
            elif isinstance(outcome, InputError):
                notes[point.name] = f"not run in isolation: {first_line(outcome)}"
            else:
                notes[point.name] = f"{self._library} cannot run it in isolation: {first_line(outcome)}"
        return await self._compare_all(values, work.own), notes

    def _beyond_half(self, point: Point, operands: Mapping[str, Array]) -> list[str]:
        return [name for name in point.inputs if name not in self._feeds and _exceeds_half(operands[name])]

    async def _compare_all(
        self, values: Mapping[str, Array], expected: Mapping[str, Expected]
    ) -> dict[str, Comparison]:
        return {
            name: await asyncio.to_thread(self.compare, name, value, expected[name]) for name, value in values.items()
        }

    async def value_of(self, point: Point, operands: Mapping[str, Array] | None) -> Array | None:
        """Run an operation on these operands, or in the whole run if they are None.

        None if the runtime cannot return the value.
        """
        feeds = self._feeds if operands is None else operands
        if self.over is not None:
            return None
        try:
            (outcome,) = await self._run(feeds, [(tuple(feeds), (point.name,))])
        except RuntimeFailedError as error:
            if self._is_over(error):
                self.over = error
            return None
        return outcome[point.name] if isinstance(outcome, dict) else None

    def compare(self, name: str, value: Array, expected: Expected) -> Comparison:
        """Compare a value of this runtime with the expected one, and judge it."""
        return compare_point(name, value, expected, self.id, precision_bits=self._bits, nan=self._nan)

    async def _run(self, feeds: Mapping[str, Array], jobs: Sequence[PointJob]) -> list[Outcome]:
        """Run parts of the artifact, each from names of `feeds` to names; return the values or the error of each."""
        async with self._slots:
            return await self._candidate.run_jobs(feeds, jobs)

    def _is_over(self, error: RuntimeFailedError) -> bool:
        """Tell whether an error ended the runtime; a single failed operation does not."""
        return isinstance(error, RuntimeTimeoutError) or not self._candidate.is_alive


def _exceeds_half(value: Array) -> bool:
    """Tell whether a finite value overflows float16."""
    if value.dtype.kind not in "fc":
        return False
    magnitudes = np.abs(parts(value))
    return bool((magnitudes[np.isfinite(magnitudes)] > LARGEST_HALF).any())
