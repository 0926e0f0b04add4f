"""The files that the documents name in their examples, small: a model, inputs and targets for it, and so on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np

import pycheck

from ..preprocessing.images.photos import photo
from .blocks import ROOT

#: What pycheck init and pycheck check find.
DEFAULT = ("model.keras", "model_inputs.npy")
_CONFIGURATION = 'runtimes = ["chromium:cpu"]\n[[models]]\npath = "model.keras"\ninputs = "model_inputs.npy"\n'

_PREP_PY = """
import numpy as np
from PIL import Image

def load(path):
    image = Image.open(path).convert("RGB").resize((64, 64), Image.BILINEAR)
    return np.asarray(image, np.float32) / 127.5 - 1
"""

_PAGE_JS = """
export default async function (blob, tf) {
  const image = await createImageBitmap(blob);
  return tf.tidy(() => tf.image.resizeBilinear(tf.browser.fromPixels(image), [64, 64], false, true).div(255));
}
"""


def make(folder: Path) -> None:
    """Write all of them; the model takes features (4) and gives scores (1), and so do its copies of other names."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    features = keras.Input((4,), name="features")
    scores = keras.layers.Dense(1, "sigmoid", name="scores")(keras.layers.Dense(8, "relu")(features))
    model = keras.Model(features, scores)
    for name in ("model.keras", "model.h5", "small.keras", "large.keras", "models/digits.keras", "models/sentiment.h5"):
        (folder / name).parent.mkdir(exist_ok=True)
        model.save(folder / name)
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    for name in ("inputs", "x", "model_inputs", "models/digits_inputs"):
        np.save(folder / f"{name}.npy", x)
    np.savez(folder / "inputs.npz", features=x)
    np.save(folder / "y.npy", (x.sum(axis=1, keepdims=True) > 0).astype(np.float32))
    (folder / "pycheck.toml").write_text(_CONFIGURATION)
    pycheck.convert(folder / "model.keras", folder / "web", verify=False)

    kinds, audio = keras.Input((1,), name="kinds", dtype="int32"), keras.Input((None, 1), name="audio")
    heard = keras.layers.GlobalMaxPooling1D()(keras.layers.Conv1D(4, 9, strides=4)(audio))
    known = keras.layers.Flatten()(keras.layers.Embedding(12, 4)(kinds))
    scores = keras.layers.Dense(1, name="scores")(keras.layers.Concatenate()([known, heard]))
    keras.Model([kinds, audio], scores).save(folder / "sounds.keras")

    serve = tf.function(lambda features: {"scores": model(features)})
    specified = serve.get_concrete_function(tf.TensorSpec([None, 4], tf.float32, name="features"))
    tf.saved_model.save(
        model, str(folder / "saved_model"), signatures={"serving_default": specified, "encode": specified}
    )
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, 224, 224, 3], name="input")
        tf.reduce_mean(image, axis=(1, 2), name="scores")
    (folder / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())

    _photos(folder)


def _photos(folder: Path) -> None:
    """A classifier of images, photos for it, and the code of both sides."""
    import keras

    image = keras.Input((64, 64, 3), name="image")
    kind = keras.layers.Dense(3, "softmax", name="kind")(keras.layers.GlobalAveragePooling2D()(image))
    keras.Model(image, kind).save(folder / "classifier.keras")
    (folder / "photos").mkdir()
    for number in range(3):
        photo(160, 120, number).save(folder / "photos" / f"{number}.jpg", quality=90)
    (folder / "app").mkdir()
    (folder / "app" / "prep.py").write_text(_PREP_PY)
    (folder / "web" / "page.js").write_text(_PAGE_JS)


def copy_named(text: str, samples: Path, into: Path) -> None:
    """Copy what a text names, of these files and of the repository's models/, into an empty folder."""
    for folder, pattern in ((samples, "*"), (samples, "models/*"), (ROOT, "models/*")):
        for source in sorted(folder.glob(pattern)):
            name = source.relative_to(folder).as_posix()
            if name not in ("models", "pycheck.toml") and re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w.-])", text):
                _copy(source, into / name)
    if re.search(r"pycheck (init|check)|pycheck\.toml", text):
        for name in (*DEFAULT, *(() if "pycheck init" in text else ("pycheck.toml",))):
            _copy(samples / name, into / name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
