"""Where an artifact leaves its model, with graphs that are made up; which points the two have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from pycheck.artifact import Point
from pycheck.tracing.conversion import Converted, Sides, trace_conversion
from pycheck.tracing.pairing import pair_layers, pair_nodes
from pycheck.types import NATIVE_FLOAT64, Array, RuntimeId, Trace, TracePoint

ARTIFACT = RuntimeId("artifact", "float64")
X = np.linspace(1.0, 2.0, 24).reshape(4, 6)
Kernel = Callable[..., Array]


def point(name: str, *inputs: str) -> Point:
    return Point(name, "Op", inputs, None, f"{name}:0", False)


class Graph:
    """Points that compute with NumPy."""

    def __init__(self, points: Sequence[Point], kernels: Mapping[str, Kernel]) -> None:
        self.points = tuple(points)
        self._kernels = kernels

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        values = dict(feeds)
        for p in self.points:
            if p.name not in values and all(name in values for name in p.inputs):
                values[p.name] = self._kernels[p.name](*(values[name] for name in p.inputs))
        return {name: values[name] for name in fetches}


def converted(
    points: Sequence[Point],
    model: Mapping[str, Kernel],
    artifact: Mapping[str, Kernel],
    *,
    paired: Sequence[str],
    memory_bytes: int = 1 << 30,
) -> Converted:
    graph = Graph(points, artifact)
    sides = Sides(
        model=Graph([p for p in points if p.name in model], model),
        artifact=graph,
        single=graph,
        model_id=NATIVE_FLOAT64,
        artifact_id=ARTIFACT,
        points=points,
        paired=frozenset(paired),
        outputs={"y": points[-1].name},
        feeds={"x": X},
    )
    elements = dict.fromkeys(["x", *(p.name for p in points)], X.size)
    return asyncio.run(trace_conversion(sides, elements, samples=(3, 5, 7, 9), memory_bytes=memory_bytes))


def roles(found: Converted) -> dict[str, str]:
    return {name: result.role for name, result in found.results.items()}


CHAIN = (point("a", "x"), point("b", "a"), point("c", "b"))
RIGHT: Mapping[str, Kernel] = {"a": lambda x: 2 * x, "b": lambda a: a + 1, "c": lambda b: b * b}


@pytest.mark.parametrize("memory_bytes", [1 << 30, 24 * 8 * 8 * 4])
def test_the_point_that_is_wrong_alone_is_the_source_and_what_reads_it_passes_it_on(memory_bytes: int) -> None:
    found = converted(
        CHAIN, RIGHT, {**RIGHT, "b": lambda a: a + 1.01}, paired=["a", "b", "c"], memory_bytes=memory_bytes
    )
    assert roles(found) == {"a": "ok", "b": "source", "c": "passes-on"}
    element = found.results["b"].element
    assert element is not None and element.sample in (3, 5, 7, 9)
    assert (found.results["b"].runtime, found.results["b"].own.reference) == (ARTIFACT, NATIVE_FLOAT64)  # type: ignore[union-attr]


def test_a_right_artifact_has_no_source() -> None:
    assert set(roles(converted(CHAIN, RIGHT, RIGHT, paired=["a", "b", "c"])).values()) == {"ok"}


def test_where_small_differences_add_up_there_is_no_source_and_every_point_tells_what_it_adds() -> None:
    slightly = 1 + 0.8 * 6 * 32 * 2**-24  # of 6 times the noise floor, which is not known here and assumed
    points = [point(name, read) for name, read in zip("abcd", ["x", "a", "b", "c"], strict=True)]
    model = dict.fromkeys("abcd", lambda v: 2 * v)
    found = converted(points, model, dict.fromkeys("abcd", lambda v: 2 * slightly * v), paired="abcd")
    assert roles(found)["d"] == "passes-on"
    assert "source" not in roles(found).values()
    owns = [found.results[name].own for name in "abcd"]
    assert [own.max_abs_error / own.reference_scale for own in owns if own] == pytest.approx([slightly - 1] * 4)  # type: ignore[operator]


def test_two_sources_are_both_found() -> None:
    wrong = {**RIGHT, "a": lambda x: 2.1 * x, "c": lambda b: b * b + 1}
    assert roles(converted(CHAIN, RIGHT, wrong, paired=["a", "b", "c"])) == {
        "a": "source",
        "b": "passes-on",
        "c": "source",
    }


def test_a_point_that_the_converter_made_is_looked_at_together_with_the_next_that_the_model_has() -> None:
    found = converted(CHAIN, RIGHT, {**RIGHT, "b": lambda a: a + 1.01}, paired=["a", "c"])
    assert roles(found) == {"a": "ok", "c": "source"}
    assert found.results["c"].note == "together with b, which the model does not have"


@pytest.mark.parametrize(("first", "second"), [(1e-2, 1e-3), (1e-3, 1e-2)])
def test_the_effect_of_each_source_is_that_of_its_own_error(first: float, second: float) -> None:
    wrong = {**RIGHT, "a": lambda x: (2 + first) * x, "c": lambda b: (1 + second) * b * b}
    found = converted(CHAIN, RIGHT, wrong, paired=["a", "b", "c"]).results
    effects = {name: result.effect for name, result in found.items() if result.role == "source"}
    assert effects.keys() == {"a", "c"}
    a, c = effects["a"], effects["c"]
    assert a and c and {a.tensor, c.tensor} == {"y"}
    # (1 + (2 + e) x)^2 is about e / 2 * 2 * 2x / (1 + 2x) larger than (1 + 2x)^2: with x up to 2, 1.6 e / 2.
    assert a.share / c.share == pytest.approx(0.8 * first / second, rel=0.1)


def test_an_error_that_goes_nowhere_has_no_effect() -> None:
    """The rest of the artifact multiplies by 0 whatever it gets, and errs by itself."""
    wrong = {"a": lambda x: 3 * x, "b": lambda a: 0 * a + 1, "c": lambda b: b * b * 1.01}
    model = {"a": lambda x: 2 * x, "b": lambda a: 0 * a + 1, "c": lambda b: b * b}
    points = (point("a", "x"), point("b", "a"), point("c", "b", "a"))
    model["c"] = lambda b, a: b * b + 0 * a
    wrong["c"] = lambda b, a: b * b * 1.01 + 0 * a
    found = converted(points, model, wrong, paired=["a", "b", "c"]).results
    effects = {name: result.effect for name, result in found.items() if result.role == "source"}
    assert effects["c"] and effects["c"].share > 1.0
    assert "a" not in effects or effects["a"] == replace(effects["c"], share=0.0)


def test_another_shape_that_the_rest_cannot_take_is_before_all_others() -> None:
    wrong = {"a": lambda x: 2.1 * x, "b": lambda a: a[:, :5] + 1, "c": RIGHT["c"]}
    found = converted(CHAIN, RIGHT, wrong, paired=["a", "b", "c"]).results
    points = [TracePoint(name, "Op", None, (), conversion=found[name]) for name in ("a", "b", "c") if name in found]
    names = [p.name for p, _ in Trace(4, 1, 1, tuple(points), ()).conversion_sources()]
    assert names == ["b", "a"]


def test_what_a_converter_folds_into_the_next_operation_is_not_blamed() -> None:
    # The artifact's a is three times the model's, and its b makes up for it: as after a fold of weights.
    folded = {"a": lambda x: 6 * x, "b": lambda a: a / 3 + 1, "c": RIGHT["c"]}
    assert roles(converted(CHAIN, RIGHT, folded, paired=["a", "b", "c"])) == {"b": "ok", "c": "ok"}


def test_a_fault_behind_a_fold_is_found_all_the_same() -> None:
    wrong = {"a": lambda x: 6 * x, "b": lambda a: a / 3 + 1, "c": lambda b: b * b * 1.01}
    assert roles(converted(CHAIN, RIGHT, wrong, paired=["a", "b", "c"])) == {"b": "ok", "c": "source"}


def test_another_shape_is_a_source() -> None:
    found = converted(CHAIN, RIGHT, {**RIGHT, "c": lambda b: b[:, :5]}, paired=["a", "b", "c"])
    (source,) = (r for r in found.results.values() if r.role == "source")
    assert source.own is not None and source.own.shape_mismatch == "reference (6,), candidate (5,)"


def test_layers_are_paired_by_the_names_of_their_calls() -> None:
    points = [point("inner/dense", "x"), point("dense@1", "inner/dense"), point("made_up", "dense@1")]
    tensors = {"inner/dense": "m/inner/dense/BiasAdd:0", "dense": "m/dense/BiasAdd:0", "dense@1": "m/dense_2/BiasAdd:0"}
    tensors |= {"inner": "m/inner/dense/BiasAdd:0"}
    assert pair_layers(points, tensors) == {
        "inner/dense": "m/inner/dense/BiasAdd:0",
        "dense@1": "m/dense_2/BiasAdd:0",
    }


def test_layers_that_a_converter_took_out_of_a_nested_model_are_paired_by_their_own_names() -> None:
    points = [point("one", "x"), point("two", "one"), point("same", "two")]
    tensors = {name: f"{name}:0" for name in ("tower/one", "tower/two", "tower", "tower/same", "other/same")}
    assert pair_layers(points, tensors) == {"one": "tower/one:0", "two": "tower/two:0"}


@pytest.mark.real
def test_nodes_of_an_exported_graph_are_paired_from_the_first_layer_on() -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 2), name="x")
        with tf.name_scope("functional_1"):
            with tf.name_scope("conv_1"):
                x = tf.nn.relu(x, name="Relu")
            with tf.name_scope("dense_1_1"):
                x = tf.nn.bias_add(x, [1.0, 2.0], name="BiasAdd")
    prefix = "StatefulPartitionedCall/functional_2_1"
    points = [point(f"{prefix}/conv_1_1/Relu", "x"), point(f"{prefix}/dense_1_2/BiasAdd", "x"), point("Identity", "x")]
    calls = {"conv": "functional_1/conv_1/Relu:0", "dense_1": "functional_1/dense_1_1/BiasAdd:0"}
    assert pair_nodes(points, graph.as_graph_def(), calls) == {
        f"{prefix}/conv_1_1/Relu": "functional_1/conv_1/Relu:0",
        f"{prefix}/dense_1_2/BiasAdd": "functional_1/dense_1_1/BiasAdd:0",
    }


@pytest.mark.real
def test_nodes_of_an_exported_graph_that_are_in_no_layer_are_paired_by_all_their_scopes() -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 2), name="x")
        for scope in ("encoder", "decoder"):
            with tf.name_scope(scope):
                x = tf.nn.relu(x, name="Relu")
    prefix = "StatefulPartitionedCall"
    points = [point(f"{prefix}/encoder/Relu", "x"), point(f"{prefix}/decoder_1/Relu", f"{prefix}/encoder/Relu")]
    assert pair_nodes(points, graph.as_graph_def(), {}) == {
        f"{prefix}/encoder/Relu": "encoder/Relu:0",
        f"{prefix}/decoder_1/Relu": "decoder/Relu:0",
    }


@pytest.mark.real
def test_a_layer_that_was_written_anew_is_paired_by_what_leaves_it() -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 2), name="x")
        with tf.name_scope("sum"):
            tf.add(x, x, name="Add")
    points = [
        Point("sum/Rewritten_Leaf", "AddV2", ("x",), "sum", "sum/Rewritten_Leaf:0", False),
        Point("sum/Rewritten", "AddV2", ("sum/Rewritten_Leaf", "x"), "sum", "sum/Rewritten:0", False),
    ]
    assert pair_nodes(points, graph.as_graph_def(), {"sum": "sum/Add:0"}) == {"sum/Rewritten": "sum/Add:0"}
