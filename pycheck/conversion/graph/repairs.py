"""Rewrites operations that every backend of TF.js 4.22 computes differently from TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from .kernel_repairs import KERNEL_REPAIRS, MOVES, choose, transpose
from .rewriting import Formula, Rewrite, Site, is_ranked, is_wrong, known, size_of
from .tables import shaped_like_keys

_CUMULATED = "the same over floats, axis counted from the front"
_BY_FLOATS = "exact for floats, and for integers up to 2^24"


def _band_part(_: Site, inputs: Sequence[Any]) -> Any:
    matrix, lower, upper = inputs
    below = tf.range(size_of(matrix, -2))[:, tf.newaxis] - tf.range(size_of(matrix, -1))
    lower, upper = tf.cast(lower, tf.int32), tf.cast(upper, tf.int32)
    kept = tf.logical_and(tf.logical_or(lower < 0, below <= lower), tf.logical_or(upper < 0, -below <= upper))
    return choose(kept, matrix, tf.zeros_like(matrix))


def _cumulative(function: Callable[..., Any]) -> Formula:
    def formula(site: Site, inputs: Sequence[Any]) -> Any:
        x = inputs[0]
        axis = int(known(site, 1)) % x.shape.rank
        exclusive, reverse = site.node.attr["exclusive"].b, site.node.attr["reverse"].b
        if x.dtype == tf.float32:
            return function(x, axis, exclusive=exclusive, reverse=reverse)
        return tf.cast(function(tf.cast(x, tf.float32), axis, exclusive=exclusive, reverse=reverse), x.dtype)

    return formula


def _one_hot(site: Site, inputs: Sequence[Any]) -> Any:
    indices, depth, on_value, off_value = inputs
    hot = tf.raw_ops.OneHot(indices=indices, depth=depth, on_value=1, off_value=0, axis=-1)
    result = choose(tf.equal(hot, 1), on_value, off_value)
    axis, rank = site.node.attr["axis"].i, indices.shape.rank
    if axis in (-1, rank):
        return result
    order = list(range(rank))
    order.insert(axis, rank)
    return transpose(result, order)


def _broadcast_matmul(site: Site, inputs: Sequence[Any]) -> Any:
    """Broadcast explicitly; TF.js pairs matrix i of one operand with matrix i modulo the count of the other."""
    x, y = inputs
    rank = max(x.shape.rank, y.shape.rank) - 2
    batch = [_common_size(x, y, -index - 2) for index in range(rank, 0, -1)]
    x, y = (tf.broadcast_to(z, [*batch, size_of(z, -2), size_of(z, -1)]) for z in (x, y))
    return tf.linalg.matmul(x, y, adjoint_a=site.node.attr["adj_x"].b, adjoint_b=site.node.attr["adj_y"].b)


def _common_size(x: Any, y: Any, axis: int) -> Any:
    known_sizes = [z.shape[axis] if z.shape.rank >= -axis else 1 for z in (x, y)]
    for size in known_sizes:
        if size is not None and size != 1:
            return size
    if None not in known_sizes:
        return 1
    return tf.shape(x if known_sizes[0] is None else y)[axis]


def _is_broadcast_matmul(site: Site) -> bool:
    """Tell whether batch axes differ, except by missing leading axes, which TF.js supports."""
    if not is_ranked(site):
        return False
    batches = [list(shape or ())[:-2] for shape in site.shapes]
    for batch in batches:
        while batch and batch[0] == 1:
            batch.pop(0)
    shorter, longer = sorted(batches, key=len)
    return bool(shorter) and longer[-len(shorter) :] != shorter


def _integer_mean(site: Site, inputs: Sequence[Any]) -> Any:
    x, axes = inputs
    total = tf.reduce_sum(x, axes, keepdims=site.node.attr["keep_dims"].b)
    count = tf.size(x, x.dtype) // tf.maximum(tf.size(total, x.dtype), 1)
    return tf.sign(total) * (tf.abs(total) // count)


def _cumulates_wrongly(site: Site) -> bool:
    return is_ranked(site) and site.constants[1] is not None and is_wrong(site)


REPAIRS: Mapping[str, Rewrite] = {
    **KERNEL_REPAIRS,
    "BatchMatMulV2": Rewrite(
        _broadcast_matmul, "BatchMatMulV2 of operands broadcast before", "exact", _is_broadcast_matmul
    ),
    "Cumprod": Rewrite(_cumulative(tf.math.cumprod), _CUMULATED, _BY_FLOATS, _cumulates_wrongly),
    "Cumsum": Rewrite(_cumulative(tf.math.cumsum), _CUMULATED, _BY_FLOATS, _cumulates_wrongly),
    "FloorDiv": Rewrite(
        lambda _, inputs: tf.floor(tf.divide(*inputs)),
        "Floor(x / y)",
        "the same formula as TensorFlow's",
        is_wrong,
    ),
    "LookupTableFindV2": Rewrite(  # returns a list, for keys of any shape
        shaped_like_keys,
        "LookupTableFindV2 of keys in one axis, then Reshape",
        "exact",
        lambda site: is_wrong(site) or site.shapes[1] is None,
    ),
    "MatrixBandPart": Rewrite(_band_part, "SelectV2 by a mask of the band", MOVES, is_ranked),
    "Mean": Rewrite(_integer_mean, "Sum // count, towards zero", "exact", is_wrong),
    "OneHot": Rewrite(
        _one_hot,
        "OneHot of integers on the last axis, then SelectV2, then Transpose",
        "exact",
        lambda site: site.shapes[0] is not None and is_wrong(site),
    ),
    "ShapeN": Rewrite(lambda _, inputs: [tf.shape(x) for x in inputs], "Shape of each", "exact; TF.js makes floats"),
}
