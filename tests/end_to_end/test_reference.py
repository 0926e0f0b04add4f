"""The reference itself: what it is exact for, what it is not, and what the report says of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.report.terminal import render_terminal
from pycheck.types import Comparison, RuntimeStatus, Verdict

from ..shared import session

pytestmark = pytest.mark.real

RUNTIMES = ("chromium:cpu", "chromium:wasm")


@pytest.fixture(scope="module")
def images() -> Any:
    return np.random.default_rng(0).uniform(0, 1, (4, 20, 24, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def resampled(tmp_path_factory: pytest.TempPathFactory, images: Any) -> pycheck.Report:
    """A SavedModel with crops, resized images, a normalization over channels, and softened scores of boxes."""
    import tensorflow as tf

    def f(image: Any) -> Mapping[str, Any]:
        count = tf.shape(image)[0]
        boxes = tf.tile([[0.1, 0.1, 0.8, 0.9]], [count, 1])
        corners = tf.reshape(image[0, :4, :, :2], [-1, 2])
        kept, softened = tf.image.non_max_suppression_with_scores(
            tf.concat([corners, corners + 0.3], 1), tf.reshape(image[0, :4, :, 2], [-1]), 6, soft_nms_sigma=0.5
        )
        cropped = tf.image.crop_and_resize(image, boxes, tf.range(count), (8, 8))
        return {
            "crop": cropped,
            "behind": tf.reduce_mean(tf.tanh(cropped), [1, 2]),
            "resized": tf.image.resize(image, (31, 17)),
            "lrn": tf.nn.local_response_normalization(image, 1),
            "boxes": tf.gather(corners, kept),
            "softened": softened * 2.0,
        }

    folder = tmp_path_factory.mktemp("resampled") / "model"
    holder = tf.Module()
    holder.f = tf.function(f, input_signature=[tf.TensorSpec([None, 20, 24, 3], tf.float32, name="image")])
    tf.saved_model.save(holder, str(folder), signatures=holder.f)
    return session.compare(folder, {"image": images}, runtimes=RUNTIMES[:1], batch_size=4)


def rows(report: pycheck.Report, tensor: str, *, floor: bool = False) -> list[Comparison]:
    return [c for c in report.comparisons if c.tensor == tensor and c.is_noise_floor is floor]


def test_an_operation_with_an_exact_formula_has_the_noise_floor_that_float32_really_costs(
    resampled: pycheck.Report,
) -> None:
    assert resampled.verdict is Verdict.PASS
    for tensor in ("crop", "behind", "resized", "lrn", "boxes"):
        (row,) = rows(resampled, tensor)
        assert row.noise_floor is not None and row.floor_assumed_for == ()
    (crop,) = rows(resampled, "crop")
    assert crop.noise_floor is not None and 5e-7 < crop.noise_floor < 5e-6
    # TF.js's cpu backend computes coordinates in float64: it is nearer to exact arithmetic than TensorFlow.
    assert crop.max_abs_error is not None and crop.max_abs_error < 1e-7


def test_an_output_behind_float32_has_an_assumed_noise_floor_and_the_report_says_so(resampled: pycheck.Report) -> None:
    (row,), (floor,) = rows(resampled, "softened"), rows(resampled, "softened", floor=True)
    assert row.noise_floor is None
    assert row.floor_assumed_for == floor.floor_assumed_for == ("NonMaxSuppressionV5",)
    assert row.tolerance is not None
    assert "an assumed noise floor" in row.tolerance.derivation
    assert "NonMaxSuppressionV5" in row.tolerance.derivation
    double = next(r for r in resampled.runtimes if str(r.id) == "native:float64")
    assert double.environment is not None
    assert double.environment.in_float32 == {"softened": ("NonMaxSuppressionV5",)}
    assert any("noise floor of softened is assumed" in note for note in double.environment.notes)
    lines = [line.split() for line in render_terminal(resampled, width=120).splitlines()]
    assert ["softened", "assumed"] in [words[:2] for words in lines]


def test_channels_first_has_a_float64_reference(tmp_path: Path) -> None:
    import keras

    layers, first = keras.layers, {"data_format": "channels_first"}
    flat = keras.Sequential([
        keras.Input((3, 20, 24)), layers.Conv2D(6, (1, 5), **first), layers.ReLU(), layers.MaxPooling2D(2, **first),
        layers.BatchNormalization(axis=1), layers.Flatten(**first), layers.Dense(4),
    ])  # fmt: skip
    flat.save(tmp_path / "m.keras")
    x = np.random.default_rng(0).normal(size=(4, 3, 20, 24)).astype(np.float32)
    report = session.compare(tmp_path / "m.keras", x, runtimes=RUNTIMES)
    assert report.verdict is Verdict.PASS
    assert all(record.status is RuntimeStatus.OK for record in report.runtimes)
    assert not [f for f in report.findings if f.severity.value != "info"]
    assert all(c.noise_floor is not None for c in report.comparisons if not c.is_noise_floor)


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A file of TimeDistributed over a free axis, inputs of ten samples, and what predict gives in batches of four."""
    import keras

    i = keras.Input((None, 5))
    each = keras.layers.TimeDistributed(keras.layers.Dense(4, activation="tanh"), name="each")(i)
    model = keras.Model(i, keras.layers.GlobalAveragePooling1D(name="mean")(each))
    file = tmp_path_factory.mktemp("steps") / "steps.keras"
    model.save(file)
    x = np.random.default_rng(0).normal(size=(10, 7, 5)).astype(np.float32)
    return file, x, np.concatenate([model(x[k : k + 4], training=False).numpy() for k in (0, 4, 8)])


def test_the_reference_is_what_predict_gives_in_every_batch_from_the_cache_and_from_disk(
    steps: tuple[Path, Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, x, predicted = steps
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path / "cache"))
    first = session.compare(file, x, runtimes=RUNTIMES[:1], batch_size=4, save_run=tmp_path / "run")
    again = session.compare(file, x, runtimes=RUNTIMES[:1], batch_size=4)
    from_disk = pycheck.rejudge(tmp_path / "run")
    for report in (first, again, from_disk):
        assert report.verdict is Verdict.PASS
        assert report.artifact is not None and report.artifact.format == "layers"
        (found,) = (f for f in report.findings if f.code == "reference-differs")
        assert (found.severity.value, found.layer, found.evidence["outcome"]) == ("warning", "each", "retraced")
        assert "keras.Input((7, 5))" in found.advice
    import safetensors.numpy

    files = sorted((tmp_path / "run" / "outputs").rglob("*float32*"))
    stored = [f for folder in files for f in (sorted(folder.rglob("*")) if folder.is_dir() else [folder])]
    kept = [safetensors.numpy.load_file(f)["mean"] for f in stored if f.is_file()]
    np.testing.assert_allclose(np.concatenate(kept), predicted, atol=1e-6)


def test_a_graph_artifact_of_a_wrong_trace_fails_with_its_cause_in_python(steps: tuple[Path, Any, Any]) -> None:
    file, x, _ = steps
    report = session.compare(file, x[:4], runtimes=RUNTIMES, format="graph")
    assert report.verdict is not Verdict.PASS
    (cause,) = (f for f in report.findings if f.code == "reference-differs")
    assert "try --format layers" in cause.advice and "keras.Input((7, 5))" in cause.advice
    effects = [f for f in report.findings if f.severity.value == "error"]
    causes = [f for f in effects if not f.explained_by]
    assert causes and all(f.advice == "The cause is in Python: see reference-differs." for f in causes)
    assert not any(f.advice for f in effects if f.explained_by)


def test_a_layer_in_training_mode_is_named_and_the_artifact_gives_what_predict_gives() -> None:
    import keras

    layers = keras.layers
    i = keras.Input((8, 8, 3))
    normal = layers.BatchNormalization(name="normal")(layers.Conv2D(4, 3)(i), training=True)
    model = keras.Model(i, layers.Flatten()(layers.Dropout(0.5, name="drop")(normal, training=True)))
    x = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype(np.float32)
    report = session.compare(model, x, runtimes=RUNTIMES[:1])
    assert report.verdict is Verdict.PASS
    (found,) = (f for f in report.findings if f.code == "training-mode")
    assert found.evidence["layers"] == ["normal", "drop"] and found.evidence["predict_keeps_to_it"] is False
    assert "normal (BatchNormalization) and drop (Dropout)" in found.summary
    single = next(r for r in report.runtimes if str(r.id) == "native:float32")
    assert single.environment is not None
    assert "model.predict gives the same results on the first batch, up to roundoff" in single.environment.notes


def test_a_conversion_to_a_graph_of_a_wrong_trace_names_the_layer_and_the_sizes_to_give(
    steps: tuple[Path, Any, Any], tmp_path: Path
) -> None:
    file, x, _ = steps
    with pytest.raises(pycheck.ConversionError, match=r"is not verified: it fails the check") as error:
        pycheck.convert(file, tmp_path / "out", inputs=x[:4], format="graph")
    assert "from the layer each on" in error.value.advice and "keras.Input((7, 5))" in error.value.advice
    assert (tmp_path / "out" / "model.json").exists()  # it runs; its error can be examined


def test_a_browser_that_decides_as_float32_in_python_passes_although_float64_decides_otherwise() -> None:
    """Readings with one decimal, times ten, cut to integers: 35.3 * 10 is 353 in float32 and 352.99999 in float64."""
    import keras

    keras.utils.set_random_seed(0)
    readings = keras.Input((8,))
    tenths = keras.ops.cast(readings * 10, "int32")
    rows = keras.layers.Flatten()(keras.layers.Embedding(500, 4, embeddings_initializer="normal")(tenths))
    model = keras.Model(readings, keras.layers.Dense(3, "softmax", name="kind")(rows * 30))
    x = (np.random.default_rng(0).integers(350, 420, (16, 8)) / 10).astype(np.float32)
    report = session.compare(model, x, runtimes=["chromium:cpu", "chromium:webgl"])
    assert report.passed, report.findings
    assert all((c.max_abs_error or 0.0) < 1e-6 for c in report.comparisons if not c.is_noise_floor)
    codes = {finding.code for finding in report.findings}
    assert "noise-floor-high" in codes and not codes & {"reference-differs", "top1-flip"}
