"""A symptom keeps its line and loses its advice to what explains it, and to nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pycheck.diagnosis.linking import linked
from pycheck.types import Finding, RuntimeId, Severity

CPU, WASM, WEBGL = (RuntimeId("chromium", kind) for kind in ("cpu", "wasm", "webgl"))


Runtimes = RuntimeId | tuple[RuntimeId, ...]


def finding(code: str, runtimes: Runtimes = WEBGL, tensor: str | None = "y", **evidence: Any) -> Finding:
    about = runtimes if isinstance(runtimes, tuple) else (runtimes,)
    return Finding(code, Severity.ERROR, f"{code}.", "Do this.", about, tensor, None, evidence)


def source(code: str, point: str = "p", runtimes: Runtimes = WEBGL, **evidence: Any) -> Finding:
    return finding(code, runtimes, point, op="Conv2D", ran_alone=True, **evidence)


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


def test_what_several_runtimes_show_is_explained_where_a_source_explains_each_of_them() -> None:
    symptom = finding("nan-introduced", (WEBGL, CPU))
    assert causes_of(symptom, source("log-of-zero"), source("own-drift", runtimes=CPU)) == ("log-of-zero", "own-drift")
    assert causes_of(symptom, source("log-of-zero")) == ()


def test_a_source_explains_the_outputs_behind_it_alone() -> None:
    reach = {"p": frozenset({"y"}), "q": frozenset({"z"})}
    assert causes_of(finding("drift"), source("own-drift", "q"), reach=reach) == ()
    assert causes_of(finding("drift"), source("own-drift", "p"), reach=reach) == ("own-drift",)


def test_a_source_that_hardly_moves_an_output_explains_nothing() -> None:
    assert causes_of(finding("drift"), source("own-drift", moves_by=0.02)) == ()
    assert causes_of(finding("drift"), source("own-drift", moves_by=300.0)) == ("own-drift",)


def test_a_wrong_artifact_explains_every_runtime_and_what_they_share() -> None:
    wrong = source("conversion-drift", runtimes=())
    for symptom in (finding("drift"), finding("drift", CPU), finding("conversion-drift", (CPU, WASM))):
        assert causes_of(symptom, wrong) == ("conversion-drift",)
    assert causes_of(finding("conversion-drift", CPU), source("own-drift")) == ()


@pytest.mark.parametrize("code", ["drift", "top1-flip", "conversion-drift", "accumulated-drift", "shape-mismatch"])
def test_swapped_outputs_explain_all_that_these_outputs_show(code: str) -> None:
    swapped = finding("output-pairing", (WEBGL, CPU), None, outputs=["y", "z"])
    assert causes_of(finding(code), swapped) == ("output-pairing",)
    assert causes_of(finding(code, tensor="other"), swapped) == ()
    assert causes_of(finding(code, WASM), swapped) == ()


def test_a_known_fault_explains_its_own_place_in_a_trace_and_its_backends() -> None:
    fault = finding("broken-kernel", WASM, "cast", op="Cast", fault="cuts", places=["cast"])
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


@pytest.mark.parametrize("code", ["drift", "top1-flip", "nan-introduced", "conversion-drift", "quantization-drift"])
def test_another_epsilon_explains_the_outputs_that_the_models_own_was_seen_to_mend(code: str) -> None:
    epsilon = finding("epsilon-mismatch", (WEBGL, CPU), None, outputs=["y"])
    symptom = finding(code)
    assert causes_of(symptom, epsilon) == ("epsilon-mismatch",)
    assert causes_of(finding(code, tensor="z"), epsilon) == ()
    untried = finding("epsilon-mismatch", WEBGL, None, outputs=[])
    assert causes_of(symptom, untried) == ()


def of_layer(found: Finding, layer: str) -> Finding:
    return replace(found, layer=layer)


def test_an_epsilon_explains_its_own_layer_in_a_trace() -> None:
    differs = of_layer(finding("epsilon-mismatch", WEBGL, None, outputs=[]), "norm")
    point = source("conversion-drift", runtimes=())
    assert causes_of(of_layer(point, "norm"), differs) == ("epsilon-mismatch",)
    assert causes_of(of_layer(point, "dense"), differs) == ()
    lost = of_layer(finding("epsilon-mismatch", WEBGL, None), "norm")
    for code in ("division-by-zero", "f16-overflow", "f16-underflow"):
        assert causes_of(of_layer(source(code), "norm"), lost) == ("epsilon-mismatch",)
        assert causes_of(of_layer(source(code, runtimes=CPU), "norm"), lost) == ()
        assert causes_of(of_layer(source(code), "dense"), lost) == ()
    assert causes_of(of_layer(source("own-drift"), "norm"), lost) == ()


@pytest.mark.parametrize("code", ["drift", "top1-flip", "nan-introduced", "shape-mismatch"])
def test_an_id_that_a_table_lacks_explains_the_outputs_that_depend_on_it(code: str) -> None:
    ids = finding("ids-out-of-table", (WEBGL, CPU), "ids", outputs=["y"])
    assert causes_of(finding(code), ids) == ("ids-out-of-table",)
    assert causes_of(finding(code, tensor="z"), ids) == ()


@pytest.mark.parametrize(("said", "causes"), [("the index value -1 is not in [0, 9]", 1), ("out of memory", 0)])
def test_an_id_that_a_table_lacks_explains_that_a_backend_refused_it(said: str, causes: int) -> None:
    ids = finding("ids-out-of-table", CPU, "ids", outputs=["y"])
    failed = replace(finding("runtime-failed", CPU, None), summary=f"chromium:cpu failed: {said}")
    assert len(causes_of(failed, ids)) == causes


@pytest.mark.parametrize("code", ["nan-introduced", "nan-masked", "nonfinite-changed", "native-overflow"])
def test_inputs_that_are_not_finite_explain_what_is_not_finite_of_outputs_that_depend_on_them(code: str) -> None:
    inputs = finding("input-nonfinite", (), "x", outputs=["y"])
    runtime = RuntimeId("native", "float32") if code == "native-overflow" else WEBGL
    assert causes_of(finding(code, runtime), inputs) == ("input-nonfinite",)
    assert causes_of(finding(code, runtime, tensor="z"), inputs) == ()
    assert causes_of(finding("drift"), inputs) == ()


@pytest.mark.parametrize(("index", "changed", "causes"), [([4], 3, 1), ([4], 9, 0), ([5], 3, 0)])
def test_what_python_itself_is_not_sure_to_be_finite_explains_the_same_elements(
    index: list[int], changed: int, causes: int
) -> None:
    python = finding("native-overflow", RuntimeId("native", "float32"), sample=2, index=[4], changed=3)
    assert len(causes_of(finding("nan-introduced", sample=2, index=index, changed=changed), python)) == causes
    assert len(causes_of(finding("nan-masked", sample=2, index=index, changed=changed), python)) == causes


def test_a_weight_that_is_not_finite_explains_what_python_makes_of_it() -> None:
    weight = of_layer(finding("weight-nonfinite", (), "d/kernel", of_python=True, nan_count=1), "d")
    python = RuntimeId("native", "float32")
    assert causes_of(finding("native-nan", python), weight) == ("weight-nonfinite",)
    assert causes_of(finding("nan-masked"), weight) == ("weight-nonfinite",)
    assert causes_of(finding("nan-introduced"), weight) == ()
    origin = finding("native-nan", (), "d", op="MatMul", float32=1.0)
    assert causes_of(of_layer(origin, "d"), weight) == ("weight-nonfinite",)
    assert causes_of(of_layer(origin, "log"), weight) == ()


def test_a_weight_that_only_the_artifact_lost_explains_what_browsers_make_of_it() -> None:
    weight = of_layer(finding("weight-nonfinite", (), "d/kernel", of_python=False, infinity_count=1), "d")
    assert causes_of(finding("nan-introduced"), weight) == ("weight-nonfinite",)
    assert causes_of(finding("native-nan"), weight) == ()
    assert causes_of(of_layer(source("quantization-drift", runtimes=()), "d"), weight) == ("weight-nonfinite",)


@pytest.mark.parametrize("code", ["drift", "conversion-drift", "top1-flip"])
def test_a_model_that_gives_something_else_each_time_explains_what_its_output_shows(code: str) -> None:
    random = finding("nondeterministic", RuntimeId("artifact", "float32"), changed_count=3)
    assert causes_of(finding(code), random) == ("nondeterministic",)
    assert causes_of(finding(code, tensor="z"), random) == ()
    assert causes_of(finding(code), finding("nondeterministic", WEBGL, changed_count=3)) == ()
    assert causes_of(finding("nondeterministic", iteration=2), random) == ("nondeterministic",)


@pytest.mark.parametrize("code", ["nondeterministic", "stale-state"])
def test_an_answer_that_changed_explains_its_output_if_it_decides_the_verdict(code: str) -> None:
    changed = finding(code, iteration=2)
    for symptom in ("drift", "top1-flip", "nan-introduced", "shape-mismatch"):
        assert causes_of(finding(symptom), changed) == (code,)
    assert causes_of(finding("drift", tensor="z"), changed) == ()
    assert causes_of(finding("drift", RuntimeId("chromium", "wasm")), changed) == ()
    assert causes_of(finding("drift"), replace(changed, severity=Severity.WARNING)) == ()


@pytest.mark.parametrize("code", ["nan-introduced", "nan-masked", "nonfinite-changed", "shape-mismatch"])
def test_other_layers_explain_nan_only_where_the_artifact_gives_it_in_python(code: str) -> None:
    seen = {"outputs": ["y"], "missing": [], "extra": [], "places": []}
    assert causes_of(finding(code), finding("artifact-differs", WEBGL, None, **seen, nonfinite=["y"])) == (
        "artifact-differs",
    )
    assert causes_of(finding(code), finding("artifact-differs", WEBGL, None, **seen, nonfinite=[])) == ()
    assert causes_of(finding("drift"), finding("artifact-differs", WEBGL, None, **seen, nonfinite=[])) == (
        "artifact-differs",
    )
    assert causes_of(finding("drift", tensor="z"), finding("artifact-differs", WEBGL, None, **seen)) == ()
