"""Runs Python's side of a trace: computes the artifact's value at every point, in float32 and float64, in groups."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..artifact import Point
from ..errors import RuntimeFailedError
from ..runtimes.native.artifact import ArtifactRuntime
from ..runtimes.native.litert_points import LitertPoints
from ..types import HANDING_ON, Array, TracePoint
from . import causes, groups
from .measuring import Expected, allowed_error, described

#: Kernels that differ in NaN or infinity read or write NaN, infinity, or numbers of this size.
_EXTREME = 1e37


@dataclass(frozen=True, slots=True)
class InFloat32:
    """Operations without a float64 kernel: by point those before it, and the points that are such operations."""

    behind: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alone: Collection[str] = ()

    def is_measured(self, point: Point) -> bool:
        """Tell whether the point in isolation, on given operands, is computed in float64."""
        before = {operation for name in point.inputs for operation in self.behind.get(name, ())}
        return point.name not in self.alone and before.issuperset(self.behind.get(point.name, ()))


@dataclass(frozen=True, slots=True)
class Work:
    """One group of points with Python's values.

    `inherited` are the values in the whole model, `own` the results of the operations on `operands`, which are values
    of artifact:float32. `notes` says why an operation does not run in isolation.
    """

    points: tuple[Point, ...]
    described: Mapping[str, TracePoint]
    operands: Mapping[str, Array]
    inherited: Mapping[str, Expected]
    own: Mapping[str, Expected]
    notes: Mapping[str, str]


class Expectations:
    """Python's values of a trace, computed one group at a time. `double` is None if artifact:float64 cannot run.

    `skipped` points are neither fetched nor fed. `whole_nodes` says that a node can only be fed with all of its
    outputs, as in graph artifacts. `wanted` are names whose values `outputs` keeps, in float32 and float64.
    """

    def __init__(
        self,
        single: ArtifactRuntime | LitertPoints,
        double: ArtifactRuntime | None,
        feeds: Mapping[str, Array],
        *,
        skipped: Collection[str],
        whole_nodes: bool,
        wanted: Collection[str],
        in_float32: InFloat32 | None = None,
    ) -> None:
        self._in_float32 = in_float32 or InFloat32()
        self._single = single
        self._double = double
        self._feeds = feeds
        self._skipped = skipped
        self._whole_nodes = whole_nodes
        self._wanted = wanted
        self._kept: dict[str, Array] = {}
        self._kept_double: dict[str, Array] = {}
        self._others: dict[str, Array] = {}  # with Python's other kernels: of this group, and of outputs
        self.outputs: dict[str, tuple[Array, Array | None]] = {}
        self.notes: dict[str, None] = {}

    async def of(self, group: groups.Group, read_later: Collection[str], kept_bytes: int) -> Work:
        """Compute the values of a group; keep up to `kept_bytes` of values that are in `read_later`."""
        points = group.points
        names = [point.name for point in points]
        read = [n for p in points for n in p.inputs if n not in self._feeds and n not in self._skipped]
        fed = {**self._feeds, **self._kept}
        fetched = [name for name in dict.fromkeys([*names, *read]) if name not in self._kept]
        single = {**fed, **await self._single.run(fed, fetched)}
        known = {**self._feeds, **self._kept_double}
        double = await self._in_double(known, names)
        doubles = {**known, **double}
        spoilt = [n for p in points if not _is_finite(single[p.name]) for n in p.inputs if n not in self._skipped]
        doubles |= await self._in_double(doubles, [name for name in dict.fromkeys(spoilt) if name not in doubles])
        alone, notes = await self._alone(points, single)
        others = await self._with_others(points, single)
        self._others = {name: value for name, value in self._others.items() if name in self._wanted} | others
        self.outputs |= {name: (single[name], double.get(name)) for name in names if name in self._wanted}
        self._keep(single, double, read_later, kept_bytes)
        return Work(
            points,
            {point.name: _described(point, single, double.get(point.name), doubles) for point in points},
            {name: single[name] for point in points for name in point.inputs if name in single},
            {name: self.expected(name, single[name], double.get(name)) for name in names},
            {
                point.name: Expected(
                    single[point.name],
                    alone[point.name],
                    is_measured=self._in_float32.is_measured(point),
                    reference=self._single.id,
                    allowed=allowed_error(self._coarse, point.name, single[point.name]),
                    also=others.get(point.name),
                )
                for point in points
                if point.name in alone
            },
            notes,
        )

    def expected(self, name: str, single: Array, double: Array | None) -> Expected:
        """Return Python's value at a point, or an output, of the whole artifact."""
        is_measured = name not in self._in_float32.behind
        allowed = allowed_error({name: 0.0, **self._coarse}, name, single) if self._coarse else None
        return Expected(
            single,
            double,
            is_measured=is_measured,
            reference=self._single.id,
            allowed=allowed,
            also=self._others.get(name),
        )

    @property
    def _coarse(self) -> Mapping[str, float]:
        """Return the points that LiteRT computes in integers, with the distance of two neighboring values."""
        return self._single.graph.coarse if isinstance(self._single, LitertPoints) else {}

    def _keep(
        self,
        single: Mapping[str, Array],
        double: Mapping[str, Array],
        read_later: Collection[str],
        kept_bytes: int,
    ) -> None:
        """Keep values for later groups, so that these compute nothing again; the newest come first."""
        doubles = {**self._kept_double, **double}
        self._kept, self._kept_double = {}, {}
        for name in reversed(list(single)):
            if name in self._feeds or name not in read_later:
                continue
            values = [value for value in (single[name], doubles.get(name)) if value is not None]
            kept_bytes -= sum(value.nbytes for value in values)
            if kept_bytes < 0:
                return
            self._kept[name] = single[name]
            if name in doubles:
                self._kept_double[name] = doubles[name]

    async def _in_double(self, feeds: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        """Compute values in float64; leave out a name that float64 cannot compute, and add a note."""
        if self._double is None:
            return {}
        try:
            return await self._double.run(feeds, names)
        except RuntimeFailedError as error:
            if len(names) == 1:
                self.notes[f"compared with artifact:float32 only: {first_line(error)}"] = None
                return {}
        found: dict[str, Array] = {}
        for name in names:
            found |= await self._in_double(feeds, [name])
        return found

    async def _alone(
        self, points: Sequence[Point], single: Mapping[str, Array]
    ) -> tuple[dict[str, Array | None], dict[str, str]]:
        """Run each operation in float64 on operands of artifact:float32.

        Return also why one does not run in isolation.
        """
        values: dict[str, Array | None] = {}
        notes: dict[str, str] = {}
        for point in points:
            if point.constant or not point.inputs:
                notes[point.name] = "it depends on no input"
            elif point.op in HANDING_ON:
                notes[point.name] = "it copies its input"
            elif missing := [name for name in point.inputs if name not in single]:
                notes[point.name] = f"it reads {', '.join(missing)}, which cannot be set"
            elif self._whole_nodes and (node := _twice(point.inputs)):
                notes[point.name] = f"it reads two outputs of {node}, and TF.js can set only a whole node"
            else:
                fed = {name: single[name] for name in point.inputs}
                try:
                    values[point.name] = (await (self._double or self._single).run(fed, [point.name]))[point.name]
                except RuntimeFailedError as error:
                    notes[point.name] = f"Python cannot run it in isolation: {first_line(error)}"
                if self._double is None and point.name in values:
                    values[point.name] = None  # without float64, the value in the whole run is the same
        return values, notes

    async def _with_others(self, points: Sequence[Point], single: Mapping[str, Array]) -> dict[str, Array]:
        """Run operations of a .tflite file near infinity or NaN on the same operands with Python's other kernels."""
        if not isinstance(self._single, LitertPoints):
            return {}
        values: dict[str, Array] = {}
        for point in points:
            fed = {name: single[name] for name in point.inputs if name in single}
            if len(fed) < len(point.inputs) or not any(map(is_extreme, (*fed.values(), single[point.name]))):
                continue
            values |= await other_kernels(self._single, point.name, fed)
        return values

    async def of_outputs(self, names: Iterable[str]) -> None:
        """Add the values of these names to `outputs`; they need not be points."""
        missing = [name for name in names if name not in self.outputs]
        if missing:
            single = await self._single.run(self._feeds, missing)
            double = await self._in_double(self._feeds, missing)
            self.outputs |= {name: (single[name], double.get(name)) for name in missing}


async def other_kernels(single: LitertPoints, name: str, operands: Mapping[str, Array]) -> dict[str, Array]:
    """Return an operation's result with the kernels that the trace does not use; nothing if these cannot run it."""
    try:
        return await single.run_with_others(operands, [name])
    except RuntimeFailedError:
        return {}


def is_extreme(value: Array) -> bool:
    """Tell whether a value has NaN, infinity, or numbers so large that kernels may differ in whether they overflow."""
    return value.dtype.kind == "f" and not bool((np.abs(value) < _EXTREME).all())


def _is_finite(value: Array) -> bool:
    return value.dtype.kind not in "fc" or bool(np.isfinite(value).all())


def _described(
    point: Point, single: Mapping[str, Array], double: Array | None, doubles: Mapping[str, Array]
) -> TracePoint:
    """Describe a point by its values in float32; `double` is its value in float64, `doubles` has its operands'."""
    value = single[point.name]
    operands = {name: single[name] for name in point.inputs if name in single}
    return replace(
        described(point, value),
        origin=causes.origin(point, value, double, operands, doubles),
        saturation=causes.saturation(point, value),
    )


def _twice(names: Iterable[str]) -> str | None:
    """Return a node of which two of these names are outputs; None if there is none."""
    seen: set[str] = set()
    for name in names:
        node, separator, index = name.rpartition(":")
        node = node if separator and index.isdigit() else name
        if node in seen:
            return node
        seen.add(node)
    return None


def first_line(error: Exception) -> str:
    """Return the first line of an error message."""
    return str(error).splitlines()[0][:200]
