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
