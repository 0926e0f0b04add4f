"""What may have caused the rest is a warning only where something went wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pycheck.types import (
    Column,
    Environment,
    Epsilon,
    Evidence,
    Finding,
    InputScale,
    ModelInfo,
    NonfiniteInput,
    NonfiniteWeight,
    Outlier,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Signature,
)

Find = Callable[..., dict[str, list[Finding]]]
Found = Callable[..., list[Finding]]

F16 = RuntimeRecord(
    RuntimeId("chromium", "webgl-f16"), RuntimeStatus.OK, Environment("tfjs 4.22.0", float_bits=16), {}, None
)
SCALED = InputScale("x", 3, Column(0, 2.0), Column(2, 1.5), Outlier(0, 4, 2.0, 0.0, 4.0))
FAR = replace(SCALED, largest=Column(1, 1e10), outlier=Outlier(1, 7, 1e10, 0.5, 3e9))
NAN_IN_X = NonfiniteInput("x", 3, 0, 2, 7, (1,), "nan")
RIGHT, WRONG, NAN = np.ones((2, 3)), np.full((2, 3), 1.5), np.full((2, 3), np.nan)


@pytest.fixture
def found(find: Find) -> Callable[..., list[Finding]]:
    """Findings of one code, for one output of chromium:webgl."""

    def found(code: str, evidence: Evidence, candidate: Any = RIGHT, reference: Any = RIGHT, **facts: Any) -> Any:
        return find(reference, {"chromium:webgl": candidate}, evidence=evidence, **facts).get(code, [])

    return found


def test_scaled_inputs_give_no_finding_even_where_something_is_wrong(found: Found) -> None:
    assert found("input-scale", Evidence((SCALED,)), WRONG) == []


@pytest.mark.parametrize(("candidate", "severity"), [(RIGHT, "info"), (WRONG, "warning"), (NAN, "warning")])
def test_an_outlier_is_a_warning_only_where_something_is_wrong(found: Found, candidate: Any, severity: str) -> None:
    (finding,) = found("input-scale", Evidence((FAR,)), candidate)
    assert finding.severity == severity
    for fact in ("input x", "1e10 at sample 7", "column 1", "3e9 robust standard deviations", "median 0.5", "only 1.5"):
        assert fact in finding.summary
    assert finding.evidence["outlier"]["sample"] == 7


def test_large_features_and_those_of_unlike_scale_are_told_with_the_columns(found: Found) -> None:
    scale = replace(SCALED, largest=Column(2, 4000.0), smallest=Column(0, 0.1), outlier=None)
    (finding,) = found("input-scale", Evidence((scale,)))
    assert "4,000 (column 2)" in finding.summary and "float16" in finding.summary
    assert "column 2 reaches 4,000, column 0 only 0.1" in finding.summary


def test_constant_columns_are_told_only_where_something_is_not_finite(found: Found) -> None:
    constant = Evidence((replace(SCALED, constant_columns=(0, 2)),))
    (finding,) = found("input-scale", constant, NAN)
    assert "columns 0 and 2" in finding.summary and "same value" in finding.summary
    assert finding.evidence["constant_columns"] == [0, 2]
    assert found("input-scale", constant, WRONG) == found("input-scale", constant) == []


def test_a_weight_that_is_no_number_is_told_of_the_model_rather_than_of_the_artifact(found: Found) -> None:
    weight = NonfiniteWeight("model", "dense/kernel", "dense", (4, 3), 1, 2, (0, 1))
    (finding,) = found("weight-nonfinite", Evidence((), (weight, replace(weight, place="artifact"))))
    assert (finding.severity, finding.layer, finding.tensor) == ("warning", "dense", "dense/kernel")
    assert "holds 1 NaN and 2 infinite among its 12 values, first at [0, 1]" in finding.summary
    assert "checkpoint" in finding.advice
    (finding,) = found("weight-nonfinite", Evidence((), (replace(weight, place="artifact"),)))
    assert "onvert the model again" in finding.advice
    published = ModelInfo("model.json", "tfjs", "", Signature((), ()))
    (finding,) = found("weight-nonfinite", Evidence((), (replace(weight, place="artifact"),)), model=published)
    assert "checkpoint" in finding.advice


def test_a_constant_of_the_code_is_not_told_as_a_damaged_weight(found: Found) -> None:
    mask = NonfiniteWeight("artifact", "functional/Const", None, (), 0, 1, ())
    (finding,) = found("weight-nonfinite", Evidence((), (mask,)))
    assert finding.summary == "The artifact's weight functional/Const is infinite."
    assert "a mask of -Inf" in finding.advice
    (finding,) = found("weight-nonfinite", Evidence((), (replace(mask, nan_count=1, infinity_count=0),)))
    assert finding.summary.endswith("is NaN.")
    assert "onvert the model again" in finding.advice


def test_an_epsilon_that_conversion_changed_is_told_with_both_values(found: Found) -> None:
    (finding,) = found("epsilon-mismatch", Evidence(epsilons=(Epsilon("norm", 1e-12, 0.0, True),)), WRONG)
    assert (finding.layer, finding.severity) == ("norm", "warning")
    assert "1e-12 in the model and 0 in the artifact" in finding.summary
    same = Epsilon("norm", 1e-3, float(np.float32(1e-3)))
    unknown = Epsilon("norm", 1e-3, None)
    assert found("epsilon-mismatch", Evidence(epsilons=(same, unknown)), WRONG) == []


def test_an_epsilon_that_half_floats_lose_is_told_only_where_half_floats_ran(found: Found) -> None:
    evidence = Evidence(epsilons=(Epsilon("norm", 1e-12, 1e-12, True), Epsilon("fused", 1e-12, 1e-12, False)))
    (finding,) = found("epsilon-mismatch", evidence, runtimes=(F16,))
    assert (finding.layer, finding.severity) == ("norm", "info")
    assert "chromium:webgl-f16 divides by 0" in finding.summary
    assert found("epsilon-mismatch", evidence) == []


def test_nan_in_python_itself_is_a_warning_although_the_browser_agrees(found: Found) -> None:
    (finding,) = found("native-nan", Evidence(), NAN, NAN)
    assert (finding.severity, finding.evidence["count"]) == ("warning", 6)
    assert "6 of 6 elements are not finite in Python itself (6 NaN)" in finding.summary
    assert found("native-nan", Evidence(), NAN, NAN, nonfinite_inputs=[NAN_IN_X]) == []
    assert found("native-nan", Evidence(), NAN, RIGHT) == []
