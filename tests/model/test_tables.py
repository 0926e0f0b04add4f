"""Lookup tables are constants of the frozen graph, whatever holds them and however their handle reaches a lookup."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import ConversionError
from pycheck.model import Model, identify, load

from .test_frozen import run

pytestmark = pytest.mark.real

KEYS, VALUES = [10, 20, 30], [1.5, 2.5, 3.5]
X = np.array([[10], [30], [7], [20]], np.int64)
FOUND = np.array([[1.5], [3.5], [-1.0], [2.5]], np.float32)


def _static(tf: Any, keys: Any = KEYS, values: Any = VALUES, default: Any = -1.0, key_dtype: Any = None) -> Any:
    filled = tf.lookup.KeyValueTensorInitializer(tf.constant(keys, key_dtype or tf.int64), tf.constant(values))
    return tf.lookup.StaticHashTable(filled, default)


def _mutable(tf: Any) -> Any:
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, -1.0)
    table.insert(tf.constant(KEYS, tf.int64), tf.constant(VALUES))
    return table


def _dense(tf: Any) -> Any:
    table = tf.lookup.experimental.DenseHashTable(
        tf.int64, tf.float32, default_value=-1.0, empty_key=-2, deleted_key=-3
    )
    table.insert(tf.constant(KEYS, tf.int64), tf.constant(VALUES))
    return table


def _from_file(tf: Any, folder: Path) -> Any:
    """Lines are texts and their numbers; the file becomes an asset of the SavedModel."""
    (folder / "vocabulary.txt").write_text("ten\ntwenty\nthirty\n")
    filled = tf.lookup.TextFileInitializer(
        str(folder / "vocabulary.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )  # fmt: skip
    return tf.lookup.StaticHashTable(filled, -1)


def _in_loop(tf: Any, table: Any, x: Any) -> Any:
    _, total = tf.while_loop(
        lambda index, _: index < 3,
        lambda index, total: (index + 1, total + table.lookup(x)),
        (0, tf.zeros_like(x, tf.float32)),
    )
    return total / 3.0


#: What is done with an int64 input of the shape [4, 1].
LOOKUPS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "plain": lambda tf, table, x: table.lookup(x),
    "nested function": lambda tf, table, x: tf.function(lambda y: tf.function(table.lookup)(y))(x),
    "branch": lambda tf, table, x: tf.cond(tf.reduce_sum(x) > 0, lambda: table.lookup(x), lambda: tf.zeros([4, 1])),
    "loop": _in_loop,
}


def _saved(tf: Any, folder: Path, table: Any, lookup: Callable[[Any], Any], dtype: Any) -> Model:
    module = tf.Module()
    module.table = table
    module.f = tf.function(lambda x: {"y": lookup(x)}, input_signature=[tf.TensorSpec([None, 1], dtype, name="x")])
    tf.saved_model.save(module, str(folder / "m"), signatures=module.f)
    return load(identify(folder / "m"))


@pytest.mark.parametrize("kind", [_static, _mutable, _dense])
def test_tables_of_every_kind_are_constants(tf: Any, tmp_path: Path, kind: Callable[[Any], Any]) -> None:
    table = kind(tf)
    model = _saved(tf, tmp_path, table, table.lookup, tf.int64)
    for _ in range(2):
        np.testing.assert_array_equal(run(tf, model, x=X)["y"], FOUND)
    np.testing.assert_array_equal(model.predict({"x": X})["y"], FOUND)


@pytest.mark.parametrize("way", LOOKUPS)
def test_the_handle_may_come_by_any_way(tf: Any, tmp_path: Path, way: str) -> None:
    table = _static(tf)
    model = _saved(tf, tmp_path, table, lambda x: LOOKUPS[way](tf, table, x), tf.int64)
    np.testing.assert_allclose(run(tf, model, x=X)["y"], FOUND, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "default", "found"),
    [([7, 8, 9], -1, [[7], [9], [-1], [8]]), (["a", "b", "c"], "?", [[b"a"], [b"c"], [b"?"], [b"b"]])],
)
def test_values_may_be_of_other_types(tf: Any, tmp_path: Path, values: Any, default: Any, found: Any) -> None:
    table = _static(tf, values=values, default=default)
    back = _static(tf, found and ["a", "b", "c"], [7.0, 8.0, 9.0], -1.0, tf.string)
    if default == "?":
        model = _saved(tf, tmp_path, [table, back], lambda x: back.lookup(table.lookup(x)), tf.int64)
        np.testing.assert_array_equal(run(tf, model, x=X)["y"], [[7], [9], [-1], [8]])
    else:
        model = _saved(tf, tmp_path, table, table.lookup, tf.int64)
        np.testing.assert_array_equal(run(tf, model, x=X)["y"], found)


def test_the_size_alone_is_a_constant_too(tf: Any, tmp_path: Path) -> None:
    table = _static(tf)
    model = _saved(tf, tmp_path, table, lambda x: x + table.size(), tf.int64)
    np.testing.assert_array_equal(run(tf, model, x=X)["y"], X + 3)


def test_a_table_whose_values_are_rows_is_refused(tf: Any, tmp_path: Path) -> None:
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, [0.0, 0.0])
    table.insert(tf.constant(KEYS, tf.int64), tf.ones([3, 2]))
    with pytest.raises(ConversionError, match=r"have the shape \[2\]"):
        _saved(tf, tmp_path, table, table.lookup, tf.int64).frozen()
