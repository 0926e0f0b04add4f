"""Faults of pages for sounds: python -m tests.preprocessing.sounds.faults prints how many are named exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from pycheck.types import Array

from ..table import Case, Fault, Table, fault
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


FAULTS: tuple[Fault, ...] = (
    fault("not resampled", "sample-rate-differs", "of each file", f"{WAVES}, yamnet, whisper, plain", resample="none"),
    fault("at 44100", "sample-rate-differs", "44100", WAVES, rate=44100),
    fault("at 8000", "sample-rate-differs", "8000", "wave, plain", rate=8000),
    fault("at 16000", "sample-rate-differs", "16000", "long wave", rate=16000),
    fault("at 22050", "sample-rate-differs", "22050", "wave, plain", rate=22050),
    fault("linear", "resampler-differs", "linear", f"{WAVES}, plain", resample="linear"),
    fault("skipped", "resampler-differs", "nearest", f"{WAVES}, yamnet, own, plain", resample="skip"),
    fault("left channel", "audio-channels-differ", "left", EVERY, channels="left"),
    fault("right channel", "audio-channels-differ", "right", f"{WAVES}, yamnet, plain", channels="right"),
    fault("sum", "audio-channels-differ", "sum", WAVES, channels="sum"),
    fault("int16", "audio-scale", "16 bits", f"{WAVES}, yamnet, own, plain", gain=32768.0),
    fault("half as loud", "audio-scale", "0.5", f"{WAVES}, plain", gain=0.5),
    fault("peak of 1", "audio-scale", "peak", f"{WAVES}, yamnet, own, plain", loudness="peak"),
    fault("RMS of 1", "audio-scale", "RMS", WAVES, loudness="rms"),
    fault("mean removed", "audio-scale", "mean of each file", WAVES, dc=True),
    fault("clipped", "audio-scale", "clipped at 0.3", WAVES, clip=0.3),
    fault("middle", "audio-position-differs", "middle", f"{WAVES}, yamnet, own, plain", place="center"),
    fault("the end", "audio-position-differs", "last sample", f"{WAVES}, yamnet, plain", place="end"),
    fault("zeros in front", "audio-position-differs", "front of a short", "wave, long wave", place="front"),
    fault("37 later", "audio-position-differs", "sample 37", WAVES, shift=37),
    fault("500 earlier", "audio-position-differs", "500 zeros", WAVES, shift=-500),
    fault("Hamming", "window-differs", "Hamming", f"{MELS}, plain", taper="hamming"),
    fault("symmetric Hann", "window-differs", "symmetric", "plain", taper="hann symmetric"),
    fault("rectangular", "window-differs", "Rectangular", f"{MELS}, plain", taper="boxcar"),
    fault("window of 512", "window-differs", "512", "yamnet, own", window=512),
    fault("FFT of 1024", "window-differs", "1024", "yamnet", fft=1024),
    fault("hop of 128", "frames-differ", "128", "yamnet, whisper", hop=128),
    fault("hop of 256", "frames-differ", "256", "librosa", hop=256),
    fault("centered", "frames-differ", "centered, with the signal", "yamnet, own, plain", center="reflect"),
    fault("not centered", "frames-differ", "first frame", "whisper, librosa", center="no"),
    fault("Slaney", "mel-differs", "Slaney", "yamnet, own", mel="slaney"),
    fault("HTK", "mel-differs", "HTK", "whisper, librosa", mel="htk"),
    fault("TensorFlow's triangles", "mel-differs", "TensorFlow", "own", mel="tf"),
    fault("not divided by width", "mel-differs", "Hz", "whisper, librosa", norm=False),
    fault("divided by width", "mel-differs", "width", "yamnet, own", norm=True),
    fault("from 0 Hz", "mel-differs", "0 to", "yamnet", low=0.0),
    fault("from 300 Hz", "mel-differs", "300 to", "whisper, own", low=300.0),
    fault("to 8000 Hz", "mel-differs", "8000 Hz", "yamnet, librosa", high=8000.0),
    fault("to 4000 Hz", "mel-differs", "4000 Hz", "yamnet, whisper, own", high=4000.0),
    fault("bands for 44100", "mel-differs", "44100", "own, yamnet", nominal=44100),
    fault("power", "log-differs", "power", "yamnet, plain", power=2),
    fault("magnitude", "log-differs", "magnitude", "whisper, own", power=1),
    fault("log10", "log-differs", "log10", "yamnet, own", log="log10"),
    fault("log2", "log-differs", "log2", "yamnet, own", log="log2"),
    fault("ln", "log-differs", "natural", "whisper, librosa", log="ln"),
    fault("dB", "log-differs", "decibels", "yamnet, own", log="dB"),
    fault("no logarithm", "log-differs", "no logarithm", "yamnet, librosa", log="none", floor=0.0, top=0.0),
    fault("1e-6 added", "log-differs", "1e-06", "yamnet", add=1e-6),
    fault("1e-3 added", "log-differs", "0.001", "own", add=1e-3),
    fault("no range", "log-differs", "at least", "whisper, librosa", top=0.0),
    fault("scaled each", "spectrogram-scale", "each spectrogram", LOGS, scaling="each"),
    fault("scaled by band", "spectrogram-scale", "each band", "yamnet, own", scaling="band"),
    fault("largest is 0", "spectrogram-scale", "largest value 0", "librosa", scaling="max"),
    fault("divided by 20", "spectrogram-scale", "20", "yamnet, librosa", scaling="fixed", deviation=20.0),
    fault("mean subtracted", "spectrogram-scale", "minus 1.5", "yamnet", mean=1.5),
    fault("transposed", "axes-transposed", "frequencies first", "yamnet, librosa, own, plain", first=True),
    fault("time first", "axes-transposed", "time first", "whisper", first=False),
)  # fmt: skip


def cases(faults: Sequence[Fault] = FAULTS) -> list[Case]:
    """Every right pipeline, every fault in two pipelines, and every fault with another one."""
    made = [Case(name, steps) for name, steps in RIGHT.items()]
    pairs: list[Case] = []
    for number, each in enumerate(faults):
        names = [name for name, steps in RIGHT.items() if each.fits(steps, name)]
        chosen = dict.fromkeys((names[number % len(names)], names[(number + 1) % len(names)]))
        made += [Case(name, RIGHT[name], (each,)) for name in chosen]
        name = names[(number * 5) % len(names)]
        others = [other for other in faults if other.fits(RIGHT[name], name) and other.goes_with(each)]
        if others:
            pairs.append(Case(name, RIGHT[name], (each, others[(number * 11) % len(others)])))
    return made + pairs


def inputs(steps: Steps, files: Sequence[Path]) -> Array:
    return np.stack([steps(file) for file in files])


TABLE = Table(
    cases,
    write=lambda folder, seed, whole: write_sounds(folder, seed),
    inputs=lambda case, steps, files: inputs(steps, files),
    javascript=lambda case, files, engine: javascript(
        case.page, {file.name: soundfile.info(file).samplerate for file in files}
    ),
    own=frozenset({"resampler-differs"}),
)

if __name__ == "__main__":
    TABLE.main(__doc__)
