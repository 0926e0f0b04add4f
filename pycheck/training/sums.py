"""Measures how many terms a gradient sums, and how far they cancel, which is what its rounding error depends on.

The gradient of a kernel is a sum over all samples and positions. A sum of n terms that is computed one after the other
in precision u has an error of about ``u * sqrt(n / 3) * P``: each addition rounds the partial sum, which is at most P
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 4.2; the rounding errors of the additions are
taken as independent and uniform). P is measured here as the sum of the magnitudes of the samples' own gradients.
A kernel that sums in blocks, as in Python, has a smaller error, so that the noise floor does not show it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..system.quiet import without_native_noise
from ..types import Tensors
from .native import NativeTrainer

#: Sums of fewer terms are within the limits for any gradient.
_FEWEST_TERMS = 1024
#: Operations that add up terms, with the names of the operands whose first axis has the samples.
_SUMS: Mapping[str, tuple[str, ...]] = {
    "BiasAddGrad": ("out_backprop",),
    "Conv2DBackpropFilter": ("input", "out_backprop"),
    "Conv3DBackpropFilterV2": ("input", "out_backprop"),
    "DepthwiseConv2dNativeBackpropFilter": ("input", "out_backprop"),
    "MatMul": ("a", "b"),
    "Sum": ("input",),
}
#: Operations that add their operands, or pass them on in a different shape.
_PASSING = frozenset({"AddN", "AddV2", "Cast", "Identity", "Reshape", "Squeeze"})


def summation_errors(trainer: NativeTrainer, inputs: Tensors, targets: Tensors) -> dict[int, float]:
    """Estimate ``sqrt(n / 3) * P`` of one batch for each gradient, as a multiple of its largest element.

    The keys are the trainable variables' numbers. A gradient that sums few terms, or in an operation that is not known
    here, such as a loop, has no key.
    """
    import tensorflow as tf

    if _most_terms(trainer, inputs) < _FEWEST_TERMS:
        return {}
    flat, wanted = trainer.flat(inputs), trainer.flat(targets)
    samples = len(next(iter(inputs.values())))
    counts: dict[int, int] = {}

    def measured(*given: Any) -> dict[int, Any]:
        _, gradients, _ = trainer.loss_and_gradients(list(given[: len(flat)]), list(given[len(flat) :]))
        found = {}
        for number, gradient in enumerate(gradients):
            sums = [each for each in _sums(gradient.op) if _splits(each, samples)]
            counts[number] = sum(map(_term_count, sums))
            if counts[number] >= _FEWEST_TERMS:
                partial = tf.add_n([_partial_sums(each, samples) for each in sums])
                found[number] = tf.reduce_max(tf.abs(gradient)), partial
        return found

    with without_native_noise():
        values = tf.function(measured, autograph=False)(*flat, *wanted)
    return {
        number: math.sqrt(counts[number] / 3) * float(partial) / float(largest)
        for number, (largest, partial) in values.items()
        if np.isfinite(float(partial)) and float(largest) > 0.0
    }


def _most_terms(trainer: NativeTrainer, inputs: Tensors) -> int:
    """Return an upper bound for the terms of a sum: the samples times the positions of the largest layer."""
    shapes = [value.shape[1:] for value in trainer.activations(inputs).values()]
    positions = max((math.prod(shape[:-1]) for shape in shapes if len(shape) > 1), default=1)
    return len(next(iter(inputs.values()))) * positions


def _sums(op: Any) -> Iterator[Any]:
    """Yield the operations that add up the terms of a gradient."""
    if op.type in _SUMS:
        yield op
    elif op.type in _PASSING:
        for tensor in op.inputs:
            yield from _sums(tensor.op)


def _operands(op: Any) -> dict[str, Any]:
    return dict(zip([each.name for each in op.op_def.input_arg], op.inputs, strict=True))


def _splits(op: Any, samples: int) -> bool:
    """Tell whether the operation sums over the samples, which are the first axis of its operands, or a part of it."""
    import tensorflow as tf

    operands = _operands(op)
    shapes = [operands[name].shape for name in _SUMS[op.type]]
    if not all(shape.is_fully_defined() and shape.rank and shape[0] and shape[0] % samples == 0 for shape in shapes):
        return False
    if op.type == "MatMul":
        return bool(op.get_attr("transpose_a")) and not op.get_attr("transpose_b")
    if op.type == "Sum":
        axes = tf.get_static_value(operands["reduction_indices"])
        return axes is not None and 0 in np.atleast_1d(axes) and not op.get_attr("keep_dims")
    return True


def _term_count(op: Any) -> int:
    terms: tuple[int, ...] = tuple(_operands(op)[_SUMS[op.type][-1]].shape)
    results = math.prod(op.outputs[0].shape) if op.type == "Sum" else terms[-1]
    return math.prod(terms) // int(results)


def _partial_sums(op: Any, samples: int) -> Any:
    """Return the largest element of the sum of the magnitudes of the samples' own results."""
    import tensorflow as tf

    operands, names = _operands(op), _SUMS[op.type]
    attributes = {
        each.name: _plain(op.get_attr(each.name))
        for each in op.op_def.attr
        if each.type != "type" and each.name[0] != "_"
    }
    by_sample = tuple(
        tf.reshape(operands[name], [samples, operands[name].shape[0] // samples, *operands[name].shape[1:]])
        for name in names
    )
    function = getattr(tf.raw_ops, op.type)

    def add(total: Any, parts: tuple[Any, ...]) -> Any:
        given = {
            _argument(op, name): value for name, value in (operands | dict(zip(names, parts, strict=True))).items()
        }
        return tf.ensure_shape(total + tf.abs(function(**given, **attributes)), op.outputs[0].shape)

    start = tf.zeros(op.outputs[0].shape, op.outputs[0].dtype)
    return tf.reduce_max(tf.foldl(add, by_sample, start))


def _argument(op: Any, name: str) -> str:
    return "axis" if (op.type, name) == ("Sum", "reduction_indices") else name


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
