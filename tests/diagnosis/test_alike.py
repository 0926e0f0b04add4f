"""A finding that several runtimes share is one finding with all their names, and the evidence of each."""

from __future__ import annotations

from typing import Any

import pytest

from pycheck.diagnosis.codes import RUNTIMES
from pycheck.diagnosis.linking import linked
from pycheck.types import Finding, RuntimeId, Severity, apart, together

CPU, WEBGL, F16 = (RuntimeId("chromium", kind) for kind in ("cpu", "webgl", "webgl-f16"))


def drift(
    runtime: RuntimeId,
    error: str = "0.1",
    tensor: str = "y",
    code: str = "drift",
    advice: str = "",
    by: str = "",
    **evidence: Any,
) -> Finding:
    summary = f"{tensor} on {RUNTIMES}: RMS error {error}."
    explained_by = (by,) if by else ()
    return Finding(code, Severity.ERROR, summary, advice, (runtime,), tensor, None, evidence, explained_by)


def test_findings_that_differ_in_the_runtime_alone_are_one_with_all_names() -> None:
    same = (drift(CPU), drift(WEBGL), drift(F16))
    first, second, told = linked([drift(CPU, "0.2"), drift(CPU, tensor="z"), *same])
    assert first.summary == "y on chromium:cpu: RMS error 0.2."
    assert second.summary == "z on chromium:cpu: RMS error 0.1."
    assert told.runtimes == (CPU, WEBGL, F16)
    assert told.summary == "y on chromium:cpu, chromium:webgl and chromium:webgl-f16: RMS error 0.1."
    assert linked([first, second, told]) == (first, second, told)


def test_the_evidence_of_each_runtime_is_kept() -> None:
    each = [drift(CPU, rms=0.1, floor=0.5), drift(WEBGL, rms=0.2, floor=0.5), drift(F16, rms=0.2, floor=0.5)]
    (told,) = linked(each)
    assert told.evidence == {
        "floor": 0.5,
        "by_runtime": {
            "chromium:cpu": {"rms": 0.1},
            "chromium:webgl": {"rms": 0.2},
            "chromium:webgl-f16": {"rms": 0.2},
        },
    }
    parts = apart(told)
    assert [(part.runtimes, part.evidence) for part in parts] == [(one.runtimes, one.evidence) for one in each]
    assert together(parts) == told
    assert together(parts[1:]).evidence == {"floor": 0.5, "rms": 0.2}


@pytest.mark.parametrize(
    "other",
    [
        drift(WEBGL, "0.3"),
        drift(WEBGL, tensor="z"),
        drift(WEBGL, code="top1-flip"),
        drift(WEBGL, advice="Do this."),
        drift(WEBGL, by="own-drift"),
    ],
)
def test_another_number_output_code_advice_or_cause_is_another_finding(other: Finding) -> None:
    assert [found.runtimes for found in linked([drift(CPU), other])] == [(CPU,), (WEBGL,)]


def test_sources_of_a_trace_are_never_joined() -> None:
    sources = [
        Finding("own-drift", Severity.ERROR, f"It starts at p on {r}.", "", (r,), "p", evidence={"op": "Conv2D"})
        for r in (CPU, WEBGL)
    ]
    assert linked(sources) == tuple(sources)
