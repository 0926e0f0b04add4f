"""What reports say, in every form that people read: of a run, of a training and of a check."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from syrupy.assertion import SnapshotAssertion

from pycheck.gate import decide_check
from pycheck.report import check_terminal, render, render_check
from pycheck.report.failure import failure_text
from pycheck.report.github import render_annotations, render_check_annotations
from pycheck.report.terminal import render_terminal
from pycheck.types import (
    NATIVE_FLOAT32,
    CheckReport,
    CureTrial,
    Report,
    Severity,
    Training,
    TrainingMoment,
    VariantFailure,
    Verdict,
)

from ..checks import made
from ..report.conftest import REPORTS
from .test_findings import against_baseline, unused_settings
from .trainings import VARIABLES, WEBGL, curves, origin

SHOWN = ("passing", "drifting", "with_nan", "failing_runtime", "mixed", "quantized", "explicit", "traced")


def excused() -> Report:
    """A drift that the configuration makes a warning."""
    report = REPORTS["drifting"]()
    reason = "the severity of drift is set to warn"
    comparisons = tuple(replace(c, excused=reason if c.failed else None) for c in report.comparisons)
    findings = tuple(
        replace(f, severity=Severity.WARNING) if f.severity is Severity.ERROR else f for f in report.findings
    )
    return replace(report, comparisons=comparisons, findings=findings, verdict=Verdict.PASS)


def trained() -> Report:
    """A training of which WebGL gives NaN, with a fix."""
    bad = TrainingMoment(2, "gradient", "dense/kernel")
    rows = (curves(NATIVE_FLOAT32, 2.0, 1.0, 0.5), curves(WEBGL, 2.0, 1.0, float("nan"), nonfinite=bad))
    tried = (
        CureTrial("clip", "gradients clipped to 1", "--clipnorm 1", True, True, True, {str(WEBGL): 0.25}),
        CureTrial("rate", "a tenth of the learning rate", "--optimizer sgd:0.01", False, True, False, {}, grew=True),
    )
    training = Training("sgd(0.1)", "mse", 3, 8, VARIABLES, rows, cures=tried, passes=origin("Exp"))
    return replace(
        REPORTS["passing"](),
        comparisons=(),
        findings=(),
        training=training,
        verdict=Verdict.NAN_DIVERGENCE,
        command="pycheck train model.keras data.npz",
    )


OF_RUNS: dict[str, Callable[[], Report]] = {
    **{name: REPORTS[name] for name in SHOWN},
    "excused": excused,
    "trained": trained,
}


def check() -> CheckReport:
    """Three variants: one passes, one fails, one has no report."""
    good = made.report([made.comparison(made.CPU), made.comparison(made.WEBGL)], name="sound")
    bad = made.report([made.comparison(made.CPU), made.comparison(made.WEBGL, 2 * made.LIMIT)], name="bad")
    reports = (replace(good, findings=tuple(against_baseline())), bad)
    failures = (VariantFailure("broken", "broken.keras is not a model.", "Give a model.", 2),)
    findings = tuple(unused_settings())
    verdict = decide_check(reports, failures=failures)
    return CheckReport("0.1.0", "pycheck.toml", reports, failures, verdict, 12.0, "pycheck check", findings)


def text_of(page: str) -> str:
    """The texts of a page, each once, one a line, without style, charts, numbers and evidence."""
    body = re.sub(r"<(style|svg|title|tbody|pre)\b.*?</\1>", "", page, flags=re.DOTALL)
    body = re.sub(r'<details class="fold">\s*<summary><code>.*?</details>', "", body, flags=re.DOTALL)
    pieces = (html.unescape(" ".join(piece.split())) for piece in re.sub(r"<[^>]*>", "\n", body).splitlines())
    return "\n".join(dict.fromkeys(piece for piece in pieces if piece))


FORMS: dict[str, Callable[[Report], str]] = {
    "terminal": lambda report: render_terminal(report, width=80),
    "markdown": lambda report: render(report, "markdown"),
    "junit": lambda report: render(report, "junit"),
    "failure": failure_text,
    "github": render_annotations,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", OF_RUNS)
def test_of_a_run(name: str, form: str, snapshot: SnapshotAssertion) -> None:
    assert FORMS[form](OF_RUNS[name]()) == snapshot


@pytest.mark.parametrize("name", ["with_nan", "traced", "excused", "trained"])
def test_of_a_page(name: str, snapshot: SnapshotAssertion) -> None:
    assert text_of(render(OF_RUNS[name](), "html")) == snapshot


OF_CHECK: dict[str, Callable[[CheckReport], str]] = {
    "terminal": check_terminal.render_check,
    "markdown": lambda check: render_check(check, "markdown"),
    "junit": lambda check: render_check(check, "junit"),
    "github": render_check_annotations,
}


@pytest.mark.parametrize("form", OF_CHECK)
def test_of_a_check(form: str, snapshot: SnapshotAssertion) -> None:
    assert OF_CHECK[form](check()) == snapshot
