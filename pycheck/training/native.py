"""Trains in Python, one step at a time, in float32 or float64, and returns all results of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..system.quiet import without_native_noise
from ..types import Array, Tensors
from .formula import evaluate
from .keras_models import library_of, named_variables
from .recipe import Optimizer, Recipe
from .tfjs_gradients import compute_as_tfjs
from .tfjs_losses import absolute, tfjs_loss
from .tfjs_optimizers import TfjsRule

#: The epsilon of Keras; TF.js uses the epsilon of the backend instead.
KERAS_EPSILON = 1e-7
_FEW_STEPS = 25


@dataclass(frozen=True, slots=True)
class Step:
    """The results of one step, by variable in the trainer's order. Weights are those after the step.

    The gradient is that of the loss before clipping. Statistics, such as moving means, have no gradient. `activations`
    counts non-finite elements by layer; a layer that was not observed has no key. `results` are the flat results of
    the layers.
    """

    loss: float
    gradients: tuple[Array, ...]
    weights: tuple[Array, ...]
    activations: Mapping[str, int]
    results: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of TF.js that the trainer uses instead of Keras's, to explain a difference.

    `epsilon` replaces Keras's 1e-7 in the loss, `optimizer_epsilon` in the optimizer. With `tfjs_loss` the loss has
    TF.js's formula, and `rule` is an optimizer with TF.js's formula. With `resize_gradient` the gradient of a resize is
    that of TF.js's kernel.
    """

    epsilon: float | None = None
    tfjs_loss: bool = False
    rule: TfjsRule | None = None
    optimizer_epsilon: float | None = None
    resize_gradient: bool = False


class NativeTrainer:
    """One model in training. `penalties` are L1 and L2 by variable name. It is not thread-safe."""

    def __init__(
        self, model: Any, recipe: Recipe, penalties: Mapping[str, tuple[float, float]], rules: Rules | None = None
    ) -> None:
        import tensorflow as tf

        self.model = model
        self._recipe = recipe
        self._rules = rules or Rules()
        self._library = library_of(model)
        if self._rules.resize_gradient:
            compute_as_tfjs(model)
        named = named_variables(model)
        trainable = {id(variable) for variable in model.trainable_weights}
        floats = [entry for entry in named if "float" in str(_dtype(entry[2]))]
        ordered = [e for e in floats if id(e[2]) in trainable] + [e for e in floats if id(e[2]) not in trainable]
        self.names = tuple(name for name, _, _ in ordered)
        self.layers = tuple(str(layer.name) for _, layer, _ in ordered)
        self.trainable_count = sum(id(e[2]) in trainable for e in ordered)
        self._variables = [variable for _, _, variable in ordered]
        self._trainable = self._variables[: self.trainable_count]
        self._penalties = [penalties.get(name, (0.0, 0.0)) for name in self.names[: self.trainable_count]]
        self._observed, self._observed_layers = _observing(model, self._library)
        self.optimizer: Any = None  # Keras's optimizer; a rule may replace it
        if self._rules.rule is None:
            self.optimizer = make_optimizer(self._library, recipe, self._rules.optimizer_epsilon)
            self.optimizer.build(self._trainable)
        self._dtype = tf.as_dtype(str(_dtype(self._trainable[0])).rpartition(".")[2].strip("'>"))
        # Tracing a function takes longer than a few steps.
        traced = tf.function(self._one_step, autograph=False, reduce_retracing=True)
        self._step = traced if recipe.steps > _FEW_STEPS else self._one_step

    @property
    def weights(self) -> tuple[Array, ...]:
        """Return the current values of the variables."""
        return tuple(np.asarray(variable.numpy()) for variable in self._variables)

    def set_weights(self, values: Sequence[Array]) -> None:
        """Set the values of the variables."""
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value.astype(str(_dtype(variable)).rpartition(".")[2].strip("'>")))

    def step(self, inputs: Tensors, targets: Tensors) -> Step:
        """Train one step on one batch."""
        loss, gradients, counts, values = self._step(self._flat(inputs), self._flat(targets))
        arrays = [np.asarray(gradient) for gradient in gradients]
        if self._rules.rule is not None:
            clipped = clip(arrays, self._recipe)
            for variable, value in zip(self._trainable, self._rules.rule.apply(clipped, self.weights), strict=False):
                variable.assign(value)
        return Step(
            float(loss),
            tuple(arrays),
            self.weights,
            _summed(self._observed_layers, counts),
            joined(self._observed_layers, [np.asarray(value) for value in values]),
        )

    def loss_and_gradients(self, inputs: Any, targets: Any) -> tuple[Any, list[Any], Sequence[Any]]:
        """Compute the loss, its gradients and the layers' activations, as tensors."""
        import tensorflow as tf

        from ..graphdef.gradients import safe_gradients

        with tf.GradientTape() as tape:
            outputs, activations = self._forward(inputs)
            loss = self._loss(outputs, targets)
        with safe_gradients():
            gradients = tape.gradient(
                loss, self._trainable_values(), unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients], activations

    def hessian_vector(self, inputs: Tensors, targets: Tensors, vector: Sequence[Array]) -> list[Array]:
        """Multiply the Hessian of the loss with a vector, both by variable (Pearlmutter, 1994)."""
        import tensorflow as tf

        from ..graphdef.gradients import safe_gradients

        if not hasattr(self, "_hvp"):

            def product(flat: Any, wanted: Any, direction: Any) -> Any:
                with tf.GradientTape() as outer:
                    _, gradients, _ = self.loss_and_gradients(flat, wanted)
                    along = tf.add_n([tf.reduce_sum(g * v) for g, v in zip(gradients, direction, strict=True)])
                with safe_gradients():
                    products = outer.gradient(
                        along, self._trainable_values(), unconnected_gradients=tf.UnconnectedGradients.ZERO
                    )
                return [tf.convert_to_tensor(each) for each in products]

            self._hvp = tf.function(product, autograph=False, reduce_retracing=True)
        values = [tf.constant(value, self._dtype) for value in vector]
        with without_native_noise():
            products = self._hvp(self._flat(inputs), self._flat(targets), values)
        return [np.asarray(value) for value in products]

    def activations(self, inputs: Tensors) -> dict[str, Array]:
        """Compute the result of each layer for a batch, with the current weights."""
        _, values = self._forward(self._flat(inputs))
        return {name: np.asarray(value) for name, value in zip(self._observed_layers, values, strict=True)}

    def outputs(self, inputs: Tensors) -> list[Array]:
        """Compute the outputs of the model for a batch, in training mode."""
        return [np.asarray(value) for value in self._forward(self._flat(inputs))[0]]

    def loss(self, inputs: Tensors, targets: Tensors) -> float:
        """Compute the loss of a batch, with the current weights."""
        return float(self._loss(self._forward(self._flat(inputs))[0], self._flat(targets)))

    def flat(self, tensors: Tensors) -> list[Any]:
        """Return inputs or targets in the form that a step takes."""
        return self._flat(tensors)

    def _one_step(self, inputs: list[Any], targets: list[Any]) -> Any:
        import tensorflow as tf

        loss, gradients, activations = self.loss_and_gradients(inputs, targets)
        counts = [tf.reduce_sum(tf.cast(~tf.math.is_finite(value), tf.int64)) for value in activations]
        if self.optimizer is not None:
            self.optimizer.apply_gradients(list(zip(gradients, self._trainable, strict=True)))
        return loss, gradients, counts, activations

    def _trainable_values(self) -> list[Any]:
        return [
            getattr(variable, "value", variable) if _is_keras3(variable) else variable for variable in self._trainable
        ]

    def _forward(self, inputs: list[Any]) -> tuple[list[Any], list[Any]]:
        results = self._observed(inputs if len(inputs) > 1 else inputs[0], training=True)
        flat = list(results) if isinstance(results, list | tuple) else [results]
        count = len(self.model.outputs)
        return flat[:count], flat[count:]

    def _loss(self, outputs: Sequence[Any], targets: Sequence[Any]) -> Any:
        import tensorflow as tf

        function = loss_function(self._library, self._recipe, self._rules)
        total = tf.add_n([tf.reduce_mean(function(y, p)) for y, p in zip(targets, outputs, strict=True)])
        for (l1, l2), variable in zip(self._penalties, self._trainable_values(), strict=True):
            value = tf.convert_to_tensor(variable)
            if l1:
                total += tf.constant(l1, value.dtype) * tf.reduce_sum(tf.abs(value))
            if l2:
                total += tf.constant(l2, value.dtype) * tf.reduce_sum(tf.square(value))
        return total

    def _flat(self, tensors: Tensors) -> list[Any]:
        import tensorflow as tf

        return [
            tf.constant(value, self._dtype) if value.dtype.kind == "f" else tf.constant(value)
            for value in tensors.values()
        ]


def joined(names: Sequence[str], values: Sequence[Array]) -> dict[str, Array]:
    """Return the flat result of each layer; the results of several calls of a layer are concatenated."""
    parts: dict[str, list[Array]] = {}
    for name, value in zip(names, values, strict=True):
        parts.setdefault(name, []).append(value.reshape(-1))
    return {name: np.concatenate(found) for name, found in parts.items()}


def _summed(names: Sequence[str], counts: Sequence[Any]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for name, count in zip(names, counts, strict=True):
        totals[name] = totals.get(name, 0) + int(count)
    return totals


def _dtype(variable: Any) -> Any:
    dtype = variable.dtype
    return getattr(dtype, "name", dtype)


def _is_keras3(variable: Any) -> bool:
    return type(variable).__module__.startswith("keras.src.")


def _observing(model: Any, library: Any) -> tuple[Any, tuple[str, ...]]:
    """Make a model that also returns every layer's floating-point output; return also the names of these layers."""
    names: list[str] = []
    values: list[Any] = []
    # Only calls within this model count: a layer may have further calls, because a Sequential model calls its layers
    # again whenever one is added.
    functional = getattr(model, "_functional", None) or model
    for depth in sorted(functional._nodes_by_depth, reverse=True):
        for node in functional._nodes_by_depth[depth]:
            layer = getattr(node, "operation", None) or node.layer
            if type(layer).__name__ == "InputLayer":
                continue
            given = node.outputs if getattr(node, "output_tensors", None) is None else node.output_tensors
            for tensor in given if isinstance(given, list | tuple) else [given]:
                if "float" in str(getattr(tensor.dtype, "name", tensor.dtype)):
                    names.append(str(layer.name))
                    values.append(tensor)
    inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
    return library.Model(inputs, [*model.outputs, *values]), tuple(names)


def loss_function(library: Any, recipe: Recipe, rules: Rules) -> Callable[[Any, Any], Any]:
    """Make the function for the loss of each sample, from Keras's own function or the formula."""
    loss, epsilon = recipe.loss, rules.epsilon
    if rules.tfjs_loss and (theirs := tfjs_loss(loss.name, KERAS_EPSILON if epsilon is None else epsilon)):
        return theirs
    if loss.program:
        return lambda y, p: evaluate(loss.program, y, p, absolute if rules.tfjs_loss else None)
    name = loss.name if hasattr(library.losses, loss.name) else {"kl_divergence": "kld"}.get(loss.name, loss.name)
    function = getattr(library.losses, name)

    def apply(y: Any, p: Any) -> Any:
        backend = library.config if hasattr(library, "config") else library.backend
        before = backend.epsilon()
        try:
            if epsilon is not None:
                backend.set_epsilon(epsilon)
            return function(y, p, from_logits=True) if loss.from_logits else function(y, p)
        finally:
            backend.set_epsilon(before)

    return apply


def make_optimizer(library: Any, recipe: Recipe, epsilon: float | None = None) -> Any:
    """Make Keras's optimizer; settings that are not given have Keras's defaults."""
    optimizer: Optimizer = recipe.optimizer
    settings: dict[str, Any] = dict(optimizer.settings)
    given = optimizer.epsilon if epsilon is None else epsilon
    if given is not None:
        settings["epsilon"] = given
    settings["nesterov"] = bool(settings["nesterov"]) if "nesterov" in settings else None
    clips = {"clipnorm": recipe.clipnorm, "global_clipnorm": recipe.global_clipnorm, "clipvalue": recipe.clipvalue}
    settings |= {name: value for name, value in clips.items() if value is not None}
    settings = {name: value for name, value in settings.items() if value is not None}
    kinds = {"sgd": "SGD", "momentum": "SGD", "rmsprop": "RMSprop", "adagrad": "Adagrad", "adadelta": "Adadelta",
             "adam": "Adam", "adamax": "Adamax"}  # fmt: skip
    return getattr(library.optimizers, kinds[optimizer.name])(learning_rate=optimizer.learning_rate, **settings)


def clip(gradients: Sequence[Array], recipe: Recipe) -> list[Array]:
    """Clip gradients as Keras does (keras/src/optimizers/base_optimizer.py)."""
    if recipe.clipvalue is not None:
        return [np.clip(g, -recipe.clipvalue, recipe.clipvalue) for g in gradients]
    with np.errstate(all="ignore"):
        if recipe.clipnorm is not None:
            return [g * recipe.clipnorm / np.maximum(np.sqrt(np.sum(g * g)), recipe.clipnorm) for g in gradients]
        if recipe.global_clipnorm is not None:
            norm = np.sqrt(sum(np.sum(g * g) for g in gradients))
            scale = recipe.global_clipnorm * np.minimum(1.0 / norm, 1.0 / recipe.global_clipnorm) + (norm - norm)
            return [g * scale for g in gradients]
    return list(gradients)
