"""How a check judges what has run, and what it shows meanwhile; nothing runs here."""

from __future__ import annotations

import asyncio
import datetime
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pycheck.checks import accepting, baseline_file, check, plan
from pycheck.cli.console import MatrixProgress
from pycheck.errors import ConversionError
from pycheck.gate import check_exit_code
from pycheck.options.values import Options
from pycheck.types import CheckReport, Report, Severity, Verdict
from pycheck.workflow import pipeline

from .made import CPU, FIREFOX, LIMIT, WEBGL, comparison, report

TODAY = datetime.date(2026, 7, 1)
MODELS = '[[models]]\npath = "m.keras"\n[[models]]\npath = "n.keras"\n'


def _check(folder: Path, text: str, reports: Mapping[str, Report | Exception], **given: Any) -> CheckReport:
    """A check whose runs give these, by model."""

    class Bench:
        async def __aenter__(self) -> Bench:
            return self

        async def __aexit__(self, *exc_info: object) -> None: ...

        async def compare(self, model: Path, inputs: Any, options: Options, observe: Any) -> Report:
            outcome = reports[model.stem]
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    (folder / "pycheck.toml").write_text(MODELS + text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "Workbench", Bench)
        return asyncio.run(check(plan(folder / "pycheck.toml", given), today=TODAY))


def _codes(made: CheckReport) -> list[str]:
    return [finding.code for each in made.reports for finding in each.findings]


def test_the_verdict_of_a_check_is_the_worst_of_its_reports(tmp_path: Path) -> None:
    good, drifting = report([comparison(CPU)]), report([comparison(CPU, 2 * LIMIT)])
    assert _check(tmp_path, "", {"m": good, "n": good}).verdict is Verdict.PASS
    made = _check(tmp_path, "", {"m": good, "n": drifting})
    assert made.verdict is Verdict.DRIFT
    assert [each.name for each in made.reports] == ["m", "n"]
    assert made.command == f"pycheck check --config {tmp_path}/pycheck.toml"


def test_an_error_of_one_model_is_kept_beside_the_reports_of_the_others(tmp_path: Path) -> None:
    error = ConversionError("n cannot become an artifact", "Try the other format.")
    made = _check(tmp_path, "", {"m": report([comparison(CPU)]), "n": error})
    assert (made.verdict, [each.name for each in made.reports]) == (Verdict.ERROR, ["m"])
    (failure,) = made.failures
    assert (failure.name, failure.message, failure.exit_code) == ("n", error.message, 4)


KNOWN = '[[known]]\ncode = "drift"\nruntime = "chromium:webgl"\nreason = "x"\nexpires = 2099-01-01\n'


def test_an_entry_that_had_nothing_to_say_is_told_once(tmp_path: Path) -> None:
    good = report([comparison(CPU), comparison(WEBGL)])
    text = KNOWN + '[[budgets]]\noutput = "z"\nrms_error = 1\n[[tolerances]]\nruntime = "webkit:*"\natol = 1\n'
    made = _check(tmp_path, text, {"m": good, "n": good})
    assert made.passed and _codes(made) == []
    assert [f.code for f in made.findings] == ["setting-unused"] * 3
    assert {f.severity for f in made.findings} == {Severity.WARNING}
    assert "pycheck.toml:5: known" in "".join(f.summary for f in made.findings)
    assert _check(tmp_path, text + '[severity]\nsetting-unused = "off"\n', {"m": good, "n": good}).findings == ()


def test_an_error_of_the_check_alone_fails_it_where_no_model_has_a_finding(tmp_path: Path) -> None:
    good = report([comparison(CPU)])
    made = _check(tmp_path, KNOWN + '[severity]\nsetting-unused = "error"\n', {"m": good, "n": good})
    assert all(each.passed for each in made.reports) and _codes(made) == []
    assert [(f.code, f.severity) for f in made.findings] == [("setting-unused", Severity.ERROR)]
    assert (made.verdict, check_exit_code(made)) == (Verdict.ERROR, 1)


def test_variants_that_the_baseline_lacks_are_one_finding_of_the_check(tmp_path: Path) -> None:
    good = report([comparison(CPU)])
    accepted = accepting.accept(None, [replace(good, name="other")], pycheck="0.1.0")
    baseline_file.write(tmp_path / "pycheck-baseline.toml", accepted)
    made = _check(tmp_path, "", {"m": good, "n": good})
    assert _codes(made) == []
    (found,) = made.findings
    assert (found.code, found.evidence) == ("baseline-missing", {"missing": ["m", "n"]})
    assert found.advice.endswith("pycheck baseline update m n.")


def test_an_entry_is_not_unused_where_its_runtime_did_not_run_or_was_not_asked_for(tmp_path: Path) -> None:
    down = report([comparison(CPU)], failed=[WEBGL])
    assert _check(tmp_path, KNOWN, {"m": down, "n": down}).findings == ()
    good = report([comparison(CPU)])
    assert _check(tmp_path, KNOWN, {"m": good, "n": good}, runtimes=["chromium:cpu"]).findings == ()


def test_an_entry_that_one_model_needs_is_used(tmp_path: Path) -> None:
    good, drifting = report([comparison(WEBGL)]), report([comparison(WEBGL, 2 * LIMIT)])
    made = _check(tmp_path, KNOWN, {"m": good, "n": drifting})
    assert made.passed and made.findings == ()
    assert _codes(made) == ["drift"]


def test_a_baseline_of_another_model_leaves_what_was_measured_and_is_an_error(tmp_path: Path) -> None:
    from pycheck.checks import accept

    good = report([comparison(CPU)])
    before = _check(tmp_path, "", {"m": good, "n": good})
    accept(before, plan(tmp_path / "pycheck.toml", {}))
    fewer = replace(good, inputs=replace(good.inputs, sample_count=3))
    made = _check(tmp_path, "", {"m": fewer, "n": good})
    assert [each.name for each in made.reports] == ["m", "n"]
    (failure,) = made.failures
    assert (failure.name, failure.exit_code, made.verdict) == ("m", 2, Verdict.ERROR)
    assert "made with different inputs" in failure.message
    assert "pycheck baseline update m" in failure.advice


def test_the_progress_of_each_variant_is_shown_with_what_runs_now() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with MatrixProgress({"m": 2, "n/float16": 2}, console) as progress:
        progress.observe("m", str(CPU), "starting", 0, 48)
        progress.observe("m", str(FIREFOX), "running", 24, 48)
        progress.observe("m", str(CPU), "ok", 48, 48)
        progress._progress.refresh()
        progress.observe("n/float16", "", "failed", 0, 0)
        progress._progress.refresh()
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "firefox:webgl 24/48" in shown
    assert "1/2" in shown
    assert "waiting" in shown
    assert "failed" in shown


@pytest.mark.parametrize(
    ("error", "code"), [(IndexError("tuple index out of range"), 70), (OSError(28, "No space"), 2)]
)
def test_whatever_one_model_does_the_others_are_judged(tmp_path: Path, error: Exception, code: int) -> None:
    made = _check(tmp_path, "", {"m": error, "n": report([comparison(CPU)])})
    assert [each.name for each in made.reports] == ["n"]
    (failure,) = made.failures
    assert (failure.name, failure.exit_code) == ("m", code)
    assert (made.verdict, check_exit_code(made)) == (Verdict.ERROR, code)
    assert "IndexError: tuple index out of range" in failure.message or code == 2
