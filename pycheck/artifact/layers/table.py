"""Lists by Keras class the arguments with the same meaning in tfjs-layers, with one valid value, or without effect.

The converter uses it to convert a layer, `layers_faults` to find faults of a given artifact, and `layers_topology` to
find the value that an ignored argument acts as. In a conversion, an argument that no rule mentions must have its
default value, because its meaning was not compared. The table results from reading tfjs-layers 4.22 src/layers/*.ts
and Keras 3 and 2 side by side; tests/conversion_layers runs every entry in tfjs-layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

CHANNELS_LAST = ("channels_last", None)


@dataclass(frozen=True, slots=True)
class Only:
    """The values with which an argument has the same meaning, and the reason why others do not.

    `ignored` says that tfjs-layers does not read it: the layer always acts as with the first of `values`. `masked`
    says that it matters only for tensors with a mask. `told` is False if an artifact with a different value is right
    nevertheless, or has its own finding.
    """

    values: tuple[Any, ...]
    reason: str
    ignored: bool = field(default=False, kw_only=True)
    masked: bool = field(default=False, kw_only=True)
    told: bool = field(default=True, kw_only=True)


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule by which one Keras class becomes the tfjs-layers class `target`.

    Attributes:
        passed: Arguments with the same name and meaning.
        renamed: Keras 3's or Keras 2's name of an argument -> tfjs-layers's.
        only: Arguments that tfjs-layers ignores or reads otherwise, but for some values; those that are
            in `passed` as well are handed on.
        ignored: Arguments without effect on inference (random seeds, implementation choices).
        weights: tfjs-layers's name of a weight -> attributes of the Keras layer to take it from.
        cell: Whether the weights are those of `layer.cell`, where there is one.
    """

    target: str
    passed: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, Only] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    weights: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cell: bool = False


#: Arguments of every layer without an effect on inference, or with the same treatment for all layers.
ALWAYS_IGNORED = frozenset(
    {"name", "trainable", "dtype", "autocast", "activity_regularizer", "batch_input_shape", "batch_shape",
     "input_shape", "build_config", "lora_rank", "lora_alpha", "quantization_config", "gptq_unquantized",
     "bias_initializer"}
)  # fmt: skip
TRAINING_ONLY_SUFFIXES = ("_initializer", "_regularizer", "_constraint")

_KERNEL = {"kernel": ("kernel",), "bias": ("bias",)}
_GROUPS = {"groups": Only((1,), "tfjs-layers ignores groups", ignored=True)}
_CHANNELS = {"data_format": Only(CHANNELS_LAST, "tfjs-layers computes channels_first wrongly or ignores it here")}
_PADDING = {"padding": Only(("valid", "same"), "tfjs-layers takes valid and same")}
_CONV = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "activation", "use_bias")
_POOL = ("pool_size", "strides", "padding")
_KEEPDIMS = {"keepdims": Only((False,), "tfjs-layers ignores keepdims", ignored=True)}
_RECURRENT = (
    "units", "activation", "use_bias", "dropout", "recurrent_dropout",
    "return_sequences", "return_state", "go_backwards",
)  # fmt: skip
_RECURRENT_ONLY = {
    "stateful": Only((False,), "it keeps its state between predictions", told=False),
    "time_major": Only((False,), "tfjs-layers ignores time_major", ignored=True),
    "zero_output_for_mask": Only(
        (False,), "tfjs-layers repeats the last output at masked steps", ignored=True, masked=True
    ),
}
_RECURRENT_IGNORED = ("implementation", "unroll", "seed", "use_cudnn", "unit_forget_bias")
_RECURRENT_WEIGHTS = {"kernel": ("kernel",), "recurrent_kernel": ("recurrent_kernel",), "bias": ("bias",)}


def _recurrent(target: str, *passed: str, **only: Only) -> Rule:
    return Rule(
        target,
        passed=_RECURRENT + passed,
        only=_RECURRENT_ONLY | only,
        ignored=_RECURRENT_IGNORED,
        weights=_RECURRENT_WEIGHTS,
        cell=True,
    )


RULES: dict[str, Rule] = {
    # core
    "Activation": Rule("Activation", passed=("activation",)),
    "Dense": Rule("Dense", passed=("units", "activation", "use_bias"), weights=_KERNEL),
    "Dropout": Rule("Dropout", passed=("rate",), ignored=("seed", "noise_shape")),
    "Embedding": Rule(
        "Embedding",
        passed=("input_dim", "output_dim", "mask_zero"),
        ignored=("input_length", "sparse", "weights"),
        weights={"embeddings": ("embeddings",)},
    ),
    "Flatten": Rule("Flatten", passed=("data_format",)),
    "Masking": Rule("Masking", passed=("mask_value",)),
    "Permute": Rule("Permute", passed=("dims",)),
    "RepeatVector": Rule("RepeatVector", passed=("n",)),
    "Reshape": Rule("Reshape", passed=("target_shape",)),
    "SpatialDropout1D": Rule("SpatialDropout1D", passed=("rate",), ignored=("seed", "noise_shape")),
    # advanced activations
    "ELU": Rule("ELU", only={"alpha": Only((1,), "tfjs-layers has only the ELU with alpha=1")}),
    "LeakyReLU": Rule("LeakyReLU", renamed={"negative_slope": "alpha", "alpha": "alpha"}),
    "PReLU": Rule("PReLU", passed=("shared_axes",), weights={"alpha": ("alpha",)}),
    "ReLU": Rule(
        "ReLU",
        passed=("max_value",),
        only={
            "negative_slope": Only((0,), "tfjs-layers ignores negative_slope", ignored=True),
            "threshold": Only((0,), "tfjs-layers ignores threshold", ignored=True),
        },
    ),
    "Softmax": Rule("Softmax", passed=("axis",)),
    "ThresholdedReLU": Rule("ThresholdedReLU", passed=("theta",)),
    # convolution
    "Conv1D": Rule("Conv1D", passed=_CONV, only=_PADDING | _GROUPS | _CHANNELS, weights=_KERNEL),
    "Conv2D": Rule("Conv2D", passed=(*_CONV, "data_format"), only=_PADDING | _GROUPS, weights=_KERNEL),
    "Conv3D": Rule("Conv3D", passed=(*_CONV, "data_format"), only=_PADDING | _GROUPS, weights=_KERNEL),
    "Conv2DTranspose": Rule(
        "Conv2DTranspose",
        passed=("filters", "kernel_size", "strides", "padding", "data_format", "activation", "use_bias"),
        only={
            "dilation_rate": Only((1, [1, 1]), "tfjs-layers ignores dilation_rate here", ignored=True),
            "output_padding": Only((None,), "tfjs-layers ignores output_padding", ignored=True),
            **_PADDING,
            **_GROUPS,
        },
        weights=_KERNEL,
    ),
    "Conv3DTranspose": Rule(
        "Conv3DTranspose",
        passed=("filters", "kernel_size", "strides", "padding", "data_format", "activation", "use_bias"),
        only={
            "dilation_rate": Only((1, [1, 1, 1]), "tfjs-layers ignores dilation_rate here", ignored=True),
            "output_padding": Only((None,), "tfjs-layers ignores output_padding", ignored=True),
            **_PADDING,
            **_GROUPS,
        },
        weights=_KERNEL,
    ),
    "DepthwiseConv2D": Rule(
        "DepthwiseConv2D",
        passed=("kernel_size", "strides", "padding", "data_format", "depth_multiplier", "activation", "use_bias"),
        only={
            "dilation_rate": Only((1, [1, 1]), "tfjs-layers ignores dilation_rate here", ignored=True),
            "rank": Only((2,), "it is not two-dimensional", told=False),
            **_PADDING,
            **_GROUPS,
        },
        weights={"depthwise_kernel": ("depthwise_kernel", "kernel"), "bias": ("bias",)},
    ),
    "SeparableConv2D": Rule(
        "SeparableConv2D",
        passed=(*_CONV, "depth_multiplier"),
        only=_PADDING | _GROUPS | _CHANNELS | {"rank": Only((2,), "it is not two-dimensional", told=False)},
        weights={
            "depthwise_kernel": ("depthwise_kernel",),
            "pointwise_kernel": ("pointwise_kernel",),
            "bias": ("bias",),
        },
    ),
    "ConvLSTM2D": Rule(
        "ConvLSTM2D",
        passed=(
            *_CONV,
            "recurrent_activation",
            "dropout",
            "recurrent_dropout",
            "return_sequences",
            "return_state",
            "go_backwards",
        ),
        only=_RECURRENT_ONLY | _PADDING | _CHANNELS | {"rank": Only((2,), "it is not two-dimensional", told=False)},
        ignored=_RECURRENT_IGNORED,
        weights=_RECURRENT_WEIGHTS,
        cell=True,
    ),
    "Cropping2D": Rule("Cropping2D", passed=("cropping", "data_format")),
    "UpSampling2D": Rule(
        "UpSampling2D",
        passed=("size", "data_format"),
        only={
            "interpolation": Only(("nearest",), "tfjs-layers resizes bilinearly without half-pixel centers", told=False)
        },
    ),
    "ZeroPadding2D": Rule("ZeroPadding2D", passed=("padding", "data_format")),
    # pooling
    "AveragePooling1D": Rule("AveragePooling1D", passed=_POOL, only=_PADDING | _CHANNELS),
    "AveragePooling2D": Rule("AveragePooling2D", passed=(*_POOL, "data_format"), only=_PADDING),
    "AveragePooling3D": Rule("AveragePooling3D", passed=(*_POOL, "data_format"), only=_PADDING),
    "MaxPooling1D": Rule("MaxPooling1D", passed=_POOL, only=_PADDING | _CHANNELS),
    "MaxPooling2D": Rule("MaxPooling2D", passed=(*_POOL, "data_format"), only=_PADDING),
    "MaxPooling3D": Rule("MaxPooling3D", passed=(*_POOL, "data_format"), only=_PADDING),
    "GlobalAveragePooling1D": Rule("GlobalAveragePooling1D", only=_KEEPDIMS | _CHANNELS),
    "GlobalAveragePooling2D": Rule("GlobalAveragePooling2D", passed=("data_format",), only=_KEEPDIMS),
    "GlobalMaxPooling1D": Rule("GlobalMaxPooling1D", only=_KEEPDIMS | _CHANNELS),
    "GlobalMaxPooling2D": Rule("GlobalMaxPooling2D", passed=("data_format",), only=_KEEPDIMS),
    # merging
    "Add": Rule("Add"),
    "Average": Rule("Average"),
    "Maximum": Rule("Maximum"),
    "Minimum": Rule("Minimum"),
    "Multiply": Rule("Multiply"),
    "Concatenate": Rule("Concatenate", passed=("axis",)),
    "Dot": Rule(
        "Dot",
        passed=("axes",),
        only={"normalize": Only((False,), "tfjs-layers bounds the norm by the backend's epsilon, 1e-4 on WebGL")},
    ),
    # noise
    "AlphaDropout": Rule("AlphaDropout", passed=("rate",), ignored=("seed", "noise_shape")),
    "GaussianDropout": Rule("GaussianDropout", passed=("rate",), ignored=("seed",)),
    "GaussianNoise": Rule("GaussianNoise", passed=("stddev",), ignored=("seed",)),
    # normalization
    "BatchNormalization": Rule(
        "BatchNormalization",
        passed=("axis", "momentum", "epsilon", "center", "scale"),
        ignored=("synchronized", "renorm", "renorm_clipping", "renorm_momentum", "virtual_batch_size", "fused"),
        weights={
            "gamma": ("gamma",),
            "beta": ("beta",),
            "moving_mean": ("moving_mean",),
            "moving_variance": ("moving_variance",),
        },
    ),
    "LayerNormalization": Rule(
        "LayerNormalization",
        passed=("axis", "epsilon", "center", "scale"),
        only={"rms_scaling": Only((False,), "tfjs-layers ignores rms_scaling", ignored=True)},
        weights={"gamma": ("gamma",), "beta": ("beta",)},
    ),
    # preprocessing
    "Rescaling": Rule("Rescaling", passed=("scale", "offset")),
    # recurrent
    "SimpleRNN": _recurrent("SimpleRNN"),
    "LSTM": _recurrent("LSTM", "recurrent_activation"),
    "GRU": _recurrent(
        "GRU",
        "recurrent_activation",
        reset_after=Only((False,), "tfjs-layers has only the GRU with reset_after=False, and Keras's default is True"),
    ),
}

#: Classes of tfjs-layers that accept integer tensors as in Keras; of Activation, only the linear one.
TARGETS_FOR_INTEGERS = frozenset(
    {"Activation", "Concatenate", "Embedding", "Flatten", "Permute", "RepeatVector", "Rescaling", "Reshape"}
)

#: Classes that tfjs-layers has, but that no rewrite makes equal.
NOT_ALIKE = {
    "CategoryEncoding": "tfjs-layers's class reads its input synchronously, which WebGPU cannot do",
}

#: For classes without a rule, the arguments that their rewrite reads or may ignore.
REWRITTEN: dict[str, tuple[str, ...]] = {
    "Bidirectional": ("layer", "backward_layer", "merge_mode"),
    "CenterCrop": ("height", "width", "data_format"),
    "Conv1DTranspose": (*_CONV, "data_format", "output_padding", "groups"),
    "Cropping1D": ("cropping",),
    "CustomScaleLayer": ("scale",),
    "DepthwiseConv1D": (*_CONV, "data_format", "depth_multiplier", "groups", "rank"),
    "GlobalAveragePooling3D": ("data_format", "keepdims"),
    "GlobalMaxPooling3D": ("data_format", "keepdims"),
    "GroupNormalization": ("groups", "axis", "epsilon", "center", "scale"),
    "LayerScale": ("init_values", "projection_dim"),
    "Normalization": ("axis", "mean", "variance", "invert"),
    "RNN": ("cell", "return_sequences", "return_state", "go_backwards", "stateful", "time_major",
            "zero_output_for_mask", "unroll"),
    "Resizing": ("height", "width", "interpolation", "antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio",
                 "fill_mode", "fill_value", "data_format"),
    "SeparableConv1D": (*_CONV, "data_format", "depth_multiplier", "groups", "rank"),
    "Subtract": (),
    "UpSampling1D": ("size",),
    "ZeroPadding1D": ("padding", "data_format"),
}  # fmt: skip

#: Layers that return their input unchanged at inference and have no tfjs-layers class.
IDENTITY_AT_INFERENCE = frozenset(
    {"ActivityRegularization", "Identity", "SpatialDropout2D", "SpatialDropout3D", "StochasticDepth",
     "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomElasticTransform",
     "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert",
     "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness",
     "RandomShear", "RandomTranslation", "RandomZoom", "RandomHeight", "RandomWidth"}
)  # fmt: skip


#: Layers with a tfjs-layers class that have an effect only in training.
_IDENTITY_WITH_A_CLASS = frozenset({"AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D"})

#: Arguments that a rule passes on and that only training reads.
_READ_IN_TRAINING = frozenset({"momentum", "dropout", "recurrent_dropout"})

#: Classes that tfjs-layers has, but that compute differently there for any arguments.
SAMPLED_ELSEWHERE = {
    "CenterCrop": "tfjs-layers samples at other positions",
    "Resizing": "tfjs-layers samples at other positions (it aligns corners)",
}


def only_arguments(class_name: str) -> Mapping[str, Only]:
    """Return the arguments of a tfjs-layers class that have the same meaning only for some values."""
    if class_name == "RNN":
        return _RECURRENT_ONLY
    rule = RULES.get(class_name.removesuffix("Cell"))
    return rule.only if rule else {}


def ignored_arguments(class_name: str) -> Mapping[str, Any]:
    """Return the arguments that tfjs-layers does not read, with the value that it acts as."""
    return {name: only.values[0] for name, only in only_arguments(class_name).items() if only.ignored}


def is_identity_at_inference(class_name: str) -> bool:
    """Tell whether a layer returns its input unchanged, for any arguments."""
    return class_name in _IDENTITY_WITH_A_CLASS or class_name in IDENTITY_AT_INFERENCE


def unused_at_inference(class_name: str) -> Set[str]:
    """Return the arguments of a class that do not change its result at inference."""
    rule = RULES.get(class_name.removesuffix("Cell"))
    of_class = rule.ignored if rule else _RECURRENT_IGNORED if class_name == "RNN" else ()
    return ALWAYS_IGNORED | _READ_IN_TRAINING | frozenset(of_class)


def same_value(value: Any, other: Any) -> bool:
    """Tell whether two values of an argument are equal; a boolean is never equal to a number."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def known_arguments(class_name: str) -> Set[str] | None:
    """Return the arguments of a Keras class whose meaning was compared; None for a class that is not supported."""
    if class_name in REWRITTEN:
        return frozenset(REWRITTEN[class_name])
    rule = RULES.get(class_name)
    return frozenset((*rule.passed, *rule.renamed, *rule.only, *rule.ignored)) if rule else None
