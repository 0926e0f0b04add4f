"""Runs the model in Python up to its casts, to find numbers that an integer type cannot hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConversionError
from ..types import Array, OutOfRangeCast, Tensors

if TYPE_CHECKING:
    from ..model import FrozenGraph, Model

#: The most casts whose effect is tried; each one runs the model three times.
_MOST_TRIED = 4
#: A share of a value: smaller changes are roundoff, because threads add sums in a varying order.
_CHANGED = 1e-4


def out_of_range_casts(model: Model, tensors: Tensors, *, tried: bool = True) -> tuple[OutOfRangeCast, ...]:
    """Find casts that do not fit on these inputs; none if the model cannot become a graph of constants.

    With `tried`, the outputs of a cast are those that change in Python if the cast gives a different number; without
    it, all outputs that depend on the cast.
    """
    from ..model.casts import narrowing_casts, out_of_range

    try:
        frozen = model.frozen()
    except ConversionError:  # a stage that needs the graph reports the error
        return ()
    read = narrowing_casts(frozen)
    if not read:
        return ()
    from ..graphdef.function import GraphFunction

    values = GraphFunction(frozen.graph_def, frozen.inputs, read)(tensors)
    found = tuple(out_of_range(frozen, values, model.layer_tensors))
    if not tried:
        return found
    first = (replace(cast, outputs=_changed(frozen, tensors, cast, values[cast.name])) for cast in found[:_MOST_TRIED])
    return (*first, *found[_MOST_TRIED:])


def _changed(frozen: FrozenGraph, tensors: Tensors, cast: OutOfRangeCast, value: Array) -> tuple[str, ...]:
    """Return the outputs after a cast of `value` that depend on its result for numbers that do not fit."""
    from ..graphdef.function import GraphFunction
    from ..model.casts import other_results

    given = f"{cast.name}:0"
    behind = {name: tensor for name, tensor in frozen.outputs.items() if name in cast.outputs}
    function = GraphFunction(frozen.graph_def, {**frozen.inputs, given: given}, behind)
    tries = [function.attempt({**tensors, given: result}) for result in other_results(cast, value)]
    first, *others = [outputs for outputs in tries if outputs is not None] or [{}]
    if len(others) + 1 < len(tries):  # some results are invalid there, such as an index outside of a table
        return cast.outputs
    return tuple(name for name in behind if any(_differ(first[name], other[name]) for other in others))


def _differ(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return True
    if one.dtype.kind not in "fiu":
        return bool((one != other).any())
    left, right = one.astype(np.float64), other.astype(np.float64)
    least = _CHANGED * np.maximum(np.abs(left), np.abs(right))
    return not bool(np.isclose(left, right, rtol=0.0, atol=np.nan_to_num(least, posinf=0.0), equal_nan=True).all())
