"""Implements TF.js's losses that differ from Keras's in TensorFlow, to test whether they explain a difference.

Source: tfjs-layers 4.22, src/losses.ts. Each takes targets and outputs, (samples, ..., width), and returns one loss
for each sample. The losses that are not here differ only by the epsilon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Formula = Callable[[Any, Any, float], Any]


def tfjs_loss(name: str, epsilon: float) -> Callable[[Any, Any], Any] | None:
    """Return TF.js's loss for Keras's name, with the epsilon of a backend; None if Keras computes the same."""
    formula = _FORMULAS.get(name)
    return None if formula is None else lambda y, p: formula(y, p, epsilon)


def _mean(value: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(value, -1)


def _clip(value: Any, low: float, high: float) -> Any:
    import tensorflow as tf

    return tf.clip_by_value(value, tf.constant(low, value.dtype), tf.constant(high, value.dtype))


def absolute(value: Any) -> Any:
    """Compute the absolute value with TF.js's gradient, which is -1 at exactly 0 (Abs_grad.ts); TensorFlow's is 0."""
    import tensorflow as tf

    return tf.where(value > 0, value, -value)


def _absolute_error(y: Any, p: Any, _: float) -> Any:
    return _mean(absolute(p - y))


def _percentage_error(y: Any, p: Any, epsilon: float) -> Any:
    import tensorflow as tf

    return 100.0 * _mean(absolute((y - p) / tf.maximum(tf.abs(y), tf.constant(epsilon, y.dtype))))


def _binary(y: Any, p: Any, epsilon: float) -> Any:
    """Compute logits from the clipped probability; Keras instead reads the logits of a last sigmoid."""
    import tensorflow as tf

    clipped = _clip(p, epsilon, 1.0 - epsilon)
    logits = tf.math.log(clipped / (1.0 - clipped))
    return _mean(tf.nn.relu(logits) - logits * y + tf.math.log1p(tf.exp(-tf.abs(logits))))


def _categorical(y: Any, p: Any, epsilon: float) -> Any:
    """Compute logits from the clipped probabilities; Keras instead reads the logits of a last softmax."""
    import tensorflow as tf

    shares = p / tf.reduce_sum(p, -1, keepdims=True)
    return -tf.reduce_sum(y * tf.math.log(_clip(shares, epsilon, 1.0 - epsilon)), -1)


def _sparse(y: Any, p: Any, epsilon: float) -> Any:
    import tensorflow as tf

    classes = tf.one_hot(tf.cast(tf.reshape(y, tf.shape(p)[:-1]), tf.int32), tf.shape(p)[-1], dtype=p.dtype)
    return _categorical(classes, _clip(p, epsilon, 1.0 - epsilon), epsilon)


def _divergence(y: Any, p: Any, epsilon: float) -> Any:
    """Weight the logarithm with the target; Keras weights it with the clipped target."""
    import tensorflow as tf

    return tf.reduce_sum(y * tf.math.log(_clip(y, epsilon, 1.0) / _clip(p, epsilon, 1.0)), -1)


def _hinge(y: Any, p: Any, _: float) -> Any:
    """Compute the hinge of targets as they are, without a gradient at the margin.

    Keras converts 0 and 1 to -1 and 1.
    """
    import tensorflow as tf

    return _mean(tf.nn.relu(1.0 - y * p))


def _squared_hinge(y: Any, p: Any, _: float) -> Any:
    import tensorflow as tf

    return _mean(tf.square(tf.nn.relu(1.0 - y * p)))


def _categorical_hinge(y: Any, p: Any, _: float) -> Any:
    """Compute the hinge without a gradient at exactly the margin, where Keras has one."""
    import tensorflow as tf

    return tf.nn.relu(1.0 + tf.reduce_max((1.0 - y) * p, -1) - _sum(y * p))


def _cosine(y: Any, p: Any, epsilon: float) -> Any:
    """Limit a norm to at least the root of epsilon; Keras limits it to at least epsilon."""
    return -_sum(_unit(y, epsilon) * _unit(p, epsilon))


def _sum(value: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(value, -1)


def _unit(value: Any, epsilon: float) -> Any:
    import tensorflow as tf

    squares = tf.reduce_sum(tf.square(value), -1, keepdims=True)
    return value / tf.sqrt(tf.maximum(squares, tf.constant(epsilon, value.dtype)))


_FORMULAS: Mapping[str, Formula] = {
    "mean_absolute_error": _absolute_error,
    "mean_absolute_percentage_error": _percentage_error,
    "binary_crossentropy": _binary,
    "categorical_crossentropy": _categorical,
    "sparse_categorical_crossentropy": _sparse,
    "kl_divergence": _divergence,
    "hinge": _hinge,
    "squared_hinge": _squared_hinge,
    "categorical_hinge": _categorical_hinge,
    "cosine_similarity": _cosine,
}
