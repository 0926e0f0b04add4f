"""A .tflite file as a model: its signature, and the values that it expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycheck.artifact.tflite import TfliteModel
from pycheck.errors import ArtifactFileError, ConversionError, ModelFileError
from pycheck.model import identify, load
from pycheck.model.kind import TFLITE

from ..artifact.tflite_files import Step, Value, built, chain


def saved(model: TfliteModel, folder: Path) -> Path:
    (folder / "m.tflite").write_bytes(model.to_bytes())
    return folder / "m.tflite"


def test_it_is_known_by_its_content(tmp_path: Path) -> None:
    file = saved(chain(), tmp_path)
    assert identify(file).format == TFLITE
    assert identify(file.rename(tmp_path / "model.bin")).format == TFLITE
    (tmp_path / "text.tflite").write_text("hello world")
    with pytest.raises(ModelFileError, match=r"not a \.tflite file"):
        identify(tmp_path / "text.tflite")


def test_a_file_that_litert_js_cannot_run_is_refused_before_tensorflow_is_imported(tmp_path: Path) -> None:
    with pytest.raises(ArtifactFileError, match="type int64"):
        load(identify(saved(chain("int64"), tmp_path)))


@pytest.mark.real
def test_a_batch_of_one_is_free(tmp_path: Path) -> None:
    model = load(identify(saved(chain(), tmp_path)))
    (given,), (result,) = model.info.signature.inputs, model.info.signature.outputs
    assert (given.shape, given.dtype, given.has_sample_axis) == ((None, 4), "float32", True)
    assert result.shape == (None, 4)
    assert [str(runtime) for runtime in model.info.references] == ["artifact:litert"] * 2
    with pytest.raises(ConversionError):
        model.frozen()


@pytest.mark.real
def test_a_larger_batch_is_fixed(tmp_path: Path) -> None:
    four = built([Value("x", shape=(4, 2)), Value("y", shape=(4, 2))], [Step("NEG", (0,), (1,))], [0], [1])
    signature = load(identify(saved(four, tmp_path))).info.signature
    assert signature.fixed_batch == 4
    assert signature.outputs[0].has_sample_axis


@pytest.mark.real
def test_indices_of_a_table_are_known(tmp_path: Path) -> None:
    import keras

    from pycheck.conversion import convert_litert

    tokens = keras.Input((5,), name="tokens", dtype="int32")
    source = load(keras.Model(tokens, keras.layers.Embedding(20, 8)(tokens)))
    convert_litert(source, tmp_path / "lite", {"tokens": (1, 5)})
    hint = load(identify(tmp_path / "lite" / "model.tflite")).input_hints["tokens"]
    assert [(values.kind, values.low, values.high) for values in hint.values] == [("ids", 0, 20)]


@pytest.mark.real
def test_numbers_that_a_selection_replaces_are_no_indices(tmp_path: Path) -> None:
    import keras

    from pycheck.conversion import convert_litert

    tokens = keras.Input((5,), name="tokens", dtype="int32")
    known = keras.ops.where(tokens < 20, tokens, 0)
    convert_litert(load(keras.Model(tokens, keras.layers.Embedding(20, 8)(known))), tmp_path, {"tokens": (1, 5)})
    assert load(identify(tmp_path / "model.tflite")).input_hints == {}
