"""The first batch is predicted again on every runtime, and an answer that changed is told, judged and kept."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import pycheck
from pycheck.errors import RuntimeFailedError
from pycheck.report.json import report_to_dict
from pycheck.report.junit import render_junit
from pycheck.runtimes.fake import FakeModel, FakePage, Fault, drifting
from pycheck.types import Array, Finding, Report, RuntimeStatus, Severity, TensorSpec, Verdict

from ..conftest import Cli
from ..fakes import Fakes, dense

WEBGL = "chromium:webgl"
X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
#: An error of the size of roundoff, and one beyond every limit; the outputs are near 1.
SMALL, LARGE = 2.0**-23, 0.5


def _compare(model: FakeModel | None = None, *, batch_size: int = 6, **options: Any) -> Report:
    return pycheck.compare(model or dense(), X, runtimes=["chromium:cpu", WEBGL], batch_size=batch_size, **options)


def _changed(report: Report) -> list[Finding]:
    found = [f for f in report.findings if f.code in ("nondeterministic", "stale-state")]
    assert all(map(str, f.runtimes) for f in found)
    return found


def _moved(by: float) -> Fault:
    return Fault(lambda value: value + np.asarray(by, value.dtype))


def _chance(by: float) -> Fault:
    """No change in the first prediction, then a different one each time."""
    drawn = itertools.chain([0.0], itertools.cycle([by, 2 * by]))
    return Fault(lambda value: value + np.asarray(next(drawn), value.dtype))


@pytest.fixture
def predicted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of samples that chromium:webgl predicted, in order."""
    sizes: list[int] = []
    real = FakePage.predict

    async def predict(page: FakePage, inputs: Any, **how: Any) -> Any:
        if str(page.id) == WEBGL:
            sizes.append(len(inputs["x"]))
        return await real(page, inputs, **how)

    monkeypatch.setattr(FakePage, "predict", predict)
    return sizes


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [(6, [6, 1, 6]), (3, [3, 3, 1, 3]), (1, [1] * 7)],
    ids=["one batch", "several", "single samples"],
)
def test_a_sound_runtime_costs_one_batch_and_one_sample(
    fakes: Fakes, predicted: list[int], batch_size: int, sizes: list[int]
) -> None:
    report = _compare(batch_size=batch_size)
    assert report.verdict is Verdict.PASS and not _changed(report)
    assert predicted == sizes


def test_batches_of_two_sizes_are_a_change_of_shape(fakes: Fakes, predicted: list[int]) -> None:
    assert not _changed(pycheck.compare(dense(), X[:5], runtimes=[WEBGL], batch_size=3))
    assert predicted == [3, 2, 3]


@pytest.mark.parametrize("fixed", ["inputs", "outputs"])
def test_a_model_of_one_shape_gets_no_other(fakes: Fakes, predicted: list[int], fixed: str) -> None:
    model = dense()
    signature = model.signature
    if fixed == "inputs":
        signature = replace(signature, inputs=(TensorSpec("x", "float32", (6, 4)),))
    else:
        signature = replace(signature, outputs=(TensorSpec("y", "float32", (None, None)),))
    model = replace(model, signature=signature)
    assert not _changed(_compare(model))
    assert predicted == [6, 6]
    fakes.break_(WEBGL, replace(_moved(LARGE), since=2))
    (found,) = _changed(_compare(model))
    assert (found.evidence["iteration"], found.evidence["after"]) == (2, "itself")


CASES: dict[str, tuple[Callable[[], Fault], int, str, Severity, int, str]] = {
    "right once, one batch": (lambda: replace(_moved(LARGE), since=2), 6, "stale-state", Severity.ERROR, 3, "shape"),
    "right once": (lambda: replace(_moved(LARGE), since=3), 3, "stale-state", Severity.ERROR, 4, "shape"),
    "right once, samples": (lambda: replace(_moved(LARGE), since=7), 1, "stale-state", Severity.ERROR, 7, "batches"),
    "resized": (lambda: Fault(resized=LARGE), 6, "stale-state", Severity.ERROR, 3, "shape"),
    "resized, several": (lambda: Fault(resized=LARGE), 3, "stale-state", Severity.ERROR, 4, "shape"),
    "kept": (lambda: Fault(kept=1.0), 3, "stale-state", Severity.ERROR, 4, "shape"),
    "kept, within": (lambda: Fault(kept=SMALL), 3, "stale-state", Severity.WARNING, 4, "shape"),
    "chance": (lambda: _chance(LARGE), 3, "nondeterministic", Severity.ERROR, 4, "shape"),
    "chance, within": (lambda: _chance(SMALL), 6, "nondeterministic", Severity.WARNING, 3, "shape"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_changed_answer_has_its_code_its_iteration_and_its_weight(fakes: Fakes, case: str) -> None:
    fault, batch_size, code, severity, iteration, after = CASES[case]
    fakes.break_(WEBGL, fault())
    report = _compare(batch_size=batch_size)
    (found,) = _changed(report)
    assert (found.code, found.severity, found.tensor, *map(str, found.runtimes)) == (code, severity, "y", WEBGL)
    told = found.evidence
    assert (told["iteration"], told["after"], told["changed_count"]) == (iteration, after, 3 * batch_size)
    assert told["is_restored"] is case.startswith(("kept", "resized"))
    assert told["is_by_shape"] is case.startswith("resized")
    assert told["max_change"] == pytest.approx(abs(told["again"] - told["first"]))
    assert report.verdict is not Verdict.PASS if severity is Severity.ERROR else report.verdict is Verdict.PASS


def test_only_a_change_that_the_artifact_loses_costs_further_predictions(fakes: Fakes, predicted: list[int]) -> None:
    fakes.break_(WEBGL, replace(_moved(LARGE), since=2))
    assert _changed(_compare())
    assert predicted == [6, 1, 6, 6, 6, 6]
    predicted.clear()
    fakes.break_(WEBGL, Fault(resized=LARGE))
    assert _changed(_compare())
    assert predicted == [6, 1, 6, 6, 6, 6, 6, 1, 6]


def test_it_explains_the_drift_that_it_causes(fakes: Fakes) -> None:
    fakes.break_(WEBGL, replace(_moved(LARGE), since=2))
    report = _compare(batch_size=3)
    (drift,) = [f for f in report.findings if f.code == "drift"]
    assert drift.explained_by == ("stale-state",) and not drift.advice
    assert report.verdict is Verdict.DRIFT


def test_a_change_that_matters_to_no_verdict_explains_nothing(fakes: Fakes) -> None:
    far, chance = drifting(LARGE).changed, _chance(SMALL).changed
    fakes.break_(WEBGL, Fault(lambda value: chance("y", far("y", value))))
    report = _compare()
    (found,) = _changed(report)
    (drift,) = [f for f in report.findings if f.code == "drift"]
    assert found.severity is Severity.WARNING and drift.advice


def test_nan_that_stays_nan_is_no_change_and_a_new_one_is(fakes: Fakes) -> None:
    def set_nan(value: Array) -> Array:
        return np.where(np.arange(len(value))[:, None] == 0, np.nan, value).astype(value.dtype)

    fakes.break_(WEBGL, Fault(set_nan))
    assert not _changed(_compare(nan="warn"))
    fakes.break_(WEBGL, Fault(set_nan, since=2))
    (found,) = _changed(report := _compare())
    assert found.severity is Severity.ERROR and report.verdict is Verdict.ERROR
    (found,) = _changed(_compare(nan="warn"))
    assert found.severity is Severity.WARNING


def test_a_shape_that_changes_is_told(fakes: Fakes) -> None:
    fakes.break_(WEBGL, Fault(lambda value: value[:, :2], since=2))
    (found,) = _changed(report := _compare())
    assert found.severity is Severity.ERROR and report.verdict is Verdict.ERROR
    assert found.evidence["shapes"] == "(6, 3) and (6, 2)" and found.evidence["max_change"] is None


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(error=RuntimeFailedError("the GPU was lost"), since=3), RuntimeStatus.FAILED),
        (Fault(hangs=True, since=2), RuntimeStatus.TIMED_OUT),
        (Fault(hangs=True, since=3), RuntimeStatus.TIMED_OUT),
    ],
    ids=["fails", "hangs in the change of shape", "hangs"],
)
def test_a_runtime_that_fails_in_the_repeat_says_so(fakes: Fakes, fault: Fault, status: RuntimeStatus) -> None:
    fakes.break_(WEBGL, fault)
    report = _compare(timeout_s=0.2)
    record = next(record for record in report.runtimes if str(record.id) == WEBGL)
    assert record.status is status and report.verdict is Verdict.ERROR
    assert record.error is not None and f"(prediction {fault.since})" in record.error
    assert record.error.startswith(f"{WEBGL}: ") and record.error.count(WEBGL) == 1


@pytest.mark.parametrize("fails", [False, True], ids=["wrong", "failed in the repeat"])
def test_a_trial_of_a_fix_repeats_the_first_batch_if_a_runtime_failed(
    fakes: Fakes, predicted: list[int], fails: bool
) -> None:
    fakes.break_(WEBGL, Fault(error=RuntimeFailedError("the GPU was lost"), since=3) if fails else _moved(LARGE))
    report = _compare(try_remedies=True)
    assert any(remedy.trial_count for remedy in report.remedies)
    assert predicted[:3] == [6, 1, 6] and 6 in predicted[3:]
    assert (1 in predicted[3:]) is fails


def test_a_model_that_takes_no_single_sample_passes_with_a_note(fakes: Fakes) -> None:
    def refuse(value: Array) -> Array:
        if len(value) == 1:
            raise RuntimeFailedError("Size(12) must match the product of shape 6,2")
        return value

    fakes.break_(WEBGL, Fault(refuse))
    report = _compare()
    record = next(record for record in report.runtimes if str(record.id) == WEBGL)
    assert report.verdict is Verdict.PASS and record.environment
    assert any("(prediction 2)" in note and "Size(12)" in note for note in record.environment.notes)
    fakes.break_(WEBGL, Fault(refuse, kept=1.0))
    (found,) = _changed(_compare())
    assert (found.evidence["iteration"], found.evidence["after"]) == (3, "itself")


@pytest.mark.parametrize("case", ["right once, one batch", "kept, within", "chance"])
def test_a_saved_run_is_judged_the_same_and_by_other_limits(
    fakes: Fakes, tmp_path: Path, case: str, command: Cli
) -> None:
    fault, batch_size, *_ = CASES[case]
    fakes.break_(WEBGL, fault())
    report = _compare(batch_size=batch_size, save_run=tmp_path / "run")
    again = json.loads(command("report", tmp_path / "run", "--json", "-").out)
    told = [finding for finding in again["findings"] if finding["code"] in ("nondeterministic", "stale-state")]
    assert told == [f for f in report_to_dict(report)["findings"] if f["code"] == told[0]["code"]]
    assert again["verdict"] == report.verdict.value
    wide = json.loads(command("report", tmp_path / "run", "--json", "-", "--atol", "100").out)
    assert wide["verdict"] == "pass"
    narrow = json.loads(command("report", tmp_path / "run", "--json", "-", "--atol", "1e-9", "--nan", "warn").out)
    assert narrow["verdict"] != "pass"


def test_junit_has_a_failure_of_its_own(fakes: Fakes) -> None:
    fakes.break_(WEBGL, CASES["right once, one batch"][0]())
    root = ElementTree.fromstring(render_junit(_compare()))
    assert [failure.get("type") for failure in root.iter("failure")] == ["stale-state"]


def test_a_model_that_is_random_in_python_gets_no_second_finding(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    from pycheck.types import ReferenceCheck
    from pycheck.workflow import references

    def check(*_: Any) -> ReferenceCheck:
        return ReferenceCheck("model.predict", "random", "y", 0.5, 1.0, tensors=("y",))

    monkeypatch.setattr(references, "check_reference", check)
    fakes.break_(WEBGL, CASES["chance"][0]())
    report = _compare(batch_size=3)
    assert "reference-differs" in {f.code for f in report.findings} and not _changed(report)


def test_a_trace_reports_it_once(fakes: Fakes) -> None:
    fakes.break_(WEBGL, CASES["chance"][0]())
    report = pycheck.trace(dense(), X, runtimes=[WEBGL])
    assert len([f for f in _changed(report) if str(f.runtimes[0]) == WEBGL]) == 1


def test_a_converted_artifact_is_verified_in_this_way_too(fakes: Fakes, tmp_path: Path, command: Cli) -> None:
    fakes.save(tmp_path / "m.keras")
    fakes.break_("chromium:cpu", CASES["right once, one batch"][0]())
    said = command("convert", tmp_path / "m.keras", tmp_path / "web")
    assert said.code == 1 and "prediction 3" in said.out
