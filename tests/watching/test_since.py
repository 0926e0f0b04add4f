"""What changed between two answers: results by their text, findings that are new or gone, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from pycheck.errors import ModelFileError
from pycheck.report.layout import text_console
from pycheck.report.since import since, since_lines, since_of_power
from pycheck.report.since_terminal import print_answer, print_power
from pycheck.types import CheckReport, Finding, Power, Report, Severity, VariantFailure, Verdict

from ..report.conftest import drifting, failing_runtime, many_outputs, passing

PASSING, DRIFTING, MANY = passing(), drifting(), many_outputs()
WEAK = Finding("weak-comparison", Severity.WARNING, "A fault of 1 % would be noticed in none.", "Give inputs.")


def printed(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def answer(
    outcome: Report | CheckReport | ModelFileError, before: Report | CheckReport | None, verbosity: int = 0
) -> str:
    console = text_console(100)
    print_answer("21:40:03  m.keras changed, 0.8 s", outcome, before, console, verbosity=verbosity)
    return printed(console)


def check(*reports: Report, failures: tuple[VariantFailure, ...] = ()) -> CheckReport:
    verdict = Verdict.PASS if all(r.passed for r in reports) and not failures else Verdict.DRIFT
    return CheckReport("0.1.0", "pycheck.toml", reports, failures, verdict, wall_s=1.0)


def test_nothing_changed_between_equal_reports() -> None:
    assert not since(PASSING, PASSING)
    assert list(since_lines(since(PASSING, PASSING))) == ["no result and no finding changed"]


def test_a_result_that_fails_now_comes_first_with_both_words_and_shares() -> None:
    found = since(PASSING, DRIFTING)
    first, *others = found.results
    assert (first.place, first.is_worse) == ("chromium:webgl", True)
    assert str(first).startswith("pass ") and "-> DRIFT " in str(first) and str(first).endswith("x the limit")
    places = {change.place: str(change) for change in others}
    assert places["chromium:wasm"].endswith("-> does not run")
    assert places["chromium:webgl-f16"].startswith("did not run -> ")
    assert [finding.code for finding in found.new] == ["drift"] and not found.gone


def test_what_passes_again_is_better_and_its_finding_is_gone() -> None:
    found = since(DRIFTING, PASSING)
    assert found.results[0].place == "chromium:webgl" and found.results[0].is_better
    assert found.gone == ("drift",)
    assert "drift is gone" in list(since_lines(found))


def test_several_outputs_are_named_and_the_terminal_shows_some() -> None:
    worse = tuple(
        replace(c, limit_use=replace(c.limit_use, share=c.limit_use.share * (2 + n))) if c.limit_use else c
        for n, c in enumerate(MANY.comparisons)
    )
    after = replace(MANY, comparisons=worse)
    found = since(MANY, after)
    assert len(found.results) > 6 and all("boxes" in change.place for change in found.results)
    assert f"and {len(found.results) - 6} more results; -v shows all" in answer(after, MANY)
    assert "more results" not in answer(after, MANY, verbosity=1)


def test_findings_of_a_power_that_is_not_measured_yet_are_not_gone_and_come_with_it() -> None:
    power = Power(0.01, (), ())
    complete = replace(PASSING, power=power, findings=(*PASSING.findings, WEAK))
    assert not since(complete, PASSING)
    assert [f.code for f in since_of_power(None, complete).new] == ["weak-comparison"]
    assert not since_of_power(complete, complete)
    console = text_console(100)
    print_power(complete, complete, console)
    assert printed(console) == ""
    print_power(replace(PASSING, power=power), complete, console)
    assert "weak-comparison" in printed(console) and "Give inputs." in printed(console)


def test_the_first_answer_and_a_new_failure_are_whole_reports_and_others_a_few_lines() -> None:
    assert "Environment" in answer(PASSING, None)
    again = answer(PASSING, PASSING).splitlines()
    assert again[0].startswith("--- 21:40:03  m.keras changed, 0.8 s ---") and len(again) == 3
    failed = answer(DRIFTING, PASSING)
    assert "Worst elements" in failed and failed.index("Environment") < failed.index("Since the last answer")
    assert failed.count("drift  ") == answer(DRIFTING, None).count("drift  ")  # once, in the report
    assert "Environment" not in answer(DRIFTING, DRIFTING) and "Environment" not in answer(PASSING, DRIFTING)
    assert "Environment" in answer(PASSING, PASSING, verbosity=1)
    assert answer(DRIFTING, PASSING, verbosity=-1).count("\n") == 1


def test_an_error_has_its_message_and_its_advice() -> None:
    told = answer(ModelFileError("m.keras is truncated.", "Save it again."), PASSING)
    assert told.splitlines()[1:] == ["ERROR  m.keras is truncated.", "  Save it again."]


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_check_names_the_variant(name: str) -> None:
    both = {n: replace(PASSING, name=n) for n in ("a", "b")}
    before = check(*both.values())
    after = check(*(both | {name: replace(DRIFTING, name=name)}).values())
    assert since(before, after).results[0].place == f"{name}  chromium:webgl"
    assert f"{name}  chromium:webgl" in answer(after, before)


def test_a_variant_without_a_report_is_an_error() -> None:
    failure = VariantFailure("b", "b.keras is truncated.", "Save it again.", 2)
    before = check(replace(PASSING, name="a"), replace(PASSING, name="b"))
    found = since(before, check(replace(PASSING, name="a"), failures=(failure,)))
    assert ("b", "no error -> ERROR") in [(change.place, str(change)) for change in found.results]


def test_findings_of_a_check_name_their_variant_and_those_of_one_without_a_report_are_not_gone() -> None:
    good, bad = check(replace(PASSING, name="a")), check(replace(DRIFTING, name="a"))
    assert since(good, bad).new[0].summary.startswith("a: ")
    assert since(bad, good).gone == ("drift of a",)
    failure = VariantFailure("a", "a.keras is truncated.", "Save it again.", 2)
    assert since(bad, check(failures=(failure,))).gone == ()


def test_a_runtime_that_fails_is_a_result() -> None:
    assert "did not run -> NO RUN" in map(str, since(PASSING, failing_runtime()).results)
