"""Searches how given waveforms were made of given sound files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...types import Array
from .decoding import signal
from .description import ANCHORS, LOUDNESSES, METHODS, MIXES, Description, Source, begin, waveform

#: Rates that are searched, beside the file's own.
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
#: Another description must have an error smaller by this factor and by this share of the RMS of the samples.
_BETTER, _BETTER_SHARE = 0.9, 2e-4
#: An error beyond this share describes nothing; below this one nothing is left to search for.
_TOO_MUCH, _EXACT = 0.6, 1e-3
#: Gains that are meant exactly, among them full scales of integers; and how far a fitted one may be away.
_GAINS = (1.0, 32768.0, 32767.0, 128.0, 2147483648.0, 0.5, 2.0)
_NEAR_GAIN = 0.06
#: A known gain may have an error larger by this factor; by the second one if slow changes say so, which filters keep.
_SAME, _SAME_SLOW = 1.03, 1.1
#: How far a gain of slow changes may be from a known one, and over how many samples the mean is taken.
_NEAR_SLOW, _SLOW = 5e-3, 16
#: Errors at which the gain is looked for in slow changes.
_VAGUE = (0.01, 0.3)


@dataclass(frozen=True, slots=True)
class Scored:
    """A description with its error: RMS as a share of that of the samples."""

    description: Description
    error: float

    def beats(self, other: Scored) -> bool:
        """Tell whether the error is smaller by more than chance."""
        return self.error < other.error * _BETTER and self.error < other.error - _BETTER_SHARE


class WaveformSearch:
    """Searches for one side: `samples` (files, samples) are its inputs, one for each source, resampled by `methods`."""

    def __init__(self, sources: Sequence[Source], samples: Array, methods: Sequence[str] = METHODS) -> None:
        self._methods = methods
        self._sources, self._samples = sources, np.asarray(samples, np.float64)
        self._size = float(np.sqrt(np.mean(self._samples**2))) or 1.0
        self._mixes = MIXES if any(source.is_stereo for source in sources) else MIXES[:1]
        self._clip = _limit(self._samples)

    def best(self, start: Description, enough: float = _EXACT) -> Scored | None:
        """Return the best description, as near to `start` as it can be; None if none describes the samples."""
        found = self._scored(start)
        enough = max(enough, _EXACT)
        if self._clip is not None and found.error > enough:  # equal samples in a row say so, however wrong the rest is
            found = min(found, self._scored(replace(start, clip=self._clip)), key=lambda each: each.error)
        if found.error > enough:
            found = self._refined(found, enough)
        if found.error > enough:
            placed = self._placed(found.description)
            found = self._better(found, placed)
            found = self._refined(found, enough)
        return self._plain(found) if found.error < _TOO_MUCH else None

    def _plain(self, found: Scored) -> Scored:
        """Leave out what makes no difference, as a sum for a mean does if each file is scaled."""
        for change in ({"mix": MIXES[0]}, {"method": METHODS[0]}, {"clip": None}):
            plainer = self._scored(replace(found.description, **change))
            found = found if found.beats(plainer) else plainer
        return found

    def _refined(self, found: Scored, enough: float) -> Scored:
        start = found.description
        for _ in range(3):
            before = found
            for name, values in (
                ("mix", self._mixes), ("method", self._methods), ("without_mean", (False, True)),
                ("loudness", LOUDNESSES), ("clip", (None, self._clip)), ("rate", (*RATES, None)),
            ):  # fmt: skip
                if found.error > enough and len(values) > 1:
                    bases = [found.description]
                    if name == "method":  # a shift that stands for the delay of a resampler hides it
                        bases.append(replace(found.description, anchor=start.anchor, shift=start.shift))
                    found = self._better(found, [replace(base, **{name: value}) for base in bases for value in values])  # type: ignore[arg-type]
            if found.error > enough:
                found = self._better(found, self._shifted(found.description))
            if not found.beats(before):
                break
        return found

    def _placed(self, start: Description) -> list[Description]:
        """Return the likely combinations of rate, channels and place."""
        options = []
        for rate in dict.fromkeys((start.rate, *RATES, None)):
            for mix in self._mixes:
                base = replace(start, rate=rate, mix=mix, method=METHODS[0])
                lags, rest = self._lags(base)
                options.append((rest, base, lags))
        options.sort(key=lambda each: each[0])
        return [each for _, base, lags in options[:3] for each in self._anchored(base, lags)]

    def _shifted(self, description: Description) -> list[Description]:
        return self._anchored(description, self._lags(description)[0])

    def _lags(self, description: Description) -> tuple[list[int], float]:
        """Return at which sample of each file its input begins, and the share of its energy that is left then."""
        lags, rests = [], []
        for source, wanted in zip(self._sources, self._samples, strict=True):
            have = source.signal(description.mix, description.rate, description.method)
            have, wanted = have - have.mean(), wanted - wanted.mean()
            together = signal().correlate(have, wanted, mode="full", method="fft")
            lag = int(np.argmax(np.abs(together))) - (len(wanted) - 1)
            lags.append(lag)
            at = replace(description, anchor="start", shift=lag, loudness=LOUDNESSES[0], clip=None)
            made = waveform(source, at, len(wanted))
            made = made - made.mean()
            sizes = float(np.sum(made**2) * np.sum(wanted**2))
            rests.append(1 - float(made @ wanted) ** 2 / sizes if sizes else 1.0)
        return lags, float(np.mean(rests))

    def _anchored(self, base: Description, lags: Sequence[int]) -> list[Description]:
        options = []
        for anchor in ANCHORS:
            free = [
                len(source.signal(base.mix, base.rate, base.method)) - self._samples.shape[1]
                for source in self._sources
            ]
            begins = [begin(anchor, each) for each in free]
            shift = int(np.median([lag - begin for lag, begin in zip(lags, begins, strict=True)]))
            near = (0, shift) if anchor != "center" else (0, shift, shift + 1, shift - 1)
            options += [replace(base, anchor=anchor, shift=each) for each in dict.fromkeys(near)]
        return options

    def _better(self, found: Scored, others: Iterable[Description]) -> Scored:
        scored = [self._scored(other) for other in dict.fromkeys(others) if other != found.description]
        best = min(scored, key=lambda each: each.error, default=found)
        return best if best.beats(found) else found

    def _scored(self, description: Description) -> Scored:
        """Fit the gain, and measure the error."""
        plain = replace(description, gain=1.0, clip=None)
        made = np.stack([waveform(source, plain, self._samples.shape[1]) for source in self._sources])
        inside = np.abs(self._samples) < 0.999 * description.clip if description.clip else np.ones(made.shape, bool)
        size = float(np.sum(made[inside] ** 2))
        gain = float(np.sum(made[inside] * self._samples[inside])) / size if size else 0.0
        best = self._with_gain(description, made, gain)
        # A fitted gain is a little too small if the samples are described with an error.
        known = [self._with_gain(description, made, near) for near in _GAINS if abs(gain / near - 1) < _NEAR_GAIN]
        for each in known:
            if each.error <= best.error * _SAME + _EXACT / 100:
                return each
        if _VAGUE[0] < best.error < _VAGUE[1] and description.clip is None:
            slow = _slow_gain(made, self._samples)
            near = next((each for each in _GAINS if abs(slow / each - 1) < _NEAR_SLOW), slow)
            other = self._with_gain(description, made, near)
            return other if other.error <= best.error * _SAME_SLOW else best
        return best

    def _with_gain(self, description: Description, made: Array, gain: float) -> Scored:
        values = made * gain
        if description.clip is not None:
            values = np.clip(values, -description.clip, description.clip)
        error = float(np.sqrt(np.mean((values - self._samples) ** 2))) / self._size
        return Scored(replace(description, gain=gain), error)


def _slow_gain(made: Array, samples: Array) -> float:
    """Return the gain between the slow changes of waveforms: filters of resamplers differ at high frequencies."""
    sums = [np.cumsum(each - each.mean(axis=1, keepdims=True), axis=1) for each in (made, samples)]
    x, y = (each[:, _SLOW:] - each[:, :-_SLOW] for each in sums)
    size = float(np.sum(x * x))
    return float(np.sum(x * y)) / size if size else 0.0


def _limit(samples: Array) -> float | None:
    """Return the largest value if several samples in a row have it."""
    largest = float(np.abs(samples).max())
    at = np.abs(samples) > largest * (1 - 1e-6)
    return largest if (at[:, 1:] & at[:, :-1]).sum() > 4 else None
