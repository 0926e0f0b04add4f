"""Adds to the configuration of an old HDF5 file the defaults and names that its version of Keras implied.

tf_keras uses its own defaults for missing keys. A key is missing if the Keras that wrote the file did not have it:
`reset_after` of GRU was added in Keras 2.1 as False and became True in TensorFlow 2.0. Keras 1 had different names for
most arguments and some classes. Sources: keras/layers/recurrent.py of Keras 2.1.0 and 2.0.8,
keras/legacy/interfaces.py of Keras 2.2.4, and the release notes of TensorFlow 2.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ModelFileError

Config = dict[str, Any]

#: Layers that only run on a GPU, and the layers that compute the same from the same weights on any device.
_CUDNN: Mapping[str, tuple[str, Config]] = {
    "CuDNNGRU": ("GRU", {"recurrent_activation": "sigmoid", "reset_after": True, "use_bias": True}),
    "CuDNNLSTM": ("LSTM", {"recurrent_activation": "sigmoid", "use_bias": True}),
}

_KERAS1_CLASSES: Mapping[str, str] = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
}

#: Arguments of Keras 1 and their names in Keras 2, for every layer that has them.
_KERAS1_ARGUMENTS: Mapping[str, str] = {
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "border_mode": "padding",
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "filter_length": "kernel_size",
    "inner_activation": "recurrent_activation",
    "input_dtype": "dtype",
    "length": "size",
    "nb_filter": "filters",
    "p": "rate",
    "pool_length": "pool_size",
    "sigma": "stddev",
    "stride": "strides",
    "subsample": "strides",
    "subsample_length": "strides",
}
_KERAS1_ALONE = frozenset({"W_regularizer", "b_regularizer", "border_mode", "dim_ordering", "init", "nb_filter"})
#: Layers whose `output_dim` is `units` in Keras 2; an Embedding keeps the name.
_WITH_UNITS = frozenset({"ConvLSTM2D", "Dense", "GRU", "Highway", "LSTM", "MaxoutDense", "SimpleRNN"})
#: Arguments of Keras 1 that change only training, or only the speed.
_KERAS1_DROPPED = frozenset(
    {"W_constraint", "W_regularizer", "U_regularizer", "activity_regularizer", "b_constraint", "b_regularizer"}
    | {"beta_init", "beta_regularizer", "consume_less", "forget_bias_init", "gamma_init", "gamma_regularizer", "init"}
    | {"initial_weights", "inner_init", "input_dim", "input_length", "mode", "weights"}
)
_KERNEL_SIZES = ("kernel_dim1", "kernel_dim2", "kernel_dim3", "nb_row", "nb_col")
_MERGES: Mapping[str, str] = {
    "ave": "Average", "concat": "Concatenate", "max": "Maximum", "mul": "Multiply", "sum": "Add",
}  # fmt: skip


@dataclass(slots=True)
class _Changes:
    """The names of changed layers, by the change."""

    version: str
    reset_after: list[str] = field(default_factory=list)
    cudnn: list[str] = field(default_factory=list)
    keras1: dict[str, None] = field(default_factory=dict)

    def notes(self) -> Iterator[str]:
        if self.reset_after:
            yield (
                f"reset_after=False, the default when Keras {self.version} wrote the file: "
                f"{', '.join(self.reset_after)}"
            )
        if self.cudnn:
            yield f"CuDNN layers, which need a GPU, run as the same layers without CuDNN: {', '.join(self.cudnn)}"
        if self.keras1:
            yield f"arguments of Keras 1 converted to those of Keras 2: {', '.join(self.keras1)}"


def said_in_full(config: Any, version: str, path: str) -> tuple[Any, tuple[str, ...]]:
    """Convert a configuration so that it means the same in tf_keras, with notes of the changes.

    `version` is that of the Keras that wrote it. ModelFileError for an argument of Keras 1 that no later Keras has.
    """
    changes = _Changes(version)
    changed = _Rewriter(changes, path, version.startswith("1") or _is_of_keras1(config))(config)
    return changed, tuple(changes.notes())


def _is_of_keras1(item: Any) -> bool:
    """Detect Keras 1.0, whose files do not contain a version, by its names."""
    if isinstance(item, list):
        return any(map(_is_of_keras1, item))
    return isinstance(item, dict) and (
        not _KERAS1_ALONE.isdisjoint(item) or any(_is_of_keras1(value) for value in item.values())
    )


@dataclass(frozen=True, slots=True)
class _Rewriter:
    changes: _Changes
    path: str
    keras1: bool

    def __call__(self, item: Any) -> Any:
        if isinstance(item, list):
            return [self(value) for value in item]
        if not isinstance(item, dict):
            return item
        whole = {key: self(value) for key, value in item.items()}
        name, config = whole.get("class_name"), whole.get("config")
        if isinstance(name, str) and isinstance(config, dict):
            whole["class_name"], whole["config"] = self._layer(name, config)
        return whole

    def _layer(self, kind: str, config: Config) -> tuple[str, Config]:
        label = str(config.get("name", kind))
        if self.keras1:
            kind, config = self._from_keras1(kind, config, label)
        if kind in ("GRU", "GRUCell") and "reset_after" not in config:
            self.changes.reset_after.append(label)
            return kind, {**config, "reset_after": False}
        if kind in _CUDNN:
            self.changes.cudnn.append(label)
            kind, said = _CUDNN[kind]
            return kind, {**config, **said}
        return kind, config

    def _from_keras1(self, kind: str, config: Config, label: str) -> tuple[str, Config]:
        if kind in ("Model", "Sequential"):
            return kind, config
        if kind == "Merge":
            return self._merge(config, label)
        if kind == "BatchNormalization" and config.get("mode", 0) != 0:
            raise self._refusal(label, f"is a BatchNormalization of mode {config['mode']}", "mode=0")
        result: Config = {}
        for key, value in config.items():
            if key == "dim_ordering":
                result["data_format"] = "channels_first" if value == "th" else "channels_last"
            elif key == "output_dim" and kind in _WITH_UNITS:
                result["units"] = value
            elif key in _KERNEL_SIZES:
                continue
            elif key not in _KERAS1_DROPPED or (key == "input_dim" and kind == "Embedding"):
                result[_KERAS1_ARGUMENTS.get(key, key)] = value
        if sizes := [config[key] for key in _KERNEL_SIZES if key in config]:
            result["kernel_size"] = sizes
        renamed = _KERAS1_CLASSES.get(kind, kind)
        if result != config or renamed != kind:
            self.changes.keras1[kind] = None
        return renamed, result

    def _merge(self, config: Config, label: str) -> tuple[str, Config]:
        mode = config.get("mode")
        if not isinstance(mode, str) or mode not in _MERGES or config.get("layers"):
            raise self._refusal(label, f"is a Merge of mode {mode!r}", "one of the layers Add, Concatenate, Multiply")
        self.changes.keras1["Merge"] = None
        result: Config = {"name": label, "trainable": True}
        if mode == "concat":
            result["axis"] = config.get("concat_axis", -1)
        return _MERGES[mode], result

    def _refusal(self, label: str, what: str, instead: str) -> ModelFileError:
        return ModelFileError(
            f"Cannot load {self.path}: Keras 1 wrote it, and its layer {label!r} {what}, which later versions do not "
            "have.",
            f"Build the model in Keras 2 with {instead}, and load the weights into it.",
        )
