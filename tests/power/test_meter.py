"""What is measured of each weight, and how long that may take."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from pycheck.artifact.sensitivity import SensitivitySession
from pycheck.graphdef.sizes import value_bytes
from pycheck.power import Allowance, measure, measure_power, portions
from pycheck.power.changes import change, hides_faults
from pycheck.power.portions import parts
from pycheck.types import ArtifactInfo, Batch, Power

from ..conftest import more

pytestmark = pytest.mark.real


class _Artifact:
    """A SavedModel's function as a graph artifact."""

    def __init__(self, folder: Path, function: Any, x: np.ndarray) -> None:
        import tensorflow as tf

        from pycheck.conversion import convert
        from pycheck.model import identify, load

        module = tf.Module()
        module.f = tf.function(
            lambda x: {"y": function(x)}, input_signature=[tf.TensorSpec([None, *x.shape[1:]], x.dtype)]
        )
        tf.saved_model.save(module, str(folder / "model"), signatures=module.f)
        model = load(identify(folder / "model"))
        self.signature = model.info.signature
        self.info: ArtifactInfo = convert(model, folder / "web", format="graph", quantize="none")
        self.batch = Batch(0, 0, {model.info.signature.inputs[0].name: x}, len(x))

    def power(self, *, left_s: float = 60.0, apart: bool = False) -> Power:
        """Measured with so much time."""
        with ThreadPoolExecutor(1) as executor:
            allowance = Allowance(time.perf_counter() - left_s, lambda: False, share=1.0)
            return asyncio.run(
                measure_power(self.info, lambda: [self.batch], executor=executor, allowance=allowance, apart=apart)
            )


X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
W = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)


def test_a_mask_and_zeros_are_no_weights_that_a_small_fault_could_change(tmp_path: Path) -> None:
    import tensorflow as tf

    mask = np.array([0.0, 0.0, -1e9, 0.0, -np.inf], np.float32)
    power = _Artifact(tmp_path, lambda x: tf.nn.softmax(x @ tf.constant(W) + tf.constant(mask)), X).power()
    assert [weight.shape for weight in power.weights] == [(4, 5)]
    assert power.left_out_count == 1
    assert all(weight.reached for weight in power.weights)


def test_a_branch_that_is_not_taken_is_not_reached(tmp_path: Path) -> None:
    import tensorflow as tf

    def function(x: Any) -> Any:
        return x @ tf.constant(W) + tf.where(x[:, :1] > 100.0, x @ tf.constant(3.0 * W), 0.0)

    power = _Artifact(tmp_path, function, X).power()
    assert sorted((weight.reached for weight in power.weights), key=str) == [False, True]


def _zero(channels: Sequence[int], fill: float = -100.0) -> np.ndarray:
    """A bias that shifts these of 5 channels to where a ReLU is 0."""
    return np.where(np.isin(np.arange(5), channels), fill, 0.0).astype(np.float32)


K = np.random.default_rng(2).normal(size=(3, 3, 3, 5)).astype(np.float32)
IMAGES = np.random.default_rng(3).normal(size=(9, 6, 6, 3)).astype(np.float32)
KERNEL = np.where(np.arange(5) == 2, 0.0, W).astype(np.float32)  # as of a pruned filter
NAN = np.where(np.arange(5) == 4, np.nan, 0.0).astype(np.float32)
ROWS = np.vstack([X, -X, X, [[50.0, -50.0, 50.0, -50.0]]]).astype(np.float32)


def _leaky(tf: Any, relu: Callable[[Any], Any], x: Any) -> Any:
    return relu(x) - 0.01 * tf.nn.relu(-x)


def _keras_relu(x: Any, **options: float) -> Any:
    import keras

    return 0.01 * keras.layers.ReLU(negative_slope=0.1, **options)(x)


def _both_signs(tf: Any, x: Any) -> Any:
    return tf.concat([tf.nn.relu(-tf.identity(x)), 2.0 * tf.nn.relu(x)], -1)


#: By inputs and kind: what a model computes, and the channels that are 0 for all of these inputs.
DEAD: list[tuple[np.ndarray, dict[str, tuple[Callable[[Any, Any], Any], tuple[int, ...]]]]] = [
    (
        IMAGES,
        {
            "convolution": (lambda tf, x: tf.nn.relu(tf.nn.conv2d(x, K, 1, "SAME") + _zero([0, 3])), (0, 3)),
            "six": (lambda tf, x: tf.nn.relu6(tf.nn.conv2d(x, K, 2, "VALID") + _zero([1])), (1,)),
            "leaky_six": (lambda tf, x: _leaky(tf, tf.nn.relu6, tf.nn.conv2d(x, K, 1, "SAME") + _zero([1])), ()),
        },
    ),
    (
        ROWS,
        {
            "pruned": (lambda tf, x: tf.nn.relu(x @ tf.constant(KERNEL)), (2,)),
            "every": (lambda tf, x: tf.nn.relu(x @ tf.constant(W) - 1e3), (0, 1, 2, 3, 4)),
            "sum": (lambda tf, x: x + tf.nn.relu(x @ tf.constant(W[:, :4]) + _zero([1], -1e3)[:4]), (1,)),
            "last": (lambda tf, x: tf.nn.relu(x @ np.eye(4, 5, dtype=np.float32) - 20.0), (1, 3, 4)),
            "living": (lambda tf, x: tf.nn.relu(x @ tf.constant(W)), ()),
            "leaky": (lambda tf, x: _leaky(tf, tf.nn.relu, x @ tf.constant(W) + _zero([1], -1e3)), ()),
            "mirrored": (lambda tf, x: _leaky(tf, tf.nn.relu, x @ tf.constant(W) + _zero([1], 1e3)), ()),
            "joined": (lambda tf, x: _both_signs(tf, x @ tf.constant(W) + _zero([1, 2], -1e3)), ()),
            "keras": (lambda tf, x: _keras_relu(x @ tf.constant(W) + _zero([1], 1e3), max_value=6.0), ()),
            "threshold": (lambda tf, x: _keras_relu(x @ tf.constant(W) + _zero([1], 1e3), threshold=1.0), ()),
            "beside": (lambda tf, x: tf.nn.relu(x @ tf.constant(W[:, :4]) + _zero([1], -1e3)[:4]) + 0.01 * x, (1,)),
            "negative": (lambda tf, x: tf.nn.relu(-(x @ tf.constant(W) + _zero([4], 1e3))), (4,)),
            "whole": (
                lambda tf, x: tf.cast(tf.nn.relu(tf.cast(x @ tf.constant(W), tf.int32) - [0, 0, 99, 0, 0]), tf.float32),
                (2,),
            ),
            "empty": (lambda tf, x: tf.nn.relu(x[:, :0]), ()),
            "tangent": (lambda tf, x: tf.nn.tanh(x @ tf.constant(W) + _zero([3])), ()),
            "nan": (lambda tf, x: tf.nn.relu(x @ tf.constant(W) + _zero([3], -1e3) + NAN), (3,)),
        },
    ),
]


@pytest.mark.parametrize("number", [0, *more(*range(1, len(DEAD)))])
def test_channels_that_are_0_for_all_inputs_are_found(number: int, tmp_path: Path) -> None:
    import tensorflow as tf

    x, kinds = DEAD[number]

    def function(v: Any) -> Any:
        parts = []
        for name, (made, _) in kinds.items():
            with tf.name_scope(name):
                parts.append(tf.reshape(1.5 * tf.exp(-made(tf, v)), [tf.shape(v)[0], -1]))
        return tf.concat(parts, 1)

    artifact = _Artifact(tmp_path, function, x)
    power = artifact.power()
    assert not power.note
    found = {name: item.dead for item in power.channels for name in kinds if f"/{name}/" in item.name}
    assert found == {name: dead for name, (_, dead) in kinds.items() if dead}
    assert len(found) == len(power.channels)
    assert all(item.sample_count == len(x) for item in power.channels)
    artifact.batch = replace(artifact.batch, tensors={n: v[:1] for n, v in artifact.batch.tensors.items()}, size=1)
    few = {name for item in artifact.power().channels for name in kinds if f"/{name}/" in item.name}
    assert few == ({"convolution"} if number == 0 else set())  # of so few values chance makes some 0


def test_batches_are_watched_in_parts_of_few_samples_and_whole_where_the_model_takes_no_other_number() -> None:
    whole = np.ones(3, np.float32)
    batch = Batch(1, 9, {"x": np.arange(9.0).reshape(9, 1), "whole": whole}, 9, frozenset({"whole"}))
    seen = list(parts(batch, fixed=False))
    assert [end for _, end in seen] == [13, 17, 18]
    assert np.array_equal(np.concatenate([tensors["x"] for tensors, _ in seen]), batch.tensors["x"])
    assert all(tensors["whole"] is whole for tensors, _ in seen)
    assert list(parts(batch, fixed=True)) == [(batch.tensors, 18)]


@pytest.mark.parametrize("left_s", [60.0, -1.0])
def test_an_operation_without_a_gradient_is_perturbed_or_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_s: float
) -> None:
    import tensorflow as tf

    if left_s < 0.0:
        monkeypatch.setattr(measure, "_ALWAYS_S", -1.0)
    power = _Artifact(tmp_path, lambda x: tf.cast(tf.argmax(x @ tf.constant(W), 1), tf.int32), X).power(left_s=left_s)
    (weight,) = power.weights
    assert weight.method == ("perturbed" if left_s > 0.0 else "unknown")
    assert weight.reached is None or left_s > 0.0


def test_projections_know_the_statistics_of_a_batch_normalization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    monkeypatch.setattr(measure, "_ALWAYS_S", -1.0)
    monkeypatch.setattr(measure, "_LEAST_ROUNDS", 8)
    images = np.random.default_rng(0).normal(size=(4, 6, 6, 3)).astype(np.float32)
    gamma, beta, mean, variance = (np.array(v, np.float32) for v in ([1, 2, 3], [0.5, 1, 1], [1, 2, 3], [1, 4, 9]))

    def function(x: Any) -> Any:
        y, *_ = tf.compat.v1.nn.fused_batch_norm(tf.sin(x), gamma, beta, mean, variance, is_training=False)
        return y

    artifact = _Artifact(tmp_path, function, images)
    estimated, exact = artifact.power(left_s=-1.0), artifact.power()
    assert {weight.method for weight in estimated.weights} == {"projected"}
    assert len(exact.weights) > 1
    for a, b in zip(estimated.weights, exact.weights, strict=True):
        assert a.changes[0].rms == pytest.approx(b.changes[0].rms, rel=0.6), a.name


def test_a_change_of_class_or_shape_is_as_large_as_numbers_are() -> None:
    one = np.ones(3, np.float32)
    found = [change("y", one, np.array([1.0, np.nan, 1.0], np.float32)), change("y", one, np.ones(4, np.float32))]
    assert [item and item.rms for item in found] == [np.finfo(float).max] * 2
    assert change("y", one, one) is None


def test_no_more_than_its_share_is_used_while_browsers_run() -> None:
    async def use() -> tuple[float, bool]:
        running = True
        allowance = Allowance(time.perf_counter(), lambda: running, share=0.25)
        begin = time.perf_counter()
        while time.perf_counter() - begin < 1.0 and await allowance.granted():
            time.sleep(0.02)
            allowance.use(0.02)
        running = False
        allowance.use(10.0)
        return allowance.used_s - 10.0, await allowance.granted()

    used_s, granted = asyncio.run(use())
    assert used_s <= 0.25 * 1.5 + 0.02  # on a busy machine the second may be longer
    assert not granted


def _layers(x: Any) -> Any:
    import tensorflow as tf

    hidden = tf.nn.relu(x @ tf.constant(W))
    return tf.nn.relu(hidden @ tf.constant(W.T) + tf.constant(W[:, 0]))


@pytest.mark.parametrize("left_s", [60.0, -1.0])
def test_samples_in_portions_give_what_they_give_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_s: float
) -> None:
    if left_s < 0.0:
        monkeypatch.setattr(measure, "_ALWAYS_S", -1.0)
    artifact = _Artifact(tmp_path, _layers, X)
    together = artifact.power(left_s=left_s, apart=True)
    counts: list[int] = []
    run = SensitivitySession.run

    def counted(self: Any, feeds: Any, factors: Any) -> Any:
        counts.append(len(next(iter(feeds.values()))))
        return run(self, feeds, factors)

    monkeypatch.setattr(SensitivitySession, "run", counted)
    monkeypatch.setattr(portions, "_MOST_BYTES", 3 * 4 * (5 + 5 + 4 + 4 + 4))  # of three samples
    parted = artifact.power(left_s=left_s, apart=True)
    assert set(counts) == {3, 1}
    assert parted.sample_count == together.sample_count == 4
    assert [weight.reached for weight in parted.weights] == [weight.reached for weight in together.weights]
    assert {weight.method for weight in parted.weights} == {"perturbed" if left_s > 0.0 else "projected"}
    for one, other in zip(parted.weights, together.weights, strict=True):
        assert one.changes[0].rms == pytest.approx(other.changes[0].rms, rel=1e-5)


def test_outputs_that_are_not_apart_get_fewer_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = _Artifact(tmp_path, _layers, X)
    assert artifact.power().sample_count == 4
    monkeypatch.setattr(portions, "_MOST_BYTES", 2 * 4 * (5 + 5 + 4 + 4 + 4))
    assert artifact.power().sample_count == 2


@pytest.mark.parametrize("free", [None, 6], ids=["free sizes", "sizes known"])
def test_the_size_of_all_values_is_that_for_the_given_inputs(free: int | None) -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, free, 3], name="x")
        y = tf.nn.relu(tf.identity(x) @ tf.constant(np.ones((3, 50), np.float32)))
        tf.reshape(tf.reduce_sum(y, 1), [-1, 50])
    shapes = {"x:0": (2, 6, 3)}
    assert value_bytes(graph.as_graph_def(), shapes) == 4 * (2 * 6 * 50 * 2 + 2 * 50)


def _nan_in_some(x: Any) -> Any:
    import tensorflow as tf

    return tf.where(x[:, :1] > 0.0, np.float32(np.nan), 1.0) * (x @ tf.constant(W))


def _steep(x: Any) -> Any:
    """Finite, and its derivative is beyond float32."""
    import tensorflow as tf

    return 3e38 * tf.sin(tf.abs(x[:, :1]) @ tf.constant([[80.0]]))


@pytest.mark.parametrize("function", [_nan_in_some, _steep])
def test_a_slope_that_is_no_number_leaves_unknown_whether_a_weight_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Callable[[Any], Any]
) -> None:
    artifact = _Artifact(tmp_path, function, X)
    assert [weight.reached for weight in artifact.power().weights] != [False]
    monkeypatch.setattr(measure, "_ALWAYS_S", -1.0)
    power = artifact.power(left_s=-1.0)
    assert [weight.reached for weight in power.weights] == [None]
    stored = TypeAdapter(Power)
    assert stored.validate_json(stored.dump_json(power)) == power  # JSON has neither NaN nor infinity


@pytest.mark.parametrize(
    ("values", "hides"),
    [
        ([[0.5, 1.0], [0.0, 1.0]], False),
        ([[0.5, np.nan], [0.25, 1.0]], False),
        ([[0.0, 0.0], [0.0, 0.0]], False),
        ([[0.0, 1.0], [0.0, 1.0]], False),
        (0.5, False),
        ([[0.0, 1.0], [1.0, 1.0]], True),
        ([[0.0, 1.0]], True),
        ([[-3.0, np.inf], [2.0, np.nan]], True),
        ([[np.nan], [np.inf]], True),
        ([[True], [True]], True),
        ([[1], [1]], True),
        (np.zeros((0, 3)), True),
    ],
)
def test_decisions_and_nan_hide_faults(values: Any, hides: bool) -> None:
    assert hides_faults(np.asarray(values)) is hides


def test_portions_that_do_not_fit_together_are_no_fault_of_the_artifact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    x = np.array([[1, 1, 1, 1], [-1, 1, 1, 1], [1, -1, -1, 1], [1, 1, 1, -1]], np.float32)
    artifact = _Artifact(
        tmp_path, lambda x: tf.boolean_mask(x, tf.reduce_all(x > 0, 0), axis=1) * tf.constant([2.5]), x
    )
    monkeypatch.setattr(portions, "_MOST_BYTES", 1)
    assert not artifact.signature.joins_samples
    assert not artifact.power().note
    power = artifact.power(apart=True)
    assert power.note.startswith("Not measured: ")
    assert power.failure == ""


def test_an_artifact_that_contradicts_itself_is_told_with_the_reason(tmp_path: Path) -> None:
    artifact = _Artifact(tmp_path, lambda x: x @ np.arange(1.0, 9.0, dtype=np.float32).reshape(4, 2), X)
    file = artifact.info.folder / artifact.info.model_file
    content = json.loads(file.read_text("utf-8"))
    (weight,) = (w for group in content["weightsManifest"] for w in group["weights"] if w["shape"] == [4, 2])
    weight["shape"] = [2, 4]
    file.write_text(json.dumps(content), "utf-8")
    power = artifact.power()
    assert power.failure and power.note == f"Not measured: {power.failure}"
