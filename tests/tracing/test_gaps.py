"""Operations that a given graph artifact lacks or adds are named as the cause, not the operation that reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.conversion import convert
from pycheck.model import load
from pycheck.report.json import report_from_dict, report_to_dict
from pycheck.types import Finding, Report

from ..conftest import more
from .fault_models import MODELS
from .faults import Artifact, Bench

pytestmark = pytest.mark.real

INPUTS = {"x": np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")}
Change = Callable[[Artifact], None]


def network(*layers: str, bias: float = 0.3) -> Any:
    """A convolution, these layers, a pooling, another convolution and a classifier; names and weights stay the same."""
    import keras

    keras.utils.set_random_seed(2)
    made: dict[str, Callable[[], Any]] = {
        "tanh": lambda: keras.layers.Activation("tanh", name="tanh"),
        "relu": lambda: keras.layers.ReLU(name="relu"),
        "norm": lambda: keras.layers.BatchNormalization(name="norm"),
        "scale": lambda: keras.layers.Rescaling(0.4, 0.1, name="scale"),
    }
    x = keras.Input((8, 8, 3), name="x")
    value = made["scale"]()(x) if "scale" in layers else x
    conv = keras.layers.Conv2D(4, 3, name="conv")
    value = conv(value)
    for name in (name for name in layers if name != "scale"):
        layer = made[name]()
        value = layer(value)
        if name == "norm":
            layer.set_weights([np.full(4, 2.0), np.full(4, 0.3), np.full(4, 0.1), np.full(4, 0.5)])
    value = keras.layers.MaxPooling2D(2, name="pool")(value)
    second = keras.layers.Conv2D(4, 2, name="second", activation="relu")
    scores = keras.layers.Dense(3, name="scores", activation="softmax")
    model = keras.Model(x, scores(keras.layers.GlobalAveragePooling2D(name="mean")(second(value))))
    weights = np.random.default_rng(5)
    for layer in (conv, second, scores):
        layer.kernel.assign(weights.normal(size=layer.kernel.shape, scale=0.5))
    conv.bias.assign(np.full(4, bias))
    return model


@pytest.fixture(scope="module")
def bench() -> Iterator[Callable[..., Bench]]:
    benches: dict[tuple[str, ...], Bench] = {}

    def made(*layers: str) -> Bench:
        if layers not in benches:
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(MODELS, "gaps", lambda: (network(*layers), INPUTS))
                benches[layers] = Bench("gaps", "graph")
        return benches[layers]

    yield made
    for one in benches.values():
        one.__exit__()


def made_of(model: Any, folder: Path) -> Artifact:
    convert(load(model), folder, format="graph")
    return Artifact.read(folder)


def cut(artifact: Artifact, *ends: str) -> Artifact:
    """The artifact without the nodes whose names end like this, their readers wired to what they read."""
    changed = artifact.copy()
    topology = changed.content["modelTopology"]
    for end in ends:
        (gone,) = [node for node in topology["node"] if node["name"].endswith(end)]
        topology["node"].remove(gone)
        for node in topology["node"]:
            node["input"] = [gone["input"][0] if ref == gone["name"] else ref for ref in node.get("input", [])]
        for port in changed.content.get("signature", {}).get("outputs", {}).values():
            if port["name"] in (gone["name"], f"{gone['name']}:0"):
                port["name"] = f"{gone['input'][0]}:0"
    return changed


def added(artifact: Artifact, before: str, op: str) -> Artifact:
    """The artifact with one more operation before the node whose name ends like this."""
    changed = artifact.copy()
    nodes = changed.content["modelTopology"]["node"]
    (reader,) = [node for node in nodes if node["name"].endswith(before)]
    given = {"name": "added/it", "op": op, "input": [reader["input"][0]], "attr": {"T": {"type": "DT_FLOAT"}}}
    nodes.insert(nodes.index(reader), given)
    reader["input"][0] = "added/it"
    return changed


def traced(bench: Bench, artifact: Artifact) -> Report:
    outcome = bench.trace(artifact, given=True)
    assert outcome.moved and outcome.report is not None, outcome.error
    return outcome.report


def cause(report: Report) -> Finding:
    """The one cause, which explains all that is said of points."""
    (found,) = [f for f in report.findings if f.code == "artifact-differs"]
    drifts = [f for f in report.findings if f.code == "conversion-drift"]
    assert all(f.explained_by == ("artifact-differs",) and not f.advice for f in drifts)
    assert not any("on the model's own values" in f.summary for f in drifts)
    assert found.evidence["outputs"] == [spec.name for spec in report.model.signature.outputs]
    assert report_to_dict(report_from_dict(report_to_dict(report))) == report_to_dict(report)
    return found


@pytest.mark.parametrize(
    ("layers", "without", "words"),
    [
        (("tanh",), (), "The layer tanh (Activation) of the model has"),
        (("relu", "norm"), ("relu",), "The layer norm (BatchNormalization) of the model has"),
        (("norm", "tanh"), (), "The layers norm (BatchNormalization) and tanh (Activation) of the model have"),
        *more(
            (("relu",), (), "The layer relu (ReLU) of the model has"),
            (("norm",), (), "The layer norm (BatchNormalization) of the model has"),
            (("scale",), (), "The layer scale (Rescaling) of the model has"),
        ),
    ],
)
def test_a_layer_that_the_artifact_was_made_without_is_the_cause(
    bench: Callable[..., Bench], layers: tuple[str, ...], without: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    found = cause(traced(bench(*layers), made_of(network(*without), tmp_path / "made")))
    assert found.summary.startswith(f"{words} no counterpart in the artifact. With the model's values there")
    assert set(found.evidence["missing"]) == {*layers} - {*without}
    assert found.evidence["extra"] == []


@pytest.mark.parametrize(
    ("layers", "ends", "missing"),
    [
        (("tanh",), ("tanh_1/Tanh",), "layer tanh (Activation)"),
        (("relu", "norm"), ("batchnorm/mul_1", "batchnorm/add_1"), "layer norm (BatchNormalization)"),
        (("relu", "norm"), ("batchnorm/add_1",), "/norm_1/batchnorm/add_1 (AddV2)"),
        ((), ("scores_1/Softmax",), "/scores_1/Softmax (Softmax)"),
        ((), ("Identity", "scores_1/Softmax"), "/scores_1/Softmax (Softmax)"),
    ],
)
def test_an_operation_that_was_cut_out_is_the_cause(
    bench: Callable[..., Bench], layers: tuple[str, ...], ends: tuple[str, ...], missing: str
) -> None:
    here = bench(*layers)
    found = cause(traced(here, cut(here.healthy, *ends)))
    assert f"{missing} of the model has no counterpart in the artifact." in found.summary


def test_a_bias_that_the_artifact_was_made_without_is_the_cause(bench: Callable[..., Bench], tmp_path: Path) -> None:
    found = cause(traced(bench(), made_of(network(bias=0.0), tmp_path / "made")))
    assert "/conv_1/BiasAdd (BiasAdd) of the model has no counterpart in the artifact." in found.summary
    assert found.layer is None


def test_what_a_merged_operation_lacks_is_not_guessed(bench: Callable[..., Bench], tmp_path: Path) -> None:
    report = traced(bench("tanh", "norm"), made_of(network("norm"), tmp_path / "made"))
    assert not [f for f in report.findings if f.code == "artifact-differs"]
    (drift,) = [f for f in report.findings if f.code == "conversion-drift"]
    assert "on the model's own values" not in drift.summary
    assert "the model has tanh (Activation), and no node of the artifact has that name" in drift.summary


@pytest.mark.parametrize(
    ("layers", "before", "op"),
    [
        ((), "MaxPool2d", "Relu"),
        (("norm",), "MaxPool2d", "Tanh"),
        (("tanh",), "scores_1/MatMul", "Tanh"),
        (("tanh",), "second_1/Relu", "Sigmoid"),
        (("tanh",), "MaxPool2d", "Relu"),
    ],
)
def test_an_operation_that_was_added_is_the_cause(
    bench: Callable[..., Bench], layers: tuple[str, ...], before: str, op: str
) -> None:
    here = bench(*layers)
    report = traced(here, added(here.healthy, before, op))
    found = cause(report)
    assert found.summary.startswith(f"The operation added/it ({op}) of the artifact has no counterpart in the model.")
    assert not any("which the model does not have" in f.summary for f in report.findings)


def test_an_activation_that_is_merged_into_the_operation_before_it_is_told_with_that(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    found = cause(traced(bench(), made_of(network("relu"), tmp_path / "made")))
    assert "relu_1/Relu (_FusedConv2D) differs from conv (Conv2D) of the model." in found.summary


@pytest.mark.parametrize("layers", [("tanh",), ("norm",), ("relu", "norm")])
@pytest.mark.parametrize("weight", ["conv_1/convolution", "second_1/convolution", "scores_1/Cast"])
def test_weights_that_are_wrong_are_blamed_as_before(
    bench: Callable[..., Bench], layers: tuple[str, ...], weight: str
) -> None:
    here = bench(*layers)
    assert here.trace(here.healthy, given=True).sources == ()
    faulty = here.healthy.copy()
    (name,) = [name for name in faulty.weights if weight in name and faulty.weights[name].size > 8]
    faulty.weights[name] *= np.float32(1.05)
    report = traced(here, faulty)
    assert not [f for f in report.findings if f.code == "artifact-differs"]
    (drift,) = [f for f in report.findings if f.code == "conversion-drift"]
    assert "on the model's own values" in drift.summary and "1.05 times the model's" in drift.summary
    assert drift.advice
