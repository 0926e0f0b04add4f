"""Findings of made-up outputs, through the real comparison and gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pycheck.compare import measure, summarize
from pycheck.diagnose import diagnose
from pycheck.gate import NanPolicy, assess
from pycheck.types import NATIVE_FLOAT32, NATIVE_FLOAT64, Array, Finding, RuntimeId


def found(
    reference: Array,
    candidates: dict[str, Array],
    *,
    single: Array | None = None,
    nan: NanPolicy = NanPolicy.FAIL,
    **facts: Any,
) -> dict[str, list[Finding]]:
    """The findings by code, for one output named y."""
    if single is None:
        with np.errstate(over="ignore"):
            single = reference.astype(np.float32)
    floor = measure(single, reference, reference, start=0)
    rows = [
        summarize(floor, tensor="y", reference=NATIVE_FLOAT64, candidate=NATIVE_FLOAT32, class_reference=NATIVE_FLOAT64)
    ]
    for name, candidate in candidates.items():
        bits = 16 if name.endswith("f16") else 32
        rows.append(
            summarize(
                measure(candidate, reference, single, start=0, precision_bits=bits),
                tensor="y",
                reference=NATIVE_FLOAT64,
                candidate=RuntimeId.parse(name),
                class_reference=NATIVE_FLOAT32,
                noise_floor=floor,
            )
        )
    by_code: dict[str, list[Finding]] = {}
    for finding in diagnose(assess(rows, nan=nan), nan=nan, **facts):
        by_code.setdefault(finding.code, []).append(finding)
    return by_code


@pytest.fixture
def find() -> Callable[..., dict[str, list[Finding]]]:
    return found
