"""What the reports of a migration show, in each format; the runtimes are fakes."""

from __future__ import annotations

import itertools
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

import pycheck
from pycheck.errors import ConversionError, RuntimeFailedError, RuntimeUnavailableError
from pycheck.report import render_migration, view, wording
from pycheck.report.html.migration import bars
from pycheck.report.json import migration_schema
from pycheck.report.migration_view import headline, next_steps, pairs, weights, weights_remarks
from pycheck.runtimes.fake import Fault, giving
from pycheck.types import Decision, Finding, Power, PowerShare, RuntimeId, RuntimeStatus, Severity

from ..conftest import Cli
from ..fakes import Fakes, dense
from ..report.test_html import Page
from ..report.test_json import valid

SCHEMA = Path(__file__).parents[2] / "docs" / "migration.schema.json"
WEBGL, LITERT_WASM, LITERT_WEBGPU = (f"chromium:{kind}" for kind in ("webgl", "litert-wasm", "litert-webgpu"))


@pytest.fixture
def model(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32))
    return fakes.save(Path("model.keras"), dense(seed=3))


@pytest.fixture(params=["sound", "nan", "unavailable", "failed", "only-litert", "only-tfjs"])
def migration(request: pytest.FixtureRequest, fakes: Fakes, model: Path) -> pycheck.Migration:
    """One of each kind of result."""
    error = ConversionError("Cannot convert the model:\n  Foo (layer <b>foo</b>)", "Replace these layers.")
    match request.param:
        case "nan":
            fakes.break_(LITERT_WEBGPU, giving(np.nan))
        case "unavailable":
            fakes.break_(LITERT_WEBGPU, Fault(error=RuntimeUnavailableError("no GPU"), at="start"))
        case "failed":
            fakes.break_(LITERT_WASM, Fault(error=RuntimeFailedError("no kernel")))
        case "only-litert":
            fakes.refused["layers"] = error
            fakes.refused["float16"] = ConversionError("No float16.", "Use dynamic.")
        case "only-tfjs":
            fakes.refused["tflite"] = error
    return pycheck.migrate(model, "x.npy")


def test_the_terminal(migration: pycheck.Migration, snapshot: SnapshotAssertion) -> None:
    records = [
        replace(r, timings_s=dict.fromkeys(r.timings_s, 0.012) | {"first_predict": 1.3, "per_sample": 0.0034})
        if r.status is RuntimeStatus.OK
        else r
        for r in migration.report.runtimes
    ]
    text = str(replace(migration, report=replace(migration.report, runtimes=tuple(records))))
    assert max(map(len, (line for line in text.splitlines() if not line.lstrip().startswith("pycheck ")))) <= 80
    assert text == snapshot


def test_json_fits_its_schema_and_has_the_headline(migration: pycheck.Migration) -> None:
    data, schema = migration.to_dict(), migration_schema()
    assert valid(data, schema["$defs"]["Migration"], schema)
    assert not valid(data | {"decision": "perhaps"}, schema["$defs"]["Migration"], schema)
    assert data == json.loads(render_migration(migration, "json"))
    assert data["headline"] == headline(migration) != ""
    assert data["report"]["inputs"]["path"] == "x.npy"


def test_the_schema_that_is_written_down_is_the_one_of_the_types() -> None:
    assert json.loads(SCHEMA.read_text()) == migration_schema(), "write it anew: python docs/make_check.py"


def test_the_page_has_all_that_the_terminal_has(migration: pycheck.Migration) -> None:
    page = Page(render_migration(migration, "html"))
    text = " ".join(page.text.split())
    assert headline(migration) in text
    for pair in pairs(migration):
        assert pair.sentence in text
        assert all(side.runtime in text and side.answers in text for side in pair.sides)
    assert all(row.weights in text for row in weights(migration))
    for found in migration.unsupported:
        assert found.message.splitlines()[1].strip() in text and found.advice in text
    assert {"script", "link", "b"}.isdisjoint(tag for tag, _ in page.tags)


def test_markdown_has_the_pairs_the_weights_and_the_obstacles(migration: pycheck.Migration) -> None:
    text = render_migration(migration, "markdown")
    assert text.count("`chromium:") >= 4
    assert ("Not supported" in text) == bool(migration.unsupported)
    assert "<b>" not in text


def test_bars_are_relative_to_the_larger_of_a_pair(fakes: Fakes, model: Path) -> None:
    fakes.break_(WEBGL, Fault(seconds_per_sample=4e-3))
    before, after = bars(pairs(pycheck.migrate(model, "x.npy"))[1])
    assert (before[3].text, after[3].text) == ("4 ms", "1 ms")
    assert before[3].width == 4 * after[3].width > 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (1.2e-4, "0.12 ms"), (0.038, "38 ms"), (0.9999, "1 s"), (12.3, "12 s")]
)
def test_times_have_the_unit_that_reads_best(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("tfjs", "litert", "said"),
    [(4e-3, 1e-3, "4 times as fast"), (1e-3, 3e-3, "3 times as long"), (1e-3, 1.05e-3, "about as fast")],
)
def test_a_pair_says_how_much_faster_or_slower_it_gets(
    tfjs: float, litert: float, said: str, fakes: Fakes, model: Path
) -> None:
    fakes.break_(WEBGL, Fault(seconds_per_sample=tfjs))
    fakes.break_(LITERT_WEBGPU, Fault(seconds_per_sample=litert))
    assert said in pairs(pycheck.migrate(model, "x.npy", runtimes=[WEBGL]))[0].sentence


def test_times_on_a_software_renderer_are_marked(fakes: Fakes, model: Path) -> None:
    migration = pycheck.migrate(model, "x.npy")
    records = [
        replace(r, environment=replace(r.environment, software_renderer=True))
        if r.environment and "web" in r.id.kind
        else r
        for r in migration.report.runtimes
    ]
    on_wasm, on_gpu = pairs(replace(migration, report=replace(migration.report, runtimes=tuple(records))))
    assert "software renderer" in on_gpu.sentence and "software renderer" not in on_wasm.sentence


def test_a_weak_test_and_warnings_count_if_they_are_about_litert(fakes: Fakes, model: Path) -> None:
    def with_power(noticed_by_tfjs: int, noticed_by_litert: int, warned: str) -> pycheck.Migration:
        shares = [
            PowerShare(p.litert if is_litert else p.tfjs, weight_count=10, noticed_count=noticed)
            for p in migration.pairs
            for is_litert, noticed in ((False, noticed_by_tfjs), (True, noticed_by_litert))
        ]
        power = Power(0.01, 5, (), shares=tuple(shares))
        warning = Finding("left-to-cpu", Severity.WARNING, "", "", runtimes=(RuntimeId.parse(warned),))
        return replace(migration, report=replace(migration.report, power=power, findings=(warning,)))

    migration = pycheck.migrate(model, "x.npy")
    weak, strong = with_power(10, 1, LITERT_WEBGPU), with_power(1, 10, WEBGL)
    assert "a weak test" in headline(weak) and "a weak test" not in headline(strong)
    assert ["left-to-cpu" in pair.sentence for pair in pairs(weak)] == [False, True]
    assert not any("left-to-cpu" in pair.sentence for pair in pairs(strong))


def test_the_next_steps_are_commands_that_run(migration: pycheck.Migration, command: Cli) -> None:
    for _, line in next_steps(migration):
        words = shlex.split(line)[1:]
        assert command(*words[:1], "--help").code == 0
    written = [line for purpose, line in next_steps(migration) if "write the file" in purpose]
    assert bool(written) == (migration.smallest is not None)
    assert all(f"--quantize {migration.smallest}" in line for line in written)


def test_without_a_file_no_command_names_the_model(fakes: Fakes) -> None:
    migration = pycheck.migrate(dense(), np.ones((5, 4), np.float32))
    assert (migration.command, next_steps(migration)) == ("", ())
    assert "pycheck migrate" in Page(render_migration(migration, "html")).text


# --- the command


def test_the_command_prints_writes_and_ends_with_the_decision(fakes: Fakes, model: Path, command: Cli) -> None:
    said = command("migrate", str(model), "x.npy", "--html", "m.html", "--markdown", "m.md", "--json", "m.json")
    assert (said.code, said.out.split()[0]) == (0, "MOVE")
    assert Path("m.html").read_text().startswith("<!doctype html>")
    assert json.loads(Path("m.json").read_text())["decision"] == "move"
    fakes.break_(LITERT_WASM, giving(np.nan))
    said = command("migrate", str(model), "x.npy", "--json", "-")
    assert (said.code, json.loads(said.out)["decision"]) == (1, "partly")
    quiet = command("migrate", str(model), "x.npy", "-q")
    assert len(quiet.out.splitlines()) <= 3 and not quiet.err


def test_the_command_of_a_report_repeats_it(fakes: Fakes, model: Path) -> None:
    given: dict[str, Any] = {"runtimes": ["firefox:wasm"], "rtol": 1e-3, "batch_size": 2}
    words = pycheck.migrate(model, "x.npy", **given).command.split()
    assert words[:4] == ["pycheck", "migrate", "model.keras", "x.npy"]
    assert {"--quantize", "--trace", "--cpu-kernel"}.isdisjoint(words)
    again = _values(words)
    assert [again[name] for name in ("--runtime", "--rtol", "--batch-size")] == ["firefox:wasm", "0.001", "2"]


def _values(words: list[str]) -> dict[str, str]:
    return {name: value for name, value in itertools.pairwise(words) if name.startswith("--")}


# --- compare with both libraries


def test_a_comparison_of_both_libraries_has_sizes_and_times_of_each_runtime(fakes: Fakes, model: Path) -> None:
    report = pycheck.compare(model, "x.npy", batch_size=2, runtimes=[WEBGL, LITERT_WASM])
    assert [name for name, _ in view.times(report)] == [WEBGL, LITERT_WASM]
    assert all("steady 1 ms" in text for _, text in view.times(report))
    shown = str(report)
    assert all(text in shown for _, text in view.times(report))
    assert {wording.size(artifact.size_bytes) for artifact in report.artifacts} <= set(_words(shown))
    alone = pycheck.compare(model, "x.npy", batch_size=2, runtimes=[WEBGL])
    assert view.times(alone) == ()


def _words(text: str) -> set[str]:
    words = text.replace(",", "").split()
    return {f"{number} {unit}" for number, unit in itertools.pairwise(words)}


def test_an_error_of_quantized_weights_that_quantization_does_not_explain_is_told(model: Path, fakes: Fakes) -> None:
    migration = pycheck.migrate(model, "x.npy")
    variant = migration.variants[0]
    assert variant.report
    webgpu = (RuntimeId.parse(LITERT_WEBGPU),)
    kernel = Finding("drift", Severity.ERROR, "y differs on the GPU.", "A kernel is suspect.", webgpu)
    of_weights = replace(kernel, code="quantization-drift", summary="y differs by quantization.")
    explained = replace(kernel, summary="y differs on both.", explained_by=("quantization-drift",))
    report = replace(variant.report, findings=(of_weights, explained, kernel))
    told = weights_remarks(replace(migration, variants=(replace(variant, report=report),)))
    assert told[1:] == ("float16: y differs on the GPU. A kernel is suspect.",)
    stay = tuple(replace(pair, decision=Decision.STAY) for pair in migration.pairs)
    assert len(weights_remarks(replace(migration, variants=(replace(variant, report=report),), pairs=stay))) == 1
