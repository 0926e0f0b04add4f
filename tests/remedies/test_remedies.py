"""Which remedies are tried on which failure, and what is said of them, without a browser."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pycheck.errors import ConversionError
from pycheck.remedies import Trial, trials
from pycheck.remedies import trying as remedies_run
from pycheck.remedies.failure import Failure
from pycheck.remedies.trials import Trials
from pycheck.report import render
from pycheck.report.cures import cures
from pycheck.report.json import report_from_dict, report_to_dict
from pycheck.report.next_steps import next_steps
from pycheck.types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    Finding,
    PointResult,
    Remedy,
    Report,
    RuntimeId,
    Severity,
    Trace,
    TracePoint,
    Verdict,
)

from .conftest import Bench, report

WEBGL = RuntimeId("chromium", "webgl")
OUTLIER = {"largest": 1000.0, "outlier": {"value": 1000.0}}


def never(trial: Trial) -> bool:
    return False


def turns_off(*flags: str) -> Bench:
    """A NaN on WebGL that goes away with all of these flags off."""
    wanted = {(flag, "false") for flag in flags}
    return Bench(report({"chromium:webgl": "nan"}), lambda trial: wanted <= set(trial.flags))


def found(code: str, severity: Severity = Severity.WARNING, **fields: object) -> Finding:
    return Finding(code, severity, "It is so.", "Do something.", **fields)  # type: ignore[arg-type]


# --- what is tried


@pytest.mark.parametrize("flag", ["WEBGL_PACK_UNARY_OPERATIONS", "WEBGL_LAZILY_UNPACK"])
def test_the_one_flag_that_cures_is_named_and_not_the_one_that_turns_off_everything(flag: str) -> None:
    remedy = turns_off(flag).remedies()["flags"]
    assert remedy.worked
    assert remedy.options == ("--flag", f"{flag}=false")
    assert f"tf.env().set('{flag}', false);" in remedy.code


def test_two_flags_that_cure_together_are_both_named() -> None:
    remedy = turns_off("WEBGL_PACK_CLIP", "WEBGL_CONV_IM2COL").remedies()["flags"]
    assert set(remedy.options[1::2]) == {"WEBGL_PACK_CLIP=false", "WEBGL_CONV_IM2COL=false"}


def test_the_flags_of_the_operations_that_a_trace_found_are_tried_first() -> None:
    source = TracePoint("y", "ClipByValue", None, (), results=(PointResult(WEBGL, "source", None, None),))
    failed = replace(report({"chromium:webgl": "nan"}), trace=Trace(1, 0, 1, (source,), ()))
    bench = Bench(failed, lambda trial: ("WEBGL_PACK_CLIP", "false") in trial.flags)
    remedy = bench.remedies()["flags"]
    assert (remedy.options, remedy.trial_count) == (("--flag", "WEBGL_PACK_CLIP=false"), 1)


def test_a_flag_outside_of_the_family_is_tried_after_it() -> None:
    bench = turns_off("WEBGL_CPU_FORWARD")
    assert bench.remedies()["flags"].options == ("--flag", "WEBGL_CPU_FORWARD=false")


def test_flags_that_are_so_already_are_not_tried() -> None:
    bench = turns_off("WEBGL_EXP_CONV")
    assert not bench.remedies()["flags"].worked
    assert not any("WEBGL_EXP_CONV" in dict(trial.flags) for trial in bench.trials)


def test_the_fewest_kernels_that_cure_are_named_and_the_code_to_move_them_is_whole() -> None:
    cures = lambda trial: "*" in trial.cpu_kernels or "Conv2D" in trial.cpu_kernels  # noqa: E731
    remedy = Bench(report({"chromium:webgl": "nan"}), cures).remedies()["operations"]
    assert remedy.worked
    assert remedy.options == ("--cpu-kernel", "Conv2D")
    assert "function runOnCpu(" in remedy.code
    assert remedy.code.endswith("runOnCpu(tf, 'webgl', ['Conv2D']);")


@pytest.mark.parametrize("kind", ["cpu", "webgpu"])
def test_kernels_do_not_leave_a_backend_that_is_the_cpu_or_cannot_be_read(kind: str) -> None:
    assert "operations" not in Bench(report({f"chromium:{kind}": "nan"}), never).remedies()


def test_a_backend_that_ran_and_passed_is_advised_without_a_trial() -> None:
    bench = Bench(report({"chromium:cpu": "pass", "chromium:wasm": "pass", "chromium:webgl": "nan"}), never)
    remedy = bench.remedies()["backend"]
    assert (remedy.worked, remedy.trial_count) == (True, 0)
    assert remedy.options == ("--runtime", "chromium:wasm")
    assert {runtime for trial in bench.trials for runtime in trial.runtimes} == {WEBGL}


def test_where_no_other_backend_ran_they_are_tried_in_the_same_browser() -> None:
    bench = Bench(report({"firefox:webgl": "nan"}), lambda trial: trial.runtimes[0].kind == "webgpu")
    assert bench.remedies()["backend"].options == ("--runtime", "firefox:webgpu")


def test_full_textures_are_no_remedy_for_a_device_that_has_none() -> None:
    bench = Bench(report({"chromium:webgl-f16": "nan", "chromium:webgl": "pass"}), never)
    remedy = bench.remedies()["backend"]
    assert not remedy.worked
    assert all(runtime.kind != "webgl" for trial in bench.trials for runtime in trial.runtimes)


def test_an_outlier_is_clipped_as_far_out_as_passes() -> None:
    failed = report({"chromium:webgl": "nan"}, findings=(found("input-scale", tensor="x", evidence=OUTLIER),))
    remedy = Bench(failed, lambda trial: 0 < dict(trial.limits).get("x", 0) <= 146.0).remedies()["inputs"]
    assert remedy.worked
    limit = float(remedy.change.rpartition("..")[2])
    assert 146.0 / 1.2 <= limit <= 146.0
    assert f"np.clip(x, -{limit:g}, {limit:g})" in remedy.code


def test_inputs_without_an_outlier_are_scaled_as_little_as_passes() -> None:
    bench = Bench(report({"chromium:webgl": "nan"}), lambda trial: 0 < dict(trial.factors).get("x", 0) <= 0.1)
    remedy = bench.remedies()["inputs"]
    assert remedy.worked
    assert 0.083 <= float(remedy.change.rpartition(" ")[2]) <= 0.1
    assert not any(trial.limits for trial in bench.trials)


def test_inputs_stay_as_they_are_where_they_hold_nan_or_the_trouble_is_no_nan() -> None:
    nan = report({"chromium:webgl": "nan"}, findings=(found("input-nonfinite", tensor="x"),))
    assert "inputs" not in Bench(nan, never).remedies()
    assert "inputs" not in Bench(report({"chromium:webgl": "drift"}), never).remedies()


@pytest.mark.parametrize(
    ("passing", "tried"),
    [
        (("uint16", "float16", "none"), ["uint16"]),
        (("float16", "none"), ["uint16", "float16"]),
        (("none",), ["uint16", "float16", "none"]),
    ],
)
def test_a_quantized_artifact_is_made_finer_until_it_passes(
    passing: tuple[str, ...], tried: list[str], only: Callable[..., None]
) -> None:
    only("quantization")
    bench = Bench(report({"chromium:cpu": "drift"}), lambda t: t.quantize in passing, quantize="uint8")
    remedy = bench.remedies()["quantization"]
    assert remedy.options == ("--quantize", passing[0])
    assert [trial.quantize for trial in bench.trials if trial.quantize] == tried


@pytest.mark.parametrize("most_trials", [3, 32])
@pytest.mark.parametrize("whole", ["pass", "near", "nan"])
def test_that_whole_weights_need_no_limit_is_said_only_where_a_trial_has_shown_it(
    whole: str, most_trials: int, only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On webgl-f16 whole weights drift as well. Of three trials none is left for them."""

    class Near(Bench):
        async def run(self, trial: Trial) -> Report:
            self.trials.append(trial)
            ending = whole if trial.quantize == "none" else "pass" if trial.allowed else "near"
            return report({str(runtime): ending for runtime in trial.runtimes})

    only("quantization")
    monkeypatch.setattr(trials, "MOST_TRIALS", most_trials)
    bench = Near(report({"chromium:webgl-f16": "drift"}), never, quantize="uint8")
    remedy = bench.remedies()["quantization"]
    assert remedy.worked and remedy.options[:3] == ("--quantize", "float16", "--atol")
    assert "1 % of each output" in remedy.note
    assert ("--quantize none needs no limit" in remedy.note) == (whole == "pass" and most_trials == 32)


def test_a_fix_that_needs_no_wider_limit_comes_before_one_that_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(name: str, *options: str) -> remedies_run.Kind:
        async def cure(failure: Failure, trials: Trials) -> Remedy:
            gave = await trials.outcome(Trial(failure.together, format="layers"), failure.runtime)
            return failure.remedy(name, name, gave, trial_count=1, options=options)

        return remedies_run.Kind(name, lambda failure: True, cure)

    costly, plain = kind("tensors", "--keep-float", "w", "--atol", "y:0.01"), kind("format", "--format", "layers")
    monkeypatch.setattr(remedies_run, "KINDS", (costly, plain))
    bench = Bench(report({"chromium:cpu": "drift"}), lambda t: t.format == "layers")
    assert list(bench.remedies()) == ["format", "tensors"]


def test_the_graph_format_is_no_choice_where_layers_could_not_be() -> None:
    assert "format" not in Bench(report({"chromium:cpu": "nan"}, artifact_format="graph"), never).remedies()
    layers = Bench(report({"chromium:cpu": "nan"}, artifact_format="layers"), lambda t: t.format == "graph")
    assert layers.remedies()["format"].options == ("--format", "graph")


def test_what_concerns_the_model_is_run_once_for_all_that_failed() -> None:
    failed = report({"chromium:cpu": "nan", "chromium:wasm": "nan"}, artifact_format="layers")
    bench = Bench(failed, lambda trial: trial.format == "graph")
    tried = bench.tried()
    assert [trial.format for trial in bench.trials].count("graph") == 1
    assert {r.runtime.kind for r in tried.remedies if r.kind == "format" and r.worked} == {"cpu", "wasm"}


def test_an_epsilon_is_raised_where_evidence_points_at_a_layer() -> None:
    evidence = {"model": 1e-8, "artifact": 1e-8, "in_tensors": True}
    failed = report({"chromium:webgl": "nan"}, findings=(found("epsilon-mismatch", layer="norm", evidence=evidence),))
    bench = Bench(failed, lambda trial: dict(trial.epsilons).get("norm", 0) >= 1e-3)
    remedy = bench.remedies()["epsilon"]
    assert remedy.worked
    assert remedy.change == "epsilon 0.001 in norm"
    assert "compared with the unchanged model" in remedy.note
    assert "epsilon" not in Bench(report({"chromium:webgl": "nan"}), never).remedies()


def test_an_artifact_that_was_handed_over_is_held_against_one_that_is_converted_anew() -> None:
    drifted = report({"chromium:cpu": "drift"}, findings=(found("conversion-drift", Severity.ERROR, tensor="y"),))
    bench = Bench(drifted, lambda trial: trial.anew, tfjs_model=Path("web/model.json"))
    tried = bench.tried()
    (remedy,) = (r for r in tried.remedies if r.kind == "conversion")
    assert remedy.worked
    assert remedy.options == ("--format", "graph")
    assert remedy.note == "in place of web/model.json; pycheck convert writes it"
    (trial,) = (trial for trial in bench.trials if trial.anew)
    assert trial.options(bench.options).tfjs_model is None
    assert tried.findings[0].advice == (
        "This fix works: the model converted with pycheck, in the graph format, in place of web/model.json; "
        "pycheck convert writes it."
    )
    command = "pycheck compare m.keras x.npy --tfjs-model web/model.json --map-output a=y"
    (_, line) = next_steps(replace(tried, command=command))[-1]
    assert line == "pycheck compare m.keras x.npy --format graph"


def test_what_a_published_model_leaves_untried_is_told_with_the_reason() -> None:
    failed = report({"chromium:webgl": "nan"})
    published = replace(
        failed,
        model=replace(failed.model, format="tfjs"),
        artifact=replace(failed.artifact, quantization="uint8"),  # type: ignore[type-var]
    )
    bench = Bench(published, lambda trial: ("WEBGL_PACK_CLIP", "false") in trial.flags)
    tried = bench.tried()
    assert {remedy.kind for remedy in tried.remedies if remedy.after} == {"flags", "operations", "backend", "inputs"}
    assert not any(trial.converts for trial in bench.trials)
    text = " ".join(render(tried, "terminal").split())
    changes = "a finer quantization, some weights in float32, the other format"
    why = "only the model.json is given, so pycheck cannot convert it again"
    assert f"not tried: {changes}: {why}" in text
    assert "the artifact with --tfjs-model m.keras" in text
    assert f"Not tried: {changes}: {why}" in render(tried, "html")


def of_quantized(outcome: str = "drift", quantization: str = "uint8") -> Report:
    failed = report({"chromium:cpu": outcome})
    assert failed.artifact is not None
    return replace(failed, artifact=replace(failed.artifact, quantization=quantization))


@pytest.mark.parametrize(
    ("passing", "change"),
    [
        (("uint16", "float16", "none"), "weights in uint16 instead of uint8, converted with pycheck"),
        (("float16", "none"), "weights in float16 instead of uint8, converted with pycheck"),
        (("none",), "weights in float32 instead of uint8, converted with pycheck"),
    ],
)
def test_a_quantized_artifact_that_was_handed_over_is_converted_again_and_finer(
    passing: tuple[str, ...], change: str, only: Callable[..., None]
) -> None:
    only("conversion", "quantization")
    bench = Bench(of_quantized(), lambda t: t.anew and t.quantize in passing, tfjs_model=Path("web/model.json"))
    tried = bench.tried()
    finer, same = tried.remedies
    assert (finer.kind, finer.worked, finer.change) == ("quantization", True, change)
    assert finer.note == "in place of web/model.json"
    assert (same.kind, same.worked) == ("conversion", False)
    assert same.change == "the model converted with pycheck, in the graph format, with weights in uint8"
    assert all(trial.anew for trial in bench.trials)
    command = "pycheck compare m.keras x.npy --tfjs-model web/model.json --map-output=a=y"
    (_, line) = next_steps(replace(tried, command=command))[-1]
    assert line == f"pycheck compare m.keras x.npy --quantize {passing[0]}"


@pytest.mark.parametrize("wrong", ["conversion", "quantization", "both"])
def test_the_published_converter_gives_way_to_pycheck_where_it_is_the_fault(
    wrong: str, only: Callable[..., None]
) -> None:
    def passes(trial: Trial) -> bool:
        right = trial.anew or wrong == "quantization"
        return right and (trial.quantize in ("float16", "none") or wrong == "conversion")

    only("conversion", "quantization")
    bench = Bench(of_quantized(), passes, converter="tensorflowjs", quantize="uint8")
    tried = bench.tried()
    remedies = {remedy.kind: remedy for remedy in tried.remedies}
    with_pycheck, finer = remedies["conversion"], remedies["quantization"]
    assert with_pycheck.worked is (wrong != "quantization")
    assert finer.worked is (wrong == "quantization")
    assert with_pycheck.note.startswith("in place of the artifact of --converter tensorflowjs")
    for trial in bench.trials:
        assert trial.options(bench.options).converter == ("pycheck" if trial.anew else "tensorflowjs")
    command = "pycheck compare m.keras --converter tensorflowjs --quantize uint8"
    (_, line) = next_steps(replace(tried, command=command))[-1]
    assert (
        line
        == {
            "conversion": "pycheck compare m.keras --format graph --quantize uint8",
            "quantization": "pycheck compare m.keras --converter tensorflowjs --quantize float16",
            "both": "pycheck compare m.keras --format graph --quantize float16",
        }[wrong]
    )


def test_quantization_may_cost_its_share_also_where_a_runtime_gave_nothing(only: Callable[..., None]) -> None:
    """The scale of the output is the reference's."""

    class Near(Bench):
        async def run(self, trial: Trial) -> Report:
            self.trials.append(trial)
            ending = "broken" if not trial.anew else "pass" if trial.allowed else "near"
            return report({str(runtime): ending for runtime in trial.runtimes})

    only("conversion")
    row = of_quantized().comparisons[0]
    floor = replace(row, reference=NATIVE_FLOAT64, candidate=NATIVE_FLOAT32, passed=None)
    failed = replace(of_quantized("broken"), comparisons=(floor,))
    remedy = Near(failed, never, converter="tensorflowjs", quantize="uint8").remedies()["conversion"]
    assert remedy.worked
    limit = float(remedy.options[-1].removeprefix("y:"))
    assert remedy.options[:-1] == ("--format", "graph", "--quantize", "uint8", "--atol")
    assert limit == pytest.approx(0.01 * (row.reference_scale or 0.0), rel=0.05)


@pytest.mark.parametrize(
    ("before", "after", "worked"),
    [
        ("beyond", "beyond", False),
        ("beyond", "most", False),
        ("beyond", "near", True),
        ("drift", "most", True),
        ("most", "near", False),
        ("most", "pass", True),
        ("nan", "most", True),
    ],
)
def test_a_conversion_that_passes_by_a_wider_limit_counts_only_if_it_errs_clearly_less(
    before: str, after: str, worked: bool, only: Callable[..., None]
) -> None:
    """1 % of the scale is allowed: `beyond` is 1.2 % off, `most` 0.8 %, which passes as it was, `near` 0.2 %."""

    class Near(Bench):
        async def run(self, trial: Trial) -> Report:
            self.trials.append(trial)
            passes = trial.allowed and after != "beyond"
            return report({str(runtime): "pass" if passes else after for runtime in trial.runtimes})

    only("conversion")
    remedy = Near(of_quantized(before), never, tfjs_model=Path("web/model.json")).remedies()["conversion"]
    assert remedy.worked is worked
    assert ("--atol" in remedy.options) is (worked and after != "pass")


ROTATED = {"Identity_1:0": "alpha", "Identity_2:0": "mid", "Identity:0": "beta"}


def rotated(runtime: RuntimeId | None, **options: Any) -> tuple[Report, Bench]:
    """Outputs of an artifact that come crosswise, and a bench where each paired with its own passes."""
    about = (runtime,) if runtime else (RuntimeId("chromium", "cpu"), RuntimeId("chromium", "wasm"))
    pairing = found("output-pairing", Severity.ERROR, runtimes=about, evidence={"pairs": ROTATED})
    failed = report({"chromium:cpu": "drift", "chromium:wasm": "drift"}, findings=(pairing,))
    bench = Bench(failed, lambda trial: dict(trial.map_output) == ROTATED or trial.anew, **options)
    return bench.tried(), bench


def test_outputs_that_come_crosswise_are_paired_before_anything_is_converted(only: Callable[..., None]) -> None:
    only("pairing", "conversion")
    tried, bench = rotated(None, tfjs_model=Path("web/model.json"), map_output=(("Identity_3:0", "zeta"),))
    first = tried.remedies[0]
    assert (first.kind, first.worked) == ("pairing", True)
    assert first.options == tuple(word for a, m in ROTATED.items() for word in ("--map-output", f"{a}={m}"))
    trial = next(trial for trial in bench.trials if trial.map_output)
    assert trial.options(bench.options).map_output == (("Identity_3:0", "zeta"), *ROTATED.items())
    assert tried.findings == bench.failed.findings  # which say these very options
    (_, line) = next_steps(replace(tried, command="pycheck compare m.keras --tfjs-model web/model.json"))[-1]
    assert line.startswith("pycheck compare m.keras --tfjs-model web/model.json --map-output Identity_1:0=alpha")


def test_without_remedies_the_last_line_pairs_the_outputs_too() -> None:
    _, bench = rotated(None, tfjs_model=Path("web/model.json"))
    options = shlex.join(word for a, m in ROTATED.items() for word in ("--map-output", f"{a}={m}"))
    for command in ("pycheck compare m.keras --tfjs-model web", "pycheck trace m.keras --tfjs-model web"):
        (_, line) = next_steps(replace(bench.failed, command=command))[-1]
        assert line == f"{command} {options}"
    (_, line) = next_steps(replace(bench.failed, command="pycheck compare m.keras --converter tensorflowjs"))[-1]
    assert "--map-output" not in line  # which is for an artifact that is given


@pytest.mark.parametrize("options", [{"converter": "tensorflowjs"}, {}])
def test_only_the_outputs_of_an_artifact_that_was_given_can_be_paired(
    options: dict[str, Any], only: Callable[..., None]
) -> None:
    only("pairing")
    assert rotated(None, **options)[0].remedies == ()


def test_a_runtime_is_paired_as_its_own_outputs_show(only: Callable[..., None]) -> None:
    only("pairing")
    tried, _ = rotated(RuntimeId("chromium", "wasm"), tfjs_model=Path("web/model.json"))
    assert {remedy.runtime.kind for remedy in tried.remedies} == {"wasm"}


def test_a_format_that_pycheck_cannot_make_gives_way_too(only: Callable[..., None]) -> None:
    class Refusing(Bench):
        async def run(self, trial: Trial) -> Report:
            if trial.anew and trial.format is None:
                raise ConversionError("no layers model: conv: groups")
            return await super().run(trial)

    only("conversion")
    bench = Refusing(report({"chromium:cpu": "broken"}), lambda t: t.anew, converter="tensorflowjs", format="layers")
    remedy = bench.remedies()["conversion"]
    assert remedy.worked and remedy.options == ("--format", "graph")


def test_a_conversion_with_pycheck_comes_before_flags_and_is_no_remedy_for_pychecks_own(
    only: Callable[..., None],
) -> None:
    only("conversion", "flags")
    failed = report({"chromium:webgl": "drift"})
    foreign = Bench(failed, never, converter="tensorflowjs")
    foreign.tried()
    assert [trial.anew for trial in foreign.trials] == [True, *[False] * (len(foreign.trials) - 1)]
    own = Bench(failed, never)
    assert set(own.remedies()) == {"flags"}


@pytest.mark.parametrize(
    ("worked", "advice"), [(True, "This fix works: the model converted with pycheck"), (False, "Do something.")]
)
def test_what_tfjs_does_not_support_keeps_its_advice_unless_a_conversion_works(worked: bool, advice: str) -> None:
    failed = report({"chromium:cpu": "broken"}, findings=(found("artifact-unsupported", Severity.ERROR),))
    tried = Bench(failed, lambda t: worked and t.anew, tfjs_model=Path("web/model.json")).tried()
    assert tried.findings[0].advice.startswith(advice)


def test_no_weight_is_left_out_where_quantization_costs_no_more_than_it_may() -> None:
    assert "tensors" not in Bench(of_quantized("near"), never, quantize="uint8").remedies()


def test_a_runtime_that_broke_is_tried_too_and_one_that_could_not_start_is_not() -> None:
    cures = lambda trial: bool(trial.cpu_kernels)  # noqa: E731
    assert Bench(report({"chromium:wasm": "broken"}), cures).remedies()["operations"].worked
    assert Bench(report({"chromium:wasm": "pass"}), never).tried().remedies == ()


# --- bounds


def test_trials_are_counted_told_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "MOST_TRIALS", 3)
    bench = turns_off("WEBGL_PACK_CLIP", "WEBGL_CONV_IM2COL")
    remedy = bench.remedies()["flags"]
    assert remedy.worked
    assert remedy.trial_count == 3
    assert "the trials ended first" in remedy.note
    assert ("chromium:webgl", "trying flags", 3, 3) in bench.said


def test_time_that_is_up_is_told_and_nothing_is_said_to_be_cured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "MOST_SECONDS", 0.0)
    bench = turns_off("WEBGL_PACK_CLIP")
    remedy = bench.remedies()["flags"]
    assert (remedy.worked, remedy.after, bench.trials) == (False, None, [])
    assert "ended without a result" in remedy.note


def test_a_change_that_cannot_be_made_is_told_as_such() -> None:
    class Refusing(Bench):
        async def run(self, trial: Trial) -> Report:
            if trial.format:
                raise ConversionError("no layers model:\n  a: has no equal\n  b: neither")
            return await super().run(trial)

    remedy = Refusing(report({"chromium:cpu": "nan"}, artifact_format="layers"), never).remedies()["format"]
    assert not remedy.worked
    assert remedy.after is not None
    assert remedy.after.error == "no layers model: a: has no equal; b: neither"


# --- what the report then says


def cured() -> Report:
    findings = (
        found("nan-introduced", Severity.ERROR, runtimes=(WEBGL,), tensor="y"),
        found("input-scale", tensor="x", evidence=OUTLIER),
    )
    failed = report({"chromium:cpu": "pass", "chromium:webgl": "nan"}, findings=findings)
    return Bench(failed, lambda trial: ("WEBGL_PACK_CLIP", "false") in trial.flags).tried()


def test_one_change_with_a_code_for_each_backend_is_told_with_the_code_and_the_options_of_each() -> None:
    failed = report({"chromium:webgl": "nan", "chromium:wasm": "nan"})
    tried = Bench(failed, lambda trial: "Relu" in trial.cpu_kernels or trial.cpu_kernels == ("*",)).tried()
    first, second = (remedy for remedy in tried.remedies if remedy.kind == "operations")
    assert first.change == second.change and first.code != second.code
    told = [(cure.runtimes, cure.command, cure.code) for cure in cures(tried) if cure.change == first.change]
    assert told == [(str(r.runtime), shlex.join(r.options), r.code) for r in (first, second)]


def test_the_verdict_stays_that_of_the_run_without_remedies() -> None:
    assert cured().verdict is Verdict.NAN_DIVERGENCE


def test_what_worked_comes_first_with_its_numbers_before_and_after() -> None:
    remedies = cured().remedies
    assert [remedy.worked for remedy in remedies] == sorted((r.worked for r in remedies), reverse=True)
    text = " ".join(render(cured(), "terminal").split())
    assert "chromium:webgl flag WEBGL_PACK_CLIP=false effect NaN/Inf 4 -> 0, max error " in text
    assert "chromium:webgl does not help: every operation on the CPU (NaN divergence, 4 NaN/Inf" in text


def test_findings_advise_what_was_seen_to_work_and_not_what_was_seen_to_fail() -> None:
    introduced, scale = cured().findings
    assert introduced.advice == "This fix works: --flag WEBGL_PACK_CLIP=false. Do something."
    assert scale.advice.startswith("This fix was tried and does not help: ")
    assert scale.advice.endswith("This fix works: --flag WEBGL_PACK_CLIP=false.")


def test_the_last_line_is_the_comparison_with_what_cures_it() -> None:
    text = render(cured(), "terminal")
    assert text.splitlines()[-1] == "    pycheck compare m.keras x.npy --flag WEBGL_PACK_CLIP=false"


def test_what_is_left_of_a_command_is_what_still_applies() -> None:
    failed = report({"chromium:cpu": "pass", "chromium:webgl": "nan"})
    tried = Bench(failed, never).tried()
    given = "--runtime chromium:cpu --runtime chromium:webgl --layer a --trace-memory=1GiB --try-remedies"
    command = f"pycheck trace m.keras {given}"
    (_, line) = next_steps(replace(tried, command=command))[-1]
    assert shlex.split(line) == ["pycheck", "compare", "m.keras", "--runtime", "chromium:cpu"]


def test_a_failed_comparison_ends_with_the_command_that_looks_for_the_cure() -> None:
    failed = replace(report({"chromium:webgl": "nan"}), command="pycheck compare m.keras x.npy")
    assert render(failed, "terminal").splitlines()[-1] == "    pycheck trace m.keras x.npy --try-remedies"


def test_remedies_survive_the_way_through_json_and_are_in_the_page() -> None:
    tried = cured()
    assert report_from_dict(report_to_dict(tried)).remedies == tried.remedies
    page = render(tried, "html")
    assert ">Fixes</h2>" in page
    assert "tf.env().set(&#39;WEBGL_PACK_CLIP&#39;, false);" in page
