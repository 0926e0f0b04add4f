"""The results of a trace: the places in the artifact at which differences start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .comparisons import Comparison, WorstElement
from .names import RuntimeId

#: Operations that copy their input, and cannot err in isolation.
HANDING_ON = frozenset({"Dropout", "Identity", "PreventGradient", "Snapshot", "StopGradient"})


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand of an operation at a wrong element.

    `value` is the element at the same place, if the operation is elementwise; the rest is over the same sample,
    `smallest` and `largest` over its finite values. `exact` is the same element in artifact:float64, if Python itself
    introduces NaN or infinity there and float64 has it.
    """

    name: str
    value: float | None
    smallest: float | None
    largest: float | None
    nan_count: int
    infinity_count: int
    exact: float | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of one source's error on the outputs while all other operations are right.

    `tensor` is the output that moves most, `share` the share of its limit that it uses: infinite if it changes NaN or
    infinity, the shape (`reshapes`), or integers and booleans, which have no tolerance (`flips`).
    """

    tensor: str
    share: float
    reshapes: bool = False
    flips: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """The operations between a point at which the artifact differs from its model and the points before it that agree.

    `between` are the model's layers there that correspond to no known point of the artifact, with their classes.
    `missing` and `extra` are layers and operations that only the model or only the artifact has. `changed` are clauses
    about operations whose values differ from the model's: with the model's values instead, the artifact's next
    operation gives the model's value. `op` is that operation, empty if the gap lies between the point and an output of
    the model. `missing_layers` are those of `missing` that are layers.
    """

    op: str
    between: tuple[tuple[str, str], ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    missing_layers: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def is_established(self) -> bool:
        """Tell whether the difference is known."""
        return bool(self.missing or self.extra or self.changed)


@dataclass(frozen=True, slots=True)
class PointResult:
    """One point on one runtime.

    `inherited` compares the point in a run of the whole model; `own` compares the operation in isolation, on
    artifact:float32's values. `role` is "source" (it fails, also in isolation), "passes-on" (it fails, but not in
    isolation), "latent" (it fails only in isolation), "ok" or "unknown" (nothing was compared). `note` says why one of
    the two is missing. `element` is the first wrong element of a source, and `operands` are its operands. `effect` is
    the effect of its own error on the outputs, None if it was not measured. `gap` is for `TracePoint.conversion`.
    `undecided` is the number of elements at which TensorFlow Lite's two kinds of kernels differ in NaN or infinity, so
    that a value of either kind is right.
    """

    runtime: RuntimeId
    role: str
    inherited: Comparison | None
    own: Comparison | None
    note: str | None = None
    element: WorstElement | None = None
    operands: tuple[Operand, ...] = ()
    effect: Effect | None = None
    gap: Gap | None = None
    undecided: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """The first of `count` elements that artifact:float32 turns into infinity or NaN, from operands without these.

    `element` has the value of artifact:float64 as its reference, NaN if that cannot run.
    """

    element: WorstElement
    count: int
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Saturation:
    """The share of an activation's result at each of its bounds, in artifact:float32."""

    activation: str
    bounds: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """One output of the whole artifact whose two runs on the same inputs differ.

    `element` is the one that differs most: the second run's value is its candidate, the first one's its reference.
    """

    runtime: RuntimeId
    tensor: str
    changed_count: int
    element_count: int
    element: WorstElement


@dataclass(frozen=True, slots=True)
class Hidden:
    """An output that is wrong on a runtime, but right if values before it are returned too.

    `first` and `last` are the points of the smallest range of operations that is wrong as one file, in which nothing
    within the range is returned; None if there is no such range.
    """

    runtime: RuntimeId
    tensor: str
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class TracePoint:
    """One value within the artifact: a node of a graph, a layer of a layers model.

    `smallest` and `largest` are magnitudes of artifact:float32, finite and not 0. The headrooms are the ratio of the
    largest half float (65504) to the largest, and of the smallest to the smallest half float (2**-24): below 1, half
    floats lose the value. `skipped` says why the point was not traced. `conversion` is searched if an output of the
    artifact differs from the model's in Python itself; its `own` is the operation in isolation on the model's values
    there, its `note` the difference between the files.
    """

    name: str
    op: str
    layer: str | None
    inputs: tuple[str, ...]
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    smallest: float | None = None
    largest: float | None = None
    overflow_headroom: float | None = None
    underflow_headroom: float | None = None
    results: tuple[PointResult, ...] = ()
    skipped: str | None = None
    origin: Origin | None = None
    saturation: Saturation | None = None
    merged: tuple[str, ...] = ()  # layers before `layer` whose operations the converter merged into this one
    conversion: PointResult | None = None  # the artifact in Python against the model at this point
    quantized: bool = False  # whether it reads quantized weights
    loops: tuple[str, ...] = ()  # nodes of loops and branches that it is the first to show in numbers

    @property
    def operation(self) -> str:
        """Return the operation, with the loops that are part of the point: ``TensorListStack of lstm/while``."""
        return f"{self.op} of {', '.join(self.loops)}" if self.loops else self.op


@dataclass(frozen=True, slots=True)
class OutputSplit:
    """The error of one output in two parts.

    `conversion` compares the artifact in Python with the model in Python, None if the artifact is the model;
    `backends` compare the browsers with the artifact in Python.
    """

    tensor: str
    conversion: Comparison | None
    backends: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One source operation in a folder for a bug report, or the reason why there is none (`folder` is None)."""

    folder: str | None
    note: str
    point: str | None = None
    runtime: RuntimeId | None = None


def _by_effect(source: tuple[object, PointResult]) -> float:
    """Return a sort key: the largest effect comes first, before it a different shape that cannot be propagated."""
    result = source[1]
    if result.effect:
        return -1.0 * result.effect.share
    return -math.inf if any(c and c.shape_mismatch for c in (result.own, result.inherited)) else 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """The points of the artifact, in topological order, compared on a few samples, and the sources of errors.

    `samples` are the indices of the samples in the whole input: those that failed, then the first ones. `notes` are
    limitations of the trace; `repeats` lists outputs that differ when the same runs again, `hidden` those whose error
    vanishes when values before them are returned.
    """

    sample_count: int
    memory_bytes: int
    group_count: int  # the number of groups of points, which bound the memory
    points: tuple[TracePoint, ...]
    splits: tuple[OutputSplit, ...]
    samples: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    bundle: Bundle | None = None  # if one was requested

    def sources(self) -> tuple[tuple[TracePoint, PointResult], ...]:
        """Return every source on every runtime: the largest effect on outputs first, then those with an unknown effect.

        Equal ones are in the order of the graph.
        """
        found = [(point, result) for point in self.points for result in point.results if result.role == "source"]
        return tuple(sorted(found, key=_by_effect))

    def conversion_sources(self) -> tuple[tuple[TracePoint, PointResult], ...]:
        """Return every point at which the artifact starts to differ from its model, in the same order."""
        found = [(p, p.conversion) for p in self.points if p.conversion and p.conversion.role == "source"]
        return tuple(sorted(found, key=_by_effect))

    def table(self) -> list[dict[str, Any]]:
        """Return one flat row for every point and runtime, in topological order, as for ``pandas.DataFrame``.

        Keys: point, op, layer, dtype, shape, runtime, role, smallest, largest, overflow_headroom and
        underflow_headroom as in TracePoint and PointResult; with ``inherited_`` and ``own_`` before them passed,
        max_abs_error, limit, introduced, masked and class_changed (elements whose class differs), None if nothing was
        compared; note, which says why. A point without results has one row, whose runtime is None.
        """
        return [_row(point, result) for point in self.points for result in point.results or (None,)]


def _row(point: TracePoint, result: PointResult | None) -> dict[str, Any]:
    return {
        "point": point.name,
        "op": point.op,
        "layer": point.layer,
        "dtype": point.dtype,
        "shape": point.shape,
        "runtime": str(result.runtime) if result else None,
        "role": result.role if result else None,
        **_measured("inherited", result.inherited if result else None),
        **_measured("own", result.own if result else None),
        "smallest": point.smallest,
        "largest": point.largest,
        "overflow_headroom": point.overflow_headroom,
        "underflow_headroom": point.underflow_headroom,
        "note": result.note if result else point.skipped,
    }


def _measured(kind: str, comparison: Comparison | None) -> dict[str, Any]:
    tolerance = comparison.tolerance if comparison else None
    values = {
        "passed": comparison.passed if comparison else None,
        "max_abs_error": comparison.max_abs_error if comparison else None,
        "limit": tolerance.max_abs if tolerance else None,
        "introduced": comparison.nonfinite.introduced if comparison else None,
        "masked": comparison.nonfinite.masked if comparison else None,
        "class_changed": comparison.nonfinite.changed if comparison else None,
    }
    return {f"{kind}_{name}": value for name, value in values.items()}
