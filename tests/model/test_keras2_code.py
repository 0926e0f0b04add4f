"""Custom objects of Keras 2 code: imported with tf_keras as their Keras, and nothing else in the process changes."""

from __future__ import annotations

import importlib
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pycheck.errors import ModelFileError
from pycheck.model import Model, identify, load

pytestmark = pytest.mark.real

X = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)

#: Ways in which code of Keras 2 gets at a layer, all of which computed 2x + 1.
WAYS = {
    "tf.keras": """
        import tensorflow as tf
        class Scaled(tf.keras.layers.Layer):
            def call(self, x):
                return tf.keras.layers.Multiply()([x, 2 * tf.ones_like(x)]) + 1.0
    """,
    "from tensorflow": """
        from tensorflow import keras
        from tensorflow.keras import backend as K, layers
        class Scaled(layers.Layer):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.one = keras.layers.Lambda(lambda x: x + K.ones_like(x))
            def call(self, x):
                return self.one(K.cast(2.0, x.dtype) * x)
    """,
    "import tensorflow.keras.layers": """
        import tensorflow.keras.layers as L
        import tensorflow.keras.backend
        class Scaled(L.Layer):
            def call(self, x):
                return L.add([x, x]) + tensorflow.keras.backend.ones_like(x)
    """,
    "keras": """
        import keras
        from keras import backend as K
        from keras.engine.topology import Layer
        class Scaled(Layer):
            def call(self, x):
                return keras.layers.add([x, x]) + K.ones_like(x)
    """,
    "a module beside it": """
        from old_code_helper import Base
        class Scaled(Base):
            pass
    """,
}
HELPER = """
    import tensorflow as tf
    class Base(tf.keras.layers.Layer):
        def call(self, x):
            return 2.0 * x + 1.0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("old_code", "old_code_helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "old_code_helper.py").write_text(textwrap.dedent(HELPER))
    return tmp_path


def _model(tf_keras: Any, path: Path) -> Path:
    class Scaled(tf_keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return 2.0 * x + 1.0

    x = tf_keras.Input((3,), name="x")
    tf_keras.Model(x, Scaled(name="y")(x)).save(path)
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_every_way_to_say_keras_means_keras_2(keras: Any, tf_keras: Any, folder: Path, way: str, suffix: str) -> None:
    (folder / "old_code.py").write_text(textwrap.dedent(WAYS[way]))
    path = _model(tf_keras, folder / f"m{suffix}")
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] in ("keras", "tensorflow")}
    model = load(identify(path), custom_objects=["old_code:Scaled"])
    np.testing.assert_allclose(model.predict({"x": X})["y"], 2 * X + 1, rtol=1e-6)
    assert type(model.keras_model).__module__.startswith("tf_keras.")
    assert {name: sys.modules.get(name) for name in before} == before
    assert "old_code" not in sys.modules and "old_code_helper" not in sys.modules
    assert importlib.import_module("tensorflow").keras.layers.Dense is keras.layers.Dense


@pytest.mark.filterwarnings("ignore")
def test_code_that_keras_3_has_imported_already_is_imported_again(tf_keras: Any, folder: Path) -> None:
    (folder / "old_code.py").write_text(textwrap.dedent(WAYS["tf.keras"]))
    sys.path.insert(0, str(folder))
    try:
        first = importlib.import_module("old_code")
    finally:
        sys.path.remove(str(folder))
    model = load(identify(_model(tf_keras, folder / "m.h5")), custom_objects=["old_code:Scaled"])
    assert type(model.keras_model).__module__.startswith("tf_keras.")
    assert sys.modules.pop("old_code") is first


@pytest.mark.filterwarnings("ignore")
def test_code_that_needs_keras_3_decides_for_keras_3(tf_keras: Any, folder: Path) -> None:
    code = """
        import keras
        class Scaled(keras.layers.Layer):
            ones_like = staticmethod(keras.ops.ones_like)
            def call(self, x):
                return 2.0 * x + self.ones_like(x)
    """
    (folder / "old_code.py").write_text(textwrap.dedent(code))
    model = load(identify(_model(tf_keras, folder / "m.h5")), custom_objects=["old_code:Scaled"])
    np.testing.assert_allclose(model.predict({"x": X})["y"], 2 * X + 1, rtol=1e-6)
    assert type(model.keras_model).__module__.startswith("keras.")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_lambda_for_an_activation_runs_where_the_file_is_trusted(tf_keras: Any, folder: Path, suffix: str) -> None:
    original = tf_keras.Sequential([tf_keras.layers.Dense(4, activation=lambda x: x * x, input_shape=(3,))])
    original.save(folder / f"m{suffix}")
    source = identify(folder / f"m{suffix}")
    with pytest.raises(ModelFileError, match="holds a pickled Python function") as caught:
        load(source)
    assert "--trust-model" in caught.value.advice
    np.testing.assert_allclose(_predicted(load(source, trust=True)), original.predict(X, verbose=0), rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_lambda_of_which_the_file_has_the_name_is_given_as_a_function(tf_keras: Any, folder: Path) -> None:
    """Keras wrote no more than "<lambda>" until 2.12."""
    (folder / "old_code.py").write_text(
        "from tensorflow import keras\ndef bent(x):\n    return keras.backend.square(x)"
    )
    original = tf_keras.Sequential(
        [tf_keras.layers.Dense(4, activation=tf_keras.backend.square, input_shape=(3,), name="curve")]
    )
    original.save(folder / "m.h5")
    with h5py.File(folder / "m.h5", "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1]["config"]["activation"] = "<lambda>"
        file.attrs["model_config"] = json.dumps(config)
    source = identify(folder / "m.h5")
    with pytest.raises(ModelFileError, match=r"activation of the layer 'curve' is a lambda") as caught:
        load(source, trust=True)
    assert "--custom-objects your_module:your_function" in caught.value.advice
    model = load(source, custom_objects=["old_code:bent"])
    np.testing.assert_allclose(_predicted(model), original.predict(X, verbose=0), rtol=1e-5)


def _predicted(model: Model) -> np.ndarray:
    return next(iter(model.predict({model.info.signature.inputs[0].name: X}).values()))
