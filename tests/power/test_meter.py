"""What is measured of each weight, and how long that may take."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.power import Allowance, measure, measure_power
from pycheck.power.changes import change
from pycheck.types import ArtifactInfo, Batch, Power


class _Artifact:
    """A SavedModel's function as a graph artifact."""

    def __init__(self, folder: Path, function: Any, x: np.ndarray) -> None:
        import tensorflow as tf

        from pycheck.convert import convert
        from pycheck.model import identify, load

        module = tf.Module()
        module.f = tf.function(
            lambda x: {"y": function(x)}, input_signature=[tf.TensorSpec([None, *x.shape[1:]], x.dtype)]
        )
        tf.saved_model.save(module, str(folder / "model"), signatures=module.f)
        model = load(identify(folder / "model"))
        self.info: ArtifactInfo = convert(model, folder / "web", format="graph", quantize="none")
        self.batch = Batch(0, 0, {model.info.signature.inputs[0].name: x}, len(x))

    def power(self, *, left_s: float = 60.0) -> Power:
        """Measured with so much time."""
        with ThreadPoolExecutor(1) as executor:
            allowance = Allowance(time.perf_counter() - left_s, lambda: False, share=1.0)
            return asyncio.run(measure_power(self.info, lambda: [self.batch], executor=executor, allowance=allowance))


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
