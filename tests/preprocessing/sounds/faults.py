"""Puts faults into right pipelines for sounds, alone and in pairs, and says how many of them pycheck names exactly.

python -m tests.preprocessing.sounds.faults prints the table; with --engine the page is real.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pycheck.preprocessing import Explained, find_causes
from pycheck.types import Array

from ..pages import in_page
from .javascript import javascript
from .sounds import write_sounds
from .steps import Steps

#: Right pipelines, each in Python and in the page.
RIGHT: dict[str, Steps] = {
    "wave": Steps(),
    "long wave": Steps(count=30000, rate=22050),
    "yamnet": Steps(frames=96, bands=64, mel="tf", low=125, high=7500, power=1, add=0.001),
    "whisper": Steps(
        frames=100, bands=80, fft=400, center="reflect", mel="slaney", norm=True, log="log10", floor=1e-10, top=8,
        mean=-4, deviation=4, first=True,
    ),
    "librosa": Steps(
        frames=40, bands=64, rate=22050, window=2048, fft=2048, hop=512, center="zeros", mel="slaney", norm=True,
        high=11025, log="dB", floor=1e-10, top=80,
    ),
    "own": Steps(
        frames=60, rate=22050, bands=40, window=1024, fft=1024, hop=256, mel="htk", low=20, high=8000, add=1e-6,
        scaling="fixed", mean=-5, deviation=3,
    ),
    "plain": Steps(frames=100, bands=129, window=255, fft=256, hop=128, mel="none", power=1, log="none"),
}  # fmt: skip
WAVES, MELS = "wave, long wave", "yamnet, whisper, librosa, own"
LOGS = MELS
EVERY = f"{WAVES}, {MELS}, plain"


@dataclass(frozen=True)
class Fault:
    """A change of the page, the codes that name it, and words that must be in what is said of the page."""

    title: str
    change: dict[str, Any]
    codes: frozenset[str]
    said: str = ""
    of: tuple[str, ...] = ()

    def fits(self, steps: Steps, name: str) -> bool:
        """Tell whether the pipeline can have the fault."""
        return name in self.of and replace(steps, **self.change) != steps

    def goes_with(self, other: Fault) -> bool:
        """Tell whether both can be seen together."""
        return not self.codes & other.codes and not self.change.keys() & other.change.keys()


def _fault(title: str, codes: str, said: str, of: str, **change: Any) -> Fault:
    return Fault(title, change, frozenset(codes.split()), said, tuple(of.split(", ")))


FAULTS: tuple[Fault, ...] = (
    _fault("not resampled", "sample-rate-differs", "of each file", f"{WAVES}, yamnet, whisper, plain", resample="none"),
    _fault("at 44100", "sample-rate-differs", "44100", WAVES, rate=44100),
    _fault("at 8000", "sample-rate-differs", "8000", "wave, plain", rate=8000),
    _fault("at 16000", "sample-rate-differs", "16000", "long wave", rate=16000),
    _fault("at 22050", "sample-rate-differs", "22050", "wave, plain", rate=22050),
    _fault("linear", "resampler-differs", "linear", f"{WAVES}, plain", resample="linear"),
    _fault("skipped", "resampler-differs", "nearest", f"{WAVES}, yamnet, own, plain", resample="skip"),
    _fault("left channel", "audio-channels-differ", "left", EVERY, channels="left"),
    _fault("right channel", "audio-channels-differ", "right", f"{WAVES}, yamnet, plain", channels="right"),
    _fault("sum", "audio-channels-differ", "sum", WAVES, channels="sum"),
    _fault("int16", "audio-scale", "16 bits", f"{WAVES}, yamnet, own, plain", gain=32768.0),
    _fault("half as loud", "audio-scale", "0.5", f"{WAVES}, plain", gain=0.5),
    _fault("peak of 1", "audio-scale", "peak", f"{WAVES}, yamnet, own, plain", loudness="peak"),
    _fault("RMS of 1", "audio-scale", "RMS", WAVES, loudness="rms"),
    _fault("mean removed", "audio-scale", "mean of each file", WAVES, dc=True),
    _fault("clipped", "audio-scale", "clipped at 0.3", WAVES, clip=0.3),
    _fault("middle", "audio-position-differs", "middle", f"{WAVES}, yamnet, own, plain", place="center"),
    _fault("the end", "audio-position-differs", "last sample", f"{WAVES}, yamnet, plain", place="end"),
    _fault("zeros in front", "audio-position-differs", "front of a short", "wave, long wave", place="front"),
    _fault("37 later", "audio-position-differs", "sample 37", WAVES, shift=37),
    _fault("500 earlier", "audio-position-differs", "500 zeros", WAVES, shift=-500),
    _fault("Hamming", "window-differs", "Hamming", f"{MELS}, plain", taper="hamming"),
    _fault("symmetric Hann", "window-differs", "symmetric", "plain", taper="hann symmetric"),
    _fault("rectangular", "window-differs", "Rectangular", f"{MELS}, plain", taper="boxcar"),
    _fault("window of 512", "window-differs", "512", "yamnet, own", window=512),
    _fault("FFT of 1024", "window-differs", "1024", "yamnet", fft=1024),
    _fault("hop of 128", "frames-differ", "128", "yamnet, whisper", hop=128),
    _fault("hop of 256", "frames-differ", "256", "librosa", hop=256),
    _fault("centered", "frames-differ", "centered, with the signal", "yamnet, own, plain", center="reflect"),
    _fault("not centered", "frames-differ", "first frame", "whisper, librosa", center="no"),
    _fault("Slaney", "mel-differs", "Slaney", "yamnet, own", mel="slaney"),
    _fault("HTK", "mel-differs", "HTK", "whisper, librosa", mel="htk"),
    _fault("TensorFlow's triangles", "mel-differs", "TensorFlow", "own", mel="tf"),
    _fault("not divided by width", "mel-differs", "Hz", "whisper, librosa", norm=False),
    _fault("divided by width", "mel-differs", "width", "yamnet, own", norm=True),
    _fault("from 0 Hz", "mel-differs", "0 to", "yamnet", low=0.0),
    _fault("from 300 Hz", "mel-differs", "300 to", "whisper, own", low=300.0),
    _fault("to 8000 Hz", "mel-differs", "8000 Hz", "yamnet, librosa", high=8000.0),
    _fault("to 4000 Hz", "mel-differs", "4000 Hz", "yamnet, whisper, own", high=4000.0),
    _fault("bands for 44100", "mel-differs", "44100", "own, yamnet", nominal=44100),
    _fault("power", "log-differs", "power", "yamnet, plain", power=2),
    _fault("magnitude", "log-differs", "magnitude", "whisper, own", power=1),
    _fault("log10", "log-differs", "log10", "yamnet, own", log="log10"),
    _fault("log2", "log-differs", "log2", "yamnet, own", log="log2"),
    _fault("ln", "log-differs", "natural", "whisper, librosa", log="ln"),
    _fault("dB", "log-differs", "decibels", "yamnet, own", log="dB"),
    _fault("no logarithm", "log-differs", "no logarithm", "yamnet, librosa", log="none", floor=0.0, top=0.0),
    _fault("1e-6 added", "log-differs", "1e-06", "yamnet", add=1e-6),
    _fault("1e-3 added", "log-differs", "0.001", "own", add=1e-3),
    _fault("no range", "log-differs", "at least", "whisper, librosa", top=0.0),
    _fault("scaled each", "spectrogram-scale", "each spectrogram", LOGS, scaling="each"),
    _fault("scaled by band", "spectrogram-scale", "each band", "yamnet, own", scaling="band"),
    _fault("largest is 0", "spectrogram-scale", "largest value 0", "librosa", scaling="max"),
    _fault("divided by 20", "spectrogram-scale", "20", "yamnet, librosa", scaling="fixed", deviation=20.0),
    _fault("mean subtracted", "spectrogram-scale", "minus 1.5", "yamnet", mean=1.5),
    _fault("transposed", "axes-transposed", "frequencies first", "yamnet, librosa, own, plain", first=True),
    _fault("time first", "axes-transposed", "time first", "whisper", first=False),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A pipeline whose page has faults: none, one or two."""

    right: str
    faults: tuple[Fault, ...]

    @property
    def title(self) -> str:
        return f"{self.right}: {' + '.join(fault.title for fault in self.faults) or 'right'}"

    @property
    def page(self) -> Steps:
        steps = RIGHT[self.right]
        for fault in self.faults:
            steps = replace(steps, **fault.change)
        return steps

    @property
    def codes(self) -> frozenset[str]:
        return frozenset().union(*(fault.codes for fault in self.faults))


def cases(faults: Sequence[Fault] = FAULTS) -> list[Case]:
    """Every right pipeline, every fault in two pipelines, and every fault with another one."""
    made = [Case(name, ()) for name in RIGHT]
    pairs: list[Case] = []
    for number, fault in enumerate(faults):
        names = [name for name, steps in RIGHT.items() if fault.fits(steps, name)]
        chosen = dict.fromkeys((names[number % len(names)], names[(number + 1) % len(names)]))
        made += [Case(name, (fault,)) for name in chosen]
        name = names[(number * 5) % len(names)]
        others = [other for other in faults if other.fits(RIGHT[name], name) and other.goes_with(fault)]
        if others:
            pairs.append(Case(name, (fault, others[(number * 11) % len(others)])))
    return made + pairs


@dataclass(frozen=True)
class Outcome:
    """What pycheck named for a case."""

    case: Case
    explained: Explained
    seconds: float
    real: bool = False  # the browser has a resampler of its own, which may be named too

    @property
    def exact(self) -> bool:
        """Tell whether the codes are those of the faults, and the words too."""
        said = " | ".join(cause.page for cause in self.explained.causes)
        own = frozenset({"resampler-differs"} if self.real else ())
        return self.named - own == self.case.codes - own and all(fault.said in said for fault in self.case.faults)

    @property
    def named(self) -> frozenset[str]:
        return frozenset(cause.code for cause in self.explained.causes)

    def __str__(self) -> str:
        causes = "; ".join(f"{c.code}: {c.page} for {c.python}" for c in self.explained.causes) or "nothing"
        mark = "exact" if self.exact else "WRONG"
        return (
            f"{mark}  {self.case.title:40} {causes} (left {self.explained.unexplained_rms:.2g}, {self.seconds:.1f} s)"
        )


def inputs(steps: Steps, files: Sequence[Path]) -> Array:
    return np.stack([steps(file) for file in files])


def outcome(case: Case, files: Sequence[Path], python: Array | None = None, page: Array | None = None) -> Outcome:
    python = inputs(RIGHT[case.right], files) if python is None else python
    page = inputs(case.page, files) if page is None else page
    start = time.process_time()
    return Outcome(case, find_causes(files, python, page), time.process_time() - start)


def outcomes_in(engine: str, some: Sequence[Case], files: Sequence[Path], folder: Path) -> list[Outcome]:
    """Return the outcomes of the cases that are written in JavaScript, with the inputs of a real page."""
    rates = {file.name: soundfile.info(file).samplerate for file in files}
    able = [(case, code) for case in some if (code := javascript(case.page, rates))]
    pages = in_page(engine, [code for _, code in able], files, folder)
    return [replace(outcome(case, files, page=page), real=True) for (case, _), page in zip(able, pages, strict=True)]


def summary(outcomes: Sequence[Outcome]) -> str:
    right = [each for each in outcomes if not each.case.faults]
    lines = []
    for count, title in ((1, "one fault"), (2, "two faults")):
        some = [each for each in outcomes if len(each.case.faults) == count]
        if some:
            lines.append(f"{title}: {sum(each.exact for each in some)} of {len(some)} named exactly")
    blamed = sum(not each.exact for each in right)
    lines.append(f"right pipelines: {blamed} of {len(right)} have a cause")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose title has this text")
    parser.add_argument("--engine", default="", help="chromium, firefox or webkit: the page is real")
    options = parser.parse_args()
    some = [case for case in cases() if options.only in case.title]
    with tempfile.TemporaryDirectory() as folder:
        files = write_sounds(Path(folder, "sounds"))
        made = outcomes_in(options.engine, some, files, Path(folder)) if options.engine else []
        print(*made, sep="\n")
        for case in () if options.engine else some:
            made.append(outcome(case, files))
            print(made[-1], flush=True)
    print(summary(made))


if __name__ == "__main__":
    main()
