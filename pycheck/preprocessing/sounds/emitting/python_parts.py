"""The functions in Python that emitted modules for sounds are made of."""

from __future__ import annotations

MIXED = {
    "mean of the channels": "samples.mean(axis=1)",
    "sum of the channels": "samples.sum(axis=1)",
    "left channel": "samples[:, 0]",
    "right channel": "samples[:, min(1, samples.shape[1] - 1)]",
}

RESAMPLED = {
    "band-limited": '''\
def resampled(signal, rate, wanted):
    """Resample with the filter of scipy.signal.resample_poly."""
    if rate == wanted:
        return signal
    divisor = gcd(rate, wanted)
    return resample_poly(signal, wanted // divisor, rate // divisor)
''',
    "linear": '''\
def resampled(signal, rate, wanted):
    """Resample on the straight line between two samples."""
    places = np.arange(len(signal) * wanted // rate) * (rate / wanted)
    return np.interp(places, np.arange(len(signal)), signal)
''',
    "nearest": '''\
def resampled(signal, rate, wanted):
    """Resample by taking the sample before."""
    places = np.arange(len(signal) * wanted // rate) * (rate / wanted)
    return signal[places.astype(int)]
''',
}

PLACED = '''\
def placed(signal):
    """Return SAMPLES samples: {remark}."""
{lines}\
'''
PLACED_PLAIN = """\
    made = np.zeros(SAMPLES)
    made[: min(SAMPLES, len(signal))] = signal[:SAMPLES]
    return made
"""
PLACED_MOVED = """\
{free}\
    places = np.arange(SAMPLES) + {start}
    inside = (places >= 0) & (places < len(signal))
    return np.where(inside, signal[np.clip(places, 0, len(signal) - 1)], 0.0)
"""
STARTS = {
    "start": "0",
    "center": "free // 2",
    "end": "free",
    "start, zeros at the front": "min(free, 0)",
    "start, zeros on both sides": "min(free // 2, 0)",
    "center, zeros at the end": "max(free // 2, 0)",
}

SPECTROGRAM = '''\
def spectrogram(signal{rate}):
    """Return the spectrogram: {shape}."""
    n = np.arange(WINDOW)
    taper = {taper}
{padded}\
    cut = np.stack([signal[frame * HOP : frame * HOP + WINDOW] for frame in range(FRAMES)])
    energies = np.abs(np.fft.rfft(cut * taper, FFT)){square}
{lines}\
'''
#: {before} and {after}: samples before the first frame and after the last one; they are cut from what is mirrored.
PADDED = {
    "no": "    signal = np.pad(signal, (0, max(0, (FRAMES - 1) * HOP + WINDOW - len(signal))))\n",
    "zeros": "    signal = np.pad(signal, ({before}, max(0, (FRAMES - 1) * HOP + WINDOW - len(signal))))\n",
    "reflect": (
        '    signal = np.pad(signal, FFT // 2, mode="reflect"){cut}\n'
        "    signal = np.pad(signal, (0, max(0, (FRAMES - 1) * HOP + WINDOW - len(signal))))\n"
    ),
}
TAPERS = {
    "hann": "0.5 - 0.5 * np.cos(TURN)",
    "hamming": "0.54 - 0.46 * np.cos(TURN)",
    "blackman": "0.42 - 0.5 * np.cos(TURN) + 0.08 * np.cos(2 * TURN)",
    "rectangular": "np.ones(WINDOW)",
    "bartlett": "1 - np.abs(TURN / np.pi - 1)",
    "sine": "np.sin((n + 0.5) * np.pi / WINDOW)",
}
MELS = {
    "htk": '''\
def to_mel(hz):
    """Return mels, on the scale of HTK."""
    return 1127 * np.log1p(hz / 700)


def to_hz(mel):
    """Return Hz, on the scale of HTK."""
    return 700 * np.expm1(mel / 1127)
''',
    "slaney": '''\
def to_mel(hz):
    """Return mels, on the scale of Slaney: straight up to 1000 Hz, and logarithmic above."""
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def to_hz(mel):
    """Return Hz, on the scale of Slaney."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((np.maximum(mel, 15) - 15) / 27))
''',
}
TRIANGLES = '''\
def triangles({rate}):
    """Return the weight of each frequency of the FFT (rows) in each band (columns)."""
    edges = np.linspace(to_mel(np.array(FMIN)), to_mel(np.array(FMAX)), BANDS + 2)
    low, middle, high = {edges}[:-2], {edges}[1:-1], {edges}[2:]
    places = ({places})[:, None]
    made = np.maximum(0.0, np.minimum((places - low) / (middle - low), (high - places) / (high - middle)))
{lines}\
    return made
'''
