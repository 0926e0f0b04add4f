"""Comparisons of made-up outputs, with a real noise floor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pycheck.comparison import measure, summarize
from pycheck.types import NATIVE_FLOAT32, NATIVE_FLOAT64, Array, Comparison, RuntimeId


def compared(
    candidate: Array,
    reference: Array,
    *,
    single: Array | None = None,
    runtime: str = "chromium:webgl",
    bits: int = 32,
    tensor: str = "y",
    rtol: float | None = None,
    atol: float | None = None,
    floor: bool = True,
) -> Comparison:
    """One output; `single` is what native:float32 gave, by default the rounded reference."""
    if single is None:
        with np.errstate(over="ignore"):
            single = reference.astype(np.float32) if reference.dtype.kind == "f" else reference
    return summarize(
        measure(candidate, reference, single, start=0, rtol=rtol, atol=atol, precision_bits=bits),
        tensor=tensor,
        reference=NATIVE_FLOAT64,
        candidate=RuntimeId.parse(runtime),
        class_reference=NATIVE_FLOAT32,
        noise_floor=measure(single, reference, reference, start=0) if floor else None,
    )


@pytest.fixture
def compare() -> Callable[..., Comparison]:
    return compared
