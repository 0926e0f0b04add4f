"""model.json and its shards are written whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pycheck.conversion.writing import is_quantized, write_model_json
from pycheck.errors import ConversionError

pytestmark = pytest.mark.real


def manifest(folder):
    (group,) = json.loads((folder / "model.json").read_text())["weightsManifest"]
    return group


def test_weights_are_cut_into_shards_of_4_mb(tmp_path):
    weights = [("large", np.zeros(1_500_000, np.float32)), ("small", np.ones(3, np.float32))]
    size_bytes = write_model_json(tmp_path / "out", {"format": "x"}, weights)
    shards = [tmp_path / "out" / path for path in manifest(tmp_path / "out")["paths"]]
    assert [shard.stat().st_size for shard in shards] == [4 * 1024 * 1024, 6_000_012 - 4 * 1024 * 1024]
    assert size_bytes == 6_000_012 + (tmp_path / "out" / "model.json").stat().st_size


def test_a_model_without_weights_is_written(tmp_path):
    write_model_json(tmp_path / "out", {}, [])
    assert manifest(tmp_path / "out") == {"paths": [], "weights": []}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (np.ones(2, np.float64), "float32"),
        (np.ones(2, np.float16), "float32"),
        (np.ones(2, np.int64), "int32"),
        (np.ones(2, np.uint8), "int32"),
        (np.ones(2, np.bool_), "bool"),
        (np.ones(2, np.complex128), "complex64"),
        (np.array([b"a", b"bc"]), "string"),
    ],
)
def test_each_type_is_stored_as_the_nearest_that_the_browser_has(tmp_path, value, stored):
    write_model_json(tmp_path / "out", {}, [("w", value)])
    assert manifest(tmp_path / "out")["weights"] == [{"name": "w", "shape": [2], "dtype": stored}]


def test_only_the_named_tensors_are_quantized_even_where_a_name_looks_like_a_pattern(tmp_path):
    weights = [("a[0]*", np.linspace(0, 1, 5, dtype=np.float32)), ("epsilon", np.float32(1e-12))]
    write_model_json(tmp_path / "out", {}, weights, "uint8")
    quantized, plain = manifest(tmp_path / "out")["weights"]
    assert quantized["quantization"]["dtype"] == "uint8"
    assert "quantization" not in plain


@pytest.mark.parametrize(
    ("value", "quantize", "covered"),
    [
        ([1.0, 2.0], "none", False),
        ([1.0, 2.0], "uint8", True),
        ([1.0], "uint8", False),
        ([1.0, np.inf], "uint8", False),
        ([1.0, np.nan], "uint16", False),
        ([1.0, np.inf], "float16", True),
        ([1.0, 65504.0], "float16", True),
        ([1.0, 70000.0], "float16", False),
    ],
)
def test_quantization_covers_what_the_type_can_hold(value, quantize, covered):
    assert is_quantized(np.asarray(value, np.float32), quantize) is covered


@pytest.mark.parametrize(
    ("fields", "weights", "quantize", "told"),
    [
        ({"x": float("nan")}, [], "none", "JSON"),
        ({}, [("w", np.zeros(2)), ("w", np.ones(2))], "none", "'w'"),
        ({}, [("ids", np.array([2**40]))], "none", "1099511627776"),
        ({}, [("when", np.zeros(2, "datetime64[s]"))], "none", "datetime64"),
        ({}, [], "int4", "int4"),
    ],
)
def test_a_failure_leaves_nothing_behind_and_tells_the_value(tmp_path, fields, weights, quantize, told):
    with pytest.raises(ConversionError, match=told):
        write_model_json(tmp_path / "out", fields, weights, quantize)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")
    with pytest.raises(ConversionError, match="not empty"):
        write_model_json(tmp_path / "out", {}, [])
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (["bn"], {"bn/gamma", "block/bn/variance"}),
        (["bn/gamma"], {"bn/gamma"}),
        (["*/variance"], {"block/bn/variance"}),
        (["conv", "block"], {"conv/kernel", "block/bn/variance"}),
        ([], set()),
    ],
)
def test_weights_are_left_unquantized_by_layer_by_name_and_by_pattern(tmp_path, keep, kept):
    names = ["bn/gamma", "block/bn/variance", "conv/kernel", "bnx/kernel"]
    weights = [(name, np.arange(4, dtype=np.float32)) for name in names]
    write_model_json(tmp_path / "out", {}, weights, "uint8", keep)
    (group,) = json.loads((tmp_path / "out" / "model.json").read_text())["weightsManifest"]
    assert {entry["name"] for entry in group["weights"] if "quantization" not in entry} == kept


def test_a_name_that_no_weight_has_is_refused_with_those_that_there_are(tmp_path):
    with pytest.raises(ConversionError, match=r"--keep-float bm: .*bn/gamma"):
        write_model_json(tmp_path / "out", {}, [("bn/gamma", np.ones(3, np.float32))], "uint8", ["bm"])
