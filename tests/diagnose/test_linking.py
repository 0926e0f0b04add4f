"""A symptom keeps its line and loses its advice to what explains it, and to nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from pycheck.diagnose.linking import linked
from pycheck.types import Finding, RuntimeId, Severity

CPU, WASM, WEBGL = (RuntimeId("chromium", kind) for kind in ("cpu", "wasm", "webgl"))


def finding(code: str, runtime: RuntimeId | None = WEBGL, tensor: str | None = "y", **evidence: Any) -> Finding:
    return Finding(code, Severity.ERROR, f"{code}.", "Do this.", runtime, tensor, None, evidence)


def source(code: str, point: str = "p", runtime: RuntimeId | None = WEBGL, **evidence: Any) -> Finding:
    return finding(code, runtime, point, op="Conv2D", ran_alone=True, **evidence)


def causes_of(symptom: Finding, *causes: Finding, reach: dict[str, frozenset[str]] | None = None) -> tuple[str, ...]:
    *_, last = linked([*causes, symptom], reach or {})
    assert bool(last.advice) != bool(last.explained_by)
    assert last.summary == symptom.summary
    return last.explained_by


@pytest.mark.parametrize("symptom", ["drift", "top1-flip", "nan-introduced", "nan-masked", "shape-mismatch"])
@pytest.mark.parametrize("cause", ["own-drift", "broken-kernel", "int32-precision", "resize-alignment"])
def test_a_source_explains_what_its_own_runtime_shows(symptom: str, cause: str) -> None:
    assert causes_of(finding(symptom), source(cause)) == (cause,)
    assert causes_of(finding(symptom, CPU), source(cause)) == ()


def test_a_source_explains_the_outputs_behind_it_alone() -> None:
    reach = {"p": frozenset({"y"}), "q": frozenset({"z"})}
    assert causes_of(finding("drift"), source("own-drift", "q"), reach=reach) == ()
    assert causes_of(finding("drift"), source("own-drift", "p"), reach=reach) == ("own-drift",)


def test_a_source_that_hardly_moves_an_output_explains_nothing() -> None:
    assert causes_of(finding("drift"), source("own-drift", moves_by=0.02)) == ()
    assert causes_of(finding("drift"), source("own-drift", moves_by=300.0)) == ("own-drift",)


def test_a_wrong_artifact_explains_every_runtime_and_what_they_share() -> None:
    wrong = source("conversion-drift", runtime=None)
    for symptom in (finding("drift"), finding("drift", CPU), finding("conversion-drift", None, runtimes=["a", "b"])):
        assert causes_of(symptom, wrong) == ("conversion-drift",)
    assert causes_of(finding("conversion-drift", None, runtimes=["a"]), source("own-drift")) == ()


@pytest.mark.parametrize("code", ["drift", "top1-flip", "conversion-drift", "accumulated-drift", "shape-mismatch"])
def test_swapped_outputs_explain_all_that_these_outputs_show(code: str) -> None:
    swapped = finding("output-pairing", None, None, runtimes=[str(WEBGL), str(CPU)], tensors=["y", "z"])
    symptom = finding(code, None, runtimes=[str(WEBGL)]) if code == "conversion-drift" else finding(code)
    assert causes_of(symptom, swapped) == ("output-pairing",)
    assert causes_of(finding(code, tensor="other"), swapped) == ()
    assert causes_of(finding(code, WASM), swapped) == ()


def test_a_known_fault_explains_its_own_place_in_a_trace_and_its_backends() -> None:
    fault = finding("broken-kernel", WASM, "cast", op="Cast", fault="cuts", places=["cast"], runtimes=[str(WASM)])
    assert causes_of(source("broken-kernel", "cast", WASM), fault) == ("broken-kernel",)
    assert causes_of(source("broken-kernel", "conv", WASM), fault) == ()
    assert causes_of(finding("drift", WASM), fault) == ("broken-kernel",)
    assert causes_of(finding("drift", WEBGL), fault) == ()


def test_what_float32_costs_in_python_explains_a_drift_of_the_same_output() -> None:
    floor = finding("noise-floor-high", RuntimeId("native", "float32"))
    assert causes_of(finding("drift"), floor) == ("noise-floor-high",)
    assert causes_of(finding("drift", tensor="z"), floor) == ()


def test_causes_are_listed_once_and_a_finding_never_explains_itself() -> None:
    assert causes_of(finding("drift"), source("own-drift", "a"), source("own-drift", "b")) == ("own-drift",)
    (alone,) = linked([finding("drift")])
    assert alone.advice == "Do this."
