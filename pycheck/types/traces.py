"""Where a difference starts, inside of the artifact."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .comparisons import Comparison, WorstElement
from .names import RuntimeId

#: Operations that give what they read: alone they cannot err.
HANDING_ON = frozenset({"Dropout", "Identity", "PreventGradient", "Snapshot", "StopGradient"})


@dataclass(frozen=True, slots=True)
class Operand:
    """What an operation read where it went wrong.

    `value` is the element that the wrong one was computed from, where the operation pairs them; the
    rest is over the same sample, `smallest` and `largest` over its finite values.
    """

    name: str
    value: float | None
    smallest: float | None
    largest: float | None
    nan_count: int
    infinity_count: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What the error of one source does to the outputs while all else is right.

    `tensor` is the output that it moves most, `share` how much of the limit of that it takes: infinite where it
    changes what is finite, the shape (`reshapes`), or whole numbers and booleans, which have no tolerance (`flips`).
    """

    tensor: str
    share: float
    reshapes: bool = False
    flips: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """What lies between a point at which the artifact differs from its model and the points before it that agree.

    `between` are the layers of the model there that no point of the artifact is known to be, with their classes.
    `missing` and `extra` are layers and operations that only the model or only the artifact has, `changed` clauses of
    operations that give other values than what they stand for: with the model's values behind them, the artifact's own
    operation gives the model's value. `op` is that operation, empty where an output of the model lies behind the
    point. `missing_layers` are those of `missing` that are layers.
    """

    op: str
    between: tuple[tuple[str, str], ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    missing_layers: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def is_established(self) -> bool:
        """Whether it is known what differs there."""
        return bool(self.missing or self.extra or self.changed)


@dataclass(frozen=True, slots=True)
class PointResult:
    """One point on one runtime.

    `inherited` is the whole model run and this point looked at; `own` is the operation alone, run on
    the values that artifact:float32 has there. `role` is "source" (it fails, and alone as well),
    "passes-on" (it fails, alone it does not), "latent" (alone it fails, in the whole run it does not),
    "ok" or "unknown" (nothing could be compared). `note` says why one of the two is missing.
    `element` is the first wrong element of a source, and `operands` are what it was computed from. `effect` is
    what its own error does to the outputs, None where that was not measured. `gap` is of `TracePoint.conversion`.
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


@dataclass(frozen=True, slots=True)
class Origin:
    """Where artifact:float32 itself makes infinity of finite operands, or NaN of others: the first of `count` elements.

    `element` has what artifact:float64 gives there as its reference, NaN where that cannot run.
    """

    element: WorstElement
    count: int
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Saturation:
    """What share of an activation's result lies at each of its bounds, in artifact:float32."""

    activation: str
    bounds: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """One output of the whole artifact, run twice on the same inputs, where the two differ.

    `element` is the one that differs most: the second run's value as its candidate, the first one's as its reference.
    """

    runtime: RuntimeId
    tensor: str
    changed_count: int
    element_count: int
    element: WorstElement


@dataclass(frozen=True, slots=True)
class TracePoint:
    """One value inside the artifact: a node of a graph, a layer of a layers model.

    `smallest` and `largest` are magnitudes of artifact:float32, finite and not 0. The headrooms are
    how many times the largest half float (65504) the largest fits into, and how many times the smallest
    is the smallest half float (2**-24): below 1 half floats lose it. `skipped` says why it was not traced.
    `conversion` is looked for where an output of the artifact is not the model's in Python itself; its `own` is
    the operation alone on the values that the model has there, its `note` what its files have that is not the model's.
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
    quantized: bool = False  # whether it reads weights that the artifact keeps in fewer bits
    loops: tuple[
        str, ...
    ] = ()  # nodes of loops and branches that it is the first to show in numbers, and runs alone with

    @property
    def operation(self) -> str:
        """The operation, with the loops that are part of the point: ``TensorListStack of lstm/while``."""
        return f"{self.op} of {', '.join(self.loops)}" if self.loops else self.op


@dataclass(frozen=True, slots=True)
class OutputSplit:
    """The error of one output in two parts.

    `conversion` is the artifact in Python against the model in Python, None where the artifact is the
    model; `backends` are the browsers against the artifact in Python.
    """

    tensor: str
    conversion: Comparison | None
    backends: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One source operation, cut out for a bug report: where it lies, or why there is none (`folder` is None)."""

    folder: str | None
    note: str
    point: str | None = None
    runtime: RuntimeId | None = None


def _by_effect(source: tuple[object, PointResult]) -> float:
    """What moves the outputs most is least; a shape that differs and cannot be passed on is before all."""
    result = source[1]
    if result.effect:
        return -1.0 * result.effect.share
    return -math.inf if any(c and c.shape_mismatch for c in (result.own, result.inherited)) else 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """Where errors begin: points of the artifact, in topological order, on a few samples.

    `samples` are the places of those in the whole input: the ones that failed, then the first ones. `notes` say
    what the trace had to do without; `repeats` lists outputs that differ when the same is run again.
    """

    sample_count: int
    memory_bytes: int
    group_count: int  # the points were looked at in so many groups, to keep within the memory
    points: tuple[TracePoint, ...]
    splits: tuple[OutputSplit, ...]
    samples: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    bundle: Bundle | None = None  # where one was asked for

    def sources(self) -> tuple[tuple[TracePoint, PointResult], ...]:
        """Every source on every runtime: what moves the outputs most first, then those whose effect is not known.

        Of equal ones that comes first which the graph has first.
        """
        found = [(point, result) for point in self.points for result in point.results if result.role == "source"]
        return tuple(sorted(found, key=_by_effect))

    def conversion_sources(self) -> tuple[tuple[TracePoint, PointResult], ...]:
        """Every point where the artifact stops being its model, in the same order."""
        found = [(p, p.conversion) for p in self.points if p.conversion and p.conversion.role == "source"]
        return tuple(sorted(found, key=_by_effect))

    def table(self) -> list[dict[str, Any]]:
        """One flat row for every point and runtime, in topological order, as for ``pandas.DataFrame``.

        Keys: point, op, layer, dtype, shape, runtime, role, smallest, largest, overflow_headroom and
        underflow_headroom as in TracePoint and PointResult; with ``inherited_`` and ``own_`` before them passed,
        max_abs_error, limit, introduced, masked and class_changed (elements whose class differs), None where
        nothing was compared; note, which says why. A point without results has one row, its runtime None.
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
