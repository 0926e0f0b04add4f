"""Finds how far apart the frames of spectrograms are, by how the loudness of the files goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ...types import Array
from .description import ANCHORS, MIXES, Source, begin, length_of
from .spectra import Frames, magnitudes

#: Steps of the loudness of a file in a second.
_STEPS = 400
_RATES = (16000, 22050, 44100, 48000, 8000, 32000, 24000, None)
_HOPS = (64, 80, 100, 128, 160, 200, 220, 240, 256, 320, 441, 480, 512, 1024)
_MOST = 4
#: Hops that are looked at, in samples.
_SHORTEST, _LONGEST = 40, 1200


def paces(sources: Sequence[Source], values: Sequence[Array]) -> Iterator[tuple[int, int | None, str]]:
    """Yield the likeliest hops with their rate and the centering; values are (frames, bands) of each file."""
    wanted = [np.asarray(each.mean(axis=1)) for each in values]
    have = [_loudness(source) for source in sources]
    found = []
    for rate in _RATES:
        for hop in _HOPS:
            for center in ("no", "zeros"):
                rest = 0.0
                for source, loudness, each in zip(sources, have, wanted, strict=True):
                    real = rate or source.sound.rate
                    start = 0.0 if center == "zeros" else 1.2 * hop
                    at = (start + hop * np.arange(len(each))) / real * _STEPS
                    made = np.interp(at, np.arange(len(loudness)), loudness, right=loudness.min())
                    rest += 1 - _correlation(made, each)
                found.append((rest, (hop, rate, center)))
    found.sort(key=lambda each: each[0])
    yield from (each for _, each in found[: 3 * _MOST])


def hops(sources: Sequence[Source], values: Sequence[Array], rate: int, frames: Frames) -> Iterator[tuple[int, str]]:
    """Yield the likeliest hops of all, with those beside them, and the part of the file."""
    wanted = [np.asarray(each.mean(axis=1)) for each in values]
    have = [_loudness(source) for source in sources]
    start = 0.0 if frames.center != "no" else frames.window / 2
    rests = {}
    for hop in range(_SHORTEST, _LONGEST):
        for anchor in ANCHORS[:3]:
            rest = 0.0
            for loudness, each in zip(have, wanted, strict=True):
                length = length_of(replace(frames, hop=hop), len(each))
                free = len(loudness) / _STEPS * rate - length
                at = (begin(anchor, int(free)) + start + hop * np.arange(len(each))) / rate * _STEPS
                low = float(loudness.min())
                made = np.interp(at, np.arange(len(loudness)), loudness, left=low, right=low)
                rest += 1 - _correlation(made, each)
            rests[hop, anchor] = rest
    best = sorted(rests, key=rests.__getitem__)[:_MOST]
    yield from dict.fromkeys((hop + near, anchor) for hop, anchor in best for near in range(-3, 4))


def _loudness(source: Source) -> Array:
    """Return the mean logarithm of 24 bands of a file, in steps."""
    signal = source.signal(MIXES[0], 16000, "band-limited")
    frames = Frames(400, 16000 // _STEPS, 512, center="zeros")
    spectrum = magnitudes(signal, frames, max(len(signal) // frames.hop, 2))
    ends = np.unique(np.geomspace(2, 257, 25).astype(int))
    bands = [np.log(spectrum[:, low:high].mean(axis=1) + 1e-4) for low, high in pairwise(ends)]
    return np.asarray(np.mean(bands, axis=0))


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0
