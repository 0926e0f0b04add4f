"""Findings of made-up outputs, through the real comparison and gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pycheck.comparison import measure, summarize
from pycheck.diagnosis import diagnose
from pycheck.diagnosis.operations import diagnose_trace
from pycheck.gate import ToleranceOptions, assess
from pycheck.types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    Array,
    Finding,
    NanPolicy,
    Operand,
    Origin,
    PointResult,
    QuantizationNoise,
    RuntimeId,
    Trace,
    TracePoint,
    WorstElement,
)

PYTHON, WEBGL = RuntimeId("artifact", "float32"), RuntimeId("chromium", "webgl")


def found(
    reference: Array,
    candidates: dict[str, Array],
    *,
    single: Array | None = None,
    nan: NanPolicy = NanPolicy.FAIL,
    tolerance: ToleranceOptions | None = None,
    noise: QuantizationNoise | None = None,
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
        limits = (tolerance or ToleranceOptions()).of("y")
        row = summarize(
            measure(candidate, reference, single, start=0, precision_bits=bits, rtol=limits.rtol, atol=limits.atol),
            tensor="y",
            reference=NATIVE_FLOAT64,
            candidate=RuntimeId.parse(name),
            class_reference=NATIVE_FLOAT32,
            noise_floor=floor,
        )
        rows.append(replace(row, quantization_noise=noise))
    by_code: dict[str, list[Finding]] = {}
    for finding in diagnose(assess(rows, options=tolerance, nan=nan), nan=nan, **facts):
        by_code.setdefault(finding.code, []).append(finding)
    return by_code


@pytest.fixture
def find() -> Callable[..., dict[str, list[Finding]]]:
    return found


def trace_of(*points: TracePoint) -> Trace:
    """A trace of one sample."""
    return Trace(1, 1, 1, points, ())


def operand(value: float | None, *, nan_count: int = 0, infinity_count: int = 0) -> Operand:
    """Of an element; where there is none, of a sample from 0 to 1."""
    return Operand("o", value, 0.0, 1.0, nan_count, infinity_count)


def found_source(
    op: str,
    operands: tuple[float | Operand | None, ...],
    expected: float,
    given: float,
    *,
    beside: float = 1.0,
    given_beside: float | None = None,
    bits: int = 32,
    dtype: str = "f4",
    runtime: RuntimeId = WEBGL,
    single: float | None = None,
) -> Finding:
    """The finding of one operation that errs alone on a runtime.

    `beside` is another element, which the runtime has right, or gives as `given_beside`.
    `single` is the element that float32 gives in Python, if the noise floor is known.
    """
    reference, candidate = np.array([[expected, beside]], dtype), np.array([[given, beside]], dtype)
    if given_beside is not None:
        candidate[0, 1] = given_beside
    measured = measure(candidate, reference, reference, start=0, precision_bits=bits)
    floor = None
    if single is not None:
        floor = measure(np.array([[single, beside]], dtype), reference, reference, start=0)
    row = summarize(
        measured, tensor="p", reference=PYTHON, candidate=runtime, class_reference=PYTHON, noise_floor=floor
    )
    (own,) = assess([row])
    read = tuple(o if isinstance(o, Operand) else operand(o) for o in operands)
    element = WorstElement(0, (0,), expected, given, "error")
    result = PointResult(runtime, "source", own, own, None, element, read)
    (finding,) = diagnose_trace(trace_of(TracePoint("p", op, "layer", ("x",), results=(result,))), (), ())
    return finding


def found_origin(op: str, operands: tuple[float | Operand | None, ...], double: float, single: float) -> Finding:
    """The finding of one operation that makes NaN or infinity in Python itself: in float64 and in float32."""
    read = tuple(o if isinstance(o, Operand) else operand(o) for o in operands)
    origin = Origin(WorstElement(0, (0,), double, single, "introduced"), 1, read)
    (finding,) = diagnose_trace(trace_of(TracePoint("p", op, "layer", ("x",), origin=origin)), (), ())
    return finding


@pytest.fixture
def source() -> Callable[..., Finding]:
    return found_source


@pytest.fixture
def origin() -> Callable[..., Finding]:
    return found_origin
