"""The recipes for sounds, against TensorFlow and against their JavaScript in real browsers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pycheck.errors import InputsFileError, InstallationError, UsageError
from pycheck.preprocessing import load_preprocess, recipe_module
from pycheck.preprocessing.sounds.decoding import decode, is_sound
from pycheck.preprocessing.sounds.recipes import Spectrogram, made_for
from pycheck.types import AppCode, Signature, TensorSpec

from ...conftest import more
from ..pages import by_apps
from .sounds import write_sounds


def takes(*shape: int | None) -> Signature:
    return Signature((TensorSpec("sound", "float32", (None, *shape), has_sample_axis=True),), ())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sounds(tmp_path_factory.mktemp("sounds") / "sounds")


def test_a_waveform_is_cropped_or_padded_at_the_end(files: list[Path]) -> None:
    voice = decode(files[0])
    assert (voice.rate, voice.samples.shape) == (16000, (20800, 1))
    short, long = (load_preprocess("waveform(rate=16000)", takes(count, 1))(files[0]) for count in (8000, 24000))
    np.testing.assert_array_equal(short[:, 0], voice.samples[:8000, 0])
    np.testing.assert_array_equal(long[:20800, 0], voice.samples[:, 0])
    assert short.shape == (8000, 1) and long.shape == (24000, 1) and not long[20800:].any()


@pytest.mark.real
def test_a_log_mel_spectrogram_is_that_of_tensorflow(files: list[Path]) -> None:
    import tensorflow as tf

    made = load_preprocess("yamnet", takes(96, 64))(files[0])
    signal = load_preprocess("waveform(rate=16000)", takes(400 + 95 * 160))(files[0])
    spectrum = tf.abs(tf.signal.stft(signal, 400, 160, 512))
    weights = tf.signal.linear_to_mel_weight_matrix(64, 257, 16000, 125.0, 7500.0)
    np.testing.assert_allclose(made, tf.math.log(spectrum @ weights + 0.001), atol=2e-3)


def test_the_numbers_of_librosa_and_of_whisper_are_met() -> None:
    """Of librosa 0.11: feature.melspectrogram and power_to_db of a sum of two sines."""
    from .expected import LIBROSA, WHISPER, two_sines

    for text, signature, expected in (("librosa", takes(4, 128), LIBROSA), ("whisper", takes(80, 4), WHISPER)):
        made = made_for(text, signature)
        assert isinstance(made, Spectrogram)
        np.testing.assert_allclose(
            made.of(two_sines(made.waveform.rate, made.waveform.count)).ravel()[::16], expected, atol=2e-4
        )


RECIPES = (
    ("waveform(rate=16000)", (20000, 1)),
    ("yamnet", (96, 64, 1)),
    ("whisper", (80, 100)),
    ("librosa", (40, 128)),
    ("speech-commands", (124, 129, 1)),
    ("log-mel(rate=22050, window=1024, hop=256, taper=hamming, scale=htk, fmin=20, log=2, center=zeros)", (60, 40)),
)


@pytest.mark.real
@pytest.mark.parametrize("engine", ["chromium", *more("firefox", "webkit")])
def test_python_and_javascript_agree(files: list[Path], tmp_path: Path, engine: str) -> None:
    """Chromium and Firefox divide positive samples of 16 bits by 32767; decoders of MP3 round; the rest is exact."""
    apps = []
    for number, (text, shape) in enumerate(RECIPES):
        (tmp_path / f"{number}.js").write_text(recipe_module(text, takes(*shape)))
        apps.append(AppCode(tmp_path / f"{number}.js"))

    for (text, shape), page in zip(RECIPES, by_apps(engine, apps, files), strict=True):
        python = np.stack([load_preprocess(text, takes(*shape))(file) for file in files])
        assert python.shape == page.shape and python.std() > 0
        rest = np.sqrt(np.mean(np.square(page - python), axis=tuple(range(1, python.ndim)))) / python.std()
        assert rest.max() < 0.02 and np.median(rest) < 1e-3, (text, rest)


@pytest.mark.parametrize(
    ("text", "shape", "what"),
    [
        ("waveform(rate=fast)", (8000,), "rate=fast is not valid"),
        ("waveform(speed=2)", (8000,), "speed=2 is no parameter of waveform"),
        ("waveform(rate=16000)", (96, 64), "makes samples"),
        ("waveform(rate=16000)", (None,), "needs the size"),
        ("log-mel(scale=bark)", (96, 64), "tf, htk, slaney"),
        ("log-mel(power=3)", (96, 64), "1 or 2"),
        ("log-mel(window=400, fft=256)", (96, 64), "longer than the FFT"),
        ("whisper", (128, 3000), "gives 80 frequencies"),
    ],
)
def test_a_wrong_parameter_is_named(text: str, shape: tuple[int | None, ...], what: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_preprocess(text, takes(*shape))
    assert what in f"{caught.value.message} {caught.value.advice}"


def test_a_file_that_is_no_sound_is_named_and_a_missing_library_too(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF1234WAVEnothing")
    with pytest.raises(InputsFileError, match=r"Cannot decode .*a\.wav"):
        decode(tmp_path / "a.wav")
    assert is_sound(tmp_path / "a.wav") and all(map(is_sound, files)) and not is_sound(Path(__file__))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(InstallationError, match="soundfile"):
        decode(files[0])
