"""From sounds and texts to answers, for real: a fault of the page is named, and the code of the advice removes it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile

import pycheck

from ..conftest import more
from ..preprocessing.sounds.sounds import voice
from ..preprocessing.texts.faults import vocabulary, write_texts
from ..shared import session

pytestmark = pytest.mark.real

_PREP_PY = """
import numpy as np, soundfile, tensorflow as tf

def load(path):
    signal, rate = soundfile.read(path, dtype="float32")
    assert rate == 16000
    spectrum = tf.abs(tf.signal.stft(signal[: 400 + 29 * 160], 400, 160, 512))
    mel = spectrum @ tf.signal.linear_to_mel_weight_matrix(32, 257, 16000, 125.0, 7500.0)
    return tf.math.log(mel + 0.001).numpy()
"""
_PREP_JS = """
const MEL = WEIGHTS;
async function spectrum(blob, rate, tf) {
  const context = new OfflineAudioContext(1, 1, rate);
  const audio = await context.decodeAudioData(await blob.arrayBuffer());
  return tf.tidy(() => {
    const signal = tf.tensor1d(audio.getChannelData(0)).pad([[0, 5040]]).slice(0, 400 + 29 * 160);
    return tf.signal.stft(signal, 400, 160, 512).abs().matMul(tf.tensor2d(MEL)).add(0.001);
  });
}
export default async function (blob, tf) {
  const mel = await spectrum(blob, 16000, tf);
  return tf.tidy(() => mel.log());
}
export async function log10(blob, tf) {
  const mel = await spectrum(blob, 16000, tf);
  return tf.tidy(() => mel.log().div(Math.LN10));
}
export async function fast(blob, tf) {
  const mel = await spectrum(blob, 8000, tf);
  return tf.tidy(() => mel.log());
}
"""
_TOKENS_JS = """
const vocabulary = WORDS;
async function rows(blob, tf, first) {
  const text = (await blob.text()).toLowerCase().replace(/[!"#$%&()*+,\\-.\\/:;<=>?@[\\\\\\]^_`{|}~']/g, '');
  const ids = text.split(/\\s+/).map((word) => vocabulary.indexOf(word) + first).slice(0, 20);
  while (ids.length < 20) ids.push(0);
  return tf.tensor1d(ids, 'int32');
}
export default (blob, tf) => rows(blob, tf, 2);
export const shifted = (blob, tf) => rows(blob, tf, 1);
"""


def causes(report: pycheck.Report) -> dict[str, tuple[str, str]]:
    """What each cause says of Python and of the page."""
    assert report.pipeline is not None and not report.pipeline.failed
    (row,) = report.pipeline.rows
    return {cause.code: (cause.python, cause.page) for cause in row.causes}


@pytest.mark.parametrize("engine", ["chromium", *more("firefox", "webkit")])
def test_a_wrong_logarithm_and_a_wrong_rate_are_named_and_the_right_code_passes(tmp_path: Path, engine: str) -> None:
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((30, 32), name="sound"),
            keras.layers.Conv1D(8, 5, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="softmax", name="kind"),
        ]
    )
    weights = tf.signal.linear_to_mel_weight_matrix(32, 257, 16000, 125.0, 7500.0).numpy()
    (tmp_path / "prep.py").write_text(_PREP_PY)
    (tmp_path / "prep.js").write_text(_PREP_JS.replace("WEIGHTS", str(np.round(weights, 7).tolist())))
    (tmp_path / "sounds").mkdir()
    for number in range(2):
        soundfile.write(tmp_path / "sounds" / f"{number}.wav", voice(16000, 0.8, number), 16000, subtype="FLOAT")

    def compared(function: str) -> pycheck.Report:
        return session.compare(
            model, tmp_path / "sounds", preprocess=f"{tmp_path / 'prep.py'}:load", power=False,
            js_preprocess=f"{tmp_path / 'prep.js'}{function}", runtimes=f"{engine}:cpu",
        )  # fmt: skip

    report = compared(":log10")
    assert not report.passed
    assert causes(report) == {"log-differs": ("natural logarithm of magnitude + 0.001", "log10 of magnitude + 0.001")}
    (found,) = [finding for finding in report.findings if finding.code == "log-differs"]
    assert found.severity == "error" and "tf.log" in str(found.advice)
    said = causes(compared(":fast"))
    assert said["sample-rate-differs"] == ("16000 samples a second", "8000 samples a second")
    right = compared("")
    assert right.passed and causes(right) == {}


def test_shifted_ids_are_named_and_the_code_of_the_advice_passes(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((20,), dtype="int32", name="words"),
            keras.layers.Embedding(80, 6),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax", name="kind"),
        ]
    )
    words = vocabulary(write_texts(tmp_path / "texts"))
    (tmp_path / "words.txt").write_text("\n".join(words))
    (tmp_path / "prep.js").write_text(_TOKENS_JS.replace("WORDS", str(words)))

    def compared(page: str) -> pycheck.Report:
        return session.compare(
            model, tmp_path / "texts", preprocess=f"vocabulary({tmp_path / 'words.txt'})", js_preprocess=page,
            runtimes="chromium:cpu", power=False,
        )  # fmt: skip

    report = compared(f"{tmp_path / 'prep.js'}:shifted")
    (said,) = causes(report).items()
    assert said[0] == "tokens-shifted" and said[1][1].endswith("all ids -1")
    (found,) = [finding for finding in report.findings if finding.code == "tokens-shifted"]
    assert "vocabulary.indexOf(word) + 2" in str(found.advice)
    for page in (f"{tmp_path / 'prep.js'}", f"vocabulary({tmp_path / 'words.txt'})"):
        right = compared(page)
        assert right.passed and causes(right) == {}
