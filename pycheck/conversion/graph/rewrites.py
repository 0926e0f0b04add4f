"""Rewrites operations that TF.js lacks as operations that give the same value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from .contractions import CONTRACTIONS
from .rewriting import Rewrite, Site, is_ranked, known, size_of

_EXACT = "the same formula as TensorFlow's"
_MOVES = "exact: values are only moved"

#: erfc(x) = t exp(-x^2) (c0 + c1 t + ... + c7 t^7), t = 1 / (1 + 0.44 x), for x >= 0. The form is that of
#: Abramowitz and Stegun 7.1.26; the coefficients are our own minimax fit (Lawson's iteration) to the
#: relative error, at most 1.9e-7 on [0, 10.1], beyond which erfc is no normal float32.
_ERFC_SCALE = 0.44
_ERFC = (
    0.24822054059238807,
    0.24887716597987275,
    0.21727824075939922,
    0.21592260743176733,
    -0.02037893394617306,
    0.2968929976896473,
    -0.2780622864286575,
    0.07124985032622753,
)


def _erfc(_: Site, inputs: Sequence[Any]) -> Any:
    """Compute erfc without Erf: TF.js's Erf errs by up to 1.5e-7, so 1 - Erf has no correct digits if erfc is small."""
    magnitude = tf.abs(inputs[0])
    t = tf.math.reciprocal(1.0 + _ERFC_SCALE * magnitude)
    polynomial = _ERFC[-1] * t + _ERFC[-2]
    for coefficient in reversed(_ERFC[:-2]):
        polynomial = polynomial * t + coefficient
    upper = polynomial * t * tf.exp(-tf.square(magnitude))
    return tf.where(inputs[0] < 0, 2.0 - upper, upper)


def _zero_if_zero(zero: int, function: Callable[[Any, Any], Any]) -> Callable[[Site, Sequence[Any]], Any]:
    """Apply `function` to both inputs, but return 0 if input number `zero` is 0, even if the result would be NaN."""

    def formula(_: Site, inputs: Sequence[Any]) -> Any:
        value = function(inputs[0], inputs[1])
        return tf.where(tf.equal(inputs[zero], 0), tf.zeros_like(value), value)

    return formula


def _unary(function: Callable[[Any], Any]) -> Callable[[Site, Sequence[Any]], Any]:
    return lambda _, inputs: function(inputs[0])


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Site, Sequence[Any]], Any]:
    return lambda _, inputs: function(inputs[0], inputs[1])


def _bucketize(site: Site, inputs: Sequence[Any]) -> Any:
    """Count the boundaries that x is not below; NaN falls after the last, as in TensorFlow."""
    boundaries = np.asarray(site.node.attr["boundaries"].list.f, np.float32)
    values = tf.cast(inputs[0], tf.float32)[..., tf.newaxis]
    return tf.reduce_sum(tf.cast(tf.logical_not(values < boundaries), tf.int32), axis=-1)


def _roll(site: Site, inputs: Sequence[Any]) -> Any:
    x, shift, _ = inputs
    axes = np.atleast_1d(known(site, 2))
    shifts = tf.reshape(shift, [len(axes)])
    for index, axis in enumerate(int(axis) for axis in axes):
        size = size_of(x, axis)
        x = tf.gather(x, tf.math.floormod(tf.range(size) - tf.cast(shifts[index], tf.int32), size), axis=axis)
    return x


def _space_to_depth(site: Site, inputs: Sequence[Any]) -> Any:
    (x,) = inputs
    block = site.node.attr["block_size"].i
    height, width, channels = size_of(x, 1) // block, size_of(x, 2) // block, size_of(x, 3)
    tiles = tf.transpose(tf.reshape(x, [-1, height, block, width, block, channels]), [0, 1, 3, 2, 4, 5])
    return tf.reshape(tiles, [-1, height, width, block * block * channels])


def _matrix_diag(_: Site, inputs: Sequence[Any]) -> Any:
    diagonal, padding = inputs[0], inputs[4]
    size = size_of(diagonal, -1)
    return tf.where(_eye(size, size), diagonal[..., tf.newaxis], padding)


def _matrix_diag_part(_: Site, inputs: Sequence[Any]) -> Any:
    """Select one element of each row of the upper left square by a mask; a sum with zeros is exact."""
    matrix = inputs[0]
    size = tf.minimum(size_of(matrix, -2), size_of(matrix, -1))
    square = matrix[..., :size, :size]
    return tf.reduce_sum(tf.where(_eye(size, size), square, tf.zeros_like(square)), axis=-1)


def _matrix_set_diag(_: Site, inputs: Sequence[Any]) -> Any:
    matrix, diagonal = inputs[0], inputs[1]
    rows, columns = size_of(matrix, -2), size_of(matrix, -1)
    missing = tf.maximum(rows - tf.minimum(rows, columns), 0)
    paddings = [[0, 0]] * (diagonal.shape.rank - 1) + [[0, missing]]
    return tf.where(_eye(rows, columns), tf.pad(diagonal, paddings)[..., tf.newaxis], matrix)


def _select(_: Site, inputs: Sequence[Any]) -> Any:
    """Broadcast the condition: version 1 has one for each row, while SelectV2 broadcasts from the last axis."""
    condition, x, y = inputs
    ones = [1] * (x.shape.rank - 1)
    return tf.where(tf.reshape(condition, [-1, *ones]), x, y)


def _fake_quant(site: Site, inputs: Sequence[Any]) -> Any:
    """Quantize and dequantize, with a range that is shifted to represent 0 exactly (tf fake_quant_ops_functor.h)."""
    attr = site.node.attr
    low, high = (attr["min"].f, attr["max"].f) if len(inputs) == 1 else (known(site, 1), known(site, 2))
    low, high = np.float32(low), np.float32(high)
    first = np.float32(1 if attr["narrow_range"].b else 0)
    last = np.float32(2 ** attr["num_bits"].i - 1)
    scale = (high - low) / (last - first)
    zero_point = np.clip(np.floor(first - low / scale + np.float32(0.5)), first, last)
    nudged_low, nudged_high = (first - zero_point) * scale, (last - zero_point) * scale
    clipped = tf.minimum(tf.maximum(inputs[0], nudged_low), nudged_high)
    return tf.floor((clipped - nudged_low) / scale + 0.5) * scale + nudged_low


def _has_constant_range(site: Site) -> bool:
    return all(value is not None for value in site.constants[1:])


def _truncated_mod(_: Site, inputs: Sequence[Any]) -> Any:
    x, y = inputs
    return tf.sign(x) * tf.math.floormod(tf.abs(x), tf.abs(y))


def _truncated_div(_: Site, inputs: Sequence[Any]) -> Any:
    """Divide towards zero.

    Of integers, FloorDiv is one too small if it is negative and has a remainder. The remainder is not that of FloorMod,
    which WebGL computes from a rounded quotient, and no operand is negated, because -(-2^31) has no int32.
    """
    x, y = inputs
    if not x.dtype.is_integer:
        quotient = x / y
        return tf.where(quotient < 0, tf.math.ceil(quotient), tf.floor(quotient))
    below = tf.math.floordiv(x, y)
    return tf.where(tf.logical_and(below < 0, tf.not_equal(below * y, x)), below + 1, below)


def _eye(rows: Any, columns: Any) -> Any:
    return tf.equal(tf.range(rows)[:, tf.newaxis], tf.range(columns))


def _main_diagonal(*positions: int) -> Callable[[Site], bool]:
    """Tell whether the first constant is the main diagonal, and the other constants say "as it fits"."""

    def applies(site: Site) -> bool:
        if not is_ranked(site) or any(site.constants[position] is None for position in positions):
            return False
        first, *others = (known(site, position) for position in positions)
        return not first.any() and all(bool((value == -1).all()) for value in others)

    return applies


REWRITES: Mapping[str, Rewrite] = {
    **CONTRACTIONS,
    "BatchMatMulV3": Rewrite(
        lambda site, inputs: tf.linalg.matmul(
            inputs[0], inputs[1], adjoint_a=site.node.attr["adj_x"].b, adjoint_b=site.node.attr["adj_y"].b
        ),
        "BatchMatMulV2",
        _EXACT,
        lambda site: len({site.node.attr[key].type for key in ("Ta", "Tb", "Tout")}) == 1,
    ),
    "Bucketize": Rewrite(_bucketize, "the number of boundaries that x is not below", "exact", is_ranked),
    "Empty": Rewrite(
        lambda site, inputs: tf.zeros(inputs[0], site.node.attr["dtype"].type), "zeros", "any value is valid"
    ),
    "Erfc": Rewrite(_erfc, "t exp(-x^2) P(t), t = 1 / (1 + 0.44 |x|)", "relative error below 2e-7 plus rounding"),
    "FakeQuantWithMinMaxArgs": Rewrite(_fake_quant, "clip, scale, floor(x + 0.5)", _EXACT),
    "FakeQuantWithMinMaxVars": Rewrite(  # TF.js returns its input unquantized
        _fake_quant, "clip, scale, floor(x + 0.5)", _EXACT, _has_constant_range
    ),
    "FakeQuantWithMinMaxVarsPerChannel": Rewrite(
        _fake_quant, "clip, scale, floor(x + 0.5)", _EXACT, _has_constant_range
    ),
    "Inv": Rewrite(_unary(tf.math.reciprocal), "Reciprocal", _EXACT),
    "L2Loss": Rewrite(_unary(lambda x: tf.reduce_sum(tf.square(x)) / 2), "Sum(x^2) / 2", _EXACT),
    "LogicalXor": Rewrite(
        _binary(lambda x, y: tf.logical_and(tf.logical_or(x, y), tf.logical_not(tf.logical_and(x, y)))),
        "(x or y) and not (x and y)",
        "exact",
    ),
    "MatrixDiagPartV3": Rewrite(_matrix_diag_part, "Sum of a masked square", "exact", _main_diagonal(1)),
    "MatrixDiagV3": Rewrite(_matrix_diag, "SelectV2 by a diagonal mask", _MOVES, _main_diagonal(1, 2, 3)),
    "MatrixSetDiagV3": Rewrite(_matrix_set_diag, "SelectV2 by a diagonal mask", _MOVES, _main_diagonal(2)),
    "Mod": Rewrite(_truncated_mod, "sign(x) FloorMod(|x|, |y|)", "exact"),  # TF.js computes FloorMod instead
    "MulNoNan": Rewrite(_zero_if_zero(1, tf.multiply), "0 where y = 0, else x y", _EXACT),
    "Rint": Rewrite(_unary(tf.round), "Round", "exact: both round halves to even"),
    "Roll": Rewrite(
        _roll, "GatherV2 of shifted positions", _MOVES, lambda site: is_ranked(site) and site.constants[2] is not None
    ),
    "Select": Rewrite(
        _select,
        "SelectV2 with the condition as a column",
        _MOVES,
        lambda site: is_ranked(site) and len(site.shapes[0] or ()) == 1 < len(site.shapes[1] or ()),
    ),
    "Softsign": Rewrite(_unary(lambda x: x / (1.0 + tf.abs(x))), "x / (1 + |x|)", _EXACT),
    "SpaceToDepth": Rewrite(
        _space_to_depth,
        "Reshape, Transpose, Reshape",
        _MOVES,
        lambda site: is_ranked(site) and site.node.attr["data_format"].s in (b"", b"NHWC"),
    ),
    "TensorScatterAdd": Rewrite(
        lambda _, inputs: inputs[0] + tf.scatter_nd(inputs[1], inputs[2], tf.shape(inputs[0])),
        "tensor + ScatterNd",
        "sums of repeated indices may round differently",
    ),
    "TensorScatterSub": Rewrite(
        lambda _, inputs: inputs[0] - tf.scatter_nd(inputs[1], inputs[2], tf.shape(inputs[0])),
        "tensor - ScatterNd",
        "sums of repeated indices may round differently",
    ),
    "TruncateDiv": Rewrite(
        _truncated_div,
        "FloorDiv, plus 1 if it is negative and has a remainder; of floats Ceil or Floor of x / y",
        "exact of integers up to 2^24, and on cpu of all; of floats the same formula as TensorFlow's",
    ),
    "TruncateMod": Rewrite(_truncated_mod, "sign(x) FloorMod(|x|, |y|)", "exact"),
    "Xdivy": Rewrite(_zero_if_zero(0, tf.divide), "0 where x = 0, else x / y", _EXACT),
    "Xlog1py": Rewrite(_zero_if_zero(0, lambda x, y: x * tf.math.log1p(y)), "0 where x = 0, else x log1p(y)", _EXACT),
    "Xlogy": Rewrite(_zero_if_zero(0, lambda x, y: x * tf.math.log(y)), "0 where x = 0, else x log(y)", _EXACT),
}
