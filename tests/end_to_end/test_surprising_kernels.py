"""Operations whose TF.js kernels answer otherwise than TensorFlow's, seen through one model.

Every output of the model is one operation on one value, between others that hand values on; the
table says what each runtime gives for it, and what a trace has to say of the operation. Tensors
are large enough, and CPU forwarding is off, so that WebGL's own shaders answer. What the table
says of WebGL was measured on SwiftShader.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.types import CLASSES, Comparison, Finding

from ..shared import session

pytestmark = pytest.mark.real

NAN, INF = math.nan, math.inf
SAMPLES, WIDTH = 1, 256
RUNTIMES = ("chromium:cpu", "chromium:wasm", "chromium:webgl", "chromium:webgl-f16")


@dataclass(frozen=True)
class Row:
    """What TensorFlow gives, and what each of RUNTIMES gives; a number that is no class is a value.

    `codes` are of the finding at the operation on each runtime, None where it is right.
    """

    name: str
    value: float
    operation: Callable[[Any, Any], Any]
    native: float
    browsers: tuple[float, float, float, float]
    codes: tuple[str | None, str | None, str | None, str | None]
    relative: float = 1e-3


SPOILT_BY_WASM = (None, "nan-masked", None, None)
CHANGED_BY_WEBGL = (None, None, "nonfinite-changed", None)
LOST_BY_WEBGL = (None, None, "infinity-mishandled", "infinity-mishandled")

ROWS = (
    Row("relu_of_minus_inf", -INF, lambda tf, x: tf.nn.relu(x), 0.0, (0.0, 0.0, NAN, NAN), LOST_BY_WEBGL),
    Row("relu6_of_nan", NAN, lambda tf, x: tf.nn.relu6(x), NAN, (NAN, 0.0, NAN, NAN), SPOILT_BY_WASM),
    Row("elu_of_nan", NAN, lambda tf, x: tf.nn.elu(x), NAN, (NAN, NAN, INF, NAN), CHANGED_BY_WEBGL),
    Row("softplus_of_nan", NAN, lambda tf, x: tf.nn.softplus(x), NAN, (NAN, NAN, INF, NAN), CHANGED_BY_WEBGL),
    Row(
        "clip_of_nan",
        NAN,
        lambda tf, x: tf.raw_ops.ClipByValue(t=x, clip_value_min=0.0, clip_value_max=6.0),
        NAN,
        (NAN, 0.0, NAN, NAN),
        SPOILT_BY_WASM,
    ),
    Row("leaky_relu_of_inf", INF, lambda tf, x: tf.nn.leaky_relu(x), INF, (INF, INF, NAN, NAN), LOST_BY_WEBGL),
    Row(
        "leaky_relu_of_minus_inf", -INF, lambda tf, x: tf.nn.leaky_relu(x), -INF, (-INF, -INF, NAN, NAN), LOST_BY_WEBGL
    ),
    Row(
        "log_of_zero",
        0.0,
        lambda tf, x: tf.math.log(x),
        -INF,
        (-INF, -INF, -88.03, -88.0),
        (None, None, "log-of-zero", "log-of-zero"),
    ),
    Row(
        "zero_by_zero",
        0.0,
        lambda tf, x: x / x[:, ::-1],
        NAN,
        (NAN, NAN, 1.0, 1.0),
        (None, None, "division-by-zero", "division-by-zero"),
    ),
    Row("tanh_of_1e_8", 1e-8, lambda tf, x: tf.tanh(x), 1e-8, (1e-8, 1e-8, 0.0, 0.0), (None, None, "own-drift", None)),
    Row(
        "sin_of_1e7",
        1e4,
        lambda tf, x: tf.sin(x * 1e3),
        0.4205,
        (0.4205, 0.4205, 0.7072, NAN),
        (None, None, "own-drift", "f16-overflow"),
    ),
    Row("sign_of_nan", NAN, lambda tf, x: tf.sign(x), NAN, (0.0, 0.0, 0.0, 0.0), ("nan-masked",) * 4),
    Row(
        "seventy_thousand",
        1e4,
        lambda tf, x: x * 7.0,
        7e4,
        (7e4, 7e4, 7e4, NAN),
        (None, None, None, "f16-overflow"),
    ),
)

#: What lies in every other element, between two NaN.
CLIPPED_BESIDE_NAN = {"clip_of_inf_beside_nan": INF, "clip_of_minus_one_beside_nan": -1.0}


def _class(value: float) -> int:
    if math.isfinite(value):
        return 0
    return CLASSES.index("nan" if math.isnan(value) else "+inf" if value > 0 else "-inf")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> pycheck.Report:
    """All operations in one model, on all runtimes, in one run, traced."""
    import tensorflow as tf

    names = [row.name for row in ROWS]

    class Kernels(tf.Module):
        @tf.function
        def __call__(self, *given: Any) -> dict[str, Any]:
            operations = {row.name: partial(row.operation, tf) for row in ROWS}
            operations["max_pool"] = lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID")
            operations["softmax"] = tf.nn.softmax
            for name in CLIPPED_BESIDE_NAN:
                operations[name] = lambda x: tf.raw_ops.ClipByValue(t=x, clip_value_min=0.0, clip_value_max=6.0)
            operations["int32"] = lambda x: x * 71582 + 23647  # of 30000
            outputs = {}
            for (name, operation), x in zip(operations.items(), given, strict=True):
                before = tf.reverse(x, [0], name=f"before_{name}")
                with tf.name_scope(name):
                    y = operation(before)
                outputs[name] = tf.reverse(y, [0], name=f"after_{name}")
            return outputs

    specs = [tf.TensorSpec((None, WIDTH), tf.float32, f"in_{name}") for name in names]
    specs += [
        tf.TensorSpec((None, 32, 32, 1), tf.float32, "in_pool"),
        tf.TensorSpec((None, 3), tf.float32, "in_softmax"),
        *(tf.TensorSpec((None, WIDTH), tf.float32, f"in_{name}") for name in CLIPPED_BESIDE_NAN),
        tf.TensorSpec((None, WIDTH), tf.int32, "in_integers"),
    ]
    module = Kernels()
    folder = tmp_path_factory.mktemp("kernels") / "saved_model"
    tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function(*specs))
    inputs: dict[str, Any] = {f"in_{row.name}": np.full((SAMPLES, WIDTH), row.value, np.float32) for row in ROWS}
    inputs["in_pool"] = np.tile(np.float32([[NAN, 1], [3, 2]]), (SAMPLES, 16, 16))[..., None]
    inputs["in_softmax"] = np.tile(np.float32([1, NAN, 2]), (SAMPLES, 1))
    for name, value in CLIPPED_BESIDE_NAN.items():
        inputs[f"in_{name}"] = np.tile(np.float32([NAN, value]), (SAMPLES, WIDTH // 2))
    inputs["in_integers"] = np.full((SAMPLES, WIDTH), 30000, np.int32)
    return session.trace(folder, inputs, runtimes=RUNTIMES, flags={"WEBGL_CPU_FORWARD": False})


def _comparison(report: pycheck.Report, tensor: str, runtime: str) -> Comparison:
    (found,) = (c for c in report.comparisons if c.tensor == tensor and str(c.candidate) == runtime)
    return found


def _every_element_became(comparison: Comparison, native: float, browser: float) -> bool:
    return comparison.nonfinite.counts[_class(native)][_class(browser)] == comparison.element_count


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_operation_is_reported_as_it_answers(report: pycheck.Report, row: Row, runtime: str) -> None:
    comparison = _comparison(report, row.name, runtime)
    browser = row.browsers[RUNTIMES.index(runtime)]
    assert _every_element_became(comparison, row.native, browser)
    agrees = browser == row.native or (math.isnan(browser) and math.isnan(row.native))
    if not agrees:
        assert comparison.worst[0].candidate == pytest.approx(browser, rel=row.relative, nan_ok=True)
        assert comparison.worst[0].reference == pytest.approx(row.native, rel=row.relative, nan_ok=True)
    # Half floats have nothing between 0 and 6e-8: tanh(1e-8) is 0 there, rightly.
    rounds_to_it = runtime == "chromium:webgl-f16" and abs(browser - row.native) < 2.0**-24
    assert comparison.passed is (agrees or rounds_to_it)
    assert (comparison.nonfinite.changed > 0) is (_class(browser) != _class(row.native))


@pytest.mark.parametrize(("runtime", "browser"), list(zip(RUNTIMES, (3.0, -INF, 3.0, 3.0), strict=True)))
def test_a_nan_in_a_pooling_window_is_reported_as_it_answers(
    report: pycheck.Report, runtime: str, browser: float
) -> None:
    # WebAssembly's answer depends on where in the window the NaN is: first it gives -Inf, last it hides the 3.
    comparison = _comparison(report, "max_pool", runtime)
    assert _every_element_became(comparison, 3.0, browser)
    assert comparison.passed is math.isfinite(browser)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_nan_that_softmax_spreads_over_its_row_is_reported(report: pycheck.Report, runtime: str) -> None:
    nonfinite = _comparison(report, "softmax", runtime).nonfinite
    introduced = 0 if _python_spreads_too() else 2 * SAMPLES
    assert (nonfinite.introduced, nonfinite.counts[1][1], nonfinite.masked) == (introduced, 3 * SAMPLES - introduced, 0)


@cache
def _python_spreads_too() -> bool:
    """Whether TensorFlow's own softmax spoils the neighbours of a NaN, which depends on the processor."""
    import tensorflow as tf

    return bool(np.isnan(tf.nn.softmax(np.float32([[1, NAN, 2]]))[0, 0]))


@pytest.mark.parametrize(
    ("name", "right", "browsers"),
    [
        ("clip_of_inf_beside_nan", 6.0, (6.0, 6.0, INF, NAN)),
        ("clip_of_minus_one_beside_nan", 0.0, (0.0, 0.0, -1.0, -1.0)),
    ],
)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_clip_beside_a_nan_is_reported_as_it_answers(
    report: pycheck.Report, name: str, right: float, browsers: tuple[float, ...], runtime: str
) -> None:
    comparison = _comparison(report, name, runtime)
    browser = browsers[RUNTIMES.index(runtime)]
    assert comparison.nonfinite.counts[0][_class(browser)] == comparison.element_count // 2
    off = [w.candidate for w in comparison.worst if w.reference == right]
    assert off == pytest.approx([browser] * len(off), nan_ok=True)
    assert bool(off) is (browser != right)


@pytest.mark.parametrize(("runtime", "browser"), list(zip(RUNTIMES, (2**31 - 1, 2**31 - 1, -(2**31), 0), strict=True)))
def test_an_integer_beyond_what_a_float_holds_is_reported(report: pycheck.Report, runtime: str, browser: int) -> None:
    comparison = _comparison(report, "int32", runtime)
    assert comparison.passed is (browser == 2**31 - 1)
    if not comparison.passed:
        assert comparison.worst[0].candidate == browser


def test_a_nan_is_never_hidden_by_the_verdict(report: pycheck.Report) -> None:
    assert report.verdict is pycheck.Verdict.NAN_DIVERGENCE
    masked = {(c.tensor, str(c.candidate)) for c in report.comparisons if c.nonfinite.masked}
    assert ("relu6_of_nan", "chromium:wasm") in masked
    assert {"nan-introduced", "nan-masked"} <= {finding.code for finding in report.findings}


# ------------------------------------------------------------------------------------ where a trace says that it starts

CODES: dict[str, tuple[str | None, ...]] = {row.name: row.codes for row in ROWS} | {
    "max_pool": (None, "nan-spread", None, None),
    "softmax": ("nan-spread",) * 4,
    "int32": (None, None, "int32-precision", "f16-overflow"),
    "clip_of_inf_beside_nan": (None, "nan-masked", "nan-spread", "infinity-mishandled"),
    "clip_of_minus_one_beside_nan": (None, "nan-masked", "nan-spread", "nan-spread"),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", CODES)
def test_the_trace_pins_it_to_the_operation_and_says_why(report: pycheck.Report, name: str, runtime: str) -> None:
    found = {f.code for f in _sources(report, runtime) if name in (f.tensor or "").split("/")}
    code = None if name == "softmax" and _python_spreads_too() else CODES[name][RUNTIMES.index(runtime)]
    assert found == ({code} if code else set())


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_stands_before_and_behind_an_operation_is_not_blamed(report: pycheck.Report, runtime: str) -> None:
    named = {part for f in _sources(report, runtime) for part in (f.tensor or "").split("/")}
    beyond = {"after_int32"} if runtime.startswith("chromium:webgl") else set()  # to hand it on is to lose it
    if runtime == "chromium:webgl-f16":  # whose half floats have no infinity on SwiftShader
        beyond |= {f"before_{row.name}" for row in ROWS if math.isinf(row.value)}
        beyond |= {f"after_{row.name}" for row in ROWS if math.isinf(row.native)}
        beyond |= {"after_seventy_thousand", "before_clip_of_inf_beside_nan"}
    assert {name for name in named if name.startswith(("before_", "after_"))} <= beyond


def _sources(report: pycheck.Report, runtime: str) -> list[Finding]:
    return [f for f in report.findings if runtime in map(str, f.runtimes) and "ran_alone" in f.evidence]
