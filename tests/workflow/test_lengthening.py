"""Free dimensions of made inputs are lengthened until the model runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.conversion import convert
from pycheck.errors import ConversionError, UsageError
from pycheck.model import identify, load
from pycheck.options.reading import build
from pycheck.workflow.lengthening import Lengths, search

from ..conftest import more

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def keras() -> Any:
    from pycheck.model.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras

    return keras


def lengths(model: Any, **options: Any) -> Lengths:
    loaded = load(model)
    return search(loaded, build(options, environ={}), loaded.input_hints)


def test_what_runs_at_once_is_left_as_it_is(keras: Any) -> None:
    L, words, image = keras.layers, keras.Input((None,), name="words"), keras.Input((None, None, 3), name="image")
    model = keras.Model(
        [words, image],
        [L.GlobalAveragePooling1D()(L.Embedding(9, 2)(words)), L.GlobalMaxPooling2D()(L.Conv2D(2, 3)(image))],
    )
    assert lengths(model) == Lengths({"words": (8,), "image": (64, 64)})


def test_a_sequence_that_is_cropped_is_lengthened_and_the_layer_that_fails_on_less_is_named(keras: Any) -> None:
    L = keras.layers
    layers = [
        keras.Input((None, 4), name="x"),
        L.Conv1D(8, 11, padding="same"),
        L.Cropping1D(50, name="crop"),
        L.Conv1D(3, 1),
    ]
    found = lengths(keras.Sequential(layers))
    assert found.sizes == {"x": (128,)}
    assert found.notes == ("free dimensions were increased until the model runs: with x 64, crop fails",)


@pytest.mark.parametrize(
    ("tail", "size"),
    [
        (lambda L: [L.Cropping2D(40), L.Conv2D(2, 1)], 128),
        (lambda L: [L.Conv2D(2, 3, strides=2), *[L.MaxPooling2D(4) for _ in range(3)]], 256),
        (lambda L: [L.Cropping2D(40), L.GlobalAveragePooling2D()], 128),
    ],
)
def test_images_are_lengthened_too(keras: Any, tail: Any, size: int) -> None:
    assert lengths(keras.Sequential([keras.Input((None, None, 3), name="x"), *tail(keras.layers)])).sizes == {
        "x": (size, size)
    }


@pytest.mark.parametrize(
    ("shape", "layers", "sizes"),
    [
        ((None, 12, 1), lambda L: [L.Cropping2D((30, 0)), L.Conv2D(2, 1)], (64,)),
        ((None, 224, 1), lambda L: [L.Flatten(), L.Dense(2)], (224,)),
        ((None, None, None, 1), lambda L: [L.Cropping3D(10), L.Conv3D(2, 1)], (32, 32, 32)),
        *more(
            ((None, 6, 3), lambda L: [L.TimeDistributed(L.Bidirectional(L.LSTM(2)))], (8,)),
            ((None, 80, 1), lambda L: [L.Flatten(), L.Dense(2)], (300,)),
        ),
    ],
)
def test_one_free_side_is_a_length_and_three_are_small(
    keras: Any, shape: tuple[int | None, ...], layers: Any, sizes: tuple[int, ...], tmp_path: Path
) -> None:
    made = layers(keras.layers)
    fixed = (sizes[0], *shape[1:])
    if any(isinstance(layer, keras.layers.Flatten) for layer in made):
        model: Any = identify(_exported_with(keras.Sequential([keras.Input(fixed), *made]), shape, tmp_path))
    else:
        model = keras.Sequential([keras.Input(shape, name="x"), *made])
    assert lengths(model).sizes == {"x": sizes}


def _exported_with(model: Any, shape: tuple[int | None, ...], folder: Path) -> Path:
    """A SavedModel that says of its input less than it needs."""
    import tensorflow as tf

    holder = tf.Module()
    holder.model = model
    spec = tf.TensorSpec([None, *shape], tf.float32, "x")
    holder.f = tf.function(lambda x: {"y": model(x)}, [spec])
    tf.saved_model.save(holder, str(folder / "model"), signatures=holder.f)
    return folder / "model"


def test_a_length_that_only_predict_refuses_is_too_short(keras: Any) -> None:
    """A convolution that leaves nothing runs, and so does the pooling after it, which then has a size below 0."""
    L = keras.layers
    layers = [L.MaxPooling1D(16), L.Conv1D(4, 5), L.AveragePooling1D(4, name="last"), L.GlobalAveragePooling1D()]
    model = keras.Sequential([keras.Input((None, 2), name="x"), *layers])
    for length in (64, 80):
        with pytest.raises(ValueError, match="Negative dimension size"):
            model.predict(np.zeros((1, length, 2), np.float32), verbose=0)
    assert lengths(model).sizes == {"x": (128,)}
    with pytest.raises(
        UsageError, match=r"--size x:80: last: .*Negative dimension size caused by subtracting 4 from 1"
    ):
        lengths(model, size="80")


def test_inputs_that_share_a_dimension_grow_together(keras: Any) -> None:
    L, a, b = keras.layers, keras.Input((None, 4), name="a"), keras.Input((None, 4), name="b")
    assert lengths(keras.Model([a, b], L.Cropping1D(10)(L.Add()([a, b])))).sizes == {"a": (32,), "b": (32,)}


def test_an_input_grows_alone_where_another_must_stay_short(keras: Any) -> None:
    class Placed(keras.layers.Layer):
        """Position embeddings for at most 8 places."""

        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(8, 4))

        def call(self, x: Any) -> Any:
            return x + keras.ops.take(self.table, keras.ops.arange(keras.ops.shape(x)[1]), axis=0)

    L, a, b = keras.layers, keras.Input((None, 4), name="a"), keras.Input((None, 4), name="b")
    model = keras.Model([a, b], [Placed()(a), L.Cropping1D(100)(b)])
    assert lengths(model).sizes == {"a": (8,), "b": (256,)}


def test_a_size_that_only_one_length_fits_is_found_among_the_usual_ones(tmp_path: Path, keras: Any) -> None:
    import tensorflow as tf

    holder = tf.Module()
    holder.w = tf.Variable(np.ones((28 * 28, 3), np.float32))
    spec = tf.TensorSpec([None, None, None, 1], tf.float32, "image")
    holder.f = tf.function(lambda image: {"y": tf.reshape(image, [tf.shape(image)[0], -1]) @ holder.w}, [spec])
    tf.saved_model.save(holder, str(tmp_path / "model"), signatures=holder.f)
    assert lengths(identify(tmp_path / "model")).sizes == {"image": (28, 28)}


def test_where_no_length_does_the_layer_is_named_and_the_option_that_sets_the_size(keras: Any) -> None:
    layers = [keras.Input((None, 4), name="x"), keras.layers.Cropping1D(50000, name="crop")]
    with pytest.raises(UsageError) as caught:
        lengths(keras.Sequential(layers))
    assert caught.value.exit_code == 2
    assert "free dimensions of x (8 to 44100). With x 8: crop: `cropping` parameter" in caught.value.message
    assert "--size x:N" in caught.value.advice


def test_a_size_that_was_asked_for_is_kept_or_refused(keras: Any) -> None:
    model = keras.Sequential([keras.Input((None, 4), name="x"), keras.layers.Cropping1D(50, name="crop")])
    assert lengths(model, size="x:101").sizes == {"x": (101,)}
    with pytest.raises(UsageError, match=r"does not run with --size x:9: crop: "):
        lengths(model, size={"x": 9})


@pytest.mark.parametrize("kind", ["mean", *more("sum", "max")])
def test_parts_of_a_ragged_tensor_are_no_matter_of_sizes(tmp_path: Path, keras: Any, kind: str) -> None:
    import tensorflow as tf

    holder, reduce = tf.Module(), getattr(tf, f"reduce_{kind}")
    spec = tf.RaggedTensorSpec([None, None], tf.float32)
    holder.f = tf.function(lambda rows: {"y": reduce(rows, axis=1)}, [spec])
    tf.saved_model.save(holder, str(tmp_path / "model"), signatures=holder.f)
    with pytest.raises(UsageError, match="ragged tensor") as caught:
        lengths(identify(tmp_path / "model"))
    assert "to_tensor()" in caught.value.advice and "--size" not in str(caught.value)
    with pytest.raises(ConversionError, match="no such operation") as refused:
        convert(load(identify(tmp_path / "model")), tmp_path / "artifact")
    assert "to_tensor()" in refused.value.advice
