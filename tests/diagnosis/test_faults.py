"""What is known of an artifact before it runs is told once, and is the cause of what fails on every backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pycheck.comparison import measure, summarize
from pycheck.diagnosis import diagnose
from pycheck.diagnosis.faults import without_traced
from pycheck.gate import assess
from pycheck.types import (
    NATIVE_FLOAT32,
    ArtifactFault,
    ArtifactInfo,
    Environment,
    Evidence,
    Finding,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
)

CPU, WEBGL, WASM, WEBGPU = (RuntimeId("chromium", kind) for kind in ("cpu", "webgl", "wasm", "webgpu"))
GROUPS = ArtifactFault("conv", "Conv2D", "tfjs-layers ignores groups", "Convert it.", "groups=2")
CAST = ArtifactFault("to_bool", "Cast", "truncates a number to a byte", "Use x != 0.", backends=("wasm",), broken=True)
GIVEN = ArtifactInfo(Path("a"), "layers", "none", 1, "", "given with --tfjs-model", (), (), {}, {})


def found(
    *faults: ArtifactFault, errors: dict[RuntimeId, str | None], artifact: ArtifactInfo = GIVEN
) -> dict[str, list[Finding]]:
    records = [
        RuntimeRecord(
            r, RuntimeStatus.FAILED if error else RuntimeStatus.OK, None, {}, f"{r}: {error}" if error else None
        )
        for r, error in errors.items()
    ]
    records.append(RuntimeRecord(NATIVE_FLOAT32, RuntimeStatus.OK, None, {}))
    findings: dict[str, list[Finding]] = {}
    for finding in diagnose((), runtimes=records, artifact=artifact, evidence=Evidence(faults=faults)):
        findings.setdefault(finding.code, []).append(finding)
    return findings


def test_the_same_failure_on_every_backend_is_the_artifacts_with_its_cause_and_cure_once() -> None:
    findings = found(GROUPS, errors=dict.fromkeys((CPU, WEBGL, WASM), "Shape mismatch: [5] vs. [2]"))
    (cause,), (symptom,) = findings["artifact-unsupported"], findings["runtime-failed"]
    assert cause.severity is Severity.ERROR
    assert cause.summary.startswith("conv (Conv2D, groups=2): tfjs-layers ignores groups. ")
    assert cause.summary.endswith("the cause of the failure on chromium:cpu, chromium:webgl and chromium:wasm.")
    assert cause.advice == "Convert it."
    assert "in the artifact" in symptom.summary and symptom.summary.endswith(": Shape mismatch: [5] vs. [2]")
    assert (symptom.advice, symptom.explained_by) == ("", ("artifact-unsupported",))


def test_faults_that_the_same_advice_mends_are_one_finding() -> None:
    dilation = replace(GROUPS, name="wide", fault="tfjs-layers ignores dilation_rate", given="dilation_rate=2")
    wasm_only = replace(CAST, broken=False)
    errors = dict.fromkeys((CPU, WEBGL, WASM), "Shape mismatch: [5] vs. [2]")
    both, other = found(GROUPS, dilation, wasm_only, errors=errors)["artifact-unsupported"]
    assert both.summary.startswith(
        "conv (Conv2D, groups=2): tfjs-layers ignores groups; wide (Conv2D, dilation_rate=2): tfjs-layers ignores "
        "dilation_rate. "
    )
    assert "2 of 3 faults" in both.summary and "chromium:cpu, chromium:webgl and chromium:wasm" in both.summary
    assert both.advice == "Convert it."
    assert "one of 3 faults" in other.summary and "the failure on chromium:wasm" in other.summary


def missing(backend: str, *operations: str, cure: str = "Use another backend for this model.") -> list[ArtifactFault]:
    text = f"TF.js's {backend} backend has no kernel for"
    return [ArtifactFault(op.lower(), op, f"{text} {op}", cure, backends=(backend,), lacking=True) for op in operations]


def test_all_kernels_that_a_backend_lacks_are_one_cause_with_one_advice() -> None:
    again = replace(missing("wasm", "Real")[0], name="real_1")
    findings = found(*missing("wasm", "RFFT", "Real"), again, errors={CPU: None, WASM: "no kernel for Complex"})
    (cause,), (symptom,) = findings["artifact-unsupported"], findings["runtime-failed"]
    assert cause.summary.startswith(
        "rfft (RFFT) and real and real_1 (Real): TF.js's wasm backend has no kernel for RFFT and Real. "
    )
    assert cause.summary.endswith("the cause of the failure on chromium:wasm.")
    assert cause.runtimes == (WASM,) and cause.evidence["places"] == ["rfft", "real", "real_1"]
    assert (symptom.advice, symptom.explained_by) == ("", ("artifact-unsupported",))


def test_kernels_that_two_backends_lack_each_explain_their_own_backend() -> None:
    faults = [*missing("wasm", "RFFT", "Real"), *missing("webgpu", "Unique")]
    errors = {CPU: None, WASM: "no kernel for RFFT", WEBGPU: "no kernel for Unique"}
    first, second = found(*faults, errors=errors)["artifact-unsupported"]
    assert "no kernel for RFFT and Real. " in first.summary
    assert first.summary.endswith("the cause of the failure on chromium:wasm.")
    assert "no kernel for Unique. " in second.summary
    assert second.summary.endswith("the cause of the failure on chromium:webgpu.")


def test_so_many_missing_operations_are_named_and_counted_where_they_are() -> None:
    faults = missing("wasm", *(f"Op{number}" for number in range(7)))
    (cause,) = found(*faults, errors={WASM: "no kernel"})["artifact-unsupported"]
    assert cause.summary.startswith("op0 (Op0), op1 (Op1), op2 (Op2), op3 (Op3), op4 (Op4) and 2 more: ")
    assert "no kernel for Op0, Op1, Op2, Op3, Op4, Op5 and Op6." in cause.summary


def test_broken_kernels_of_two_backends_that_fail_each_explain_their_own() -> None:
    other = replace(CAST, name="tile", op="Tile", fault="gives zeros", backends=("webgl",))
    first, second = found(CAST, other, errors={CPU: None, WASM: "it said no", WEBGL: "it said so"})["broken-kernel"]
    assert first.severity is second.severity is Severity.ERROR
    assert first.summary.endswith("the cause of the failure on chromium:wasm.")
    assert second.summary.endswith("the cause of the failure on chromium:webgl.")


@pytest.mark.parametrize(("given", "cure"), [(True, "pycheck convert MODEL"), (False, "a different --format")])
def test_where_no_cause_is_known_that_is_said_with_the_message(given: bool, cure: str) -> None:
    artifact = GIVEN if given else replace(GIVEN, reason="")
    (only,) = found(errors=dict.fromkeys((CPU, WEBGL), "it said no"), artifact=artifact)["runtime-failed"]
    assert "it said no" in only.summary
    assert "No cause is known" in only.advice and cure in only.advice and "doctor" not in only.advice


def test_the_other_format_is_not_advised_where_tfjs_layers_cannot_take_the_model() -> None:
    artifact = replace(GIVEN, format="graph", reason="tfjs-layers cannot take it: a SavedModel has no Keras layers")
    (only,) = found(errors=dict.fromkeys((CPU, WEBGL), "it said no"), artifact=artifact)["runtime-failed"]
    assert "--format" not in only.advice and "replace the operation" in only.advice


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ({CPU: "it said no", WEBGL: "it said no", WASM: None}, [(CPU, WEBGL)]),
        ({CPU: "it said no", WEBGL: "it said yes"}, [(CPU,), (WEBGL,)]),
        ({CPU: "the page crashed", WEBGL: "the page crashed"}, [(CPU, WEBGL)]),
        ({CPU: "out of memory", WEBGL: "out of memory"}, [(CPU, WEBGL)]),
        ({WEBGL: "it said no"}, [(WEBGL,)]),
    ],
)
def test_only_what_every_backend_says_alike_is_the_artifacts(
    errors: dict[RuntimeId, str | None], told: list[tuple[RuntimeId, ...]]
) -> None:
    findings = found(errors=errors)["runtime-failed"]
    assert [finding.runtimes for finding in findings] == told
    assert not any("artifact" in finding.summary for finding in findings)


def test_where_nothing_fails_it_is_a_warning_and_a_kernel_that_showed_nothing_is_information() -> None:
    findings = found(GROUPS, CAST, errors={CPU: None, WASM: None})
    assert findings["artifact-unsupported"][0].severity is Severity.WARNING
    assert findings["broken-kernel"][0].severity is Severity.INFO
    assert findings["broken-kernel"][0].runtimes == (WASM,)
    assert "cause" not in findings["artifact-unsupported"][0].summary


def test_a_kernel_that_the_cpu_ran_instead_is_not_told() -> None:
    environment = Environment("tfjs 4.22.0", float_bits=32, cpu_kernels=("Cast",))
    records = [RuntimeRecord(WASM, RuntimeStatus.OK, environment, {})]
    assert diagnose((), runtimes=records, artifact=GIVEN, evidence=Evidence(faults=(CAST,))) == ()


def test_a_kernel_of_a_backend_that_was_not_asked_for_is_not_told() -> None:
    assert "broken-kernel" not in found(CAST, errors={CPU: None, WEBGL: None})


def test_the_same_fault_in_many_places_is_told_once_with_the_first_names() -> None:
    faults = [replace(GROUPS, name=f"conv_{number}") for number in range(8)]
    (told,) = found(*faults, errors={CPU: None})["artifact-unsupported"]
    assert told.summary.startswith("conv_0, conv_1, conv_2, conv_3, conv_4 and 3 more (Conv2D, groups=2):")


def test_a_fault_of_all_backends_does_not_explain_what_one_alone_does() -> None:
    findings = found(GROUPS, errors={CPU: None, WASM: "it said no"})
    assert findings["artifact-unsupported"][0].severity is Severity.WARNING
    assert "cause" not in findings["artifact-unsupported"][0].summary
    assert "artifact-unsupported" not in findings["runtime-failed"][0].advice


@pytest.mark.parametrize("said", ["RFFT", "Complex, which this model needs\nRemove this runtime"])
def test_a_missing_kernel_explains_its_backend_although_another_one_differs(said: str) -> None:
    missing = ArtifactFault("rfft", "RFFT", "TF.js's wasm backend has no kernel for RFFT", "Use cpu.", "", ("wasm",))
    expected = np.linspace(1.0, 2.0, 40).reshape(4, 10)
    measured = measure(expected * 1.1, expected, expected, start=0, precision_bits=32)
    rows = assess(
        [summarize(measured, tensor="y", reference=NATIVE_FLOAT32, candidate=WEBGL, class_reference=NATIVE_FLOAT32)]
    )
    records = [
        RuntimeRecord(WEBGL, RuntimeStatus.OK, None, {}),
        RuntimeRecord(WASM, RuntimeStatus.FAILED, None, {}, f"no kernel for {said}"),
    ]
    findings = diagnose(rows, runtimes=records, artifact=GIVEN, evidence=Evidence(faults=(missing,)))
    (cause,) = [finding for finding in findings if finding.code == "artifact-unsupported"]
    (symptom,) = [finding for finding in findings if finding.code == "runtime-failed"]
    assert cause.summary.endswith("the cause of the failure on chromium:wasm.")
    assert (symptom.advice, symptom.explained_by) == ("", ("artifact-unsupported",))


def test_a_fault_of_one_backend_does_not_explain_what_others_do_too() -> None:
    (told,) = found(CAST, errors={CPU: "it said no", WASM: "it said so"})["broken-kernel"]
    assert told.severity is Severity.INFO


@pytest.mark.parametrize(("source", "left"), [("to_bool", 0), ("elsewhere", 1)])
def test_a_trace_confirms_a_known_kernel_or_clears_it(source: str, left: int) -> None:
    known = found(CAST, errors={CPU: None, WASM: "it said no"})["broken-kernel"]
    assert known[0].severity is Severity.ERROR
    traced = [Finding("broken-kernel", Severity.ERROR, "It starts there.", "", (WASM,), source)]
    kept = without_traced(known, traced)
    assert len(kept) == left
    assert all(finding.severity is Severity.INFO and "cause" not in finding.summary for finding in kept)
