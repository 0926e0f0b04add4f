"""A side is described to the last bit, also where Pillow rounds; the code that is written has no more than it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import PIL.Image
import pytest

from pycheck.preprocessing.images.emitting import javascript, python
from pycheck.preprocessing.images.resampling import Kernel, Window, is_rows_first, resample, taps_of
from pycheck.preprocessing.images.sides import Side, describe, of_recipe
from pycheck.types import Signature, TensorSpec

from ...conftest import more
from .faults import FAULTS, RIGHT, inputs
from .photos import write_photos


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_photos(tmp_path_factory.mktemp("photos") / "photos", 0.5)


def written(side: Side) -> Callable[[Path], np.ndarray]:
    """The function of the Python that is written for a side."""
    module: dict[str, Any] = {}
    exec(python(side, "a test"), module)
    return cast("Callable[[Path], np.ndarray]", module["load"])


@pytest.mark.parametrize("method", ["BILINEAR", "BICUBIC", "LANCZOS", "BOX"])
def test_a_resize_has_the_bits_of_pillow_whichever_axis_is_first(method: str) -> None:
    random = np.random.default_rng(0)
    kernel = Kernel(method.lower(), antialias=True)
    orders = set()
    for _ in range(20):
        old, new = (tuple(int(size) for size in random.integers(20, 200, 2)) for _ in range(2))
        pixels = random.integers(0, 256, old).astype(np.uint8)
        taps = [taps_of(kernel, Window(0.0, size, 0, size), wanted) for size, wanted in zip(old, new, strict=True)]
        first = is_rows_first(old, new)  # type: ignore[arg-type]
        made = resample(pixels[None], *taps, rounds=True, rows_first=first)[0]
        wanted = PIL.Image.fromarray(pixels).resize(new[::-1], PIL.Image.Resampling[method])
        np.testing.assert_array_equal(made, np.asarray(wanted), f"{old} to {new}")
        orders.add(first)
    assert False in orders


@pytest.mark.parametrize("name", ["letterbox", *more("pillow", "white")])
def test_a_side_is_described_to_the_roundoff_of_floats(files: list[Path], name: str) -> None:
    side = describe(files, inputs(RIGHT[name], files))
    assert side is not None and side.error < 1e-3 and side.seen == {"upright", "alpha", "managed"}


@pytest.mark.exhaustive
def test_a_resize_without_pixel_centers_is_not_taken_for_a_moved_image(files: list[Path]) -> None:
    side = describe(files, inputs(replace(RIGHT["caffe"], resize="nearest plain"), files))
    assert side is not None and side.error < 1e-3
    assert side.description.making.kernel == Kernel("nearest", "plain") and not any(
        side.description.making.placement.shift
    )


@pytest.mark.parametrize(
    ("place", "resize", "words"),
    [
        ("resize to fit, crop", "pillow BICUBIC", "center crop, cut after the resize"),
        ("central", "bilinear half", "center crop of 0.875 of each side, stretched, cut before the resize"),
    ],
)
def test_a_part_is_cut_before_or_after_the_resize(files: list[Path], place: str, resize: str, words: str) -> None:
    wanted = inputs(replace(RIGHT["stretch"], place=place, resize=resize), files)
    side = describe(files, wanted)
    assert side is not None and side.error < 1e-3 and str(side.description.making.placement) == words
    assert written(side)(files[0]) == pytest.approx(wanted[0], abs=1e-3 * side.byte)


def test_what_is_no_image_has_no_description(files: list[Path]) -> None:
    assert describe(files, np.random.default_rng(0).normal(size=(len(files), 64, 64, 3))) is None
    assert describe(files, np.zeros((len(files), 64, 64, 3))) is None
    assert describe(files, np.ones((len(files), 7))) is None


def test_the_code_of_a_recipe_is_that_of_tfjs_and_needs_no_resampler() -> None:
    signature = Signature((TensorSpec("image", "float32", (None, 24, 32, 3), has_sample_axis=True),), ())
    side = of_recipe("center-crop+caffe", signature)
    assert side is not None
    code = javascript(side, "center-crop+caffe")
    assert "tf.image.resizeBilinear" in code and "function taps" not in code
    assert "pixels = pixels.reverse(-1); // BGR" in code
    assert "pixels = pixels.sub([103.939, 116.779, 123.68]);" in code


@pytest.mark.parametrize("name", ["letterbox", "zoom", *more("pillow", "stretch", "crop", "caffe", "white")])
def test_the_emitted_python_gives_the_same_numbers(files: list[Path], name: str) -> None:
    wanted = inputs(RIGHT[name], files)
    side = describe(files, wanted)
    assert side is not None
    for code in (python(side, name), javascript(side, name)):
        assert max(map(len, code.splitlines())) <= 120
    load = written(side)
    for file, each in zip(files, wanted, strict=True):
        error = np.abs(load(file) - each) / side.byte
        # Where a canvas of Pillow lays a transparent pixel on black, its two functions for it round by one.
        assert error.max() < (1.01 if file.name == "g_clear.png" else 1e-3), file


@pytest.mark.parametrize(
    "code",
    [
        "resize-differs",
        "alpha-differs",
        *more(*sorted({code for fault in FAULTS for code in fault.codes} - {"resize-differs", "alpha-differs"})),
    ],
)
def test_each_part_of_a_description_has_code_in_both_languages(files: list[Path], code: str) -> None:
    """Of all faults with this code, one that the files tell: the page's side is described, and written in Python."""
    fault = next(fault for fault in FAULTS if code in fault.codes and fault.fits(RIGHT["stretch"], "stretch"))
    wanted = inputs(replace(RIGHT["stretch"], **fault.change), files)
    side = describe(files, wanted)
    assert side is not None and side.error < 0.05
    load = written(side)
    made = np.stack([load(file) for file in files])
    assert made.shape == wanted.shape
    assert np.sqrt(np.mean(np.square(made - wanted))) / side.byte < 0.05
    assert javascript(side, fault.title) != javascript(describe_right(files), fault.title)


@lru_cache(maxsize=1)
def _right(files: tuple[Path, ...]) -> Side:
    side = describe(files, inputs(RIGHT["stretch"], files))
    assert side is not None
    return side


def describe_right(files: list[Path]) -> Side:
    return _right(tuple(files))
