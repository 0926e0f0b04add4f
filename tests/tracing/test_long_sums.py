"""An operation that adds many terms is no source of an error that each sum in sequence has."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

from pycheck.artifact import read_artifact
from pycheck.artifact.long_sums import LongSums
from pycheck.conversion import convert
from pycheck.model import load
from pycheck.tracing.long_sums import LongSumsOfPoints
from pycheck.tracing.measuring import Expected, compare_point
from pycheck.types import Array, Comparison, NanPolicy, RuntimeId

pytestmark = pytest.mark.real

TERMS = 400_000


@pytest.mark.parametrize(("factor", "is_source"), [(1.0, False), (1.001, True)])
def test_a_sum_in_sequence_passes_and_a_wrong_kernel_does_not(tmp_path: Path, factor: float, is_source: bool) -> None:
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(4, name="wide")
    model = keras.Sequential([keras.Input((TERMS,), name="x"), layer, keras.layers.ReLU(name="last")])
    artifact = convert(load(model), tmp_path, format="layers")
    x = np.random.default_rng(0).uniform(0, 1, (4, TERMS)).astype(np.float32)
    kernel, exact = layer.kernel.numpy(), x.astype(np.float64) @ layer.kernel.numpy().astype(np.float64)
    in_blocks = np.asarray(layer(x))
    in_sequence = np.cumsum(x[:, :, None] * kernel, axis=1, dtype=np.float32)[:, -1] * np.float32(factor)
    own = _compared(in_sequence, in_blocks, exact)
    assert own.drifted  # by the usual limits
    with ThreadPoolExecutor(1) as executor:
        sums = LongSumsOfPoints(
            lambda: LongSums(read_artifact(artifact.folder / artifact.model_file)), executor, NanPolicy.FAIL
        )

        async def judged() -> Comparison:
            found, inherited = await sums.judged(own, own, {"x": x})
            await sums.close()
            assert inherited == found
            return found

        assert asyncio.run(judged()).drifted is is_source


def _compared(value: Array, single: Array, double: Array) -> Comparison:
    expected = Expected(single, double)
    return compare_point("wide", value, expected, RuntimeId("chromium", "wasm"), precision_bits=32, nan=NanPolicy.FAIL)
