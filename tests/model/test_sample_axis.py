"""Which tensors of a model have a row for each sample: shapes suggest it, and only what the rows do decides it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pycheck.model import Model, identify, load

pytestmark = pytest.mark.real

L = keras.layers


def saved(folder: Path, function: Callable[..., Any], *specs: Any, keep: Any = None) -> Model:
    holder = tf.Module()
    holder.kept = keep
    holder.f = tf.function(function, input_signature=specs)
    tf.saved_model.save(holder, str(folder), signatures=holder.f)
    return load(identify(folder))


def inputs_of(model: Model) -> dict[str, bool]:
    return {spec.name: spec.has_sample_axis for spec in model.info.signature.inputs}


def outputs_of(model: Model) -> dict[str, bool]:
    return {spec.name: spec.has_sample_axis for spec in model.info.signature.outputs}


def spec(shape: list[int | None], name: str = "x", dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name=name)


def nms(boxes: Any, scores: Any) -> Any:
    return tf.image.non_max_suppression(boxes, scores, 5)


def test_rows_that_follow_the_samples_are_told_from_all_other_first_axes(tmp_path: Path) -> None:
    def f(x: Any) -> dict[str, Any]:
        kept = nms(x[:, :4], x[:, 4])
        return {
            "double": x * 2,
            "reshaped": tf.reshape(x, [tf.shape(x)[0], 2, 4]),
            "mapped": tf.map_fn(lambda row: row + 1, x),
            "looped": tf.while_loop(lambda v: tf.reduce_sum(tf.abs(v)) < 1, lambda v: (v + 1,), [x])[0],
            "total": tf.reduce_sum(x),
            "mean": tf.reduce_mean(x, 0, keepdims=True),
            "by_feature": tf.transpose(x),
            "flat": tf.reshape(x, [-1]),
            "quads": tf.reshape(x, [-1, 4]),
            "anchors": tf.ones([7, 4]),
            "positive": tf.boolean_mask(x, x[:, 0] > 0),
            "nonzero": tf.where(x[:, 0] != 0),
            "distinct": tf.unique(tf.cast(x[:, 0] > 0, tf.int32))[0],
            "boxes": tf.gather(x[:, :4], kept),
            "count": tf.size(kept),
        }

    model = saved(tmp_path / "m", f, spec([None, 8]))
    assert inputs_of(model) == {"x": True}
    assert {name for name, has in outputs_of(model).items() if has} == {"double", "reshaped", "mapped", "looped"}


@pytest.mark.parametrize("batch", [1, 3, 4])
def test_a_fixed_batch_has_as_many_rows(tmp_path: Path, batch: int) -> None:
    def f(image: Any) -> dict[str, Any]:
        rows = tf.reshape(image, [-1, 4])
        kept = nms(rows, rows[:, 0])
        return {
            "same": image + 1,
            "pooled": tf.reduce_mean(image, [1, 2]),
            "boxes": tf.gather(rows, kept),
            "count": tf.size(kept),
            "anchors": tf.ones([batch + 1, 4]),
        }

    model = saved(tmp_path / "m", f, spec([batch, None, None, 4], "image"))
    assert inputs_of(model) == {"image": True}
    assert outputs_of(model) == {"anchors": False, "boxes": False, "count": False, "pooled": True, "same": True}


def test_an_image_of_a_fixed_batch_of_one_stays_a_sample_when_no_output_has_a_row_for_it(tmp_path: Path) -> None:
    model = saved(tmp_path / "m", lambda x: {"boxes": tf.where(x[0, :, :, 0] > 0)}, spec([1, None, None, 3]))
    assert (inputs_of(model), outputs_of(model)) == ({"x": True}, {"boxes": False})


@pytest.mark.parametrize("size", [None, 4000])
def test_the_axis_of_a_waveform_is_time(tmp_path: Path, size: int | None) -> None:
    def frames(audio: Any) -> dict[str, Any]:
        return {"frames": tf.abs(tf.signal.stft(audio, 256, 128)), "loudest": tf.reduce_max(audio)}

    def filtered(audio: Any) -> dict[str, Any]:
        kernel = tf.constant([0.25, 0.5, 0.25])[:, None, None]
        return {"audio": tf.nn.conv1d(audio[None, :, None], kernel, 1, "SAME")[0, :, 0]}

    def cumulated(audio: Any) -> dict[str, Any]:
        return {"audio": tf.cumsum(audio)}

    for number, f in enumerate((frames, filtered, cumulated)):
        model = saved(tmp_path / str(number), f, spec([size], "audio"))
        assert inputs_of(model) == {"audio": False}
        assert not any(outputs_of(model).values())


def test_columns_of_a_table_are_samples(tmp_path: Path) -> None:
    model = saved(
        tmp_path / "m",
        lambda age, rooms: {"score": tf.stack([age * 2, tf.cast(rooms, tf.float32)], 1)},
        spec([None], "age"),
        spec([None], "rooms", tf.int32),
    )
    assert inputs_of(model) == {"age": True, "rooms": True}
    assert outputs_of(model) == {"score": True}


def test_a_scalar_and_a_table_beside_the_samples_are_given_whole(tmp_path: Path) -> None:
    def f(query: Any, documents: Any, threshold: Any) -> dict[str, Any]:
        return {"scores": tf.matmul(query, documents, transpose_b=True) - threshold}

    model = saved(tmp_path / "m", f, spec([None, 3], "query"), spec([None, 3], "documents"), spec([], "threshold"))
    assert inputs_of(model) == {"query": True, "documents": False, "threshold": False}
    assert outputs_of(model) == {"scores": True}


def test_the_boxes_are_the_samples_of_what_is_cropped(tmp_path: Path) -> None:
    def f(image: Any, boxes: Any, owners: Any) -> dict[str, Any]:
        return {"crops": tf.image.crop_and_resize(image, boxes, owners, (4, 4))}

    model = saved(
        tmp_path / "m", f, spec([None, 8, 8, 3], "image"), spec([None, 4], "boxes"), spec([None], "owners", tf.int32)
    )
    assert inputs_of(model) == {"image": False, "boxes": True, "owners": True}
    assert outputs_of(model) == {"crops": True}


def test_a_picture_without_a_batch_is_one_value(tmp_path: Path) -> None:
    def f(image: Any) -> dict[str, Any]:
        return {"scores": tf.reduce_mean(image, [0, 1]), "smooth": tf.nn.avg_pool2d(image[None], 3, 1, "SAME")[0]}

    for number, shape in enumerate(([None, None, 3], [24, 24, 3])):
        model = saved(tmp_path / str(number), f, spec(shape, "image"))
        assert inputs_of(model) == {"image": False}
        assert not any(outputs_of(model).values())


def test_no_inputs_means_no_samples(tmp_path: Path) -> None:
    model = saved(tmp_path / "m", lambda: {"table": tf.reshape(tf.range(12), [3, 4])})
    assert (inputs_of(model), outputs_of(model)) == ({}, {"table": False})


def test_a_model_that_changes_its_variables_is_not_run_to_find_out(tmp_path: Path) -> None:
    calls = tf.Variable(0.0)

    def f(x: Any) -> dict[str, Any]:
        calls.assign_add(1.0)
        return {"y": x + calls, "kept": tf.boolean_mask(x, x[:, 0] > 0)}

    model = saved(tmp_path / "m", f, spec([None, 3]), keep=calls)
    assert inputs_of(model) == {"x": True}
    assert outputs_of(model)["y"]
    assert model.predict({"x": np.zeros((1, 3), np.float32)})["y"][0, 0] == 1.0


def recurrent() -> keras.Model:
    i = keras.Input((None, 4))
    steps = L.Bidirectional(L.GRU(3, return_sequences=True))(i)
    return keras.Model(i, [L.LSTM(2)(steps), steps, keras.ops.reshape(i, (-1, 4)), keras.ops.sum(i)])


def test_keras_inputs_are_samples_by_definition_and_its_outputs_are_looked_at() -> None:
    model = load(recurrent())
    assert list(inputs_of(model).values()) == [True]
    assert list(outputs_of(model).values()) == [True, True, False, False]


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_of_keras(batch: int) -> None:
    i = keras.Input(batch_shape=(batch, 5, 4))
    model = load(keras.Model(i, [L.LSTM(2)(i), keras.ops.reshape(i, (-1, 4))]))
    assert list(inputs_of(model).values()) == [True]
    assert list(outputs_of(model).values()) == [True, False]


def test_a_loop_that_never_ends_on_made_values_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any) -> dict[str, Any]:
        def same(value: Any, count: Any) -> Any:
            return value * 1, count + 1

        looped, count = tf.while_loop(lambda v, _: tf.reduce_sum(v) < 1e6, same, [x, 0])
        return {"looped": looped, "count": count}

    monkeypatch.setattr("pycheck.model.sample_axis._LONGEST_RUN_S", 0.5)
    started = time.monotonic()
    model = saved(tmp_path, f, spec([None, 3]))
    assert time.monotonic() - started < 60
    assert inputs_of(model) == {"x": True}
    assert outputs_of(model) == {"looped": True, "count": False}


def test_rows_behind_a_lookup_or_a_count_which_shape_inference_does_not_know_follow_the_samples(tmp_path: Path) -> None:
    """An exported classifier of mixed features; the layer that joins them needs equal numbers of rows."""
    inputs = {
        "age": keras.Input((1,), name="age"),
        "city": keras.Input((1,), name="city", dtype="string"),
        "zip": keras.Input((1,), name="zip", dtype="int64"),
        "tags": keras.Input((3,), name="tags", dtype="int32"),
    }
    joined = [
        inputs["age"],
        L.StringLookup(vocabulary=["x", "y"], output_mode="one_hot")(inputs["city"]),
        L.IntegerLookup(vocabulary=[7, 8, 9], output_mode="one_hot")(inputs["zip"]),
        L.CategoryEncoding(4, output_mode="count")(inputs["tags"]),
    ]
    keras.Model(inputs, L.Dense(1)(L.Concatenate()(joined))).export(tmp_path / "m")
    model = load(identify(tmp_path / "m"))
    assert inputs_of(model) == {"age": True, "city": True, "zip": True, "tags": True}


def test_a_run_that_fails_is_not_taken_for_one_that_does_not_end(tmp_path: Path) -> None:
    """The model is run again: after rows that do not fit it runs on rows that do."""

    def f(a: Any, b: Any, c: Any) -> dict[str, Any]:
        found = tf.boolean_mask(a, tf.ones_like(a[:, 0]) > 0)  # as many rows as there are, which only a run tells
        return {"joined": tf.concat([found, tf.boolean_mask(b, tf.ones_like(b[:, 0]) > 0), c], 1)}

    model = saved(tmp_path / "m", f, spec([None, 2], "a"), spec([None, 3], "b"), spec([None, 1], "c"))
    assert inputs_of(model) == {"a": True, "b": True, "c": True}


LOOKED_UP = ([None], "city", tf.int32)
BESIDE: dict[str, tuple[Callable[..., Any], list[tuple[Any, ...]], set[str]]] = {
    "a factor for each feature": (lambda x, scale: x * scale, [([None, None], "x"), ([None], "scale")], {"x"}),
    "an offset for each of nine": (lambda x, offset: x + offset, [([None, 9], "x"), ([None], "offset")], {"x"}),
    "the weights of a product": (lambda x, w: x @ w, [([None, None], "x"), ([None, 4], "w")], {"x"}),
    "a factor for each channel": (lambda x, w: x * w, [([None, 8, 8, 3], "x"), ([None], "w")], {"x"}),
    "anchors in pairs": (
        lambda x, anchors: x + tf.reduce_sum(tf.reshape(anchors, [-1, 2, 4])),
        [([None, 4], "x"), ([None, 4], "anchors")],
        {"x"},
    ),
    "two halves": (
        lambda x, b: x + tf.reduce_sum(tf.add_n(tf.split(b, 2, 0))),
        [([None, 4], "x"), ([None, 4], "b")],
        {"x"},
    ),
    "boxes and their scores": (
        lambda x, boxes, scores: x + tf.cast(tf.size(nms(boxes, scores)), tf.float32),
        [([None, 4], "x"), ([None, 4], "boxes"), ([None], "scores")],
        {"x"},
    ),
    "a feature looked up beside numbers": (
        lambda x, city: tf.concat([x, tf.boolean_mask(tf.one_hot(city, 2), city > -1)], 1),
        [([None, 4], "x"), LOOKED_UP],
        {"x", "city"},
    ),
    "a feature looked up beside an image": (
        lambda x, city: tf.concat([tf.reduce_mean(x, [1, 2]), tf.boolean_mask(tf.one_hot(city, 2), city > -1)], 1),
        [([None, 16, 16, 3], "x"), LOOKED_UP],
        {"x", "city"},
    ),
}


@pytest.mark.parametrize("case", BESIDE)
def test_what_stands_beside_the_samples_is_bound_to_them_only_by_the_number_of_rows(tmp_path: Path, case: str) -> None:
    f, given, samples = BESIDE[case]
    model = saved(tmp_path / "m", lambda *values: {"y": f(*values)}, *(spec(*each) for each in given))
    assert {name for name, has in inputs_of(model).items() if has} == samples
    assert outputs_of(model) == {"y": True}
