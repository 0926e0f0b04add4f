"""Migrations with real converters, and with a real browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.types import Decision

from ..conftest import more

pytestmark = pytest.mark.real
X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


@pytest.mark.parametrize("kind", ["wasm", *more("webgl")])
def test_a_model_moves_with_the_size_and_the_times_of_both_libraries(kind: str) -> None:
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(256, "relu")(keras.layers.Dense(256, "relu")(x))
    model = keras.Model(x, keras.layers.Dense(3, "softmax", name="y")(hidden))
    migration = pycheck.migrate(model, X, runtimes=[f"chromium:{kind}"])
    assert migration.decision is Decision.MOVE
    report = migration.report
    assert report.power and report.power.sample_count == len(X)  # a migration runs one sample at a time
    assert [artifact.format for artifact in report.artifacts] == ["layers", "tflite"]
    for record in report.runtimes[2:]:
        assert all(record.timings_s[step] > 0 for step in ("load", "first_predict", "per_sample"))
    sizes = {v.quantization: v.artifact.size_bytes for v in migration.variants if v.artifact}
    assert report.litert_artifact and report.litert_artifact.size_bytes > 1.8 * sizes["float16"] > 3 * sizes["dynamic"]
    assert migration.smallest not in (None, "none")


def test_what_neither_library_converts_is_named_for_each() -> None:
    import keras
    import tensorflow as tf

    class Eigenvalues(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return tf.linalg.eigvalsh(x[:, :, None] * x[:, None, :] + tf.eye(4))

    x = keras.Input((4,), name="x")
    model = keras.Model(x, Eigenvalues(name="eigenvalues")(x))
    migration = pycheck.migrate(model, X)
    assert [found.library for found in migration.unsupported] == ["TF.js", "LiteRT.js"]
    assert "layer 'eigenvalues'" in migration.unsupported[0].message
    assert all("SelfAdjointEigV2" in found.message and found.advice for found in migration.unsupported)
    assert migration.decision is Decision.STAY
