"""Which outputs have a noise floor that was measured: those behind float64 alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np
import pytest

from pycheck.model import load
from pycheck.runtimes.native.model import NativeRuntime
from pycheck.types import NATIVE_FLOAT64

from .conftest import Both

pytestmark = pytest.mark.real

Run = Callable[..., Both]
LANCZOS = ("ScaleAndTranslate",)


def model_of(keras: Any, function: Callable[[Any], dict[str, Any]]) -> Any:
    image = keras.Input((8, 8, 3), name="image")
    return keras.Model(image, keras.layers.Lambda(function)(image))


def in_float32(both: Run, keras: Any, function: Callable[[Any], dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    return dict(both(model_of(keras, function)).in_float32)


def test_an_output_behind_float32_is_unmeasured_and_one_beside_it_is_not(keras: Any, tf: Any, both: Run) -> None:
    def f(t: Any) -> dict[str, Any]:
        small = tf.image.resize(t, (4, 4), "lanczos3")
        return {"small": small, "later": tf.reduce_sum(tf.tanh(small), [1, 2]), "beside": tf.tanh(t)}

    assert in_float32(both, keras, f) == {"small": LANCZOS, "later": LANCZOS}


def test_a_decision_ends_the_trail_and_a_cast_does_not(keras: Any, tf: Any, both: Run) -> None:
    def f(t: Any) -> dict[str, Any]:
        small = tf.image.resize(t, (4, 4), "lanczos3")
        flat = tf.reshape(small, [-1, 48])
        return {
            "best": tf.argmax(flat, -1),
            "chosen": tf.gather(tf.tanh(tf.reshape(t, [-1, 192])), tf.argmax(flat, -1), batch_dims=1),
            "positive": tf.cast(flat > 0, tf.float32),
            "whole": tf.cast(tf.cast(flat * 9.0, tf.int32), tf.float32),
            "size": tf.cast(tf.shape(small), tf.float32),
        }

    assert in_float32(both, keras, f) == {"whole": LANCZOS}


def test_kept_boxes_are_measured_and_softened_scores_are_not(keras: Any, tf: Any, both: Run) -> None:
    def f(t: Any) -> dict[str, Any]:
        corner = tf.reshape(t[0, :, :, :2], [-1, 2])
        boxes, scores = tf.concat([corner, corner + 1.0], 1), tf.sigmoid(tf.reshape(t[0, :, :, 2], [-1]))
        kept, softened = tf.image.non_max_suppression_with_scores(boxes, scores, 5, soft_nms_sigma=0.5)
        return {"boxes": tf.gather(boxes, kept), "kept": kept, "softened": softened}

    assert in_float32(both, keras, f) == {"softened": ("NonMaxSuppressionV5",)}


def test_float32_inside_of_branches_and_loops_is_seen(keras: Any, tf: Any, both: Run) -> None:
    def resized(t: Any) -> Any:
        return tf.ensure_shape(tf.image.resize(t, (8, 8), "lanczos5"), t.shape)

    def f(t: Any) -> dict[str, Any]:
        count, looped = tf.while_loop(lambda i, _: i < 2, lambda i, u: (i + 1, resized(u)), (0, t))
        branched = tf.cond(tf.reduce_sum(t) > 0, lambda: resized(t), lambda: t)
        return {"looped": looped, "count": count[None], "branched": branched, "plain": tf.exp(-tf.abs(t))}

    assert in_float32(both, keras, f) == {"looped": LANCZOS, "branched": LANCZOS}


def test_every_operation_before_an_output_is_named_once(keras: Any, tf: Any, both: Run) -> None:
    def f(t: Any) -> dict[str, Any]:
        shifted = tf.image.adjust_hue(tf.image.adjust_hue(tf.sigmoid(t), 0.1), 0.2)
        return {"y": tf.image.resize(tf.image.adjust_saturation(shifted, 2.0), (4, 4), "lanczos3") * 2.0}

    assert in_float32(both, keras, f) == {"y": ("AdjustHue", "AdjustSaturation", "ScaleAndTranslate")}


def test_a_table_of_floats_costs_float32_nothing(keras: Any, tf: Any, both: Run) -> None:
    x = keras.Input((3,), dtype="int64")
    y = keras.layers.Embedding(4, 2)(keras.layers.IntegerLookup(vocabulary=[30, 50, 90])(x))
    model = keras.Model(x, y)
    run = both(model, {x._keras_history.operation.name: np.array([[30, 50, 7]])})
    assert run.in_float32 == {}


def test_the_environment_tells_which_floors_are_assumed(keras: Any, tf: Any, executor: Executor) -> None:
    model = load(model_of(keras, lambda t: {"small": tf.image.resize(t, (4, 4), "lanczos3"), "wide": t * 2.0}))

    async def started() -> NativeRuntime:
        async with NativeRuntime(NATIVE_FLOAT64, model, executor=executor) as runtime:
            return runtime

    environment = asyncio.run(started()).environment
    assert environment.in_float32 == {"small": LANCZOS}
    told = "the noise floor of small is assumed, not measured: ScaleAndTranslate ran in float32 before it"
    assert told in environment.notes
