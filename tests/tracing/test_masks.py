"""A layer that reads a mask has it in isolation too, computed from where the mask is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.model.tensorflow_import import import_tensorflow

from ..published import import_tensorflowjs
from ..shared import session
from .conftest import Traced, points

pytestmark = pytest.mark.real

#: Sentences that end with zeros, in the middle of which there are zeros, and that have only zeros.
IDS = np.array([[3, 1, 4, 1, 5], [2, 7, 0, 0, 0], [0, 6, 0, 8, 0], [0, 0, 0, 0, 0]], np.int32)


def masked() -> tuple[Any, Any]:
    """A mask of ids and a mask of steps, each behind layers that pass it on."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    ids, steps = keras.Input((5,), name="ids", dtype="int32"), keras.Input((5, 3), name="steps")
    words = layers.TimeDistributed(layers.Dense(4))(layers.Embedding(9, 4, mask_zero=True)(ids))
    words = layers.GRU(3, return_sequences=True, reset_after=False, name="gru")(words)
    series = layers.Dense(4)(layers.Masking(name="mask")(layers.Rescaling(2.0, name="twice")(steps)))
    both = [layers.LSTM(3, name="lstm")(words), layers.SimpleRNN(3, name="rnn")(series)]
    values = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    values[IDS == 0] = 0.0
    return keras.Model([ids, steps], layers.Concatenate()(both)), {"ids": IDS, "steps": values}


def test_layers_that_read_a_mask_are_right_in_isolation(traced: Traced) -> None:
    report = traced(masked, format="layers", runtimes=("chromium:cpu",))
    assert report.passed
    readers = {point.name: point for point in points(report) if point.name in ("gru", "lstm", "rnn")}
    assert {name: point.inputs[1] for name, point in readers.items()} == {"gru": "ids", "lstm": "ids", "rnn": "twice"}
    for point in readers.values():
        (result,) = point.results
        assert (result.role, result.note) == ("ok", None), point.name
        assert result.own is not None and result.own.passed, point.name


def test_a_layer_of_a_nested_model_reads_the_mask_of_the_call_in_the_whole_run_and_in_isolation(tmp_path: Path) -> None:
    import_tensorflow()
    import_tensorflowjs()
    import tf_keras
    from tensorflowjs.converters import save_keras_model

    layers = tf_keras.layers
    chain = [layers.Dense(4, name="dense", input_shape=(5, 4)), layers.LSTM(3, name="lstm")]
    inner = tf_keras.Sequential(chain, name="inner")
    ids = tf_keras.Input((5,), name="ids", dtype="int32")
    model = tf_keras.Model(ids, inner(layers.Embedding(9, 4, mask_zero=True, name="table")(ids)))
    save_keras_model(model, str(tmp_path))
    report = session.trace(tmp_path / "model.json", {"ids": IDS}, runtimes=["chromium:cpu"], cache=False)
    assert report.passed
    (lstm,) = (point for point in points(report) if point.name == "inner/lstm")
    assert lstm.inputs == ("inner/dense", "ids")
    (result,) = lstm.results
    assert (result.role, result.note) == ("ok", None)
    assert result.inherited is not None and result.inherited.passed
    assert result.own is not None and result.own.passed
