"""What `drawImage` makes of an image that it resizes: where the processor draws a canvas, weights have 4 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pycheck.preprocessing.images.emitting import javascript
from pycheck.preprocessing.images.resampling import Kernel, Window, resample, taps_of
from pycheck.preprocessing.images.sides import describe
from pycheck.types import AppCode

from ...conftest import more
from ..pages import by_apps, in_page
from .photos import photo
from .test_emitting import written

_CANVAS = """async (blob, tf) => {
  const canvas = new OffscreenCanvas(64, 48);
  const context = canvas.getContext('2d');
  context.drawImage(await createImageBitmap(blob), 0, 0, 64, 48);
  const {data} = context.getImageData(0, 0, 64, 48);
  return tf.tensor(Float32Array.from(data), [48, 64, 4]).slice([0, 0, 0], [48, 64, 3]).div(255);
}"""


def of_skia(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """In whole numbers, as Skia computes it."""

    def axis(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inverse = np.float32(1) / np.float32(new / old)
        place = (inverse * (np.arange(new, dtype=np.float32) + np.float32(0.5))).astype(np.float64) - 0.5
        fixed = np.floor(place * 65536).astype(int)
        below = fixed >> 16
        return np.clip(below, 0, old - 1), np.clip(below + 1, 0, old - 1), (fixed >> 12) & 15

    (up, down, y), (left, right, x) = axis(pixels.shape[0], height), axis(pixels.shape[1], width)
    y = y[:, None]
    above = pixels[up][:, left] * (16 - x) + pixels[up][:, right] * x
    below = pixels[down][:, left] * (16 - x) + pixels[down][:, right] * x
    return np.asarray((above * (16 - y) + below * y) >> 8)


@pytest.mark.parametrize(
    ("old", "new"), [((120, 160), (64, 64)), ((480, 640), (224, 224)), ((80, 100), (112, 96)), ((51, 33), (16, 96))]
)
def test_bilinear_in_16_steps_has_the_bits_of_skia(old: tuple[int, int], new: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, old)
    kernel = Kernel("sixteenths")
    taps = [taps_of(kernel, Window(0.0, size, 0, size), wanted) for size, wanted in zip(old, new, strict=True)]
    made = np.floor(resample(pixels[None].astype(np.float32), *taps)[0])
    np.testing.assert_array_equal(made, of_skia(pixels, *new))


@pytest.mark.real
@pytest.mark.parametrize("engine", ["chromium", *more("firefox")])
def test_a_canvas_is_described_exactly_and_written_in_both_languages(tmp_path: Path, engine: str) -> None:
    files = []
    for number, (width, height) in enumerate([(160, 120), (173, 131), (90, 200), (256, 192)]):
        files.append(tmp_path / f"{number}.png")
        photo(width, height, number).save(files[-1])
    (made,) = in_page(engine, [_CANVAS], files, tmp_path)
    side = describe(files, made)
    assert side is not None and side.error < 1e-3
    making = side.description.making
    assert (making.kernel, making.rounding) == (Kernel("sixteenths"), "rounded down to bytes")
    assert side.description.scale == pytest.approx([1 / 255] * 3) and not any(side.description.offset)
    load = written(side)
    np.testing.assert_allclose(np.stack([load(file) for file in files]), made, atol=1e-6)
    module = tmp_path / "made.js"
    module.write_text(javascript(side, "a canvas"), encoding="utf-8")
    (again,) = by_apps(engine, [AppCode(module, "default")], files)
    np.testing.assert_allclose(again, made, atol=1e-6)
