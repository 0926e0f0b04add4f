"""Derives facts about an input from the operations that read it: the size of a table, a scale, a masked value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .flows import Cell, Flow, Origin, along
from .passing import Step

#: A mask becomes an offset of at least this size, for which a softmax gives 0.
_LARGE_NEGATIVE = 1e3
#: The numbers that are generated for each bucket of a hash.
_NUMBERS_A_BUCKET = 4
#: Operations without a value for negative numbers, so that a range must not contain any.
_POSITIVE_ONLY = frozenset({"Log", "Log1p", "Sqrt", "Rsqrt", "Pow"})


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact from one operation about an input, or about one column of it."""

    kind: str  # of VALUE_KINDS, or "affine" and "statistics" (`scale`, `offset`), "clip", "pad" (`low`)
    input: str
    column: int | None
    reason: str
    low: float = 0.0
    high: float = 0.0
    scale: float = 1.0
    offset: float = 0.0
    guarded: bool = False
    any_below: bool = False  # of ids: the model itself keeps smaller numbers within the table
    any_above: bool = False
    edges: tuple[float, ...] = ()
    keys: tuple[int | float | str, ...] = ()
    words: bool = False
    by_feature: bool = False  # for a masked value: whether a whole row must have it
    stated: bool = False  # for a scale: whether a layer of the model states it exactly

    def about(self, origin: Origin) -> Fact:
        """Return the same fact about a different input or column."""
        return replace(self, input=origin.input, column=origin.column, guarded=self.guarded or origin.guarded)


Namer = Callable[[str], str]
_Use = Callable[[Step, Namer], Iterator[Fact]]


def facts_of(step: Step, consumed: bool, named: Namer) -> Iterator[Fact]:
    """Yield the facts of an operation; `consumed` says that it computes new values."""
    use = _USES.get(step.op.type)
    if use:
        yield from use(step, named)
    elif consumed:
        yield from _computes(step, named)


def _ids(cell: Cell, size: int, reason: str) -> Iterator[Fact]:
    """Return indices from 0 to below `size`, as numbers of the input."""
    for origin in cell:
        ends = sorted((origin.inverse(0), origin.inverse(size - 1)))
        low, high = math.ceil(ends[0] - 1e-6), math.floor(ends[1] + 1e-6) + 1
        if low < high and abs(low) < 2**53 and high < 2**53:
            below, above = origin.selected or origin.smallest > -1, origin.selected or origin.largest < size
            if origin.scale < 0:
                below, above = above, below
            yield Fact("ids", "", None, reason, low, high, any_below=below, any_above=above).about(origin)


def _gather(step: Step, named: Namer) -> Iterator[Fact]:
    flow = step.flows[1]
    axis = step.constant(2) if step.op.type == "GatherV2" else np.asarray(0)
    shape = step.op.inputs[0].shape
    if flow is None or axis is None or shape.rank is None:
        return
    size = shape[int(axis.item())]
    if size:
        yield from _ids(flow.origins, size, f"{size:,} rows of {named(step.op.name)}")


def _gather_nd(step: Step, named: Namer) -> Iterator[Fact]:
    yield from _places(step, step.flows[1], step.op.inputs[0].shape, named)


def _scatter(step: Step, named: Namer) -> Iterator[Fact]:
    shape = step.constant(2)
    if shape is not None:
        yield from _places(step, step.flows[0], shape.tolist(), named)


def _places(step: Step, flow: Flow | None, shape: Any, named: Namer) -> Iterator[Fact]:
    """Return facts about indices into a tensor of this shape: the last axis has an index for each axis."""
    if flow is None:
        return
    indices = step.op.inputs[1 if step.op.type == "GatherNd" or "Tensor" in step.op.type else 0].shape
    by_axis = indices.rank is not None and flow.axis == indices.rank - 1
    cells = flow.cells if by_axis else (flow.origins,) if indices.rank and indices[-1] == 1 else ()
    for axis, cell in enumerate(cells):
        size = shape[axis]
        if size:
            yield from _ids(cell, int(size), f"axis {axis} of {named(step.op.name)}")


def _counted(operand: int, size: int, what: str) -> _Use:
    def use(step: Step, named: Namer) -> Iterator[Fact]:
        flow, count = step.flows[operand], _at_most(step, step.op.inputs[size])
        if flow and count is not None and count > 0:
            yield from _ids(flow.origins, count, f"{count:,} {what} of {named(step.op.name)}")

    return use


def _at_most(step: Step, size: Any) -> int | None:
    """Return the number that limits the values; for tf.math.bincount, its largest value or the constant limit."""
    known = step.place.value(size)
    if known is None and size.op.type == "Minimum":
        bounds = [step.place.value(operand) for operand in size.op.inputs]
        known = next((bound for bound in bounds if bound is not None), None)
    return int(known.item()) if known is not None and known.size == 1 else None


def _hashes(step: Step, named: Namer) -> Iterator[Fact]:
    """Return facts about hashed numbers, which can be any; there are several for each bucket, so that all are used."""
    for origin in step.first.origins:
        buckets = step.op.get_attr("num_buckets")
        reason = f"hashed into {buckets:,} buckets by {named(step.op.name)}"
        yield Fact("whole", "", None, reason, 0, _NUMBERS_A_BUCKET * buckets).about(origin)


def _lengths(step: Step, named: Namer) -> Iterator[Fact]:
    flow, shape = step.flows[1], step.op.inputs[0].shape
    size = shape[step.op.get_attr("seq_dim")] if shape.rank is not None else None
    if flow and size:
        for fact in _ids(flow.origins, size + 1, f"lengths of {named(step.op.name)}"):
            yield replace(fact, kind="whole", low=1)


def _up_to(step: Step, named: Namer) -> Iterator[Fact]:
    """Return the fact of ``range(size) < length``, as in tf.sequence_mask."""
    flow, places = step.flows[1], step.constant(0)
    if flow is None or places is None or places.size < 2 or (places.ravel() != np.arange(places.size)).any():
        return
    for fact in _ids(flow.origins, places.size + 1, f"lengths up to {places.size:,}, by {named(step.op.name)}"):
        yield replace(fact, kind="whole", low=1)


def _keys(step: Step, named: Namer) -> Iterator[Fact]:
    flow = step.flows[1]
    keys = _table_keys(step)
    if flow is None or keys is None:
        return
    for origin in flow.origins:
        values = keys
        if not origin.is_plain:
            values = [_whole(origin.inverse(key)) for key in keys if not isinstance(key, str)]
        yield Fact("keys", "", None, f"keys of {named(step.op.name)}", keys=tuple(values), words=origin.split).about(
            origin
        )


def _whole(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _table_keys(step: Step) -> list[int | float | str] | None:
    """Return the keys of the table that is looked up; None if the graph does not contain the table or its keys."""
    handle = step.op.inputs[0]
    while handle.op.type == "Identity":
        handle = handle.op.inputs[0]
    fills = [op for op in step.place.root.graph.get_operations() if op.type in ("InitializeTableV2", "InitializeTable")]
    same = [op for op in fills if op.inputs[0].name == handle.name]
    if not same:  # within a function, the handle is an argument
        same = [op for op in fills if op.inputs[1].dtype == step.op.inputs[1].dtype]
    if len(same) != 1:
        return None
    value = step.place.root.value(same[0].inputs[1])
    if value is None:
        return None
    keys = value.reshape(-1).tolist()
    return sorted(key.decode("utf-8", "replace") if isinstance(key, bytes) else key for key in keys)


def _bins(step: Step, named: Namer) -> Iterator[Fact]:
    if step.op.type == "Bucketize":
        flow, edges = step.flows[0], np.asarray(step.op.get_attr("boundaries"), np.float64)
    else:
        known = step.constant(0)
        flow, edges = step.flows[1], np.zeros(0) if known is None else np.unique(known.astype(np.float64))
    if flow is None or not edges.size or not np.isfinite(edges).all():
        return
    for origin in flow.origins:
        own = tuple(sorted(origin.inverse(float(edge)) for edge in edges))
        yield Fact("bins", "", None, f"bins of {named(step.op.name)}", edges=own).about(origin)


def _compares(step: Step, _named: Namer) -> Iterator[Fact]:
    """Return the fact of a comparison with one number, which may be a padding value."""
    if sum(flow is not None for flow in step.flows) != 1:
        return
    constant = step.constant(1 - step.at)
    if constant is None or constant.size != 1 or constant.dtype.kind not in "biuf":
        return
    reduced = any(reader.type in ("Any", "All") for reader in step.op.outputs[0].consumers())
    for origin in step.first.origins:
        value = origin.inverse(float(constant.item()))
        if math.isfinite(value):
            reason = "mask_value" if reduced else "mask_zero" if value == 0 else "a value that is masked"
            yield Fact("pad", "", None, reason, low=value, by_feature=reduced).about(origin)


def _decides(step: Step, _named: Namer) -> Iterator[Fact]:
    """Return the fact of a condition or a logical operation: a boolean input of it is a mask."""
    flow = step.flows[0] if step.op.type.startswith("Select") else step.first
    for origin in flow.origins if flow else ():
        yield Fact("mask", "", None, "a mask").about(origin)


def _normalizes(step: Step, named: Namer) -> Iterator[Fact]:
    """Return the statistics of a FusedBatchNorm, which are its operands."""
    flow, mean, variance = step.flows[0], step.constant(3), step.constant(4)
    if flow is None or mean is None or variance is None or not mean.size or step.op.get_attr("is_training"):
        return
    channels_first = step.op.get_attr("data_format") == b"NCHW"
    shape = (-1, 1, 1) if channels_first else (-1,)
    rank = step.rank(0)
    yield from _statistics(
        flow, along(mean.reshape(shape), flow, rank), along(np.sqrt(variance).reshape(shape), flow, rank),
        f"the moving mean and variance of {named(step.op.name)}",
    )  # fmt: skip


def _statistics(flow: Flow, mean: list[float] | None, deviation: list[float] | None, reason: str) -> Iterator[Fact]:
    """Return the statistics of a normalized input; if the input was scaled before, the scale says more."""
    for cell, center, spread in zip(flow.cells, mean or (), deviation or (), strict=False):
        for origin in cell:
            if not origin.is_plain:
                yield Fact(
                    "affine", "", None, "the scale before a normalization", scale=origin.scale, offset=origin.offset,
                    stated=True,
                ).about(origin)  # fmt: skip
            elif spread > 0:
                fact = Fact("statistics", "", None, reason, scale=1 / spread, offset=-center / spread, stated=True)
                yield fact.about(origin)


def _scales_by_statistics(step: Step, named: Namer) -> Iterator[Fact]:
    """Detect ``x * gamma / sqrt(variance + epsilon) + (beta - mean * gamma / sqrt(...))``, as Keras writes it."""
    if sum(flow is not None for flow in step.flows[:2]) != 1:
        return
    factor, flow = step.op.inputs[1 - step.at], step.first
    root = _behind(factor, "Rsqrt")
    if root is None or not step.place.is_constant(root) or not flow.axis:
        return
    inverse = step.place.value(root)
    sums = [reader for reader in step.op.outputs[0].consumers() if reader.type in ("Add", "AddV2", "BiasAdd")]
    shift = next((_behind(operand, "Sub") for add in sums for operand in add.inputs if operand.op != step.op), None)
    product = _behind(shift.op.inputs[1], "Mul") if shift is not None else None
    if product is None or inverse is None:
        return
    factors = [operand for operand in product.op.inputs if _behind(operand, "Rsqrt") is None]
    mean = step.place.value(factors[0]) if factors else None
    if mean is not None:
        rank, reason = step.rank(step.at), f"the moving mean and variance of {named(step.op.name)}"
        yield from _statistics(flow, along(mean, flow, rank), along(1 / inverse, flow, rank), reason)


def _behind(tensor: Any, kind: str) -> Any:
    """Find the nearest operation of this kind that a constant is computed from, a few operations away."""
    for _ in range(4):
        if tensor.op.type == kind:
            return tensor
        if tensor.op.type == "Mul" and kind == "Rsqrt":
            found = [_behind(operand, kind) for operand in tensor.op.inputs]
            return next((item for item in found if item is not None), None)
        if tensor.op.type not in ("Identity", "Reshape", "Cast"):
            return None
        tensor = tensor.op.inputs[0]
    return None


def _computes(step: Step, named: Namer) -> Iterator[Fact]:
    for flow, tensor in zip(step.flows, step.op.inputs, strict=False):
        if flow is not None:
            yield from computed(flow, tensor, step.op.type, named(step.op.name))


def computed(flow: Flow, tensor: Any, operation: str, name: str) -> Iterator[Fact]:
    """Return the facts of any operation that computes with the values: earlier factors show the range of the input."""
    if tensor.dtype.is_floating or tensor.dtype.is_integer:
        for origin in flow.origins:
            reason = f"the scale before {name}"
            if (
                not origin.is_plain
                and abs(origin.offset) >= _LARGE_NEGATIVE
                and not round(origin.scale + origin.offset)
            ):
                yield Fact("mask", "", None, "a mask", stated=True).about(origin)
            elif not origin.is_plain and operation not in _POSITIVE_ONLY:
                yield Fact("affine", "", None, reason, scale=origin.scale, offset=origin.offset).about(origin)
            elif math.isfinite(origin.low) and math.isfinite(origin.high) and origin.low < origin.high:
                yield Fact("clip", "", None, f"clipped before {name}", origin.low, origin.high).about(origin)


_USES: Mapping[str, _Use] = {
    **dict.fromkeys(("GatherV2", "Gather", "ResourceGather"), _gather),
    "GatherNd": _gather_nd,
    "ScatterNd": _scatter,
    **dict.fromkeys((f"TensorScatter{kind}" for kind in ("Update", "Add", "Sub", "Min", "Max")), _gather_nd),
    "OneHot": _counted(0, 1, "classes"),
    **dict.fromkeys((f"UnsortedSegment{kind}" for kind in ("Sum", "Max", "Min", "Prod")), _counted(1, 2, "segments")),
    **dict.fromkeys(("DenseBincount", "Bincount"), _counted(0, 1, "classes")),
    **dict.fromkeys(("LookupTableFindV2", "LookupTableFind"), _keys),
    **dict.fromkeys(("Bucketize", "LowerBound", "UpperBound"), _bins),
    "ReverseSequence": _lengths,
    "Less": _up_to,
    **dict.fromkeys(("StringToHashBucketFast", "StringToHashBucketStrong", "StringToHashBucket"), _hashes),
    **dict.fromkeys(("NotEqual", "Equal", "Greater"), _compares),
    **dict.fromkeys(("SelectV2", "Select", "LogicalAnd", "LogicalOr", "LogicalNot"), _decides),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _normalizes),
    "Mul": _scales_by_statistics,
    **dict.fromkeys(("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", "GreaterEqual",
                     "LessEqual", "NoOp", "Assert"), lambda step, named: iter(())),
}  # fmt: skip
