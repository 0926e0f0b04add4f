"""One call of a Keras layer that becomes calls of tfjs layers; every rewrite works with it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...artifact.layers.table import (
    ALWAYS_IGNORED,
    RULES,
    TARGETS_FOR_INTEGERS,
    TRAINING_ONLY_SUFFIXES,
    Rule,
    same_value,
)
from .activations import activation_name, is_composed, same_in_tfjs
from .composed import compose
from .keras_calls import Call, Value
from .masks import MaskTracker
from .target import Ref, RefusedError, Shape, TargetGraph, TargetLayer, Weights

#: Merges that compute the same for all time steps as for one, so that TimeDistributed need not wrap them.
ELEMENTWISE_MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply"})


@dataclass(slots=True)
class Build:
    """The state that a whole conversion shares."""

    graph: TargetGraph
    masks: MaskTracker
    notes: dict[str, list[str]] = field(default_factory=dict)
    emitted: dict[tuple[Any, ...], TargetLayer] = field(default_factory=dict)

    def note(self, text: str, who: str) -> None:
        """Record a rewrite that the report mentions."""
        layers = self.notes.setdefault(text, [])
        if who not in layers:
            layers.append(who)

    def told(self) -> tuple[str, ...]:
        """Return the notes, one for each kind of rewrite."""
        return tuple(
            f"{layers[0]}: {text}" if len(layers) == 1 else f"{len(layers)} layers ({layers[0]}, ...): {text}"
            for text, layers in self.notes.items()
        )


@dataclass(frozen=True, slots=True)
class Site:
    """One call of a Keras layer.

    Attributes:
        over_time: The name of the TimeDistributed around the call, if there is one. Shapes are then those of one time
            step, and every emitted layer is wrapped.
        steps: The number of time steps then; None if it is open.
    """

    build: Build
    call: Call
    inputs: tuple[Ref, ...]
    over_time: str | None = None
    steps: int | None = None

    @property
    def layer(self) -> Any:
        """Return the Keras layer."""
        return self.call.layer

    @property
    def input(self) -> Ref:
        """Return the only input.

        Raises:
            RefusedError: there are several.
        """
        if len(self.inputs) != 1:
            raise RefusedError(f"it is called on {len(self.inputs)} tensors, which tfjs-layers does not support here")
        return self.inputs[0]

    @property
    def output(self) -> Value:
        """Return the first output, whose shape and dtype rewrites use."""
        return self.call.outputs[0]

    @property
    def name(self) -> str:
        """Return the base of the names of the emitted layers."""
        return self.over_time or str(self.layer.name)

    def note(self, text: str) -> None:
        """Record how this layer was rewritten."""
        self.build.note(text, self.call.who)

    def config(self) -> dict[str, Any]:
        """Return the layer's arguments as plain numbers, strings and lists."""
        return {name: plain(value) for name, value in self.layer.get_config().items()}

    def emit(
        self,
        class_name: str,
        config: Mapping[str, Any],
        inputs: Sequence[Ref],
        shape: Shape,
        *,
        part: str = "",
        weights: Weights = (),
        dtype: str = "float32",
    ) -> Ref:
        """Call one tfjs layer with one output; see `emit_many`."""
        return self.emit_many(class_name, config, inputs, [(shape, dtype)], part=part, weights=weights)[0]

    def emit_many(
        self,
        class_name: str,
        config: Mapping[str, Any],
        inputs: Sequence[Ref],
        outputs: Sequence[tuple[Shape, str]],
        *,
        part: str = "",
        weights: Weights = (),
    ) -> list[Ref]:
        """Call one tfjs layer; a shared Keras layer creates it at its first call and uses it again at the others.

        Args:
            part: Distinguishes the layers of one rewrite; follows the Keras layer's name.
        """
        _check_dtypes(class_name, config, inputs)
        if self.over_time:
            class_name, config, outputs = self._wrap(class_name, config, inputs, outputs)
        # In tfjs-layers, these two fix the sizes of their first input.
        sizes = [ref.shape for ref in inputs] if class_name in ("PReLU", "TimeDistributed") else []
        key = (id(self.layer), self.over_time, part, class_name, repr((config, sizes)))
        layer = self.build.emitted.get(key)
        if layer is None:
            name = f"{self.name}_{part}" if part else self.name
            layer = self.build.graph.add_layer(class_name, name, config, weights)
            self.build.emitted[key] = layer
        refs = self.build.graph.call(layer, inputs, outputs)
        self.build.masks.follow_target(layer, inputs, refs, self.call.who)
        return [replace(ref, shape=(ref.shape[0], *ref.shape[2:])) for ref in refs] if self.over_time else refs

    def _wrap(
        self, class_name: str, config: Mapping[str, Any], inputs: Sequence[Ref], outputs: Sequence[tuple[Shape, str]]
    ) -> tuple[str, Mapping[str, Any], list[tuple[Shape, str]]]:
        over_time = [((shape[0], self.steps, *shape[1:]), dtype) for shape, dtype in outputs]
        if class_name in ELEMENTWISE_MERGES and len({ref.shape for ref in inputs}) == 1:
            return class_name, config, over_time
        if len(inputs) != 1 or len(outputs) != 1:
            raise RefusedError("TimeDistributed takes layers with one input and one output in tfjs-layers")
        inner = {"class_name": class_name, "config": {"name": f"{self.name}_step", **config}}
        return "TimeDistributed", {"layer": inner}, over_time

    def by_table(
        self,
        class_name: str | None = None,
        inputs: Sequence[Ref] | None = None,
        *,
        weights: Weights | None = None,
        part: str = "",
        shape: Shape | None = None,
        **overrides: Any,
    ) -> list[Ref]:
        """Convert by the table alone.

        Args:
            class_name: The rule to use, if not that of the layer's own class.
            inputs: The inputs, if not those of the call.
            weights: The weights, if not those that the rule names.
            shape: The shape of the output, if not the call's.
            overrides: Arguments that a rewrite has set, with Keras's names.
        """
        rule = RULES[class_name or self.call.class_name]
        arguments, activation = self.arguments(rule, overrides)
        inputs = self.inputs if inputs is None else inputs
        outputs = [(value.shape, value.dtype) for value in self.call.outputs] if shape is None else [(shape, "float32")]
        values = self.weights(rule) if weights is None else weights
        if activation is None:
            return self.emit_many(rule.target, arguments, inputs, outputs, weights=values, part=part)
        if len(outputs) != 1:
            raise RefusedError(f"activation {activation[1]} is not one that tfjs-layers has")
        arguments["activation"] = "linear"
        linear = self.emit_many(rule.target, arguments, inputs, outputs, weights=values, part=part)
        return [compose(self, activation, linear[0])]

    def arguments(self, rule: Rule, overrides: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, str] | None]:
        """Return the tfjs arguments, and the activation that must follow as separate layers, if any.

        Raises:
            RefusedError: an argument does not mean the same in tfjs-layers.
        """
        arguments: dict[str, Any] = {"trainable": bool(getattr(self.layer, "trainable", True))}
        composed = None
        for name, value in {**self.config(), **overrides}.items():
            if name in rule.only and not any(same_value(value, allowed) for allowed in rule.only[name].values):
                raise RefusedError(f"{name}={_shown(value)}: {rule.only[name].reason}")
            if name in rule.only and name not in rule.passed:
                continue
            if name in ("activation", "recurrent_activation") and name in rule.passed:
                arguments[name], composed_here = self._activation(name, overrides)
                composed = composed or composed_here
            elif name in rule.passed:
                arguments[name] = value
            elif name in rule.renamed:
                arguments[rule.renamed[name]] = value
        return arguments, composed

    def check_arguments(self, known: Set[str]) -> None:
        """Reject arguments whose meaning is not compared, unless they have their default value."""
        for name, value in self.config().items():
            if name not in known and not self._does_not_matter(name, value):
                raise RefusedError(f"{name}={_shown(value)} has no counterpart in tfjs-layers")

    def _activation(self, name: str, overrides: Mapping[str, Any]) -> tuple[str, tuple[str, str] | None]:
        if name in overrides:
            return str(overrides[name]), None
        framework, function = activation_name(getattr(self.layer, name))
        same = same_in_tfjs(framework, function)
        if same:
            return same, None
        if name == "recurrent_activation" or not is_composed(framework, function):
            raise RefusedError(f"{name} {function} is not one that tfjs-layers has")
        return "linear", (framework, function)

    def _does_not_matter(self, name: str, value: Any) -> bool:
        if name in ALWAYS_IGNORED or name.endswith(TRAINING_ONLY_SUFFIXES):
            return True
        for base in type(self.layer).__mro__:
            made_by = vars(base).get("__init__")
            parameter = inspect.signature(made_by).parameters.get(name) if made_by else None
            if parameter is not None and parameter.default is not inspect.Parameter.empty:
                return same_value(value, plain(parameter.default))
        return False

    def weights(self, rule: Rule) -> list[tuple[str, npt.NDArray[Any]]]:
        """Return the layer's weights with tfjs-layers's names."""
        holder = getattr(self.layer, "cell", self.layer) if rule.cell else self.layer
        found = []
        for target, attributes in rule.weights.items():
            value = next((v for a in attributes if (v := getattr(holder, a, None)) is not None), None)
            if value is not None:
                found.append((target, array(value)))
        return found


def _check_dtypes(class_name: str, config: Mapping[str, Any], inputs: Sequence[Ref]) -> None:
    for ref in inputs:
        takes_integers = class_name in TARGETS_FOR_INTEGERS and config.get("activation", "linear") == "linear"
        if not takes_integers and not ref.dtype.startswith("float"):
            raise RefusedError(f"its input is {ref.dtype}, which tfjs-layers may read differently")


def array(variable: Any) -> npt.NDArray[Any]:
    """Return the value of a Keras variable as float32."""
    value = variable.numpy() if hasattr(variable, "numpy") else variable
    return np.asarray(value, dtype=np.float32)


def plain(value: Any) -> Any:
    """Convert an argument to the form of model.json; values that are not numbers, strings or lists stay unchanged."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        config = value.get("config")
        if value.get("class_name") in ("__numpy__", "__tensor__") and isinstance(config, Mapping):
            return plain(config["value"])
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
