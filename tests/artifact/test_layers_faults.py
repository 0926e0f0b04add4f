"""What tfjs-layers lacks, ignores or misreads of artifacts that the published converter wrote: all of the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pycheck.artifact.document import read_document
from pycheck.artifact.layers.faults import layers_faults
from pycheck.artifact.layers.table import RULES, only_arguments

from ..published import import_tensorflowjs
from ..remedies.bare_page import bare_page, run, started

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(frozen=True)
class Case:
    """A layer of tf_keras, as code, on an input of this shape; `fault` is part of what is said of it."""

    layer: str
    shape: tuple[int, ...]
    fault: str
    argument: str = ""
    same: bool = False  # whether TF.js gives right numbers on the cpu all the same


_IMAGE, _STEPS, _VOLUME = (8, 8, 4), (9, 4), (4, 4, 4, 2)
CASES = (
    Case("Conv2D(8, 3, groups=2)", _IMAGE, "ignores groups", "groups"),
    Case("Conv2D(4, 3, groups=4, padding='same')", _IMAGE, "ignores groups", "groups"),
    Case("Conv1D(8, 3, groups=2)", _STEPS, "ignores groups", "groups"),
    Case("Conv1D(8, 3, padding='causal')", _STEPS, "takes valid and same", "padding"),
    Case("Conv1D(8, 3, data_format='channels_first')", _STEPS, "channels_first", "data_format"),
    Case("Conv3D(4, 2, groups=2)", _VOLUME, "ignores groups", "groups"),
    Case("DepthwiseConv2D(3, dilation_rate=2)", _IMAGE, "ignores dilation_rate", "dilation_rate"),
    Case("DepthwiseConv1D(3)", _STEPS, "has no DepthwiseConv1D"),
    Case("Conv2DTranspose(3, 3, strides=2, output_padding=1)", _IMAGE, "ignores output_padding", "output_padding"),
    Case("Conv2DTranspose(3, 3, dilation_rate=2)", _IMAGE, "ignores dilation_rate", "dilation_rate"),
    Case("SeparableConv2D(3, 3, data_format='channels_first')", (4, 8, 8), "channels_first", "data_format"),
    Case("GlobalAveragePooling2D(keepdims=True)", _IMAGE, "ignores keepdims", "keepdims"),
    Case("GlobalMaxPooling2D(keepdims=True)", _IMAGE, "ignores keepdims", "keepdims"),
    Case("GlobalAveragePooling1D(keepdims=True)", _STEPS, "ignores keepdims", "keepdims"),
    Case("GlobalMaxPooling1D(keepdims=True)", _STEPS, "ignores keepdims", "keepdims"),
    Case("ReLU(negative_slope=0.3)", (6,), "ignores negative_slope", "negative_slope"),
    Case("ReLU(threshold=1.0)", (6,), "ignores threshold", "threshold"),
    Case("ELU(alpha=0.5)", (6,), "only the ELU with alpha=1", "alpha"),
    Case("GRU(3, reset_after=True)", _STEPS, "only the GRU with reset_after=False", "reset_after"),
    Case("Bidirectional(GRU(3, reset_after=True))", _STEPS, "only the GRU with reset_after=False", "reset_after"),
    Case("RNN(GRUCell(3, reset_after=True))", _STEPS, "only the GRU with reset_after=False", "reset_after"),
    Case("LSTM(3, time_major=True)", _STEPS, "ignores time_major", "time_major"),
    Case("Dense(3, activation='leaky_relu')", (6,), "has no activation", "activation"),
    Case("Resizing(5, 5)", _IMAGE, "samples at other positions"),
    Case("CenterCrop(5, 5)", _IMAGE, "samples at other positions"),
    Case("AveragePooling1D(2, data_format='channels_first')", (4, 8), "channels_first", "data_format"),
    Case("MaxPooling3D(1, strides=2, padding='same')", _VOLUME, "shifts windows", "strides"),
    Case("BatchNormalization(axis=1, moving_mean_initializer='random_normal')", _IMAGE, "over the last axis", "axis"),
    Case("BatchNormalization(axis=2, moving_mean_initializer='random_normal')", _IMAGE, "over the last axis", "axis"),
    Case("BatchNormalization(axis=-2, moving_mean_initializer='random_normal')", _STEPS, "over the last axis", "axis"),
    Case("BatchNormalization(axis=1, moving_mean_initializer='random_normal')", (6,), ""),
    Case("BatchNormalization(axis=3, moving_mean_initializer='random_normal')", _IMAGE, ""),
    Case("BatchNormalization()", _VOLUME, "at most 4 axes", "axis"),
    Case("LayerNormalization()", _VOLUME, "at most 4 axes", "axis"),
    Case("SeparableConv2D(3, 3, depth_multiplier=2)", _IMAGE, "rejects the arguments", "kernel_initializer"),
    Case("LayerNormalization(axis=-1)", (6,), ""),
    Case("Normalization(mean=[1.0] * 6, variance=[2.0] * 6)", (6,), "has no Normalization"),
)
#: Ignored arguments that Keras gives no way to set, or that need another layer before them.
_ELSEWHERE = {
    ("LayerNormalization", "rms_scaling"), ("Conv2DTranspose", "groups"), ("Conv3DTranspose", "groups"),
    ("DepthwiseConv2D", "groups"), ("SeparableConv2D", "groups"),
}  # fmt: skip


def _published(case: Case, folder: Path) -> np.ndarray[Any, Any]:
    """Write it as the published converter does; returns what Keras gives for `_inputs`."""
    import tf_keras

    tensorflowjs = import_tensorflowjs()

    tf_keras.utils.set_random_seed(0)
    names = {name: getattr(tf_keras.layers, name) for name in dir(tf_keras.layers) if not name.startswith("_")}
    layer = eval(case.layer, names)
    model = tf_keras.Sequential([tf_keras.Input(case.shape), layer])
    tensorflowjs.converters.save_keras_model(model, str(folder))
    return np.asarray(model(_inputs(case))) if "channels_first" not in case.layer else np.zeros(0)


def _inputs(case: Case) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=(2, *case.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Path]]:
    folder = tmp_path_factory.mktemp("published")
    with started() as browser:
        page = bare_page(browser, folder)
        page.evaluate("() => tf.setBackend('cpu')")
        yield page, folder


_PREDICT = """
const model = await tf.loadLayersModel(`/model/${given.folder}/model.json`);
const y = model.predict(tf.tensor(given.values, given.shape));
return [y.shape, [...await y.data()]];
"""


@pytest.mark.real
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.layer)
def test_what_is_said_to_be_wrong_is_wrong_in_tfjs(case: Case, page: tuple[Page, Path]) -> None:
    from playwright.sync_api import Error

    opened, folder = page
    name = f"case{CASES.index(case)}"
    expected = _published(case, folder / name)
    faults = layers_faults(read_document(folder / name))
    x = _inputs(case)
    try:
        shape, values = run(opened, _PREDICT, {"folder": name, "values": x.ravel().tolist(), "shape": list(x.shape)})
        got = np.array(values, np.float32).reshape(shape)
    except Error:
        got = None
    wrong = got is None or got.shape != expected.shape or not np.allclose(got, expected, atol=1e-4)
    if case.fault:
        told = [fault for fault in faults if case.fault in fault.fault]
        assert told and all(case.argument in fault.given for fault in told), faults
        assert all("pycheck convert" in fault.cure for fault in faults)
        assert wrong
    else:
        assert not faults
        assert not wrong


def test_every_argument_of_the_table_that_tfjs_layers_ignores_is_tried() -> None:
    ignored = {
        (kind, argument) for kind in RULES for argument, only in only_arguments(kind).items()
        if only.ignored and not only.masked and "LSTM" not in kind and "RNN" not in kind and kind != "GRU"
    }  # fmt: skip
    tried = {(case.layer.partition("(")[0], case.argument) for case in CASES}
    assert {pair for pair in ignored - _ELSEWHERE if not pair[0].startswith("Conv3DT")} <= tried


def _topology(*layers: dict[str, Any], version: str = "2.15.0") -> dict[str, Any]:
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}
    return {
        "format": "layers-model",
        "modelTopology": {"keras_version": version, "model_config": config},
        "weightsManifest": [],
    }


def _layer(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": kind.lower(), **config}}


_INPUT = _layer("InputLayer", batch_input_shape=[None, 4])


@pytest.mark.parametrize(
    ("layers", "version", "given", "fault"),
    [
        ([_layer("InputLayer", batch_shape=[None, 4])], "3.4.1", "batch_shape=[None, 4]", "that of Keras 3"),
        ([_layer("Dense", dtype={"class_name": "DTypePolicy", "config": {}})], "3.4.1", "dtype=", "that of Keras 3"),
        ([_INPUT, _layer("LeakyReLU", negative_slope=0.1)], "2.15.0", "negative_slope=0.1", "reads alpha instead"),
        ([_INPUT, _layer("Dense", activation="hard_sigmoid")], "3.4.1", "hard_sigmoid", "clip(0.2 x + 0.5)"),
        ([_INPUT, _layer("Dense", activation="silu")], "2.15.0", "silu", "no activation silu"),
        ([_INPUT, _layer("Concatenate", axis=-2)], "2.15.0", "axis=-2", "every negative axis for the last"),
        ([_INPUT, _layer("MyAttention", heads=4)], "2.15.0", "", "tfjs-layers has no MyAttention"),
        ([_INPUT, _layer("Dense", units=3, mystery=7)], "2.15.0", "mystery=7", "does not know mystery of Dense"),
        (
            [_INPUT, _layer("DepthwiseConv2D", padding="same", kernel_size=[3, 1], strides=[2, 2])],
            "2.15.0",
            "strides=[2, 2]",
            "wasm kernel returns only zeros",
        ),
        ([_INPUT, _layer("LayerNormalization", rms_scaling=True)], "2.15.0", "rms_scaling", "ignores rms_scaling"),
        (
            [_layer("Masking"), _layer("LSTM", zero_output_for_mask=True)],
            "2.15.0",
            "zero_output_for_mask",
            "repeats the last output",
        ),
        (
            [_layer("TimeDistributed", layer=_layer("Conv2D", groups=2))],
            "2.15.0",
            "groups=2",
            "tfjs-layers ignores groups",
        ),
    ],
)  # fmt: skip
def test_a_layer_that_tfjs_layers_misreads_is_named(
    tmp_path: Path, layers: list[dict[str, Any]], version: str, given: str, fault: str
) -> None:
    (tmp_path / "model.json").write_text(json.dumps(_topology(*layers, version=version)))
    (found,) = layers_faults(read_document(tmp_path))
    assert given in found.given
    assert fault in found.fault


def test_layers_are_named_in_the_order_of_the_file_with_numbers_as_people_write_them(tmp_path: Path) -> None:
    layers = [_layer("ReLU", negative_slope=0.30000001192092896), _layer("Conv2D", groups=2), _layer("Resizing")]
    (tmp_path / "model.json").write_text(json.dumps(_topology(_INPUT, *layers)))
    found = layers_faults(read_document(tmp_path))
    assert [fault.op for fault in found] == ["ReLU", "Conv2D", "Resizing"]
    assert found[0].given == "negative_slope=0.3"


def _functional(*layers: tuple[dict[str, Any], str]) -> dict[str, Any]:
    """Each layer with the name of the one that it reads."""
    nodes = [{**layer, "inbound_nodes": [[[read, 0, 0, {}]]] if read else []} for layer, read in layers]
    ports = {"input_layers": [[layers[0][0]["config"]["name"], 0, 0]], "output_layers": [["norm", 0, 0]]}
    model = {"class_name": "Functional", "config": {"name": "model", "layers": nodes, **ports}}
    return {"format": "layers-model", "modelTopology": {"model_config": model}, "weightsManifest": []}


@pytest.mark.parametrize(
    ("between", "wrong"),
    [
        ([], True),
        ([_layer("Conv2D", name="a"), _layer("ReLU", name="b"), _layer("MaxPooling2D", name="c")], True),
        ([_layer("GlobalAveragePooling2D", name="a"), _layer("Dense", name="b")], False),
        ([_layer("Conv2D", name="a"), _layer("Flatten", name="b"), _layer("Dropout", name="c")], False),
        ([_layer("Reshape", name="a", target_shape=[64, 4])], True),
        ([_layer("Lambda", name="a")], False),
    ],
)
def test_the_axis_of_a_normalization_is_held_against_the_axes_of_its_input(
    tmp_path: Path, between: list[dict[str, Any]], wrong: bool
) -> None:
    norm = _layer("BatchNormalization", name="norm", axis=[1])
    chain = [_layer("InputLayer", name="x", batch_input_shape=[None, 8, 8, 4]), *between, norm]
    names = ["", *(layer["config"]["name"] for layer in chain)]
    for content in (_topology(*chain), _functional(*zip(chain, names, strict=False))):
        (tmp_path / "model.json").write_text(json.dumps(content))
        found = [fault.backends for fault in layers_faults(read_document(tmp_path)) if fault.name == "norm"]
        assert found == ([("cpu", "wasm")] if wrong else [])


@pytest.mark.parametrize(
    "layers",
    [
        [_layer("Conv2D", groups=1, dilation_rate=[1, 1], data_format="channels_last", kernel_initializer={"a": 1})],
        [_layer("LSTM", zero_output_for_mask=True, time_major=False, stateful=True, implementation=2)],
        [_layer("ReLU", max_value=6.0, negative_slope=0.0, threshold=0.0)],
        [_layer("LeakyReLU", alpha=0.1)],
        [_layer("Conv2D", padding="same", kernel_size=[1, 1], strides=[2, 2])],
        [_layer("BatchNormalization", axis=[3], renorm=False, fused=True)],
        [_layer("UpSampling2D", interpolation="nearest"), _layer("Concatenate", axis=-1)],
    ],
)
def test_what_tfjs_layers_reads_as_it_stands_is_no_fault(tmp_path: Path, layers: list[dict[str, Any]]) -> None:
    (tmp_path / "model.json").write_text(json.dumps(_topology(_INPUT, *layers)))
    assert layers_faults(read_document(tmp_path)) == ()


@pytest.mark.parametrize("kind", ["Conv2D", "DepthwiseConv2D", "SeparableConv2D"])
@pytest.mark.parametrize(
    ("shape", "is_fixed"),
    [([None, 9, 10, 4], True), ([2, 9, 10, 4], True), ([None, None, 10, 4], False), ([None, None, None, 4], False)],
)
def test_fixed_sizes_are_advised_only_where_a_size_is_free(
    tmp_path: Path, kind: str, shape: list[int | None], is_fixed: bool
) -> None:
    """A conversion writes the padding out where it knows the sizes."""
    narrow = _layer(kind, padding="same", kernel_size=[3, 1], strides=[2, 2])
    (tmp_path / "model.json").write_text(json.dumps(_topology(_layer("InputLayer", batch_input_shape=shape), narrow)))
    (found,) = layers_faults(read_document(tmp_path))
    assert found.cure.startswith("Convert the model with" if is_fixed else "Give the model inputs of fixed sizes")
    assert found.cure.endswith("Or use another backend for this model, or run this kernel on the CPU.")


_WEIGHT_NAMES = {
    "plain": (("conv_1/kernel", "conv_1/bias"), ()),
    "saved again": (("conv_1_1/kernel", "conv_1_1/bias"), ("conv_1_1/kernel", "conv_1_1/bias")),
    "one of two": (("conv_1/kernel", "conv_1_1/bias"), ("conv_1_1/bias",)),
    "of a model": (("model/conv_1/kernel", "model/conv_1/bias"), ()),
    "of a cell": (("conv_1/lstm_cell/kernel", "forward_conv_1/bias"), ()),
    "no layer": (("kernel", "bias"), ("kernel", "bias")),
    "saved model": (("_layer_checkpoint_dependencies/x/vars/0", "_layer_checkpoint_dependencies/x/vars/1"), ()),
}


@pytest.mark.parametrize("kind", _WEIGHT_NAMES)
def test_weights_that_are_named_after_no_layer_are_told(kind: str, tmp_path: Path) -> None:
    names, told = _WEIGHT_NAMES[kind]
    config = {"name": "conv_1", "filters": 2, "kernel_size": [1, 1], "batch_input_shape": [None, 4, 4, 1]}
    weights = [{"name": name, "shape": [2], "dtype": "float32"} for name in names]
    document = {
        "format": "layers-model",
        "modelTopology": {
            "model_config": {"class_name": "Sequential", "config": [{"class_name": "Conv2D", "config": config}]}
        },
        "weightsManifest": [{"paths": ["a.bin"], "weights": weights}],
    }
    (tmp_path / "a.bin").write_bytes(bytes(16))
    (tmp_path / "model.json").write_text(json.dumps(document))
    faults = layers_faults(read_document(tmp_path))
    assert tuple(fault.name for fault in faults) == told
    assert all("finds weights by the layer's name" in fault.fault and not fault.backends for fault in faults)
