"""Image files of the kinds that people have: photos, one that lies on its side, transparency, gray, a color profile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pycheck.preprocessing.images.probes import wide_profile


def photo(width: int, height: int, seed: int) -> Image.Image:
    """Smooth fields of several sizes, as sky and skin have, with shapes whose edges are sharp, and some noise."""
    rng = np.random.default_rng(seed)
    made = np.zeros((height, width, 3), np.float32)
    for cells in (3, 7, 19, 61):
        small = rng.normal(size=(cells, cells, 3)).astype(np.float32) / cells**0.6
        planes = [Image.fromarray(small[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(3)]
        made += np.stack([np.asarray(plane) for plane in planes], axis=-1)
    made = 120 + 75 * (made - made.mean(axis=(0, 1))) / made.std()
    made += np.array((18, 0, -22))  # warm, as most light is
    image = Image.fromarray(np.clip(made, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(22):
        x, y = rng.integers(0, width), rng.integers(0, height)
        size = int(rng.integers(8, max(9, width // 5)))
        color = tuple(int(value) for value in rng.integers(0, 256, 3))
        corners = [(int(x + size * rng.normal()), int(y + size * rng.normal())) for _ in range(4)]
        draw.polygon(corners, fill=color)
        draw.line([(int(x), int(y)), corners[0]], fill=color[::-1], width=2)
    image = image.filter(ImageFilter.GaussianBlur(0.7))
    noisy = (
        np.asarray(image, np.float32) + rng.normal(size=(height, width, 1)) * 4 + rng.normal(size=(height, width, 3))
    )
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def write_photos(folder: Path, scale: float = 1.0, seed: int = 0) -> list[Path]:
    """Write ten files; sides are about 300 to 500 pixels at scale 1. Each seed has other photos."""
    folder.mkdir(parents=True, exist_ok=True)

    def sized(width: int, height: int, number: int) -> Image.Image:
        return photo(round(width * scale), round(height * scale), number + 100 * seed)

    sized(480, 361, 1).save(folder / "a_wide.jpg", quality=92)
    sized(333, 500, 2).save(folder / "b_tall.jpg", quality=85)
    sized(401, 401, 3).save(folder / "c_square.jpg", quality=95, subsampling=0)
    sized(517, 300, 4).save(folder / "d_panorama.jpg", quality=75)
    turned = Image.Exif()
    turned[0x0112] = 6
    sized(450, 338, 5).save(folder / "e_turned.jpg", quality=92, exif=turned)
    upset = Image.Exif()
    upset[0x0112] = 3
    sized(390, 292, 6).save(folder / "f_upset.jpg", quality=92, exif=upset)
    clear = sized(360, 420, 7).convert("RGBA")
    draw = ImageDraw.Draw(alpha := Image.new("L", clear.size, 0))
    draw.ellipse((20, 30, clear.size[0] - 25, clear.size[1] - 60), fill=255)
    clear.putalpha(alpha.filter(ImageFilter.GaussianBlur(9)))
    clear.save(folder / "g_clear.png")
    sized(444, 350, 8).convert("L").save(folder / "h_gray.png")
    sized(412, 396, 9).save(folder / "i_plain.png")
    sized(380, 430, 10).save(folder / "j_profile.png", icc_profile=wide_profile())
    return sorted(folder.iterdir())


def write_kinds(folder: Path) -> list[Path]:
    """Write one image of each kind that decoders treat in their own way."""
    folder.mkdir(parents=True, exist_ok=True)
    image = photo(240, 181, 1)
    clear = write_photos(folder / "photos", 0.5)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "baseline.jpg", quality=90, subsampling=0)
    image.save(folder / "subsampled.jpg", quality=90, subsampling=2)
    image.save(folder / "progressive.jpg", quality=80, subsampling=2, progressive=True)
    image.save(folder / "turned.jpg", quality=90, exif=exif)
    image.save(folder / "profile.jpg", quality=90, subsampling=0, icc_profile=wide_profile())
    image.convert("L").save(folder / "gray.jpg", quality=90)
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    image.save(folder / "plain.png")
    image.save(folder / "turned.png", exif=exif)
    image.save(folder / "profile.png", icc_profile=wide_profile())
    image.quantize(64).save(folder / "palette.png")
    gray = np.asarray(image.convert("L"), np.uint16) * 257
    Image.fromarray(gray).save(folder / "gray_16_bit.png")
    image.save(folder / "lossy.webp", quality=85)
    image.save(folder / "lossless.webp", lossless=True)
    image.quantize(64).save(folder / "palette.gif")
    transparent = Image.open(next(file for file in clear if file.name == "g_clear.png"))
    transparent.save(folder / "transparent.png")
    transparent.save(folder / "transparent.webp", lossless=True, exact=True)
    for file in clear:
        file.unlink()
    (folder / "photos").rmdir()
    return sorted(folder.iterdir())
