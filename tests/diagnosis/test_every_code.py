"""Every code of a comparison and a trace comes out of a rule for some evidence: none is only promised.

Those of a check and of a training come out of real ones, in tests/checks and tests/training.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pycheck.diagnosis.codes import CODES, RUNTIMES
from pycheck.types import Finding

from .cases import OF_OUTPUTS, OF_RUNS, OF_SOURCES, OF_TRACES

Find = Callable[..., dict[str, list[Finding]]]


def test_the_cases_are_of_every_code() -> None:
    assert {*OF_RUNS, *OF_TRACES, *OF_OUTPUTS, *OF_SOURCES} == {
        c for c, kind in CODES.items() if not (kind.check or kind.train)
    }


@pytest.mark.parametrize("code", OF_RUNS)
def test_a_run_gives_it(code: str) -> None:
    findings = [finding for finding in OF_RUNS[code]() if finding.code == code]
    assert findings and all(finding.summary.endswith((".", "it did")) and finding.advice for finding in findings)


@pytest.mark.parametrize("code", OF_OUTPUTS)
def test_outputs_give_it(code: str, find: Find) -> None:
    reference, candidates, facts = OF_OUTPUTS[code]
    findings = find(reference, {name: np.asarray(value, np.float32) for name, value in candidates.items()}, **facts)
    assert code in findings
    told = [bool(finding.advice) != bool(finding.explained_by) for finding in findings[code]]
    assert all(told) and all(finding.summary.endswith(".") for finding in findings[code])
    assert not any(RUNTIMES in finding.summary for given in findings.values() for finding in given)


@pytest.mark.parametrize("code", OF_SOURCES)
def test_an_operation_gives_it(code: str, source: Callable[..., Finding]) -> None:
    op, operands, expected, given, how = OF_SOURCES[code]
    finding = source(op, operands, expected, given, **how)
    assert (finding.code, finding.layer) == (code, "layer")
