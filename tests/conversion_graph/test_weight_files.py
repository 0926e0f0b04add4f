"""Weight files are byte for byte those of the published converter, in every type that TF.js stores."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pycheck.conversion.weight_files import Weight, write_weights

from ..published import import_tensorflowjs

pytestmark = pytest.mark.real

RANDOM = np.random.default_rng(0)
FLOATS = {
    "zero inside": RANDOM.normal(size=(7, 5)).astype(np.float32),
    "all positive": RANDOM.uniform(3, 4, (64,)).astype(np.float32),
    "all negative": RANDOM.uniform(-9, -8, (3, 3, 2)).astype(np.float32),
    "from zero": np.linspace(0, 1, 300, dtype=np.float32),
    "to zero": np.linspace(-1, 0, 300, dtype=np.float32),
    "constant": np.full((4, 4), 0.1, np.float32),
    "zeros": np.zeros(6, np.float32),
    "tiny range": np.array([1.0, np.nextafter(np.float32(1), np.float32(2))], np.float32),
    "denormal": np.array([1e-45, 0, -3e-42], np.float32),
    "huge": np.array([-3.4e38, 3.4e38, 1.0], np.float32),
    "transposed": RANDOM.normal(size=(4, 6)).astype(np.float32).T,
    "every other": RANDOM.normal(size=20).astype(np.float32)[::2],
    "one": np.array([2.5], np.float32),
    "scalar": np.array(-2.5, np.float32),
}
#: As they are stored, in every type; rank 0, no element, and what UTF-8 writes in several bytes among them.
PLAIN = {
    **FLOATS,
    "not finite": np.array([np.nan, np.inf, -np.inf, -0.0], np.float32),
    "int32": np.array([[-(2**31), 2**31 - 1, 0]], np.int32),
    "int32 scalar": np.array(7, np.int32),
    "bool": np.array([True, False, True]),
    "bool scalar": np.array(True),
    "complex64": np.array([1 + 2j, complex(np.nan, -np.inf)], np.complex64),
    "strings": np.array([b"", "gr\u00fc\u00df", b"\x00\xff", "\U0001f600"], object).reshape(2, 2),
    "string scalar": np.array("one", object),
    "no float": np.zeros((0, 3), np.float32),
    "no string": np.zeros((2, 0), object),
}


@pytest.fixture(scope="module")
def published() -> Callable[..., Any]:
    import_tensorflowjs()
    return importlib.import_module("tensorflowjs.write_weights").write_weights


def both(folder: Path, published: Callable[..., Any], groups: list[list[Weight]], shard_size_bytes: int) -> None:
    """Write with both and compare manifests, names and bytes; a name says the type that it is quantized to."""
    ours, theirs = folder / "ours", folder / "theirs"
    ours.mkdir()
    theirs.mkdir()
    mapping: dict[str, list[str]] = {}
    for group in groups:
        for weight in group:
            if weight.quantize:
                mapping.setdefault(weight.quantize, []).append(weight.name)
    expected = published(
        [[{"name": weight.name, "data": weight.data} for weight in group] for group in groups],
        str(theirs),
        shard_size_bytes=shard_size_bytes,
        write_manifest=False,
        quantization_dtype_map=mapping or None,
    )
    assert write_weights(ours, groups, shard_size_bytes) == expected
    assert {file.name: file.read_bytes() for file in ours.iterdir()} == {
        file.name: file.read_bytes() for file in theirs.iterdir()
    }


@pytest.mark.parametrize("shard_size_bytes", [4 * 1024 * 1024, 64, 7, 1])
def test_all_types_in_one_group_whatever_the_size_of_a_shard(
    tmp_path: Path, published: Callable[..., Any], shard_size_bytes: int
) -> None:
    both(tmp_path, published, [[Weight(name, data) for name, data in PLAIN.items()]], shard_size_bytes)


@pytest.mark.parametrize("quantize", ["uint8", "uint16", "float16"])
@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="under NumPy 1 it quantizes in float32")
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_quantized(tmp_path: Path, published: Callable[..., Any], name: str, quantize: str) -> None:
    both(tmp_path, published, [[Weight("w", FLOATS[name], quantize)]], 4 * 1024 * 1024)


def test_groups_are_numbered_and_one_without_weights_has_no_shard(
    tmp_path: Path, published: Callable[..., Any]
) -> None:
    groups = [[Weight("a", PLAIN["int32"])], [], [Weight("b", FLOATS["huge"]), Weight("c", FLOATS["one"], "uint8")]]
    both(tmp_path, published, groups, 10)


@given(
    data=arrays.arrays(
        np.float32,
        arrays.array_shapes(max_dims=3, max_side=6),
        elements=st.floats(-1e6, 1e6, width=32, allow_nan=False),
    ),
    quantize=st.sampled_from(["uint8", "uint16"]),
)
@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="under NumPy 1 it quantizes in float32")
def test_quantized_whatever_the_values(
    published: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, data: Any, quantize: str
) -> None:
    both(tmp_path_factory.mktemp("weights"), published, [[Weight("w", data, quantize)]], 16)


@pytest.mark.parametrize("quantize", ["uint8", "uint16"])
def test_a_quantized_weight_is_within_a_step_and_its_zero_is_exact(tmp_path: Path, quantize: str) -> None:
    """What needs no oracle: how far a value may be off, by the definition of the format."""
    data = np.array([-1.0, 0.0, 0.3, 2.0], np.float32)
    ((entry,),) = [group["weights"] for group in write_weights(tmp_path, [[Weight("w", data, quantize)]])]
    stored = np.fromfile(tmp_path / "group1-shard1of1.bin", quantize)
    read = stored * entry["quantization"]["scale"] + entry["quantization"]["min"]
    assert np.abs(read - data).max() <= entry["quantization"]["scale"]
    assert read[1] == 0


def test_another_type_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"w: .*float64"):
        write_weights(tmp_path, [[Weight("w", np.zeros(2))]])
