"""Where NaN begins in Python itself, which activations lie at their bounds, which outputs are not the same twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pycheck.artifact import Point
from pycheck.tracing.causes import origin, repeats, saturation
from pycheck.types import Array, RuntimeId

from ..conftest import more
from .conftest import Traced

WEBGL = RuntimeId("chromium", "webgl")


def point(op: str, activation: str = "") -> Point:
    return Point("p", op, ("x",), None, "p:0", False, activation)


def floats(*rows: list[float]) -> Array:
    return np.array(rows, np.float32)


def test_the_first_infinity_that_is_made_of_a_finite_number_is_the_origin() -> None:
    x = floats([1, math.inf], [3, 100])
    with np.errstate(over="ignore"):
        found = origin(point("Exp"), np.exp(x), np.exp(x.astype(np.float64)), {"x": x})
    assert found is not None
    assert (found.element.sample, found.element.index, found.count) == (1, (1,), 1)
    assert (found.element.candidate, found.element.reference) == (math.inf, pytest.approx(math.exp(100)))
    assert [operand.value for operand in found.operands] == [100.0]


def test_nan_that_is_made_of_infinities_has_its_origin_there() -> None:
    a, b = floats([math.inf, math.inf, math.nan]), floats([1, math.inf, 1])
    found = origin(point("Sub"), a - b, None, {"a": a, "b": b})
    assert found is not None
    assert (found.element.index, found.count) == ((1,), 1)
    assert [operand.value for operand in found.operands] == [math.inf, math.inf]


def test_what_is_handed_on_has_its_origin_elsewhere() -> None:
    x = floats([1, math.nan])
    assert origin(point("Neg"), -x, -x.astype(np.float64), {"x": x}) is None
    assert origin(point("Neg"), floats([1, 2]), None, {"x": x}) is None


def test_an_operation_that_mixes_elements_is_an_origin_only_where_all_of_the_sample_is_finite() -> None:
    x = floats([1, math.nan], [3e38, 3e38])
    found = origin(point("MatMul"), floats([math.nan], [math.inf]), np.array([[math.nan], [6e38]]), {"x": x})
    assert found is not None
    assert (found.element.sample, found.count, found.element.reference) == (1, 1, 6e38)


@pytest.mark.parametrize(
    ("activation", "values", "shares"),
    [
        ("sigmoid", [0.0] * 12 + [1.0] * 8, (0.6, 0.4)),
        ("tanh", [-1.0] * 5 + [0.0] * 15, (0.25, 0.0)),
        ("relu", [0.0] * 19 + [3.0], (0.95,)),
        ("relu6", [6.0] * 10 + [0.0] * 10, (0.5, 0.5)),
    ],
)
def test_the_share_of_an_activation_at_its_bounds(activation: str, values: list[float], shares: Any) -> None:
    found = saturation(point("X", activation), floats(values))
    assert found is not None
    assert found.shares == pytest.approx(shares)


def test_what_is_no_activation_or_too_small_is_not_judged() -> None:
    assert saturation(point("MatMul"), floats([0.0] * 50)) is None
    assert saturation(point("Relu", "relu"), floats([0.0] * 8)) is None


def test_two_runs_are_compared_bit_by_bit() -> None:
    one = {"a": floats([1, 2], [3, math.nan]), "b": floats([0, 1], [2, 3])}
    two = {"a": floats([1, 2.5], [3, math.nan]), "b": floats([-0.0, 1], [2, 3])}
    found = list(repeats(WEBGL, {"y": "a", "z": "b"}, one, two, (7, 9)))
    assert [(r.tensor, r.changed_count, r.element_count) for r in found] == [("y", 1, 4), ("z", 1, 4)]
    element = found[0].element
    assert (element.sample, element.index, element.reference, element.candidate) == (7, (1,), 2.0, 2.5)
    assert list(repeats(WEBGL, {"y": "a"}, one, one, (7, 9))) == []


def test_a_number_that_becomes_nan_differs_most() -> None:
    (found,) = repeats(WEBGL, {"y": "a"}, {"a": floats([1, 5])}, {"a": floats([900, math.nan])}, (0,))
    assert found.element.index == (1,)


# ------------------------------------------------------------------------------------ real models


def saturated() -> tuple[Any, Any]:
    """A sigmoid that only sees thousands, and a relu that only sees negative numbers."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = keras.Input((16,), name="x")
    wide = layers.Dense(40, activation="sigmoid", name="wide", kernel_initializer="ones")(x)
    dead = layers.Dense(40, activation="relu", name="dead", bias_initializer=keras.initializers.Constant(-1e4))(x)
    y = layers.Dense(3, name="y")(layers.Concatenate()([wide, dead]))
    return keras.Model(x, y), np.random.default_rng(0).uniform(10, 1000, size=(8, 16)).astype(np.float32)


@pytest.mark.real
@pytest.mark.parametrize("artifact_format", ["graph", *more("layers")])
def test_a_saturated_activation_is_told_with_its_layer_in_both_formats(traced: Traced, artifact_format: str) -> None:
    report = traced(saturated, format=artifact_format, runtimes=("chromium:cpu",))
    found = {f.layer: f for f in report.findings if f.code == "activation-saturated"}
    assert set(found) == {"wide", "dead"}
    assert "sigmoid is saturated. 0 % of its elements are 0 and 100 % of its elements are 1" in found["wide"].summary
    assert "relu is saturated. 100 % of its elements are 0" in found["dead"].summary
    assert {f.severity for f in found.values()} == {"info"}


def noisy(folder: Any) -> Callable[[], tuple[Any, Any]]:
    """Make a model whose random numbers begin alike in every process of TensorFlow; TF.js does not read seed2."""
    import tensorflow as tf

    class Noisy(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            noise = tf.raw_ops.RandomStandardNormal(shape=tf.shape(x), dtype=tf.float32, seed=0, seed2=1)
            return {"y": x + 0.1 * noise}

    module = Noisy()
    tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())
    return lambda: (folder, np.ones((4, 4), np.float32))


@pytest.mark.real
def test_a_model_that_draws_random_numbers_is_told_of_every_runtime(traced: Traced, tmp_path: Any) -> None:
    report = traced(noisy(tmp_path / "noisy"), runtimes=("chromium:cpu",))
    found = {str(r): f for f in report.findings for r in f.runtimes if f.code == "nondeterministic"}
    assert set(found) == {"artifact:float32", "chromium:cpu"}
    assert "16 of 16 elements are different" in found["chromium:cpu"].summary
    assert "draws random numbers" in found["artifact:float32"].advice
    assert found["chromium:cpu"].explained_by == ("nondeterministic",)


@pytest.mark.real
def test_where_nan_begins_in_python_itself_is_told_with_its_operands(traced: Traced) -> None:
    def glitch() -> tuple[Any, Any]:
        import keras

        x = keras.Input((200,), name="x")
        y = keras.layers.Rescaling(2.0, name="y")(keras.ops.divide(1.0, keras.ops.norm(x, axis=-1, keepdims=True)))
        inputs = np.ones((4, 200), np.float32)
        inputs[2] = 0.0
        return keras.Model(x, y), inputs

    report = traced(glitch, runtimes=("chromium:cpu",))
    (found,) = (f for f in report.findings if f.code == "division-by-zero")
    assert "In Python itself" in found.summary and "+Inf at sample 2 [0]" in found.summary
    assert found.severity == "warning"
    assert report.passed


@pytest.mark.real
@pytest.mark.parametrize("memory", ["20kB", *more("1GB")])
def test_a_probability_that_rounds_to_1_is_no_fault_of_denormals_or_of_the_conversion(
    traced: Traced, memory: str
) -> None:
    def logits() -> tuple[Any, Any]:
        import keras

        p = keras.ops.sigmoid(x := keras.Input((6,)))
        model = keras.Model(x, keras.ops.log(p / (1 - p)))
        return model, np.random.default_rng(0).normal(scale=20.0, size=(60, 6)).astype(np.float32)

    report = traced(logits, runtimes=("chromium:cpu",), trace_samples=60, trace_memory=memory)
    (found,) = (f for f in report.findings if "float32" in f.evidence)
    assert (found.code, found.evidence["op"]) == ("division-by-zero", "RealDiv")
    assert found.evidence["float32"] == math.inf and math.isfinite(found.evidence["float64"])
    assert "and 0 (" in found.summary and "in float64) it gives +Inf" in found.summary
    assert report.trace is not None
    (split,) = report.trace.splits
    assert split.conversion is not None and split.conversion.passed
    (floor,) = (c for c in report.comparisons if c.is_noise_floor)
    assert floor.nonfinite.changed > 0 == split.conversion.nonfinite.changed
    (failed,) = (f for f in report.findings if f.code == "accumulated-drift")
    assert failed.evidence["because"] == "jump"


def test_the_operands_of_an_origin_have_their_numbers_in_float64() -> None:
    p = floats([1.0])
    found = origin(
        point("Reciprocal"), floats([math.inf]), np.array([[2e11]]), {"x": 1 - p}, {"x": np.array([[5e-12]])}
    )
    assert found is not None
    assert [(operand.value, operand.exact) for operand in found.operands] == [(0.0, 5e-12)]


@pytest.mark.real
def test_an_integer_of_64_bits_that_wraps_in_32_is_not_said_to_be_stored_as_a_float(
    traced: Traced, tmp_path: Any
) -> None:
    def hashed() -> tuple[Any, Any]:
        import tensorflow as tf

        class Hashed(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32, name="x")])
            def __call__(self, x: Any) -> Any:
                return {"y": tf.cast(tf.math.floormod(tf.cast(x, tf.int64) * 1_000_003, 997), tf.int32)}

        module, folder = Hashed(), tmp_path / "hashed"
        tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())
        return folder, np.array([1, 5000, 70000, 123456], np.int32)

    report = traced(hashed, runtimes=("chromium:cpu", "chromium:wasm"))
    found = [f for f in report.findings if "ran_alone" in f.evidence]
    assert [(f.code, f.evidence["op"], *map(str, f.runtimes)) for f in found] == [
        ("int32-precision", "Mul", "chromium:cpu"),
        ("int32-precision", "Mul", "chromium:wasm"),
    ]
    for finding in found:
        assert finding.evidence["given"] == np.int64(finding.evidence["expected"]).astype(np.int32)
        assert "no integer type beyond int32" in finding.summary


@pytest.mark.real
def test_kernels_that_share_a_behavior_are_not_a_fault_of_the_artifact(traced: Traced) -> None:
    def largest() -> tuple[Any, Any]:
        import keras

        x = keras.Input((2,))
        inputs = np.array([[math.nan, math.inf], [math.inf, math.nan], [1, 2], [2, 1]], np.float32)
        return keras.Model(x, keras.ops.argmax(x, -1)), inputs

    report = traced(largest, runtimes=("chromium:cpu", "chromium:wasm"))
    assert not report.passed
    assert "conversion-drift" not in {f.code for f in report.findings}
    found = [f for f in report.findings if "ran_alone" in f.evidence]
    assert [(f.code, f.evidence["op"], *map(str, f.runtimes)) for f in found] == [
        ("own-drift", "ArgMax", "chromium:cpu"),
        ("own-drift", "ArgMax", "chromium:wasm"),
    ]
    assert all("compares NaN" in f.summary for f in found)
    assert all("own-drift" in f.explained_by for f in report.findings if f.code == "drift")


@pytest.mark.real
def test_a_cast_that_wraps_in_python_alone_is_the_cause_of_the_output_behind_it(traced: Traced) -> None:
    def wrapped() -> tuple[Any, Any]:
        import keras

        x = keras.Input((3,), dtype="int32")
        model = keras.Model(x, {"n": x * 1, "u8": keras.ops.cast(keras.ops.cast(x, "uint8"), "int32")})
        return model, np.array([[0, -5, 1], [300, -90, 1], [0, 1, 2], [1, 3, 1002]], np.int32)

    report = traced(wrapped, runtimes=("chromium:cpu",))
    (found,) = (f for f in report.findings if "ran_alone" in f.evidence)
    assert (found.code, found.severity, found.evidence["op"]) == ("cast-out-of-range", "error", "Cast")
    assert found.evidence["moves"] is None and "This error alone" not in found.summary
    assert not {"accumulated-drift", "conversion-drift"} & {f.code for f in report.findings}
    (drift,) = (f for f in report.findings if f.code == "drift")
    assert (drift.tensor, "cast-out-of-range" in drift.explained_by) == ("u8", True)
