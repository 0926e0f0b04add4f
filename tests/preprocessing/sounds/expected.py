"""Numbers that other libraries give for a known signal: every 16th value of a spectrogram of four frames."""

from __future__ import annotations

import numpy as np

#: librosa 0.11: power_to_db(feature.melspectrogram(y, sr=22050)[:, :4], ref=1.0).T
LIBROSA = [
    8.5496,
    30.2372,
    -0.8492,
    -15.9025,
    -23.8526,
    -31.2089,
    -37.9686,
    -43.5891,
    2.8363,
    34.3475,
    14.3031,
    -21.9293,
    -29.8735,
    -37.2298,
    -43.9895,
    -45.1841,
    -45.1841,
    34.8159,
    14.7726,
    -4.2213,
    -45.1841,
    -45.1841,
    -45.1841,
    -45.1841,
    -7.4485,
    34.4301,
    1.1293,
    15.4534,
    -14.4624,
    -19.7498,
    -23.5822,
    -26.5495,
]
#: librosa 0.11 with the steps of whisper's log_mel_spectrogram: stft(y, n_fft=400, hop_length=160, pad_mode="reflect").
WHISPER = [
    1.15396,
    1.01975,
    1.23437,
    1.33578,
    0.9752,
    0.8229,
    0.7199,
    0.63723,
    0.55626,
    0.4945,
    0.423,
    0.34839,
    0.28055,
    0.21803,
    0.15722,
    0.10011,
    0.04639,
    -0.00108,
    -0.04047,
    -0.06921,
]


def two_sines(rate: int, count: int) -> np.ndarray:
    """A tone, and one that rises."""
    t = np.arange(count) / rate
    return (0.5 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * 3000 * t**1.5)).astype(np.float32)
