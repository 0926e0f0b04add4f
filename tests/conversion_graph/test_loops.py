"""Loops whose steps write into a list what they do not return, as tf.map_fn makes them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from pycheck.artifact.document import read_document
from pycheck.artifact.graph.faults import graph_faults

from .conftest import BACKENDS, Bench, Outcome, assert_alike, saved_and_loaded

pytestmark = pytest.mark.real


def _written(x: Any) -> Any:
    """A list that the step writes, beside a state that it does not."""
    rows = tf.TensorArray(tf.float32, size=4)

    def step(index: Any, total: Any, rows: Any) -> Any:
        return index + 1, total + x[0, 0], rows.write(index, total * x[:, 0][:2])

    _, total, rows = tf.while_loop(lambda index, *_: index < 4, step, [0, 1.0, rows])
    return rows.stack() + total


def _two_alike(x: Any) -> Any:
    @tf.function
    def norm(row: Any) -> Any:
        return tf.reduce_sum(row * row)

    return tf.map_fn(norm, x) + tf.map_fn(norm, x + 1.0)


def _two_at_a_time(x: Any) -> Any:
    both = tf.map_fn(lambda row: (row * 2.0, tf.reverse(row, [0])), x, fn_output_signature=(tf.float32, tf.float32))
    return both[0] + both[1]


LOOPS: dict[str, Callable[[Any], Any]] = {
    "numbers": lambda x: tf.map_fn(lambda row: tf.reduce_sum(row) * 2.0, x),
    "rows": lambda x: tf.map_fn(lambda row: tf.concat([row, row + 1.0], 0)[:4], x),
    "decisions": lambda x: tf.cast(tf.map_fn(lambda row: row > 0.5, x, fn_output_signature=tf.bool), tf.int32),
    "places": lambda x: tf.map_fn(lambda row: tf.argmax(row), x, fn_output_signature=tf.int64),
    "within one another": lambda x: tf.map_fn(lambda row: tf.map_fn(lambda v: tf.exp(v) + row[0], row), x),
    "two at a time": _two_at_a_time,
    "a view": lambda x: tf.map_fn(lambda row: tf.reshape(row, (3, 1)), x),
    "running": lambda x: tf.scan(lambda total, row: total + row, x),
    "beside a state": _written,
    "two alike": _two_alike,
}  # fmt: skip


class _Serving(tf.Module):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        signature = [tf.TensorSpec([None, 3], tf.float32, "x")]
        self.serve = tf.function(lambda x: {"y": function(x)}, input_signature=signature)


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Each loop as pycheck converts it; two of them also as they are without the repair."""
    folder = tmp_path_factory.mktemp("loops")
    bench = Bench(folder / "artifacts")

    def add(name: str, function: Callable[[Any], Any]) -> None:
        bench.add(name, lambda: saved_and_loaded(_Serving(function), folder / name))

    for name, function in LOOPS.items():
        add(name, function)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["pycheck.conversion.graph.converter"], "keep_written", lambda _: [])
        for name in ("numbers", "running"):
            add(f"plain {name}", LOOPS[name])
    return bench.run()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_computes_the_same(loops: dict[str, Outcome], name: str, backend: str) -> None:
    assert_alike(loops[name], backend, "y")


def test_what_tfjs_disposes_is_named_in_an_artifact_that_is_given(loops: dict[str, Outcome]) -> None:
    def told(name: str) -> list[str]:
        folder: Path = loops[name].artifact.folder
        return [f.fault for f in graph_faults(read_document(folder), {}) if not f.backends]

    assert "reading 'backend'" in loops["plain numbers"].errors["cpu"]
    (fault,) = told("plain numbers")
    assert fault == "TF.js disposes what a loop, such as that of tf.map_fn, writes into a list and does not return"
    assert_alike(loops["plain running"], "cpu", "y")  # what is written is a state of the loop as well
    assert [told(name) for name in ("plain running", *LOOPS)] == [[]] * (1 + len(LOOPS))
