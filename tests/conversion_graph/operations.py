"""Single operations, in the forms in which TF.js could go wrong; grouped by their input, each an output of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Group:
    """Functions of one input. `cpu_only` names those for which the WASM backend has no sound kernel."""

    shape: tuple[int, ...]
    dtype: Any
    functions: dict[str, Function]
    cpu_only: tuple[str, ...] = ()


def _of_math(names: str) -> dict[str, Function]:
    return {name: getattr(tf.math, name) for name in names.split()}


def _broadcast(names: str) -> dict[str, Function]:
    """Binary functions of positive numbers and a part of them that is broadcast."""
    return {
        name: lambda x, name=name: getattr(tf.math, name)(tf.abs(x) + 0.1, tf.abs(x[:, :1]) + 0.2)
        for name in names.split()
    }


def _reductions(names: str) -> dict[str, Function]:
    return {
        f"{name} over {axis}": lambda x, name=name, axis=axis, keep=keep: getattr(tf.math, name)(x, axis, keepdims=keep)
        for name in names.split()
        for axis, keep in ((-2, False), ([-1, 1], True))
    }


FLOATS: dict[str, Function] = {
    **_of_math("abs atan asinh ceil cos erf erfc exp expm1 floor is_finite is_nan negative reciprocal rint round"),
    **_of_math("sigmoid sign sin sinh softplus softsign square tan tanh"),
    **_broadcast("add atan2 divide divide_no_nan floordiv floormod maximum minimum multiply_no_nan pow"),
    **_broadcast("squared_difference subtract xdivy xlog1py xlogy"),
    **_reductions("reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum"),
    "all, over the first axes": lambda x: tf.reduce_all(x > -1, [0, 1]),
    "any, over a middle axis": lambda x: tf.reduce_any(x > 1, 1, keepdims=True),
    "argmax": lambda x: tf.argmax(x, -1),
    "argmin of Keras, below and beside zero": lambda x: keras.ops.argmin(tf.nn.relu(x), -1),
    "argsort": lambda x: tf.argsort(x, -1, "DESCENDING"),
    "band, lower": lambda x: tf.linalg.band_part(x, -1, 0),
    "band, upper": lambda x: tf.linalg.band_part(x, 0, -1),
    "boolean_mask": lambda x: tf.boolean_mask(x, x > 0),
    "bucketize": lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 1.0]),
    "cast to bool": lambda x: tf.cast(tf.round(x), tf.bool),
    "cast to int": lambda x: tf.cast(x * 3, tf.int32),
    "clip": lambda x: tf.clip_by_value(x, -1.0, 0.5),
    "concat": lambda x: tf.concat([x, x * 2], -1),
    "cumprod, last axis": lambda x: tf.math.cumprod(x, -1),
    "cumsum, exclusive and reverse": lambda x: tf.cumsum(x, -1, exclusive=True, reverse=True),
    "diag": tf.linalg.diag,
    "diag_part": lambda x: tf.linalg.diag_part(tf.matmul(x, x, transpose_b=True)),
    "einsum, attention": lambda x: tf.einsum("bqd,bkd->bqk", x, x),
    "einsum, batch kept apart": lambda x: tf.einsum("bij,bjk->bkij", x[:, :, :4], x[:, :4]),
    "einsum, ellipsis": lambda x: tf.einsum("...ij,jk->...ik", x, tf.ones([5, 3]) / 7),
    "einsum, ellipsis of one beside many": lambda x: tf.einsum(
        "...ij,...jk->...ik", x[:, tf.newaxis], tf.ones([1, 4, 5, 3]) / 7
    ),
    "einsum, ellipsis of many beside one, to more axes": lambda x: tf.einsum(
        "...ij,...jkl->...ikl", tf.stack([x, -x], 1), tf.ones([1, 1, 5, 3, 2]) / 7
    ),
    "einsum, ellipsis of one beside many, from more axes": lambda x: tf.einsum(
        "...ij,...klj->...ikl", x[:, tf.newaxis], tf.ones([1, 4, 2, 3, 5]) / 7
    ),
    "einsum, ellipsis of one sample beside a batch": lambda x: tf.einsum(
        "...ij,...jkl->...ikl", x, tf.ones([1, 5, 3, 2]) / 7
    ),
    "einsum, no sum": lambda x: tf.einsum("bij,bij->bij", x, x),
    "einsum, one operand": lambda x: tf.einsum("bij->jb", x),
    "einsum, outer": lambda x: tf.einsum("bij,ckj->bcik", x, x),
    "einsum, summed before": lambda x: tf.einsum("bij,bkl->bj", x, x),
    "einsum, to a row": lambda x: tf.einsum("bij,bij->b", x, x),
    "ensure_shape": lambda x: tf.ensure_shape(x, [None, 4, 5]),
    "expand_dims": lambda x: tf.expand_dims(x, -2),
    "fake_quant": lambda x: tf.quantization.fake_quant_with_min_max_vars(x, -1.0, 2.0),
    "fft": lambda x: tf.abs(tf.signal.rfft(x)),
    "gather": lambda x: tf.gather(x, [[0, 3], [1, 2]], axis=-1),
    "gather, one batch axis": lambda x: tf.gather(x, tf.cast(x[:, :2, 0] > 0, tf.int32), axis=1, batch_dims=1),
    "gather, one batch axis, last": lambda x: tf.gather(x, tf.cast(x[:, :2, 0] > 0, tf.int32), axis=2, batch_dims=1),
    "gather, two batch axes": lambda x: tf.gather(x, tf.argsort(x, -1), axis=-1, batch_dims=2),
    "gather_nd": lambda x: tf.gather_nd(x, [[[0, 1]], [[2, 2]], [[1, 3]]]),
    "l2_loss": lambda x: tf.nn.l2_loss(x) * x,
    "logical_xor": lambda x: tf.math.logical_xor(x > 0, x[:, :1] > 0),
    "matmul, broadcast in the middle": lambda x: tf.matmul(
        x[:, tf.newaxis], tf.tile(x[:, tf.newaxis], [1, 2, 1, 1]), transpose_b=True
    ),
    "matmul, one matrix for all": lambda x: tf.matmul(x, tf.ones([5, 3]) / 7),
    "matrix_set_diag": lambda x: tf.linalg.set_diag(x, x[:, :, 0] * 7),
    "moved bools": lambda x: tf.reverse(tf.transpose(tf.tile(x > 0, [1, 2, 1]), [0, 2, 1])[:, ::2], [1]),
    "one_hot of floats, first axis": lambda x: tf.one_hot(tf.cast(tf.abs(x[:, 0]), tf.int32), 4, 3.0, 2.0, axis=0),
    "pad with a value": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1]], constant_values=3.0),
    "pad, reflected": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1]], "REFLECT"),
    "prelu": lambda x: tf.nn.relu(x) - tf.constant([0.1, 0.2, 0.3, 0.4, 0.5]) * tf.nn.relu(-x),
    "range by shape": lambda x: tf.range(tf.shape(x)[0]),
    "roll": lambda x: tf.roll(x, [1, -2], [1, 2]),
    "roll over samples": lambda x: tf.roll(x, 1, 0),
    "scatter_nd": lambda x: tf.scatter_nd([[0], [2], [0]], x, tf.shape(x)),
    "scatter_nd_add": lambda x: tf.tensor_scatter_nd_add(x, [[0, 1], [1, 2]], x[:2, 0]),
    "select bools": lambda x: tf.where(x > 0, x > 1, x < -1),
    "select by column, version 1": lambda x: tf.compat.v1.where(tf.reduce_sum(x, [1, 2]) > 0, x, -x),
    "select ints": lambda x: tf.where(x > 0, tf.cast(x, tf.int32), 5),
    "slice from the end": lambda x: x[:, 1:-1, -3:],
    "slice with a step": lambda x: x[:, ::-1, ::2],
    "slice with new axes": lambda x: x[:, tf.newaxis, ..., 1:3],
    "softmax over time": lambda x: tf.nn.softmax(x, 1),
    "sort": lambda x: tf.sort(x, 1),
    "split": lambda x: tf.split(x, [2, 3], -1)[1],
    "squeeze": lambda x: tf.squeeze(x[:, tf.newaxis, :, :, tf.newaxis], [-1, 1]),
    "stack": lambda x: tf.stack([x, x * 2], -1),
    "top_k": lambda x: tf.nn.top_k(x, 3)[1],
    "truncatediv": lambda x: tf.truncatediv(x, 0.7),
    "truncatemod": lambda x: tf.truncatemod(x, 0.7),
    "unstack": lambda x: tf.unstack(x, axis=-1)[3],
    "where": lambda x: tf.where(x > 0),
}

INTEGERS: dict[str, Function] = {
    **{
        name: lambda x, name=name: getattr(tf.math, name)(x - 2, tf.abs(x[:, :1]) + 1)
        for name in ("add", "floordiv", "floormod", "maximum", "multiply")
    },
    "cumsum": lambda x: tf.cumsum(x, -1),
    "divide": lambda x: x / 2,
    "gather, batched": lambda x: tf.gather(x, tf.argsort(x, -1), axis=-1, batch_dims=2),
    "mean": lambda x: tf.reduce_mean(x - 3, -1),
    "one_hot of bools": lambda x: tf.one_hot(x, 6, True, False, dtype=tf.bool),
    "one_hot, axis 1": lambda x: tf.one_hot(x[:, 0], 6, axis=1),
    "pad": lambda x: tf.pad(x, [[0, 0], [1, 1], [0, 0]], constant_values=7),
    "prod": lambda x: tf.reduce_prod(x, -1),
    "slice with a step": lambda x: x[..., ::-2][:, 1],
    "max, over a middle axis": lambda x: tf.reduce_max(x, 1, keepdims=True),
    "sum, over the first axes": lambda x: tf.reduce_sum(x, [0, 1]),
    "tile": lambda x: tf.tile(x, [1, 2, 3]),
    "truncatediv of the largest integers": lambda x: tf.truncatediv(
        tf.constant([-(2**31), 2**31 - 1, -(2**31) + 1, -(2**31), 7]) + tf.minimum(x, 0),
        tf.constant([3, -2, 2**31 - 1, -(2**31), -(2**31)]),
    ),
    "truncatediv": lambda x: tf.truncatediv(x * 7 - 20, tf.constant([3, -3, 7, -7, 1])),
    "transpose": lambda x: tf.transpose(x, [2, 0, 1]),
    "bincount": lambda x: tf.math.bincount(x[:, 0], minlength=6, maxlength=6, axis=-1),
    "bincount, binary": lambda x: tf.math.bincount(x[:, 0], minlength=6, maxlength=6, axis=-1, binary_output=True),
    "to int64": lambda x: tf.cast(x, tf.int64) + 3,
}

_KERNEL = tf.reshape(tf.range(72.0) / 72 - 0.4, [3, 2, 3, 4])
_BATCH_NORM = {"scale": [1.0, 2.0, 0.5], "offset": [0.0, 1.0, 2.0], "mean": [0.1, 0.2, 0.3], "variance": [1.0, 0.5, 2]}

IMAGES: dict[str, Function] = {
    "avg_pool": lambda x: tf.nn.avg_pool2d(x, [2, 3], [2, 1], "SAME"),
    "batch_norm": lambda x: tf.raw_ops.FusedBatchNormV3(x=x, epsilon=1e-3, is_training=False, **_BATCH_NORM)[0],
    "batch_to_space": lambda x: tf.batch_to_space(tf.tile(x, [4, 1, 1, 1]), [2, 2], [[0, 1], [1, 0]]),
    "conv": lambda x: tf.nn.conv2d(x, _KERNEL, [1, 2], "SAME"),
    "conv, dilated": lambda x: tf.nn.conv2d(x, _KERNEL, 1, "SAME", dilations=[2, 1]),
    "conv, padded by hand": lambda x: tf.nn.conv2d(x, _KERNEL, 1, [[0, 0], [1, 2], [0, 1], [0, 0]]),
    "conv, transposed": lambda x: tf.nn.conv2d_transpose(
        x, tf.transpose(_KERNEL, [0, 1, 3, 2]), tf.stack([tf.shape(x)[0], 14, 13, 4]), [2, 2], "VALID"
    ),
    "conv, less than no padding": lambda x: tf.nn.conv2d(x, _KERNEL[:2], 3, "SAME"),
    "conv, less than no padding in width": lambda x: tf.nn.relu(
        tf.nn.conv2d(x, _KERNEL[:, :1], 2, "SAME") + tf.constant([0.1, 0.2, 0.3, 0.4])
    ),
    "conv, less than no padding in height": lambda x: tf.nn.conv2d(x, _KERNEL[:2], [4, 1], "SAME"),
    "depthwise, less than no padding": lambda x: tf.nn.depthwise_conv2d(x, _KERNEL[:2], [1, 3, 3, 1], "SAME"),
    "depthwise, less than no padding in width": lambda x: tf.nn.depthwise_conv2d(
        x, _KERNEL[:, :1], [1, 2, 2, 1], "SAME"
    ),
    "crop_and_resize": lambda x: tf.image.crop_and_resize(x, [[0.0, 0, 0.5, 1], [0.1, 0.1, 0.9, 1.2]], [0, 1], [3, 4]),
    "depth_to_space": lambda x: tf.nn.depth_to_space(tf.tile(x, [1, 1, 1, 4]), 2),
    "depthwise": lambda x: tf.nn.depthwise_conv2d(x, _KERNEL, [1, 2, 2, 1], "SAME"),
    "local_response_normalization": lambda x: tf.nn.local_response_normalization(x, 2),
    "max_pool": lambda x: tf.nn.max_pool2d(-tf.abs(x) - 1, 3, 2, "SAME"),
    "resize, bilinear": lambda x: tf.image.resize(x, [9, 4]),
    "resize, bilinear, corners aligned": lambda x: tf.compat.v1.image.resize_bilinear(x, [9, 4], align_corners=True),
    "resize, bilinear, version 1": lambda x: tf.compat.v1.image.resize_bilinear(x, [9, 4]),
    "resize, nearest": lambda x: tf.image.resize(x, [9, 4], "nearest"),
    "space_to_batch": lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [2, 0]]),
    "space_to_depth": lambda x: tf.nn.space_to_depth(x, 2),
}

VOLUMES: dict[str, Function] = {
    "avg_pool": lambda x: tf.nn.avg_pool3d(x, 2, 2, "SAME"),
    "conv": lambda x: tf.nn.conv3d(x, tf.ones([2, 2, 2, 3, 4]) / 9, [1, 1, 2, 1, 1], "SAME"),
    "beside a vector": lambda x: (x - [1.0, 2.0, 3.0]) / tf.maximum(x * [3.0, 4.0, 5.0], [0.5, 0.6, 0.7]),
    "tile": lambda x: tf.tile(x, [1, 2, 1, 3, 1]),
    "max_pool": lambda x: tf.nn.max_pool3d(-tf.abs(x) - 1, [2, 3, 2], [2, 1, 2], "SAME"),
}

GROUPS: dict[str, Group] = {
    "floats": Group((4, 5), tf.float32, FLOATS, cpu_only=("fft",)),
    "integers": Group((4, 5), tf.int32, INTEGERS, cpu_only=("truncatediv of the largest integers",)),
    "images": Group((6, 6, 3), tf.float32, IMAGES),
    "volumes": Group((5, 6, 4, 3), tf.float32, VOLUMES),
}

#: A group is converted in two parts, each once for all backends that run it.
PARTS: dict[str, tuple[str, ...]] = {"both": ("cpu", "wasm"), "cpu alone": ("cpu",)}


def names_of(group: Group, part: str) -> list[str]:
    """The functions of a part, in the order of its outputs."""
    return [name for name in group.functions if (name in group.cpu_only) == (part == "cpu alone")]


class Serving(tf.Module):
    """The functions as one signature, an output for each."""

    def __init__(self, group: Group, names: list[str]) -> None:
        super().__init__()
        keys = {name: f"output_{index}" for index, name in enumerate(names)}

        def serve(x: Any) -> dict[str, Any]:
            return {keys[name]: group.functions[name](x) for name in names}

        spec = tf.TensorSpec([None, *group.shape], group.dtype, name="x")
        self.serve = tf.function(serve, input_signature=[spec], autograph=False)
