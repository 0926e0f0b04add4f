"""The inputs of a file are shown as the model gets them, and their difference as bright as it can be."""

from __future__ import annotations

import base64
import io

import numpy as np
import PIL.Image
import pytest

from pycheck.comparison import input_picture
from pycheck.types import Array

RANDOM = np.random.default_rng(0)


def pixels(png: str) -> Array:
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(png))))


def test_both_sides_have_the_scale_of_python_and_the_difference_its_own_factor() -> None:
    python = np.linspace(-1, 1, 40 * 32 * 3, dtype=np.float32).reshape(40, 32, 3)
    page = python.copy()
    page[10:20, :, 1] += 0.03
    made = input_picture("a.jpg", python, page)
    assert made is not None and (made.kind, made.shape, made.low, made.high) == ("image", (40, 32, 3), -1, 1)
    assert made.factor == 50 and made.largest == pytest.approx(0.03, rel=1e-3)  # 0.015 of the range, 50 times
    np.testing.assert_allclose(pixels(made.python_png), (python + 1) * 127.5, atol=0.51)
    difference = pixels(made.difference_png)
    assert difference.shape == (40, 32, 3) and set(np.unique(difference[10:20, :, 1])) <= {191, 192}
    assert not difference[..., [0, 2]].any() and not difference[:10].any()


def test_a_page_in_another_range_is_white() -> None:
    python = RANDOM.uniform(size=(16, 16, 3))
    made = input_picture("a", python, python * 255)
    assert made is not None and made.factor == 1 and np.mean(pixels(made.page_png) == 255) > 0.9


@pytest.mark.parametrize(
    ("shape", "kind", "size"),
    [
        ((3, 24, 40), "image", (24, 40, 3)),
        ((300, 200, 3), "image", (75, 50, 3)),
        ((98, 64), "image", (49, 32)),
        ((16000,), "wave", (32, 80)),
        ((16000, 1), "wave", (32, 80)),
    ],
)
def test_channels_first_large_images_spectrograms_and_waves_are_pictures(
    shape: tuple[int, ...], kind: str, size: tuple[int, ...]
) -> None:
    python = RANDOM.normal(size=shape).astype(np.float32)
    made = input_picture("a", python, python + np.float32(0.1))
    assert made is not None and made.kind == kind
    assert {pixels(png).shape for png in (made.python_png, made.page_png, made.difference_png)} == {size}


def test_what_is_equal_or_no_picture_is_not_drawn() -> None:
    python = RANDOM.normal(size=(16, 16, 3))
    assert input_picture("a", python, python.copy()) is None
    assert input_picture("a", python, python[:8]) is None
    assert input_picture("a", np.ones((16, 16, 3)), python) is None
    assert input_picture("a", RANDOM.normal(size=9), np.zeros(9)) is None
