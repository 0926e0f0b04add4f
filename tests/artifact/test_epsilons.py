"""A copy of an artifact with another epsilon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.artifact.document import read_document
from pycheck.artifact.epsilons import places, with_epsilons
from pycheck.artifact.weights import decode_weights
from pycheck.errors import ArtifactFileError
from pycheck.types import ArtifactInfo

FLOAT = {"dtype": {"type": "DT_FLOAT"}}


def artifact(
    folder: Path, artifact_format: str, document: dict[str, Any], weights: list[float] | None = None
) -> ArtifactInfo:
    folder.mkdir()
    entries = [{"name": "shared", "shape": [], "dtype": "float32"}] if weights else []
    manifest = [{"paths": ["w.bin"], "weights": entries}] if weights else []
    if weights:
        (folder / "w.bin").write_bytes(np.array(weights, "<f4").tobytes())
    (folder / "model.json").write_text(json.dumps(document | {"weightsManifest": manifest}))
    return ArtifactInfo(folder, artifact_format, "none", 1, "", "", ("x",), ("y",), {"x": "x"}, {"y": "y"})


def graph(folder: Path) -> ArtifactInfo:
    """Two layers that divide by a root, with one constant for both epsilons, and a fused normalization."""
    nodes: list[dict[str, Any]] = [
        {"name": "x", "op": "Placeholder", "attr": FLOAT},
        {"name": "shared", "op": "Const", "attr": FLOAT},
    ]
    for layer in ("first", "second"):
        nodes += [
            {"name": f"m/{layer}/add", "op": "AddV2", "input": ["x", "shared"], "attr": {}},
            {"name": f"m/{layer}/Rsqrt", "op": "Rsqrt", "input": [f"m/{layer}/add"], "attr": {}},
        ]
    nodes.append({"name": "m/third/Fused", "op": "FusedBatchNormV3", "input": ["x"], "attr": {"epsilon": {"f": 1e-3}}})
    ports = {"inputs": {"x": {"name": "x:0"}}, "outputs": {"y": {"name": "m/third/Fused:0"}}}
    topology = {"node": nodes, "versions": {"producer": 1}}
    return artifact(folder, "graph", {"format": "graph-model", "modelTopology": topology, "signature": ports}, [1e-8])


def layers(folder: Path) -> ArtifactInfo:
    norms = [
        {"class_name": "BatchNormalization", "config": {"name": name, "epsilon": 1e-5, "batch_input_shape": [None, 4]}}
        for name in ("first", "second")
    ]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": norms}}
    return artifact(folder, "layers", {"format": "layers-model", "modelTopology": {"model_config": config}})


def epsilons(folder: Path) -> dict[str, float]:
    document = read_document(folder / "model.json")
    return {place.layer: pytest.approx(place.value) for place in places(document, decode_weights(document))}


def test_one_layer_gets_another_epsilon_though_its_constant_is_shared(tmp_path: Path) -> None:
    given = graph(tmp_path / "given")
    changed = with_epsilons(given, {"first": 1e-3}, tmp_path / "changed")
    assert epsilons(changed.folder) == {"first": 1e-3, "second": 1e-8, "third": 1e-3}
    assert epsilons(given.folder) == {"first": 1e-8, "second": 1e-8, "third": 1e-3}


def test_a_fused_normalization_has_it_as_an_attribute(tmp_path: Path) -> None:
    changed = with_epsilons(graph(tmp_path / "given"), {"third": 1e-2}, tmp_path / "changed")
    assert epsilons(changed.folder) == {"first": 1e-8, "second": 1e-8, "third": 1e-2}


def test_a_layers_artifact_has_it_in_its_configuration(tmp_path: Path) -> None:
    changed = with_epsilons(layers(tmp_path / "given"), {"second": 1e-3}, tmp_path / "changed")
    assert epsilons(changed.folder) == {"first": 1e-5, "second": 1e-3}
    assert changed.folder == tmp_path / "changed"


def test_a_layer_whose_epsilon_is_folded_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactFileError, match="no epsilon in absent"):
        with_epsilons(graph(tmp_path / "given"), {"absent": 1e-3}, tmp_path / "changed")
