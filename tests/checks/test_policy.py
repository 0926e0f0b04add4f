"""Budgets, severities and known divergences: what they make of a report."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pycheck.checks.budgets import judge
from pycheck.diagnosis.linking import explains_output
from pycheck.gate import policy
from pycheck.gate.budgets import Budget
from pycheck.gate.policy import Known, Selector
from pycheck.types import Finding, Report, Severity, Verdict

from .made import CPU, FIREFOX, LIMIT, LITERT, WASM, WEBGL, comparison, report, shared_drift, with_tflite

TODAY = datetime.date(2026, 7, 1)


def apply(made: Report, more: Sequence[Finding], **given: Any) -> policy.Applied:
    return policy.apply(made, more, explains=explains_output, today=TODAY, **given)


def _known(code: str, expires: str = "2026-07-01", **where: str) -> Known:
    return Known(code, "a bug of theirs", datetime.date.fromisoformat(expires), Selector(**where), "pycheck.toml:9")


def _applied(made: Report, *known: Known, **severity: str) -> Report:
    levels = {code.replace("_", "-"): level for code, level in severity.items()}
    return apply(made, (), severity=levels, known=known).report


def test_without_a_policy_a_report_stays_as_it_is() -> None:
    made = report([comparison(CPU), comparison(WEBGL, 2 * LIMIT)])
    assert _applied(made) == made


@pytest.mark.parametrize("level", ["warn", "off"])
def test_drift_that_is_no_error_lets_the_gate_pass(level: str) -> None:
    made = report([comparison(CPU), comparison(WEBGL, 2 * LIMIT)])
    assert made.verdict is Verdict.DRIFT
    after = _applied(made, drift=level)
    assert after.verdict is Verdict.PASS
    assert [f.severity for f in after.findings] == ([Severity.WARNING] if level == "warn" else [])
    drifted = next(c for c in after.comparisons if c.candidate == WEBGL)
    assert (drifted.drifted, drifted.passed, drifted.failed) == (True, False, False)
    assert drifted.excused == f"the severity of drift is set to {level}"


def test_a_warning_that_is_set_to_error_fails_the_gate() -> None:
    from pycheck.diagnosis.codes import finding

    flip = finding("top1-flip", Severity.WARNING, runtimes=[CPU], tensor="y", summary="", advice="")
    made = report([comparison(CPU)], findings=[flip])
    assert made.passed
    assert _applied(made, top1_flip="error").verdict is Verdict.ERROR


def test_a_runtime_that_may_be_missing_does_not_fail_the_others_but_alone_proves_nothing() -> None:
    assert _applied(report([comparison(CPU)], failed=[FIREFOX]), runtime_unavailable="warn").passed
    assert _applied(report([], failed=[FIREFOX]), runtime_unavailable="warn").verdict is Verdict.ERROR


def test_a_known_divergence_is_told_and_passes_up_to_its_last_day() -> None:
    made = report([comparison(CPU), comparison(WEBGL, introduced=3)])
    assert made.verdict is Verdict.NAN_DIVERGENCE
    after = _applied(made, _known("nan-introduced", runtime="*:webgl"))
    assert after.passed
    (found,) = after.findings
    assert found.severity is Severity.INFO
    assert found.summary.endswith("Known on *:webgl until 2026-07-01: a bug of theirs")


def test_an_expired_one_fails_and_says_so() -> None:
    after = _applied(report([comparison(WEBGL, introduced=3)]), _known("nan-introduced", "2026-06-30"))
    assert after.verdict is Verdict.NAN_DIVERGENCE
    assert "nown until 2026-06-30, now expired" in after.findings[0].summary
    assert "pycheck.toml:9" in after.findings[0].advice


def test_what_is_known_of_one_runtime_excuses_no_other_and_no_other_fault() -> None:
    made = report([comparison(CPU, introduced=1), comparison(WEBGL, 2 * LIMIT, introduced=1)])
    after = _applied(made, _known("nan-introduced", runtime="chromium:webgl"))
    assert {str(c.candidate): c.passed for c in after.comparisons[1:]} == {
        "chromium:cpu": False,
        "chromium:webgl": False,
    }
    assert after.verdict is Verdict.NAN_DIVERGENCE
    only_webgl = report([comparison(WEBGL, 2 * LIMIT, introduced=1)])
    both = _applied(only_webgl, _known("nan-introduced"), _known("drift"))
    assert both.passed


def test_an_explanation_that_is_known_excuses_what_it_explains() -> None:
    drifting = [comparison(CPU, 2 * LIMIT), comparison(WASM, 2 * LIMIT)]
    made = report(drifting, findings=[shared_drift([CPU, WASM])])
    assert _applied(made, _known("conversion-drift")).passed


def test_what_is_known_of_one_runtime_excuses_that_one_alone_of_a_finding_about_several() -> None:
    drifting = [comparison(runtime, 2 * LIMIT) for runtime in (CPU, WASM, WEBGL)]
    made = report(drifting, findings=[shared_drift([CPU, WASM, WEBGL])])
    after = _applied(made, _known("conversion-drift", runtime="chromium:wasm"))
    assert after.verdict is Verdict.DRIFT
    assert {c.candidate: c.failed for c in after.comparisons[1:]} == {CPU: True, WASM: False, WEBGL: True}
    assert [(f.code, f.severity, f.runtimes) for f in after.findings] == [
        ("conversion-drift", Severity.ERROR, (CPU, WEBGL)),
        ("conversion-drift", Severity.INFO, (WASM,)),
        ("drift", Severity.ERROR, (CPU,)),
        ("drift", Severity.ERROR, (WEBGL,)),
    ]
    assert after.findings[1].summary.endswith("Known on chromium:wasm until 2026-07-01: a bug of theirs")


def test_entries_that_name_each_of_its_runtimes_excuse_all_of_a_finding() -> None:
    drifting = [comparison(runtime, 2 * LIMIT) for runtime in (CPU, WASM)]
    made = report(drifting, findings=[shared_drift([CPU, WASM])])
    both = [_known("conversion-drift", runtime=f"*:{kind}") for kind in ("cpu", "wasm")]
    assert _applied(made, *both).passed


def test_a_model_or_a_variant_can_be_meant() -> None:
    made = report([comparison(WEBGL, introduced=1)], name="m/float16")
    assert _applied(made, _known("nan-introduced", model="m")).passed
    assert _applied(made, _known("nan-introduced", model="*/float16")).passed
    assert not _applied(made, _known("nan-introduced", model="n")).passed


# --- budgets


def _budget(**limits: object) -> Budget:
    where = Selector(**{k: limits.pop(k) for k in ("model", "runtime", "output") if k in limits})  # type: ignore[arg-type]
    return Budget(where, "pycheck.toml:5", **limits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"max_abs_error": 1e-8}, "max_abs_error"),
        ({"rms_error": 1e-8}, "rms_error"),
        ({"max_ulp_error": 1.0}, "max_ulp_error"),
        ({"error_of_scale": 1e-8}, "error_of_scale"),
        ({"top1_agreement": 1.0}, "top1_agreement"),
        ({"artifact_bytes": 11_999}, "artifact_size"),
    ],
)
def test_what_exceeds_a_budget_fails_although_it_is_within_the_tolerance(limits: dict[str, float], name: str) -> None:
    made = report([comparison(CPU, flips=1)])
    assert made.passed
    (found,) = judge(made, [_budget(**limits)]).findings
    assert found.evidence["budget"] == name
    assert "pycheck.toml:5" in found.advice
    assert apply(made, [found], severity={}, known=()).report.verdict is Verdict.ERROR


def test_what_keeps_to_a_budget_has_no_finding_and_counts_as_measured() -> None:
    budget = _budget(max_abs_error=1e-6, top1_agreement=1.0, artifact_bytes=12_000)
    judged = judge(report([comparison(CPU)]), [budget])
    assert judged.findings == ()
    assert judged.used == (budget,)


def test_a_budget_is_for_what_it_selects() -> None:
    made = report([comparison(CPU), comparison(WEBGL)])
    (found,) = judge(made, [_budget(runtime="*:webgl", max_abs_error=1e-9)]).findings
    assert found.runtimes == (WEBGL,)
    assert judge(made, [_budget(model="other", max_abs_error=1e-9)]).used == ()
    assert judge(made, [_budget(output="z", max_abs_error=1e-9)]).used == ()


def test_latency_is_held_against_another_runtime_of_the_same_run() -> None:
    made = report([comparison(CPU), comparison(WASM)])
    times = {CPU: 0.012, WASM: 0.003}
    timed = replace(
        made, runtimes=tuple(replace(r, timings_s={"per_sample": times.get(r.id, 0.0)}) for r in made.runtimes)
    )
    (found,) = judge(timed, [_budget(latency=3.0, against=WASM)]).findings
    assert found.runtimes == (CPU,)
    assert "4 times" in found.summary
    assert judge(timed, [_budget(latency=5.0, against=WASM)]).findings == ()
    assert judge(made, [_budget(latency=5.0, against=WASM)]).used == ()


def test_the_artifact_of_each_library_is_held_to_its_size() -> None:
    made = with_tflite(report([comparison(CPU), comparison(LITERT)]), size_bytes=9_000)

    def exceeding(size: int, runtime: str = "*") -> dict[str, float]:
        found = judge(made, [_budget(artifact_bytes=size, runtime=runtime)]).findings
        return {f.evidence["artifact"]: f.evidence["value"] for f in found}

    assert exceeding(12_000) == {}
    assert exceeding(10_000) == {"layers": 12_000}
    assert exceeding(1_000) == {"layers": 12_000, "tflite": 9_000}
    assert exceeding(1_000, "*:litert-*") == {"tflite": 9_000}
    assert exceeding(1_000, "chromium:cpu") == {"layers": 12_000}
