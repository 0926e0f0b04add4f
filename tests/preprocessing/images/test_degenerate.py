"""Cases in which several explanations fit, or none: photos that all lie on one side, a page of one color."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

from pycheck.preprocessing.images import find_causes
from pycheck.preprocessing.images.pixels import decode, resize


def test_an_orientation_that_all_photos_share_is_no_rotation(tmp_path: Path) -> None:
    files = []
    for number in range(4):
        small = np.random.default_rng(number).integers(0, 256, (6, 8, 3)).astype(np.uint8)
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        files.append(tmp_path / f"{number}.png")
        PIL.Image.fromarray(small).resize((64, 48), PIL.Image.Resampling.BICUBIC).save(files[-1], exif=exif)
    python, page = (
        np.stack([resize(decode(file, upright=upright), 32, 32) / 127.5 - 1 for file in files])
        for upright in (False, True)
    )
    (cause,) = find_causes(files, python, page).causes
    assert (cause.code, cause.python, cause.page) == (
        "image-orientation", "EXIF orientation ignored", "EXIF orientation applied",
    )  # fmt: skip
    (cause,) = find_causes(files, page, python).causes
    assert (cause.code, cause.python) == ("image-orientation", "EXIF orientation applied")


def test_a_page_of_one_color_is_explained_by_nothing(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
    python = resize(decode(tmp_path / "a.png"), 16, 16)[None]
    for page in (np.zeros_like(python), np.full_like(python, 7.0)):
        found = find_causes([tmp_path / "a.png"], python, page)
        assert not found.causes and found.unexplained_rms > 0


def test_a_pixel_a_strip_and_a_tiny_image_are_files_like_others(tmp_path: Path) -> None:
    files = []
    for number, (width, height) in enumerate(((1, 1), (4000, 3), (9, 7), (90, 61), (60, 83))):
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3)).astype(np.uint8)
        files.append(tmp_path / f"{number}.png")
        PIL.Image.fromarray(pixels).save(files[-1])
    python = np.stack([resize(decode(file), 32, 32) / 127.5 - 1 for file in files])
    (cause,) = find_causes(files, python, python[..., ::-1]).causes
    assert (cause.code, cause.page) == ("channels-swapped", "BGR")
    moved = np.stack([resize(decode(file)[-40:, -50:], 32, 32) / 127.5 - 1 for file in files])
    assert find_causes(files, python, moved).unexplained_rms >= 0


def test_a_border_that_the_limits_hide_is_no_other_border(tmp_path: Path) -> None:
    files, python = [], []
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 40, 3)).astype(np.uint8)
        files.append(tmp_path / f"{number}.png")
        PIL.Image.fromarray(pixels).save(files[-1])
        python.append(np.pad(resize(decode(files[-1]), 16, 32), ((8, 8), (0, 0), (0, 0))) / 127.5 - 1)
    (cause,) = find_causes(files, np.stack(python), np.maximum(np.stack(python), 0)).causes
    assert (cause.code, cause.page) == ("pixel-range", "clipped to at least 0")
