"""What several runtimes show alike of an output is told once, with all their names."""

from __future__ import annotations

import pytest

from pycheck.diagnosis.alike import told_once
from pycheck.types import Finding, RuntimeId, Severity

CPU, WEBGL, F16 = (RuntimeId("chromium", kind) for kind in ("cpu", "webgl", "webgl-f16"))


def drift(
    runtime: RuntimeId, error: str = "0.1", tensor: str = "y", code: str = "drift", advice: str = "", by: str = ""
) -> Finding:
    summary = f"{tensor} on {runtime}: RMS error {error}."
    return Finding(code, Severity.ERROR, summary, advice, (runtime,), tensor, explained_by=(by,) if by else ())


def test_findings_that_differ_in_the_runtime_alone_are_one_with_all_names() -> None:
    one, other, both = drift(CPU, "0.2"), drift(CPU, tensor="z"), (drift(CPU), drift(WEBGL), drift(F16))
    first, second, told = told_once([one, other, *both])
    assert (first, second) == (one, other)
    assert told.runtimes == (CPU, WEBGL, F16)
    assert told.summary == "y on chromium:cpu, chromium:webgl and chromium:webgl-f16: RMS error 0.1."
    assert told_once([first, second, told]) == (first, second, told)


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
    assert told_once([drift(CPU), other]) == (drift(CPU), other)


def test_sources_of_a_trace_are_never_joined() -> None:
    sources = [
        Finding("own-drift", Severity.ERROR, f"It starts at p on {r}.", "", (r,), "p", evidence={"op": "Conv2D"})
        for r in (CPU, WEBGL)
    ]
    assert told_once(sources) == tuple(sources)
