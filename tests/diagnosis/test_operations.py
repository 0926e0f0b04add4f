"""Which code a source gets, from its operation and the operands of its first wrong element."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from pycheck.diagnosis.case import unlike
from pycheck.types import Finding, Operand, RuntimeId, Severity
from pycheck.types.operations import tensorflow_name

Found = Callable[..., Finding]

NAN, INF = math.nan, math.inf
WEBGL = RuntimeId("chromium", "webgl")
WITH_NAN = Operand("row", None, 1.0, 2.0, nan_count=1, infinity_count=0)
WITH_INFINITIES = Operand("row", None, 1.0, 2.0, nan_count=0, infinity_count=2)
#: 0 in float32: by underflow, by the rounding of 1 - p, and in float64 too.
FLUSHED, ABSORBED, ZERO = (Operand("o", 0.0, 0.0, 1.0, 0, 0, exact) for exact in (1e-40, 5e-12, 0.0))


@pytest.mark.parametrize(
    ("code", "op", "values", "expected", "given", "bits", "dtype"),
    [
        ("f16-overflow", "Mul", (300.0,), 90000.0, INF, 16, "f4"),
        ("f16-overflow", "Mul", (300.0,), 90000.0, 65504.0, 16, "f4"),
        ("f16-overflow", "Mul", (70000.0,), 70.0, 65.5, 16, "f4"),
        ("f16-overflow", "Minimum", (0.137,), 0.137, NAN, 16, "f4"),
        ("f16-underflow", "Rsqrt", (1e-8,), 1e4, INF, 16, "f4"),
        ("log-of-zero", "Log", (0.0,), -INF, -88.0, 32, "f4"),
        ("division-by-zero", "RealDiv", (0.0, 0.0), NAN, 1.0, 32, "f4"),
        ("sqrt-of-negative", "Sqrt", (-1.0,), NAN, 0.0, 32, "f4"),
        ("inf-minus-inf", "Sub", (INF, INF), NAN, 0.0, 32, "f4"),
        ("inf-minus-inf", "MatMul", (WITH_INFINITIES,), NAN, 3e38, 32, "f4"),
        ("exp-overflow", "Exp", (89.0,), INF, 3e38, 32, "f4"),
        ("infinity-mishandled", "Relu", (-INF,), 0.0, NAN, 32, "f4"),
        ("nan-masked", "Relu6", (NAN,), NAN, 0.0, 32, "f4"),
        ("nan-spread", "Softmax", (1.0, WITH_NAN), 0.5, NAN, 32, "f4"),
        ("nan-introduced", "_FusedConv2D", (), 0.5, NAN, 32, "f4"),
        ("nonfinite-changed", "_FusedConv2D", (), INF, NAN, 32, "f4"),
        ("denormal-flush", "Mul", (1e-40, 1e38), 0.01, 0.0, 32, "f4"),
        ("denormal-flush", "Log", (1e-40,), -INF, -92.0, 32, "f4"),
        ("int32-precision", "Add", (16777217.0,), 16777218.0, 16777216.0, 32, "i4"),
        ("int32-precision", "FloorMod", (16777217.0,), 217.0, 216.0, 32, "i4"),
        ("nondeterministic", "RandomStandardNormal", (), 0.4, -1.2, 32, "f4"),
        ("resize-alignment", "ResizeBilinear", (), 0.4, 0.6, 32, "f4"),
        ("infinity-mishandled", "Transpose", (None,), INF, NAN, 16, "f4"),
        ("own-drift", "Sin", (1e7,), 0.42, 0.71, 32, "f4"),
    ],
)
def test_a_source_gets_the_code_that_its_operands_explain(
    source: Found,
    code: str,
    op: str,
    values: tuple[float | Operand | None, ...],
    expected: float,
    given: float,
    bits: int,
    dtype: str,
) -> None:
    finding = source(op, values, expected, given, bits=bits, dtype=dtype)
    assert finding.code == code
    assert (finding.severity, finding.layer, finding.runtimes) == (Severity.WARNING, "layer", (WEBGL,))
    assert finding.summary and finding.advice


@pytest.mark.parametrize(
    ("code", "op", "values", "double", "single"),
    [
        ("log-of-zero", "Log", (0.0,), -INF, -INF),
        ("division-by-zero", "RealDiv", (1.0, 0.0), INF, INF),
        ("sqrt-of-negative", "Sqrt", (-0.06,), 0.01, NAN),
        ("inf-minus-inf", "Mean", (WITH_INFINITIES,), NAN, NAN),
        ("exp-overflow", "Exp", (95.0,), 1.8e41, INF),
        ("denormal-flush", "Log", (FLUSHED,), -92.0, -INF),
        ("denormal-flush", "Log", (1e-40,), -92.0, -INF),
        ("denormal-flush", "RealDiv", (1e-10, FLUSHED), 1e30, INF),
        ("log-of-zero", "Log", (ABSORBED,), -26.0, -INF),
        ("log-of-zero", "Log", (ZERO,), -INF, -INF),
        ("log-of-zero", "Log", (0.0,), -26.0, -INF),
        ("division-by-zero", "RealDiv", (1.0, ABSORBED), 2e11, INF),
        ("division-by-zero", "RealDiv", (1.0, ZERO), INF, INF),
        ("native-nan", "Mul", (0.0, INF), NAN, NAN),
        ("native-overflow", "RealDiv", (INF, INF), 0.5, NAN),
        ("native-overflow", "Square", (1e20,), 1e40, INF),
        ("native-nan", "Acos", (2.0,), NAN, NAN),
    ],
)
def test_where_python_itself_makes_nan_gets_the_code_that_the_operands_explain(
    origin: Found, code: str, op: str, values: tuple[float | Operand | None, ...], double: float, single: float
) -> None:
    finding = origin(op, values, double, single)
    assert (finding.code, finding.runtimes, finding.layer) == (code, (), "layer")
    assert finding.summary.startswith("In Python itself, p (")


@pytest.mark.parametrize(
    ("kind", "op", "values", "expected", "given", "dtype", "what"),
    [
        ("cpu", "Mul", (123456.0,), 123456370368.0, -1097681280.0, "i8", "no integer type beyond int32"),
        ("wasm", "Mul", (123456.0,), 123456370368.0, -1097681280.0, "i8", "no integer type beyond int32"),
        ("webgl", "FloorMod", (123456370368.0,), 927.0, 896.0, "i8", "no integer type beyond int32"),
        ("wasm", "Cast", (3e9,), 3e9, 2147483647.0, "u4", "no integer type beyond int32"),
        ("webgl", "FloorMod", (16777217.0,), 217.0, 216.0, "i4", "stores integers as floats"),
        ("webgl-f16", "Add", (16777217.0,), 16777218.0, 16777216.0, "i4", "stores integers as floats"),
        ("webgpu", "Add", (16777217.0,), 16777218.0, 16777216.0, "i4", "stores integers as floats"),
        ("cpu", "Mul", (2141492029.0,), -602061063.0, -602061312.0, "i4", "multiplies integers as float64"),
    ],
)
def test_an_integer_is_too_large_for_the_number_that_the_backend_stores_it_in(
    source: Found, kind: str, op: str, values: tuple[float, ...], expected: float, given: float, dtype: str, what: str
) -> None:
    finding = source(op, values, expected, given, dtype=dtype, runtime=RuntimeId("chromium", kind))
    assert finding.code == "int32-precision"
    assert what in finding.summary


@pytest.mark.parametrize("kind", ["cpu", "wasm", "litert-wasm"])
def test_a_backend_with_real_integers_is_not_said_to_store_them_as_floats(source: Found, kind: str) -> None:
    finding = source("FloorMod", (16777217.0,), 217.0, 216.0, dtype="i4", runtime=RuntimeId("chromium", kind))
    assert (finding.code, "floats" in finding.summary) == ("own-drift", False)


def test_litert_js_has_integers_of_64_bits(source: Found) -> None:
    runtime = RuntimeId("chromium", "litert-wasm")
    assert source("MUL", (123456.0,), 123456370368.0, 0.0, dtype="i8", runtime=runtime).code == "own-drift"


def test_an_operand_that_is_0_in_float32_alone_is_told_with_its_number_in_float64(origin: Found) -> None:
    finding = origin("RealDiv", (1.0, ABSORBED), 2e11, INF)
    assert "For 1 and 0 (5e-12 in float64) it gives +Inf" in finding.summary
    assert "0 in float32, and not in float64" in finding.summary
    assert "in float64" not in origin("RealDiv", (1.0, ZERO), INF, INF).summary


def test_a_clip_that_returns_what_it_read_is_spoilt_by_a_nan_in_another_sample(source: Found) -> None:
    assert source("ReLU", (9.0,), 6.0, 9.0, beside=NAN).code == "nan-spread"
    assert source("ClipByValue", (INF,), 6.0, INF, beside=NAN).code == "nan-spread"
    assert source("ClipByValue", (INF,), 6.0, INF).code == "infinity-mishandled"
    assert source("ReLU", (9.0,), 6.0, 9.0).code == "own-drift"  # no NaN anywhere: another fault
    assert source("ReLU", (9.0,), 6.0, 8.0, beside=NAN).code == "own-drift"


@pytest.mark.parametrize(
    ("op", "value", "what", "advice"),
    [
        ("Log1p", 1e-6, "formula cancels", "Scale the values up"),
        ("Log1p", 5.0, "less exact than float32", "another backend"),
        ("Sin", 1e5, "large angles", "-pi..pi"),
        ("Sin", 1.0, "less exact than float32", "another backend"),
    ],
)
def test_a_kernel_known_to_be_inexact_there_is_told_with_what_helps_there(
    source: Found, op: str, value: float, what: str, advice: str
) -> None:
    finding = source(op, (value,), 0.5, 0.6)
    assert finding.code == "own-drift"
    assert what in finding.summary
    assert advice in finding.advice


def test_one_element_that_float32_has_more_wrong_does_not_excuse_a_kernel_that_errs_more_on_the_whole(
    source: Found,
) -> None:
    finding = source("SimpleRNN", (), 1.0, 0.2, given_beside=0.2, single=0.1)
    assert "less exact than float32" in finding.summary


@pytest.mark.parametrize(("single", "amplifies"), [(-0.9, True), (0.1, True), (0.95, False), (None, False)])
def test_a_kernel_is_not_less_exact_than_float32_if_that_errs_as_much(
    source: Found, single: float | None, amplifies: bool
) -> None:
    finding = source("SimpleRNN", (), 1.0, 0.2, single=single)
    assert finding.code == "own-drift"
    assert ("less exact than float32" in finding.summary) is not amplifies
    assert ("amplifies roundoff" in finding.summary) is amplifies
    assert ("No backend can be more exact" in finding.advice) is amplifies


@pytest.mark.parametrize(
    ("op", "operands", "expected", "given", "dtype", "what"),
    [
        ("ArgMax", (WITH_NAN,), 1, 0, "i4", "compares NaN"),
        ("Greater", (NAN, 1.0), False, True, "?", "compares NaN"),
        ("ArgMax", (None,), 1, 0, "i4", "gives a different result"),
        ("Greater", (2.0, 1.0), True, False, "?", "gives a different result"),
        ("Cumsum", (WITH_NAN,), 1, 0, "i4", "gives a different result"),
    ],
)
def test_an_integer_or_a_boolean_that_differs_is_no_lack_of_digits(
    source: Found,
    op: str,
    operands: tuple[Operand | float | None, ...],
    expected: int,
    given: int,
    dtype: str,
    what: str,
) -> None:
    finding = source(op, operands, expected, given, beside=0, dtype=dtype)
    assert finding.code == "own-drift"
    assert what in finding.summary and "less exact" not in finding.summary


@pytest.mark.parametrize(
    ("given", "expected", "texts"),
    [
        (1.0, 2.0, ("1", "2")),
        (1229304832.0, 1229304707.0, ("1,229,304,832", "1,229,304,707")),
        (0.12345, 0.12349, ("0.12345", "0.12349")),
        (1.0, 1.0, ("1", "1")),
        (NAN, 1.0, ("NaN", "1")),
    ],
)
def test_two_numbers_that_differ_are_written_with_digits_enough_to_tell(
    given: float, expected: float, texts: tuple[str, str]
) -> None:
    assert unlike(given, expected) == texts


@pytest.mark.parametrize(
    ("op", "name"),
    [
        ("ADD", "AddV2"),
        ("LEAKY_RELU", "LeakyRelu"),
        ("FULLY_CONNECTED", "MatMul"),
        ("SOFTMAX", "Softmax"),
        ("Conv2D", "Conv2D"),
        ("RFFT", "RFFT"),
    ],
)
def test_rules_know_an_operation_of_litert_by_tensorflows_name(op: str, name: str) -> None:
    assert tensorflow_name(op) == name


@pytest.mark.parametrize(
    ("code", "op", "values", "expected", "given"),
    [
        ("division-by-zero", "DIV", (0.0, 0.0), NAN, 1.0),
        ("nan-masked", "RELU6", (NAN,), NAN, 0.0),
        ("own-drift", "FULLY_CONNECTED", (), 0.5, 0.6),
    ],
)
def test_a_source_on_litert_js_has_the_same_codes_and_names_its_library(
    source: Found, code: str, op: str, values: tuple[float, ...], expected: float, given: float
) -> None:
    finding = source(op, values, expected, given, runtime=RuntimeId("chromium", "litert-wasm"))
    assert finding.code == code
    assert "TF.js" not in finding.summary + finding.advice
    assert "on the CPU" not in finding.advice
