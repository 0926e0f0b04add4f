"""Inspects one step in Python: every operation of the forward and backward pass, and the activations."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from ..system.quiet import without_native_noise
from ..types import Array, Operand, PassCheck, PassOperation, Tensors
from .native import NativeTrainer

_BACKWARD = "gradient_tape/"
_NO_OPERATIONS = {"Const", "Identity", "IdentityN", "NoOp", "Placeholder", "ReadVariableOp", "Shape", "StopGradient"}
#: The forward operations whose derivative is an operation of a different type.
_DERIVED: Mapping[str, tuple[str, ...]] = {"Reciprocal": ("Log", "Log1p", "Reciprocal")}
#: The bounds of each activation; a result this near to one has a gradient of 0 in float32.
_BOUNDS: Mapping[str, tuple[float, ...]] = {
    "sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu6": (0.0, 6.0),
    "softsign": (-1.0, 1.0),
}  # fmt: skip
_NEAR = 1e-4
#: The derivative of each activation, computed from its result, as a share of the largest derivative.
_SLOPES: Mapping[str, Callable[[Array], Array]] = {
    "sigmoid": lambda y: 4 * y * (1 - y), "hard_sigmoid": lambda y: (y > 0) & (y < 1), "tanh": lambda y: 1 - y * y,
    "relu6": lambda y: (y > 0) & (y < 6), "softsign": lambda y: (1 - np.abs(y)) ** 2,
}  # fmt: skip


def check_pass(trainer: NativeTrainer, step: int, inputs: Tensors, targets: Tensors) -> PassCheck:
    """Check every operation of the forward and backward pass for NaN and infinity, with the current weights."""
    import tensorflow as tf

    flat, wanted = trainer.flat(inputs), trainer.flat(targets)
    computed: list[Any] = []
    tensors: list[str] = []

    def both(*given: Any) -> Any:
        """Return every floating-point tensor of both passes.

        A tensor that is fetched is never optimized away or fused.
        """
        trainer.loss_and_gradients(list(given[: len(flat)]), list(given[len(flat) :]))
        computed[:] = tf.compat.v1.get_default_graph().get_operations()
        results = [t for operation in computed for t in operation.outputs if t.dtype.is_floating]
        tensors[:] = [t.name for t in results]
        return results

    with without_native_noise():
        results = tf.function(both, autograph=False)(*flat, *wanted)
    values = {name: np.asarray(value) for name, value in zip(tensors, results, strict=True)}
    layers = {str(layer.name) for layer in trainer.model._flatten_layers(include_self=False, recursive=True)}
    operations = [operation for operation in computed if operation.type not in _NO_OPERATIONS]
    names = {operation.name for operation in operations}
    found = [_operation(operation, values, layers, names) for operation in operations]
    return PassCheck(step, len(operations), tuple(operation for operation in found if operation))


def _operation(
    operation: Any, values: Mapping[str, Array], layers: Collection[str], names: Collection[str]
) -> PassOperation | None:
    outputs = [values[t.name] for t in operation.outputs if t.name in values]
    bad = sum(_bad(value) for value in outputs)
    if not bad:
        return None
    inputs = [(t.name, values[t.name]) for t in operation.inputs if t.name in values]
    origin = not any(_bad(value) for _, value in inputs)
    backward = operation.name.startswith(_BACKWARD)
    path = operation.name.removeprefix(_BACKWARD)
    result = next(value for value in outputs if _bad(value))
    return PassOperation(
        name=operation.name,
        op=operation.type,
        phase="backward" if backward else "forward",
        layer=_layer(path, layers),
        nonfinite=bad,
        element_count=sum(value.size for value in outputs),
        is_origin=origin,
        of=_forward_of(operation, path, names) if backward else None,
        operands=tuple(_operand(name, value, result) for name, value in inputs) if origin else (),
    )


def _forward_of(operation: Any, path: str, names: Collection[str]) -> str | None:
    """Find the forward operation whose gradient a backward operation belongs to.

    TensorFlow puts the name into the scope, except outside of layers. There, SqrtGrad reads the result of the Sqrt,
    and Reciprocal and RealDiv read an operand of the Log or RealDiv.
    """
    for scope in (path, path.rpartition("/")[0]):
        if scope in names and not scope.startswith(_BACKWARD):
            return scope
    of_type = operation.type.removesuffix("Grad")
    if of_type != operation.type:
        read = (tensor.op for tensor in operation.inputs)
        return next((op.name for op in read if op.type == of_type), None)
    kinds = _DERIVED.get(operation.type, (operation.type,))
    also = (op for tensor in operation.inputs for op in tensor.consumers())
    return next((op.name for op in also if op.type in kinds and not op.name.startswith(_BACKWARD)), None)


def _layer(path: str, layers: Collection[str]) -> str | None:
    """Return the innermost layer on the path of an operation; further calls of a layer have _1, _2 after its name."""
    parts = path.split("/")[::-1]
    exact = next((part for part in parts if part in layers), None)
    return exact or next((p for part in parts if (p := re.sub(r"_\d+$", "", part)) in layers), None)


def _bad(value: Array) -> int:
    return int(value.size - np.count_nonzero(np.isfinite(value)))


def _operand(name: str, value: Array, result: Array) -> Operand:
    finite = value[np.isfinite(value)]
    at = tuple(np.argwhere(~np.isfinite(result))[0]) if result.shape == value.shape else None
    return Operand(
        name.partition(":")[0],
        float(value[at]) if at is not None else float(value) if value.ndim == 0 else None,
        float(finite.min()) if finite.size else None,
        float(finite.max()) if finite.size else None,
        int(np.count_nonzero(np.isnan(value))),
        int(np.count_nonzero(np.isinf(value))),
    )


def saturations(trainer: NativeTrainer, inputs: Tensors) -> dict[str, tuple[str, float, float]]:
    """Measure for each layer the share of its results at a bound, and its mean derivative, on this batch.

    The values are the activation, the share, and the derivative as a share of its largest value. A softmax is left
    out, because it should become certain.
    """
    shares: dict[str, tuple[str, float, float]] = {}
    for layer, values in trainer.activations(inputs).items():
        activation = _activation(trainer.model.get_layer(layer))
        if activation in _BOUNDS and values.size:
            near = sum(int(np.count_nonzero(np.abs(values - bound) < _NEAR)) for bound in _BOUNDS[activation])
            shares[layer] = activation, near / values.size, float(np.mean(_SLOPES[activation](values)))
    return shares


def _activation(layer: Any) -> str:
    function = getattr(layer, "activation", None)
    return str(getattr(function, "__name__", "")) if function is not None else type(layer).__name__.lower()
