"""Computes operations whose CPU kernels support only channels last, with transposes if a graph has channels first.

TensorFlow's float32 kernels of oneDNN support both; the float64 kernels reject channels first when they run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ..internals import op_def_registry

Attrs = Mapping[str, Any]  # name to tensorflow AttrValue
Tensor = Any

#: By operation, the inputs in the layout, and the inputs with sizes in the order of the layout.
_LAID_OUT: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "AvgPool": (("value",), ()),
    "Conv2D": (("input",), ()),
    "Conv2DBackpropInput": (("out_backprop",), ("input_sizes",)),
    "Conv3D": (("input",), ()),
    "Conv3DBackpropInputV2": (("out_backprop",), ("input_sizes",)),
    "DepthToSpace": (("input",), ()),
    "DepthwiseConv2dNative": (("input",), ()),
    "DepthwiseConv2dNativeBackpropInput": (("out_backprop",), ("input_sizes",)),
    "MaxPool": (("input",), ()),
    "MaxPoolV2": (("input",), ("ksize", "strides")),
    "SpaceToDepth": (("input",), ()),
}
#: Attributes with one or two numbers for each axis.
_BY_AXIS = ("dilations", "explicit_paddings", "ksize", "strides")
_LAST = {"NCHW": "NHWC", "NCDHW": "NDHWC"}


def needs_transposes(op: str, attrs: Attrs) -> bool:
    """Tell whether the node has channels first and no float64 kernel for that."""
    return op in _LAID_OUT and attrs["data_format"].s.decode() in _LAST


def channels_last(op: str, attrs: Attrs, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Return the one output of the node, computed with channels last."""
    layout = attrs["data_format"].s.decode()
    to_last = [layout.index(axis) for axis in _LAST[layout]]
    images, sizes = _LAID_OUT[op]
    declared = op_def_registry.get(op)
    arguments: dict[str, Any] = {}
    for argument, tensor in zip(declared.input_arg, inputs, strict=True):
        name = argument.name
        if name in images:
            tensor = tf.transpose(tensor, to_last)
        arguments[name] = tf.gather(tensor, to_last) if name in sizes else tensor
    for attr in declared.attr:
        if attr.name in attrs and attr.type != "type":
            arguments[attr.name] = _value(attr.name, attrs[attr.name], to_last)
    result = getattr(tf.raw_ops, op)(**{**arguments, "data_format": _LAST[layout]})
    return [tf.transpose(result, [_LAST[layout].index(axis) for axis in layout])]


def _value(name: str, value: Any, to_last: list[int]) -> Any:
    """Return an attribute in Python, with its axes in the order of channels last."""
    kind = value.WhichOneof("value")
    if kind != "list":
        return value.s.decode() if kind == "s" else getattr(value, kind)
    numbers = list(value.list.i)
    if name not in _BY_AXIS or not numbers:
        return numbers
    each = len(numbers) // len(to_last)
    return [number for axis in to_last for number in numbers[axis * each : (axis + 1) * each]]
