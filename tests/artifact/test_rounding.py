"""A quantized artifact whose weights are rounded differently, and a quantized .tflite file in float32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.artifact.document import read_document
from pycheck.artifact.rounding import with_other_rounding
from pycheck.artifact.tflite import TfliteModel
from pycheck.artifact.tflite.flatbuffer import schema
from pycheck.artifact.tflite.rounding import in_float32
from pycheck.artifact.weights import decode_weights
from pycheck.types import Array, ArtifactInfo

from .tflite_files import Step, Value, built

BYTES = np.arange(0, 250, 10, dtype=np.uint8)
HALVES = np.linspace(-3, 3, 16).astype(np.float16)
PLAIN = np.array([1.5, -2.0], np.float32)


@pytest.fixture
def artifact(tmp_path: Path) -> ArtifactInfo:
    """Has one weight in uint8, one in float16, one of quantized integers, and one as it is."""
    entries: list[dict[str, Any]] = [
        {"name": "bytes", "shape": [5, 5], "dtype": "float32",
         "quantization": {"dtype": "uint8", "scale": 0.1, "min": -4.0, "original_dtype": "float32"}},
        {"name": "halves", "shape": [16], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "indices", "shape": [25], "dtype": "int32",
         "quantization": {"dtype": "uint8", "scale": 1.0, "min": 0, "original_dtype": "int32"}},
        {"name": "plain", "shape": [2], "dtype": "float32"},
    ]  # fmt: skip
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "w.bin").write_bytes(BYTES.tobytes() + HALVES.tobytes() + BYTES.tobytes() + PLAIN.tobytes())
    nodes = [{"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}},
             {"name": "y", "op": "Identity", "input": ["x"]}]  # fmt: skip
    document = {"modelTopology": {"node": nodes}, "weightsManifest": [{"paths": ["w.bin"], "weights": entries}]}
    (folder / "model.json").write_text(json.dumps(document))
    return ArtifactInfo(folder, "graph", "uint8", 1, "", "", ("x",), ("x",), {"x": "x"}, {"x": "x"})


def _weights(info: ArtifactInfo) -> dict[str, Array]:
    return decode_weights(read_document(info.folder))


def test_each_quantized_weight_moves_within_half_of_its_step_and_no_other_weight_moves(
    artifact: ArtifactInfo, tmp_path: Path
) -> None:
    before = _weights(artifact)
    after = [_weights(with_other_rounding(artifact, tmp_path / str(seed), seed)) for seed in (0, 1)]
    for name, step in (("bytes", 0.1), ("halves", np.spacing(np.abs(HALVES)).astype(np.float64))):
        moves = [np.abs(values[name] - before[name]) / step for values in after]
        assert all(0.1 < move.mean() < 0.4 and move.max() <= 0.5001 for move in moves)
        assert not np.array_equal(*moves)
    for name in ("indices", "plain"):
        assert all(np.array_equal(values[name], before[name]) for values in after)
    again = _weights(with_other_rounding(artifact, tmp_path / "again", 0))
    assert all(np.array_equal(again[name], after[0][name]) for name in before)


def _quantized(model: TfliteModel, tensor: int, scale: list[float], zero: list[int], axis: int = 0) -> None:
    found = schema().QuantizationParametersT()
    found.scale, found.zeroPoint = np.array(scale, np.float32), np.array(zero, np.int64)
    found.quantizedDimension = axis
    model.root.subgraphs[0].tensors[tensor].quantization = found


def _file() -> TfliteModel:
    """QUANTIZE, ADD of a weight with a scale for each channel, DEQUANTIZE."""
    weight = np.array([[10, 20, -30, 40]], np.int8)
    tensors = [Value("x"), Value("q", "int8"), Value("w", "int8", (1, 4), weight), Value("s", "int8"), Value("y")]
    steps = [Step("QUANTIZE", (0,), (1,)), Step("ADD", (1, 2), (3,)), Step("DEQUANTIZE", (3,), (4,))]
    model: TfliteModel = built(tensors, steps, [0], [4])
    _quantized(model, 1, [0.5], [0])
    _quantized(model, 2, [0.1, 0.2, 0.3, 0.4], [0] * 4, axis=1)
    _quantized(model, 3, [0.1], [28])
    return model


def test_a_file_in_float32_has_the_numbers_of_its_integers_and_no_quantized_tensor() -> None:
    made = TfliteModel.of(in_float32(_file()).to_bytes())
    assert {tensor.dtype for tensor in made.tensors()} == {"float32"}
    assert not any(tensor.is_quantized for tensor in made.tensors())
    weight = made.constant(2)
    assert weight is not None
    np.testing.assert_allclose(weight, [[1, 4, -9, 16]], rtol=1e-6)
    assert [operation.op for operation in made.operations()] == ["MINIMUM", "MAXIMUM", "ADD", "MINIMUM", "MAXIMUM"]
    assert [port.name for port in made.outputs] == ["y"]


def test_weights_move_within_half_of_the_step_of_their_channel() -> None:
    exact, moved = (in_float32(_file(), seed).constant(2) for seed in (None, 0))
    assert exact is not None and moved is not None
    share = np.abs(moved - exact) / [0.1, 0.2, 0.3, 0.4]
    assert (share > 0).all() and (share <= 0.5001).all()


@pytest.mark.real
def test_values_inside_are_not_rounded_but_saturate() -> None:
    from pycheck.artifact.tflite.interpreter import TfliteInterpreter

    x = np.array([[0.3, 100.0, -100.0, 1.26]], np.float32)
    y = TfliteInterpreter(in_float32(_file())).run({"x": x})["y"]
    # 100 saturates at 63.5 in q. The sums saturate in s between (-128 - 28) / 10 and (127 - 28) / 10.
    np.testing.assert_allclose(y, [[1.3, 9.9, -15.6, 9.9]], rtol=1e-5)


def test_four_bits_are_two_in_a_byte() -> None:
    weight = np.array([0x21, 0xF8], np.uint8)  # 1, 2, -8, -1
    model = built([Value("x"), Value("w", "int4", (1, 4), weight), Value("y")], [Step("ADD", (0, 1), (2,))], [0], [2])
    _quantized(model, 1, [0.5], [0])
    made = in_float32(model).constant(1)
    assert made is not None and made.tolist() == [[0.5, 1.0, -4.0, -0.5]]
