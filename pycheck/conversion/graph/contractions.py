"""Rewrites Einsum and grouped convolutions as products that every backend of TF.js has.

The WASM backend has no Einsum, which every MultiHeadAttention uses. No backend supports a filter with fewer channels
than its input, which is TensorFlow's form of "groups".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from .rewriting import Rewrite, Site


@dataclass(frozen=True, slots=True)
class _Equation:
    """An einsum of one or two operands, each a string of labels without repetition."""

    operands: tuple[str, ...]
    output: str


def _parse(equation: str, ranks: Sequence[int]) -> _Equation | None:
    """Read an equation, with an ellipsis as separate labels; None if `_einsum` cannot write it."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    operands = left.split(",")
    if not arrow or len(operands) != len(ranks) or len(operands) > 2:
        return None
    spread = [rank - len(operand.replace("...", "")) for operand, rank in zip(operands, ranks, strict=True)]
    extra = max((n for n, operand in zip(spread, operands, strict=True) if "..." in operand), default=0)
    letters = [chr(code) for code in range(0x391, 0x391 + extra)]  # Greek: not in TensorFlow's equations
    expanded = [
        operand.replace("...", "".join(letters[extra - n :])) for operand, n in zip(operands, spread, strict=True)
    ]
    output = output.replace("...", "".join(letters))
    if any(len(set(labels)) < len(labels) for labels in (*expanded, output)):
        return None
    return _Equation(tuple(expanded), output)


def _site_equation(site: Site) -> _Equation | None:
    if any(shape is None for shape in site.shapes):
        return None
    return _parse(site.node.attr["equation"].s.decode(), [len(shape or ()) for shape in site.shapes])


def _has_plain_equation(site: Site) -> bool:
    """Tell whether the equation can be rewritten. Its sizes fit, or TensorFlow would not have taken them."""
    return _site_equation(site) is not None


def _einsum(site: Site, inputs: Sequence[Any]) -> Any:
    equation = _site_equation(site)
    if equation is None:
        raise ValueError(f"{site.node.name} has an equation that cannot be rewritten as a matrix product.")
    if len(inputs) == 1:
        reduced, labels = _sum_out(inputs[0], equation.operands[0], equation.output)
        return _arrange(reduced, labels, equation.output)
    left_labels, right_labels = equation.operands
    left, left_labels = _sum_out(inputs[0], left_labels, equation.output + right_labels)
    right, right_labels = _sum_out(inputs[1], right_labels, equation.output + left_labels)
    sizes = _sizes(left, left_labels), _sizes(right, right_labels)
    batch = "".join(label for label in left_labels if label in right_labels and label in equation.output)
    summed = "".join(label for label in left_labels if label in right_labels and label not in equation.output)
    rows = "".join(label for label in left_labels if label not in right_labels)
    columns = "".join(label for label in right_labels if label not in left_labels)
    product = tf.linalg.matmul(
        _matrices(left, left_labels, batch, rows, summed, sizes[0]),
        _matrices(right, right_labels, batch, summed, columns, sizes[1]),
    )
    if not len(rows) == len(columns) == 1:
        product = _reshape(product, batch + rows + columns, _broadcast(*sizes))
    return _arrange(product, batch + rows + columns, equation.output)


def _sum_out(x: Any, labels: str, needed: str) -> tuple[Any, str]:
    """Sum over the axes with labels that are not needed."""
    axes = [axis for axis, label in enumerate(labels) if label not in needed]
    if not axes:
        return x, labels
    return tf.reduce_sum(x, axes), "".join(label for label in labels if label in needed)


def _sizes(x: Any, labels: str) -> dict[str, Any]:
    return {
        label: x.shape[axis] if x.shape[axis] is not None else tf.shape(x)[axis] for axis, label in enumerate(labels)
    }


def _broadcast(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Return the size of each label in the product: an axis of one element is repeated beside many."""
    return {**left, **{label: _wider(left.get(label, 1), size) for label, size in right.items()}}


def _wider(one: Any, other: Any) -> Any:
    known = isinstance(one, int) and one != 1
    return one if known or (isinstance(other, int) and other == 1) else other


def _arrange(x: Any, labels: str, wanted: str) -> Any:
    return x if labels == wanted else tf.transpose(x, [labels.index(label) for label in wanted])


def _matrices(x: Any, labels: str, batch: str, rows: str, columns: str, sizes: Mapping[str, Any]) -> Any:
    """Reshape `x` to a stack of matrices: the batch axes, then all rows as one axis and all columns as one."""
    x = _arrange(x, labels, batch + rows + columns)
    if len(rows) == len(columns) == 1:
        return x
    return _reshape(x, batch, sizes, _product(rows, sizes), _product(columns, sizes))


def _product(labels: str, sizes: Mapping[str, Any]) -> Any:
    total: Any = 1
    for label in labels:
        total = total * sizes[label]
    return total


def _reshape(x: Any, labels: str, sizes: Mapping[str, Any], *last: Any) -> Any:
    """Reshape to the labels' sizes and then `last`; Reshape computes one size that is not known in advance."""
    shape = [*(sizes[label] for label in labels), *last]
    unknown = [index for index, size in enumerate(shape) if not isinstance(size, int)]
    if len(unknown) == 1:
        shape[unknown[0]] = -1
    return tf.reshape(x, shape)


def _grouped_conv2d(site: Site, inputs: Sequence[Any]) -> Any:
    x, kernel = inputs
    attr = site.node.attr
    groups = x.shape[3] // kernel.shape[2]
    padding = attr["padding"].s.decode()
    explicit = list(attr["explicit_paddings"].list.i)
    parts = [
        tf.nn.conv2d(
            group_x,
            group_kernel,
            strides=list(attr["strides"].list.i),
            padding=[explicit[i : i + 2] for i in range(0, 8, 2)] if padding == "EXPLICIT" else padding,
            dilations=list(attr["dilations"].list.i) or None,
        )
        for group_x, group_kernel in zip(tf.split(x, groups, axis=3), tf.split(kernel, groups, axis=3), strict=True)
    ]
    return tf.concat(parts, axis=3)


def _is_grouped(site: Site) -> bool:
    x, kernel = site.shapes
    if x is None or kernel is None or site.node.attr["data_format"].s not in (b"", b"NHWC"):
        return False
    return x[3] is not None and kernel[2] is not None and x[3] != kernel[2]


CONTRACTIONS: Mapping[str, Rewrite] = {
    "Conv2D": Rewrite(_grouped_conv2d, "one Conv2D for each group", "the same products and sums", _is_grouped),
    "Einsum": Rewrite(
        _einsum,
        "Transpose, Reshape, BatchMatMulV2",
        "the same products, perhaps summed in a different order",
        _has_plain_equation,
    ),
}
