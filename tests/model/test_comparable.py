"""What a model gives that is no plain tensor of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pycheck.errors import ModelFileError
from pycheck.model import identify, load
from pycheck.model.comparable import comparable

pytestmark = pytest.mark.real


def test_composite_tensors_become_their_parts_and_none_is_no_output() -> None:
    ragged = tf.ragged.constant([[[1.0], [2.0, 3.0]], []])
    sparse = tf.sparse.from_dense([[0.0, 5.0]])
    kept, notes = comparable({"r": ragged, "s": sparse, "none": None, "plain": tf.constant([1]), "python": 3.0})
    assert list(kept) == [
        "r_values", "r_row_splits", "r_row_splits_1", "s_indices", "s_values", "s_shape", "plain", "python"
    ]  # fmt: skip
    assert notes == ()
    assert kept["r_values"].numpy().tolist() == [1, 2, 3]
    assert kept["s_indices"].numpy().tolist() == [[0, 1]]


def exported(folder: Path, function: Any) -> Path:
    holder = tf.Module()
    holder.f = tf.function(function, input_signature=[tf.TensorSpec([None, 3], name="x")])
    tf.saved_model.save(holder, str(folder), signatures=holder.f)
    return folder


def test_labels_are_left_out_and_the_scores_beside_them_are_compared(tmp_path: Path) -> None:
    names = tf.constant(["cat", "dog", "cow"])
    folder = exported(tmp_path / "m", lambda x: {"label": tf.gather(names, tf.argmax(x, 1)), "scores": x * 2})
    model = load(identify(folder))
    assert [spec.name for spec in model.info.signature.outputs] == ["scores"]
    assert "the output label is not compared: it holds strings" in model.notes
    assert model.predict({"x": np.ones((2, 3), np.float32)})["scores"].tolist() == [[2, 2, 2]] * 2


def test_strings_alone_are_refused(tmp_path: Path) -> None:
    folder = exported(tmp_path / "m", lambda x: {"text": tf.strings.as_string(x)})
    with pytest.raises(ModelFileError, match=r"no numeric output: the output text .* holds strings"):
        load(identify(folder))
