"""Weights are decoded to the numbers of TF.js, fused operations mean what they do there, the unsafe is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.artifact import read_artifact
from pycheck.artifact.document import read_document
from pycheck.artifact.weights import decode_weights
from pycheck.conversion.writing import write_model_json
from pycheck.errors import ArtifactFileError

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("quantize", ["none", "float16", "uint16", "uint8"])
def test_weights_are_the_numbers_that_tfjs_decodes(quantize: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = [
        ("a", rng.normal(size=(5, 7)).astype(np.float32)),
        ("b", np.array([3e-8, -65504, 1e-5, 0.1], np.float32)),
        ("i", rng.integers(-9, 9, 6).astype(np.int32)),
        ("t", np.array([True, False, True])),
    ]
    write_model_json(tmp_path / "m", {"modelTopology": {"node": [], "class_name": "x"}}, weights, quantize)
    subprocess.run(
        ["node", str(Path(__file__).with_name("weights.mjs")), str(ROOT / "node_modules"), str(tmp_path / "m"), "."],
        check=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    document = read_document_without_ports(tmp_path / "m")
    decoded = decode_weights(document)
    assert list(decoded) == [name for name, _ in weights]
    for index, (name, value) in enumerate(decoded.items()):
        assert (tmp_path / f"{index}.bin").read_bytes() == value.tobytes(), name


def read_document_without_ports(folder: Path) -> Any:
    """The weights are what counts: any graph will do."""
    import json

    file = folder / "model.json"
    content = json.loads(file.read_text())
    content["modelTopology"] = {"node": [{"name": "x", "op": "Placeholder"}, {"name": "y", "op": "Relu"}]}
    file.write_text(json.dumps(content))
    return read_document(file)


def _graph(folder: Path, nodes: list[dict[str, Any]], weights: list[tuple[str, Any]]) -> Path:
    dtype = {"T": {"type": "DT_FLOAT"}, "dtype": {"type": "DT_FLOAT"}}
    consts = [{"name": name, "op": "Const", "attr": {"dtype": dtype["dtype"]}} for name, _ in weights]
    shape = {"shape": {"dim": [{"size": "-1"}, {"size": "5"}, {"size": "5"}, {"size": "2"}]}}
    x = {"name": "x", "op": "Placeholder", "attr": {"dtype": dtype["dtype"], "shape": shape}}
    write_model_json(folder, {"format": "graph-model", "modelTopology": {"node": [x, *consts, *nodes]}}, weights)
    return folder


@pytest.mark.parametrize("activation", ["", "Relu", "Relu6", "Elu", "LeakyRelu", "Prelu", "Sigmoid"])
@pytest.mark.parametrize("op", ["_FusedConv2D", "FusedDepthwiseConv2dNative"])
def test_a_fused_operation_is_contraction_bias_and_activation(
    op: str, activation: str, tmp_path: Path, execute: Any
) -> None:
    import base64

    import tensorflow as tf

    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 2, 2)).astype(np.float32)
    channels = 2 if op == "_FusedConv2D" else 4
    bias, alpha = rng.normal(size=(2, channels)).astype(np.float32)
    x = rng.normal(size=(2, 5, 5, 2)).astype(np.float32)
    fused = [base64.b64encode(item.encode()).decode() for item in ["BiasAdd", activation] if item]
    node = {
        "name": "y",
        "op": op,
        "input": ["x", "kernel", "bias", *(["alpha"] if activation == "Prelu" else [])],
        "attr": {
            "T": {"type": "DT_FLOAT"},
            "strides": {"list": {"i": ["1", "1", "1", "1"]}},
            "padding": {"s": base64.b64encode(b"SAME").decode()},
            "fused_ops": {"list": {"s": fused}},
            "leakyrelu_alpha": {"f": 0.3},
        },
    }
    weights = [("kernel", kernel), ("bias", bias), *([("alpha", alpha)] if activation == "Prelu" else [])]
    folder = _graph(tmp_path / "m", [node], weights)
    convolve = tf.nn.conv2d if op == "_FusedConv2D" else tf.nn.depthwise_conv2d
    value = tf.cast(convolve(x, kernel, [1, 1, 1, 1], "SAME"), tf.float64) + bias.astype(np.float64)
    functions = {
        "": tf.identity, "Relu": tf.nn.relu, "Relu6": tf.nn.relu6, "Elu": tf.nn.elu, "Sigmoid": tf.sigmoid,
        "LeakyRelu": lambda v: tf.nn.leaky_relu(v, 0.3), "Prelu": lambda v: tf.where(v < 0, alpha * v, v),
    }  # fmt: skip
    for kind in ("float32", "float64"):
        points, values = execute(folder, {"x": x}, kind=kind)
        assert [(point.name, point.op, point.inputs) for point in points] == [("y", op, ("x",))]
        np.testing.assert_allclose(values["y"], functions[activation](value), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attr", [{}, {"T": {}}, {"T": {"type": "DT_FLOAT"}}], ids=["none", "empty", "given"])
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_prelu_has_the_type_of_tfjs_where_its_artifact_gives_none(
    kind: str, attr: dict[str, Any], tmp_path: Path, execute: Any
) -> None:
    rng = np.random.default_rng(0)
    x, alpha = (rng.normal(size=shape).astype(np.float32) for shape in ((2, 5, 5, 2), (2,)))
    folder = _graph(
        tmp_path / "m", [{"name": "y", "op": "Prelu", "input": ["x", "alpha"], "attr": attr}], [("alpha", alpha)]
    )
    _, values = execute(folder, {"x": x}, kind=kind)
    np.testing.assert_allclose(values["y"], np.where(x < 0, alpha * x, x), rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ("WriteFile", "operations that TF.js does not have: WriteFile"),
        ("HashTableV2", "lookup tables.*: y"),
    ],
)
def test_what_tfjs_does_not_execute_is_not_executed(op: str, said: str, tmp_path: Path) -> None:
    folder = _graph(tmp_path / "m", [{"name": "y", "op": op, "input": ["x"]}], [])
    with pytest.raises(ArtifactFileError, match=said):
        read_artifact(folder)
