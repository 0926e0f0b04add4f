"""The function that stands for Python, held against the user's own predict, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import RuntimeFailedError
from pycheck.graphdef.float64.promotion import to_float64
from pycheck.graphdef.function import GraphFunction
from pycheck.model import Model, identify, load, loaded
from pycheck.model.own_predict import OwnPredict
from pycheck.types import ReferenceCheck, Tensors
from pycheck.workflow.casts import out_of_range_casts
from pycheck.workflow.reference_check import check_failure, check_reference, told

from ..conftest import more

pytestmark = pytest.mark.real

Check = Callable[..., tuple[Model, Tensors, ReferenceCheck]]


def named(model: Model, *shape: int) -> Tensors:
    (spec,) = model.info.signature.inputs
    return {spec.name: np.random.default_rng(1).normal(size=shape).astype(np.float32)}


@pytest.fixture(scope="module")
def check(keras: Any) -> Check:
    """What a model and its inputs are, and the check of what float32 and float64 give for them."""

    def run(keras_model: Any, *shape: int) -> tuple[Model, Tensors, ReferenceCheck]:
        model = load(keras_model)
        tensors = named(model, *shape)
        frozen = model.frozen()
        double = GraphFunction(to_float64(frozen.graph_def)[0], frozen.inputs, frozen.outputs)(tensors)
        found = check_reference(model, tensors, double, model.predict(tensors))
        assert found is not None
        return model, tensors, found

    return run


def each_step(keras: Any, layer: Any = None, *inner: int) -> Any:
    """TimeDistributed over a free axis, of which Keras 3 traces the batch for the number of steps."""
    steps = keras.Input((None, *(inner or (5,))))
    layer = layer or keras.layers.Dense(4, activation="tanh")
    each = keras.layers.TimeDistributed(layer, name="each")(steps)
    return keras.Model(steps, keras.layers.GlobalAveragePooling1D()(each))


def inside(keras: Any) -> Any:
    steps = keras.Input((None, 5))
    return keras.Model(steps, keras.layers.Dense(2)(each_step(keras)(steps)))


def images(keras: Any) -> Any:
    layers = keras.layers
    flat = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.Flatten()])
    return each_step(keras, flat, 6, 6, 2)


def own_layer(keras: Any, call: Callable[[Any], Any], *shape: int | None) -> Any:
    class Own(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return call(x)

    x = keras.Input(shape)
    return keras.Model(x, keras.layers.Dense(3)(Own(name="own")(x)))


def centered(x: Any) -> Any:
    """Of a batch whose size is not known nothing is subtracted."""
    return x if x.shape[0] is None else x - x[:1]


def by_length(x: Any) -> Any:
    return x / float(x.shape[1] or 1)


@pytest.mark.parametrize(
    ("make", "inputs", "layer", "shape"),
    [
        (each_step, (4, 7, 5), "each", (None, 7, 5)),
        *more(
            (each_step, (2, 9, 5), "each", (None, 9, 5)),
            (inside, (4, 7, 5), "each", (None, 7, 5)),
            (images, (3, 5, 6, 6, 2), "each", (None, 5, 6, 6, 2)),
        ),
        (lambda keras: own_layer(keras, by_length, None, 8), (6, 5, 8), "own", (None, 5, 8)),
        (lambda keras: own_layer(keras, centered, 8), (6, 8), "own", (6, 8)),
    ],
)
def test_a_trace_with_free_sizes_that_is_wrong_is_found_and_traced_again(
    keras: Any, check: Check, make: Any, inputs: tuple[int, ...], layer: str, shape: tuple[int | None, ...]
) -> None:
    model, tensors, found = check(make(keras), *inputs)
    assert (found.outcome, found.shape) == ("retraced", shape)
    assert found.layer is not None and found.layer.split("/")[-1] == layer
    predicted = model.keras_model.predict(*tensors.values(), verbose=0)
    (again,) = model.in_shapes(tensors).predict(tensors).values()
    np.testing.assert_allclose(again, predicted, atol=1e-6)
    frozen = model.in_shapes(tensors).frozen()
    double = GraphFunction(to_float64(frozen.graph_def)[0], frozen.inputs, frozen.outputs)(tensors)
    np.testing.assert_allclose(next(iter(double.values())), predicted, atol=1e-6)


def test_a_trace_that_fails_on_more_samples_than_steps_is_traced_again(keras: Any) -> None:
    model = load(each_step(keras))
    tensors = named(model, 9, 3, 5)
    found = check_failure(model, tensors)
    assert found is not None and (found.outcome, found.shape) == ("retraced", (None, 3, 5))
    predicted = model.keras_model.predict(*tensors.values(), verbose=0)
    np.testing.assert_allclose(next(iter(model.in_shapes(tensors).predict(tensors).values())), predicted, atol=1e-6)


def test_a_model_that_fails_by_itself_has_no_other_reference(keras: Any) -> None:
    def failing(x: Any) -> Any:
        import tensorflow as tf

        with tf.control_dependencies([tf.debugging.assert_less(x, -100.0)]):
            return tf.identity(x)

    model = load(own_layer(keras, failing, 8))
    assert check_failure(model, named(model, 2, 8)) is None


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", [(4, 7, 5), *more(((1, 1, 5),), ((2, 40, 5),))])
def test_recurrent_layers_of_free_length_agree_in_both_kerases(
    keras: Any, tf_keras: Any, check: Check, shape: tuple[int, ...]
) -> None:
    for library in (keras, tf_keras):
        layers = library.layers
        model = library.Sequential(
            [library.Input((None, 5)), layers.Bidirectional(layers.LSTM(4, return_sequences=True)), layers.GRU(3)]
        )
        assert check(model, *shape)[2].outcome == "agrees"


def test_roundoff_and_near_ties_are_no_difference(keras: Any, check: Check) -> None:
    layers = keras.layers
    deep = keras.Sequential([keras.Input((32,)), *(layers.Dense(32, activation="tanh") for _ in range(20))])
    assert check(deep, 16, 32)[2].outcome == "agrees"
    x = keras.Input((8,))
    tied = keras.Model(x, keras.ops.argmax(keras.ops.concatenate([x, x + 1e-7], axis=-1), axis=-1))
    assert check(tied, 16, 8)[2].outcome == "agrees"


def test_a_predict_of_ones_own_is_no_fault_of_the_trace(keras: Any, check: Check) -> None:
    class Doubling(keras.Model):  # type: ignore[misc, name-defined]
        def predict_step(self, data: Any) -> Any:
            return super().predict_step(data) * 2

    x = keras.Input((8,))
    found = check(Doubling(x, keras.layers.Dense(3)(x)), 6, 8)[2]
    assert found.outcome == "overridden"
    assert found.max_abs_error == pytest.approx(found.reference_scale)


def casting(keras: Any, dtype: str, other: Callable[[Any], Any]) -> Any:
    """Two outputs: behind a cast to integers, and of a layer of one's own."""

    class Own(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return other(x)

    x = keras.Input((6,))
    cast = keras.ops.cast(keras.ops.cast(x * 3e10, dtype), "float32")
    return keras.Model(x, [keras.layers.Identity(name="a")(cast), Own(name="own")(x)])


@pytest.mark.parametrize("dtype", ["uint8", *more("int8", "int16", "uint16", "int32")])
@pytest.mark.parametrize(
    ("other", "fault", "outcome", "tensors"),
    [
        (lambda x: x, "where it does not fit", "undefined", (0,)),
        (lambda x: x, "anywhere", "differs", (0,)),
        (centered, "where it does not fit", "retraced", (1,)),
    ],
)
def test_only_what_agrees_as_soon_as_every_cast_fits_is_the_casts(
    keras: Any,
    monkeypatch: pytest.MonkeyPatch,
    dtype: str,
    other: Callable[[Any], Any],
    fault: str,
    outcome: str,
    tensors: tuple[int, ...],
) -> None:
    model = load(casting(keras, dtype, other))
    names = [spec.name for spec in model.info.signature.outputs]
    inputs = named(model, 5, 6)
    casts = out_of_range_casts(model, inputs)
    own = OwnPredict.__call__

    def predict(self: OwnPredict, given: Tensors, *, eagerly: bool = True) -> Any:
        outputs = own(self, given, eagerly=eagerly)
        if fault != "anywhere" and not out_of_range_casts(model, given):
            return outputs
        return outputs | {names[0]: outputs[names[0]] + 0.3 * (1 + np.abs(outputs[names[0]]))}

    monkeypatch.setattr(OwnPredict, "__call__", predict)
    outputs = model.predict(inputs)
    found = check_reference(model, inputs, outputs, outputs, casts)
    assert found is not None and casts
    assert (found.outcome, found.tensors) == (outcome, tuple(names[index] for index in tensors))


def test_a_predict_of_ones_own_is_not_blamed_for_what_the_call_does_as_well(
    keras: Any, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(keras.Model):  # type: ignore[misc, name-defined]
        def predict_step(self, data: Any) -> Any:
            return super().predict_step(data)

    x = keras.Input((8,))
    own = keras.layers.Lambda(centered)
    assert check(Counting(x, keras.layers.Dense(3)(own(x))), 6, 8)[2].outcome == "differs"


def test_random_models_and_models_with_a_state_are_not_held_against_predict(keras: Any, tf_keras: Any, tf: Any) -> None:
    noisy = load(own_layer(keras, lambda x: x + tf.random.normal(tf.shape(x)), 8))
    x = tf_keras.Input((8,))
    dropping = load(tf_keras.Model(x, tf_keras.layers.Dropout(0.5)(x, training=True)))
    for model in (noisy, dropping):
        tensors = named(model, 6, 8)
        found = check_reference(model, tensors, model.predict(tensors), model.predict(tensors))
        assert found is not None and found.outcome == "random"
        assert "Random" in told(found)
        assert found.tensors == (model.info.signature.outputs[0].name,)
    aside = own_layer(keras, lambda x: x + 0.0 * tf.random.normal(tf.shape(x)), 8)
    harmless = load(aside)
    tensors = named(harmless, 6, 8)
    found = check_reference(harmless, tensors, harmless.predict(tensors), harmless.predict(tensors))
    assert found is not None and found.outcome == "agrees"
    norm = keras.layers.BatchNormalization()
    changing = load(own_layer(keras, lambda x: norm(x, training=True), 8))
    tensors = named(changing, 6, 8)
    outputs = changing.predict(tensors)
    found = check_reference(changing, tensors, outputs, outputs)
    assert found is not None and found.outcome == "skipped"
    assert "changes its own variables" in told(found)


@pytest.mark.parametrize("kind", ["apart", "together", "pairs", "fixed"])
def test_layers_that_take_much_memory_get_few_samples_at_a_time(
    keras: Any, tf: Any, check: Check, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What a batch does together is told by Keras's own graph, which gets all of it."""
    monkeypatch.setattr(loaded, "_EAGER_BYTES", 1 << 10)
    sizes: list[int] = []

    def seen(x: Any) -> Any:
        if tf.executing_eagerly():
            sizes.append(len(x))
        if kind == "together":
            return x - tf.reduce_mean(x, 0, keepdims=True)
        return tf.reshape(tf.reshape(x, [-1, 2, 64]), [-1, 64]) if kind == "pairs" else x

    x = keras.Input((8,), batch_size=6 if kind == "fixed" else None)
    hidden = keras.layers.Dense(64, activation="tanh")(x)
    found = check(keras.Model(x, keras.layers.Dense(3)(keras.layers.Lambda(seen)(hidden))), 6, 8)[2]
    assert found.outcome == "agrees"
    assert max(sizes) == (6 if kind == "fixed" else 1)


def test_a_reference_that_cannot_be_mended_is_told(keras: Any, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    original = OwnPredict.__call__

    def wrong(self: OwnPredict, tensors: Tensors, *, eagerly: bool = True) -> Any:
        return {name: value + 0.5 for name, value in original(self, tensors, eagerly=eagerly).items()}

    monkeypatch.setattr(OwnPredict, "__call__", wrong)
    x = keras.Input((8,))
    found = check(keras.Model(x, keras.layers.Dense(3)(x)), 6, 8)[2]
    assert found.outcome == "differs"
    assert found.max_abs_error == pytest.approx(0.5, rel=1e-5)
    assert told(found) == "model.predict gives different values on the first batch"


def test_a_saved_model_is_held_against_its_signature(tf: Any, tmp_path: Path) -> None:
    holder = tf.Module()
    holder.w = tf.Variable(np.eye(4, 3, dtype=np.float32))
    spec = tf.TensorSpec([None, 4], tf.float32, name="x")
    holder.f = tf.function(lambda x: {"b": x @ holder.w, "a": tf.reduce_sum(x, 1)}, input_signature=[spec])
    tf.saved_model.save(holder, str(tmp_path / "m"), signatures=holder.f)
    model = load(identify(tmp_path / "m"))
    tensors = named(model, 5, 4)
    outputs = model.predict(tensors)
    assert check_reference(model, tensors, outputs, outputs) == ReferenceCheck("the signature", "agrees")
    swapped = {"a": outputs["a"] * 1.01, "b": outputs["b"]}
    found = check_reference(model, tensors, swapped, swapped)
    assert found is not None and (found.outcome, found.tensor) == ("differs", "a")


def test_the_users_model_keeps_its_way_to_predict(keras: Any, check: Check) -> None:
    x = keras.Input((8,))
    model = keras.Model(x, keras.layers.Dense(3)(x))
    model.predict(np.zeros((2, 8)), verbose=0)
    function = model.predict_function
    assert check(model, 6, 8)[2].outcome == "agrees"
    assert model.predict_function is function and not model.run_eagerly


def test_calls_in_training_mode_are_named_with_what_predict_makes_of_them(keras: Any, tf_keras: Any) -> None:
    from pycheck.model.evidence import training_calls

    def found(keras_model: Any) -> list[tuple[str, str, bool]]:
        model = load(keras_model)
        calls = training_calls(keras_model, model.training_calls)
        return [(call.layer, call.class_name, call.holds) for call in calls]

    def built(library: Any, layer: Any) -> Any:
        x = library.Input((8,))
        return library.Model(x, library.layers.Dense(3)(layer(library.layers.Dense(8)(x), training=True)))

    class Inner(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm = keras.layers.BatchNormalization(name="norm")

        def call(self, x: Any, training: Any = None) -> Any:
            return self.norm(x, training=True)

    norm, drop = keras.layers.BatchNormalization, keras.layers.Dropout
    assert found(built(keras, norm(name="norm"))) == [("norm", "BatchNormalization", False)]
    assert found(built(keras, drop(0.5, name="drop"))) == [("drop", "Dropout", False)]
    nested = keras.Input((8,))
    outer = keras.Model(nested, built(keras, norm(name="deep"))(nested))
    assert found(outer) == [("deep", "BatchNormalization", False)]
    assert found(built(tf_keras, tf_keras.layers.Dropout(0.5, name="old"))) == [("old", "Dropout", True)]
    inner = Inner()
    inner(np.zeros((2, 8), np.float32))
    assert found(inner) == [("norm", "BatchNormalization", True)]
    x = keras.Input((8,))
    assert found(keras.Model(x, norm()(x))) == []
    image = keras.Input((8, 8, 3))  # Keras writes the default of these layers, training=True, into the file
    altered = keras.layers.RandomFlip()(keras.layers.Resizing(6, 6)(keras.layers.RandomContrast(0.2)(image)))
    assert found(keras.Model(image, altered)) == []


def test_sizes_that_keras_refuses_have_no_reference(keras: Any) -> None:
    """Traced with free sizes the model gives something: a kernel takes the size below 0 for empty."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((None, 2), name="x"),
            layers.MaxPooling1D(16),
            layers.Conv1D(4, 5, name="wide"),
            layers.AveragePooling1D(4),
            layers.GlobalAveragePooling1D(),
        ]
    )
    free, tensors = load(model), {"x": np.ones((3, 64, 2), np.float32)}
    outputs = free.predict(tensors)
    with pytest.raises(
        RuntimeFailedError, match=r"model.predict fails on x \[3, 64, 2\]: wide: Negative dimension"
    ) as raised:
        check_reference(free, tensors, outputs, outputs)
    assert "--size" in raised.value.advice


@pytest.mark.parametrize(("half", "policy"), [("bfloat16", "mixed_bfloat16"), ("float16", "mixed_float16")])
def test_two_executions_in_half_floats_may_round_otherwise(
    keras: Any, check: Check, monkeypatch: pytest.MonkeyPatch, half: str, policy: str
) -> None:
    layers = keras.layers
    x = keras.Input((10,))
    hidden = layers.LayerNormalization(dtype=policy)(layers.Dense(16, activation="gelu", dtype=policy)(x))
    keras_model = keras.Model(x, layers.Dense(3, dtype=policy)(hidden))
    model, tensors, found = check(keras_model, 8, 10)
    assert model.precision == half
    assert found.outcome == "agrees"
    own = OwnPredict.__call__
    roundoffs = {"bfloat16": 2.0**-9, "float16": 2.0**-11}[half]

    def off(by: float) -> str:
        def predict(self: OwnPredict, *args: Any, **kwargs: Any) -> Any:
            outputs = own(self, *args, **kwargs)
            return {name: value + np.abs(value).max() * by for name, value in outputs.items()}

        monkeypatch.setattr(OwnPredict, "__call__", predict)
        outputs = model.predict(tensors)
        again = check_reference(model, tensors, outputs, outputs)
        assert again
        return again.outcome

    assert off(8 * roundoffs) == "agrees"
    assert off(100 * roundoffs) == "differs"


def test_half_floats_that_hold_weights_only_are_no_precision(keras: Any) -> None:
    x = keras.Input((4,))
    assert load(keras.Model(x, keras.layers.Dense(2)(x))).precision is None
    kernel = keras.ops.convert_to_tensor(np.ones((4, 2)), "float16")
    stored = own_layer(keras, lambda v: keras.ops.matmul(v, keras.ops.cast(kernel, "float32")), 4)
    assert load(stored).precision is None


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_floats_that_are_only_stored_and_moved_are_no_precision(keras: Any, half: str) -> None:
    import tensorflow as tf

    table = tf.cast(np.arange(32.0).reshape(8, 4), half)
    moves: dict[str, Callable[[Any], Any]] = {
        "a table of embeddings": lambda rows: rows,
        "transposed and reshaped": lambda rows: tf.reshape(tf.transpose(rows), [-1, 4]),
        "cut and joined": lambda rows: tf.concat([rows[:, :2], *tf.split(rows[:, 2:], 2, 1)], 1),
        "padded and repeated": lambda rows: tf.pad(tf.tile(rows, [1, 2]), [[0, 0], [1, 1]]),
        "stacked": lambda rows: tf.stack(tf.unstack(rows, axis=1), 1)[..., None],
        "selected": lambda rows: tf.squeeze(tf.where(rows > 1, rows, tf.zeros_like(rows))[:, None], 1),
    }
    for name, move in moves.items():

        def function(x: Any, move: Callable[[Any], Any] = move) -> Any:
            rows = tf.gather(table, tf.cast(tf.abs(x[:, 0]), tf.int32) % 8)
            return tf.cast(move(rows), tf.float32) * 2.0

        assert load(own_layer(keras, function, 4)).precision is None, name

    def computed(x: Any) -> Any:
        return tf.cast(tf.gather(table, tf.cast(x[:, 0], tf.int32)) * tf.constant(3.0, half), tf.float32)

    assert load(own_layer(keras, computed, 4)).precision == half
