"""The layers of an artifact are held against those of its model: what is missing, added or changed is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pycheck.artifact.document import read_document
from pycheck.artifact.layers_differences import layers_differences
from pycheck.types import ArtifactDifferences

pytestmark = pytest.mark.real

Layers = list[dict[str, Any]]


def layer(name: str, kind: str, *read: str, **config: Any) -> dict[str, Any]:
    inbound = [[[ref, 0, 0, {}] for ref in read]] if read else []
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": inbound}


def chain() -> Layers:
    """Two outputs: a chain of layers, and a branch of the input alone."""
    return [
        layer("x", "InputLayer", batch_input_shape=[None, 8], dtype="float32"),
        layer("d1", "Dense", "x", units=8, activation="relu"),
        layer("act", "Activation", "d1", activation="tanh"),
        layer("drop", "Dropout", "act", rate=0.5),
        layer("d2", "Dense", "drop", units=4, activation="linear"),
        layer("soft", "Softmax", "d2", axis=-1),
        layer("other", "Dense", "x", units=2, activation="linear"),
    ]


def written(folder: Path, layers: Layers, *outputs: str) -> Path:
    folder.mkdir()
    config = {
        "name": "m",
        "layers": layers,
        "input_layers": [["x", 0, 0]],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    topology = {"model_config": {"class_name": "Functional", "config": config}, "keras_version": "2.15.0"}
    document = {"format": "layers-model", "modelTopology": topology, "weightsManifest": []}
    (folder / "model.json").write_text(json.dumps(document))
    return folder


def without(layers: Layers, name: str) -> Layers:
    (gone,) = [found for found in layers if found["name"] == name]
    before = gone["inbound_nodes"][0][0][0]
    left = [found for found in layers if found is not gone]
    return [_reading(found, name, before) for found in left]


def between(layers: Layers, before: str, new: dict[str, Any]) -> Layers:
    return [*(_reading(found, before, new["name"]) for found in layers), new]


def _reading(found: dict[str, Any], name: str, instead: str) -> dict[str, Any]:
    nodes = [[[instead if ref[0] == name else ref[0], *ref[1:]] for ref in node] for node in found["inbound_nodes"]]
    return {**found, "inbound_nodes": nodes}


def changed(layers: Layers, name: str, **config: Any) -> Layers:
    return [{**f, "config": {**f["config"], **config}} if f["name"] == name else f for f in layers]


def renamed(layers: Layers, names: Mapping[str, str]) -> Layers:
    text = json.dumps(layers)
    for name, other in names.items():
        text = text.replace(f'"{name}"', f'"{other}"')
    return json.loads(text)  # type: ignore[no-any-return]


@pytest.fixture
def differ(tmp_path: Path) -> Callable[..., ArtifactDifferences | None]:
    def run(given: Layers, *outputs: str, own: Layers | None = None) -> ArtifactDifferences | None:
        made = read_document(written(tmp_path / "made", chain(), "soft", "other"))
        document = read_document(written(tmp_path / "given", given, *(outputs or ("soft", "other"))))
        configurations = {found["name"]: found["config"] for found in own or chain()}
        return layers_differences(made, document, configurations, ("a", "b"))

    return run


Differ = Callable[..., ArtifactDifferences | None]


@pytest.mark.parametrize(
    ("name", "kind", "place", "last"),
    [("act", "Activation", "drop", "soft"), ("d1", "Dense", "act", "soft"), ("soft", "Softmax", None, "d2")],
)
def test_a_layer_that_was_cut_out_is_named_with_what_reads_something_else(
    differ: Differ, name: str, kind: str, place: str | None, last: str
) -> None:
    found = differ(without(chain(), name), last, "other")
    assert found is not None
    assert (found.missing, found.extra, found.changed) == (((name, kind),), (), ())
    assert found.places == ((place,) if place else ())
    assert "a" in found.outputs and (place is None or found.outputs == ("a",))


@pytest.mark.parametrize("before", ["d1", "drop", "d2"])
def test_a_layer_that_only_the_artifact_has_is_named(differ: Differ, before: str) -> None:
    found = differ(between(chain(), before, layer("extra", "ReLU", before)))
    assert found is not None
    assert (found.missing, found.extra, found.outputs) == ((), (("extra", "ReLU"),), ("a",))
    assert found.places[0] == "extra" and len(found.places) == 2


@pytest.mark.parametrize(
    ("name", "config", "text", "outputs"),
    [
        ("d1", {"activation": "linear"}, "d1 (Dense): activation is linear, in the model relu", ("a",)),
        ("other", {"activation": "elu"}, "other (Dense): activation is elu, in the model linear", ("b",)),
        ("soft", {"axis": 1}, "soft (Softmax): axis is 1, in the model -1", ("a",)),
    ],
)
def test_another_argument_is_named_with_the_outputs_behind_it(
    differ: Differ, name: str, config: dict[str, Any], text: str, outputs: tuple[str, ...]
) -> None:
    found = differ(changed(chain(), name, **config))
    assert found is not None
    assert (found.missing, found.extra, found.changed, found.outputs) == ((), (), (text,), outputs)


@pytest.mark.parametrize(
    "given",
    [
        chain(),
        without(chain(), "drop"),
        between(chain(), "d1", layer("again", "Dropout", "d1", rate=0.1)),
        between(chain(), "d1", layer("same", "Activation", "d1", activation="linear")),
        changed(chain(), "drop", rate=0.1),
    ],
)
def test_what_does_nothing_at_prediction_is_no_difference(differ: Differ, given: Layers) -> None:
    found = differ(given)
    assert found is None or not (found.missing or found.extra)
    assert found is None or found.changed == ("drop (Dropout): rate is 0.1, in the model 0.5",)


def test_other_names_are_told_by_class_and_order(differ: Differ) -> None:
    names = {"d1": "dense_7", "d2": "dense_8", "other": "dense_9", "act": "activation_3"}
    assert differ(renamed(chain(), names), "soft", "dense_9") is None


def test_of_several_layers_with_other_names_none_is_called_missing(differ: Differ) -> None:
    names = {"d2": "dense_8", "other": "dense_9", "d1": "dense_7"}
    found = differ(renamed(without(chain(), "d1"), names), "soft", "dense_9")
    assert found is None or found.missing == ()


def test_what_the_artifact_has_as_the_model_itself_is_no_difference(differ: Differ) -> None:
    """A fresh conversion may write an activation as a layer of its own."""
    assert differ(changed(chain(), "d1", activation="elu"), own=changed(chain(), "d1", activation="elu")) is None
