"""What a model's graph says of its inputs: entries of tables, scales, masks and paddings, by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.conversion import convert
from pycheck.model import identify, load
from pycheck.model.expected import input_hints
from pycheck.model.graph import freeze
from pycheck.types import InputHint, Padding, Signature, TensorSpec

pytestmark = pytest.mark.real

Made = Callable[..., Mapping[str, InputHint]]


@pytest.fixture
def module(tf: Any) -> Made:
    """The hints for the inputs of one function, whose specs are shapes, or a shape and a dtype."""

    def make(function: Any, **specs: Any) -> Mapping[str, InputHint]:
        typed = [
            tf.TensorSpec(shape, tf.float32, name=name) if isinstance(shape, list) else tf.TensorSpec(*shape, name=name)
            for name, shape in specs.items()
        ]
        concrete = tf.function(function, input_signature=typed).get_concrete_function()
        inputs = tuple(TensorSpec(spec.name, spec.dtype.name, tuple(spec.shape)) for spec in typed)
        return input_hints(freeze(concrete, tuple(specs), tuple(concrete.structured_outputs)), Signature(inputs, ()))

    return make


def ids(hint: InputHint) -> dict[tuple[int, ...] | None, tuple[float, float]]:
    """Ranges by columns; of ids alone."""
    assert {values.kind for values in hint.values} == {"ids"}
    return {values.columns: (values.low, values.high) for values in hint.values}


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_ids_are_those_of_the_smallest_table_an_input_indexes(request: pytest.FixtureRequest, package: str) -> None:
    k = request.getfixturevalue(package)
    numbers, other = k.Input((None,), dtype="int32", name="ids"), k.Input((2,), name="other")
    large, small = k.layers.Embedding(50, 4)(numbers), k.layers.Embedding(20, 4, name="small")(numbers)
    hints = load(k.Model([numbers, other], [large, small, k.layers.Dense(1)(other)])).input_hints
    assert hints.keys() == {"ids"}
    assert ids(hints["ids"]) == {None: (0, 20)}
    assert hints["ids"].values[0].reason == "20 rows of small"


def test_ids_are_found_for_float_inputs_that_are_cast_to_indices(keras: Any, tf_keras: Any) -> None:
    model = load(tf_keras.Sequential([tf_keras.layers.Embedding(10, 4, input_length=6, name="e")]))
    assert ids(model.input_hints["e_input"]) == {None: (0, 10)}
    x = keras.Input((3,), dtype="int32", name="x")
    assert ids(load(keras.Model(x, keras.ops.one_hot(x, 7))).input_hints["x"]) == {None: (0, 7)}


def test_each_input_has_the_ids_of_its_own_table_and_the_padding_that_is_masked(keras: Any) -> None:
    L = keras.layers
    a, b = keras.Input((12,), name="characters"), keras.Input((12,), name="kinds")
    both = L.Concatenate()([L.Embedding(178, 8, mask_zero=True)(a), L.Embedding(12, 4)(b)])
    hints = load(keras.Model([a, b], L.Dense(1)(L.GlobalAveragePooling1D()(both)))).input_hints
    assert ids(hints["characters"]) == {None: (0, 178)} and ids(hints["kinds"]) == {None: (0, 12)}
    assert hints["characters"].padding == Padding(0.0, -1, "mask_zero") and hints["kinds"].padding is None


def test_columns_of_one_input_have_tables_of_their_own(keras: Any) -> None:
    L, x = keras.layers, keras.Input((6,), name="x")
    parts = [L.Embedding(10, 3)(x[:, 0]), L.Embedding(100, 3)(x[:, 1]), x[:, 2:]]
    hints = load(keras.Model(x, L.Dense(1)(L.Concatenate()(parts)))).input_hints
    assert ids(hints["x"]) == {(0,): (0, 10), (1,): (0, 100)}


@pytest.mark.parametrize(
    ("take", "expected"),
    [
        (lambda tf, x: tf.unstack(tf.cast(x, tf.int32), axis=-1)[1], {(1,): (0, 7)}),
        (lambda tf, x: tf.unstack(tf.cast(x, tf.int32), axis=1)[2], {(2,): (0, 7)}),
        (lambda tf, x: tf.split(tf.cast(x, tf.int32), [1, 2, 1], axis=1)[1], {(1, 2): (0, 7)}),
        (lambda tf, x: tf.cast(x[..., -1:], tf.int32), {(3,): (0, 7)}),
        (lambda tf, x: tf.cast(x[:, tf.newaxis, ::2], tf.int64), {(0, 2): (0, 7)}),
        (lambda tf, x: tf.cast(tf.transpose(x)[2], tf.int32), {(2,): (0, 7)}),
        (lambda tf, x: tf.cast(tf.gather(x, [3, 0], axis=1), tf.int32), {(0, 3): (0, 7)}),
        (lambda tf, x: tf.cast(tf.reshape(x, [-1, 4, 1])[:, 1], tf.int32), {(1,): (0, 7)}),
        (lambda tf, x: tf.cast(tf.concat([x[:, 2:], x[:, :1]], 1)[:, 0], tf.int32), {(2,): (0, 7)}),
        (lambda tf, x: tf.cast(tf.stack([x[:, 3], x[:, 1]], 1)[:, 1], tf.int32), {(1,): (0, 7)}),
        (lambda tf, x: tf.cast(tf.slice(x, [0, 1], [-1, 2]), tf.int32), {(1, 2): (0, 7)}),
        (lambda tf, x: tf.cast(tf.reverse(x, [1])[:, 0], tf.int32), {(3,): (0, 7)}),
        (lambda tf, x: tf.cast(tf.reshape(x, [-1]), tf.int32), {None: (0, 7)}),
        (lambda tf, x: tf.cast(x, tf.int32) - 1, {None: (1, 8)}),
        (lambda tf, x: tf.cast(x * 6, tf.int32), {None: (0, 2)}),
        (lambda tf, x: tf.cast(tf.floor(tf.clip_by_value(x, 0.0, 6.0)), tf.int32), {None: (0, 7)}),
        (lambda tf, x: tf.minimum(tf.cast(x, tf.int32), 6), {None: (0, 7)}),
        (lambda tf, x: tf.where(x > 3, tf.cast(x, tf.int32), 0), {None: (0, 7)}),
        (lambda tf, x: tf.cast(x, tf.int32) % 7, {None: (0, 7)}),
    ],
)  # fmt: skip
def test_the_way_to_a_table_is_followed(tf: Any, module: Made, take: Any, expected: Any) -> None:
    table = tf.Variable(np.ones((7, 2), np.float32))
    hints = module(lambda x: {"y": tf.gather(table, take(tf, x))}, x=[None, 4])
    assert ids(hints["x"]) == expected


@pytest.mark.parametrize(
    ("take", "below", "above"),
    [
        (lambda tf, x: x, False, False),
        (lambda tf, x: x % 7, True, True),
        (lambda tf, x: x % 8, True, False),
        (lambda tf, x: x % 6 + 1, True, True),
        (lambda tf, x: tf.math.floormod(x, -7) + 6, True, True),
        (lambda tf, x: tf.raw_ops.TruncateMod(x=x, y=7), False, True),
        (lambda tf, x: tf.clip_by_value(x, 0, 6), True, True),
        (lambda tf, x: tf.clip_by_value(x, -1, 6), False, True),
        (lambda tf, x: tf.minimum(x, 6), False, True),
        (lambda tf, x: tf.minimum(x, 7), False, False),
        (lambda tf, x: tf.maximum(x, 0), True, False),
        (lambda tf, x: tf.maximum(tf.minimum(x, 6), 0), True, True),
        (lambda tf, x: 6 - tf.maximum(x, 0), True, False),
        (lambda tf, x: 6 - tf.minimum(x, 6), False, True),
        (lambda tf, x: tf.where(x < 7, x, 0), True, True),
        (lambda tf, x: tf.where(x < 0, x + 7, x), False, False),
        (lambda tf, x: tf.cast(tf.cast(x, tf.bool), tf.int32), True, True),
        (lambda tf, x: tf.cast(tf.cast(x, tf.int8), tf.int32), False, False),
        (lambda tf, x: tf.cast(tf.cast(x, tf.int64), tf.int32), False, False),
        (lambda tf, x: tf.cast(tf.cast(x, tf.uint8), tf.int32) // 64, None, None),
        (lambda tf, x: tf.cast(tf.math.floormod(tf.cast(x, tf.float32), 1.0) * 7, tf.int32), True, True),
        (lambda tf, x: tf.abs(x), None, None),
    ],
)  # fmt: skip
def test_numbers_that_the_model_keeps_within_the_table_are_known(
    tf: Any, module: Made, take: Any, below: bool | None, above: bool | None
) -> None:
    table = tf.Variable(np.ones((7, 2), np.float32))
    hints = module(lambda x: {"y": tf.gather(table, take(tf, x))}, x=([None, 4], tf.int32))
    found = {(values.any_below, values.any_above) for values in hints["x"].values} if hints else set()
    assert found == (set() if below is None else {(below, above)})


def test_a_number_is_valid_if_it_is_for_all_tables(tf: Any, module: Made) -> None:
    large, small = (tf.Variable(np.ones((rows, 2), np.float32)) for rows in (20, 7))
    both = module(lambda x: {"y": tf.gather(large, x) + tf.gather(small, x % 7)}, x=([None, 4], tf.int32))
    assert {(v.low, v.high, v.any_below, v.any_above) for v in both["x"].values} == {(0, 20, False, False)}


def test_places_of_several_axes_have_a_range_for_each(tf: Any, module: Made) -> None:
    table = tf.Variable(np.ones((30, 5, 2), np.float32))
    hints = module(lambda x: {"y": tf.gather_nd(table, x)}, x=([None, 7, 2], tf.int32))
    assert ids(hints["x"]) == {(0,): (0, 30), (1,): (0, 5)}


def test_ids_are_found_inside_of_loops_branches_and_functions(tf: Any, keras: Any, module: Made) -> None:
    table = tf.Variable(np.ones((9, 3), np.float32))

    @tf.function
    def looked_up(x: Any) -> Any:
        return tf.gather(table, x)

    def run(x: Any, y: Any, z: Any) -> Any:
        total = tf.zeros([tf.shape(x)[0], 3])
        for step in tf.range(4):
            total += tf.gather(table, x[:, step])
        return {"y": total + tf.cond(tf.size(y) > 3, lambda: looked_up(y), lambda: looked_up(y) + 1) + looked_up(z)}

    specs = {"x": ([None, 4], tf.int32), "y": ([None], tf.int32), "z": ([None], tf.int32)}
    hints = module(run, **specs)
    assert {name: ids(hint) for name, hint in hints.items()} == {name: {None: (0, 9)} for name in specs}


def test_what_a_saved_model_or_an_artifact_says_is_read_as_well(tf: Any, keras: Any, tmp_path: Path) -> None:
    holder = tf.Module()
    holder.table = tf.Variable(np.ones((9, 3), np.float32))
    holder.f = tf.function(
        lambda x, image: {"y": tf.gather(holder.table, x) + tf.reduce_mean(tf.tanh(image / 255.0))},
        input_signature=[tf.TensorSpec([None, 4], tf.int32, "x"), tf.TensorSpec([None, 8, 8, 3], tf.float32, "image")],
    )
    tf.saved_model.save(holder, str(tmp_path / "model"), signatures=holder.f)
    model = load(identify(tmp_path / "model"))
    for format in ("graph", None):
        if format:
            hints = model.input_hints
            convert(model, tmp_path / "artifact", format=format)
        else:
            hints = load(identify(tmp_path / "artifact" / "model.json")).input_hints
        assert ids(hints["x"]) == {None: (0, 9)}
        assert [(v.kind, v.low, v.high) for v in hints["image"].values] == [("whole", 0, 256)]


def test_a_layers_artifact_says_what_its_model_said(keras: Any, tmp_path: Path) -> None:
    L = keras.layers
    a, x = keras.Input((12,), name="a"), keras.Input((8, 8, 3), name="x")
    bn = L.BatchNormalization()
    words = L.SimpleRNN(3)(L.Embedding(178, 8, mask_zero=True)(a))
    source = load(keras.Model([a, x], [words, L.Conv2D(2, 3)(bn(x))]))
    bn.set_weights([np.array(w, np.float32) for w in ([1, 1, 1], [0, 0, 0], [10, 20, 30], [4, 4, 9])])
    artifact = convert(source, tmp_path / "artifact", format="layers")
    assert artifact.format == "layers"
    hints = load(identify(tmp_path / "artifact" / "model.json")).input_hints
    assert ids(hints["a"]) == {None: (0, 178)} and hints["a"].padding == Padding(0.0, -1, "mask_zero")
    assert hints["x"].values[0].mean == pytest.approx((10, 20, 30))


def test_ids_that_a_recurrent_layer_reads_step_by_step(tf: Any, keras: Any) -> None:
    class Cell(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.state_size, self.output_size = keras.layers.Embedding(33, 4), 4, 4

        def build(self, shape: Any) -> None:
            self.table.build(())

        def call(self, x: Any, states: Any, training: bool = False) -> Any:
            y = states[0] + self.table(x[:, 0])
            return y, [y]

    i = keras.Input((5, 1), name="i")
    assert ids(load(keras.Model(i, keras.layers.RNN(Cell())(i))).input_hints["i"]) == {None: (0, 33)}


def test_categories_keys_and_bins_of_preprocessing_layers(keras: Any) -> None:
    L = keras.layers
    one, key, binned = (keras.Input((3,), name=name) for name in ("one", "key", "binned"))
    outputs = [
        L.CategoryEncoding(num_tokens=9, output_mode="multi_hot")(one),
        L.IntegerLookup(vocabulary=[30, 50, 99])(key),
        L.Discretization([0.0, 10.0, 20.0])(binned),
    ]
    hints = load(keras.Model([one, key, binned], outputs)).input_hints
    assert ids(hints["one"]) == {None: (0, 9)}
    assert (hints["key"].values[0].kind, hints["key"].values[0].keys) == ("keys", (30, 50, 99))
    hashed = keras.Input((3,), dtype="int64", name="hashed")
    (values,) = load(keras.Model(hashed, L.Hashing(16)(hashed))).input_hints["hashed"].values
    assert (values.kind, values.low, values.high) == ("whole", 0, 64)
    assert (hints["binned"].values[0].kind, hints["binned"].values[0].edges) == ("bins", (0, 10, 20))


@pytest.mark.parametrize("value", [0.0, -1.0])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_masking_layer_pads_whole_rows(request: pytest.FixtureRequest, package: str, value: float) -> None:
    k = request.getfixturevalue(package)
    i = k.Input((5, 3), name="i")
    hint = load(k.Model(i, k.layers.SimpleRNN(4)(k.layers.Masking(value)(i)))).input_hints["i"]
    assert hint.padding == Padding(value, -2, "mask_value")


def test_lengths_end_with_the_sequence(tf: Any, module: Made) -> None:
    def run(x: Any, length: Any) -> Any:
        return {"y": tf.reduce_sum(x * tf.cast(tf.sequence_mask(length, 9), tf.float32), 1)}

    (values,) = module(run, x=[None, 9], length=([None], tf.int32))["length"].values
    assert (values.kind, values.low, values.high) == ("whole", 1, 10)


def test_masks_are_told_from_flags(tf: Any, keras: Any, module: Made) -> None:
    L = keras.layers
    i, mask, flags = keras.Input((4, 8)), keras.Input((4, 4), dtype="bool", name="m"), keras.Input((4,), dtype="bool")
    attended = L.MultiHeadAttention(2, 4)(i, i, attention_mask=mask)
    model = keras.Model([i, mask, flags], [attended, L.Dense(2)(keras.ops.cast(flags, "float32"))])
    hints = load(model).input_hints
    assert {name: hint.values[0].kind for name, hint in hints.items()} == {"m": "mask"}

    def bert(x: Any, keep: Any) -> Any:
        return {"y": tf.nn.softmax(x + (1.0 - tf.cast(keep, tf.float32)) * -1e9)}

    hints = module(bert, x=[None, 7], keep=([None, 7], tf.int32))
    assert {name: hint.values[0].kind for name, hint in hints.items()} == {"keep": "mask"}


@pytest.mark.parametrize(
    ("scale", "kind", "high"),
    [((1 / 255,), "whole", 256), ((1 / 127.5, -1), "whole", 256), ((1 / 255, -0.5), "whole", 256),
     ((1 / 128, -127.5 / 128), "whole", 256), ((1 / 100,), "uniform", 100),
     ((2.0, -1.0), None, 1), ((1.0, 3.0), None, 1)],
)  # fmt: skip
def test_a_rescaling_says_which_pixels_it_takes(keras: Any, scale: Any, kind: str | None, high: float) -> None:
    i = keras.Input((8, 8, 3), name="i")
    model = keras.Model(i, keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(*scale)(i)))
    hint = load(model).input_hints.get("i", InputHint())
    assert [values.kind for values in hint.values] == ([kind] if kind else [])
    assert all(values.low == 0 and values.high == pytest.approx(high) for values in hint.values)


@pytest.mark.parametrize(
    "scaled",
    [
        lambda tf, image: tf.cast(image, tf.float32) / 255,
        lambda tf, image: tf.cast(image, tf.float32) / 127.5 - 1,
        lambda tf, image: (tf.cast(image, tf.float32) - 127.5) * (1 / 128),
        lambda tf, image: tf.cast(image, tf.float32) - [103.939, 116.779, 123.68],
        lambda tf, image: (tf.cast(image, tf.float32) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        lambda tf, image: (tf.reverse(tf.cast(image, tf.float32), [-1]) - [100.0, 120.0, 110.0]) / 58.0,
        lambda tf, image: 1.0 - tf.cast(image, tf.float32) / 255,
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_what_a_graph_does_to_an_image_first_tells_that_it_has_pixels(
    tf: Any, module: Made, scaled: Any, dtype: str
) -> None:
    def run(image: Any) -> Any:
        return {"y": tf.nn.conv2d(scaled(tf, image), tf.ones([3, 3, 3, 1]), 1, "SAME")}

    hint = module(run, image=([1, 16, 16, 3], dtype))["image"]
    assert [(v.kind, v.low, v.high, v.columns) for v in hint.values] == [("whole", 0, 256, None)]


def test_a_normalization_says_mean_and_deviation_of_each_column(keras: Any) -> None:
    i = keras.Input((3,), name="i")
    normalized = keras.layers.Normalization(mean=[1.0, 2.0, 300.0], variance=[4.0, 4.0, 9.0])(i)
    for output in (normalized, keras.layers.Dense(2)(normalized)):
        (values,) = load(keras.Model(i, output)).input_hints["i"].values
        assert values.kind == "normal"
        assert values.mean == pytest.approx((1, 2, 300)) and values.deviation == pytest.approx((2, 2, 3))


@pytest.mark.parametrize("shape", [(2,), (4, 4, 2)])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_first_batch_normalization_says_what_it_was_trained_on(
    request: pytest.FixtureRequest, package: str, shape: tuple[int, ...]
) -> None:
    k = request.getfixturevalue(package)
    i, layer = k.Input(shape, name="i"), k.layers.BatchNormalization(name="bn")
    model = k.Model(i, k.layers.Dense(3)(layer(i)))
    layer.set_weights([np.array(w, np.float32) for w in ([1.5, -0.5], [0.1, 0.2], [10, -200], [4, 9])])
    (values,) = load(model).input_hints["i"].values
    assert values.kind == "normal" and values.reason == "the moving mean and variance of bn"
    assert values.mean == pytest.approx((10, -200)) and values.deviation == pytest.approx((2, 3), rel=1e-3)


def test_pixels_that_are_scaled_before_a_normalization_stay_pixels(keras: Any) -> None:
    i = keras.Input((8, 8, 3), name="i")
    model = keras.Model(i, keras.layers.BatchNormalization()(keras.layers.Rescaling(1 / 127.5, -1)(i)))
    (values,) = load(model).input_hints["i"].values
    assert (values.kind, values.low, values.high) == ("whole", 0, 256)


def test_each_column_of_a_table_has_the_scale_that_it_is_divided_by(tf: Any, module: Made) -> None:
    hints = module(lambda x: {"y": tf.tanh(x / [1.0, 10.0, 100.0])}, x=[None, 3])
    found = {values.columns: (values.kind, values.low, values.high) for values in hints["x"].values}
    assert found == {(1,): ("uniform", 0, pytest.approx(10)), (2,): ("uniform", 0, pytest.approx(100))}


@pytest.mark.parametrize(
    "function",
    [
        lambda tf, x: tf.math.log(x * 2 + 1.0),
        lambda tf, x: tf.sqrt(x - 1e-3),
        lambda tf, x: tf.tanh(x + 3.0),
        lambda tf, x: tf.nn.relu(x),
        lambda tf, x: x * 2.0,
        lambda tf, x: tf.where(tf.cast(x, tf.bool), x + 1.0, -x),
        lambda tf, x: x * tf.reduce_mean(x),
        lambda tf, x: tf.tanh(x + 1e-7),
    ],
)
def test_nothing_is_said_where_the_model_says_nothing(tf: Any, module: Made, function: Any) -> None:
    assert module(lambda x: {"y": function(tf, x)}, x=[None, 3]) == {}


@pytest.mark.parametrize(
    ("looked_up", "words"),
    [
        (lambda tf, table, x: table.lookup(x), False),
        (lambda tf, table, x: table.lookup(tf.strings.lower(x)), False),
        (lambda tf, table, x: table.lookup(tf.strings.split(tf.strings.regex_replace(x, "!", ""))).to_tensor(), True),
    ],
)
def test_texts_are_keys_of_the_table_or_sentences_of_them(tf: Any, module: Made, looked_up: Any, words: bool) -> None:
    initial = tf.lookup.KeyValueTensorInitializer(tf.constant(["red", "green"]), tf.constant([1, 2], tf.int64))
    table = tf.lookup.StaticHashTable(initial, default_value=0)
    (values,) = module(lambda x: {"y": looked_up(tf, table, x)}, x=([None], tf.string))["x"].values
    assert (values.kind, values.keys, values.words) == ("keys", ("green", "red"), words)
