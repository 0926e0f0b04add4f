"""Runs the model in Python up to its casts, for numbers that an integer type cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ConversionError
from .types import OutOfRangeCast, Tensors

if TYPE_CHECKING:
    from .model import Model


def out_of_range_casts(model: Model, tensors: Tensors) -> tuple[OutOfRangeCast, ...]:
    """The casts that do not fit on these inputs; none where the model cannot become a graph of constants."""
    from .model.casts import narrowing_casts, out_of_range

    try:
        frozen = model.frozen()
    except ConversionError:  # whoever needs the graph itself will say so
        return ()
    read = narrowing_casts(frozen)
    if not read:
        return ()
    from .runtimes.graph_function import GraphFunction

    values = GraphFunction(frozen.graph_def, frozen.inputs, read)(tensors)
    return tuple(out_of_range(frozen, values, model.layer_tensors))
