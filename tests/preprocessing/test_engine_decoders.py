"""What a browser decodes is compared with the way of Pillow that is nearest to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import soundfile

from pycheck.preprocessing.engine_decoders import compare_decoded
from pycheck.types import Array

from .images.photos import photo


def packed(pixels: Array) -> Array:
    """RGBA as a page sends it."""
    opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    rgba = pixels if pixels.shape[2] == 4 else np.concatenate([pixels, opaque], axis=2)
    return np.ascontiguousarray(rgba.astype(np.uint8)).view("<i4")[..., 0]


def test_equal_pixels_and_the_orientation(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    photo(40, 30, 1).save(tmp_path / "a.png", exif=exif)
    stored = np.asarray(PIL.Image.open(tmp_path / "a.png"))
    for pixels, fact in ((stored, "orientation ignored"), (np.rot90(stored, -1), "orientation applied")):
        made = compare_decoded("a.png", tmp_path / "a.png", packed(pixels))
        assert (made.kind, made.failure, made.largest, made.facts) == ("PNG", "", 0.0, (fact,))
    assert "20 x 20" in compare_decoded("a.png", tmp_path / "a.png", packed(stored[:20, :20])).failure


def test_visible_pixels_count_and_lost_colors_are_told(tmp_path: Path) -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (16, 16, 4)).astype(np.uint8)
    rgba[..., 3], rgba[:4, :, 3] = 255, 0
    PIL.Image.fromarray(rgba).save(tmp_path / "a.png")
    lost = rgba.copy()
    lost[:4, :, :3] = 0
    made = compare_decoded("a.png", tmp_path / "a.png", packed(lost))
    assert made.largest == 0.0 and made.facts == ("invisible colors lost",)
    lost[8, 8, 0] ^= 2
    assert compare_decoded("a.png", tmp_path / "a.png", packed(lost)).largest == 2.0
    assert compare_decoded("a.png", tmp_path / "a.png", packed(rgba)).facts == ("invisible colors kept",)


def test_samples_of_a_sound_and_their_number(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.linspace(-0.5, 0.5, 1000, dtype=np.float32), 8000, subtype="FLOAT")
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)
    made = compare_decoded("a.wav", tmp_path / "a.wav", np.concatenate([samples, np.zeros((7, 1), np.float32)]))
    assert (made.kind, made.largest, made.facts) == ("WAV, 8000 Hz", 0.0, ("+7 samples",))
    assert compare_decoded("a.wav", tmp_path / "a.wav", samples + np.float32(0.25)).rms == pytest.approx(0.25)
    assert "2 channels" in compare_decoded("a.wav", tmp_path / "a.wav", np.repeat(samples, 2, axis=1)).failure
