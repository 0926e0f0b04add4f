"""Makes files that tell what a preprocessing does with shapes, EXIF orientation, transparency and color profiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .pixels import open_image, pillow

#: The longest side, in pixels.
_SIDE = 480
#: The primaries of Display P3 in the profile connection space (D50), which are stronger than sRGB's.
_PRIMARIES = {
    b"rXYZ": (0.5151, 0.2412, -0.0011),
    b"gXYZ": (0.2919, 0.6922, 0.0419),
    b"bXYZ": (0.1572, 0.0666, 0.7841),
}


def write_probes(photo: Path, folder: Path) -> list[Path]:
    """Write variants of a photo: wide, tall, lying (EXIF orientation), transparent, with a color profile."""
    folder.mkdir(parents=True, exist_ok=True)
    image = open_image(photo).convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    width, height = image.size
    image.crop((0, 0, width, max(2, round(0.6 * min(width, height))))).save(folder / "wide.png")
    image.crop((0, 0, max(2, round(0.6 * min(width, height))), height)).save(folder / "tall.png")
    exif = pillow().Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "turned.jpg", quality=95, exif=exif)
    clear = image.convert("RGBA")
    rows, columns = np.mgrid[0:height, 0:width]
    ramp = 255 * (1.6 * rows / max(height - 1, 1) * columns / max(width - 1, 1) + 0.2 * (columns / width) - 0.1)
    clear.putalpha(pillow().Image.fromarray(np.clip(ramp, 0, 255).astype(np.uint8)))
    clear.save(folder / "transparent.png")
    image.save(folder / "profile.png", icc_profile=wide_profile())
    return [folder / name for name in ("wide.png", "tall.png", "turned.jpg", "transparent.png", "profile.png")]


def wide_profile() -> bytes:
    """Return a color profile like that of Display P3: the curve of sRGB with stronger primaries."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    for number in range(count):
        at = 132 + 12 * number
        name, offset = profile[at : at + 4], int.from_bytes(profile[at + 4 : at + 8], "big")
        for place, value in enumerate(_PRIMARIES.get(bytes(name), ())):
            start = offset + 8 + 4 * place
            profile[start : start + 4] = round(value * 65536).to_bytes(4, "big", signed=True)
    return bytes(profile)
