"""What a migration runs, and what it decides; the runtimes are fakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.errors import ConversionError, InputsFileError, RuntimeFailedError, RuntimeUnavailableError, UsageError
from pycheck.gate import migration_exit_code
from pycheck.options.reading import build
from pycheck.options.table import LITERT_QUANTIZATIONS
from pycheck.runtimes.fake import FakeModel, Fault, drifting, giving
from pycheck.types import NATIVE_FLOAT32, Decision
from pycheck.workflow.migrating import pairs_of

from ..fakes import Fakes, dense

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
WASM, WEBGL, LITERT_WASM, LITERT_WEBGPU = (
    f"chromium:{kind}" for kind in ("wasm", "webgl", "litert-wasm", "litert-webgpu")
)


def _migrate(model: FakeModel | None = None, inputs: Any = X, **options: Any) -> pycheck.Migration:
    return pycheck.migrate(model or dense(), inputs, **options)


def _decisions(migration: pycheck.Migration) -> dict[str, Decision]:
    return {str(pair.litert): pair.decision for pair in migration.pairs}


def _off_by(share: float) -> FakeModel:
    """The model of `dense`, with outputs that are too large by this share."""
    sound = dense()
    steps = {
        name: replace(step, function=lambda *x, function=step.function: function(*x) * (1 + share))
        for name, step in sound.steps.items()
    }
    return replace(sound, steps=steps)


# --- what runs


def test_files_are_samples_that_python_makes(fakes: Fakes, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(
        "import numpy as np\ndef load(path):\n    return np.array(path.read_text().split(), np.float32)\n"
    )
    (tmp_path / "files").mkdir()
    for number, row in enumerate(X):
        (tmp_path / "files" / f"{number}.txt").write_text(" ".join(map(str, row)))
    (tmp_path / "files" / "bad.txt").write_text("x")
    migration = _migrate(inputs=tmp_path / "files", preprocess=f"{tmp_path / 'code.py'}:load")
    assert migration.decision is Decision.MOVE
    assert migration.report.inputs.sample_count == len(X)
    assert any("1 of 6 files were left out. bad.txt: " in note for note in migration.report.inputs.notes)
    with pytest.raises(InputsFileError, match=r"none of the 1 files\. bad\.txt: ValueError"):
        _migrate(inputs=[tmp_path / "files" / "bad.txt"], preprocess=f"{tmp_path / 'code.py'}:load")


def _pairs(*runtimes: str) -> list[tuple[str, str]]:
    given = {"runtimes": list(runtimes)} if runtimes else {}
    return [(str(tfjs), str(litert)) for tfjs, litert in pairs_of(build(given, environ={}, folder=Path("/")))]


@pytest.mark.parametrize(
    ("runtimes", "pairs"),
    [
        ((), [(WASM, LITERT_WASM), (WEBGL, LITERT_WEBGPU)]),
        (("chromium:cpu", "chromium:webgpu"), [("chromium:cpu", LITERT_WASM), ("chromium:webgpu", LITERT_WEBGPU)]),
        (("firefox:webgl-f16",), [("firefox:webgl-f16", "firefox:litert-webgpu")]),
        ((WEBGL, LITERT_WASM), [(WEBGL, LITERT_WASM)]),
        ((WASM, LITERT_WASM, LITERT_WEBGPU), [(WASM, LITERT_WASM), (WASM, LITERT_WEBGPU)]),
        ((LITERT_WEBGPU,), [(WEBGL, LITERT_WEBGPU)]),
        (
            (WASM, "device:pixel:webgl", LITERT_WASM),
            [(WASM, LITERT_WASM), ("device:pixel:webgl", "device:pixel:litert-webgpu")],
        ),
    ],
)
def test_each_runtime_of_tfjs_has_its_counterpart_on_the_same_engine(
    runtimes: tuple[str, ...], pairs: list[tuple[str, str]]
) -> None:
    assert _pairs(*runtimes) == pairs


def test_both_libraries_run_the_same_samples_one_at_a_time(fakes: Fakes) -> None:
    migration = _migrate()
    ran = [str(record.id) for record in migration.report.runtimes]
    assert ran[2:] == [WASM, LITERT_WASM, WEBGL, LITERT_WEBGPU]
    assert {c.element_count for c in migration.report.comparisons} == {15}
    assert all(r.timings_s["per_sample"] for r in migration.report.runtimes[2:])  # there is a batch after the first
    assert [v.quantization for v in migration.variants] == ["float16", *LITERT_QUANTIZATIONS]
    for variant in migration.variants:
        assert variant.report
        assert [str(r.id) for r in variant.report.runtimes[2:]] == [LITERT_WASM, LITERT_WEBGPU]
        assert variant.report.inputs == migration.report.inputs


def test_python_computes_before_any_page_starts(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    from pycheck.runtimes.fake import FakePage, FakeReference

    order: list[str] = []
    for kind in (FakePage, FakeReference):

        async def predict(self: Any, *args: Any, kind: Any = kind, real: Any = kind.predict, **more: Any) -> Any:
            order.append(kind.__name__)
            return await real(self, *args, **more)

        monkeypatch.setattr(kind, "predict", predict)
    _migrate()
    first = order.index("FakePage")
    assert order[:first] == ["FakeReference"] * first and set(order[first:]) == {"FakePage"}


def test_settings_for_other_commands_have_no_effect(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCHECK_QUANTIZE", "float16")
    monkeypatch.setenv("PYCHECK_TRACE", "true")
    migration = _migrate()
    assert {artifact.quantization for artifact in migration.report.artifacts} == {"none"}


def test_the_format_of_litert_is_no_format_for_tfjs(fakes: Fakes) -> None:
    with pytest.raises(UsageError, match="tflite has no effect"):
        _migrate(format="tflite")


def test_an_artifact_is_no_model_to_convert(fakes: Fakes, tmp_path: Path) -> None:
    pycheck.convert(fakes.save(tmp_path / "model.keras"), tmp_path / "web", verify=False)
    with pytest.raises(UsageError, match="already converted"):
        pycheck.migrate(tmp_path / "web" / "model.json", X)


# --- what is decided


def test_a_model_that_passes_on_every_litert_runtime_can_move(fakes: Fakes) -> None:
    migration = _migrate()
    assert migration.decision is Decision.MOVE and migration.can_move
    assert migration_exit_code(migration) == 0


@pytest.mark.parametrize(
    ("fault", "decision", "code"),
    [
        (drifting(0.5), Decision.STAY, 1),
        (giving(np.nan), Decision.STAY, 1),
        (Fault(error=RuntimeFailedError("no kernel")), Decision.STAY, 1),
        (Fault(error=RuntimeUnavailableError("no GPU"), at="start"), Decision.UNKNOWN, 3),
    ],
    ids=["drift", "nan", "failed", "unavailable"],
)
def test_a_litert_runtime_that_fails_keeps_its_pair_from_moving(
    fault: Fault, decision: Decision, code: int, fakes: Fakes
) -> None:
    fakes.break_(LITERT_WEBGPU, fault)
    migration = _migrate()
    assert _decisions(migration) == {LITERT_WASM: Decision.MOVE, LITERT_WEBGPU: decision}
    assert migration.decision is Decision.PARTLY
    assert migration_exit_code(migration) == code
    alone = _migrate(runtimes=[WEBGL])
    assert alone.decision is decision and migration_exit_code(alone) == code


def test_a_runtime_of_tfjs_that_fails_keeps_nothing_from_moving(fakes: Fakes) -> None:
    fakes.break_(WEBGL, giving(np.nan))
    migration = _migrate()
    assert migration.decision is Decision.MOVE
    assert not migration.report.passed


@pytest.mark.parametrize(
    ("refused", "library", "decision", "ran"),
    [
        ("layers", "TF.js", Decision.MOVE, [LITERT_WASM, LITERT_WEBGPU]),
        ("tflite", "LiteRT.js", Decision.STAY, [WASM, WEBGL]),
    ],
)
def test_what_a_library_cannot_convert_is_a_part_of_the_result(
    refused: str, library: str, decision: Decision, ran: list[str], fakes: Fakes
) -> None:
    fakes.refused[refused] = ConversionError("Cannot convert the model:\n  Foo (layer foo)", "Replace the layer.")
    migration = _migrate()
    (found,) = migration.unsupported
    assert (found.library, found.advice) == (library, "Replace the layer.")
    assert migration.decision is decision
    assert [str(record.id) for record in migration.report.runtimes[2:]] == ran
    assert bool(migration.variants) == (library == "TF.js")
    assert (migration.smallest is None) == (library == "LiteRT.js")


def test_a_model_that_neither_library_converts_stays(fakes: Fakes) -> None:
    fakes.refused |= {what: ConversionError(f"No {what}.") for what in ("layers", "tflite")}
    migration = _migrate()
    assert [found.library for found in migration.unsupported] == ["TF.js", "LiteRT.js"]
    assert migration.decision is Decision.STAY and migration_exit_code(migration) == 1


def test_a_model_that_python_cannot_run_has_no_result(fakes: Fakes) -> None:
    fakes.faults[NATIVE_FLOAT32] = Fault(error=RuntimeFailedError("out of memory"))
    with pytest.raises(RuntimeFailedError, match="out of memory"):
        _migrate()


# --- quantized weights


def test_the_smallest_file_that_passes_on_every_runtime_that_can_move_is_named(fakes: Fakes) -> None:
    assert _migrate().smallest == LITERT_QUANTIZATIONS[-1]
    fakes.quantized |= {quantization: _off_by(0.02) for quantization in LITERT_QUANTIZATIONS}
    migration = _migrate()
    assert [bool(v.passed) for v in migration.variants] == [True, *(False for _ in LITERT_QUANTIZATIONS)]
    assert migration.smallest == "float16"


def test_quantized_weights_may_cost_1_percent_of_an_outputs_largest_value_or_what_is_given(fakes: Fakes) -> None:
    fakes.quantized["float16"] = _off_by(0.005)
    assert _migrate().variants[0].passed
    assert not _migrate(rtol=1e-3, atol=1e-3).variants[0].passed
    fakes.quantized["float16"] = _off_by(0.02)
    migration = _migrate()
    assert not migration.variants[0].passed
    assert migration.decision is Decision.MOVE  # float32 decides


def test_a_quantization_that_cannot_be_converted_is_named(fakes: Fakes) -> None:
    fakes.refused["dynamic"] = ConversionError("Cannot quantize While (layer gru).", "Use unroll=True.")
    variants = {v.quantization: v for v in _migrate().variants}
    assert variants["dynamic"].unsupported and variants["dynamic"].report is None
    assert variants["dynamic"].unsupported.advice == "Use unroll=True."
    assert variants["float16"].passed


def test_quantized_weights_run_where_float32_ran(fakes: Fakes) -> None:
    fakes.break_(LITERT_WEBGPU, Fault(error=RuntimeFailedError("no kernel")))
    migration = _migrate()
    assert all(v.report and [str(r.id) for r in v.report.runtimes[2:]] == [LITERT_WASM] for v in migration.variants)
    assert migration.smallest == LITERT_QUANTIZATIONS[-1]
