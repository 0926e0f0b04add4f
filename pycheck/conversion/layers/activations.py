"""Maps activation functions to those of tfjs-layers, or to layers that compute them.

Source: tfjs-layers src/activations.ts; keras/src/activations/activations.py; tf_keras/src/activations.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .keras_calls import KERAS_2, KERAS_3, framework_of
from .target import RefusedError

# Keras function -> tfjs-layers activation, the same function at the default arguments, which are
# the ones an activation has. celu with alpha 1 is elu.
_SAME = {
    "celu": "elu",
    "elu": "elu",
    "gelu": "gelu",
    "linear": "linear",
    "log_softmax": "log_softmax",
    "mish": "mish",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "swish",
    "softmax": "softmax",
    "softplus": "softplus",
    "softsign": "softsign",
    "swish": "swish",
    "tanh": "tanh",
}

# Functions that a few layers compute together, by the name of the rewrite in `rewrites`.
# hard_sigmoid is relu6(x + 3) / 6 in Keras 3, and clip(0.2 x + 0.5, 0, 1) in tfjs-layers.
_COMPOSED = {
    KERAS_3: ("hard_sigmoid", "hard_silu", "leaky_relu", "log_sigmoid"),
    KERAS_2: ("leaky_relu",),
}

#: TensorFlow's own functions that Keras 2 users pass as activations, and their names in Keras.
_TENSORFLOW = ("relu", "relu6", "elu", "selu", "sigmoid", "tanh", "softplus", "softsign")


def activation_name(function: Callable[..., Any] | None) -> tuple[str, str]:
    """Return the library and the name of an activation, such as ("keras 3", "silu").

    Raises:
        RefusedError: it is not a function that Keras comes with.
    """
    if function is None:
        return KERAS_3, "linear"
    name = getattr(function, "__name__", type(function).__name__)
    framework = framework_of(function)
    module = getattr(function, "__module__", None) or ""
    if framework and "activations" in module and not isinstance(function, type) and hasattr(function, "__name__"):
        return framework, name
    if module.startswith("tensorflow.python.ops") and name in _TENSORFLOW:
        return KERAS_2, name
    raise RefusedError(f"activation {name} is not one that tfjs-layers can load")


def same_in_tfjs(framework: str, name: str) -> str | None:
    """Return the tfjs-layers activation that is the same function, if there is one."""
    if name == "hard_sigmoid" and framework == KERAS_2:
        return "hard_sigmoid"
    return _SAME.get(name)


def is_composed(framework: str, name: str) -> bool:
    """Tell whether a few tfjs layers together compute it."""
    return name in _COMPOSED[framework]
