"""Sound trainings are alike in every runtime, within what float32 itself costs; or the difference is explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .failures import dense, noise, sums
from .lab import Lab, Trained

pytestmark = pytest.mark.real

OPTIMIZERS = ("sgd:0.1", "momentum:0.02", "rmsprop:0.01", "adagrad:0.1", "adadelta:0.5", "adam:0.01", "adamax:0.01")


def regression() -> tuple[Any, Any, Any]:
    x = noise(48, 4)
    return dense(4, (8, "tanh"), (1, None)), x, sums(x)


@pytest.fixture(scope="module")
def by_sgd(wide_lab: Lab) -> Trained:
    return wide_lab.train(*regression(), optimizer="sgd:0.1", loss="mse", steps=30, batch_size=20)


def test_a_plain_regression_trains_alike_on_three_backends(by_sgd: Trained) -> None:
    training = by_sgd.report.training
    assert training is not None
    assert by_sgd.report.passed
    assert [str(c.runtime) for c in training.curves[2:]] == ["chromium:cpu", "chromium:wasm", "chromium:webgl"]
    for curves in training.curves:
        assert len(curves.loss) == 30
        assert curves.loss[-1] < 0.2 * curves.loss[0]
        assert curves.parted is None
        assert set(curves.nonfinite_activations) == {0}


@pytest.mark.exhaustive
def test_a_page_keeps_nothing_of_the_trainings_before(lab: Lab) -> None:
    held = []
    for _ in range(3):
        lab.outcome(*regression(), optimizer="adam:0.01", loss="mse", steps=2, batch_size=48)
        held += [trainer.runtime.tensor_count for trainer in lab.bench._pages.values()]
    assert held[0] is not None
    assert held[2] == held[1]  # of what came before the first, other tests may have left a model


def test_errors_are_small_beside_what_is_allowed_and_not_nothing(by_sgd: Trained) -> None:
    training = by_sgd.report.training
    assert training is not None
    for curves in training.curves[2:]:
        shares = [share for share in curves.weight_error if share is not None]
        assert 0.0 < max(shares) < 0.5


def test_what_layers_give_is_compared_too(by_sgd: Trained) -> None:
    training = by_sgd.report.training
    assert training is not None
    for curves in training.curves[2:]:
        shares = [share for share in curves.activation_error if share is not None]
        assert len(shares) == 30
        assert 0.0 < max(shares) < 0.5


def test_the_gradient_of_the_first_step_is_compared_by_variable(by_sgd: Trained) -> None:
    training = by_sgd.report.training
    assert training is not None
    rows = [row for row in training.gradients if str(row.runtime) == "chromium:webgl"]
    assert [row.variable for row in rows] == ["dense_0/kernel", "dense_0/bias", "dense_1/kernel", "dense_1/bias"]
    assert all(row.passed for row in rows)


def test_the_same_batches_are_taken_in_the_same_order_also_the_smaller_last_one(by_sgd: Trained) -> None:
    """48 samples by 20 give batches of 20, 20 and 8: with any other order the losses would differ at once."""
    training = by_sgd.report.training
    assert training is not None
    double, page = training.curves[1], training.curves[2]
    np.testing.assert_allclose(page.loss, double.loss, rtol=1e-5)
    assert by_sgd.setup.plan.rows(2) == slice(40, 48)


@pytest.mark.parametrize(
    ("optimizer", "cause"),
    [("adam:0.01", "optimizer-formula"), ("adadelta:0.5", "optimizer-formula"), ("adamax:0.01", None)],
)
def test_an_optimizer_of_another_formula_is_explained_by_that_formula(
    lab: Lab, optimizer: str, cause: str | None
) -> None:
    trained = lab.train(*regression(), optimizer=optimizer, loss="mse", steps=12)
    assert trained.report.passed == (cause is None)
    assert (cause in trained.codes) == (cause is not None)


def upsampled(name: str, **arguments: Any) -> tuple[Any, Any, Any]:
    """A model that enlarges what a convolution gives."""
    import keras

    keras.utils.set_random_seed(0)
    sizes = (6, 5) if name.endswith("2D") else (6,)
    convolution = getattr(keras.layers, name.replace("UpSampling", "Conv"))
    layers = [convolution(3, 3, padding="same", name="conv"), getattr(keras.layers, name)(name="larger", **arguments)]
    model = keras.Sequential([keras.Input((*sizes, 2)), *layers, convolution(1, 3, name="out")])
    y = np.random.default_rng(1).normal(size=(4, *(2 * size - 2 for size in sizes), 1)).astype(np.float32)
    return model, np.random.default_rng(0).normal(size=(4, *sizes, 2)).astype(np.float32), y


@pytest.mark.parametrize("name", ["UpSampling2D", "UpSampling1D"])
def test_a_gradient_that_the_cpu_reads_from_other_samples_is_explained_by_its_kernel(wide_lab: Lab, name: str) -> None:
    trained = wide_lab.train(*upsampled(name), optimizer="sgd:0.01", loss="mse", steps=3, batch_size=4)
    (found,) = [finding for finding in trained.report.findings if finding.code == "broken-gradient"]
    assert list(map(str, found.runtimes)) == ["chromium:cpu"]
    assert f"ResizeNearestNeighborGrad computes a wrong gradient for larger ({name})" in found.summary
    assert found.evidence["share_after"] < 1 < 1000 < found.evidence["share_before"]
    training = trained.report.training
    assert training is not None
    assert {str(curves.runtime): curves.parted is None for curves in training.curves}["chromium:webgl"]


def test_batches_of_one_sample_have_the_right_gradient(lab: Lab) -> None:
    model, x, y = upsampled("UpSampling2D")
    trained = lab.train(model, x, y, optimizer="sgd:0.01", loss="mse", steps=3, batch_size=4, try_remedies=True)
    training = trained.report.training
    assert training is not None
    (trial,) = [trial for trial in training.cures if trial.name == "single-samples"]
    assert trial.worked and trial.option == "--batch-size 1"
    again = lab.train(model, x, y, optimizer="sgd:0.01", loss="mse", steps=3, batch_size=1)
    assert again.report.passed and "broken-gradient" not in again.codes


def test_the_epsilon_of_webgl_explains_what_it_does_and_one_epsilon_for_both_cures_it(wide_lab: Lab) -> None:
    model, x, y = regression()
    trained = wide_lab.train(model, x, y, optimizer="rmsprop:0.01", loss="mse", steps=12)
    (found,) = [finding for finding in trained.report.findings if finding.code == "epsilon-mismatch"]
    assert list(map(str, found.runtimes)) == ["chromium:webgl"]
    assert found.evidence["epsilon"] == pytest.approx(1e-4)
    assert found.evidence["share_after"] < 1 < found.evidence["share_before"]
    again = wide_lab.train(model, x, y, optimizer="rmsprop:0.01,epsilon=1e-3", loss="mse", steps=12)
    assert again.report.passed


def test_dropout_is_off_with_a_note_and_moving_statistics_are_compared(lab: Lab) -> None:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((4,), name="x"),
            layers.Dense(6, activation="relu", name="dense"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(1, name="out", kernel_regularizer=keras.regularizers.L2(0.01)),
        ]
    )
    x = noise(32, 4)
    trained = lab.train(model, x, sums(x), optimizer="sgd:0.05", loss="mse", steps=15)
    training = trained.report.training
    assert training is not None
    assert trained.report.passed, trained.report.findings
    assert any("drop: Dropout is disabled" in note for note in training.notes)
    moving = [v for v in training.variables if not v.trainable]
    assert [v.name for v in moving] == ["norm/moving_mean", "norm/moving_variance"]
    assert all(v.compared for v in training.variables)


def network_of_pixels(keras: Any, side: int) -> Any:
    keras.utils.set_random_seed(0)
    image = keras.Input((side, side, 3))
    wide = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    narrow = keras.layers.Conv2D(8, 1, padding="same", activation="relu")(wide)
    answer = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(narrow))
    return keras.Model(image, answer)


def test_gradients_that_sum_many_pixels_one_after_the_other_are_roundoff_on_webgl(wide_lab: Lab) -> None:
    """WebGL's sum of 147,456 terms, which nearly cancel, has an error that no sum in blocks has."""
    import keras

    rng = np.random.default_rng(0)
    x, y = rng.random((16, 96, 96, 3), np.float32), np.eye(3, dtype=np.float32)[rng.integers(0, 3, 16)]
    model = network_of_pixels(keras, 96)
    trained = wide_lab.train(model, x, y, optimizer="sgd:0.01", loss="categorical_crossentropy", steps=1)
    assert trained.report.training is not None
    rows = [row for row in trained.report.training.gradients if str(row.runtime) == "chromium:webgl"]
    assert len(rows) == 6 and all(row.passed for row in rows)


def test_a_strided_pointwise_convolution_of_few_channels_does_not_end_the_process(lab: Lab) -> None:
    """Its gradient in oneDNN overruns the heap within a few steps on processors with AVX-512."""
    import keras

    rng = np.random.default_rng(0)
    image = keras.Input((60, 60, 3))
    answer = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 1, strides=2)(image))
    x, y = rng.random((6, 60, 60, 3), np.float32), rng.random((6, 8), np.float32)
    trained = lab.train(keras.Model(image, answer), x, y, optimizer="sgd:0.1", loss="mse", steps=60)
    assert trained.report.passed
