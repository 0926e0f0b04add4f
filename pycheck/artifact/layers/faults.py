"""Finds layers of any artifact that tfjs-layers lacks, ignores or computes differently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...types import ArtifactFault
from ..document import Document
from ..epsilons import configurations
from ..kernel_faults import NO_PADDING, PAD_CURE, PAD_CURE_OF_FIXED
from .ranks import input_ranks
from .table import (
    ALWAYS_IGNORED,
    NOT_ALIKE,
    RULES,
    SAMPLED_ELSEWHERE,
    TRAINING_ONLY_SUFFIXES,
    Only,
    known_arguments,
    only_arguments,
    same_value,
)
from .topology import ACTIVATIONS, CLASSES, MODELS, UNREAD

_GRAPH = "Convert the model with pycheck convert MODEL FOLDER --format graph."
_ANY = "Convert the model with pycheck convert MODEL FOLDER, which writes layers as tfjs-layers reads them."
#: Classes of tfjs-layers that pycheck does not execute in Python.
_ALSO_THERE = frozenset({"RandomWidth", "RandomHeight"})
#: Parts of weight names for which tfjs-layers uses the position instead.
_SAVED_MODEL_NAMES = "layer_checkpoint_dependencies"
_NO_LAYER = "tfjs-layers finds weights by the layer's name, and no layer has the name of this one"
_DEFAULT_SLOPES = {"LeakyReLU": 0.3}

Configuration = Mapping[str, Any]


def layers_faults(document: Document) -> tuple[ArtifactFault, ...]:
    """Return a fault for every layer, in the order of the file, that computes differently from its configuration."""
    layers = list(configurations(document))[::-1]  # `configurations` yields the last layer first
    if dialect := _of_keras_3(layers):
        return (dialect,)
    masked = any(kind == "Masking" or config.get("mask_zero") for _, (kind, config) in layers)
    keras_3 = str(document.topology.get("keras_version", "")).startswith("3")
    ranks = input_ranks(document.topology)
    shapes = [config["batch_input_shape"] for _, (_, config) in layers if config.get("batch_input_shape")]
    pad_cure = PAD_CURE_OF_FIXED if shapes and all(None not in shape[1:] for shape in shapes) else PAD_CURE
    found: list[ArtifactFault] = []
    for name, (kind, config) in layers:
        if kind in MODELS:
            continue
        if kind not in CLASSES | _ALSO_THERE:
            found.append(ArtifactFault(name, kind, f"tfjs-layers has no {kind}", _GRAPH, lacking=True))
            continue
        found += _of_arguments(name, kind, config, masked=masked)
        found += _of_activations(name, kind, config, keras_3=keras_3)
        found += _of_class(name, kind, config, rank=ranks.get(name), pad_cure=pad_cure)
    found += _of_weight_names(document, [name for name, _ in layers])
    only_graph = any(fault.cure == _GRAPH for fault in found)
    return tuple(replace(fault, cure=_GRAPH) if only_graph and fault.cure == _ANY else fault for fault in found)


def _of_keras_3(layers: Iterable[tuple[str, tuple[str, Configuration]]]) -> ArtifactFault | None:
    """Detect the unchanged topology of Keras 3, which tfjs-layers cannot read; the published converter copies it."""
    for name, (kind, config) in layers:
        policy = config.get("dtype")
        if kind == "InputLayer" and "batch_shape" in config:
            argument = "batch_shape"
        elif isinstance(policy, dict) and policy.get("class_name") == "DTypePolicy":
            argument = "dtype"
        else:
            continue
        fault = f"the topology is that of Keras 3, and tfjs-layers does not read its {argument}"
        return ArtifactFault(name, kind, fault, _ANY, _shown(argument, config[argument]))
    return None


def _of_weight_names(document: Document, layers: Iterable[str]) -> Iterator[ArtifactFault]:
    """Find weights without a layer: `Container.loadWeights` of tfjs-layers finds the layer by the name.

    A model that Keras 2 loaded before saving has them: the file names its weights ``conv_1_1/kernel``, its layer
    ``conv_1``, and the published converter copies both.
    """
    names = [str(entry["name"]) for group in document.content["weightsManifest"] for entry in group["weights"]]
    if any(_SAVED_MODEL_NAMES in name for name in names):
        return
    known = {f"{prefix}{layer}" for layer in layers for prefix in ("", "forward_", "backward_")}
    for name in names:
        if known.isdisjoint(name.split("/")[:-1]):
            yield ArtifactFault(name, "weight", _NO_LAYER, _ANY)


def _of_arguments(name: str, kind: str, config: Configuration, *, masked: bool) -> Iterator[ArtifactFault]:
    rule, known = RULES.get(kind), known_arguments(kind)
    for argument, value in config.items():
        only = only_arguments(kind).get(argument)
        if only is not None:
            if only.told and (masked or not only.masked) and not _is_allowed(value, only):
                yield ArtifactFault(name, kind, only.reason, _GRAPH, _shown(argument, value), _only_on(argument))
        elif rule and (target := rule.renamed.get(argument, argument)) != argument:
            if target not in config:
                fault = f"tfjs-layers reads {target} instead of {argument}, and takes {_DEFAULT_SLOPES[kind]}"
                yield ArtifactFault(name, kind, fault, _ANY, _shown(argument, value))
        elif known is not None and argument not in known and not _plays_no_part(argument, value):
            fault = f"tfjs-layers does not know {argument} of {kind}"
            yield ArtifactFault(name, kind, fault, _GRAPH, _shown(argument, value))


def _only_on(argument: str) -> tuple[str, ...]:
    return ("webgl",) if argument == "normalize" else ()  # the backend's epsilon, which is 1e-4 only on WebGL


def _is_allowed(value: Any, only: Only) -> bool:
    """Tell whether a value is one of those with the same meaning; a list of equal numbers counts as one number."""
    plain = list(value) if isinstance(value, list | tuple) else value
    single = plain[0] if isinstance(plain, list) and plain and all(item == plain[0] for item in plain) else plain
    return any(same_value(given, allowed) for given in (plain, single) for allowed in only.values)


def _plays_no_part(argument: str, value: Any) -> bool:
    return (
        argument in ALWAYS_IGNORED | UNREAD
        or argument.endswith(TRAINING_ONLY_SUFFIXES)
        or value is None
        or value is False
    )


def _of_activations(name: str, kind: str, config: Configuration, *, keras_3: bool) -> Iterator[ArtifactFault]:
    for argument in ("activation", "recurrent_activation"):
        value = config.get(argument)
        if value is None:
            continue
        function = str(value.get("class_name") if isinstance(value, dict) else value)
        shown = f"{argument}={function}"
        if function not in ACTIVATIONS:
            yield ArtifactFault(name, kind, f"tfjs-layers has no activation {function}", _ANY, shown)
        elif function == "hard_sigmoid" and keras_3:
            fault = "tfjs-layers computes hard_sigmoid as clip(0.2 x + 0.5), Keras 3 as clip(x / 6 + 0.5)"
            yield ArtifactFault(name, kind, fault, _ANY, shown)


def _of_class(
    name: str, kind: str, config: Configuration, *, rank: int | None, pad_cure: str
) -> Iterator[ArtifactFault]:
    if kind in SAMPLED_ELSEWHERE:
        yield ArtifactFault(name, kind, SAMPLED_ELSEWHERE[kind], _GRAPH)
    if kind in NOT_ALIKE:
        yield ArtifactFault(name, kind, NOT_ALIKE[kind], _GRAPH, backends=("webgpu",))
    if kind in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D") and _leaves_no_padding(config):
        shown = _shown("strides", config["strides"])
        yield ArtifactFault(name, kind, NO_PADDING, pad_cure, shown, ("wasm",), broken=True)
    for concerned, argument, is_wrong, fault, backends in _BY_VALUE:
        if kind in concerned and is_wrong(config, rank):
            yield ArtifactFault(name, kind, fault, _ANY, _shown(argument, config.get(argument)), backends)


def _leaves_no_padding(config: Configuration) -> bool:
    window, strides = config.get("kernel_size"), config.get("strides")
    if config.get("padding") != "same" or not isinstance(window, list) or not isinstance(strides, list):
        return False
    return window != [1, 1] and any(stride > size for stride, size in zip(strides, window, strict=False))


def _negative_axis(config: Configuration, _: int | None) -> bool:
    return isinstance(config.get("axis"), int) and config["axis"] < -1


def _axis_before_the_last(config: Configuration, rank: int | None) -> bool:
    """Tell whether a normalization uses an axis that is not the last of `rank`."""
    axis = config.get("axis")
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    return rank is not None and rank <= 4 and isinstance(axis, int) and axis % rank != rank - 1


def _has_many_axes(_: Configuration, rank: int | None) -> bool:
    return rank is not None and rank > 4


def _initializes_a_kernel(config: Configuration, _: int | None) -> bool:
    return any(config.get(f"kernel_{what}") is not None for what in ("initializer", "regularizer", "constraint"))


def _strides_beyond_window(config: Configuration, _: int | None) -> bool:
    window, strides = config.get("pool_size") or config.get("kernel_size"), config.get("strides")
    if config.get("padding") != "same" or not isinstance(window, list) or not isinstance(strides, list):
        return False
    return any(s > w for s, w in zip(strides, window, strict=False))


#: Faults that depend on a value: classes, argument, condition, fault, and backends.
_BY_VALUE: tuple[
    tuple[tuple[str, ...], str, Callable[[Configuration, int | None], bool], str, tuple[str, ...]], ...
] = (
    (("Concatenate",), "axis", _negative_axis, "tfjs-layers takes every negative axis for the last", ()),
    (
        ("BatchNormalization",),
        "axis",
        _axis_before_the_last,
        "TF.js's cpu and wasm backends normalize over the last axis, whatever the axis is",
        ("cpu", "wasm"),
    ),
    (
        ("BatchNormalization", "LayerNormalization"),
        "axis",
        _has_many_axes,
        "tfjs-layers normalizes tensors of at most 4 axes",
        (),
    ),
    (
        ("SeparableConv2D",),
        "kernel_initializer",
        _initializes_a_kernel,
        "tfjs-layers rejects the arguments kernel_initializer, kernel_regularizer and kernel_constraint of it",
        (),
    ),
    (
        ("AveragePooling3D", "Conv3D", "MaxPooling3D"),
        "strides",
        _strides_beyond_window,
        "TF.js shifts windows that are smaller than their strides",
        (),
    ),
)


def _shown(argument: str, value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return f"{argument}={text if len(text) <= 60 else f'{text[:57]}...'}"
