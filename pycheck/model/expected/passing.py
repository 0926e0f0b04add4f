"""Tracks values through operations that move them, or multiply and shift them by constants."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...graphdef.skeleton import Place
from ...types import Array
from .flows import Flow, Origin, along, union

#: A remainder is smaller than its divisor, also if it is not a whole number.
_BELOW_ONE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Step:
    """One operation, the flow of each operand that has one, and its graph."""

    op: Any
    flows: tuple[Flow | None, ...]
    place: Place

    def constant(self, operand: int) -> Array | None:
        """Return the value of an operand, if it is constant and small."""
        return self.place.value(self.op.inputs[operand])

    def rank(self, operand: int) -> int | None:
        """Return the rank of an operand."""
        found: int | None = self.op.inputs[operand].shape.rank
        return found

    @property
    def first(self) -> Flow:
        """Return the flow of the first operand that has one."""
        return next(flow for flow in self.flows if flow)

    @property
    def at(self) -> int:
        """Return the index of the first operand that has a flow."""
        return next(index for index, flow in enumerate(self.flows) if flow)


Passed = list[Flow | None]
_Rule = Callable[[Step], Passed | None]


def passed(step: Step) -> Passed | None:
    """Return the flow of each result; None if the operation computes new values."""
    rule = _RULES.get(step.op.type)
    return rule(step) if rule else None


def _same(step: Step) -> Passed:
    return [step.first] * len(step.op.outputs)


def _cast(step: Step) -> Passed:
    """Bound the values of a narrower integer, in which larger ones wrap around, and those of a boolean."""
    given, wanted = step.op.inputs[0].dtype, step.op.outputs[0].dtype
    if wanted.is_bool:
        return [step.first.each(lambda origin, _: replace(origin, smallest=0.0, largest=1.0))]
    if not given.is_integer or not wanted.is_integer:
        return _same(step)
    low, high = float(wanted.min), float(wanted.max)

    def wrapped(origin: Origin) -> Origin:
        low_most, high_most = max(origin.smallest, given.min), min(origin.largest, given.max)
        fits = low <= low_most and high_most <= high
        return origin if fits else replace(origin, smallest=low, largest=high)

    return [step.first.each(lambda origin, _: wrapped(origin))]


def _mixed(step: Step) -> Passed:
    return [step.first.mixed()] * len(step.op.outputs)


def _choice(step: Step) -> Passed | None:
    branches = [flow for flow in step.flows[1:] if flow]
    both = union(branches)
    if both is None:  # the values only select
        return None
    guarded = len(branches) < len(step.flows) - 1
    return [both.each(lambda origin, _: _selected(origin) if guarded else origin)]


def _selected(origin: Origin) -> Origin:
    return replace(origin, guarded=True, selected=True)


def _affine(combine: Callable[[Origin, float, bool], Origin | None]) -> _Rule:
    def rule(step: Step) -> Passed | None:
        if len(step.op.inputs) < 2 or sum(flow is not None for flow in step.flows[:2]) != 1:
            return None
        other = 1 - step.at
        constant = step.constant(other)
        if constant is None or constant.dtype.kind not in "biuf" or not np.isfinite(constant).all():
            return None
        rank = step.op.outputs[0].shape.rank
        flow = step.first if rank == step.rank(step.at) else step.first.mixed()
        values = along(constant, flow, rank)
        if values is None:
            return None
        changed = [[combine(origin, values[i], step.at == 0) for origin in cell] for i, cell in enumerate(flow.cells)]
        if any(origin is None for cell in changed for origin in cell):
            return None
        return [replace(flow, cells=tuple(frozenset(filter(None, cell)) for cell in changed))]

    return rule


def _times(origin: Origin, value: float, _first: bool) -> Origin | None:
    return origin.mapped(value, 0.0) if value else None


def _divided(origin: Origin, value: float, first: bool) -> Origin | None:
    return _times(origin, 1 / value, True) if first and value else None


def _plus(origin: Origin, value: float, _first: bool) -> Origin:
    return origin.mapped(1.0, value)


def _minus(origin: Origin, value: float, first: bool) -> Origin | None:
    return origin.mapped(1.0, -value) if first else origin.mapped(-1.0, value)


def _modulo(origin: Origin, value: float, first: bool) -> Origin | None:
    """Bound a remainder, which has the sign of the divisor, and is nearer to 0."""
    if not first or not value:
        return None
    smallest, largest = sorted((0.0, value * _BELOW_ONE))
    return replace(origin, guarded=True, smallest=smallest, largest=largest)


def _truncated_modulo(origin: Origin, value: float, first: bool) -> Origin | None:
    """Bound a remainder that has the sign of the dividend."""
    if not first or not value:
        return None
    most = abs(value) * _BELOW_ONE
    smallest, largest = 0.0 if origin.smallest >= 0 else -most, 0.0 if origin.largest <= 0 else most
    return replace(origin, guarded=True, smallest=smallest, largest=largest)


def _at_most(origin: Origin, value: float, _first: bool) -> Origin:
    return _clipped(origin, -np.inf, value)


def _at_least(origin: Origin, value: float, _first: bool) -> Origin:
    return _clipped(origin, value, np.inf)


def _clipped(origin: Origin, low: float, high: float) -> Origin:
    ends = sorted((origin.inverse(low), origin.inverse(high)))
    return replace(origin, low=max(origin.low, ends[0]), high=min(origin.high, ends[1]), guarded=True).within(low, high)


def _clip(step: Step) -> Passed | None:
    low, high = step.constant(1), step.constant(2)
    if low is None or high is None or low.size != 1 or high.size != 1:
        return None
    return [step.first.each(lambda origin, _: _clipped(origin, float(low.item()), float(high.item())))]


def _negated(step: Step) -> Passed:
    return [step.first.each(lambda origin, _: origin.mapped(-1.0, 0.0))]


# --- places


def _expand(step: Step) -> Passed:
    flow, at = step.first, step.constant(1)
    rank = step.op.outputs[0].shape.rank
    if flow.axis is None or at is None or rank is None:
        return [flow.mixed()]
    new = int(at.item()) % rank
    return [flow.moved(flow.axis + (new <= flow.axis))]


def _squeeze(step: Step) -> Passed:
    flow, rank = step.first, step.rank(0)
    dims = list(step.op.get_attr("squeeze_dims")) if rank is not None else []
    if flow.axis is None or rank is None or not dims:
        return [flow.mixed()]
    gone = {dim % rank for dim in dims}
    return [flow.moved(None if flow.axis in gone else flow.axis - sum(dim < flow.axis for dim in gone))]


def _transpose(step: Step) -> Passed:
    flow, order = step.first, step.constant(1)
    if flow.axis is None or order is None:
        return [flow.mixed()]
    return [flow.moved(order.tolist().index(flow.axis))]


def _reshape(step: Step) -> Passed:
    """Keep the axis of the cells if all axes after it stay, except axes of size 1."""
    flow, shape, target = step.first, step.op.inputs[0].shape, step.op.outputs[0].shape
    if flow.axis is None or shape.rank is None or target.rank is None:
        return [flow.mixed()]
    size = len(flow.cells)
    behind = [dim for dim in shape.as_list()[flow.axis + 1 :] if dim != 1]
    if behind or None in behind:
        return [flow.mixed()]
    wanted = target.as_list()
    while wanted and wanted[-1] == 1 and size != 1:
        wanted.pop()
    at = len(wanted) - 1
    return [flow.moved(at if wanted and wanted[-1] == size else None)]


def _split(step: Step) -> Passed:
    sizes = None
    if step.op.type == "SplitV":
        axis, given = step.constant(2), step.constant(1)
        sizes = None if given is None else given.tolist()
    else:
        axis = step.constant(0)
    flow, count = step.first, len(step.op.outputs)
    rank = step.rank(step.at)
    if flow.axis is None or axis is None or rank is None:
        return [flow.mixed()] * count
    if int(axis.item()) % rank != flow.axis:
        return [flow] * count
    if sizes is None or -1 in sizes:
        sizes = [output.shape[flow.axis] for output in step.op.outputs]
    ends = np.cumsum([0, *sizes]).tolist()
    return [replace(flow, cells=flow.cells[a:b]) for a, b in itertools.pairwise(ends)]


def _unpack(step: Step) -> Passed:
    flow, rank = step.first, step.rank(0)
    count = len(step.op.outputs)
    if flow.axis is None or rank is None:
        return [flow.mixed()] * count
    axis = step.op.get_attr("axis") % rank
    if axis == flow.axis:
        return [Flow((cell,), None) for cell in flow.cells]
    return [flow.moved(flow.axis - (axis < flow.axis))] * count


def _pack(step: Step) -> Passed:
    rank = step.op.outputs[0].shape.rank
    if rank is None:
        return [Flow((frozenset().union(*(flow.origins for flow in step.flows if flow)),), None)]
    cells = tuple(flow.origins if flow else frozenset() for flow in step.flows)
    return [Flow(cells, step.op.get_attr("axis") % rank)]


def _concat(step: Step) -> Passed | None:
    last = step.op.type == "ConcatV2"
    axis = step.constant(len(step.flows) - 1 if last else 0)
    flows = step.flows[:-1] if last else step.flows[1:]
    tensors = list(step.op.inputs)[:-1] if last else list(step.op.inputs)[1:]
    rank = step.op.outputs[0].shape.rank
    if axis is None or rank is None:
        return [Flow((frozenset().union(*(flow.origins for flow in flows if flow)),), None)]
    along_axis = int(axis.item()) % rank
    cells: list[frozenset[Origin]] = []
    for flow, tensor in zip(flows, tensors, strict=True):
        size = tensor.shape[along_axis]
        if size is None or size > 4096:
            return [union([flow for flow in flows if flow])]
        if flow and flow.axis == along_axis:
            cells += flow.cells
        else:
            cells += [flow.origins if flow else frozenset()] * size
    return [Flow(tuple(cells), along_axis)]


def _gathered(step: Step) -> Passed | None:
    """Select constant indices of an input; an input of indices is a use instead."""
    flow = step.flows[0]
    if flow is None or step.flows[1] is not None:
        return None
    places = step.constant(1)
    axis = step.constant(2) if len(step.op.inputs) > 2 else np.asarray(0)
    rank = step.rank(0)
    if places is None or axis is None or rank is None or flow.axis != int(axis.item()) % rank:
        return [flow.mixed()]
    cells = tuple(flow.cells[int(place)] for place in places.reshape(-1))
    return [Flow(cells, flow.axis) if places.ndim == 1 else Flow((frozenset().union(*cells),), None)]


def _sliced(step: Step) -> Passed:
    """Apply a StridedSlice; its masks say which axes it drops, adds and skips."""
    flow, rank = step.first, step.rank(0)
    begin, end, strides = (step.constant(index) for index in (1, 2, 3))
    if flow.axis is None or rank is None or begin is None or end is None or strides is None:
        return [flow.mixed()]
    masks = {name: step.op.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    count = len(begin)
    added = sum(1 for i in range(count) if masks["new_axis"] >> i & 1)
    skipped = rank - (count - added - (1 if masks["ellipsis"] else 0))
    axis, out = 0, 0
    for i in range(count):
        if masks["ellipsis"] >> i & 1:
            if axis <= flow.axis < axis + skipped:
                return [flow.moved(out + flow.axis - axis)]
            axis, out = axis + skipped, out + skipped
        elif masks["new_axis"] >> i & 1:
            out += 1
        elif axis == flow.axis:
            if masks["shrink_axis"] >> i & 1:
                return [Flow((flow.cells[int(begin[i])],), None)]
            first = None if masks["begin"] >> i & 1 else int(begin[i])
            stop = None if masks["end"] >> i & 1 else int(end[i])
            return [Flow(flow.cells[first : stop : int(strides[i])], out)]
        else:
            axis, out = axis + 1, out + (not masks["shrink_axis"] >> i & 1)
    return [flow.moved(out + flow.axis - axis)]


def _slice(step: Step) -> Passed:
    flow, begin, size = step.first, step.constant(1), step.constant(2)
    if flow.axis is None or begin is None or size is None:
        return [flow.mixed()]
    first, count = int(begin[flow.axis]), int(size[flow.axis])
    return [replace(flow, cells=flow.cells[first : None if count < 0 else first + count])]


def _reversed(step: Step) -> Passed:
    flow, axes, rank = step.first, step.constant(1), step.rank(0)
    if flow.axis is None or axes is None or rank is None:
        return [flow.mixed()]
    turned = flow.axis in {int(axis) % rank for axis in axes.reshape(-1)}
    return [replace(flow, cells=flow.cells[::-1]) if turned else flow]


def _words(step: Step) -> Passed:
    """Return the flows of the index of each word, of the words, and of their number."""
    words = step.first.mixed().each(lambda origin, _: replace(origin, split=True))
    return [None, words, None]


def _last_operand(step: Step) -> Passed:
    """Pass the written value of a TensorArray on to its readers."""
    return [step.first] * len(step.op.outputs)


def _item(step: Step) -> Passed:
    flow = step.first
    return [flow.moved(flow.axis - 1 if flow.axis else None)] * len(step.op.outputs)


def _broadcast(step: Step) -> Passed:
    flow, before, after = step.first, step.rank(0), step.op.outputs[0].shape
    if flow.axis is None or before is None or after.rank is None:
        return [flow.mixed()]
    axis = flow.axis + after.rank - before
    return [flow.moved(axis if after[axis] == len(flow.cells) else None)]


_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(
        (
            "Identity", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics", "Floor",
            "Round", "Rint", "Ceil", "EnsureShape", "PlaceholderWithDefault", "Enter", "Exit", "NextIteration",
            "Switch", "TensorListFromTensor", "AsString", "StringLower", "StringUpper", "StringStrip", "RegexReplace",
            "StaticRegexReplace",
        ),
        _same,
    ),
    "Cast": _cast,
    **dict.fromkeys(("Merge",), _mixed),
    **dict.fromkeys(("TensorArrayScatterV3", "TensorArrayWriteV3"), _last_operand),
    **dict.fromkeys(("TensorListGetItem", "TensorArrayReadV3"), _item),
    **dict.fromkeys(("SelectV2", "Select"), _choice),
    "Mul": _affine(_times),
    **dict.fromkeys(("RealDiv", "Div", "DivNoNan"), _affine(_divided)),
    **dict.fromkeys(("Add", "AddV2", "BiasAdd"), _affine(_plus)),
    "Sub": _affine(_minus),
    "FloorMod": _affine(_modulo),
    **dict.fromkeys(("Mod", "TruncateMod"), _affine(_truncated_modulo)),
    "Minimum": _affine(_at_most),
    "Maximum": _affine(_at_least),
    "ClipByValue": _clip,
    "Neg": _negated,
    "IdentityN": lambda step: list(step.flows),
    "ExpandDims": _expand,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Reshape": _reshape,
    **dict.fromkeys(("Split", "SplitV"), _split),
    "Unpack": _unpack,
    "Pack": _pack,
    **dict.fromkeys(("ConcatV2", "Concat"), _concat),
    **dict.fromkeys(("GatherV2", "Gather"), _gathered),
    "StridedSlice": _sliced,
    "Slice": _slice,
    "ReverseV2": _reversed,
    **dict.fromkeys(("StringSplit", "StringSplitV2"), _words),
    **dict.fromkeys(("Tile", "BroadcastTo"), _broadcast),
}  # fmt: skip
