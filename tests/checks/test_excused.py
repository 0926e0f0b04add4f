"""A failure that the configuration excuses stays failed, is told as excused with the reason, and fails nothing."""

from __future__ import annotations

import datetime
import html
import json
from xml.etree import ElementTree

import pytest

from pycheck.diagnosis.linking import explains_output
from pycheck.gate import check_exit_code, decide_check, exit_code
from pycheck.gate.policy import Known, Selector, apply
from pycheck.report import CHECK_FORMATS, FORMATS, render, render_check, view
from pycheck.report.check_terminal import render_check as render_check_terminal
from pycheck.report.check_view import headline, rows
from pycheck.report.github import render_annotations
from pycheck.report.json import report_from_dict, report_to_dict
from pycheck.report.terminal import render_terminal
from pycheck.types import CheckReport, Report, RuntimeId, Verdict

from .made import CPU, FIREFOX, LIMIT, WEBGL, comparison, report

TODAY = datetime.date(2026, 7, 1)
KNOWN = Known("drift", "a bug of theirs", TODAY, Selector(), "pycheck.toml:9")
REASON = "known until 2026-07-01: a bug of theirs"


def excused(*known: Known, **severity: str) -> Report:
    made = report([comparison(CPU), comparison(WEBGL, 2 * LIMIT)], failed=[FIREFOX])
    levels = {"runtime-unavailable": "warn", **severity}
    return apply(made, (), explains=explains_output, severity=levels, known=known, today=TODAY).report


def check(*reports: Report) -> CheckReport:
    return CheckReport("0.1.0", "pycheck.toml", reports, (), decide_check(reports), 1.0)


def test_what_is_excused_stays_failed_and_fails_nothing() -> None:
    found = excused(KNOWN)
    drifted = next(c for c in found.comparisons if c.candidate == WEBGL)
    assert (drifted.passed, drifted.drifted, drifted.failed) == (False, True, False)
    assert drifted.excused == REASON
    firefox = next(r for r in found.runtimes if r.id == FIREFOX)
    assert (firefox.status, firefox.failed) == ("unavailable", False)
    assert firefox.excused == "the severity of runtime-unavailable is set to warn"
    assert found.verdict is Verdict.PASS
    assert exit_code(found) == check_exit_code(check(found)) == 0


def test_what_is_not_excused_beside_it_still_fails() -> None:
    made = report([comparison(CPU, introduced=1), comparison(WEBGL, 2 * LIMIT)])
    found = apply(made, (), explains=explains_output, severity={}, known=[KNOWN], today=TODAY).report
    assert [c.failed for c in found.comparisons[1:]] == [True, False]
    assert found.verdict is Verdict.NAN_DIVERGENCE
    assert view.headline(found) == "chromium:cpu gives NaN or infinity, Python does not"


def test_the_headline_names_the_excused_in_the_order_of_the_report() -> None:
    runtimes = [RuntimeId(engine, kind) for engine in ("webkit", "firefox", "chromium") for kind in ("wasm", "webgl")]
    made = report([comparison(runtime, 2 * LIMIT) for runtime in runtimes])
    found = apply(made, (), explains=explains_output, severity={}, known=[KNOWN], today=TODAY).report
    assert view.headline(found).startswith("webkit:wasm, webkit:webgl and 4 more fail and are excused")


def test_the_headline_and_the_cells_say_which_runtimes_are_excused() -> None:
    found = excused(KNOWN)
    assert view.headline(found).startswith("chromium:webgl fails and is excused; chromium:cpu agrees with Python")
    cells = {cell.runtime: cell for cell in view.cells(found)}
    assert cells["chromium:webgl"].text == "excused 5x"
    assert not any(cell.failed for cell in cells.values())


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("reason", [REASON, "the severity of drift is set to off"])
def test_every_report_tells_the_reason(kind: str, reason: str) -> None:
    found = excused(KNOWN) if reason == REASON else excused(drift="off")
    text = " ".join(html.unescape(render(found, kind)).split())
    assert "excused" in text
    assert reason in text
    if kind != "json":
        assert "the severity of runtime-unavailable is set to warn" in text


def test_the_terminal_tells_the_reason_below_the_table() -> None:
    text = " ".join(render_terminal(excused(KNOWN)).split())
    assert f"y on chromium:webgl fails and is excused: {REASON}" in text


def test_junit_skips_it_with_the_reason_as_pytest_does_an_expected_failure() -> None:
    root = ElementTree.fromstring(render(excused(KNOWN), "junit"))
    assert (root.get("failures"), root.get("errors"), root.get("skipped")) == ("0", "0", "2")
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}
    skipped = cases["m chromium:webgl", "y"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == f"excused: {REASON}"
    assert "limit used 5x RMS" in (skipped.text or "")
    assert cases["m firefox:webgl", "runtime"].find("skipped") is not None
    assert cases["m chromium:cpu", "y"].find("skipped") is None


def test_github_gets_a_notice() -> None:
    notices = [line for line in render_annotations(excused(KNOWN)).splitlines() if line.startswith("::notice")]
    assert notices[0] == f"::notice title=pycheck%3A m::y on chromium:webgl fails and is excused: {REASON}"
    assert len(notices) == 2


def test_it_is_in_json_and_read_back() -> None:
    found = excused(KNOWN)
    data = report_to_dict(found)
    row = next(c for c in data["comparisons"] if c["candidate"] == "chromium:webgl")
    assert (row["passed"], row["excused"]) == (False, REASON)
    assert report_from_dict(json.loads(json.dumps(data))) == found
    for older in (*data["comparisons"], *data["runtimes"]):
        older.pop("excused")
    assert not any(c.excused for c in report_from_dict(data).comparisons)


def test_a_check_of_nothing_but_excused_failures_passes_and_says_so() -> None:
    made = check(excused(KNOWN), excused(drift="warn"))
    assert made.verdict is Verdict.PASS
    first, second = rows(made)
    assert [cell.text for cell in first.cells] == ["pass", "known", "excused"]
    assert [cell.text for cell in second.cells] == ["pass", "excused", "excused"]
    assert headline(made).endswith("except 1 known and 3 excused")
    assert "excused: fails, but its severity is warn or off in the configuration" in " ".join(
        render_check_terminal(made).split()
    )


@pytest.mark.parametrize("kind", CHECK_FORMATS)
def test_every_report_of_a_check_says_excused(kind: str) -> None:
    assert "excused" in render_check(check(excused(KNOWN)), kind)
