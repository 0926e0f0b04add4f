"""The resamplers of decodeAudioData in browsers, as filters for ``scipy.signal.resample_poly``.

Each is a windowed sinc, which the browsers compute at some places between two samples and interpolate. Sources:
Chromium, blink/renderer/platform/audio/sinc_resampler.cc; Firefox, media/libspeex_resampler/src/resample.c with quality
4; WebKit with GStreamer, as on Linux (Safari has another one), gst-libs/gst/audio/audio-resampler.c with quality 4.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import gcd

import numpy as np

from ...types import Array
from .decoding import signal

#: Taps of each place between two samples (places, taps), and the sample of the first tap as seen from that before it.
_Taps = tuple[Array, int]


def resample_as(engine: str, samples: Array, rate: int, wanted: int) -> Array:
    """Resample one channel as decodeAudioData of an engine of ENGINES does: float32."""
    taps, length = ENGINES[engine]
    up, down = _ratio(rate, wanted)
    made = signal().resample_poly(samples.astype(np.float64), up, down, window=_filter(taps, rate, wanted))
    return np.asarray(made[: length(len(samples), rate, wanted)], np.float32)


@lru_cache(64)
def _filter(taps: Callable[[int, int], _Taps], rate: int, wanted: int) -> Array:
    """Return a filter with the middle in its center; resample_poly multiplies it by the factor of the rate up."""
    values, first = taps(rate, wanted)
    up, count = values.shape
    half = (max(count + first, -first) + 1) * up
    made = np.zeros(2 * half + 1)
    made[half + np.arange(up)[:, None] - (first + np.arange(count)) * up] = values / up
    return made


def _chromium(rate: int, wanted: int) -> _Taps:
    """Return 32 taps at any rate, on a straight line between 32 places."""
    count, places = 32, 32
    up, _ = _ratio(rate, wanted)
    cutoff = 0.9 * min(1.0, wanted / rate)
    at = np.arange(count) - count // 2 - np.arange(places + 1)[:, None] / places
    turn = 2 * np.pi * at / count
    table = cutoff * np.sinc(cutoff * at) * (0.42 + 0.5 * np.cos(turn) + 0.08 * np.cos(2 * turn))
    before, part = np.divmod(np.arange(up) * places, up)
    part = (part / up)[:, None]
    return (1 - part) * table[before] + part * table[before + 1], -(count // 2)


def _firefox(rate: int, wanted: int) -> _Taps:
    """Return 64 taps at the lower one of the rates; what is interpolated is off by less than a sample of 16 bits."""
    count, cutoff = 64, 0.94
    up, down = _ratio(rate, wanted)
    if wanted < rate:
        count, cutoff = -(-(count * down // up) // 8) * 8, 0.921 * wanted / rate
    first = 1 - count // 2
    at = np.arange(count) + first - np.arange(up)[:, None] / up
    return cutoff * np.sinc(cutoff * at) * _kaiser(8.0, 2 * at / count), first


def _webkit(rate: int, wanted: int) -> _Taps:
    """Return 62 taps at the lower one of the rates, on cubics between up to 8 places; they begin a place too late."""
    count, cutoff, places = 62, 0.94, 8
    up, _ = _ratio(rate, wanted)
    if wanted < rate:
        count, cutoff = count * rate // wanted, cutoff * 0.97979 * wanted / rate
    count = -(-count // 8) * 8
    factor = 2
    while places > 1 and factor * wanted < rate:
        factor, places = factor * 2, places // 2
    at = np.arange(count) - count // 2 + np.arange(places + 4)[:, None] / places
    table = cutoff * np.sinc(cutoff * at) * _kaiser(0.1102 * (85 - 8.7), 2 * at / count)
    table /= table.sum(axis=1, keepdims=True)
    before, part = np.divmod(np.arange(up) * places, up)
    x = (part / up)[:, None]
    later, much_later, earlier = x + (x**2 - x**3) / 2, (x**3 - x) / 6, -x / 3 + x**2 / 2 - x**3 / 6
    weights = (much_later, later, 1 - later - much_later - earlier, earlier)
    row = places - 1 - before
    return np.asarray(sum(weight * table[row + k] for k, weight in enumerate(weights))), 1 - count // 2


def _kaiser(beta: float, at: Array) -> Array:
    """Return a Kaiser window over -1 to 1."""
    return np.asarray(np.i0(beta * np.sqrt(np.maximum(1 - at**2, 0))) / np.i0(beta))


def _ratio(rate: int, wanted: int) -> tuple[int, int]:
    both = gcd(rate, wanted)
    return wanted // both, rate // both


#: The taps by the rates, and the length of the result by that of the samples and the rates.
ENGINES: dict[str, tuple[Callable[[int, int], _Taps], Callable[[int, int, int], int]]] = {
    "Chromium": (_chromium, lambda count, rate, wanted: int(count / (rate / wanted))),  # with the roundoff of this
    "Firefox": (_firefox, lambda count, rate, wanted: -(-count * wanted // rate)),
    "WebKit": (_webkit, lambda count, rate, wanted: (count - 1) * wanted // rate + 1),
}
