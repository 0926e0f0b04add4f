"""Finds where the artifact starts to differ from its model: runs both in Python, and compares them point by point."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..artifact import Point
from ..comparison import Statistics, measure, screen, summarize
from ..errors import RuntimeFailedError
from ..gate import assess
from ..tensors import parts
from ..types import Array, Comparison, Effect, PointResult, RuntimeId
from . import groups
from .effects import MOST, largest_effect
from .expecting import first_line
from .measuring import Expected, located, renumbered, role

_WORST = 3
_MOST_NAMES = 3
#: The memory of a group counts as for so many browsers: the model's values, and the operation in isolation on them.
_LIKE_BROWSERS = 2


@dataclass(frozen=True, slots=True)
class Converted:
    """The results by point, and notes on points that could not be compared."""

    results: Mapping[str, PointResult]
    notes: tuple[str, ...] = ()
    rewritten: frozenset[str] = frozenset()  # points whose value the converter changed on purpose


class Side(Protocol):
    """The model or its artifact in Python."""

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Compute the values of points from `feeds` alone."""


@dataclass(slots=True)
class Sides:
    """The model and its artifact in Python.

    `model` returns values for the `points` that are in `paired`. `artifact` is compared with it; the error of `single`
    against `artifact`, which is that of float32, is the noise floor. `model_id` and `artifact_id` name the two
    runtimes: in float64, or in float32 if one of the two cannot run in float64. If the artifact has no float64 but the
    model has, the error of `rounded`, the model in float32, is the noise floor in the whole run.
    """

    model: Side
    artifact: Side
    single: Side
    model_id: RuntimeId
    artifact_id: RuntimeId
    points: Sequence[Point]
    paired: Collection[str]
    outputs: Mapping[str, str]  # by the model's name, the point of each output
    feeds: Mapping[str, Array]
    in_float32: Collection[str] = ()  # points of the artifact after operations that have no float64 kernel
    rounded: Side | None = None
    _inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._inputs = {point.name: point.inputs for point in self.points}

    def region(self, point: Point, rewritten: Collection[str]) -> Region:
        """Find what has to run to compute `point` in isolation.

        `rewritten` points have no counterpart in the model.
        """
        cut: dict[str, None] = {}
        within: dict[str, None] = {}
        pending = list(reversed(point.inputs))
        while pending:
            name = pending.pop()
            if name in self.feeds or (name in self.paired and name not in rewritten):
                cut[name] = None
            elif name not in within:
                within[name] = None
                pending += reversed(self._inputs.get(name, ()))
        return Region(tuple(cut), tuple(within))


def _together(region: Region) -> str | None:
    """Describe the points within a region; None if there are none."""
    if not region.within:
        return None
    names, more = region.within[:_MOST_NAMES], len(region.within) - _MOST_NAMES
    others = f" and {more} more" if more > 0 else ""
    return f"together with {', '.join(names)}{others}, which the model does not have"


@dataclass(frozen=True, slots=True)
class Region:
    """Points before a point: `cut` are the nearest that the model has too, `within` those between, which it lacks."""

    cut: tuple[str, ...]
    within: tuple[str, ...]


async def trace_conversion(
    sides: Sides, elements: Mapping[str, int], *, samples: Sequence[int], memory_bytes: int
) -> Converted:
    """Compare every paired point in the whole run, and each that differs in isolation, on the model's values.

    A point whose difference reaches no output is left out: a converter that merges two operations makes such points.
    `elements` has the number of elements of every point; `samples` are the indices of the samples in the whole input.
    """
    return await _Conversion(sides, elements, samples, memory_bytes).run()


async def computed(sides: Sides, name: str, fed: Mapping[str, Array], expected: Array) -> Comparison | None:
    """Compute one point of the artifact from the values `fed`, and compare it with `expected`.

    None if it cannot run.
    """
    return await _Conversion(sides, {}, (), 0).computed(name, fed, expected)


class _Conversion:
    def __init__(self, sides: Sides, elements: Mapping[str, int], samples: Sequence[int], memory_bytes: int) -> None:
        self._sides = sides
        self._elements = elements
        self._samples = tuple(samples)
        self._memory_bytes = memory_bytes
        self._notes: dict[str, None] = {}
        self._own: dict[str, Comparison] = {}
        self._alone: dict[str, PointResult] = {}
        self._regions: dict[str, Region] = {}

    async def run(self) -> Converted:
        sides = self._sides
        points = [point for point in sides.points if point.name in sides.paired and point.name in self._elements]
        inherited: dict[str, Comparison] = {}
        for group in self._groups(points):
            inherited |= await self._inherited(group)
        failing = {name for name, comparison in inherited.items() if not comparison.passed}
        live = self._live(points, failing, inherited)
        rewritten = failing - live
        for group in self._groups([point for point in points if point.name in live]):
            await self._run_alone(group, inherited, rewritten)
        rewritten |= await self._merged(points, inherited, rewritten)
        if not any(result.role == "source" for result in self._alone.values()):
            # No point fails in isolation: many points may each add a small error, so points that pass are run too.
            for group in self._groups([p for p in points if p.name in self._before(live) - failing]):
                await self._run_alone(group, inherited, rewritten)
        await self._measure_effects()
        results = {
            name: self._alone.get(name) or PointResult(sides.artifact_id, "ok", comparison, None)
            for name, comparison in inherited.items()
            if name not in rewritten
        }
        return Converted(results, tuple(self._notes), frozenset(rewritten))

    def _groups(self, points: Sequence[Point]) -> Iterable[tuple[Point, ...]]:
        plan = groups.cut(points, self._elements, runtimes=_LIKE_BROWSERS, memory_bytes=self._memory_bytes)
        return [group.points for segment in plan.segments for group in segment.groups]

    async def _inherited(self, points: Sequence[Point]) -> dict[str, Comparison]:
        """Compare points of the whole artifact with those of the whole model."""
        sides, names = self._sides, [point.name for point in points]
        expected = await self._values(sides.model, sides.feeds, names)
        given = await self._values(sides.artifact, sides.feeds, list(expected))
        if sides.rounded:
            exact, single = expected, await self._values(sides.rounded, sides.feeds, list(given))
        elif sides.artifact is sides.single:
            exact, single = given, given
        else:
            exact, single = given, await self._values(sides.single, sides.feeds, list(given))
        return {
            name: self._compare(name, value, expected[name], self._floor(name, single.get(name), exact[name]))
            for name, value in given.items()
        }

    async def _values(self, side: Side, feeds: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        """Return the values that a side can compute; add a note for each that it cannot."""
        try:
            return await side.run(feeds, names) if names else {}
        except RuntimeFailedError as error:
            if len(names) == 1:
                self._notes[f"{names[0]} is not compared with the model: {first_line(error)}"] = None
                return {}
        middle = len(names) // 2
        return {
            **await self._values(side, feeds, names[:middle]),
            **await self._values(side, feeds, names[middle:]),
        }

    def _floor(self, name: str, single: Array | None, double: Array) -> Statistics | None:
        """Measure the error of float32 at a point; None if it is not known."""
        if single is None or single is double or name in self._sides.in_float32:
            return None
        return Expected(single, double).floor

    def _compare(self, name: str, given: Array, expected: Array, floor: Statistics | None) -> Comparison:
        sides = self._sides
        given, expected = parts(given), parts(expected)
        quick = screen(given, expected)

        def judged(statistics: Statistics) -> Comparison:
            summary = summarize(
                statistics,
                tensor=name,
                reference=sides.model_id,
                candidate=sides.artifact_id,
                class_reference=sides.model_id,
                noise_floor=floor,
            )
            (assessed,) = assess([summary])
            return assessed

        if quick is not None and (comparison := judged(quick)).passed:
            return comparison
        return judged(measure(given, expected, expected, start=0, top_k=_WORST))

    def _live(self, points: Sequence[Point], failing: Collection[str], inherited: Mapping[str, Comparison]) -> set[str]:
        """Return the failing points whose difference reaches an output through other failing points."""
        readers: dict[str, set[str]] = {}
        for point in points:
            if point.name in inherited:
                for name in self._sides.region(point, ()).cut:
                    readers.setdefault(name, set()).add(point.name)
        last, live = set(self._sides.outputs.values()), set[str]()
        for point in reversed(points):
            if point.name in failing and (
                point.name in last or not readers.get(point.name) or readers[point.name] & live
            ):
                live.add(point.name)
        return live

    def _before(self, names: Collection[str]) -> set[str]:
        """Return the points that these points depend on."""
        needed: set[str] = set()
        for point in reversed(self._sides.points):
            if point.name in names or point.name in needed:
                needed.update(point.inputs)
        return needed

    async def _run_alone(
        self, points: Sequence[Point], inherited: Mapping[str, Comparison], rewritten: Collection[str]
    ) -> None:
        """Run each of these operations on the model's values."""
        sides = self._sides
        regions = {point.name: sides.region(point, rewritten) for point in points}
        needed = dict.fromkeys([*regions, *(n for r in regions.values() for n in r.cut if n not in sides.feeds)])
        values = {**sides.feeds, **await self._values(sides.model, sides.feeds, list(needed))}
        self._regions |= regions
        for point in points:
            own = await self._own_of(point, regions[point.name], values)
            self._alone[point.name] = self._judged(point, inherited, own, regions[point.name], values)

    async def _own_of(self, point: Point, region: Region, values: Mapping[str, Array]) -> Comparison | None:
        if point.name not in values or any(name not in values for name in region.cut):
            return None
        return await self.computed(point.name, {name: values[name] for name in region.cut}, values[point.name])

    async def computed(self, name: str, fed: Mapping[str, Array], expected: Array) -> Comparison | None:
        """Compute one point of the artifact from these values, and compare it; None if the artifact cannot run."""
        sides = self._sides
        given = await self._values(sides.artifact, fed, [name])
        if name not in given:
            return None
        single = given if sides.artifact is sides.single else await self._values(sides.single, fed, [name])
        floor = self._floor(name, single.get(name), given[name])
        return self._compare(name, given[name], expected, floor)

    def _judged(
        self,
        point: Point,
        inherited: Mapping[str, Comparison],
        own: Comparison | None,
        region: Region,
        values: Mapping[str, Array],
    ) -> PointResult:
        before = [name for name in region.cut if name in inherited and not inherited[name].passed]
        whole = inherited[point.name]
        judged = role(whole, own, handing_on=False, inputs_fail=bool(before))
        result = PointResult(self._sides.artifact_id, judged, whole, own, _together(region))
        value = values.get(point.name)
        shape = () if value is None else parts(value).shape
        if judged == "source" and not any(c and c.shape_mismatch for c in (whole, own)):
            operands = {name: values[name] for name in region.cut if name in values}
            is_complex = value is not None and value.dtype.kind == "c"
            result = located(result, point.op, operands, shape, is_complex=is_complex)
        return renumbered(result, self._samples, shape)

    async def _merged(
        self, points: Sequence[Point], inherited: Mapping[str, Comparison], rewritten: Collection[str]
    ) -> set[str]:
        """Return sources that the converter merged with their readers, as in a fold of weights, without an error."""
        merged: set[str] = set()
        sources = {name for name, result in self._alone.items() if result.role == "source"}
        cuts = {point.name: self._sides.region(point, rewritten).cut for point in points}
        for point in points:
            if point.name not in sources:
                continue
            readers = [p for p in points if point.name in cuts[p.name]]
            if not readers or any(reader.name not in sources for reader in readers):
                continue
            without = {*rewritten, *merged, point.name}
            again = _Conversion(self._sides, self._elements, self._samples, self._memory_bytes)
            await again._run_alone(readers, inherited, without)
            if all(again._alone[r.name].own is not None and again._alone[r.name].role != "source" for r in readers):
                merged.add(point.name)
                self._alone |= again._alone
                self._regions |= again._regions
                sources -= {point.name, *(r.name for r in readers)}
        return merged

    async def _measure_effects(self) -> None:
        """Measure the effect of the error of each source on the outputs; if there are many, of the largest errors."""
        sources = {name: result for name, result in self._alone.items() if result.role == "source"}

        def size(name: str) -> float:
            comparison = sources[name].own or sources[name].inherited
            return comparison.share_or_inf if comparison else 0.0

        for name in sorted(sources, key=size, reverse=True)[:MOST]:
            try:
                effect = await self._effect(name, sources[name])
            except RuntimeFailedError:  # Python cannot run with the wrong value
                continue
            self._alone[name] = replace(sources[name], effect=effect)

    async def _effect(self, name: str, source: PointResult) -> Effect | None:
        """Compare the artifact with the model's value at this point to the artifact with its own wrong value there."""
        sides, region = self._sides, self._regions[name]
        cut = [other for other in region.cut if other not in sides.feeds]
        model = {**sides.feeds, **await sides.model.run(sides.feeds, [name, *cut])}
        alone = source.own is not None and source.own.passed is False
        fed = {other: model[other] for other in region.cut} if alone else sides.feeds
        wrong = await sides.artifact.run(fed, [name])
        right = {**sides.feeds, name: model[name]}
        fetched = list(dict.fromkeys(sides.outputs.values()))
        expected = await sides.artifact.run(right, fetched)
        single = expected if sides.artifact is sides.single else await sides.single.run(right, fetched)
        moved = await sides.artifact.run({**sides.feeds, **wrong}, fetched)
        floors = {point: self._floor(point, single[point], expected[point]) for point in fetched}
        return largest_effect(
            {
                output: self._compare(point, moved[point], expected[point], floors[point])
                for output, point in sides.outputs.items()
            }
        )
