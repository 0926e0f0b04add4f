from __future__ import annotations

import base64
import struct
import zlib
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycheck.comparison import measure, merge, summarize
from pycheck.types import NATIVE_FLOAT32, NATIVE_FLOAT64, Array, RuntimeId, SamplePicture


def shown(candidate: Array, reference: Array) -> SamplePicture | None:
    return summarize(
        measure(candidate, reference.astype(np.float64), reference, start=0),
        tensor="image",
        reference=NATIVE_FLOAT64,
        candidate=RuntimeId("chromium", "webgl"),
        class_reference=NATIVE_FLOAT32,
    ).picture


def present(candidate: Array, reference: Array) -> SamplePicture:
    picture = shown(candidate, reference)
    assert picture is not None
    return picture


def pixels(png: str) -> Array:
    """Rows x columns x bands of a PNG without filters, read independently of its writer."""
    data = base64.b64decode(png)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + size
    columns, rows, depth, color = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8
    bands = {0: 1, 2: 3, 4: 2, 6: 4}[color]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, 1 + columns * bands)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(rows, columns, bands)


def gradient(*shape: int) -> Array:
    return np.linspace(0.0, 1.0, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def test_the_sample_that_differs_most_is_shown() -> None:
    reference = gradient(3, 8, 8, 1)
    candidate = reference.copy()
    candidate[0, 0, 0, 0] += 0.25
    candidate[2, 3, 4, 0] += 0.5
    picture = present(candidate, reference)
    assert (picture.sample, picture.height, picture.width, picture.channels) == (2, 8, 8, 1)
    assert picture.largest_error == pytest.approx(0.5)
    assert (picture.low, picture.high) == (float(reference[2].min()), 1.0)
    difference = pixels(picture.difference_png).sum(axis=2, dtype=int)
    assert np.unravel_index(difference.argmax(), difference.shape) == (3, 4)
    assert (difference == difference.min()).sum() == 63


def test_black_is_pythons_least_value_and_white_its_largest() -> None:
    reference = gradient(1, 8, 8, 1)
    picture = present(reference * 2.0, reference)
    assert pixels(picture.reference_png)[0, 0] == 0
    assert pixels(picture.reference_png)[-1, -1] == 255
    assert (pixels(picture.candidate_png)[4:] == 255).all()  # beyond the range of Python's sample


def test_a_value_that_is_not_finite_is_transparent() -> None:
    reference = gradient(1, 8, 8, 3)
    candidate = reference.copy()
    candidate[0, 1, 2, 0] = np.nan
    picture = present(candidate, reference)
    assert picture.changed_count == 1
    for png in (picture.candidate_png, picture.difference_png):
        opacity = pixels(png)[..., -1]
        assert opacity[1, 2] == 0
        assert (opacity == 255).sum() == 63
    assert pixels(picture.reference_png).shape[2] == 3


def test_a_large_image_becomes_small_and_loses_no_error() -> None:
    reference = gradient(1, 300, 130, 3)
    candidate = reference.copy()
    candidate[0, 299, 129, 2] += 0.5
    picture = present(candidate, reference)
    difference = pixels(picture.difference_png).sum(axis=2, dtype=int)
    assert difference.shape == (60, 26)
    assert difference[-1, -1] == difference.max()
    assert pixels(picture.reference_png).shape == (60, 26, 3)


@pytest.mark.parametrize("shape", [(2, 8, 8), (2, 8, 8, 2), (2, 7, 8, 1), (2, 8, 8, 1, 1), (2, 64)])
def test_only_what_looks_like_images_is_shown(shape: tuple[int, ...]) -> None:
    assert shown(gradient(*shape) + 1, gradient(*shape)) is None


def test_where_nothing_differs_nothing_is_shown() -> None:
    assert shown(gradient(2, 8, 8, 1), gradient(2, 8, 8, 1)) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1e300, -1e308])
def test_any_values_can_be_shown(value: float) -> None:
    reference = np.full((1, 9, 70, 4), value)
    candidate = reference.copy()
    candidate[0, 0, 0, 0] = 1.0
    candidate[0, 8, 69, 3] = -value
    picture = summarize(
        measure(candidate, reference, reference, start=0),
        tensor="image",
        reference=NATIVE_FLOAT64,
        candidate=NATIVE_FLOAT32,
        class_reference=NATIVE_FLOAT64,
    ).picture
    assert picture is not None
    for png in (picture.reference_png, picture.candidate_png, picture.difference_png):
        assert pixels(png).shape[:2] == (5, 35)


@given(
    seed=st.integers(0, 2**32 - 1),
    values=st.sampled_from([(0.0, 1.0), (0.0, 1.0, np.nan), (0.0, np.inf, -np.inf, np.nan)]),
    cuts=st.lists(st.integers(0, 6), max_size=3),
)
def test_merged_batches_show_the_sample_that_one_joint_measurement_shows(
    seed: int, values: tuple[float, ...], cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    reference, candidate = rng.choice(np.array(values, np.float32), (2, 6, 8, 9, 1))
    candidate[:: 1 + seed % 3] = reference[:: 1 + seed % 3]  # some samples are right
    joint = measure(candidate, reference, reference, start=0)
    parts = [
        measure(candidate[a:b], reference[a:b], reference[a:b], start=a) for a, b in pairwise(sorted({0, 6, *cuts}))
    ]
    assert reduce(merge, parts).picture == joint.picture
    assert reduce(merge, reversed(parts)).picture == joint.picture
