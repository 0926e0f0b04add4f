"""Copies the model for training, in a given precision and without random layers, for Keras 2 and 3."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ModelFileError, UsageError
from ..model.evidence import layers_of

_PRECISIONS = ("float16", "bfloat16", "float32", "float64")
#: Layers that draw random numbers during training: the argument that disables it, and its value.
_RANDOM: Mapping[str, str] = {
    "AlphaDropout": "rate", "Dropout": "rate", "GaussianDropout": "rate", "GaussianNoise": "stddev",
    "SpatialDropout1D": "rate", "SpatialDropout2D": "rate", "SpatialDropout3D": "rate", "StochasticDepth": "rate",
}  # fmt: skip
_RANDOM_ARGUMENTS = ("dropout", "recurrent_dropout")
_MOST_NAMED = 5
_DROPPED_SUFFIXES = ("_regularizer", "_constraint")


def library_of(model: Any) -> Any:
    """Return the Keras library of a model: keras or tf_keras."""
    is_keras2 = any(cls.__module__.startswith("tf_keras.") for cls in type(model).__mro__)
    return importlib.import_module("tf_keras" if is_keras2 else "keras")


def trainable_copy(
    model: Any, precision: str, change: Callable[[str, dict[str, Any]], None] | None = None
) -> tuple[Any, tuple[str, ...]]:
    """Copy a model with its weights, to compute in `precision`; return also notes of what was disabled.

    Regularizers and constraints are left out too: the trainer adds the penalties itself, on both sides. `change` is
    called with the class name and the arguments of every layer, and may change them. ModelFileError if a model cannot
    be built again from its configuration.
    """
    notes: dict[str, list[str]] = {}
    try:
        config = copy.deepcopy(model.get_config())
        _rewrite(config, precision, notes, change)
        again = type(model).from_config(config)
        if not again.built:
            again.build(model.input_shape)
        again.set_weights(
            [value.astype(precision) if value.dtype.kind == "f" else value for value in model.get_weights()]
        )
    except Exception as error:
        raise ModelFileError(
            f"Cannot rebuild the model {model.name!r} from its configuration: {error}.",
            "Give a Sequential or functional model.",
        ) from error
    return again, tuple(f"{', '.join(dict.fromkeys(layers))}: {what}" for what, layers in notes.items())


def refuse_mixed_policies(model: Any, path: str) -> None:
    """Raise UsageError for layers whose compute dtype differs from that of their weights, which TF.js lacks."""
    found = {str(layer.name): policy for layer in layers_of(model) if (policy := _policy(layer)).startswith("mixed_")}
    if not found:
        return
    names = list(found)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    policies = " and ".join(dict.fromkeys(found.values()))
    has = "has" if len(names) == 1 else "have"
    library = library_of(model).__name__
    in_keras_3 = "keras.config.set_dtype_policy"
    set_policy = in_keras_3 if library == "keras" else f"{library}.mixed_precision.set_global_policy"
    raise UsageError(
        f"Cannot train {path} in TF.js: {', '.join(names[:_MOST_NAMED])}{more} {has} the dtype policy {policies}, "
        "and TF.js only trains in float32.",
        f'Build the model after {set_policy}("float32"), or make a float32 copy of this one and save it: '
        f"copy = {library}.models.clone_model(model, clone_function=lambda layer: "
        'layer.from_config({**layer.get_config(), "dtype": "float32"})); copy.set_weights(model.get_weights())',
    )


def _policy(layer: Any) -> str:
    policy = getattr(layer, "dtype_policy", None) or getattr(layer, "_dtype_policy", None)
    return str(getattr(policy, "name", None) or "float32")


def _rewrite(
    node: Any,
    precision: str,
    notes: dict[str, list[str]],
    change: Callable[[str, dict[str, Any]], None] | None,
) -> None:
    if isinstance(node, list | tuple):
        for item in node:
            _rewrite(item, precision, notes, change)
        return
    if not isinstance(node, dict):
        return
    if "class_name" in node and isinstance(node.get("config"), dict) and "name" in node["config"]:
        _rewrite_layer(str(node["class_name"]), node["config"], notes)
        if change:
            change(str(node["class_name"]), node["config"])
    for key, value in node.items():
        if isinstance(value, str) and key in ("dtype", "name") and value in _PRECISIONS:
            node[key] = precision
        else:
            _rewrite(value, precision, notes, change)


def _rewrite_layer(class_name: str, config: dict[str, Any], notes: dict[str, list[str]]) -> None:
    name = str(config["name"])
    if class_name in _RANDOM and config.get(_RANDOM[class_name]):
        config[_RANDOM[class_name]] = 0.0
        notes.setdefault(f"{class_name} is disabled: Python and TF.js draw different random numbers", []).append(name)
    for argument in _RANDOM_ARGUMENTS:
        if config.get(argument):
            config[argument] = 0.0
            notes.setdefault(f"{argument} is disabled: Python and TF.js draw different random numbers", []).append(name)
    if config.get("activity_regularizer"):
        config["activity_regularizer"] = None
        notes.setdefault("the activity regularizer is not used", []).append(name)
    for argument, value in config.items():
        if argument.endswith(_DROPPED_SUFFIXES) and value:
            config[argument] = None
            if argument.endswith("_constraint"):
                notes.setdefault(
                    f"the {argument} is not used, because TF.js's optimizers do not apply constraints", []
                ).append(name)


def penalties(model: Any, l1: float, l2: float) -> dict[str, tuple[float, float]]:
    """Return the L1 and L2 penalties by ``layer/variable``: those of the model itself, and those for all kernels."""
    found: dict[str, tuple[float, float]] = {}
    for name, layer, variable in named_variables(model):
        last = name.rpartition("/")[2]
        own = _coefficients(getattr(_owner(layer), f"{last}_regularizer", None))
        extra = (l1, l2) if last.endswith(("kernel", "embeddings")) else (0.0, 0.0)
        total = (own[0] + extra[0], own[1] + extra[1])
        if any(total) and variable.trainable:
            found[name] = total
    return found


def _owner(layer: Any) -> Any:
    return getattr(layer, "cell", layer)


def _coefficients(regularizer: Any) -> tuple[float, float]:
    if regularizer is None:
        return 0.0, 0.0
    config = regularizer.get_config()
    return float(config.get("l1", 0.0)), float(config.get("l2", 0.0))


def named_variables(model: Any) -> list[tuple[str, Any, Any]]:
    """Return every weight once, as (``layer/variable``, layer, variable), in the model's order.

    The layer is the innermost one whose name the converted artifact has too; _1, _2 make names unique.
    """
    owners: dict[int, Any] = {}
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if "Cell" not in type(layer).__name__:
            for variable in layer.weights:
                current = owners.get(id(variable))
                if current is None or len(layer.weights) <= len(current.weights):
                    owners[id(variable)] = layer
    names: list[tuple[str, Any, Any]] = []
    taken: set[str] = set()
    for variable in model.weights:
        layer = owners[id(variable)]
        base = f"{layer.name}/{variable.name.split(':')[0].rpartition('/')[2]}"
        name, count = base, 0
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        names.append((name, layer, variable))
    return names


def require_trainable(model: Any, path: str) -> None:
    """Raise UsageError for a model without trainable weights."""
    if not model.trainable_weights:
        raise UsageError(
            f"Cannot train {path}: it has no trainable weights.",
            "Set layer.trainable = True for the layers to train, and save the model again.",
        )


#: The advice for a layer without a scale, by its class; TF.js never gives the last two a scale.
_SCALE: Mapping[str, str] = {
    "BatchNormalization": "Build it with scale=True: a new scale is 1 and does not change results.",
    "LayerNormalization": "Build it with scale=True: a new scale is 1 and does not change results.",
    "GroupNormalization": "Replace it with LayerNormalization or BatchNormalization, with scale=True.",
    "Normalization": "Normalize the inputs before the training, and train the model without this layer.",
}


def require_scales(model: Any) -> None:
    """Raise UsageError for a normalization without a scale in TF.js, because its gradient of batchNorm reads the scale.

    In tfjs-core, gradients/FusedBatchNorm_grad.js lists `scale` in `inputsToSave`, and saving fails without it.
    """
    found: dict[str, list[str]] = {}
    for layer in model._flatten_layers(include_self=False, recursive=True):
        kind = type(layer).__name__
        scaled = kind != "GroupNormalization" and (getattr(layer, "scale", False) or getattr(layer, "invert", False))
        if kind in _SCALE and not scaled:
            found.setdefault(kind, []).append(str(layer.name))
    if found:
        named = "; ".join(f"{', '.join(dict.fromkeys(names))} ({kind})" for kind, names in found.items())
        raise UsageError(
            "TF.js cannot train a normalization without a scale, because its gradient of batchNorm reads the scale. "
            f"In TF.js these layers have no scale: {named}.",
            " ".join(f"{kind}: {advice}" for kind, advice in _SCALE.items() if kind in found),
        )
