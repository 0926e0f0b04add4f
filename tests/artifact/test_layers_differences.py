"""The layers of an artifact are held against those of its model: what is missing, added or changed is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pycheck.artifact.document import read_document
from pycheck.artifact.layers.differences import layers_differences
from pycheck.types import ArtifactDifferences

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
        ("soft", {"axis": 0}, "soft (Softmax): axis is 0, in the model -1", ("a",)),
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
    assert differ(given) is None


def pair(tmp_path: Path, ours: Layers, given: Layers) -> ArtifactDifferences | None:
    """Two chains, of which the last layer is the one output."""
    made, document = (
        read_document(written(tmp_path / name, layers, layers[-1]["name"]))
        for name, layers in (("made", ours), ("given", given))
    )
    return layers_differences(made, document, {found["name"]: found["config"] for found in ours}, ("a",))


def line(*parts: tuple[str, str, dict[str, Any]], shape: Sequence[int] = (4, 4, 3)) -> Layers:
    found = [layer("x", "InputLayer", batch_input_shape=[None, *shape], dtype="float32")]
    for name, kind, config in parts:
        found.append(layer(name, kind, found[-1]["name"], **config))
    return found


def numbered(first: int, *units: int, **config: Any) -> Layers:
    """Dense layers with the names that Keras gives when it has made `first` of them before."""
    names = [f"dense_{first + n}" if first + n else "dense" for n in range(len(units))]
    return line(
        *((n, "Dense", {"units": u, "activation": "relu", **config}) for n, u in zip(names, units, strict=True))
    )


@pytest.mark.parametrize(
    ("kind", "ours", "theirs"),
    [
        ("BatchNormalization", {"momentum": 0.99, "renorm": False}, {"momentum": 0.9, "renorm": True}),
        ("GaussianNoise", {"stddev": 0.1}, {"stddev": 0.5}),
        ("AlphaDropout", {"rate": 0.1}, {"rate": 0.5}),
        (
            "LSTM",
            {"dropout": 0.1, "recurrent_dropout": 0.0, "implementation": 1, "unroll": False},
            {"dropout": 0.2, "recurrent_dropout": 0.5, "implementation": 2, "unroll": True},
        ),
        ("Dense", {"activation": "linear"}, {"activation": None}),
        ("Dense", {"activation": "silu"}, {"activation": "swish"}),
        ("Dense", {"kernel_regularizer": None}, {"kernel_regularizer": {"class_name": "L2", "config": {"l2": 1}}}),
        ("Dense", {"activity_regularizer": "l1"}, {"activity_regularizer": None}),
        ("BatchNormalization", {"axis": -1}, {"axis": [3]}),
        ("LayerNormalization", {"axis": [-2, -1]}, {"axis": [2, 3]}),
        ("Softmax", {"axis": 3}, {"axis": -1}),
        ("LeakyReLU", {"alpha": 0.3}, {"alpha": 0.30000001192092896}),
        ("Conv2D", {"kernel_size": 3, "data_format": None}, {"kernel_size": [3, 3], "data_format": "channels_last"}),
    ],
)
def test_an_argument_without_effect_on_a_prediction_is_no_difference(
    tmp_path: Path, kind: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    assert pair(tmp_path, line(("l", kind, ours)), line(("l", kind, theirs))) is None


@pytest.mark.parametrize(
    ("kind", "ours", "theirs", "text"),
    [
        (
            "BatchNormalization",
            {"axis": -1, "momentum": 0.9},
            {"axis": 2, "momentum": 0.1},
            "axis is 2, in the model -1",
        ),
        ("LSTM", {"go_backwards": False}, {"go_backwards": True}, "go_backwards is True, in the model False"),
        ("Dense", {"activation": "silu"}, {"activation": None}, "activation is None, in the model swish"),
        ("LeakyReLU", {"alpha": 0.3}, {"alpha": 0.3001}, "alpha is 0.3001, in the model 0.3"),
        ("Reshape", {"target_shape": [16, 3]}, {"target_shape": [48]}, "target_shape is [48], in the model [16, 3]"),
        ("Permute", {"dims": [2, 2]}, {"dims": [2]}, "dims is [2], in the model [2, 2]"),
    ],
)
def test_an_argument_with_an_effect_is_one(
    tmp_path: Path, kind: str, ours: dict[str, Any], theirs: dict[str, Any], text: str
) -> None:
    found = pair(tmp_path, line(("l", kind, ours)), line(("l", kind, theirs)))
    assert found is not None and found.changed == (f"l ({kind}): {text}",)


def within(kind: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": "inner", "trainable": True, **config}}


@pytest.mark.parametrize(
    ("kind", "ours", "theirs", "text"),
    [
        (
            "Bidirectional",
            {"layer": within("LSTM", units=4, activation="tanh", dropout=0.1)},
            {"layer": within("LSTM", units=4, activation="relu", dropout=0.2)},
            "of the LSTM within it, activation is relu, in the model tanh",
        ),
        (
            "Bidirectional",
            {key: within("GRU", units=4, reset_after=False) for key in ("layer", "backward_layer")},
            {key: within("GRU", units=4, reset_after=True) for key in ("layer", "backward_layer")},
            "of the GRU within it, reset_after is True, in the model False",
        ),
        (
            "TimeDistributed",
            {"layer": within("Conv2D", filters=2, kernel_size=[3, 3], padding="same")},
            {"layer": within("Conv2D", filters=2, kernel_size=3, padding="valid")},
            "of the Conv2D within it, padding is valid, in the model same",
        ),
        (
            "TimeDistributed",
            {"layer": within("Bidirectional", layer=within("LSTM", units=4, activation="tanh"))},
            {"layer": within("Bidirectional", layer=within("LSTM", units=4, activation="elu"))},
            "of the Bidirectional within it, of the LSTM within it, activation is elu, in the model tanh",
        ),
        (
            "TimeDistributed",
            {"layer": within("Dense", units=4)},
            {"layer": within("Dropout", rate=0.5)},
            "the layer within it is Dropout, in the model Dense",
        ),
        (
            "RNN",
            {"cell": within("StackedRNNCells", cells=[within("GRUCell", units=u, activation="tanh") for u in (2, 3)])},
            {"cell": within("StackedRNNCells", cells=[within("GRUCell", units=u, activation="tanh") for u in (2, 4)])},
            "of the StackedRNNCells within it, of the GRUCell within it, units is 4, in the model 3",
        ),
    ],
)
def test_what_a_layer_wraps_is_compared_too(
    tmp_path: Path, kind: str, ours: dict[str, Any], theirs: dict[str, Any], text: str
) -> None:
    found = pair(tmp_path, line(("l", kind, ours)), line(("l", kind, theirs)))
    assert found is not None and found.changed == (f"l ({kind}): {text}",)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (within("LSTM", units=4, dropout=0.1, activation="silu"), within("LSTM", units=4, activation="swish")),
        (within("Dropout", rate=0.1), within("Dropout", rate=0.5)),
        (within("Dense", units=4, activation="linear"), within("Dense", units=4, activation=None)),
    ],
)
def test_a_wrapped_argument_without_effect_is_no_difference(
    tmp_path: Path, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    wrapped = [line(("l", "TimeDistributed", {"layer": layer})) for layer in (ours, theirs)]
    assert pair(tmp_path, *wrapped) is None


@pytest.mark.parametrize("units", [(16, 8, 3), (4, 4, 4), (3, 8, 8, 3)])
@pytest.mark.parametrize("first", [1, 2, 9])
def test_the_same_layers_with_the_numbers_of_a_second_build_are_no_difference(
    tmp_path: Path, units: tuple[int, ...], first: int
) -> None:
    assert pair(tmp_path, numbered(0, *units), numbered(first, *units)) is None


@pytest.mark.parametrize("units", [(16, 8, 3), (4, 4, 4)])
def test_of_a_second_build_the_one_layer_that_was_changed_is_named(tmp_path: Path, units: tuple[int, ...]) -> None:
    given = changed(numbered(1, *units), "dense_2", activation="tanh")
    found = pair(tmp_path, numbered(0, *units), given)
    assert found is not None
    assert found.changed == ("dense_2 (Dense): activation is tanh, in the model relu",)
    assert (found.missing, found.extra, found.places) == ((), (), ("dense_2",))


def test_other_units_under_the_same_names_are_named(tmp_path: Path) -> None:
    found = pair(tmp_path, numbered(0, 16, 8, 3), numbered(0, 16, 9, 3))
    assert found is not None and found.changed == ("dense_1 (Dense): units is 9, in the model 8",)


def test_exchanged_names_are_no_difference(differ: Differ) -> None:
    assert differ(renamed(chain(), {"d1": "between", "d2": "d1", "between": "d2"})) is None


def test_exchanged_arguments_are_one(differ: Differ) -> None:
    found = differ(changed(changed(chain(), "d1", activation="tanh"), "d2", activation="relu"))
    assert found is not None and [text.split(" ")[0] for text in found.changed] == ["d1", "d2"]


def test_what_the_artifact_has_as_the_model_itself_is_no_difference(differ: Differ) -> None:
    """A fresh conversion may write an activation as a layer of its own."""
    assert differ(changed(chain(), "d1", activation="elu"), own=changed(chain(), "d1", activation="elu")) is None
