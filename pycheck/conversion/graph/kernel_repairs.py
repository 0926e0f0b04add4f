"""Rewrites operations that single backends of TF.js 4.22 compute wrongly, so that all backends agree.

`artifact.kernel_faults` lists these nodes and their faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from ...artifact.kernel_faults import explicit_padding
from .rewriting import Formula, Rewrite, Site, is_ranked, is_wrong, known, size_of

MOVES = "exact: values are only moved"


def choose(condition: Any, x: Any, y: Any) -> Any:
    """Compute SelectV2; for booleans with logical operations, because the WASM kernel copies four bytes for each."""
    if x.dtype != tf.bool:
        return tf.where(condition, x, y)
    return tf.logical_or(tf.logical_and(condition, x), tf.logical_and(tf.logical_not(condition), y))


def _number(truth: Any, dtype: Any) -> Any:
    """Return 1 for true, else 0; not by Cast, because the WebGPU backend reads its result as the bits of a float."""
    return tf.where(truth, tf.ones([], dtype), tf.zeros([], dtype))


def transpose(x: Any, order: Sequence[int]) -> Any:
    """Compute Transpose.

    For integers by gathering, because WebGPU's kernel for three axes and more supports only floats.
    """
    order = [int(axis) for axis in order]
    rank = len(order)
    if order == list(range(rank)):
        return x
    if x.dtype == tf.float32 or rank < 3:
        return tf.transpose(x, order)
    if x.dtype == tf.bool:
        return tf.not_equal(tf.transpose(_number(x, tf.float32), order), 0)
    sizes = [size_of(x, axis) for axis in range(rank)]
    positions = sum(
        tf.reshape(
            tf.range(sizes[axis]) * _product_of(sizes[axis + 1 :]), [1] * place + [-1] + [1] * (rank - 1 - place)
        )
        for place, axis in enumerate(order)
    )
    return tf.gather(tf.reshape(x, [-1]), positions)


def _by_floats(formula: Formula) -> Formula:
    """Make a formula that moves values move 0.0 and 1.0 instead of booleans."""

    def wrapped(site: Site, inputs: Sequence[Any]) -> Any:
        if inputs[0].dtype != tf.bool:
            return formula(site, inputs)
        return tf.not_equal(formula(site, [_number(inputs[0], tf.float32), *inputs[1:]]), 0)

    return wrapped


def _cast(site: Site, inputs: Sequence[Any]) -> Any:
    if inputs[0].dtype == tf.bool:
        return _number(inputs[0], site.node.attr["DstT"].type)
    return tf.not_equal(inputs[0], 0)


def _tile(site: Site, inputs: Sequence[Any]) -> Any:
    """Tile one axis after the other, with all axes before it joined to one, and all axes after it."""
    x = inputs[0]
    sizes = [size_of(x, axis) for axis in range(x.shape.rank)]
    for axis, count in enumerate(int(count) for count in known(site, 1)):
        if count != 1:
            flat = tf.reshape(x, [_product_of(sizes[:axis]), sizes[axis], _product_of(sizes[axis + 1 :])])
            sizes[axis] = sizes[axis] * count
            x = tf.tile(flat, [1, count, 1])
    return tf.reshape(x, sizes)


def _product_of(sizes: Sequence[Any]) -> Any:
    total: Any = 1
    for size in sizes:
        total = total * size
    return total


def _product(site: Site, inputs: Sequence[Any]) -> Any:
    x, axes = inputs[0], _reduced_axes(site)
    kept = [1 if axis in axes else size_of(x, axis) for axis in range(x.shape.rank)]
    return tf.reshape(tf.reduce_prod(x, axes), kept)


def _bincount(site: Site, inputs: Sequence[Any]) -> Any:
    """Count for each bin the positions with its number: these are the last axis, see `_reduce`."""
    numbers, size, _ = inputs
    dtype = site.node.attr["T"].type
    bins = tf.range(tf.reshape(size, []), dtype=numbers.dtype)[:, tf.newaxis]
    hits = _number(tf.equal(numbers[..., tf.newaxis, :], bins), dtype)
    return tf.reduce_max(hits, -1) if site.node.attr["binary_output"].b else tf.reduce_sum(hits, -1)


def _gather_batched(site: Site, inputs: Sequence[Any]) -> Any:
    """Use GatherNd with (batch positions..., index); the gathered axis moves after the batch axes and back."""
    params, indices, _ = inputs
    batch, rank = site.node.attr["batch_dims"].i, indices.shape.rank
    axis = int(known(site, 2)) % params.shape.rank
    order = list(range(params.shape.rank))
    order.insert(batch, order.pop(axis))
    indices = tf.cast(indices, tf.int32)
    positions = [
        tf.reshape(tf.range(size_of(params, index)), [1] * index + [-1] + [1] * (rank - 1 - index))
        + tf.zeros_like(indices)
        for index in range(batch)
    ]
    gathered = tf.gather_nd(transpose(params, order), tf.stack([*positions, indices], axis=-1))
    between = [rank + offset for offset in range(axis - batch)]  # the axes between batch and gathered axis
    behind = range(rank + len(between), gathered.shape.rank)
    return transpose(gathered, [*range(batch), *between, *range(batch, rank), *behind])


def _strided_slice(site: Site, inputs: Sequence[Any]) -> Any:
    """Gather the axes whose stride is not 1, then slice with strides of 1, which uses a different kernel."""
    x, begin, end, _ = inputs
    strides = [int(stride) for stride in known(site, 3)]
    masks = {key: site.node.attr[f"{key}_mask"].i for key in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    new_axes = bin(masks["new_axis"]).count("1")
    axis = 0
    for index, stride in enumerate(strides):
        bit = 1 << index
        if masks["ellipsis"] & bit:
            axis += x.shape.rank - (len(strides) - 1 - new_axes)
        elif not masks["new_axis"] & bit:
            if stride != 1:
                positions = tf.strided_slice(
                    tf.range(tf.cast(size_of(x, axis), tf.float32)),
                    begin[index : index + 1],
                    end[index : index + 1],
                    [stride],
                    begin_mask=int(bool(masks["begin"] & bit)),
                    end_mask=int(bool(masks["end"] & bit)),
                )
                x = tf.gather(x, tf.cast(positions, tf.int32), axis=axis)
                masks["begin"] |= bit
                masks["end"] |= bit
            axis += 1
    return tf.strided_slice(x, begin, end, [1] * len(strides), **{f"{key}_mask": value for key, value in masks.items()})


def _max_pool_3d(site: Site, inputs: Sequence[Any]) -> Any:
    """Pool over height and width, then over depth: a maximum of maxima."""
    (x,) = inputs
    attr = site.node.attr
    sizes, strides, padding = list(attr["ksize"].list.i), list(attr["strides"].list.i), attr["padding"].s.decode()
    depth, height, width, channels = (size_of(x, axis) for axis in range(1, 5))
    planes = tf.nn.max_pool2d(
        tf.reshape(x, [-1, height, width, channels]), [1, *sizes[2:4], 1], [1, *strides[2:4], 1], padding
    )
    height, width = size_of(planes, 1), size_of(planes, 2)
    columns = tf.nn.max_pool2d(
        tf.reshape(planes, [-1, depth, height * width, channels]),
        [1, sizes[1], 1, 1],
        [1, strides[1], 1, 1],
        padding,
    )
    return tf.reshape(columns, [-1, size_of(columns, 1), height, width, channels])


def _reduce(function: Callable[..., Any]) -> Rewrite:
    """Move the axes to reduce to the end, as every kernel does.

    WebGPU's kernels do it with a wrong Transpose of integers.
    """

    def formula(site: Site, inputs: Sequence[Any]) -> Any:
        x, reduced = inputs[0], _reduced_axes(site)
        kept = [axis for axis in range(x.shape.rank) if axis not in reduced]
        result = function(transpose(x, [*kept, *reduced]), list(range(len(kept), x.shape.rank)))
        if not site.node.attr["keep_dims"].b:
            return result
        return tf.reshape(result, [1 if axis in reduced else size_of(x, axis) for axis in range(x.shape.rank)])

    return Rewrite(formula, "Transpose, then the same over the last axes", "exact", _is_wrong_and_ranked)


def _reduced_axes(site: Site) -> list[int]:
    rank = len(site.shapes[0] or ())
    return sorted(int(axis) % rank for axis in known(site, 1).reshape(-1))


def _with_equal_ranks(function: Callable[[Any, Any], Any]) -> Rewrite:
    """Add axes to a vector beside five axes or more, so that the WebGPU backend finds its elements."""

    def formula(_: Site, inputs: Sequence[Any]) -> Any:
        rank = max(x.shape.rank for x in inputs)
        shapes = [x if x.shape.rank == rank else tf.reshape(x, [1] * (rank - 1) + [-1]) for x in inputs]
        return function(*shapes)

    return Rewrite(formula, "the same with both operands of one rank", "exact", is_wrong)


def _padding(site: Site) -> list[tuple[int, int]] | None:
    """Return explicit padding for a convolution whose "same" padding the WASM kernel may compute wrongly.

    Else None.
    """
    attr, image, kernel = site.node.attr, site.shapes[0], site.shapes[1]
    steps = list(attr["dilations"].list.i)
    if attr["padding"].s != b"SAME" or attr["data_format"].s not in (b"", b"NHWC") or any(s != 1 for s in steps):
        return None
    if image is None or kernel is None or len(image) != 4 or kernel[0] is None or kernel[1] is None:
        return None
    return explicit_padding(image[1:3], (kernel[0], kernel[1]), list(attr["strides"].list.i)[1:3])


def _padded(convolve: Callable[[Any, Any, list[int]], Any]) -> Rewrite:
    """Add the zeros of "same" padding explicitly, before a valid convolution."""

    def formula(site: Site, inputs: Sequence[Any]) -> Any:
        x, kernel = inputs
        zeros = [(0, 0), *(_padding(site) or []), (0, 0)]
        padded = tf.pad(x, zeros) if any(map(any, zeros)) else x
        return convolve(padded, kernel, list(site.node.attr["strides"].list.i))

    return Rewrite(
        formula, "the same without padding, behind Pad where some is left", "exact", lambda s: bool(_padding(s))
    )


def _is_wrong_and_ranked(site: Site) -> bool:
    return is_ranked(site) and is_wrong(site)


KERNEL_REPAIRS: Mapping[str, Rewrite] = {
    "All": _reduce(tf.reduce_all),
    "Any": _reduce(tf.reduce_any),
    "Max": _reduce(tf.reduce_max),
    "Min": _reduce(tf.reduce_min),
    "Sum": _reduce(tf.reduce_sum),
    "Conv2D": _padded(lambda x, kernel, strides: tf.nn.conv2d(x, kernel, strides, "VALID")),
    "DepthwiseConv2dNative": _padded(
        lambda x, kernel, strides: tf.raw_ops.DepthwiseConv2dNative(
            input=x, filter=kernel, strides=strides, padding="VALID"
        )
    ),
    "Cast": Rewrite(_cast, "x != 0, or SelectV2 of 1 and 0", "exact", is_wrong),
    "DenseBincount": Rewrite(
        _bincount,
        "Sum of Equal",
        "exact",
        _is_wrong_and_ranked,
    ),
    "GatherV2": Rewrite(
        _by_floats(_gather_batched),
        "GatherNd with the positions in the batch",
        MOVES,
        lambda site: _is_wrong_and_ranked(site) and site.constants[2] is not None,
    ),
    "MaxPool3D": Rewrite(
        _max_pool_3d,
        "MaxPool over height and width, then over depth",
        "exact",
        _is_wrong_and_ranked,
    ),
    "Prod": Rewrite(
        _product,
        "Prod, then Reshape",
        "exact",
        lambda site: _is_wrong_and_ranked(site) and site.constants[1] is not None,
    ),
    "ReverseV2": Rewrite(_by_floats(lambda _, inputs: tf.reverse(*inputs)), "ReverseV2 of floats", MOVES, is_wrong),
    "SelectV2": Rewrite(lambda _, inputs: choose(*inputs), "(c and x) or (not c and y)", "exact", is_wrong),
    "StridedSlice": Rewrite(_by_floats(_strided_slice), "GatherV2 of every n-th position", MOVES, _is_wrong_and_ranked),
    "Tile": Rewrite(
        _tile,
        "Reshape to three axes, then Tile",
        MOVES,
        lambda site: _is_wrong_and_ranked(site) and site.constants[1] is not None,
    ),
    "Transpose": Rewrite(
        lambda site, inputs: transpose(inputs[0], known(site, 1).tolist()),
        "Transpose of floats, or GatherV2",
        MOVES,
        _is_wrong_and_ranked,
    ),
    "AddV2": _with_equal_ranks(tf.add),
    "BiasAdd": _with_equal_ranks(tf.add),
    "Maximum": _with_equal_ranks(tf.maximum),
    "Minimum": _with_equal_ranks(tf.minimum),
    "Mul": _with_equal_ranks(tf.multiply),
    "RealDiv": _with_equal_ranks(tf.divide),
    "SquaredDifference": _with_equal_ranks(tf.math.squared_difference),
    "Sub": _with_equal_ranks(tf.subtract),
}
