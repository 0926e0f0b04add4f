"""The accepted release: how it is written, and what is said of another one beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pycheck.checks.accepting import accept
from pycheck.checks.baseline import hold
from pycheck.checks.baseline_file import Baseline, read, render, write
from pycheck.checks.configuration import BaselineSettings
from pycheck.errors import InputError, PycheckError, UsageError
from pycheck.types import InputsInfo, Report, Severity, Signature, TensorSpec

from .made import CPU, FIREFOX, LITERT, WEBGL, comparison, renamed, report, with_tflite

SETTINGS = BaselineSettings(Path("pycheck-baseline.toml"))


def _accepted(*reports: Report) -> Baseline:
    return accept(None, reports, pycheck="0.1.0")


def _codes(made: Report, baseline: Baseline, settings: BaselineSettings = SETTINGS) -> dict[str, Severity]:
    held = hold(made, baseline, settings)
    assert held.mismatch is None
    return {found.code: found.severity for found in held.findings}


def test_the_same_release_has_nothing_to_say() -> None:
    made = report([comparison(CPU), comparison(WEBGL, 5e-7)])
    assert _codes(made, _accepted(made)) == {}


def test_a_loss_beyond_the_margin_fails_although_it_is_within_the_tolerance() -> None:
    before, after = report([comparison(CPU, 2e-7)]), report([comparison(CPU, 5e-7)])
    assert after.passed
    (found,) = (f for f in hold(after, _accepted(before), SETTINGS).findings if f.code == "baseline-worse")
    assert found.severity is Severity.ERROR
    assert (found.runtimes, found.tensor) == ((CPU,), "y")
    assert "largest error 5e-7, was 2e-7 (2.5 times)" in found.summary
    assert "are the same" in found.advice and found.evidence["changed"] == []
    assert "baseline-worse" not in _codes(after, _accepted(before), replace(SETTINGS, margin=3.0))


def test_what_float32_itself_costs_is_no_loss() -> None:
    before, after = report([comparison(CPU, 1e-9)]), report([comparison(CPU, 9e-8)])
    assert "baseline-worse" not in _codes(after, _accepted(before))


def test_one_more_nan_is_a_loss_and_so_is_another_largest_class() -> None:
    before = report([comparison(CPU, introduced=2)])
    assert "baseline-worse" not in _codes(before, _accepted(before))
    assert "baseline-worse" in _codes(report([comparison(CPU, introduced=3)]), _accepted(before))
    flipped, whole = report([comparison(CPU, flips=1)]), report([comparison(CPU)])
    assert _codes(flipped, _accepted(whole))["baseline-worse"] is Severity.ERROR
    assert "baseline-worse" not in _codes(flipped, _accepted(whole), replace(SETTINGS, top1_margin=0.05))
    assert _codes(whole, _accepted(flipped))["baseline-better"] is Severity.INFO


def test_a_gain_is_told() -> None:
    before, after = report([comparison(CPU, 1e-6)]), report([comparison(CPU, 2e-7)])
    assert _codes(after, _accepted(before))["baseline-better"] is Severity.INFO


def test_what_changed_is_told_and_named_as_what_may_have_caused_a_loss() -> None:
    before = report([comparison(WEBGL, 2e-7)])
    after = report([comparison(WEBGL, 9e-7)], version="157")
    held = hold(after, _accepted(before), SETTINGS)
    worse, changed = (
        next(f for f in held.findings if f.code == code) for code in ("baseline-worse", "baseline-changed")
    )
    assert worse.advice.endswith(": the browser.")
    assert changed.summary.startswith("The browser changed")
    assert changed.summary.endswith(": Chromium 157, was Chromium 156 (chromium:webgl).")


def test_another_model_is_an_error_until_it_is_accepted() -> None:
    before, after = report([comparison(CPU, 2e-7)]), report([comparison(CPU, 2.1e-7)], sha256="ba" * 32)
    other = replace(after, comparisons=tuple(replace(c, outputs_sha256="1" * 64) for c in after.comparisons))
    (found,) = (f for f in hold(other, _accepted(before), SETTINGS).findings if f.code == "model-changed")
    assert found.severity is Severity.ERROR
    assert "pycheck baseline update m" in found.advice
    assert _codes(other, _accepted(other)) == {}


def test_a_model_file_that_was_only_saved_again_is_no_error() -> None:
    before = report([comparison(CPU)])
    assert _codes(report([comparison(CPU)], sha256="ba" * 32), _accepted(before)) == {"model-changed": Severity.INFO}


def test_other_bits_although_nothing_changed_are_told() -> None:
    before = report([comparison(CPU)])
    moved = tuple(replace(c, outputs_sha256="1" * 64) for c in before.comparisons)
    assert _codes(replace(before, comparisons=moved), _accepted(before)) == {"baseline-changed": Severity.INFO}


def test_what_the_baseline_lacks_is_told() -> None:
    before = report([comparison(CPU)])
    assert _codes(report([comparison(CPU), comparison(WEBGL)]), _accepted(before)) == {
        "baseline-missing": Severity.WARNING
    }
    assert _codes(renamed(before, "n"), _accepted(before)) == {"baseline-missing": Severity.WARNING}


def test_a_baseline_of_another_model_or_of_other_inputs_is_none() -> None:
    before = report([comparison(CPU)])
    other = Signature(before.model.signature.inputs, (TensorSpec("z", "float32", (None, 3)),))
    mismatch = hold(replace(before, model=replace(before.model, signature=other)), _accepted(before), SETTINGS).mismatch
    assert (
        mismatch == "The baseline of m is of a different model: its outputs were y float32 ?x10 and are z float32 ?x3."
    )
    fewer = replace(before, inputs=InputsInfo(None, "00" * 32, 8))
    assert "made with different inputs" in str(hold(fewer, _accepted(before), SETTINGS).mismatch)


# --- the file


def test_the_file_reads_back_and_has_one_fact_a_line(tmp_path: Path) -> None:
    baseline = _accepted(report([comparison(CPU), comparison(FIREFOX, introduced=1)], name='odd "name" \\ ü\x07'))
    write(tmp_path / "b.toml", baseline)
    again = read(tmp_path / "b.toml")
    assert render(again) == render(baseline) == (tmp_path / "b.toml").read_text()
    assert again.variants.keys() == baseline.variants.keys()
    lines = [line for line in render(baseline).splitlines() if line and line[0] not in "#["]
    assert all(line.count(" = ") == 1 for line in lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.toml"]


@pytest.mark.parametrize("error", [0.0, 0.25, 1.0, 120.0, 2.5e-7, 3e20])
def test_a_number_of_any_size_reads_back(tmp_path: Path, error: float) -> None:
    write(tmp_path / "b.toml", _accepted(report([comparison(CPU, error)])))
    (variant,) = read(tmp_path / "b.toml").variants.values()
    assert variant.runtimes[str(CPU)]["y"].max_abs_error == error


def test_a_new_error_changes_its_own_lines_alone() -> None:
    before = render(_accepted(report([comparison(CPU, 1.234e-7), comparison(WEBGL)]))).splitlines()
    after = render(_accepted(report([comparison(CPU, 5.678e-7), comparison(WEBGL)]))).splitlines()
    assert [line for line in after if line not in before and "digest" not in line] == [
        "max_abs_error = 5.68e-7",
        "rms_error = 1.42e-7",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 2\n", "has schema 2, but this pycheck reads 1"),
        ("", "has schema None"),
        ("<<<<<<< HEAD\n", "is not a baseline"),
        ('schema = 1\npycheck = "0.1.0"\n[variants.m]\nsamples = 1\n', "is damaged at variants.m.artifact"),
        ("schema = 1\npycheck = 3\n", "is damaged at pycheck"),
    ],
)
def test_a_file_that_is_no_baseline_of_ours_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "b.toml").write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path / "b.toml")
    assert caught.value.exit_code == 2
    assert "pycheck baseline update" in caught.value.advice


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot write"):
        write(tmp_path / "no" / "b.toml", _accepted(report([comparison(CPU)])))


def test_a_part_is_accepted_beside_what_stays() -> None:
    old = _accepted(report([comparison(CPU), comparison(WEBGL)]), report([comparison(CPU)], name="n"))
    new = accept(old, [report([comparison(CPU, 3e-7)])], pycheck="0.1.0")
    assert new.variants.keys() == {"m", "n"}
    assert new.variants["m"].runtimes.keys() >= {"chromium:cpu", "chromium:webgl"}
    assert new.variants["m"].runtimes["chromium:cpu"]["y"].max_abs_error == 3e-7


def test_a_part_on_another_browser_than_the_rest_is_refused() -> None:
    old = _accepted(report([comparison(CPU)]), report([comparison(CPU)], name="n"))
    with pytest.raises(PycheckError, match=r"n was accepted on chromium:cpu.*Chromium 156.*Chromium 157"):
        accept(old, [report([comparison(CPU)], version="157")], pycheck="0.1.0")


def test_half_floats_where_float32_was_accepted_are_a_loss_and_the_other_way_round_a_gain() -> None:
    single, half = (
        report([replace(comparison(CPU, error), precision_bits=bits)]) for error, bits in ((1e-7, 32), (2e-4, 16))
    )
    assert "baseline-worse" in _codes(half, _accepted(single))
    assert "baseline-better" in _codes(single, _accepted(half))
    assert "baseline-worse" not in _codes(report([replace(comparison(CPU, 5e-4), precision_bits=16)]), _accepted(half))


# --- LiteRT.js beside TF.js

BOTH = [comparison(CPU), comparison(LITERT)]


def test_a_tflite_file_that_changed_is_told_of_the_runtimes_that_load_it() -> None:
    before = with_tflite(report(BOTH))
    after = with_tflite(report([comparison(CPU), comparison(LITERT, 9e-7)]), sha256="fe" * 32, size_bytes=9_004)
    held = hold(after, _accepted(before), SETTINGS)
    changed = {f.evidence["fact"]: f.evidence["about"] for f in held.findings if f.code == "baseline-changed"}
    assert changed == {"tflite": [str(LITERT)], "tflite-size": [str(LITERT)]}
    (worse,) = (f for f in held.findings if f.code == "baseline-worse")
    assert worse.evidence["changed"] == ["tflite", "tflite-size"]


def test_the_library_of_a_litert_runtime_is_not_tfjs() -> None:
    before = with_tflite(report([comparison(LITERT)]), tfjs=False)
    newer = tuple(
        replace(r, environment=replace(r.environment, library="litert 3.0.0"))
        if r.environment and r.id == LITERT
        else r
        for r in before.runtimes
    )
    found = hold(replace(before, runtimes=newer), _accepted(before), SETTINGS).findings
    assert [f.evidence["fact"] for f in found if "fact" in f.evidence] == ["litert"]


def test_one_library_alone_is_compared_and_accepted_without_the_other_ones_artifact() -> None:
    whole = with_tflite(report(BOTH))
    alone = with_tflite(report([comparison(LITERT)]), tfjs=False)
    assert _codes(alone, _accepted(whole)) == {}
    kept = accept(_accepted(whole), [alone], pycheck="0.1.0").variants["m"]
    assert kept == _accepted(whole).variants["m"]
    assert (kept.artifact, kept.artifact_bytes, kept.tflite_bytes) == ("layers", 12_000, 9_000)
    of_tfjs = accept(_accepted(whole), [report([comparison(CPU)])], pycheck="0.1.0").variants["m"]
    assert of_tfjs == kept


def test_a_file_from_before_litert_is_read_and_says_nothing_of_tflite(tmp_path: Path) -> None:
    write(tmp_path / "b.toml", _accepted(report([comparison(CPU)])))
    assert "tflite" not in (tmp_path / "b.toml").read_text()
    assert _codes(with_tflite(report(BOTH)), read(tmp_path / "b.toml")) == {"baseline-missing": Severity.WARNING}
