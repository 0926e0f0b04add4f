"""Opening a model.json that somebody else converted."""

import json
from pathlib import Path
from typing import Any

import pytest

from pycheck.conversion.existing import open_artifact
from pycheck.errors import ArtifactFileError, UsageError
from pycheck.types import Signature, TensorSpec


def _signature(outputs: tuple[str, ...] = ("y",)) -> Signature:
    return Signature(
        (TensorSpec("x", "float32", (None, 2)),), tuple(TensorSpec(name, "float32", (None, 2)) for name in outputs)
    )


def _graph(folder: Path, outputs: tuple[str, ...] = ("y",), **changes: Any) -> Path:
    document: dict[str, Any] = {
        "format": "graph-model",
        "modelTopology": {"node": []},
        "signature": {
            "inputs": {"x": {"name": "x:0"}},
            "outputs": {key: {"name": f"Identity_{i}:0"} for i, key in enumerate(outputs)},
        },
        "weightsManifest": [
            {"paths": ["group1-shard1of1.bin"], "weights": [{"name": "w", "shape": [2, 2], "dtype": "float32"}]}
        ],
    }
    document.update(changes)
    (folder / "group1-shard1of1.bin").write_bytes(bytes(16))
    (folder / "model.json").write_text(json.dumps(document))
    return folder


def _weights(path: str, **entry: Any) -> list[dict[str, Any]]:
    return [{"paths": [path], "weights": [{"name": "w", "shape": [2, 2], "dtype": "float32"} | entry]}]


def test_a_folder_and_its_model_json_are_the_same(tmp_path: Path) -> None:
    folder = _graph(tmp_path)
    assert open_artifact(folder, _signature()) == open_artifact(folder / "model.json", _signature())


def test_names_pair_outputs_before_their_order_does(tmp_path: Path) -> None:
    artifact = open_artifact(_graph(tmp_path, ("b", "a")), _signature(("a", "b")))
    assert artifact.output_names == {"a": "Identity_1:0", "b": "Identity_0:0"}


def test_order_pairs_where_names_do_not_and_numbered_names_count_in_numbers(tmp_path: Path) -> None:
    keys = tuple(f"output_{i}" for i in (0, 1, 10, 2))
    artifact = open_artifact(_graph(tmp_path, keys), _signature(("p", "q", "r", "s")))
    assert artifact.output_names == {"p": "Identity_0:0", "q": "Identity_1:0", "r": "Identity_3:0", "s": "Identity_2:0"}


def test_a_mapping_decides(tmp_path: Path) -> None:
    artifact = open_artifact(_graph(tmp_path, ("a", "b")), _signature(("a", "b")), {"a": "b"})
    assert artifact.output_names == {"a": "Identity_1:0", "b": "Identity_0:0"}
    with pytest.raises(UsageError, match="--map-output c=b"):
        open_artifact(_graph(tmp_path, ("a", "b")), _signature(("a", "b")), {"c": "b"})


def test_a_layers_model_is_known_by_its_layers(tmp_path: Path) -> None:
    config = {"layers": [{"config": {"name": "first"}}, {"config": {"name": "last"}}]}
    folder = _graph(
        tmp_path, format="layers-model", modelTopology={"model_config": {"class_name": "Sequential", "config": config}}
    )
    artifact = open_artifact(folder, _signature())
    assert (artifact.format, artifact.inputs, artifact.outputs) == ("layers", ("first",), ("last",))


def test_quantized_weights_are_read_at_their_stored_size(tmp_path: Path) -> None:
    folder = _graph(tmp_path, weightsManifest=_weights("w.bin", quantization={"dtype": "uint8"}))
    (folder / "w.bin").write_bytes(bytes(4))
    assert open_artifact(folder, _signature()).quantization == "uint8"


@pytest.mark.parametrize(
    "path", ["../outside.bin", "/etc/hostname", "http://example.org/w.bin", "..\\outside.bin", "sub/../../outside.bin"]
)
def test_a_shard_outside_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside.bin").write_bytes(bytes(16))
    (tmp_path / "model").mkdir()
    with pytest.raises(ArtifactFileError, match="outside of the model's folder"):
        open_artifact(_graph(tmp_path / "model", weightsManifest=_weights(path)), _signature())


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.bin").write_bytes(bytes(16))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w.bin").symlink_to(tmp_path / "outside.bin")
    with pytest.raises(ArtifactFileError, match="outside of the model's folder"):
        open_artifact(_graph(tmp_path / "model", weightsManifest=_weights("w.bin")), _signature())


def test_a_missing_and_a_short_shard_are_named(tmp_path: Path) -> None:
    folder = _graph(tmp_path)
    (folder / "group1-shard1of1.bin").write_bytes(bytes(15))
    with pytest.raises(ArtifactFileError, match="15 bytes instead of 16"):
        open_artifact(folder, _signature())
    (folder / "group1-shard1of1.bin").unlink()
    with pytest.raises(ArtifactFileError, match=r"'group1-shard1of1.bin' is missing"):
        open_artifact(folder, _signature())


def test_weights_that_the_graph_reads_and_the_manifest_lacks_are_named(tmp_path: Path) -> None:
    nodes: list[dict[str, Any]] = [{"name": name, "op": "Const"} for name in ("w", "bias", "gone", "unread")]
    nodes.append({"name": "y", "op": "AddN", "input": ["w", "bias", "gone:0"]})
    topology = {"node": nodes, "library": {"function": [
        {"signature": {"name": "body"}, "nodeDef": [
            {"name": "inner", "op": "Const"}, {"name": "w", "op": "Const"},
            {"name": "z", "op": "Add", "input": ["inner", "w"]},
        ]},
    ]}}  # fmt: skip
    with pytest.raises(ArtifactFileError, match=r"weights that its graph reads: bias, gone, inner\.") as error:
        open_artifact(_graph(tmp_path, modelTopology=topology), _signature())
    assert "convert the model again" in error.value.advice


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"modelTopology": {}}', '{"modelTopology": {"node": []}, "weightsManifest": [{}]}']
)
def test_what_is_no_model_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ArtifactFileError, match=r"model\.json"):
        open_artifact(tmp_path, _signature())


def test_another_count_of_outputs_is_another_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactFileError, match=r"has 1 outputs \(y\), but the model has 2 \(y, z\)"):
        open_artifact(_graph(tmp_path), _signature(("y", "z")))


def test_a_layers_model_that_names_a_layer_it_lacks_is_damaged(tmp_path: Path) -> None:
    config = {
        "layers": [
            {"name": "x", "config": {"name": "x"}, "inbound_nodes": []},
            {"name": "y", "config": {"name": "y"}, "inbound_nodes": [[["gone", 0, 0, {}]]]},
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["y", 0, 0]],
    }
    topology = {"model_config": {"class_name": "Functional", "config": config}}
    with pytest.raises(ArtifactFileError, match="missing layers: gone"):
        open_artifact(_graph(tmp_path, format="layers-model", modelTopology=topology), _signature())


def test_a_model_file_of_another_name_is_remembered(tmp_path: Path) -> None:
    (_graph(tmp_path) / "model.json").rename(tmp_path / "web.json")
    assert open_artifact(tmp_path / "web.json", _signature()).model_file == "web.json"
