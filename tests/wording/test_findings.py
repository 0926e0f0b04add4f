"""What each finding says: its summary and its advice, made by the rules from small cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from pycheck.checks import baseline
from pycheck.checks.accepting import accept
from pycheck.checks.budgets import judge
from pycheck.checks.configuration import BaselineSettings
from pycheck.checks.judging import unused
from pycheck.diagnosis import diagnose
from pycheck.diagnosis.codes import CODES
from pycheck.diagnosis.explanations import NATIVE_RULES, RULES
from pycheck.gate import ToleranceOptions
from pycheck.gate.budgets import Budget
from pycheck.gate.policy import Selector
from pycheck.types import ChangedAnswer, Evidence, Finding, RuntimeRecord, RuntimeStatus, WorstElement

from ..checks import made
from ..diagnosis import test_accumulated as accumulated
from ..diagnosis.cases import OF_OUTPUTS, OF_RUNS, OF_SOURCES
from ..diagnosis.conftest import found, found_origin, found_source
from ..diagnosis.test_broken import VALUES
from ..diagnosis.test_broken import found as found_broken
from .trainings import OF_TRAININGS, data


def _output(code: str) -> list[Finding]:
    reference, candidates, facts = OF_OUTPUTS[code]
    given = {name: np.asarray(value, np.float32) for name, value in candidates.items()}
    return found(reference, given, **facts)[code]


def _source(code: str) -> list[Finding]:
    op, operands, expected, given, how = OF_SOURCES[code]
    return [found_source(op, operands, expected, given, **how)]


def _accumulated() -> Iterable[Finding]:
    told, output, step = accumulated.told, accumulated.output, accumulated.step
    yield from told(*accumulated.CHAIN, failing=output(2.4), backend=2.4)
    yield from told(*accumulated.CHAIN, failing=output(2.4), conversion=1.9, backend=0.5)
    yield from told(*accumulated.MILD, failing=output(1.2), conversion=0.6, backend=0.6)
    yield from told(*accumulated.MILD, failing=output(0.6, ToleranceOptions(atol={"y": 1e-9})), backend=0.6)
    yield from told(*accumulated.MILD, failing=output(3.0), backend=0.6)
    points = (step("a", "x", 0.5, 0.5), step("b", "a", np.nan, 0.0, "passes-on"))
    yield from told(*points, failing=output(np.nan), backend=np.nan)


def against_baseline() -> Iterable[Finding]:
    before = made.report([made.comparison(made.CPU, 2e-7), made.comparison(made.WEBGL, 5e-7, introduced=2)])
    after = made.report(
        [
            made.comparison(made.CPU, 9e-7, flips=2),
            made.comparison(made.WEBGL, 5e-7),
            made.comparison(made.FIREFOX),
        ],
        version="157",
        sha256="ba" * 32,
    )
    moved = replace(after, comparisons=tuple(replace(c, outputs_sha256="1" * 64) for c in after.comparisons))
    settings = BaselineSettings(Path("pycheck-baseline.toml"))
    yield from baseline.hold(moved, accept(None, [before], pycheck="0.1.0"), settings).findings
    restless = replace(before, comparisons=tuple(replace(c, outputs_sha256="1" * 64) for c in before.comparisons))
    yield from baseline.hold(restless, accept(None, [before], pycheck="0.1.0"), settings).findings


def _of_baseline(code: str) -> list[Finding]:
    return [finding for finding in against_baseline() if finding.code == code]


def _stale() -> Iterable[Finding]:
    answer = ChangedAnswer("y", 3, 3, WorstElement(0, (0,), 1.0, 2.0, "error"), "", made.CPU, 2)
    for changed in (
        answer,
        replace(answer, iteration=7, after="batches", is_restored=True),
        replace(answer, iteration=3, after="shape", is_restored=True, is_by_shape=True),
    ):
        record = RuntimeRecord(made.CPU, RuntimeStatus.OK, None, {})
        yield from diagnose((), runtimes=(record,), evidence=Evidence(changed_answers=(changed,)))


def _budgets() -> Iterable[Finding]:
    budget = Budget(Selector(), "pycheck.toml:3", 1e-7, 1e-8, 1.0, 1e-8, 0.99999, 1000)
    return judge(made.report([made.comparison(made.CPU, flips=1)]), [budget]).findings


def unused_settings() -> Iterable[Finding]:
    yield unused(Budget(Selector(), "pycheck.toml:3"))


#: For each code, findings of that code.
CASES: dict[str, Callable[[], Iterable[Finding]]] = {
    **{code: lambda code=code: [f for f in OF_RUNS[code]() if f.code == code] for code in OF_RUNS},  # type: ignore[misc]
    **{code: lambda code=code: _output(code) for code in OF_OUTPUTS},  # type: ignore[misc]
    **{code: lambda code=code: _source(code) for code in OF_SOURCES},  # type: ignore[misc]
    "accumulated-drift": _accumulated,
    "stale-state": _stale,
    "broken-kernel": lambda: [found_broken(np.zeros_like(VALUES)), found_broken(-VALUES)],
    **{
        code: lambda code=code: _of_baseline(code)  # type: ignore[misc]
        for code in ("baseline-worse", "baseline-better", "baseline-changed", "baseline-missing", "model-changed")
    },
    "budget-exceeded": _budgets,
    "setting-unused": unused_settings,
    "data-columns": lambda: [f for f in data() if f.code == "data-columns"],
    "data-type": lambda: [f for f in data() if f.code == "data-type"],
    "data-range": lambda: [f for f in data() if f.code == "data-range"],
}


def rendered(findings: Iterable[Finding]) -> str:
    """Each finding as four lines: code and severity, what it is about, its summary, its advice."""
    return "\n\n".join(
        "\n".join(
            [
                f"{finding.severity.value} {finding.code}",
                "  about: " + ", ".join(filter(None, [*map(str, finding.runtimes), finding.tensor, finding.layer])),
                f"  {finding.summary}",
                f"  advice: {finding.advice}" if finding.advice else f"  explained by: {list(finding.explained_by)}",
            ]
        )
        for finding in findings
    )


def test_each_code_has_a_case() -> None:
    trained = {finding.code for case in OF_TRAININGS.values() for finding in case()}
    assert set(CODES) <= {*CASES, *trained}


@pytest.mark.parametrize("code", CASES)
def test_of_a_code(code: str, snapshot: SnapshotAssertion) -> None:
    findings = list(CASES[code]())
    assert findings and all(finding.code == code for finding in findings)
    assert rendered(findings) == snapshot


@pytest.mark.parametrize("case", OF_TRAININGS)
def test_of_a_training(case: str, snapshot: SnapshotAssertion) -> None:
    assert rendered(OF_TRAININGS[case]()) == snapshot


def test_of_nan_that_python_introduces(snapshot: SnapshotAssertion) -> None:
    assert rendered([found_origin("Log", (0.0,), -np.inf, -np.inf)]) == snapshot


def test_causes_and_advice_of_operations(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(f"{code}: {what}. -> {advice}" for code, _, what, advice in (*RULES, *NATIVE_RULES)) == snapshot


def test_titles_and_severities_of_codes(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(f"{code}: {kind.title} ({kind.severity})" for code, kind in CODES.items()) == snapshot
