"""Derives causes from values: the origin of NaN in Python itself, saturated activations, results that do not repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from ..artifact import Point
from ..comparison import changed
from ..tensors import parts
from ..types import Array, Origin, Repeat, RuntimeId, Saturation, WorstElement
from .measuring import in_samples, operands_of, pairs_elements

#: An element is at a bound if it is this near; in float32, a sigmoid is there from an input of about 14 on.
_NEAR = 1e-6
#: Fewer elements than this are too few to judge an activation by.
_FEWEST = 16
_BOUNDS: Mapping[str, tuple[float, ...]] = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0,),
    "relu6": (0.0, 6.0),
}


def origin(
    point: Point,
    single: Array,
    double: Array | None,
    operands: Mapping[str, Array],
    doubles: Mapping[str, Array] = MappingProxyType({}),
) -> Origin | None:
    """Find the first element that artifact:float32 turns from a number into NaN, or from a finite value into infinity.

    None if there is none. If the operation is elementwise, the operands of an element are those at its place; else all
    values of the same sample. `doubles` has the operands in float64, as far as they are known.
    """
    value = parts(single)
    if value.dtype.kind != "f" or point.constant or (bad := ~np.isfinite(value)).sum() == 0:
        return None
    paired, is_complex = pairs_elements(point.op), value is not single

    def reads_only(holds: Callable[[Array], Array]) -> Array:
        whole = _reads_only(holds, single.shape, operands, paired=paired)
        return whole[..., None] if is_complex else whole

    made = bad & reads_only(np.isfinite)
    made |= np.isnan(value) & reads_only(lambda operand: ~np.isnan(operand))
    if not made.any():
        return None
    double = None if double is None else parts(double)
    place = tuple(int(i) for i in np.argwhere(made)[0])
    element = WorstElement(
        sample=place[0] if place else 0,
        index=place[1:],
        reference=float(double[place]) if double is not None and double.shape == value.shape else float("nan"),
        candidate=float(value[place]),
        kind="introduced",
    )
    read = operands_of(point.op, operands, place, value.shape, is_complex=is_complex, doubles=doubles)
    return Origin(element, int(made.sum()), read)


def _reads_only(
    holds: Callable[[Array], Array], shape: tuple[int, ...], operands: Mapping[str, Array], *, paired: bool
) -> Array:
    """Tell for each element whether `holds` is true for all values that it was computed from."""
    result = np.ones(shape, bool)
    for value in operands.values():
        if value.dtype.kind not in "fc":
            continue
        fine = holds(value)
        if paired and _broadcasts(value.shape, shape):
            result &= fine
        elif value.ndim and shape and value.shape[0] == shape[0]:
            whole = fine.reshape(len(value), -1).all(axis=1)
            result &= whole.reshape(-1, *(1,) * (len(shape) - 1))
        else:
            result &= fine.all()
    return result


def _broadcasts(given: tuple[int, ...], into: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(given, into) == into
    except ValueError:
        return False


def saturation(point: Point, value: Array) -> Saturation | None:
    """Measure how much of an activation's result lies at its bounds.

    None for a different operation, or too few elements.
    """
    bounds = _BOUNDS.get(point.activation)
    if bounds is None or value.size < _FEWEST or value.dtype.kind != "f":
        return None
    shares = [float(np.mean(np.abs(value - bound) < _NEAR)) for bound in bounds]
    return Saturation(point.activation, bounds, tuple(shares))


def repeats(
    runtime: RuntimeId,
    outputs: Mapping[str, str],
    first: Mapping[str, Array],
    again: Mapping[str, Array],
    samples: Sequence[int],
) -> Iterator[Repeat]:
    """Find outputs whose second value differs from the first in any bit; two NaN are equal, whatever their bits.

    `outputs` maps the model's names to the artifact's, by which the values are given; `samples` are the indices of the
    samples in the whole input.
    """
    for tensor, name in outputs.items():
        if name not in first or name not in again:
            continue
        one, two = parts(first[name]), parts(again[name])
        if one.shape == two.shape and (found := changed(one, two)):
            element = in_samples(found.element, samples, one.shape)
            yield Repeat(runtime, tensor, found.count, found.element_count, element)
