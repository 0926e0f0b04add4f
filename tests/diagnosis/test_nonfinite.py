from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pycheck.types import Finding, NanPolicy, NonfiniteInput, Severity

Find = Callable[..., dict[str, list[Finding]]]


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_right_candidate_gives_no_finding(find: Find) -> None:
    assert find(np.array([1.0, 2.0, 3.0]), {"chromium:cpu": floats(1.0, 2.0, 3.0)}) == {}


def test_a_candidate_that_has_nan_where_python_has_it_agrees_and_the_model_is_at_fault(find: Find) -> None:
    findings = find(np.array([1.0, np.nan, np.inf]), {"chromium:cpu": floats(1.0, np.nan, np.inf)})
    assert set(findings) == {"native-nan"}


def test_an_introduced_nan_is_told_with_its_place_and_kind(find: Find) -> None:
    reference = np.ones((2, 3))
    candidate = reference.astype(np.float32)
    candidate[1, 2], candidate[1, 0] = np.nan, np.inf
    findings = find(reference, {"chromium:webgl": candidate})
    assert set(findings) == {"nan-introduced"}
    finding = findings["nan-introduced"][0]
    assert "2 of 6 elements" in finding.summary
    assert "(1 NaN and 1 +Inf), first at sample 1 [0]: +Inf instead of 1" in finding.summary
    assert finding.severity is Severity.ERROR
    assert finding.evidence["introduced"] == 2


def test_a_masked_infinity_is_told_apart_from_an_introduced_one(find: Find) -> None:
    findings = find(np.array([-np.inf]), {"chromium:webgl": floats(-88.03)})
    assert set(findings) == {"nan-masked", "native-nan"}
    assert "-88 instead of -Inf" in findings["nan-masked"][0].summary


def test_a_change_among_non_finite_classes_has_a_finding_of_its_own(find: Find) -> None:
    findings = find(np.array([np.inf, 1.0]), {"chromium:webgl": floats(np.nan, 1.0)})
    assert set(findings) == {"nonfinite-changed", "native-nan"}


def test_nan_for_infinity_is_told_in_half_floats_too(find: Find) -> None:
    assert set(find(np.array([np.inf, 1.0]), {"chromium:webgl-f16": floats(np.nan, 1.0)})) >= {"nonfinite-changed"}


@pytest.mark.parametrize(("policy", "severity"), [(NanPolicy.FAIL, Severity.ERROR), (NanPolicy.WARN, Severity.WARNING)])
def test_the_nan_policy_sets_the_severity(find: Find, policy: NanPolicy, severity: Severity) -> None:
    findings = find(np.array([1.0]), {"chromium:cpu": floats(np.nan)}, nan=policy)
    assert findings["nan-introduced"][0].severity is severity


def test_an_ignored_divergence_is_not_told(find: Find) -> None:
    assert find(np.array([1.0]), {"chromium:cpu": floats(np.nan)}, nan=NanPolicy.IGNORE) == {}


def test_an_overflow_of_half_floats_is_explained_where_the_output_shows_it(find: Find) -> None:
    findings = find(np.array([70_000.0, 1.0]), {"chromium:webgl-f16": floats(np.inf, 1.0)})
    assert set(findings) == {"f16-overflow", "nan-introduced"}
    assert "70,000" in findings["f16-overflow"][0].summary and "65504" in findings["f16-overflow"][0].summary


def test_a_gpu_that_makes_the_largest_half_float_of_what_is_beyond_overflows_as_well(find: Find) -> None:
    findings = find(np.array([70_000.0, 1.0]), {"chromium:webgl-f16": floats(65504.0, 1.0)})
    assert set(findings) == {"f16-overflow", "drift"}
    assert "became 65504 on chromium:webgl-f16" in findings["f16-overflow"][0].summary
    assert findings["f16-overflow"][0].severity is Severity.ERROR


def test_a_nan_that_only_half_floats_give_points_inside_the_model(find: Find) -> None:
    candidates = {"chromium:webgl-f16": floats(np.nan, 1.0), "chromium:webgl": floats(2.0, 1.0)}
    findings = find(np.array([2.0, 1.0]), candidates)
    assert set(findings) == {"nan-introduced"}
    assert "Only float16" in findings["nan-introduced"][0].advice


def test_natives_that_disagree_in_class_are_a_finding_about_the_model(find: Find) -> None:
    findings = find(np.array([1e39, 1.0]), {"chromium:cpu": floats(np.inf, 1.0)})
    assert set(findings) == {"native-overflow"}
    assert findings["native-overflow"][0].severity is Severity.WARNING
    assert "+Inf instead of 1e39" in findings["native-overflow"][0].summary


def test_non_finite_inputs_are_told_and_explain_what_is_not_finite(find: Find) -> None:
    several = NonfiniteInput("x", 3, 1, 2, sample=7, index=(0, 5), kind="-inf")
    findings = find(np.array([1.0]), {"chromium:cpu": floats(np.nan)}, nonfinite_inputs=[several])
    (found,) = findings["input-nonfinite"]
    assert found.tensor == "x"
    assert found.summary == (
        "The input x holds 3 NaN and 1 infinite values in 2 samples, the first -Inf at sample 7 [0, 5]."
    )
    assert (found.evidence["sample"], found.evidence["index"], found.evidence["value"]) == (7, [0, 5], -np.inf)
    assert findings["nan-introduced"][0].explained_by == ("input-nonfinite",)
