from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pycheck.types import (
    ArtifactInfo,
    Evidence,
    FaultyPart,
    Finding,
    ModelInfo,
    OutOfRangeCast,
    PairingHint,
    QuantizationNoise,
    ReferenceCheck,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Signature,
    TensorSpec,
)

Find = Callable[..., dict[str, list[Finding]]]
REFERENCE = np.random.default_rng(0).normal(size=(50, 3, 4))
BROWSERS = ("chromium:cpu", "chromium:webgl", "chromium:wasm")


def off(amount: float, seed: int = 0, noise: float = 1e-7) -> np.ndarray:
    values = REFERENCE * (1 + noise * np.random.default_rng(seed).normal(size=REFERENCE.shape))
    return (values + amount * np.sin(np.arange(REFERENCE.size)).reshape(REFERENCE.shape)).astype(np.float32)


def artifact(quantization: str) -> ArtifactInfo:
    return ArtifactInfo(Path("a"), "layers", quantization, 1, "", "", (), (), {}, {})


def test_drift_names_the_criterion_that_failed_worst_and_how_many_times(find: Find) -> None:
    finding = find(REFERENCE, {"chromium:webgl": off(0.01)})["drift"][0]
    assert finding.summary.startswith("y on chromium:webgl: RMS error 0.00707, ")
    assert "times the" in finding.summary
    assert finding.evidence["rms_error"] > finding.evidence["rms_tolerance"]


WASM = "chromium:litert-wasm"


def test_a_file_that_is_wrong_in_python_too_is_the_fault_of_the_conversion(find: Find) -> None:
    evidence = Evidence(faulty_parts={"y": {WASM: FaultyPart.FILE}})
    findings = find(REFERENCE, {WASM: off(0.01)}, evidence=evidence)
    assert set(findings) == {"drift", "conversion-drift"}
    assert "the file is wrong, not the browser" in findings["conversion-drift"][0].summary
    assert findings["drift"][0].explained_by == ("conversion-drift",)
    quantized = find(REFERENCE, {WASM: off(0.01)}, evidence=evidence, artifact=artifact("int8"))
    assert set(quantized) == {"drift", "quantization-drift"}
    assert "the file is wrong, not the browser" not in quantized["quantization-drift"][0].summary
    mixed = find(REFERENCE, {WASM: off(0.01), "chromium:litert-webgpu": off(0.0)}, evidence=evidence)
    assert [str(runtime) for runtime in mixed["conversion-drift"][0].runtimes] == [WASM]


def test_a_browser_with_a_larger_error_than_python_is_the_suspect_beside_one_with_the_error_of_the_file(
    find: Find,
) -> None:
    webgpu = "chromium:litert-webgpu"
    evidence = Evidence(faulty_parts={"y": {WASM: FaultyPart.FILE, webgpu: FaultyPart.MOSTLY_BROWSER}})
    both = {WASM: off(0.01), webgpu: off(0.5, 1)}
    for quantization in ("none", "dynamic", "int8"):
        findings = find(REFERENCE, both, evidence=evidence, artifact=artifact(quantization))
        (shared,) = findings["conversion-drift" if quantization == "none" else "quantization-drift"]
        assert [str(runtime) for runtime in shared.runtimes] == [WASM]
        (larger,) = (found for found in findings["drift"] if str(found.runtimes[0]) == webgpu)
        assert not larger.explained_by
        assert "A kernel of LiteRT.js is suspect" in (larger.advice or "")


@pytest.mark.parametrize(("part", "suspect"), [(FaultyPart.BROWSER, "LiteRT.js"), (FaultyPart.XNNPACK, "XNNPACK")])
@pytest.mark.parametrize("quantization", ["none", "float16"])
def test_a_file_that_is_right_in_python_makes_a_kernel_the_suspect(
    find: Find, part: FaultyPart, suspect: str, quantization: str
) -> None:
    both = {WASM: off(0.01), "chromium:litert-webgpu": off(0.01, 1)}
    evidence = Evidence(faulty_parts={"y": dict.fromkeys(both, part)})
    findings = find(REFERENCE, both, evidence=evidence, artifact=artifact(quantization))
    assert set(findings) == {"drift"}
    assert "the file is right" in findings["drift"][0].summary
    assert f"A kernel of {suspect} is suspect" in findings["drift"][0].advice
    (of_int8,) = find(REFERENCE, both, evidence=evidence, artifact=artifact("int8"))["drift"]
    assert "quantization step" in of_int8.advice
    (of_dynamic,) = find(REFERENCE, both, evidence=evidence, artifact=artifact("dynamic"))["drift"]
    assert "dynamic weights differ" in of_dynamic.advice


def test_one_drifting_backend_among_right_ones_is_the_suspect(find: Find) -> None:
    findings = find(REFERENCE, {"chromium:cpu": off(0.0), "chromium:webgl": off(0.01)})
    assert set(findings) == {"drift"}
    assert "Only chromium:webgl differs" in findings["drift"][0].advice


def test_browsers_that_agree_and_differ_from_python_point_at_the_conversion(find: Find) -> None:
    findings = find(REFERENCE, {name: off(0.01, seed) for seed, name in enumerate(BROWSERS)})
    assert set(findings) == {"drift", "conversion-drift"}
    (shared,) = findings["conversion-drift"]
    assert "chromium:cpu, chromium:webgl and chromium:wasm agree" in shared.summary
    assert "the artifact differs from the model, or all of these runtimes" in shared.summary
    assert shared.advice.startswith("pycheck trace tells which.")
    (drifting,) = findings["drift"]
    assert [str(runtime) for runtime in drifting.runtimes] == list(BROWSERS)
    assert drifting.summary.startswith("y on chromium:cpu, chromium:webgl and chromium:wasm: ")
    assert drifting.explained_by == ("conversion-drift",)


@pytest.mark.parametrize(("noise", "codes"), [(0.5, set()), (0.01, {"conversion-drift"})])
def test_browsers_are_not_said_to_agree_where_roundoff_alone_errs_as_much(
    find: Find, noise: float, codes: set[str]
) -> None:
    single = (REFERENCE + noise * np.cos(np.arange(REFERENCE.size)).reshape(REFERENCE.shape)).astype(np.float32)
    findings = find(REFERENCE, {name: off(0.5, seed) for seed, name in enumerate(BROWSERS)}, single=single)
    assert {"drift"} <= set(findings)
    assert set(findings) & {"conversion-drift"} == codes


def test_browsers_that_err_as_much_but_elsewhere_do_not(find: Find) -> None:
    rolled = (REFERENCE + np.roll(off(0.01) - REFERENCE, 7, axis=0)).astype(np.float32)
    assert set(find(REFERENCE, {"chromium:cpu": off(0.01), "chromium:webgl": rolled})) == {"drift"}


def test_browsers_that_err_in_the_same_places_but_the_other_way_do_not(find: Find) -> None:
    assert set(find(REFERENCE, {"chromium:cpu": off(0.01), "chromium:webgl": off(-0.01)})) == {"drift"}


def test_browsers_of_which_one_errs_twice_as_much_do_not(find: Find) -> None:
    assert set(find(REFERENCE, {"chromium:cpu": off(0.01), "chromium:webgl": off(0.02)})) == {"drift"}


def test_browsers_that_share_only_their_worst_elements_do_not(find: Find) -> None:
    everywhere = off(0.01)
    error = np.abs(everywhere - REFERENCE)
    few = np.where(error >= np.sort(error, axis=None)[-8], everywhere, REFERENCE).astype(np.float32)
    assert set(find(REFERENCE, {"chromium:cpu": everywhere, "chromium:webgl": few})) == {"drift"}


def test_one_browser_alone_says_nothing_about_the_conversion(find: Find) -> None:
    assert set(find(REFERENCE, {"chromium:cpu": off(0.01)})) == {"drift"}


def test_half_floats_that_err_by_more_than_rounding_point_inside_the_model(find: Find) -> None:
    (rounded,) = find(REFERENCE, {"chromium:webgl-f16": off(0.1)})["drift"]
    (lost,) = find(REFERENCE, {"chromium:webgl-f16": off(2.0)})["drift"]
    assert "three decimal digits" in rounded.advice
    assert "a value inside the model overflows" in lost.advice


def test_half_floats_do_not_count_for_agreement(find: Find) -> None:
    candidates = {name: off(0.01, seed) for seed, name in enumerate(BROWSERS)} | {"chromium:webgl-f16": off(0.2)}
    assert "conversion-drift" in find(REFERENCE, candidates)


def test_quantized_weights_explain_what_every_runtime_shares(find: Find) -> None:
    candidates = {name: off(0.01, seed) for seed, name in enumerate(BROWSERS)}
    findings = find(REFERENCE, candidates, artifact=artifact("uint8"))
    assert set(findings) == {"drift", "quantization-drift"}
    assert "quantized to uint8" in findings["quantization-drift"][0].summary
    advice = findings["quantization-drift"][0].advice
    assert "--atol" in advice and ":0." not in advice
    alone = find(REFERENCE, {"chromium:cpu": off(0.01)}, artifact=artifact("uint8"))["quantization-drift"][0]
    assert alone.summary.startswith("y: chromium:cpu ") and "same" not in alone.summary


@pytest.mark.parametrize("quantization", ["none", "uint8", "float16"])
def test_an_artifact_without_its_model_is_not_blamed_for_its_conversion_or_quantization(
    find: Find, quantization: str
) -> None:
    """Python runs the same weights."""
    alone = ModelInfo("web/model.json", "tfjs", "ab" * 32, Signature((), (TensorSpec("y", "float32", (None, 3, 4)),)))
    candidates = {name: off(0.01, seed) for seed, name in enumerate(BROWSERS)}
    findings = find(REFERENCE, candidates, artifact=artifact(quantization), model=alone)
    assert set(findings) == {"drift", "conversion-drift"}
    (shared,) = findings["conversion-drift"]
    assert "TF.js and Python compute this artifact differently" in shared.summary
    assert "--quantize" not in shared.advice and "--tfjs-model" in shared.advice
    assert set(find(REFERENCE, {"chromium:cpu": off(0.01)}, artifact=artifact(quantization), model=alone)) == {"drift"}


def test_a_quantized_artifact_that_passes_has_no_finding(find: Find) -> None:
    assert find(REFERENCE, {"chromium:cpu": off(0.0)}, artifact=artifact("float16")) == {}


def test_a_wrong_pairing_is_told_instead_of_a_fault_of_the_conversion(find: Find) -> None:
    candidates = {name: off(0.01, seed) for seed, name in enumerate(BROWSERS)}
    hint = PairingHint(RuntimeId.parse("chromium:cpu"), "y", "z", 0.5, 1e-7)
    findings = find(REFERENCE, candidates, pairing_hints=[hint])
    assert set(findings) == {"drift", "output-pairing"}
    assert findings["output-pairing"][0].evidence["fits"] == {"y": "z"}
    explained = {str(r): (f.explained_by, f.advice) for f in findings["drift"] for r in f.runtimes}
    assert explained.pop("chromium:cpu") == (("output-pairing",), "")
    assert all(codes == () and advice for codes, advice in explained.values())


def test_another_shape_is_an_error(find: Find) -> None:
    finding = find(REFERENCE, {"chromium:cpu": off(0.0)[:, :2]})["shape-mismatch"][0]
    assert finding.severity is Severity.ERROR
    assert "reference (3, 4), candidate (2, 4)" in finding.summary


def test_integers_that_differ_are_told_as_such(find: Find) -> None:
    labels = np.arange(4, dtype=np.int32)
    finding = find(labels, {"chromium:cpu": labels + 2}, single=labels)["drift"][0]
    assert "integers differ by up to 2 at sample 0; they must be equal" in finding.summary


def test_a_noise_floor_beyond_a_hundredth_of_the_scale_is_about_the_model(find: Find) -> None:
    single = (REFERENCE * 1.05).astype(np.float32)
    findings = find(REFERENCE, {"chromium:cpu": off(0.0)}, single=single)
    assert set(findings) == {"noise-floor-high"}
    assert "5 % of the largest value" in findings["noise-floor-high"][0].summary


def test_drift_of_a_model_that_amplifies_roundoff_is_not_blamed_on_a_backend(find: Find) -> None:
    single = (REFERENCE * 1.05).astype(np.float32)
    findings = find(REFERENCE, {"chromium:cpu": off(0.3), "chromium:webgl": off(-0.3)}, single=single)
    assert {(finding.explained_by, finding.advice) for finding in findings["drift"]} == {(("noise-floor-high",), "")}
    assert findings["noise-floor-high"][0].advice


def test_errors_come_before_warnings_and_these_before_what_is_good_to_know(find: Find) -> None:
    from pycheck.diagnosis import diagnose
    from pycheck.types import Environment, NonfiniteInput, RuntimeRecord, RuntimeStatus

    webgl, cpu = RuntimeId.parse("chromium:webgl"), RuntimeId.parse("chromium:cpu")
    findings = diagnose(
        (),
        runtimes=(
            RuntimeRecord(webgl, RuntimeStatus.OK, Environment("tfjs", software_renderer=True), {}),
            RuntimeRecord(cpu, RuntimeStatus.FAILED, None, {}),
        ),
        nonfinite_inputs=[NonfiniteInput("x", 1, 0, 1, 0, (0,), "nan")],
    )
    assert [f.severity for f in findings] == [Severity.ERROR, Severity.WARNING, Severity.INFO]


def test_an_output_without_values_is_an_error_only_if_none_has_any(find: Find) -> None:
    empty = np.zeros((0, 4))
    (alone,) = find(empty, {"chromium:cpu": empty.astype(np.float32)})["empty-output"]
    assert (alone.severity, alone.tensor) == (Severity.ERROR, "y")
    assert "empty-output" not in find(REFERENCE, {"chromium:cpu": off(0.0)})


def test_a_count_that_differs_is_told_as_a_shape_that_depends_on_values(find: Find) -> None:
    boxes = TensorSpec("y", "float32", (None, 4), has_sample_axis=False)
    model = ModelInfo("m", "saved-model", "", Signature((), (boxes,)))
    reference = np.ones((5, 4))
    (finding,) = find(reference, {"chromium:cpu": np.ones((4, 4), np.float32)}, model=model)["shape-mismatch"]
    assert "depends on values" in finding.summary
    assert "pycheck trace" in finding.advice and "--map-output" not in finding.advice


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_a_floor_of_half_floats_is_no_advice_to_normalize_inputs(find: Find, half: str) -> None:
    single = (REFERENCE * 1.05).astype(np.float32)
    findings = find(REFERENCE, {"chromium:cpu": off(0.0)}, single=single, evidence=Evidence(precision=half))
    (floor,) = findings["noise-floor-high"]
    assert f"{half} differs from float64" in floor.summary
    assert f"computes in {half} in Python" in floor.advice and "amplifies" not in floor.advice


@pytest.mark.parametrize(("other", "blamed"), [(0.0, False), (-0.3, True)])
def test_a_reference_that_one_backend_agrees_with_is_not_why_another_one_differs(
    find: Find, other: float, blamed: bool
) -> None:
    check = ReferenceCheck("the signature", "differs", "another", 0.5, 1.0)
    candidates = {"chromium:cpu": off(other), "chromium:wasm": off(0.3)}
    findings = find(REFERENCE, candidates, evidence=Evidence(reference=check))
    advice = {finding.advice for finding in findings["drift"] if "chromium:wasm" in map(str, finding.runtimes)}
    assert any("see reference-differs" in text for text in advice) == blamed


@pytest.mark.parametrize("outcome", ["differs", "random"])
@pytest.mark.parametrize(("tensors", "blamed"), [((), True), (("y", "z"), True), (("z",), False)])
def test_a_fault_of_the_reference_excuses_its_own_outputs_alone(
    find: Find, outcome: str, tensors: tuple[str, ...], blamed: bool
) -> None:
    check = ReferenceCheck("model.predict", outcome, "z", 0.5, 1.0, tensors=tensors)
    candidates = {"chromium:cpu": off(0.3), "chromium:wasm": off(0.3)}
    findings = find(REFERENCE, candidates, evidence=Evidence(reference=check))
    (shared,) = findings["conversion-drift"]
    assert shared.tensor == "y"
    assert ("see reference-differs" in shared.advice) == blamed


CAST = OutOfRangeCast("cast", None, "uint8", 3, 8, 300.0, 0, 255, ("y",), True)


@pytest.mark.parametrize(("cast", "explained"), [(CAST, True), (replace(CAST, outputs=("z",)), False)])
def test_a_cast_that_does_not_fit_explains_the_outputs_behind_it(
    find: Find, cast: OutOfRangeCast, explained: bool
) -> None:
    records = [RuntimeRecord(RuntimeId("chromium", "cpu"), RuntimeStatus.OK, None, {})]
    findings = find(REFERENCE, {"chromium:cpu": off(0.3)}, evidence=Evidence(casts=(cast,)), runtimes=records)
    (drift,), (told,) = findings["drift"], findings["cast-out-of-range"]
    assert told.severity is Severity.WARNING and "such as 300" in told.summary
    assert ("cast-out-of-range" in drift.explained_by, bool(drift.advice)) == (explained, not explained)


def test_a_cast_without_effect_is_good_to_know_and_takes_no_advice_from_others(find: Find) -> None:
    records = [RuntimeRecord(RuntimeId("chromium", "cpu"), RuntimeStatus.OK, None, {})]
    evidence = Evidence(casts=(replace(CAST, outputs=()),))
    findings = find(REFERENCE, {"chromium:cpu": off(0.3)}, evidence=evidence, runtimes=records)
    (drift,), (told,) = findings["drift"], findings["cast-out-of-range"]
    assert told.severity is Severity.INFO and "no output depends on" in told.summary
    assert drift.advice and not drift.explained_by


@pytest.mark.parametrize(("dtype", "explained"), [("uint8", False), ("int32", True)])
def test_a_number_that_all_backends_keep_is_not_why_one_differs_from_another(
    find: Find, dtype: str, explained: bool
) -> None:
    names = ("chromium:cpu", "chromium:wasm")
    records = [RuntimeRecord(RuntimeId.parse(name), RuntimeStatus.OK, None, {}) for name in names]
    evidence = Evidence(casts=(replace(CAST, dtype=dtype),))
    findings = find(REFERENCE, dict(zip(names, (off(0.0), off(0.3)), strict=True)), evidence=evidence, runtimes=records)
    (drift,) = findings["drift"]
    assert ("cast-out-of-range" in drift.explained_by) == explained


@pytest.mark.parametrize(
    ("undefined", "outputs", "explained"), [(True, ("y",), True), (False, ("y",), False), (True, ("z",), False)]
)
def test_an_undefined_cast_is_why_float32_and_float64_differ(
    find: Find, undefined: bool, outputs: tuple[str, ...], explained: bool
) -> None:
    names = ("native:float32", "chromium:cpu")
    records = [RuntimeRecord(RuntimeId.parse(name), RuntimeStatus.OK, None, {}) for name in names]
    evidence = Evidence(casts=(replace(CAST, undefined=undefined, outputs=outputs),))
    single = (REFERENCE * 1.05).astype(np.float32)
    findings = find(REFERENCE, {"chromium:cpu": off(0.0)}, single=single, evidence=evidence, runtimes=records)
    (floor,) = findings["noise-floor-high"]
    assert (floor.explained_by, bool(floor.advice)) == ((("cast-out-of-range",), False) if explained else ((), True))


def test_a_cast_in_a_loop_may_be_the_cause_where_python_gives_two_answers(find: Find) -> None:
    single = (REFERENCE * 1.05).astype(np.float32)
    check = ReferenceCheck("the signature", "differs", "y", 0.5, 1.0, tensors=("y",))
    evidence = Evidence(casts_inside={"y": ("uint8",)}, reference=check)
    findings = find(REFERENCE, {"chromium:cpu": off(0.3)}, single=single, evidence=evidence)
    for code in ("noise-floor-high", "reference-differs"):
        (told,) = findings[code]
        assert "casts floats to uint8" in told.advice and "not an established" in told.advice
        assert "roundoff" not in told.advice and "No cause is known" not in told.advice
    (drift,) = findings["drift"]
    assert "the function and the signature differ by 0.5" in drift.summary
    elsewhere = replace(evidence, casts_inside={"z": ("uint8",)})
    others = find(REFERENCE, {"chromium:cpu": off(0.3)}, single=single, evidence=elsewhere)
    assert "roundoff" in others["noise-floor-high"][0].advice
    assert "No cause is known" in others["reference-differs"][0].advice
    assert "the function and" not in others["drift"][0].summary


@pytest.mark.parametrize(("factor", "is_told"), [(1.05, True), (1.0, False)])
def test_a_drift_behind_an_undefined_cast_says_what_python_itself_differs_by(
    find: Find, factor: float, is_told: bool
) -> None:
    single = (REFERENCE * factor).astype(np.float32)
    findings = find(REFERENCE, {"chromium:cpu": off(0.3)}, single=single, evidence=Evidence(casts=(CAST,)))
    assert ("float32 and float64 differ by" in findings["drift"][0].summary) == is_told


NOISE = QuantizationNoise("y", True, largest=0.01, rms=0.005, count=400.0)


def test_what_rounding_explains_is_the_cost_of_quantization(find: Find) -> None:
    findings = find(REFERENCE, {WASM: off(0.01)}, noise=NOISE, artifact=artifact("int8"))
    assert set(findings) == {"quantization-drift"}
    (cost,) = findings["quantization-drift"]
    assert cost.severity is Severity.INFO  # 0.01 is less than 1 % of the largest value
    (larger,) = find(
        REFERENCE, {WASM: off(0.05)}, noise=replace(NOISE, largest=0.05, rms=0.02), artifact=artifact("int8")
    )["quantization-drift"]
    assert larger.severity is Severity.WARNING
    assert "Rounding explains" in cost.summary


def test_what_rounding_does_not_explain_is_in_the_file(find: Find) -> None:
    evidence = Evidence(faulty_parts={"y": {WASM: FaultyPart.FILE}})
    findings = find(REFERENCE, {WASM: off(0.05)}, noise=NOISE, evidence=evidence, artifact=artifact("int8"))
    assert set(findings) == {"drift", "conversion-drift"}
    assert "times the limit for int8 quantization" in findings["conversion-drift"][0].summary
    assert "calibration" in (findings["conversion-drift"][0].advice or "")
    browsers = {name: off(0.05) for name in BROWSERS}
    findings = find(REFERENCE, browsers, noise=replace(NOISE, is_litert=False), artifact=artifact("uint8"))
    assert set(findings) == {"drift", "conversion-drift"}


def test_a_quantization_that_ruins_the_answer_is_an_error_although_rounding_explains_it(find: Find) -> None:
    coarse = replace(NOISE, largest=0.3, rms=0.2)
    evidence = Evidence(faulty_parts={"y": {WASM: FaultyPart.FILE}})
    findings = find(REFERENCE, {WASM: off(0.5)}, noise=coarse, evidence=evidence, artifact=artifact("int8"))
    assert set(findings) == {"drift", "quantization-drift"}
    assert findings["quantization-drift"][0].severity is Severity.ERROR


def test_a_browser_that_errs_more_than_rounding_is_the_suspect(find: Find) -> None:
    evidence = Evidence(faulty_parts={"y": {WASM: FaultyPart.BROWSER}})
    findings = find(REFERENCE, {WASM: off(0.05)}, noise=NOISE, evidence=evidence, artifact=artifact("int8"))
    assert set(findings) == {"drift"}
    assert "A kernel of LiteRT.js is suspect" in findings["drift"][0].advice


def test_the_rounding_of_a_file_that_is_the_model_costs_nothing(find: Find) -> None:
    alone = ModelInfo("m.tflite", "tflite", "ab" * 32, Signature((), (TensorSpec("y", "float32", (None, 3, 4)),)))
    assert not find(REFERENCE, {WASM: off(0.01)}, noise=NOISE, artifact=artifact("int8"), model=alone)
