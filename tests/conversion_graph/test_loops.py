"""Loops and branches that write into a list what they do not return; tf.map_fn makes such loops."""

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


def _in_a_branch(x: Any) -> Any:
    """A list that both branches of a condition write, in each step of a loop."""
    rows = tf.TensorArray(tf.float32, size=3)
    for index in tf.range(3):
        if tf.reduce_mean(x[:, index]) > 0.0:
            rows = rows.write(index, x[:, index] * 3.0)
        else:
            rows = rows.write(index, -x[:, index] * 2.0)
    return tf.transpose(rows.stack())


def _in_some_branches(x: Any) -> Any:
    """A list to which some steps add nothing and some two tensors."""
    found = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[])
    for value in tf.reshape(x, [-1]):
        if value > 0.0:
            found = found.write(found.size(), value * 3.0)
            if value > 0.5:
                found = found.write(found.size(), value * 5.0)
    return found.stack()


def _branch_without_a_loop(x: Any) -> Any:
    rows = tf.TensorArray(tf.float32, size=2)
    rows = rows.write(0, tf.exp(x[0]))
    rows = rows.write(1, x[0] + 1.0) if tf.reduce_mean(x) > 0.0 else rows.write(1, x[0] * 2.0)
    return rows.stack()


def _loop_in_a_branch(x: Any) -> Any:
    if tf.reduce_mean(x) > 100.0:
        return x * 2.0
    return tf.map_fn(lambda row: tf.exp(row) + row[0], x)


def _one_list_in_two_loops(x: Any) -> Any:
    """A list that the inner of two loops writes, and that is read behind the outer one."""
    cells = tf.TensorArray(tf.float32, size=9)
    for row in tf.range(3):
        for column in tf.range(3):
            cells = cells.write(row * 3 + column, x[row % 2, column] * tf.cast(row + 1, tf.float32))
    return cells.stack()


def _a_state_of_the_inner_loop(x: Any) -> Any:
    """A list that the inner of two loops writes: what it writes is its state, and not that of the outer loop."""
    cells = tf.TensorArray(tf.float32, size=9)
    for row in tf.range(3):
        total = x[0, 0]
        for column in tf.range(3):
            total = total * 0.5 + x[row % 2, column]
            cells = cells.write(row * 3 + column, total)
    return cells.stack()


def _a_list_of_a_branch(x: Any) -> Any:
    """A list that a branch makes, writes and reads."""
    if tf.reduce_mean(x) > 100.0:
        return x[:2]
    rows = tf.TensorArray(tf.float32, size=2)
    return rows.write(0, tf.exp(x[0])).write(1, x[1] * 2.0).stack()


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
    "in a branch": _in_a_branch,
    "in some branches": _in_some_branches,
    "a branch without a loop": _branch_without_a_loop,
    "a list of a branch": _a_list_of_a_branch,
    "a loop in a branch": _loop_in_a_branch,
    "one list in two loops": _one_list_in_two_loops,
    "a state of the inner loop": _a_state_of_the_inner_loop,
}  # fmt: skip


class _Serving(tf.Module):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        signature = [tf.TensorSpec([None, 3], tf.float32, "x")]
        self.serve = tf.function(lambda x: {"y": function(x)}, input_signature=signature)


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Each loop as pycheck converts it; some of them also as they are without the repair."""
    folder = tmp_path_factory.mktemp("loops")
    bench = Bench(folder / "artifacts")

    def add(name: str, function: Callable[[Any], Any]) -> None:
        bench.add(name, lambda: saved_and_loaded(_Serving(function), folder / name))

    for name, function in LOOPS.items():
        add(name, function)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["pycheck.conversion.graph.converter"], "keep_written", lambda _: [])
        for name in ("numbers", "running", "in a branch", "a list of a branch"):
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
    assert "reading 'backend'" in loops["plain in a branch"].errors["cpu"]
    assert set(told("plain in a branch")) == {
        "TF.js disposes what a branch of an if writes into a list and does not return"
    }
    right = ["plain running", "plain a list of a branch"]  # one is a state of the loop, one is read within the branch
    for name in right:
        assert_alike(loops[name], "cpu", "y")
    assert [told(name) for name in (*right, *LOOPS)] == [[]] * (len(right) + len(LOOPS))
