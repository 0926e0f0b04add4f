"""The formulas that stand for float32-only kernels: right to float64 by NumPy, and the same function as the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from . import resampling_reference as by_numpy
from .conftest import Both

pytestmark = pytest.mark.real

Run = Callable[..., Both]

BOXES = np.array(
    [[0.1, 0.1, 0.8, 0.88], [0, 0, 1, 1], [-0.2, 0.3, 1.3, 0.51], [0.93, 0.8, 0.1, 0.23], [0.37, 0.6, 0.37, 0.6]],
    np.float32,
)
INDICES = np.array([0, 2, 1, 1, 0], np.int32)


def of_images(keras: Any, function: Callable[[Any], Any], dtype: str = "float32") -> tuple[Any, dict[str, Any]]:
    """A model of images of 20 by 24 pixels, and inputs for it."""
    image = keras.Input((20, 24, 2), dtype=dtype)
    model = keras.Model(image, keras.layers.Lambda(function)(image))
    drawn = np.random.default_rng(3).uniform(0, 1 if dtype == "float32" else 255, (3, 20, 24, 2))
    return model, {image._keras_history.operation.name: drawn.astype(dtype)}


def check(run: Both, operation: str, expected: Any) -> None:
    """As exact as float64, the same function as in float32, and no longer a matter of float32."""
    assert run.notes == (f"float64: {operation}: no float64 kernel, computed by its formula in float64 (1 node)",)
    assert run.in_float32 == {}
    assert run.double.dtype == np.float64
    np.testing.assert_allclose(run.double, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(run.single, run.double, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
@pytest.mark.parametrize("size", [(8, 8), (1, 5), (6, 1), (41, 33)])
def test_crops(keras: Any, tf: Any, both: Run, method: str, size: tuple[int, int]) -> None:
    def crop(t: Any) -> Any:
        return tf.image.crop_and_resize(t, BOXES, INDICES, size, method=method, extrapolation_value=0.5)

    run = both(*of_images(keras, crop))
    expected = by_numpy.crop_and_resize(run.x, BOXES, INDICES, *size, method == "nearest", 0.5)
    # Which pixel is nearer, and whether the edge is inside, float32 decides: there it is the function itself.
    decided = np.abs(run.double - expected) > 1e-6
    assert decided.mean() < 0.05
    expected[decided] = run.single[decided]
    check(run, "CropAndResize", expected)


def test_a_crop_of_bytes_and_one_whose_boxes_are_computed(keras: Any, tf: Any, both: Run) -> None:
    run = both(*of_images(keras, lambda t: tf.image.crop_and_resize(t, BOXES[:1], [1], (7, 5)), dtype="uint8"))
    expected = by_numpy.crop_and_resize(run.x, BOXES[:1], np.array([1]), 7, 5, False, 0.0)
    np.testing.assert_allclose(run.double, expected, rtol=1e-12)

    def computed(t: Any) -> Any:
        share = tf.reduce_mean(t[:, :4, :4, 0], [1, 2]) / 3.0
        boxes = tf.stack([share, share / 2.0, 1.0 - share, 0.9 - share], 1)
        return tf.image.crop_and_resize(t, boxes, tf.range(tf.shape(t)[0]), (7, 5))

    run = both(*of_images(keras, computed))
    share = run.x[:, :4, :4, 0].mean((1, 2)) / 3
    boxes = np.stack([share, share / 2, 1 - share, float(np.float32(0.9)) - share], 1)
    check(run, "CropAndResize", by_numpy.crop_and_resize(run.x, boxes, np.arange(3), 7, 5, False, 0.0))


@pytest.mark.parametrize("corners", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("size", [(7, 9), (33, 50), (1, 1)])
def test_bicubic_resizing(keras: Any, tf: Any, both: Run, corners: tuple[bool, bool], size: tuple[int, int]) -> None:
    def resize(t: Any) -> Any:
        return tf.raw_ops.ResizeBicubic(images=t, size=size, align_corners=corners[0], half_pixel_centers=corners[1])

    run = both(*of_images(keras, resize))
    down, across = by_numpy.bicubic_axis(20, size[0], *corners), by_numpy.bicubic_axis(24, size[1], *corners)
    check(run, "ResizeBicubic", np.einsum("yh,xw,nhwc->nyxc", down, across, run.x))


@pytest.mark.parametrize("corners", [(False, False), (True, False), (False, True)])
def test_bilinear_resizing_in_every_convention(keras: Any, tf: Any, both: Run, corners: tuple[bool, bool]) -> None:
    def resize(t: Any) -> Any:
        return tf.raw_ops.ResizeBilinear(
            images=t, size=(13, 50), align_corners=corners[0], half_pixel_centers=corners[1]
        )

    def axis(size: int, count: int) -> Any:
        step = (size - 1) / (count - 1) if corners[0] else size / count
        matrix = np.zeros((count, size))
        for place in range(count):
            position = np.clip((place + 0.5) * step - 0.5 if corners[1] else place * step, 0, size - 1)
            low = int(np.floor(position))
            matrix[place, low] += 1 - (position - low)
            matrix[place, min(low + 1, size - 1)] += position - low
        return matrix

    run = both(*of_images(keras, resize))
    check(run, "ResizeBilinear", np.einsum("yh,xw,nhwc->nyxc", axis(20, 13), axis(24, 50), run.x))


def test_nearest_resizing_takes_the_pixels_that_float32_takes(keras: Any, tf: Any, both: Run) -> None:
    for size in ((13, 50), (40, 7)):
        run = both(*of_images(keras, lambda t, size=size: tf.image.resize(t, size, "nearest")))
        np.testing.assert_array_equal(run.double, run.single.astype(np.float64))
        assert run.notes == () and run.in_float32 == {}


def test_projective_transforms(keras: Any, tf: Any, both: Run) -> None:
    transform = np.array([[1, 0.1, 2, 0.05, 0.9, -3, 0.001, 0.002]], np.float32)

    def projected(mode: str, interpolation: str) -> Callable[[Any], Any]:
        return lambda t: tf.raw_ops.ImageProjectiveTransformV3(
            images=t, transforms=transform, output_shape=(18, 22), fill_value=0.3, interpolation=interpolation,
            fill_mode=mode,
        )  # fmt: skip

    run = both(*of_images(keras, projected("CONSTANT", "BILINEAR")))
    fill = float(np.float32(0.3))
    check(run, "ImageProjectiveTransformV3", by_numpy.project(run.x, transform[0], 18, 22, fill))
    for mode in ("NEAREST", "REFLECT", "WRAP"):
        run = both(*of_images(keras, projected(mode, "NEAREST")))
        np.testing.assert_array_equal(run.double, run.single.astype(np.float64))
        run = both(*of_images(keras, projected(mode, "BILINEAR")))
        np.testing.assert_allclose(run.double, run.single, atol=1e-5)
        assert run.in_float32 == {}


@pytest.mark.parametrize(("bits", "narrow"), [(8, False), (4, True)])
def test_fake_quantization(keras: Any, tf: Any, both: Run, bits: int, narrow: bool) -> None:
    ranges = np.array([[-0.7, 0.0], [1.3, 0.9]], np.float32)
    wide = ranges.astype(float)
    run = both(*of_images(keras, lambda t: tf.quantization.fake_quant_with_min_max_vars_per_channel(
        t * 2.0 - 0.5, ranges[0], ranges[1], bits, narrow)))  # fmt: skip
    expected = by_numpy.fake_quantize(run.x * 2 - 0.5, wide[0], wide[1], bits, narrow)
    check(run, "FakeQuantWithMinMaxVarsPerChannel", expected)
    run = both(*of_images(keras, lambda t: tf.quantization.fake_quant_with_min_max_vars(t, -0.7, 1.3, bits, narrow)))
    expected = by_numpy.fake_quantize(run.x, wide[0, 0], wide[1, 0], bits, narrow)
    check(run, "FakeQuantWithMinMaxVars", expected)


def test_contrast_and_products_of_sparse_matrices(keras: Any, tf: Any, both: Run) -> None:
    run = both(*of_images(keras, lambda t: tf.image.adjust_contrast(t, 1.75)))
    mean = run.x.mean((1, 2), keepdims=True)
    check(run, "AdjustContrastv2", (run.x - mean) * 1.75 + mean)
    run = both(*of_images(keras, lambda t: tf.matmul(t[0, :, :, 0], t[1, :, :, 0], transpose_b=True, a_is_sparse=True)))
    check(run, "SparseMatMul", run.x[0, :, :, 0] @ run.x[1, :, :, 0].T)
