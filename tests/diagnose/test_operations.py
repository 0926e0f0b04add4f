"""Which code a source gets, from its operation and the operands of its first wrong element."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pycheck.compare import measure, summarize
from pycheck.diagnose.operations import diagnose_trace
from pycheck.gate import assess
from pycheck.types import (
    Operand,
    PointResult,
    RuntimeId,
    Severity,
    Trace,
    TracePoint,
    WorstElement,
)

NAN, INF = math.nan, math.inf
PYTHON, WEBGL = RuntimeId("artifact", "float32"), RuntimeId("chromium", "webgl")


def trace(op: str, values: tuple[float | None, ...], expected: float, given: float, *, bits: int, dtype: str) -> Trace:
    reference, candidate = np.array([[expected, 1]], dtype), np.array([[given, 1]], dtype)
    measured = measure(candidate, reference, reference, start=0, precision_bits=bits)
    row = summarize(measured, tensor="p", reference=PYTHON, candidate=WEBGL, class_reference=PYTHON)
    (own,) = assess([row])
    operands = tuple(Operand(f"o{i}", v, 0.0, 1.0, int(v is None), 0) for i, v in enumerate(values))
    element = WorstElement(0, (0,), expected, given, "error")
    result = PointResult(WEBGL, "source", own, own, None, element, operands)
    return Trace(1, 1, 1, (TracePoint("p", op, "layer", ("x",), results=(result,)),), ())


@pytest.mark.parametrize(
    ("code", "op", "values", "expected", "given", "bits", "dtype"),
    [
        ("f16-overflow", "Mul", (300.0,), 90000.0, INF, 16, "f4"),
        ("f16-underflow", "Rsqrt", (1e-8,), 1e4, INF, 16, "f4"),
        ("log-of-zero", "Log", (0.0,), -INF, -88.0, 32, "f4"),
        ("division-by-zero", "RealDiv", (0.0, 0.0), NAN, 1.0, 32, "f4"),
        ("sqrt-of-negative", "Sqrt", (-1.0,), NAN, 0.0, 32, "f4"),
        ("inf-minus-inf", "Sub", (INF, INF), NAN, 0.0, 32, "f4"),
        ("exp-overflow", "Exp", (89.0,), INF, 3e38, 32, "f4"),
        ("infinity-mishandled", "Relu", (-INF,), 0.0, NAN, 32, "f4"),
        ("nan-masked", "Relu6", (NAN,), NAN, 0.0, 32, "f4"),
        ("nan-spread", "Softmax", (1.0, None), 0.5, NAN, 32, "f4"),
        ("nan-introduced", "_FusedConv2D", (), 0.5, NAN, 32, "f4"),
        ("nonfinite-changed", "_FusedConv2D", (), INF, NAN, 32, "f4"),
        ("denormal-flush", "Mul", (1e-40, 1e38), 0.01, 0.0, 32, "f4"),
        ("int32-precision", "Add", (16777217.0,), 16777218.0, 16777216.0, 32, "i4"),
        ("own-drift", "Sin", (1e7,), 0.42, 0.71, 32, "f4"),
    ],
)
def test_a_source_gets_the_code_that_its_operands_explain(
    code: str, op: str, values: tuple[float | None, ...], expected: float, given: float, bits: int, dtype: str
) -> None:
    (finding,) = diagnose_trace(trace(op, values, expected, given, bits=bits, dtype=dtype), (), ())
    assert finding.code == code
    assert (finding.severity, finding.layer, finding.runtime) == (Severity.WARNING, "layer", WEBGL)
    assert finding.summary and finding.advice
