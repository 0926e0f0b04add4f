"""What a report says of a comparison that would notice little, and of what its inputs never reach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck import Report
from pycheck.report.html import render_html
from pycheck.report.junit import render_junit
from pycheck.report.markdown import render_markdown

from ..conftest import more
from ..shared import session
from .conftest import MODELS, Compare

pytestmark = pytest.mark.real

CPU = ("chromium:cpu",)
X = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)


def _codes(report: Report) -> set[str]:
    return {f.code for f in report.findings} & {"weak-comparison", "blind-inputs", "equal-outputs", "loose-limit"}


def _finding(report: Report, code: str) -> Any:
    (found,) = [f for f in report.findings if f.code == code]
    return found


def _compare(layers: Sequence[Any], x: np.ndarray = X, **options: Any) -> Report:
    """A model of these layers in a row."""
    import keras

    y = entry = keras.Input(x.shape[1:], name="x", dtype=x.dtype.name)
    for layer in layers:
        y = layer(y)
    return session.compare(keras.Model(entry, y), x, runtimes=CPU, **options)


def _dense(units: int, name: str, **options: Any) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras.layers.Dense(units, name=name, **options)


def test_a_sound_comparison_says_its_share_and_no_more(compared: Compare) -> None:
    report = compared("cnn").report
    assert "power     notices a fault of 1 % in 17 of 17 weight tensors (100 %)" in str(report)
    assert "weak test" not in " ".join(str(report).split())
    assert not _codes(report)


def test_a_bias_of_keys_is_invisible_by_algebra(compared: Compare) -> None:
    power = compared("attention").report.power
    assert power
    (unnoticed,) = [weight for weight in power.weights if not weight.noticed_by]
    assert "key" in unnoticed.name and "Add" in unnoticed.name and unnoticed.reached
    assert power.shares[0].noticed_count == power.shares[0].weight_count - 1


@pytest.fixture(scope="module")
def weak() -> Report:
    return session.compare(MODELS / "two_io.keras", MODELS / "two_io_inputs.npz", runtimes=CPU, rtol=1e6, atol=1e6)


def test_quantization_hides_small_faults_and_the_advice_says_so() -> None:
    report = session.compare(MODELS / "cnn.keras", MODELS / "cnn_inputs.npy", runtimes=CPU, quantize="uint8")
    assert report.passed
    assert "without --quantize" in str(_finding(report, "weak-comparison").advice)


def test_wide_limits_that_were_given_make_a_weak_pass(weak: Report) -> None:
    assert weak.passed
    assert "a weak test: a fault of 1 % would be noticed in none of the 9 weight tensors" in " ".join(str(weak).split())
    assert "--rtol" in _finding(weak, "weak-comparison").advice


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_every_report_says_it_beside_the_verdict(weak: Report, render: Any) -> None:
    assert "a weak test: a fault of 1 % would be noticed in none of the 9 weight tensors" in render(weak)


def test_junit_has_the_share_as_a_property(weak: Report) -> None:
    assert 'name="power" value="notices a fault of 1 % in 0 of 9 weight tensors (0 %)"' in render_junit(weak)


def test_a_saved_run_with_another_tolerance_has_another_share(compared: Compare) -> None:
    case = compared("two_io")
    again = pycheck.rejudge(case.saved)
    assert again.power == case.report.power
    wide = pycheck.rejudge(case.saved, rtol=1e6, atol=1e6)
    assert wide.power and wide.power.shares[0].noticed_count == 0
    assert "a weak test" in " ".join(str(wide).split())


def test_it_can_be_left_out() -> None:
    report = _compare([_dense(3, "y")], power=False)
    assert report.power is None
    assert "power" not in str(report)


def test_a_cached_comparison_keeps_its_power_and_needs_no_tensorflow(
    compared: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = compared("two_io")
    monkeypatch.setattr("pycheck.workflow.lazy_model.Source.tensorflow", None)
    again = session.compare(case.model, case.inputs, runtimes=CPU, format="graph")
    assert again.power == case.report.power


def test_a_layer_behind_a_dead_relu_is_named() -> None:
    import keras

    dead = _dense(8, "dead", activation="relu", bias_initializer=keras.initializers.Constant(-100.0))
    x = keras.Input((4,), name="x")
    both = keras.layers.Concatenate()([dead(x), _dense(8, "seen", activation="relu")(x)])
    model = keras.Model(x, _dense(3, "y")(both))
    for format in ("layers", "graph"):
        report = session.compare(model, X, runtimes=CPU, format=format)
        found = _finding(report, "blind-inputs")
        assert found.severity == "warning"
        assert "the layer dead" in found.summary.replace("dead_1", "dead")
        assert len(found.evidence["weights"]) == 2


@pytest.mark.parametrize("format", ["graph", *more("layers")])
def test_dead_channels_of_a_living_layer_are_named_by_number(format: str) -> None:
    import keras

    def shifted(count: int, *channels: int) -> Any:
        return keras.initializers.Constant(np.where(np.isin(np.arange(count), channels), -100.0, 0.0))

    layers = [
        keras.layers.Conv2D(8, 3, bias_initializer=shifted(8, 1, 3, 5), name="conv"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.ReLU(name="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        _dense(30, "hidden", activation="relu", bias_initializer=shifted(30, *range(16))),
        keras.layers.Dropout(0.5, name="drop"),  # the same channels once more
        _dense(2, "y"),
    ]
    images = np.random.default_rng(1).normal(size=(24, 8, 8, 3)).astype(np.float32)
    found = _finding(_compare(layers, images, format=format), "blind-inputs")
    assert found.severity == "warning"  # of more than half of the channels of hidden
    assert "3 of the 8 channels of relu (channels 1, 3 and 5 are 0 in all 24 samples)" in found.summary
    assert "of the 30 channels of hidden (channels 0, 1, 2," in found.summary
    assert "more are 0 in all 24 samples)" in found.summary
    dead = {item["layer"]: item["dead"] for item in found.evidence["channels"].values()}
    assert set(dead) == {"relu", "hidden"}
    assert dead["relu"] == [1, 3, 5] and set(range(16)) <= {*dead["hidden"]}


def test_rows_of_an_embedding_that_no_input_selects_are_counted(compared: Compare) -> None:
    case = compared("words")
    reached = len(np.unique(case.inputs["ids"]))
    found = _finding(case.report, "blind-inputs")
    assert f"{500 - reached:,} of the 500 rows of table" in found.summary
    assert found.severity == "info"  # so many as ids that vary can select
    assert "weak test" not in " ".join(str(case.report).split())


def test_ids_that_hardly_vary_make_a_weak_pass() -> None:
    import keras

    ids = np.random.default_rng(0).uniform(0, 1, (32, 6)).astype(np.float32)
    table = keras.layers.Embedding(7119, 4, name="table")
    report = _compare([table, keras.layers.Flatten(), _dense(2, "y")], ids)
    assert report.passed
    assert "the inputs reach 1 of the 7,119 rows of table" in " ".join(str(report).split())
    assert _finding(report, "blind-inputs").severity == "warning"
    assert _finding(report, "equal-outputs").severity == "warning"


def test_a_saturated_softmax_gives_equal_outputs() -> None:
    import keras

    scores = _dense(3, "scores", bias_initializer=keras.initializers.Constant([0.0, 900.0, 0.0]))
    report = _compare([scores, keras.layers.Softmax(name="y")])
    assert report.passed
    assert "the output is the same for all 8 samples" in _finding(report, "equal-outputs").summary
    assert "the outputs are the same for all samples" in " ".join(str(report).split())
    assert "any of the 2 weight tensors" in _finding(report, "blind-inputs").summary
    assert report.power and report.power.shares[0].noticed_count == 0


def test_a_limit_that_is_wide_for_one_value_is_said() -> None:
    report = _compare([_dense(64, "hidden", activation="tanh"), _dense(1, "y")], X[:1])
    found = _finding(report, "loose-limit")
    assert found.evidence == {"factor": 100.0, "count": 1.0, "elements": 1}
    (row,) = [c for c in report.comparisons if c.tolerance]
    assert row.tolerance and "factor of 100 because" in row.tolerance.derivation


def test_an_artifact_that_python_cannot_run_costs_a_note_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel\nmore")

    monkeypatch.setattr("pycheck.artifact.read_artifact", refuse)
    report = _compare([_dense(3, "y")])
    assert report.passed and report.power
    assert report.power.note == "Not measured: no kernel"
    assert "power     Not measured: no kernel" in str(report)


def test_outputs_that_are_decisions_are_a_weak_test_and_no_blind_inputs() -> None:
    """A fault of 1 % flips no sign: that the inputs do not reach the weights is not true."""
    import keras

    x = keras.Input((4,), name="x")
    report = session.compare(keras.Model(x, _dense(5, "y")(x) > 0), X, runtimes=CPU)
    assert report.passed and report.power
    assert [weight.reached for weight in report.power.weights] != [False]
    assert "blind-inputs" not in _codes(report)
    assert "before the decision" in _finding(report, "weak-comparison").advice


def test_outputs_of_nan_only_do_not_tell_which_weights_the_inputs_reach() -> None:
    import keras

    x = keras.Input((4,), name="x")
    nowhere = keras.ops.log(-1.0 - keras.ops.abs(_dense(5, "y")(x)))
    report = session.compare(keras.Model(x, nowhere), X, runtimes=CPU)
    assert report.power and [weight.reached for weight in report.power.weights] != [False]
    assert "blind-inputs" not in _codes(report)


def test_the_json_report_reads_back(weak: Report, tmp_path: Path) -> None:
    from pycheck.report.json import report_from_dict, report_to_dict

    assert report_from_dict(report_to_dict(weak)).power == weak.power


@pytest.mark.parametrize("kind", ["rounded", *more("signs", "beside", "nan beside")])
def test_an_output_of_decisions_leaves_unknown_which_weights_the_inputs_reach(kind: str) -> None:
    import keras

    ops = keras.ops
    x = keras.Input((4,), name="x")
    score, other = _dense(1, "score")(x), _dense(5, "other")(x)
    outputs = {
        "signs": lambda: ops.cast(other > 0, "float32"),
        "rounded": lambda: ops.round(other * 0.5),
        "beside": lambda: {"score": score, "label": other > 0},
        "nan beside": lambda: {"score": score, "label": ops.log(-1.0 - ops.abs(other))},
    }[kind]()
    report = session.compare(keras.Model(x, outputs), X, runtimes=CPU)
    assert report.power and report.power.weights
    assert all(weight.reached is not False for weight in report.power.weights)
    assert "blind-inputs" not in _codes(report)
