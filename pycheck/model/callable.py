"""Calls Keras 3 models, tf_keras models and SavedModel signatures in one way: flat tensors in, named tensors out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ModelFileError
from ..types import Signature, TensorSpec
from .comparable import comparable
from .layer_calls import LayerCalls, recording
from .messages import one_line
from .sample_axis import with_sample_axes
from .signatures import choose_endpoint

_RENAME = (
    "TensorFlow does not allow this name in a graph. Rename the model or the layer: ASCII letters, digits, '_', '-' "
    "and '.', with a letter first."
)
_WRAP = "If the model takes several arguments, wrap it: keras.Model(inputs, model(*inputs))"


@dataclass(frozen=True, slots=True)
class Traced:
    """A ConcreteFunction of flat inputs (also by keyword) that returns a dict by output name."""

    function: Any
    signature: Signature
    owner: Any  # the owner of the variables, which a function alone does not keep alive
    layer_tensors: Mapping[str, str] = field(default_factory=dict)  # see `LayerCalls`; empty without Keras layers
    notes: tuple[str, ...] = ()  # notes about outputs that are left out
    training_calls: Mapping[str, str] = field(default_factory=dict)  # layers in training mode, with their classes
    target: Target | None = None  # the object that was traced, to trace it again or call it


@dataclass(frozen=True, slots=True)
class Target:
    """An object that can be called with flat tensors; `pack` gives them the structure that `owner.predict` takes."""

    owner: Any
    names: tuple[str, ...]
    specs: tuple[Any, ...]  # tf.TensorSpec
    call: Callable[[Sequence[Any]], Any]
    output_names: tuple[str, ...] | None  # one for each flat output; None if only a call can tell
    pack: Callable[[Sequence[Any]], Any] | None = None  # None if `owner` is not a Keras model with one argument


def is_keras3(model: object) -> bool:
    """Tell whether `model` is a keras.Model of Keras 3."""
    return any(cls.__module__.startswith("keras.src.") and cls.__name__ == "Model" for cls in type(model).__mro__)


def is_tf_keras(model: object) -> bool:
    """Tell whether `model` is a Keras 2 model, which tf_keras runs."""
    return any(cls.__module__.startswith("tf_keras.src.") and cls.__name__ == "Model" for cls in type(model).__mro__)


def trace_keras(model: Any) -> Traced:
    """Trace `model(x, training=False)` with a dynamic sample axis. ModelFileError for an unbuilt model."""
    _refuse_stateful(model)
    return _trace_recorded(_keras3_target(model) if is_keras3(model) else _tf_keras_target(model))


def _trace_recorded(target: Target) -> Traced:
    calls = LayerCalls()

    def call(flat: Sequence[Any]) -> Any:
        with recording(target.owner, calls):
            return target.call(flat)

    traced = _trace(replace(target, call=call), batched=True)
    return replace(traced, layer_tensors=calls.tensors, training_calls=calls.in_training, target=target)


def trace_in_shapes(traced: Traced, shapes: Sequence[Sequence[int | None]]) -> Traced:
    """Trace the same Keras model for inputs of these shapes."""
    import tensorflow as tf

    assert traced.target is not None
    specs = (tf.TensorSpec(shape, spec.dtype) for shape, spec in zip(shapes, traced.target.specs, strict=True))
    return _trace_recorded(replace(traced.target, specs=tuple(specs)))


def call_keras(model: Any, flat: Sequence[Any]) -> Any:
    """Call the model on flat tensors in inference mode, without tracing."""
    target = _keras3_target(model) if is_keras3(model) else _tf_keras_target(model)
    return target.call(flat)


def _refuse_stateful(model: Any) -> None:
    """Raise ModelFileError for recurrent layers that keep their state between predictions.

    Their result depends on every earlier call, and neither float64 nor the graph of constants has that state.
    """
    stateful = [layer for layer in model._flatten_layers(include_self=False) if getattr(layer, "stateful", False)]
    if not stateful:
        return
    names = ", ".join(f"{layer.name} ({type(layer).__name__})" for layer in stateful)
    package = "keras" if is_keras3(model) else "tf_keras"
    raise ModelFileError(
        f"Layers keep their state between predictions (stateful=True): {names}. A result would depend on all earlier "
        "calls.",
        "Save the model with stateful=False, and check that file. It has the same weights and the same first "
        "prediction "
        "after a reset:\n"
        f"import {package}\n"
        f"model = {package}.models.load_model(PATH)\n"
        "for layer in model._flatten_layers():\n"
        '    if getattr(layer, "stateful", False): layer.stateful = False\n'
        'model.save("stateless.keras")',
    )


def trace_saved_model(path: str, loaded: Any, signature: str | None = None) -> tuple[Traced, str]:
    """Trace a signature of a loaded SavedModel; return also a note or "". ModelFileError if none can be chosen."""
    chosen = choose_endpoint(path, loaded, signature)
    target = Target(owner=loaded, names=chosen.names, specs=chosen.specs, call=chosen.call, output_names=None)
    traceable = replace(target, call=chosen.traced) if chosen.traced else target
    return replace(_trace(traceable, batched=False), target=target), chosen.note


def trace_graph(graph_def: Any, inputs: Mapping[str, str], outputs: Mapping[str, str], *, batched: bool) -> Traced:
    """Trace a graph of constants; `inputs` and `outputs` map names to tensors.

    `batched` says that the first axis of every input is the sample by definition, as in Keras. ModelFileError for an
    input with an unknown number of dimensions, and if no output is numeric.
    """
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    tensors = [graph.get_tensor_by_name(tensor) for tensor in inputs.values()]

    def call(flat: Sequence[Any]) -> Any:
        given = dict(zip(inputs.values(), flat, strict=True))
        return tf.graph_util.import_graph_def(graph_def, given, list(outputs.values()), name="")

    return _trace(
        Target(
            owner=None,
            names=tuple(inputs),
            specs=tuple(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors),
            call=call,
            output_names=tuple(outputs),
        ),
        batched=batched,
    )


def _keras3_target(model: Any) -> Target:
    import keras
    import tensorflow as tf

    if not model.built:
        raise _not_built(model)
    if getattr(model, "inputs", None):
        tensors = list(model.inputs)
        names = tuple(tensor._keras_history.operation.name for tensor in tensors)
        specs = tuple(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors)
        functional = getattr(model, "_functional", None) or model
        structure = functional._inputs_struct
        return Target(
            owner=model,
            names=names,
            specs=specs,
            call=lambda flat: model(keras.tree.pack_sequence_as(structure, flat), training=False),
            output_names=None if isinstance(functional._outputs_struct, dict) else tuple(functional.output_names),
            pack=lambda flat: keras.tree.pack_sequence_as(structure, flat),
        )
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        raise _not_built(model)
    return _subclassed_target(model, shapes)


def _subclassed_target(model: Any, shapes: Mapping[str, Any]) -> Target:
    """Make the target of a Keras 3 subclass of Model, from the shapes that it was built with."""
    import tensorflow as tf

    names: list[str] = []
    specs: list[Any] = []

    def plan(name: str, shape: Any) -> Any:
        """Return the structure of one argument, with an index into the flat inputs at each leaf."""
        if isinstance(shape, Mapping):
            return {key: plan(str(key), value) for key, value in shape.items()}
        if all(size is None or isinstance(size, int) for size in shape):
            names.append(name)
            specs.append(tf.TensorSpec([None, *shape[1:]], model.input_dtype))
            return len(names) - 1
        return [plan(f"{name}_{index}", value) for index, value in enumerate(shape)]

    def pack(structure: Any, flat: Sequence[Any]) -> Any:
        if isinstance(structure, int):
            return flat[structure]
        if isinstance(structure, dict):
            return {key: pack(value, flat) for key, value in structure.items()}
        return [pack(value, flat) for value in structure]

    arguments = [plan(key.removesuffix("_shape"), shape) for key, shape in shapes.items()]
    return Target(
        owner=model,
        names=tuple(names),
        specs=tuple(specs),
        call=lambda flat: model(*(pack(item, flat) for item in arguments), training=False),
        output_names=None,
        pack=(lambda flat: pack(arguments[0], flat)) if len(arguments) == 1 else None,
    )


def _tf_keras_target(model: Any) -> Target:
    import tensorflow as tf

    save_spec = model.save_spec(dynamic_batch=True) if model.built else None
    if getattr(model, "inputs", None):
        tensors = list(model.inputs)
        structure = getattr(model, "_nested_inputs", None)
        if structure is None:
            structure = tensors[0] if len(tensors) == 1 else tensors
        nested_outputs = getattr(model, "_nested_outputs", None)
        return Target(
            owner=model,
            names=tuple(model.input_names),
            specs=tuple(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors),
            call=lambda flat: model(tf.nest.pack_sequence_as(structure, flat), training=False),
            output_names=None if isinstance(nested_outputs, dict) else tuple(model.output_names),
            pack=lambda flat: tf.nest.pack_sequence_as(structure, flat),
        )
    if save_spec is None:
        raise _not_built(model)
    arguments, keywords = save_spec
    if keywords:
        raise ModelFileError(
            f"The model {model.name} takes tensors as keywords, which pycheck does not support: {', '.join(keywords)}.",
            "Wrap it in a model with positional inputs: keras.Model(inputs, outputs)",
        )
    flat_specs = tf.nest.flatten(arguments)
    names = tuple(spec.name or f"input_{index + 1}" for index, spec in enumerate(flat_specs))
    training = {"training": False} if model._call_spec.expects_training_arg else {}
    return Target(
        owner=model,
        names=names,
        specs=tuple(flat_specs),
        call=lambda flat: model(*tf.nest.pack_sequence_as(arguments, flat), **training),
        output_names=None,
        pack=(lambda flat: tf.nest.pack_sequence_as(arguments, flat)[0]) if len(arguments) == 1 else None,
    )


def _not_built(model: Any) -> ModelFileError:
    return ModelFileError(
        f"The model {model.name!r} is not built: its input shapes are unknown.",
        "Call it once on a sample, or begin it with keras.Input(...)",
    )


def _trace(target: Target, *, batched: bool) -> Traced:
    import tensorflow as tf

    names = _unique(target.names)
    specs = [
        tf.TensorSpec(_known_shape(name, spec), spec.dtype, name=argument)
        for name, spec, argument in zip(names, target.specs, _unique(_sanitised(names)), strict=True)
    ]
    output_names: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def call(*flat: Any) -> dict[str, Any]:
        nonlocal output_names, left_out
        named, left_out = comparable(name_outputs(target.call(flat), target.output_names))
        output_names = tuple(named)
        return named

    try:
        function = tf.function(call, input_signature=specs, autograph=False).get_concrete_function()
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"The model fails on inputs of its own shapes "
            f"({', '.join(f'{n}: {list(s.shape)}' for n, s in zip(names, specs, strict=True))}): {one_line(error)}.",
            _RENAME if "scope name" in str(error) else _WRAP,
        ) from error
    outputs = tuple(_spec(name, function.structured_outputs[name]) for name in output_names)
    signature = Signature(tuple(map(_spec, names, specs)), outputs)
    decided = with_sample_axes(function, signature, by_definition=batched)
    return Traced(function, decided, target.owner, notes=left_out)


def _known_shape(name: str, spec: Any) -> list[int | None]:
    if spec.shape.rank is None:
        raise ModelFileError(
            f"The input {name!r} has an unknown number of dimensions.", "Export the model with an input signature."
        )
    return list(spec.shape)


def _spec(name: str, tensor: Any) -> TensorSpec:
    shape = tuple(tensor.shape) if tensor.shape.rank is not None else (None,)
    return TensorSpec(name, tensor.dtype.name, shape)


def name_outputs(result: Any, names: tuple[str, ...] | None) -> dict[str, Any]:
    """Flatten the result of a call; names are those of the model's outputs."""
    from ..graphdef.internals import nest

    flat = nest.flatten_with_joined_string_paths(result, separator="_")
    if isinstance(result, Mapping):
        keys = [path for path, _ in flat]
    elif names is not None and len(names) == len(flat):
        keys = list(names)
    else:
        keys = [f"output_{index}" for index in range(len(flat))]
    named = dict(zip(_unique(keys), (tensor for _, tensor in flat), strict=True))
    return dict(sorted(named.items(), key=_natural_order)) if isinstance(result, Mapping) else named


def _natural_order(item: tuple[str, Any]) -> list[tuple[int, int, str]]:
    """Return a sort key that is alphabetic, but puts output_10 after output_2."""
    parts = re.split(r"(\d+)", item[0])
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Make names unique with "_1", "_2", ... after a repeated one."""
    taken, unique = set(names), list[str]()
    for name in names:
        candidate, count = name, 0
        while candidate in unique or (count and candidate in taken):
            count += 1
            candidate = f"{name}_{count}"
        unique.append(candidate)
    return tuple(unique)


def _sanitised(names: Sequence[str]) -> list[str]:
    cleaned = (re.sub(r"\W", "_", name, flags=re.ASCII) for name in names)
    return [name if re.match(r"[A-Za-z]", name) else f"input_{name}" for name in cleaned]
