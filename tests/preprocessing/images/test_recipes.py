"""The known recipes, against the numbers of Keras and of TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pycheck.errors import InputsFileError
from pycheck.preprocessing.images.pixels import decode, resize
from pycheck.preprocessing.images.recipes import RECIPES, placed, recipe, scaled
from pycheck.types import Signature, TensorSpec


def _signature(*shape: int) -> Signature:
    return Signature((TensorSpec("image", "float32", (None, *shape), has_sample_axis=True),), ())


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.float32)


@pytest.mark.real
@pytest.mark.parametrize("mode", ["tf", "caffe", "torch"])
def test_the_scales_are_those_of_keras(pixels: np.ndarray, mode: str) -> None:
    from keras.src.applications.imagenet_utils import preprocess_input

    np.testing.assert_allclose(scaled(pixels, RECIPES[mode]), preprocess_input(pixels.copy(), mode=mode), atol=2e-5)


@pytest.mark.real
@pytest.mark.parametrize("size", [(7, 11), (20, 30), (41, 33), (1, 1)])
def test_the_resize_is_that_of_tensorflow(pixels: np.ndarray, size: tuple[int, int]) -> None:
    import tensorflow as tf

    np.testing.assert_allclose(resize(pixels, *size), tf.image.resize(pixels, size).numpy(), atol=1e-3)


def test_a_crop_takes_the_middle_and_a_letterbox_the_whole(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(placed(pixels, "center-crop", 20, 20), pixels[:, 5:25])
    boxed = placed(pixels, "letterbox", 30, 30)
    assert not boxed[:5].any() and not boxed[25:].any()
    np.testing.assert_array_equal(boxed[5:25], pixels)


def test_pixels_are_upright_opaque_and_rgb(tmp_path: Path) -> None:
    left = np.zeros((4, 8, 3), np.uint8)
    left[:, :4] = (200, 100, 50)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    PIL.Image.fromarray(left).save(tmp_path / "turned.png", exif=exif)
    turned = decode(tmp_path / "turned.png")
    assert turned.shape == (8, 4, 3)
    np.testing.assert_array_equal(turned[0, 0], (200, 100, 50))
    assert decode(tmp_path / "turned.png", upright=False).shape == (4, 8, 3)
    PIL.Image.fromarray(np.full((2, 2, 4), (255, 0, 0, 0), np.uint8)).save(tmp_path / "clear.png")
    assert not decode(tmp_path / "clear.png").any()
    PIL.Image.fromarray(np.full((2, 2), 7, np.uint8)).save(tmp_path / "gray.png")
    np.testing.assert_array_equal(decode(tmp_path / "gray.png"), np.full((2, 2, 3), 7.0))


def test_a_recipe_gives_the_size_and_the_channels_of_the_model(tmp_path: Path, pixels: np.ndarray) -> None:
    PIL.Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "a.png")
    made = recipe("letterbox+rescale", _signature(10, 12, 1))(tmp_path / "a.png")
    assert made.shape == (10, 12, 1) and made.dtype == np.float32
    assert 0 <= made.min() < made.max() <= 1


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputsFileError, match=r"Cannot decode .*a\.png"):
        decode(tmp_path / "a.png")
