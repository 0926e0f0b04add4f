"""Writes small pictures as PNG (ISO/IEC 15948), with zlib only."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from ..types import Array

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # grey, grey and opacity, RGB, RGB and opacity


def encoded(pixels: Array) -> str:
    """Return the PNG in base64 of rows x columns x bands bytes; an opacity of 255 everywhere is left out."""
    rows, columns, bands = pixels.shape
    if bands in (2, 4) and (pixels[..., -1] == 255).all():
        pixels, bands = pixels[..., :-1], bands - 1
    header = struct.pack(">IIBBBBB", columns, rows, 8, _COLOR_TYPES[bands], 0, 0, 0)
    lines = np.zeros((rows, 1 + columns * bands), np.uint8)  # each line begins with its filter; 0 is none
    lines[:, 1:] = pixels.reshape(rows, -1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return base64.b64encode(_SIGNATURE + b"".join(_chunk(*chunk) for chunk in chunks)).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
