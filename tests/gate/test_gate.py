from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pycheck.comparison.nearer import APART
from pycheck.errors import UsageError
from pycheck.gate import (
    AUTO,
    OutputLimits,
    ToleranceOptions,
    ToleranceRule,
    assess,
    auto_tolerance,
    decide,
    exit_code,
    precision_bits,
)
from pycheck.types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    Array,
    Comparison,
    Environment,
    Finding,
    InputsInfo,
    ModelInfo,
    NanPolicy,
    QuantizationNoise,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Signature,
    SummationNoise,
    Verdict,
)

from .conftest import compared

Compare = Callable[..., Comparison]
WEBGL = RuntimeId("chromium", "webgl")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that no other test has drawn from."""
    return np.random.default_rng(0)


def layer(x: Array, weights: Array, dtype: type, order: int = 0) -> Array:
    """tanh(x @ w) in a precision, summed in one of several orders: what another right kernel gives."""
    permutation = np.random.default_rng(order).permutation(len(weights)) if order else np.arange(len(weights))
    total = np.zeros((len(x), weights.shape[1]), dtype)
    for k in permutation:
        total = total + x[:, k : k + 1].astype(dtype) * weights[k].astype(dtype)
    return np.tanh(total)


def judge(comparisons: list[Comparison], nan: NanPolicy = NanPolicy.FAIL, **given: Any) -> tuple[Any, Verdict]:
    assessed = assess(comparisons, nan=nan)
    return assessed, decide(assessed, nan=nan, **given)


def record(status: RuntimeStatus, runtime: RuntimeId = WEBGL) -> RuntimeRecord:
    return RuntimeRecord(runtime, status, None, {})


def report(verdict: Verdict, comparisons: tuple[Comparison, ...] = (), *records: RuntimeRecord) -> Report:
    model = ModelInfo("m.keras", "keras-v3", "", Signature((), ()))
    return Report("0", model, None, InputsInfo(None, "", 1), records, comparisons, (), verdict)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), samples=st.integers(1, 20), width=st.sampled_from([1, 3, 40]))
def test_another_order_of_summation_is_never_drift_and_a_kernel_off_by_a_thousandth_always_is(
    seed: int, samples: int, width: int
) -> None:
    from pycheck.comparison import measure, summarize

    random = np.random.default_rng(seed)
    x, w = random.normal(size=(samples + 3, 64)), random.normal(size=(64, width)) / 16
    exact, single = layer(x, w, np.float64), layer(x, w, np.float32)
    floor = measure(single, exact, exact, start=0)

    def passed(candidate: Array) -> bool | None:
        comparison = summarize(
            measure(candidate, exact, single, start=0),
            tensor="y",
            reference=NATIVE_FLOAT64,
            candidate=WEBGL,
            class_reference=NATIVE_FLOAT32,
            noise_floor=floor,
        )
        return assess([comparison])[0].passed

    assert passed(layer(x, w, np.float32, order=seed + 1)) is True
    assert passed(layer(x, w * 1.001, np.float32, order=seed + 1)) is False


def test_a_few_units_in_the_last_place_pass_even_where_float32_is_exact(compare: Compare) -> None:
    reference = np.arange(1.0, 65.0)
    assert compare(reference.astype(np.float32), reference).noise_floor == 0.0
    off = reference * (1 + 4 * 2.0**-24)
    assert assess([compare(off.astype(np.float32), reference)])[0].passed


def test_one_bad_element_among_many_is_drift(compare: Compare, rng: np.random.Generator) -> None:
    reference = rng.normal(size=100_000)
    candidate = reference.astype(np.float32)
    candidate[500] += 0.001
    result = assess([compare(candidate, reference)])[0]
    assert result.drifted
    assert result.max_abs_error > result.tolerance.max_abs


def test_a_small_error_everywhere_is_drift_before_any_element_stands_out(
    compare: Compare, rng: np.random.Generator
) -> None:
    reference = rng.normal(size=100_000)
    candidate = (reference + 3e-6).astype(np.float32)
    result = assess([compare(candidate, reference)])[0]
    assert result.max_abs_error < result.tolerance.max_abs
    assert result.rms_error > result.tolerance.rms
    assert result.drifted


def test_a_kernel_may_err_several_times_as_much_as_float32_in_python(
    compare: Compare, rng: np.random.Generator
) -> None:
    reference = rng.normal(size=10_000)
    noise = 1e-5 * rng.normal(size=10_000)
    single = (reference + noise).astype(np.float32)
    worse = reference + 4.0 * np.roll(noise, 1)
    worse[7] += 15 * np.abs(noise).max()
    assert assess([compare(worse.astype(np.float32), reference, single=single)])[0].passed
    assert not assess([compare(worse.astype(np.float32), reference)])[0].passed


def test_an_error_beyond_one_hundredth_of_the_scale_never_passes(compare: Compare, rng: np.random.Generator) -> None:
    reference = rng.normal(size=1000)
    single = (reference * (1 + 0.05 * rng.normal(size=1000))).astype(np.float32)
    candidate = (reference * 1.02).astype(np.float32)
    result = assess([compare(candidate, reference, single=single)])[0]
    assert result.tolerance.max_abs == pytest.approx(0.01 * np.abs(reference).max())
    assert "upper bound" in result.tolerance.derivation
    assert result.drifted


def test_python_has_two_answers_from_the_upper_bound_of_the_limits_on() -> None:
    assert AUTO.upper_bound == APART


@given(st.data())
def test_a_runtime_that_answers_as_float32_in_python_always_passes(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(6,), (4, 3), (2, 3, 2)]))
    near = [float(np.float32(value)) for value in (0.0, 1.0, 1.009, 1.011)]
    values = st.floats(-(2.0**60), 2.0**60, width=32) | st.sampled_from(near)
    single = data.draw(hnp.arrays(np.float32, shape, elements=values))
    double = data.draw(hnp.arrays(np.float64, shape, elements=values))
    (result,) = assess([compared(single.copy(), double, single=single)])
    assert result.passed, result


def test_half_floats_get_the_tolerance_of_their_own_roundoff(compare: Compare, rng: np.random.Generator) -> None:
    reference = rng.normal(size=1000)
    halves = (reference * (1 + 2e-4 * rng.normal(size=1000))).astype(np.float16).astype(np.float32)
    assert assess([compare(halves, reference, runtime="chromium:webgl-f16", bits=16)])[0].passed
    assert not assess([compare(halves, reference)])[0].passed


def test_a_flushed_denormal_is_not_drift(compare: Compare) -> None:
    reference = np.array([1e-40, 3e-39, -2e-42])
    assert assess([compare(np.zeros(3, np.float32), reference)])[0].passed


def test_fewer_elements_make_a_less_certain_noise_floor_and_a_wider_tolerance(
    compare: Compare, rng: np.random.Generator
) -> None:
    reference = rng.normal(size=10_000)
    single = (reference * (1 + 1e-5 * rng.normal(size=10_000))).astype(np.float32)
    comparison = compare(single, reference, single=single)
    few, many = (auto_tolerance(replace(comparison, noise_floor_count=n)) for n in (2.0, 1e4))
    assert few.rms == pytest.approx(10 * many.rms, rel=1e-3)


def test_a_noise_floor_that_one_element_makes_up_counts_as_few(compare: Compare) -> None:
    reference = np.ones(1000)
    single = reference.astype(np.float32)
    single[0] += 0.001
    assert compare(single, reference, single=single).noise_floor_count == pytest.approx(3.0)


def test_without_a_float64_reference_a_noise_floor_is_assumed(compare: Compare, rng: np.random.Generator) -> None:
    reference = rng.normal(size=1000)
    good = (reference * (1 + 2.0**-22)).astype(np.float32)
    passed, failed = assess([compare(good, reference, floor=False), compare(good * 1.001, reference, floor=False)])
    assert passed.passed
    assert failed.drifted
    assert "assumed" in passed.tolerance.derivation


def test_an_assumed_noise_floor_names_what_ran_in_float32_and_does_not_loosen_what_is_measured(
    compare: Compare, rng: np.random.Generator
) -> None:
    reference = rng.normal(size=1000)
    single = reference.astype(np.float32)
    measured = compare(single, reference, single=single)
    assumed = replace(
        compare(single, reference, single=single, floor=False), floor_assumed_for=("AdjustHue", "ScaleAndTranslate")
    )
    tight, loose = assess([measured, assumed])
    assert tight.tolerance.max_abs < loose.tolerance.max_abs
    assert loose.tolerance.derivation.startswith("24 times an assumed noise floor, ")
    assert "AdjustHue and ScaleAndTranslate ran in float32" in loose.tolerance.derivation


def test_the_noise_floors_own_row_is_not_judged(compare: Compare, rng: np.random.Generator) -> None:
    reference = rng.normal(size=10)
    row = compare(reference.astype(np.float32), reference, runtime="native:float32")
    assert assess([row]) == (row,)


def test_integers_must_be_equal(compare: Compare) -> None:
    reference = np.arange(5, dtype=np.int32)
    equal, other = assess([compare(reference, reference), compare(reference + 1, reference)])
    assert equal.passed
    assert other.drifted
    assert other.tolerance.mode == "exact"


def test_explicit_limits_are_numpys_and_override_auto(compare: Compare) -> None:
    reference = np.array([1.0, 100.0])
    candidate = np.array([1.05, 104.0], np.float32)
    options = ToleranceOptions(rtol={None: 0.04}, atol={None: 0.011})
    loose = assess([compare(candidate, reference, rtol=0.04, atol=0.011)], options=options)[0]
    assert loose.passed
    tight = ToleranceOptions(rtol={None: 0.04}, atol={None: 0.009})
    assert assess([compare(candidate, reference, rtol=0.04, atol=0.009)], options=tight)[0].drifted


def test_a_limit_for_one_output_goes_before_that_for_all() -> None:
    options = ToleranceOptions(atol={None: 1e-3, "scores": 1e-5}, max_ulp={"boxes": 4.0})
    assert options.of("scores") == OutputLimits(atol=1e-5)
    assert options.of("boxes") == OutputLimits(atol=1e-3, max_ulp=4.0)


def test_a_limit_for_an_output_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no output 'score'") as error:
        ToleranceOptions(atol={"score": 1e-3}).check_outputs(["scores", "boxes"])
    assert "scores, boxes" in error.value.advice


def test_max_ulp_alone_limits_floats_and_leaves_integers_exact(compare: Compare) -> None:
    options = ToleranceOptions(max_ulp={None: 2.0})
    ones = np.ones(3)
    near, far = (compare((ones + n * 2.0**-23).astype(np.float32), ones) for n in (2, 3))
    whole = np.arange(3, dtype=np.int32)
    results = assess([near, far, compare(whole + 1, whole)], options=options)
    assert [r.passed for r in results] == [True, False, False]


def test_elements_that_were_never_counted_cannot_be_judged_elementwise(compare: Compare) -> None:
    with pytest.raises(ValueError, match="measured without"):
        assess([compare(np.ones(2, np.float32), np.ones(2))], options=ToleranceOptions(atol={None: 1.0}))


@pytest.mark.parametrize(
    ("policy", "passed", "verdict"),
    [
        (NanPolicy.FAIL, False, Verdict.NAN_DIVERGENCE),
        (NanPolicy.WARN, True, Verdict.PASS),
        (NanPolicy.IGNORE, True, Verdict.PASS),
    ],
)
def test_the_nan_policy_decides_what_a_divergence_does(
    compare: Compare, policy: NanPolicy, passed: bool, verdict: Verdict
) -> None:
    comparisons, found = judge([compare(np.array([1.0, np.nan], np.float32), np.ones(2))], nan=policy)
    assert comparisons[0].passed is passed
    assert found is verdict


def test_drift_still_fails_when_nan_is_ignored(compare: Compare) -> None:
    row = compare(np.array([1.5, np.nan], np.float32), np.ones(2))
    assert judge([row], nan=NanPolicy.IGNORE)[1] is Verdict.DRIFT


@pytest.mark.parametrize("half", [{}, {"runtime": "chromium:webgl-f16", "bits": 16}], ids=["float32", "half floats"])
def test_nan_for_infinity_and_a_changed_sign_are_divergences_in_every_precision(
    compare: Compare, half: dict[str, object]
) -> None:
    reference = np.array([1.0, np.inf, -np.inf])
    for values in ([1.0, np.nan, np.nan], [1.0, -np.inf, -np.inf], [np.nan, np.inf, -np.inf]):
        assert judge([compare(np.array(values, np.float32), reference, **half)])[1] is Verdict.NAN_DIVERGENCE
    assert judge([compare(reference.astype(np.float32), reference, **half)])[1] is Verdict.PASS


def test_a_non_finite_divergence_beats_drift_and_drift_beats_error(compare: Compare) -> None:
    ones = np.ones(2)
    drift, nan = compare(np.array([1.5, 1.0], np.float32), ones), compare(np.array([1.0, np.nan], np.float32), ones)
    dead = [record(RuntimeStatus.FAILED, RuntimeId("chromium", "webgpu"))]
    assert judge([drift, nan], runtimes=dead)[1] is Verdict.NAN_DIVERGENCE
    assert judge([drift], runtimes=dead)[1] is Verdict.DRIFT


@pytest.mark.parametrize("status", [RuntimeStatus.FAILED, RuntimeStatus.UNAVAILABLE, RuntimeStatus.TIMED_OUT])
def test_a_runtime_that_did_not_run_is_an_error_and_exits_3(compare: Compare, status: RuntimeStatus) -> None:
    good = assess([compare(np.ones(2, np.float32), np.ones(2))])
    dead = record(status)
    verdict = decide(good, runtimes=[dead])
    assert verdict is Verdict.ERROR
    assert exit_code(report(verdict, good, dead)) == 3


def test_a_float64_that_cannot_run_is_no_error(compare: Compare) -> None:
    good = assess([compare(np.ones(2, np.float32), np.ones(2), floor=False)])
    assert decide(good, runtimes=[record(RuntimeStatus.FAILED, NATIVE_FLOAT64)]) is Verdict.PASS


def test_a_gate_that_failed_exits_1_even_when_another_runtime_did_not_run(compare: Compare) -> None:
    drifted = assess([compare(np.array([1.5], np.float32), np.ones(1))])
    dead = record(RuntimeStatus.TIMED_OUT)
    assert exit_code(report(decide(drifted, runtimes=[dead]), drifted, dead)) == 1


def test_another_shape_is_an_error_that_exits_1(compare: Compare) -> None:
    rows = assess([compare(np.ones((1, 2), np.float32), np.ones((1, 3)))])
    verdict = decide(rows)
    assert verdict is Verdict.ERROR
    assert exit_code(report(verdict, rows, record(RuntimeStatus.OK))) == 1


def test_a_pass_exits_0_and_nothing_compared_is_not_a_pass() -> None:
    assert exit_code(report(Verdict.PASS)) == 0
    assert decide([]) is Verdict.ERROR


def test_a_finding_that_is_an_error_fails_what_would_pass(compare: Compare) -> None:
    good = assess([compare(np.ones(1, np.float32), np.ones(1))])
    findings = [Finding("output-pairing", Severity.ERROR, "", "")]
    verdict = decide(good, findings=findings)
    assert verdict is Verdict.ERROR
    assert exit_code(report(verdict, good, record(RuntimeStatus.OK))) == 1


def test_a_candidate_is_held_to_the_precision_it_was_probed_to_have() -> None:
    assert precision_bits(RuntimeId("chromium", "webgl-f16"), None) == 16
    assert precision_bits(WEBGL, Environment("tfjs", float_bits=16)) == 16
    assert precision_bits(WEBGL, Environment("tfjs", float_bits=32)) == 32
    assert precision_bits(WEBGL, None) == 32


def test_a_rule_sets_the_limits_of_the_runtimes_and_outputs_that_fit_and_the_last_one_counts() -> None:
    options = ToleranceOptions(
        atol={None: 1e-3},
        rules=(
            ToleranceRule("*:webgl-f16", "*", OutputLimits(rtol=1e-2)),
            ToleranceRule("firefox:*", "scores", OutputLimits()),
        ),
    )
    chromium, firefox = RuntimeId("chromium", "webgl-f16"), RuntimeId("firefox", "webgl-f16")
    assert options.of("scores", RuntimeId("chromium", "cpu")) == OutputLimits(atol=1e-3)
    assert options.of("scores", chromium) == OutputLimits(rtol=1e-2)
    assert options.of("scores", firefox).tolerance() is None
    assert options.of("other", firefox) == OutputLimits(rtol=1e-2)


def test_the_error_of_long_sums_is_a_limit_and_a_larger_one_fails(compare: Compare) -> None:
    reference = np.sin(np.arange(400.0)).reshape(40, 10)
    noise = SummationNoise("y", largest=1e-3, rms=5e-4, count=400.0)
    fits, exceeds = (replace(compare(reference + error, reference), summation_noise=noise) for error in (14e-4, 16e-4))
    (fits, exceeds, bare), _ = judge([fits, exceeds, replace(fits, summation_noise=None)])
    assert (fits.passed, exceeds.passed, bare.passed) == (True, False, False)
    assert fits.tolerance.derivation == "3.03 times the error of long sums in sequence"


def quantized(compare: Compare, error: float, noise: QuantizationNoise | None) -> Comparison:
    """An output of size 1 with one error in every element."""
    reference = np.sin(np.arange(400.0)).reshape(40, 10)
    return replace(compare(reference + error, reference), quantization_noise=noise)


NOISE = QuantizationNoise("y", False, largest=0.01, rms=0.005, count=400.0)


def test_the_error_that_quantization_makes_is_allowed_and_a_larger_one_is_not(compare: Compare) -> None:
    (fits, exceeds, bare), _ = judge(
        [quantized(compare, 0.014, NOISE), quantized(compare, 0.016, NOISE), quantized(compare, 0.014, None)]
    )
    assert (fits.passed, exceeds.passed, bare.passed) == (True, False, False)
    assert fits.tolerance.quantization == pytest.approx(3 * 0.01, rel=0.02)
    assert exceeds.limit_use.of == "rms"


def test_no_quantization_may_cost_a_tenth_of_the_largest_value(compare: Compare) -> None:
    coarse = replace(NOISE, largest=0.3, rms=0.2)
    (fits, exceeds), _ = judge([quantized(compare, 0.09, coarse), quantized(compare, 0.11, coarse)])
    assert (fits.passed, exceeds.passed) == (True, False)
    assert "upper bound, 10 %" in exceeds.tolerance.derivation
    assert exceeds.tolerance.quantization > 0.11  # rounding explains it nevertheless


def test_a_noise_that_could_not_be_measured_allows_1_percent(compare: Compare) -> None:
    unknown = QuantizationNoise("y", True, None, None)
    (fits, exceeds), _ = judge([quantized(compare, 0.009, unknown), quantized(compare, 0.011, unknown)])
    assert (fits.passed, exceeds.passed) == (True, False)


def test_the_noise_of_few_values_allows_more(compare: Compare) -> None:
    few = replace(NOISE, count=4.0)
    (many, alone), _ = judge([quantized(compare, 0.03, NOISE), quantized(compare, 0.03, few)])
    assert (many.passed, alone.passed) == (False, True)


def test_a_given_tolerance_replaces_that_of_quantization(compare: Compare) -> None:
    given = assess([quantized(compare, 0.014, NOISE)], options=ToleranceOptions(max_ulp={None: 1.0}))
    assert given[0].passed is False
