"""Converts arithmetic on Keras tensors (``x + y``, ``2 * x``, ``ops.relu(x)``) to layers.

Keras 3 records it as Operations that are not layers, Keras 2 as TFOpLambda layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .composed import activate, hard_sigmoid, leaky_relu, permute, scale
from .keras_calls import Value, flatten
from .rewrites_merge import difference
from .rewrites_shape import reshape
from .site import Site
from .target import Ref, RefusedError, lacks

#: Names of a Keras 3 operation and of the TensorFlow functions in a TFOpLambda -> the name used here.
_NAMES = {
    "add": "Add", "__operators__.add": "Add", "math.add": "Add", "math.subtract": "Subtract",
    "math.multiply": "Multiply", "math.truediv": "Divide", "math.divide": "Divide", "truediv": "Divide",
    "TrueDivide": "Divide", "math.negative": "Negative", "math.maximum": "Maximum", "math.minimum": "Minimum",
    "math.square": "Square", "concat": "Concatenate", "nn.relu": "Relu", "nn.relu6": "Relu6",
    "math.sigmoid": "Sigmoid", "math.tanh": "Tanh", "nn.softmax": "Softmax", "nn.silu": "Silu",
}  # fmt: skip

_ACTIVATIONS = {
    "Elu": "elu", "Relu": "relu", "Relu6": "relu6", "Selu": "selu", "Sigmoid": "sigmoid", "Silu": "swish",
    "Softplus": "softplus", "Softsign": "softsign", "Tanh": "tanh", "Mish": "mish",
}  # fmt: skip


_BINARY = frozenset({"Add", "Divide", "Maximum", "Minimum", "Multiply", "Subtract"})
_MOVES = frozenset({"Concatenate", "ExpandDims", "Reshape", "Squeeze", "Transpose"})
_READ_ARGUMENTS = ("axis", "name")


def operation_name(layer: Any) -> str:
    """Return the operation of a node, by the name used here."""
    name = type(layer).__name__
    if name in ("TFOpLambda", "SlicingOpLambda"):
        name = str(layer.get_config()["function"])
    return _NAMES.get(name, name)


def operation(site: Site) -> list[Ref]:
    """Convert one operation.

    Raises:
        RefusedError: no tfjs layer computes it.
    """
    name = operation_name(site.layer)
    handler = _HANDLERS.get(name)
    if handler is None and name not in _ACTIVATIONS:
        raise lacks(f"layer for the operation {name}")
    _check_floats(site, name)
    _check_call(site, name)
    if handler is not None:
        return [handler(site)]
    _check_attributes(site, alpha=1.0)
    return [activate(site, _ACTIVATIONS[name], site.input)]


def _check_floats(site: Site, name: str) -> None:
    if name not in _MOVES and any(ref.dtype != "float32" for ref in site.inputs):
        raise RefusedError("an operand is not float32, and TF.js promotes integers differently")


def _check_call(site: Site, name: str) -> None:
    """Reject arguments besides the tensors, which Keras 2 has in the call, except those that are converted."""
    if name in _BINARY:
        return
    given = [*site.call.args[1:], *(v for k, v in site.call.kwargs.items() if k not in _READ_ARGUMENTS)]
    if any(not isinstance(item, Value) and item is not None for item in flatten(given)):
        raise RefusedError("it is called with extra arguments")


def _operands(site: Site) -> tuple[Any, Any]:
    """Return both operands: tensors as refs, constants as numbers or lists for the last axis."""
    arguments = [*site.call.args, *(v for k, v in sorted(site.call.kwargs.items()) if k != "name" and v is not None)]
    if len(arguments) != 2:
        raise RefusedError(f"it is called with {len(arguments)} operands")
    refs = iter(site.inputs)
    x, y = (next(refs) if isinstance(a, Value) else _constant(site, a) for a in arguments)
    return x, y


def _constant(site: Site, value: Any) -> float | list[float]:
    number = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    if number.dtype.kind not in "fiu":
        raise RefusedError(f"an operand is {number.dtype}")
    if number.size == 1 and number.ndim <= len(site.output.shape):
        return float(number.reshape(()))
    if number.shape[:-1] == (1,) * (number.ndim - 1) and number.shape[-1] == site.output.shape[-1]:
        return [float(x) for x in number.reshape(-1)]
    raise RefusedError(
        f"an operand is a constant of shape {number.shape}, but only a number, or one for each channel, is supported"
    )


def _merge(class_name: str) -> Callable[[Site], Ref]:
    def convert(site: Site) -> Ref:
        x, y = _operands(site)
        if not (isinstance(x, Ref) and isinstance(y, Ref)):
            raise RefusedError("one operand is a constant")
        return _merged(site, class_name, x, y)

    return convert


def _merged(site: Site, class_name: str, x: Ref, y: Ref) -> Ref:
    # NumPy aligns shapes at the last axis, tfjs-layers after the sample axis.
    if x.rank != y.rank:
        raise RefusedError(f"its operands have {x.rank} and {y.rank} axes, which tfjs-layers broadcasts differently")
    return site.emit(class_name, {}, [x, y], site.output.shape)


def _add(site: Site) -> Ref:
    x, y = _operands(site)
    if isinstance(x, Ref) and isinstance(y, Ref):
        return _merged(site, "Add", x, y)
    ref, constant = (x, y) if isinstance(x, Ref) else (y, x)
    return _rescaled(site, ref, 1.0, constant)


def _subtract(site: Site) -> Ref:
    x, y = _operands(site)
    if isinstance(x, Ref) and isinstance(y, Ref):
        if x.rank != y.rank:
            raise RefusedError(
                f"its operands have {x.rank} and {y.rank} axes, which tfjs-layers broadcasts differently"
            )
        return difference(site, x, y, site.output.shape)
    return _rescaled(site, x, 1.0, _negative(y)) if isinstance(x, Ref) else _rescaled(site, y, -1.0, x)


def _multiply(site: Site) -> Ref:
    x, y = _operands(site)
    if isinstance(x, Ref) and isinstance(y, Ref):
        return _merged(site, "Multiply", x, y)
    ref, constant = (x, y) if isinstance(x, Ref) else (y, x)
    return _rescaled(site, ref, constant, 0.0)


def _divide(site: Site) -> Ref:
    x, y = _operands(site)
    if not isinstance(x, Ref) or isinstance(y, Ref):
        raise lacks("layer for division by a tensor")
    if not np.all(y):
        raise RefusedError("it divides by zero")
    site.note("division by a constant as a product")
    return _rescaled(site, x, [1.0 / c for c in y] if isinstance(y, list) else 1.0 / y, 0.0)


def _rescaled(site: Site, x: Ref, factor: Any, offset: Any) -> Ref:
    if site.output.shape != x.shape:
        raise RefusedError("a constant changes the shape")
    return site.emit("Rescaling", {"scale": factor, "offset": offset}, [x], x.shape)


def _negative(value: Any) -> Any:
    return [-v for v in value] if isinstance(value, list) else -value


def _concatenate(site: Site) -> Ref:
    rank = len(site.output.shape)
    axis = getattr(site.layer, "axis", site.call.kwargs.get("axis"))
    if axis is None or int(axis) % rank == 0:
        raise RefusedError("it joins samples, or its axis is not a number")
    return site.emit("Concatenate", {"axis": int(axis) % rank}, site.inputs, site.output.shape)


def _check_attributes(site: Site, **expected: float) -> None:
    for name, value in expected.items():
        actual = getattr(site.layer, name, value)
        if actual != value:
            raise RefusedError(f"{name}={actual!r}: tfjs-layers has it only for {value}")


def _softmax(site: Site) -> Ref:
    axis = getattr(site.layer, "axis", site.call.kwargs.get("axis", -1))
    if axis is None or int(axis) % site.input.rank != site.input.rank - 1:
        raise RefusedError(f"axis={axis!r}: tfjs-layers takes the last axis")
    return activate(site, "softmax", site.input)


def _gelu(site: Site) -> Ref:
    _check_attributes(site, approximate=False)
    return activate(site, "gelu", site.input)


def _relu_operation(site: Site) -> Ref:
    layer = site.layer
    if layer.negative_slope and not layer.threshold and layer.max_value is None:
        return leaky_relu(site, site.input, float(layer.negative_slope))
    if layer.negative_slope or layer.threshold:
        raise RefusedError("tfjs-layers has ReLU with a slope or with a maximum, not with both or a threshold")
    return site.emit("ReLU", {"max_value": layer.max_value}, [site.input], site.output.shape)


def _reshape(site: Site) -> Ref:
    x, shape = site.input, site.output.shape
    newshape = getattr(site.layer, "newshape", None)
    keeps_samples = newshape is not None and (newshape[0] == -1 or newshape[0] == x.shape[0])
    if not keeps_samples or _size(shape) is None or _size(shape) != _size(x.shape):
        raise RefusedError("it may join or split samples")
    return reshape(site, x, shape)


def _same_size(site: Site) -> Ref:
    x, shape = site.input, site.output.shape
    if not shape or shape[0] is not None or _size(shape) is None or _size(shape) != _size(x.shape):
        raise RefusedError("it may join or split samples")
    return reshape(site, x, shape)


def _size(shape: tuple[int | None, ...]) -> int | None:
    return None if None in shape[1:] else int(np.prod([d or 1 for d in shape[1:]]))


def _transpose(site: Site) -> Ref:
    axes = getattr(site.layer, "axes", None)
    if axes is None or axes[0] != 0:
        raise RefusedError("it moves the samples")
    return permute(site, site.input, [int(a) for a in axes[1:]], "")


def _global(class_name: str) -> Callable[[Site], Ref]:
    def convert(site: Site) -> Ref:
        if getattr(site.layer, "initial", None) is not None:
            raise RefusedError("it has an initial value")
        x, axes = site.input, getattr(site.layer, "axis", None)
        positions = sorted(int(a) % x.rank for a in axes) if isinstance(axes, list | tuple) else [
            int(axes) % x.rank] if axes is not None else []  # fmt: skip
        if x.rank not in (3, 4) or positions != list(range(1, x.rank - 1)):
            raise RefusedError(f"axis={axes!r}: tfjs-layers takes all axes between samples and channels")
        pooled = site.emit(f"{class_name}{x.rank - 2}D", {}, [x], (x.shape[0], x.shape[-1]), part="pooled")
        return reshape(site, pooled, site.output.shape)

    return convert


_HANDLERS: dict[str, Callable[[Site], Ref]] = {
    "Add": _add,
    "Concatenate": _concatenate,
    "Divide": _divide,
    "ExpandDims": _same_size,
    "Gelu": _gelu,
    "HardSigmoid": lambda site: hard_sigmoid(site, site.input),
    "LeakyRelu": lambda site: leaky_relu(site, site.input, float(site.layer.negative_slope)),
    "Max": _global("GlobalMaxPooling"),
    "Maximum": _merge("Maximum"),
    "Mean": _global("GlobalAveragePooling"),
    "Minimum": _merge("Minimum"),
    "Multiply": _multiply,
    "Negative": lambda site: scale(site, site.input, -1.0, part=""),
    "ReLU": _relu_operation,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "Square": lambda site: site.emit("Multiply", {}, [site.input, site.input], site.output.shape),
    "Squeeze": _same_size,
    "Subtract": _subtract,
    "Transpose": _transpose,
}
