"""The sample models, as a user meets them: every one in every format on every backend."""

from __future__ import annotations

from pathlib import Path

import pytest

import pycheck

from ..conftest import more
from ..shared import session

pytestmark = pytest.mark.real

MODELS = Path(__file__).parents[2] / "models"
BACKENDS = tuple(f"chromium:{kind}" for kind in ("cpu", "wasm", "webgl", "webgpu"))


def _compare(name: str, **options: object) -> pycheck.Report:
    (inputs,) = MODELS.glob(f"{Path(name).stem}_inputs.*")
    return session.compare(MODELS / name, inputs, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("cnn.keras", "layers"),
        *more(
            ("cnn.keras", "graph"),
            ("cnn.h5", "layers"),
            ("cnn.h5", "graph"),
            ("two_io.keras", "layers"),
            ("two_io.keras", "graph"),
            ("keras2.h5", "layers"),
            ("keras2.h5", "graph"),
            ("half_overflow.keras", "layers"),
            ("half_overflow.keras", "graph"),
        ),
    ],
)
def test_a_sound_sample_passes_in_both_formats_on_every_backend(name: str, format: str) -> None:
    report = _compare(name, runtimes=BACKENDS, format=format)
    assert report.verdict is pycheck.Verdict.PASS, report.findings
    assert {str(c.candidate) for c in report.comparisons if c.passed} == set(BACKENDS)


@pytest.mark.parametrize(
    ("name", "runtimes"),
    [("attention.keras", BACKENDS[:2]), *more(("attention.keras", BACKENDS[2:]), ("recurrent.keras", BACKENDS))],
)
def test_a_sample_that_tfjs_layers_lacks_takes_the_graph_format_and_passes(
    name: str, runtimes: tuple[str, ...]
) -> None:
    report = _compare(name, runtimes=runtimes)
    assert report.verdict is pycheck.Verdict.PASS, report.findings
    assert report.artifact is not None
    assert report.artifact.format == "graph"
    assert "tfjs-layers" in report.artifact.reason


def test_the_webgl_sample_gives_nan_on_webgl_alone() -> None:
    report = _compare("webgl_nan.keras", runtimes=BACKENDS)
    assert report.verdict is pycheck.Verdict.NAN_DIVERGENCE
    assert {str(c.candidate) for c in report.comparisons if c.nonfinite.introduced} == {"chromium:webgl"}


def test_the_half_float_sample_overflows_in_half_floats_alone() -> None:
    report = _compare("half_overflow.keras", runtimes=["chromium:webgl", "chromium:webgl-f16"])
    introduced = {str(c.candidate): c.nonfinite.introduced for c in report.comparisons if c.passed is not None}
    assert introduced["chromium:webgl"] == 0
    assert introduced["chromium:webgl-f16"] > 0


@pytest.mark.parametrize(
    "quantize", ["uint8", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("float16", "uint16"))]
)
def test_a_quantized_artifact_passes_with_the_error_of_its_rounding_and_fails_by_a_limit_that_is_given(
    quantize: str,
) -> None:
    report = _compare("cnn.keras", runtimes=["chromium:cpu", "chromium:wasm"], quantize=quantize)
    assert report.artifact is not None
    assert report.artifact.quantization == quantize
    assert report.verdict is pycheck.Verdict.PASS
    (cost,) = [finding for finding in report.findings if finding.code == "quantization-drift"]
    assert cost.severity == ("warning" if quantize == "uint8" else "info") and len(cost.runtimes) == 2
    strict = _compare("cnn.keras", runtimes=["chromium:cpu", "chromium:wasm"], quantize=quantize, atol=1e-6)
    assert strict.verdict is pycheck.Verdict.DRIFT
    (error,) = [finding for finding in strict.findings if finding.code == "quantization-drift"]
    assert error.severity == "error"


@pytest.mark.exhaustive
@pytest.mark.parametrize("policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.exhaustive)])
def test_a_model_of_half_precision_is_no_false_alarm(policy: str) -> None:
    import keras

    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(6, 3, activation="relu", dtype=policy)(x)
    y = keras.layers.Dense(4, activation="softmax")(keras.layers.Flatten()(y))
    report = session.compare(keras.Model(x, y), runtimes=BACKENDS)
    assert report.verdict is pycheck.Verdict.PASS, report.findings
    floors = {c.noise_floor for c in report.comparisons if c.passed}
    assert all(floor is not None and floor > 2.0**-20 for floor in floors)  # half precision's, not float32's
