"""The recipe for token ids, against the layer of Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pycheck.errors import UsageError
from pycheck.preprocessing import load_preprocess
from pycheck.types import Signature, TensorSpec

TEXTS = (
    "The cat sat, on the MAT.", "A dog's life\tis not\n a cat's life!", "Ähm, JA — grün ÜBER\u00a0alles (x_y)",
    "", "re-do it; what? 3.14 #tag [x] {y} a|b ~c `d` \\e ^f", "one\r\ntwo\x0bthree\x0cfour\u2003five",
)  # fmt: skip
ROW = Signature((TensorSpec("tokens", "int32", (None, 9), has_sample_axis=True),), ())


@pytest.mark.real
def test_the_ids_are_those_of_text_vectorization(tmp_path: Path) -> None:
    import keras

    layer = keras.layers.TextVectorization(output_sequence_length=9)
    layer.adapt(np.array(TEXTS[:-2]))
    (tmp_path / "words.txt").write_text("\n".join(layer.get_vocabulary()), encoding="utf-8")
    (tmp_path / "plain.txt").write_text("\n".join(layer.get_vocabulary()[2:]) + "\n", encoding="utf-8")
    for number, text in enumerate(TEXTS):
        file = tmp_path / f"{number}.txt"
        file.write_bytes(text.encode())
        for words in ("words.txt", "plain.txt"):
            made = load_preprocess(f"vocabulary({tmp_path / words})", ROW)(file)
            np.testing.assert_array_equal(made, np.asarray(layer(np.array([text, "one two"])))[0], text)


@pytest.mark.parametrize(
    ("text", "shape", "what"),
    [("vocabulary(none.txt)", (9,), "none.txt cannot be read"), ("vocabulary(x)", (9, 2), "makes a row of numbers")],
)
def test_what_has_no_vocabulary_or_no_row_is_named(text: str, shape: tuple[int, ...], what: str) -> None:
    signature = Signature((TensorSpec("tokens", "int32", (None, *shape), has_sample_axis=True),), ())
    with pytest.raises(UsageError) as caught:
        load_preprocess(text, signature)
    assert what in caught.value.message
