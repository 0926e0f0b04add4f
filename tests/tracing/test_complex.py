"""Complex values are traced as two parts, in Python, in the page and between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from pycheck.artifact import Point
from pycheck.tensors import parts
from pycheck.tracing import causes
from pycheck.types import PointResult, Report, RuntimeId, TracePoint, Verdict

from ..shared import session

pytestmark = pytest.mark.real

CPU, WEBGL = RuntimeId("chromium", "cpu"), RuntimeId("chromium", "webgl")
LENGTH = 512


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Every transform, a product of complex numbers, magnitudes, and a complex output, traced once."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    taps = tf.constant((rng.normal(size=LENGTH // 2 + 1) + 1j * rng.normal(size=LENGTH // 2 + 1)).astype("c8"))
    folder = tmp_path_factory.mktemp("complex") / "model"
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, LENGTH], tf.float32, name="audio")])
    def transformed(audio: Any) -> dict[str, Any]:
        spectrum = tf.signal.rfft(audio, name="spectrum")
        product = tf.multiply(spectrum, taps, name="product")
        whole = tf.signal.fft(tf.complex(audio, audio, name="made"), name="whole")
        return {
            "magnitude": tf.abs(spectrum, name="magnitude"),
            "back": tf.signal.irfft(product, name="back"),
            "imaginary": tf.math.imag(tf.signal.ifft(whole, name="inverse")),
            "frames": tf.abs(tf.signal.stft(audio, 128, 64)),
            "complex": whole,
        }

    module.f = transformed
    tf.saved_model.save(module, str(folder), signatures=transformed)
    audio = rng.normal(size=(3, LENGTH)).astype(np.float32)
    return session.trace(folder, audio, runtimes=[str(CPU), str(WEBGL)], cache=False, timeout_s=120.0)


def results(report: Report, runtime: RuntimeId) -> Mapping[str, tuple[TracePoint, PointResult]]:
    """Of one runtime, by the last part of a point's name."""
    assert report.trace is not None
    return {p.name.rpartition("/")[2]: (p, r) for p in report.trace.points for r in p.results if r.runtime == runtime}


def test_every_complex_value_is_compared_whole_and_alone(report: Report) -> None:
    assert report.trace is not None
    assert [point.name for point in report.trace.points if point.skipped] == []
    kinds = {(point.op, point.dtype) for point in report.trace.points}
    assert {op for op, dtype in kinds if dtype == "complex64"} >= {"RFFT", "FFT", "IFFT", "Mul", "Complex"}
    for runtime in (CPU, WEBGL):
        for name in ("spectrum", "product", "whole", "made", "inverse"):
            _, result = results(report, runtime)[name]
            assert result.inherited and result.own, name
            assert result.own.element_count % 2 == 0


@pytest.mark.parametrize("name", ["spectrum", "whole", "inverse", "back", "rfft"])
def test_each_transform_is_a_source_on_webgl_and_right_on_the_cpu(report: Report, name: str) -> None:
    _, on_gpu = results(report, WEBGL)[name]
    _, on_cpu = results(report, CPU)[name]
    assert on_gpu.role == "source"
    assert on_cpu.role in ("ok", "passes-on")


@pytest.mark.parametrize("name", ["magnitude", "product", "Imag"])
def test_what_follows_a_transform_only_passes_its_error_on(report: Report, name: str) -> None:
    assert results(report, WEBGL)[name][1].role == "passes-on"


def test_no_error_is_said_to_add_up_or_to_come_from_what_was_not_traced(report: Report) -> None:
    assert "accumulated-drift" not in {finding.code for finding in report.findings}
    blamed = {f.tensor.rpartition("/")[2] for f in report.findings if "ran_alone" in f.evidence and f.tensor}
    assert blamed == {"spectrum", "whole", "inverse", "back", "rfft", "product"}


def test_a_product_that_is_nan_of_finite_numbers_is_a_broken_kernel(report: Report) -> None:
    (found,) = (f for f in report.findings if f.runtimes == (CPU,) and "ran_alone" in f.evidence)
    assert found.code == "broken-kernel"
    assert found.tensor is not None and found.tensor.endswith("product")
    assert str(WEBGL) in found.advice


def test_a_complex_output_is_compared_in_its_parts(report: Report) -> None:
    rows = {c.candidate: c for c in report.comparisons if c.tensor == "complex" and not c.is_noise_floor}
    assert rows[CPU].passed is True and rows[WEBGL].passed is False
    assert rows[CPU].element_count == 2 * 3 * LENGTH
    assert report.verdict is Verdict.NAN_DIVERGENCE


def test_parts_are_a_last_axis_of_real_and_imaginary() -> None:
    value = np.array([[1 + 2j, 3 - 4j]], np.complex64)
    assert parts(value).tolist() == [[[1.0, 2.0], [3.0, -4.0]]]
    assert parts(value.T.astype(np.complex128)).shape == (2, 1, 2)
    assert parts(np.complex64(5j)[()].reshape(())).tolist() == [0.0, 5.0]
    real = np.ones(3, np.float32)
    assert parts(real) is real


def test_nan_in_one_part_has_its_origin_there() -> None:
    value = np.array([[1 + 1j, complex(2.0, np.nan)]], np.complex64)
    found = causes.origin(Point("p", "Mul", ("a",), None, "p:0", False), value, None, {"a": np.ones((1, 2), "c8")})
    assert found is not None
    assert (found.element.sample, found.element.index, found.count) == (0, (1, 1), 1)
    inherited = {"a": np.array([[1, complex(np.nan, 1.0)]], "c8")}
    assert causes.origin(Point("p", "Mul", ("a",), None, "p:0", False), value, None, inherited) is None
