"""Recurrent layers that keep their state: one message, whose advice works as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from pycheck.errors import ModelFileError
from pycheck.model import identify, load

from ..conftest import more

pytestmark = pytest.mark.real

X = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)


def lstm(k: Any) -> Any:
    return k.Sequential([k.Input(batch_shape=(2, 3, 5)), k.layers.LSTM(4, stateful=True), k.layers.Dense(2)])


def lstm_of_keras2(k: Any) -> Any:
    return k.Sequential([k.layers.LSTM(4, stateful=True, batch_input_shape=(2, 3, 5)), k.layers.Dense(2)])


def nested(k: Any) -> Any:
    i = k.Input(batch_shape=(2, 3, 5))
    both = k.layers.Bidirectional(k.layers.GRU(3, stateful=True), name="both")
    return k.Model(i, k.layers.Dense(2)(k.Sequential([both], name="inner")(i)))


@pytest.mark.parametrize(
    ("package", "make", "file"),
    [(keras, nested, "m.keras"), *more((keras, lstm, "m.keras"), (tf_keras, lstm_of_keras2, "m.h5"))],
)
def test_the_advice_saves_a_model_that_loads_and_begins_alike(
    package: Any, make: Any, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = make(package)
    first = model.predict(X, verbose=0)
    model.save(file)
    with pytest.raises(ModelFileError, match=r"stateful=True.*(lstm|both)") as caught:
        load(identify(tmp_path / file))
    _, _, code = caught.value.advice.partition("\n")
    exec(code.replace("PATH", repr(file)))
    again = load(identify(tmp_path / "stateless.keras"))
    (name,) = (spec.name for spec in again.info.signature.inputs)
    for _ in range(2):  # the second begins as the first did
        (value,) = again.predict({name: X}).values()
        np.testing.assert_allclose(value, first, atol=1e-6)
