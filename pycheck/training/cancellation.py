"""Finds variables whose gradient is 0 by algebra: it is a sum of parts that cancel.

A bias that a normalization removes again, or that a softmax shares among all of its classes, has no effect on the loss.
The parts of its gradient are as large as those of other gradients, and their sum is roundoff. A gradient that vanishes
has small parts, or none. To tell them apart, the operation that sums the parts is computed once more on their
magnitudes, in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..system.quiet import without_native_noise
from ..types import Tensors
from .native import NativeTrainer

#: A sum is 0 if it is so many times smaller than the sum of magnitudes: float64 leaves about 1e-16 times that sum.
_CANCELLED = 2.0**-30
#: Gradients that are so many times smaller than the largest one are checked.
_SMALL = 1e-5
#: Operations whose result holds the elements of their first input.
_PASSING = frozenset({"Identity", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Neg"})
#: Operations that sum the elements of their first input: the gradient of an addend, such as a bias. The gradient of a
#: kernel sums products. It also cancels if the inputs do not vary, which is a fault of the model.
_SUMMING = frozenset({"BiasAddGrad", "Sum", "Mean"})


def cancelled_gradients(
    trainer: NativeTrainer, largest: Sequence[float | None], inputs: Tensors, targets: Tensors
) -> tuple[str, ...]:
    """Return the names of the variables whose gradient on this batch is 0 by algebra.

    `trainer` computes in float64; `largest` is the largest magnitude of each gradient on this batch, by variable.
    """
    import tensorflow as tf

    limit = _SMALL * max((size for size in largest if size is not None), default=0.0)
    small = [index for index, size in enumerate(largest) if size is not None and size <= limit]
    if not small:
        return ()
    flat, wanted = trainer.flat(inputs), trainer.flat(targets)

    def sums_and_magnitudes(*given: Any) -> Any:
        _, gradients, _ = trainer.loss_and_gradients(list(given[: len(flat)]), list(given[len(flat) :]))
        return [(_largest(gradients[index]), _summed_magnitude(gradients[index])) for index in small]

    with without_native_noise():
        found = tf.function(sums_and_magnitudes, autograph=False)(*flat, *wanted)
    return tuple(
        trainer.names[index]
        for index, (total, parts) in zip(small, found, strict=True)
        if np.isfinite(parts) and parts > 0.0 and total <= _CANCELLED * parts
    )


def _summed_magnitude(gradient: Any) -> Any:
    """Compute the largest element of a gradient if all of its parts had one sign.

    If the operation computes no sum, this is the largest element of the gradient itself.
    """
    import tensorflow as tf

    operation = gradient.op
    if operation.type in _PASSING:
        return _summed_magnitude(operation.inputs[0])
    if operation.type in ("AddN", "AddV2"):
        return tf.add_n([_summed_magnitude(part) for part in operation.inputs])
    if operation.type not in _SUMMING:
        return _largest(gradient)
    inputs = [tf.abs(operation.inputs[0]), *operation.inputs[1:]]
    attributes = {name: operation.node_def.attr[name] for name in operation.node_def.attr}
    again = operation.graph.create_op(operation.type, inputs, [gradient.dtype], attrs=attributes)
    return _largest(again.outputs[0])


def _largest(value: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_max(tf.abs(value))
