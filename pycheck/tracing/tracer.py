"""Runs the artifact point by point, in Python and on every runtime side by side, group after group."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..artifact import Point
from ..errors import InputError, RuntimeFailedError, RuntimeTimeoutError
from ..gate import precision_bits
from ..types import (
    Array,
    Comparison,
    Environment,
    NanPolicy,
    OutputSplit,
    PointResult,
    RuntimeId,
    Trace,
    TracePoint,
)
from . import groups
from .measuring import HANDING_ON, LARGEST_HALF, Expected, compare_point, described, located, role

_PROBED_AT_ONCE = 24
_NUMBERS = "fbiu"


class Reference(Protocol):
    """`artifact:float32` or `artifact:float64`."""

    @property
    def points(self) -> tuple[Point, ...]:
        """The artifact's points, in topological order."""

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Values of points, computed from `feeds` alone."""


class Candidate(Protocol):
    """A runtime that can be asked for points."""

    id: RuntimeId
    environment: Environment

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked again after an error."""

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Values of points, computed from `feeds` alone."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What a trace found, and the error of each runtime that did not come to its end."""

    trace: Trace
    failures: Mapping[RuntimeId, RuntimeFailedError]
    outputs: Mapping[str, Array]  # artifact:float64, by the artifact's names


@dataclass(frozen=True, slots=True)
class _Measured:
    """One point on one runtime, not yet judged."""

    inherited: Comparison | None
    own: Comparison | None
    note: str | None


class Tracer:
    """Traces one artifact on its inputs, `feeds`, which are by the artifact's names and few samples.

    `is_graph` says whether it is a graph artifact, whose nodes TF.js feeds as a whole; `fixed_batch` whether
    it takes no other number of samples than this.
    """

    def __init__(
        self,
        single: Reference,
        double: Reference,
        candidates: Sequence[Candidate],
        feeds: Mapping[str, Array],
        *,
        is_graph: bool,
        fixed_batch: bool,
        memory_bytes: int,
        nan: NanPolicy,
        advance: Callable[[RuntimeId, int, int], None],
    ) -> None:
        self._single = single
        self._double = double
        self._alive = {candidate.id: candidate for candidate in candidates}
        self._ids = [candidate.id for candidate in candidates]
        self._feeds = feeds
        self._is_graph = is_graph
        self._probed = len(next(iter(feeds.values()))) if fixed_batch else 1
        self._memory_bytes = memory_bytes
        self._nan = nan
        self._advance = advance
        self._samples = len(next(iter(feeds.values())))
        self._skipped: dict[str, str] = {}
        self._described: dict[str, TracePoint] = {}
        self._measured: dict[tuple[str, RuntimeId], _Measured] = {}
        self._results: dict[tuple[str, RuntimeId], PointResult] = {}
        self._failures: dict[RuntimeId, RuntimeFailedError] = {}
        self._done = 0

    async def trace(self, outputs: Mapping[str, str]) -> Traced:
        """All points; `outputs` are the model's names of its outputs and the artifact's.

        RuntimeFailedError when the artifact does not run in Python. A runtime that fails is in `failures`,
        and what it gave until then is kept.
        """
        points = self._single.points
        if not self._is_graph:
            self._skipped.update(_called_again(points))
        elements = await self._sizes(points)
        traced = [point for point in points if point.name not in self._skipped]
        plan = groups.cut(traced, elements, runtimes=len(self._ids), memory_bytes=self._memory_bytes)
        self._skipped.update(plan.too_large)
        total = sum(map(len, plan.groups))
        for group in plan.groups:
            await self._group(group, total)
        splits, values = await self._splits(outputs)
        trace = Trace(
            sample_count=self._samples,
            memory_bytes=self._memory_bytes,
            group_count=len(plan.groups),
            points=tuple(self._conclude(point) for point in points),
            splits=splits,
        )
        return Traced(trace, self._failures, values)

    async def _sizes(self, points: Sequence[Point]) -> dict[str, int]:
        """Elements of every point and input, from a run of as few samples as may be; skips what cannot be compared."""
        one = {name: value[: self._probed] for name, value in self._feeds.items()}
        sizes = {name: value.size for name, value in self._feeds.items()}
        names = [point.name for point in points if point.name not in self._skipped]
        for low in range(0, len(names), _PROBED_AT_ONCE):
            for name, value in (await self._probe(one, names[low : low + _PROBED_AT_ONCE])).items():
                if value.dtype.kind in _NUMBERS:
                    sizes[name] = groups.count(value.shape, self._probed, self._samples)
                else:
                    self._skipped[name] = f"values of dtype {value.dtype} are not compared"
        return sizes

    async def _probe(self, feeds: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        """Values of as many as can be had; one that fails is asked for alone, so that it is known which."""
        try:
            return await self._single.run(feeds, names)
        except RuntimeFailedError as error:
            if len(names) == 1:
                self._skipped[names[0]] = f"Python cannot give it: {_first_line(error)}"
                return {}
        found: dict[str, Array] = {}
        for name in names:
            found |= await self._probe(feeds, [name])
        return found

    async def _group(self, group: Sequence[Point], total: int) -> None:
        """Python's values of one group, then every runtime's, side by side; nothing of it is kept but statistics."""
        names = [point.name for point in group]
        read = [n for p in group for n in p.inputs if n not in self._feeds and n not in self._skipped]
        single = {**self._feeds, **await self._single.run(self._feeds, list(dict.fromkeys([*names, *read])))}
        double = await self._double.run(self._feeds, names)
        alone, notes = await self._alone(group, single)
        for point in group:
            self._described[point.name] = described(point, single[point.name])
        work = _Group(group, single, double, alone, notes)
        await asyncio.gather(*(self._on(candidate, work) for candidate in list(self._alive.values())))
        self._done += len(group)
        for runtime in self._alive:
            self._advance(runtime, self._done, total)
        for point in group:
            inputs = {name: single[name] for name in point.inputs if name in single}
            for runtime in self._ids:
                self._judge(point, runtime, inputs, single[point.name].shape)

    async def _alone(
        self, group: Sequence[Point], single: Mapping[str, Array]
    ) -> tuple[dict[str, Array], dict[str, str]]:
        """Each operation in float64 on what artifact:float32 has for its operands, or why it does not run alone."""
        values: dict[str, Array] = {}
        notes: dict[str, str] = {}
        for point in group:
            if point.constant or not point.inputs:
                notes[point.name] = "it depends on no input"
            elif point.op in HANDING_ON:
                notes[point.name] = "it hands on what it reads"
            elif missing := [name for name in point.inputs if name not in single]:
                notes[point.name] = f"it reads {', '.join(missing)}, which cannot be fed"
            elif self._is_graph and (node := _twice(point.inputs)):
                notes[point.name] = f"it reads two outputs of {node}, and TF.js takes a node as a whole"
            else:
                try:
                    fed = {name: single[name] for name in point.inputs}
                    values |= await self._double.run(fed, [point.name])
                except RuntimeFailedError as error:
                    notes[point.name] = f"Python does not run it alone: {_first_line(error)}"
        return values, notes

    async def _on(self, candidate: Candidate, group: _Group) -> None:
        """One group on one runtime; when the runtime ends, what it gave before stays."""
        try:
            inherited, failed = await self._inherited(candidate, group)
            for point in group.points:
                own, note = await self._own(candidate, point, group)
                note = "; ".join(filter(None, (failed.get(point.name), note))) or None
                self._measured[point.name, candidate.id] = _Measured(inherited.get(point.name), own, note)
        except RuntimeFailedError as error:
            self._failures[candidate.id] = error
            self._alive.pop(candidate.id, None)

    async def _inherited(self, candidate: Candidate, group: _Group) -> tuple[dict[str, Comparison], dict[str, str]]:
        """The whole model, with these points looked at; points that TF.js does not give are noted."""
        names = [point.name for point in group.points]
        failed: dict[str, str] = {}
        values: dict[str, Array] = {}
        try:
            values = await candidate.run(self._feeds, names)
        except RuntimeFailedError as error:
            _raise_if_over(candidate, error)
            for name in names:
                try:
                    values |= await candidate.run(self._feeds, [name])
                except RuntimeFailedError as alone:
                    _raise_if_over(candidate, alone)
                    failed[name] = f"TF.js does not give it: {_first_line(alone)}"
        measured: dict[str, Comparison] = {}
        for name, value in values.items():
            expected = Expected(group.single[name], group.double[name])
            measured[name] = await asyncio.to_thread(self._compare, name, value, expected, candidate)
        return measured, failed

    async def _own(self, candidate: Candidate, point: Point, group: _Group) -> tuple[Comparison | None, str | None]:
        """The operation alone, or why not."""
        name = point.name
        if name in group.notes:
            return None, f"not run alone: {group.notes[name]}"
        fed = {operand: group.single[operand] for operand in point.inputs}
        if precision_bits(candidate.id, candidate.environment) == 16:
            beyond = [n for n in fed if n not in self._feeds and _exceeds_half(self._described[n])]
            if beyond:
                return None, f"not run alone: half floats cannot hold {', '.join(beyond)}, which it reads"
        try:
            values = await candidate.run(fed, [name])
        except InputError as error:
            return None, f"not run alone: {_first_line(error)}"
        except RuntimeFailedError as error:
            _raise_if_over(candidate, error)
            return None, f"TF.js does not run it alone: {_first_line(error)}"
        expected = Expected(group.single[name], group.alone[name])
        return await asyncio.to_thread(self._compare, name, values[name], expected, candidate), None

    def _compare(self, name: str, value: Array, expected: Expected, candidate: Candidate) -> Comparison:
        bits = precision_bits(candidate.id, candidate.environment)
        return compare_point(name, value, expected, candidate.id, precision_bits=bits, nan=self._nan)

    def _judge(self, point: Point, runtime: RuntimeId, inputs: Mapping[str, Array], shape: tuple[int, ...]) -> None:
        """The role of a point, whose inputs have theirs already."""
        measured = self._measured.pop((point.name, runtime), None)
        if measured is None:
            return
        before = [self._results.get((name, runtime)) for name in point.inputs if name not in self._feeds]
        judged = PointResult(
            runtime,
            role(
                measured.inherited,
                measured.own,
                handing_on=point.op in HANDING_ON,
                inputs_fail=any(b is None or b.inherited is None or b.inherited.passed is False for b in before),
            ),
            measured.inherited,
            measured.own,
            measured.note,
        )
        if judged.role == "source":
            judged = located(judged, point.op, inputs, shape)
        self._results[point.name, runtime] = judged

    async def _splits(self, outputs: Mapping[str, str]) -> tuple[tuple[OutputSplit, ...], dict[str, Array]]:
        """The artifact in Python against each browser, for every output."""
        names = list(dict.fromkeys(outputs.values()))
        single = await self._single.run(self._feeds, names)
        double = await self._double.run(self._feeds, names)
        given: dict[RuntimeId, dict[str, Array]] = {}
        for candidate in list(self._alive.values()):
            try:
                given[candidate.id] = await candidate.run(self._feeds, names)
            except RuntimeFailedError as error:
                self._failures[candidate.id] = error
                self._alive.pop(candidate.id)
        splits = []
        for output, name in outputs.items():
            expected = Expected(single[name], double[name])
            rows = [self._compare(output, given[i][name], expected, self._alive[i]) for i in self._alive]
            splits.append(OutputSplit(output, None, tuple(rows)))
        return tuple(splits), double

    def _conclude(self, point: Point) -> TracePoint:
        blank = self._described.get(point.name) or TracePoint(point.name, point.op, point.layer, point.inputs)
        results = [self._results.get((point.name, runtime)) for runtime in self._ids]
        return replace(blank, results=tuple(r for r in results if r is not None), skipped=self._skipped.get(point.name))


@dataclass(frozen=True, slots=True)
class _Group:
    """Points with what Python has of them: in float32, in float64, and each alone in float64."""

    points: Sequence[Point]
    single: Mapping[str, Array]
    double: Mapping[str, Array]
    alone: Mapping[str, Array]
    notes: Mapping[str, str]


def _raise_if_over(candidate: Candidate, error: RuntimeFailedError) -> None:
    """Raise again what ended the runtime; an operation that failed did not."""
    if isinstance(error, RuntimeTimeoutError) or not candidate.is_alive:
        raise error


def _called_again(points: Iterable[Point]) -> dict[str, str]:
    """Points of layers that are called more than once, which are named ``layer@1`` from the second call on."""
    names = [point.name for point in points]
    layers = {name.partition("@")[0] for name in names if "@" in name}
    reason = "its layer is called more than once, and tfjs-layers does not give each call its own value"
    return {name: reason for name in names if any(re.match(rf"{re.escape(at)}([@/:]|$)", name) for at in layers)}


def _exceeds_half(point: TracePoint) -> bool:
    return point.largest is not None and point.largest > LARGEST_HALF


def _twice(names: Iterable[str]) -> str | None:
    """A node that two of these names are outputs of."""
    seen: set[str] = set()
    for name in names:
        node, separator, index = name.rpartition(":")
        node = node if separator and index.isdigit() else name
        if node in seen:
            return node
        seen.add(node)
    return None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
