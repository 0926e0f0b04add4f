"""Tells another JPEG decoder from other differences: few bytes, in lossy files only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...types import PipelineCause
from .description import Description
from .proving import Proof

#: RMS in steps of a byte: what is less is rounding, what is more comes of something else than the decoder.
_LEAST_BYTES, _MOST_BYTES, _MOST_GRAY_BYTES = 0.05, 4.0, 1.0
_GRAY = np.array((0.299, 0.587, 0.114))


def decoder_cause(proof: Proof, lossy: Sequence[bool], python: Description) -> PipelineCause | None:
    """Return the cause if what remains is as decoders differ.

    The decoders of JPEG and WebP round differently and enlarge the colors, which are stored at half the size, in
    different ways. So the lossy files differ by little, above all in color, and the lossless ones do not differ.
    """
    squares = [float(np.mean(np.square(rest))) for rest in proof.leftover]
    of_lossy = [value for value, is_lossy in zip(squares, lossy, strict=True) if is_lossy]
    others = [value for value, is_lossy in zip(squares, lossy, strict=True) if not is_lossy]
    if not of_lossy:
        return None
    size, rest = float(np.mean(of_lossy)) ** 0.5, float(np.mean(others)) ** 0.5 if others else 0.0
    if not _LEAST_BYTES < size < _MOST_BYTES or rest > size / 3:
        return None
    if set(python.mix) == {"R", "G", "B"}:
        weights = _GRAY[["RGB".index(name) for name in python.mix]]
        gray = [
            np.mean(np.square(each @ weights)) for each, is_lossy in zip(proof.leftover, lossy, strict=True) if is_lossy
        ]
        if float(np.mean(gray)) ** 0.5 > _MOST_GRAY_BYTES:
            return None
    byte = float(np.mean(np.abs(python.scale)))
    after = (sum(others) / len(squares)) ** 0.5 * byte
    return PipelineCause(
        "decoder-differs",
        "the decoder of Python",
        f"another decoder of JPEG or WebP: {size:.2g} of 255 (RMS) apart",
        proof.unexplained,
        after,
    )
