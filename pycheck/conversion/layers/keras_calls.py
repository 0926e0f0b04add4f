"""Reads a live Keras 3 or Keras 2 model into one flat list of layer calls, with nested models inlined.

Both libraries have the same graph under different names: nodes by depth, each a call of a layer with its arguments.
Nothing of Keras is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .target import RefusedError

KERAS_3 = "keras 3"
KERAS_2 = "keras 2"


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of the Keras graph; two are equal if they are the same tensor."""

    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of a layer (or of a Keras operation), with Values in place of tensors.

    Attributes:
        label: Names the layer in messages, with the nested models it is in.
        closed: Why a nested model could not be inlined; empty for all other layers.
    """

    layer: Any
    label: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[Value, ...]
    closed: str = ""

    @property
    def class_name(self) -> str:
        """Return the Keras class."""
        return type(self.layer).__name__

    @property
    def who(self) -> str:
        """Return the layer and its class, as messages name them."""
        return f"{self.label} ({self.class_name})"

    def data(self) -> list[Value]:
        """Return the tensors that the outputs depend on, except masks."""
        given = (self.args, {name: value for name, value in self.kwargs.items() if name != "mask"})
        return [item for item in flatten(given) if isinstance(item, Value)]


@dataclass(frozen=True, slots=True)
class SourceInput:
    """An input of the model."""

    name: str
    value: Value


@dataclass(slots=True)
class SourceGraph:
    """An inlined model: `calls` in an order in which they can run, without unused ones."""

    inputs: list[SourceInput] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    producer: dict[Value, Call] = field(default_factory=dict)


def framework_of(thing: Any) -> str | None:
    """Return the library of a layer, function or class; None if it is not built into Keras."""
    module = getattr(thing, "__module__", None) or ""
    if module.startswith("keras.src."):
        return KERAS_3
    if module.startswith("tf_keras."):
        return KERAS_2
    return None


def flatten(structure: Any) -> Iterator[Any]:
    """Return the leaves of nested lists, tuples and dicts; keys are sorted as in both libraries."""
    if isinstance(structure, Mapping):
        for key in sorted(structure):
            yield from flatten(structure[key])
    elif isinstance(structure, list | tuple):
        for item in structure:
            yield from flatten(item)
    else:
        yield structure


def read_model(model: Any) -> SourceGraph:
    """Return the calls that make up a model.

    Raises:
        RefusedError: the model has no graph (it is subclassed or was never built), or a sparse input.
    """
    graph = SourceGraph()
    if not is_model(model):
        raise RefusedError("it is not a Keras model")
    closed = _why_closed(model)
    if closed:
        raise RefusedError(closed)
    functional = _functional(model)
    for tensor in functional.inputs:
        if _is_sparse(tensor):
            raise RefusedError(f"input {_input_name(tensor)} is sparse or ragged; tfjs-layers takes dense tensors")
        graph.inputs.append(SourceInput(_input_name(tensor), _value(tensor)))
    graph.outputs = _lay_open(graph, functional, [i.value for i in graph.inputs], "")
    _drop_unused(graph)
    return graph


def is_model(layer: Any) -> bool:
    """Tell whether a layer is a model of layers."""
    return any(base.__name__ == "Model" and framework_of(base) for base in type(layer).__mro__)


def _functional(model: Any) -> Any:
    """Return the object with the graph: for a Sequential, Keras 3 keeps it in a functional model within."""
    return model._functional if hasattr(model, "_functional") else model


def _why_closed(model: Any) -> str:
    """Return why a model's layers cannot be read; empty if they can."""
    kind = type(model)
    if framework_of(kind.call) is None:
        return "it is a subclassed model: its call() is Python code, which model.json cannot hold"
    if hasattr(_functional(model), "_nodes_by_depth"):
        return ""
    if kind.__name__ == "Sequential":
        return "it was never built: it has no input shape; call build() or add an Input"
    return "it is a subclassed model: its call() is Python code, which model.json cannot hold"


def _lay_open(graph: SourceGraph, functional: Any, inputs: list[Value], prefix: str) -> list[Value]:
    values: dict[int, Value] = {id(t): value for t, value in zip(functional.inputs, inputs, strict=True)}
    depths = functional._nodes_by_depth
    for depth in sorted(depths, reverse=True):
        for node in depths[depth]:
            if node.is_input:
                continue
            layer = node.operation if hasattr(node, "operation") else node.layer
            arguments = node.arguments if hasattr(node, "arguments") else None
            args = arguments.args if arguments else node.call_args
            kwargs = arguments.kwargs if arguments else node.call_kwargs
            label = f"{prefix}{layer.name}"
            args, kwargs = _replace(args, values), _replace(kwargs, values)
            tensors = list(flatten(node.outputs))
            closed = _why_closed_here(layer, args, kwargs) if is_model(layer) else ""
            if is_model(layer) and not closed:
                outputs = _lay_open(graph, _functional(layer), list(flatten(args[0])), f"{label}/")
            else:
                outputs = [_value(t) for t in tensors]
                call = Call(layer, label, tuple(args), kwargs, tuple(outputs), closed)
                graph.calls.append(call)
                graph.producer.update(dict.fromkeys(outputs, call))
            values.update({id(t): value for t, value in zip(tensors, outputs, strict=True)})
    return [values[id(t)] for t in functional.outputs]


def _why_closed_here(model: Any, args: Any, kwargs: Mapping[str, Any]) -> str:
    """Return why a nested model cannot be inlined at a call; empty if it can."""
    closed = _why_closed(model)
    if closed:
        return closed
    ignored = ("mask",) if kwargs.get("training") and framework_of(type(model)) != KERAS_3 else ("mask", "training")
    extra = [name for name, value in kwargs.items() if value is not None and name not in ignored]
    if extra or len(args) != 1:
        return f"it is called with {', '.join(extra) or 'several arguments'}"
    struct = getattr(model, "_inputs_struct", getattr(model, "_nested_inputs", None))
    if isinstance(args[0], Mapping) and not isinstance(struct, Mapping):
        return "it is called with inputs by name that it was not built with"
    return ""


def _drop_unused(graph: SourceGraph) -> None:
    """Keep the calls that outputs need. Keras 3 has the arithmetic of masks in its graph.

    Masks are tracked separately.
    """
    needed: set[Value] = set(graph.outputs)
    kept: list[Call] = []
    for call in reversed(graph.calls):
        if needed.intersection(call.outputs):
            kept.append(call)
            needed.update(call.data())
    graph.calls = kept[::-1]


def _replace(structure: Any, values: Mapping[int, Value]) -> Any:
    if isinstance(structure, Mapping):
        return {key: _replace(item, values) for key, item in structure.items()}
    if isinstance(structure, list | tuple):
        return [_replace(item, values) for item in structure]
    if hasattr(structure, "_keras_history"):
        return values[id(structure)]
    return structure


def _value(tensor: Any) -> Value:
    shape = tensor.shape.as_list() if hasattr(tensor.shape, "as_list") else tensor.shape
    dtype = tensor.dtype if isinstance(tensor.dtype, str) else tensor.dtype.name
    return Value(tuple(None if d is None else int(d) for d in shape), dtype)


def _is_sparse(tensor: Any) -> bool:
    flagged = getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False)
    return bool(flagged) or type(tensor).__name__ in ("SparseKerasTensor", "RaggedKerasTensor")


def _input_name(tensor: Any) -> str:
    return str(tensor._keras_history[0].name)
