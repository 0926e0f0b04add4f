"""A cause that is told is established, and what it explains has no advice of its own: real models and browsers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.types import Finding, Severity

from ..conftest import more
from ..shared import session

pytestmark = pytest.mark.real

CPU = ("chromium:cpu",)


def told(report: pycheck.Report, code: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code == code]


def advised(report: pycheck.Report) -> list[str]:
    """The codes of what went wrong or may be why, that have an advice."""
    return [f.code for f in report.findings if f.advice and f.severity is not Severity.INFO]


def normalized(kind: str, axis: int = -1) -> Any:
    """Two outputs, of which only the first is normalized, of values that are about as small as an epsilon of 0.001."""
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((6, 4), name="x")
    layer = getattr(keras.layers, kind)(epsilon=1e-3, name="norm")
    normal = keras.layers.Dense(3, name="a")(layer(keras.layers.Rescaling(0.03)(x)))
    model = keras.Model(x, [normal, keras.layers.Dense(2, name="b")(x)])
    if kind == "BatchNormalization":
        layer.set_weights([np.ones(4), np.zeros(4), np.zeros(4), np.full(4, 1e-3)])
    return model


def altered(
    model: Any, folder: Path, change: Callable[[dict[str, Any]], None], format: str = "layers", quantize: str = "none"
) -> Path:
    """An artifact of the model with another model.json."""
    pycheck.convert(model, folder, format=format, quantize=quantize, verify=False)
    file = folder / "model.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


def layers_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    topology = content["modelTopology"]
    found: list[dict[str, Any]] = topology.get("model_config", topology)["config"]["layers"]
    return found


def without_layer(name: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        layers = layers_of(content)
        (gone,) = [layer for layer in layers if layer["config"]["name"] == name]
        layers.remove(gone)
        for ref in (ref for layer in layers for node in layer["inbound_nodes"] for ref in node if ref[0] == name):
            ref[0] = gone["inbound_nodes"][0][0][0]

    return change


def with_arguments(layer: str, **arguments: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        next(found for found in layers_of(content) if found["config"]["name"] == layer)["config"].update(arguments)

    return change


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["LayerNormalization", *more("BatchNormalization")])
def test_another_epsilon_is_the_one_cause_with_the_one_advice(kind: str, tmp_path: Path) -> None:
    model = normalized(kind)
    artifact = altered(model, tmp_path / "artifact", with_arguments("norm", epsilon=0.25))
    for run in (session.compare, session.trace):
        report = run(model, tfjs_model=artifact, runtimes=CPU, seed=1)
        (epsilon,) = told(report, "epsilon-mismatch")
        assert epsilon.evidence["outputs"] == ["a"] and "With the model's epsilon, a" in epsilon.summary
        (drift,) = told(report, "drift")
        assert (drift.tensor, drift.advice) == ("a", "") and "epsilon-mismatch" in drift.explained_by
        assert advised(report) == ["epsilon-mismatch"]


def test_an_epsilon_that_does_no_harm_explains_nothing(tmp_path: Path) -> None:
    model = normalized("LayerNormalization")

    def change(content: dict[str, Any]) -> None:
        with_arguments("norm", epsilon=1.01e-3)(content)
        with_arguments("b", activation="tanh")(content)

    report = session.compare(
        model, tfjs_model=altered(model, tmp_path / "artifact", change), runtimes=CPU, atol={"a": 1.0}
    )
    (epsilon,), (drift,) = told(report, "epsilon-mismatch"), told(report, "drift")
    assert epsilon.evidence["outputs"] == [] and "With the model's epsilon" not in epsilon.summary
    assert (drift.tensor, drift.explained_by) == ("b", ("artifact-differs",))


@pytest.mark.parametrize(("dtype", "scale"), [("int8", 300.0), *more(("uint8", 300.0), ("int32", 1e11))])
def test_a_cast_that_does_not_fit_is_the_one_cause_with_the_one_advice(dtype: str, scale: float) -> None:
    import keras

    x = keras.Input((5,), name="x")
    cast = keras.ops.cast(keras.ops.cast(x * scale, dtype), "float32")
    model = keras.Model(x, [keras.layers.Rescaling(0.5, name="a")(cast), keras.layers.Rescaling(0.5, name="b")(x)])
    for run in (session.compare, session.trace):
        report = run(model, runtimes=CPU, samples=8, range="-2:2", atol=0.01)
        assert {finding.tensor for finding in told(report, "drift")} == {"a"}
        assert set(advised(report)) == {"cast-out-of-range"}
        (cause,) = [finding for finding in told(report, "cast-out-of-range") if finding.advice]
        assert dtype in cause.summary


def chained() -> Any:
    """Two outputs, the first of which is behind an activation, a pooling and a normalization."""
    import keras

    keras.utils.set_random_seed(1)
    x = keras.Input((8, 8, 3), name="x")
    y = keras.layers.Conv2D(4, 3, name="conv", activation="tanh")(x)
    norm = keras.layers.BatchNormalization(name="norm")
    y = keras.layers.ReLU(name="cut")(norm(y))
    y = keras.layers.Flatten(name="flat")(keras.layers.MaxPooling2D(2, strides=1, padding="same", name="pool")(y))
    norm.set_weights([np.full(4, 2.0), np.full(4, 0.3), np.zeros(4), np.full(4, 0.5)])
    flat = keras.layers.Flatten(name="plain")(x)
    return keras.Model(x, [keras.layers.Dense(3, name="a")(y), keras.layers.Dense(2, name="b")(flat)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_layer("cut"), "The layer cut (ReLU) of the model has no counterpart in the artifact."),
        *more(
            (
                with_arguments("pool", pool_size=[3, 3]),
                "pool (MaxPooling2D): pool_size is [3, 3], in the model [2, 2].",
            ),
            (without_layer("pool"), "The layer pool (MaxPooling2D) of the model has no counterpart in the artifact."),
            (
                without_layer("norm"),
                "The layer norm (BatchNormalization) of the model has no counterpart in the artifact.",
            ),
            (with_arguments("conv", activation="linear"), "conv (Conv2D): activation is linear, in the model tanh."),
        ),
    ],
)
def test_layers_that_are_not_the_models_are_the_one_cause_with_the_one_advice(
    change: Callable[[dict[str, Any]], None], words: str, tmp_path: Path
) -> None:
    model = chained()
    artifact = altered(model, tmp_path / "artifact", change)
    for run in (session.compare, session.trace):
        report = run(model, tfjs_model=artifact, runtimes=CPU, samples=4)
        (cause,) = told(report, "artifact-differs")
        assert cause.summary.endswith(words)
        assert advised(report) == ["artifact-differs"]
        assert {finding.tensor for finding in told(report, "drift")} <= {"a"}


@pytest.mark.parametrize("quantize", ["uint8", *more("none")])
def test_a_layer_that_does_nothing_here_explains_nothing_and_another_layer_does(quantize: str, tmp_path: Path) -> None:
    """The layer `cut` hands on positive numbers as they are: what fails has another cause than that it is gone."""
    import keras

    keras.utils.set_random_seed(1)
    x = keras.Input((8,), name="x")
    positive = keras.layers.Dense(16, activation="sigmoid", name="first")(x)
    cut = keras.layers.ReLU(name="cut")(positive)
    model = keras.Model(
        x, [keras.layers.Dense(3, name="a")(cut), keras.layers.Dense(2, activation="tanh", name="b")(x)]
    )

    def change(content: dict[str, Any]) -> None:
        without_layer("cut")(content)
        with_arguments("b", activation="linear")(content)

    artifact = altered(model, tmp_path / "artifact", change, quantize=quantize)
    report = session.compare(
        model, tfjs_model=artifact, runtimes=CPU, samples=8, atol={"a": 1e-12}, rtol={"a": 0.0, "b": 0.0}
    )
    (cause,) = told(report, "artifact-differs")
    assert cause.severity is Severity.WARNING and cause.evidence["outputs"] == ["b"]
    of_output = {t: {f.code: f for f in report.findings if f.tensor == t} for t in ("a", "b")}
    assert "artifact-differs" in of_output["b"]["drift"].explained_by
    own = of_output["a"]["quantization-drift" if quantize == "uint8" else "drift"]
    assert own.advice and "artifact-differs" not in own.explained_by


def test_differences_that_change_no_output_are_an_info(tmp_path: Path) -> None:
    import keras

    x = keras.Input((8,), name="x")
    cut = keras.layers.ReLU(name="cut")(keras.layers.Dense(16, activation="sigmoid", name="first")(x))
    model = keras.Model(x, keras.layers.Dense(3, name="a")(cut))
    artifact = altered(model, tmp_path / "artifact", without_layer("cut"))
    report = session.compare(model, tfjs_model=artifact, runtimes=CPU, samples=8, atol=1e-12, rtol=0.0)
    (cause,) = told(report, "artifact-differs")
    assert (cause.severity, cause.evidence["outputs"], cause.evidence["nonfinite"]) == (Severity.INFO, [], [])
    assert all("artifact-differs" not in finding.explained_by for finding in report.findings)
