"""Artifacts that were edited by hand and do not fit together: the reason that Python gives names the place."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.artifact import read_artifact
from pycheck.errors import ArtifactFileError, NotExecutableError
from pycheck.power.contradiction import Contradiction, of_artifact, reason_of

pytestmark = pytest.mark.real


def _dense(folder: Path, kernel: tuple[int, ...] = (3, 2), *, class_name: str = "Dense") -> Path:
    """A layers artifact of one Dense layer of 2 units on 3 features."""
    entry = {"class_name": "InputLayer", "name": "x", "inbound_nodes": []}
    entry["config"] = {"name": "x", "batch_input_shape": [None, 3], "dtype": "float32"}
    layer = {"class_name": class_name, "name": "y", "inbound_nodes": [[["x", 0, 0, {}]]]}
    layer["config"] = {"name": "y", "units": 2, "use_bias": False, "activation": "linear"}
    config = {"name": "m", "layers": [entry, layer], "input_layers": [["x", 0, 0]], "output_layers": [["y", 0, 0]]}
    topology = {"keras_version": "2.15.0", "model_config": {"class_name": "Functional", "config": config}}
    weights = [{"name": "y/kernel", "shape": list(kernel), "dtype": "float32"}]
    document = {"format": "layers-model", "modelTopology": topology}
    document["weightsManifest"] = [{"paths": ["w.bin"], "weights": weights}]
    (folder / "w.bin").write_bytes(np.ones(kernel, np.float32).tobytes())
    (folder / "model.json").write_text(json.dumps(document))
    return folder / "model.json"


def test_a_weight_of_the_wrong_shape_is_told_with_the_shape_that_it_has(tmp_path: Path) -> None:
    with pytest.raises(Contradiction) as raised, of_artifact():
        read_artifact(_dense(tmp_path, (2, 3)))
    assert isinstance(raised.value.__cause__, ArtifactFileError)
    assert "no weight for its kernel [3, 2]: y/kernel is [2, 3]" in reason_of(raised.value.__cause__)


def test_a_layer_that_python_cannot_execute_is_no_fault_of_the_artifact(tmp_path: Path) -> None:
    with pytest.raises(NotExecutableError), of_artifact():
        read_artifact(_dense(tmp_path, class_name="Mine"))


def _flattened(folder: Path, change: Callable[[dict[str, Any]], None]) -> Any:
    """A graph artifact that pools [n, 4, 4, 1] and reshapes to [n, 4], with one change."""

    def node(name: str, op: str, inputs: list[str], **attr: Any) -> dict[str, Any]:
        return {"name": name, "op": op, "input": inputs, "attr": {"T": {"type": "DT_FLOAT"}, **attr}}

    def numbers(*values: int) -> dict[str, Any]:
        return {"list": {"i": [str(value) for value in values]}}

    shape = {"shape": {"dim": [{"size": str(size)} for size in (-1, 4, 4, 1)]}}
    text = base64.b64encode(b"VALID").decode()
    pool = node(
        "pool/MaxPool", "MaxPool", ["x"], ksize=numbers(1, 2, 2, 1), strides=numbers(1, 2, 2, 1), padding={"s": text}
    )
    nodes = {
        "x": {"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": shape}},
        "size": {"name": "size", "op": "Const", "attr": {"dtype": {"type": "DT_INT32"}}},
        "pool": pool,
        "flat": node("flat/Reshape", "Reshape", ["pool/MaxPool", "size"], Tshape={"type": "DT_INT32"}),
    }
    change(nodes)
    signature = {
        "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape["shape"]}},
        "outputs": {"y": {"name": "flat/Reshape:0", "dtype": "DT_FLOAT", "tensorShape": {"dim": []}}},
    }
    weights = [{"name": "size", "shape": [2], "dtype": "int32"}]
    document = {"format": "graph-model", "signature": signature, "modelTopology": {"node": list(nodes.values())}}
    document["weightsManifest"] = [{"paths": ["w.bin"], "weights": weights}]
    (folder / "w.bin").write_bytes(np.array([2, 4], np.int32).tobytes())
    (folder / "model.json").write_text(json.dumps(document))
    return folder / "model.json"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda nodes: nodes["pool"]["attr"].update(ksize={"list": {"i": ["1", "3", "3", "1"]}}), "2 values"),
        (lambda nodes: nodes["pool"]["attr"].update(strides={"list": {"i": ["1", "1", "1", "1"]}}), "divisible by 9"),
        (lambda nodes: nodes.pop("pool"), "missing nodes: pool/MaxPool"),
    ],
)
def test_an_attribute_or_a_node_that_does_not_fit_is_told_with_its_node(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    from pycheck.artifact.sensitivity import SensitivitySession

    path = _flattened(tmp_path, change)
    with pytest.raises(Contradiction) as raised, of_artifact():
        SensitivitySession(read_artifact(path), ["flat/Reshape:0"]).run({"x:0": np.ones((2, 4, 4, 1), np.float32)}, [])
    assert isinstance(raised.value.__cause__, Exception)
    told = reason_of(raised.value.__cause__)
    assert reason in told
    assert "flat/Reshape" in told or "pool/MaxPool" in told
    assert "Graph execution error" not in told and "{{" not in told
