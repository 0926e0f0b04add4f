"""A broken kernel is told from one that is less exact, from values near 0, and from operations that jump."""

from __future__ import annotations

import numpy as np
import pytest

from pycheck.comparison import measure, summarize
from pycheck.diagnosis.operations import diagnose_trace
from pycheck.gate import assess
from pycheck.types import Array, Finding, Operand, PointResult, RuntimeId, Trace, TracePoint, WorstElement

PYTHON, WASM, CPU = RuntimeId("artifact", "float32"), RuntimeId("chromium", "wasm"), RuntimeId("chromium", "cpu")
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(4, 30)).astype(np.float32)


def result(runtime: RuntimeId, candidate: Array, expected: Array, *, alone: bool = True, bits: int = 32) -> PointResult:
    measured = measure(candidate.astype(expected.dtype), expected, expected, start=0, precision_bits=bits)
    row = summarize(measured, tensor="p", reference=PYTHON, candidate=runtime, class_reference=PYTHON)
    (judged,) = assess([row])
    if judged.passed:
        return PointResult(runtime, "ok", judged, judged)
    worst = judged.worst[0]
    element = WorstElement(worst.sample, worst.index, worst.reference, worst.candidate, "error")
    return PointResult(runtime, "source", judged, judged if alone else None, None, element, (reading(worst.reference),))


def reading(value: float) -> Operand:
    return Operand("o", value, -3.0, 3.0, 0, 0)


def found(
    candidate: Array, expected: Array = VALUES, op: str = "DepthwiseConv2dNative", *, alone: bool = True, bits: int = 32
) -> Finding:
    given = result(WASM, candidate, expected, alone=alone, bits=bits)
    point = TracePoint("p", op, "layer", ("x",), results=(given,))
    (finding,) = diagnose_trace(Trace(1, 1, 1, (point,), ()), (), ())
    return finding


@pytest.mark.parametrize("op", ["DepthwiseConv2dNative", "DepthwiseConv2D", "MatMul", "Cast", "RFFT"])
def test_a_kernel_that_gives_only_zeros_is_broken(op: str) -> None:
    finding = found(np.zeros_like(VALUES), op=op)
    assert finding.code == "broken-kernel"
    assert "wasm" in finding.summary


@pytest.mark.parametrize(
    ("expected", "code"), [(np.arange(30) % 5, "broken-kernel"), (np.arange(30) == 7, "own-drift")]
)
def test_zeros_of_integers_are_broken_unless_they_are_a_few(expected: Array, code: str) -> None:
    given = expected.astype(np.int32)[None]
    assert found(np.zeros_like(given), given).code == code


@pytest.mark.parametrize(
    "given",
    [np.roll(VALUES, 1), VALUES[::-1], RNG.normal(size=VALUES.shape), np.full_like(VALUES, 0.3), VALUES * 2, -VALUES],
    ids=["rolled", "other samples", "memory of something else", "constant", "twice", "negated"],
)
def test_a_kernel_that_computes_a_different_result_is_broken(given: Array) -> None:
    assert found(given).code == "broken-kernel"


@pytest.mark.parametrize("share", [1e-4, 1e-3, 1e-2])
def test_one_that_errs_by_a_small_share_of_its_values_is_less_exact(share: float) -> None:
    assert found(VALUES * (1 + share)).code == "own-drift"


@pytest.mark.parametrize("op", ["Tanh", "Activation", "Sub"])
def test_zeros_near_zero_of_a_formula_that_cancels_are_no_broken_kernel(op: str) -> None:
    assert found(np.zeros_like(VALUES), VALUES * np.float32(1e-9), op).code == "own-drift"


@pytest.mark.parametrize("op", ["Floor", "Round", "Sign", "FloorMod"])
def test_an_operation_that_jumps_may_be_on_the_other_side(op: str) -> None:
    assert found(np.zeros_like(VALUES), np.ones_like(VALUES), op).code == "own-drift"


def test_half_floats_that_are_far_off_are_no_broken_kernel() -> None:
    assert found(VALUES * 1.5, bits=16).code == "own-drift"


def test_a_different_result_of_what_was_not_run_alone_is_inherited_perhaps() -> None:
    assert found(VALUES * 2, alone=False).code == "own-drift"
    assert found(np.zeros_like(VALUES), alone=False).code == "broken-kernel"


def test_the_advice_names_the_runtimes_that_are_right() -> None:
    results = (result(WASM, np.zeros_like(VALUES), VALUES), result(CPU, VALUES, VALUES))
    point = TracePoint("p", "DepthwiseConv2dNative", "layer", ("x",), results=results)
    (finding,) = diagnose_trace(Trace(1, 1, 1, (point,), ()), (), ())
    assert "chromium:cpu" in finding.advice
    assert "--atol" not in finding.advice and "range" not in finding.advice


@pytest.mark.parametrize(
    ("runtimes", "wrong", "helps"),
    [
        ((CPU,), (CPU,), False),
        ((WASM, CPU), (WASM, CPU), False),
        ((WASM, CPU), (WASM,), True),
        ((WASM,), (WASM,), True),
    ],
)
@pytest.mark.parametrize("given", [np.zeros_like(VALUES), np.roll(VALUES, 1), VALUES * 1.01])
def test_the_cpu_is_advised_unless_its_kernel_errs_too(
    given: Array, runtimes: tuple[RuntimeId, ...], wrong: tuple[RuntimeId, ...], helps: bool
) -> None:
    results = tuple(result(runtime, given if runtime in wrong else VALUES, VALUES) for runtime in runtimes)
    point = TracePoint("p", "Mul", "layer", ("x",), results=results)
    findings = diagnose_trace(Trace(1, 1, 1, (point,), ()), (), ())
    assert len(findings) == len(wrong)
    assert all(("run this kernel on the CPU" in finding.advice) is helps for finding in findings)
    assert all("another backend" in finding.advice for finding in findings)
