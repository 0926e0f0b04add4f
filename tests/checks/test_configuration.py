"""pycheck.toml as a check reads it: what it means, and what is said about what is wrong in it."""

from __future__ import annotations

import datetime
import shlex
from pathlib import Path
from typing import Any

import pytest

from pycheck.checks.configuration import Configuration
from pycheck.checks.reading import load
from pycheck.checks.variants import expand
from pycheck.errors import UsageError
from pycheck.gate import OutputLimits
from pycheck.gate.policy import Selector
from pycheck.setup.releases import LITERT as LITERTJS
from pycheck.setup.releases import TFJS, Release
from pycheck.types import RuntimeId

MODEL = '[[models]]\npath = "m.keras"\n'


def _load(folder: Path, text: str, name: str = "pycheck.toml") -> Configuration:
    (folder / name).write_text(text)
    return load(folder / name)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = _load(tmp_path, MODEL + 'inputs = "data/x.npy"\n[baseline]\nfile = "accepted.toml"\n')
    assert config.models[0].path == tmp_path / "m.keras"
    assert config.models[0].inputs == tmp_path / "data" / "x.npy"
    assert config.baseline.file == tmp_path / "accepted.toml"
    assert config.baseline.named


def test_everything_may_stand_in_a_pyproject_as_well(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n[tool.pycheck]\nsamples = 3\n[[tool.pycheck.models]]\npath = "m.keras"\n'
    config = _load(tmp_path, text, "pyproject.toml")
    assert [model.name for model in config.models] == ["m"]
    assert config.settings == {"samples": 3}


def test_a_model_is_called_after_its_file_or_after_the_folder_of_its_model_json(tmp_path: Path) -> None:
    config = _load(tmp_path, '[[models]]\npath = "a/m.keras"\n[[models]]\npath = "web/model.json"\n')
    assert [model.name for model in config.models] == ["m", "web"]


def test_judging_sections_are_read(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        MODEL
        + '[[tolerances]]\nruntime = "*:webgl-f16"\nrtol = 1e-2\n'
        + '[[budgets]]\nmodel = "m"\nartifact_size = "5MB"\nlatency = 2\nagainst = "chromium:wasm"\n'
        + '[severity]\ntop1-flip = "error"\n'
        + '[[known]]\ncode = "drift"\nreason = "a bug"\nexpires = 2027-06-30\n',
    )
    assert config.tolerances[0].limits == OutputLimits(rtol=1e-2)
    assert config.tolerances[0].where == Selector(runtime="*:webgl-f16")
    budget = config.budgets[0]
    assert (budget.artifact_bytes, budget.latency, budget.against) == (5_000_000, 2.0, RuntimeId("chromium", "wasm"))
    assert config.severity == {"top1-flip": "error"}
    assert config.known[0].expires == datetime.date(2027, 6, 30)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("sampels = 2\n" + MODEL, ":1: sampels", "Did you mean samples?"),
        (MODEL + 'inptus = "x.npy"\n', ":3: models.inptus", "Did you mean inputs?"),
        (MODEL + 'runtimes = ["chromium:wbgl"]\n', ":3: models.runtimes", "Did you mean chromium:webgl?"),
        (MODEL + 'formats = ["grph"]\n', ":3: models.formats", "Did you mean graph?"),
        (MODEL + 'atol = "much"\n', ":3: models.atol", "'much'"),
        (MODEL + 'range = "0:1"\ninputs = "x.npy"\n', ":3: models.range", "range is for generated inputs"),
        (MODEL + 'inputs = "x.npy"\nsamples = 9\n', ":4: models.samples", "samples is for generated inputs"),
        (MODEL + 'seed = 0\ninputs = "x.npy"\n', ":3: models.seed", "seed is for generated inputs"),
        (MODEL + 'inputs = "x.npy"\nsize = 9\n', ":4: models.size", "size is for generated inputs"),
        ('quantize = "int4"\n' + MODEL, ":1: quantize", "one of none, float16, uint16, uint8"),
        ('[[models]]\nname = "m"\n', ":1: models", "path is missing"),
        (MODEL + '\n[[models]]\npath = "m.h5"\n', ":4: models", "two models are called 'm'"),
        (MODEL + 'name = "a/b"\n', ":3: models.name", "must be printable"),
        (MODEL + "[[budgets]]\nmax_abs_eror = 1\n", ":4: budgets.max_abs_eror", "Did you mean max_abs_error?"),
        (MODEL + "[[budgets]]\nmax_abs_error = -1\n", ":4: budgets.max_abs_error", "at least 0"),
        (MODEL + "[[budgets]]\nlatency = 2\n", ":4: budgets.latency", "against"),
        (MODEL + '[[budgets]]\nruntime = "*"\n', ":3: budgets", "has no limit"),
        (MODEL + '[[budgets]]\nartifact_size = "big"\n', ":4: budgets.artifact_size", "512MiB"),
        (MODEL + '[severity]\ndrfit = "warn"\n', ":4: severity.drfit", "The nearest: drift"),
        (MODEL + '[severity]\ndrift = "wran"\n', ":4: severity.drift", "Did you mean warn?"),
        (MODEL + '[[known]]\ncode = "drift"\nreason = "x"\n', ":3: known", "expires is missing"),
        (MODEL + '[[known]]\ncode = "drift"\nreason = "x"\nexpires = "soon"\n', ":6: known.expires", "'soon'"),
        (MODEL + "[baseline]\nmargin = 0.5\n", ":4: baseline.margin", "at least 1"),
        ("models = 3\n", ":1: models", "list"),
        ("samples = 3\n", "", "there are no [[models]]"),
        ("[[models]\n", "", "line 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_what_is_right(
    tmp_path: Path, text: str, place: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        _load(tmp_path, text)
    assert f"pycheck.toml{place}" in str(caught.value)
    assert said in str(caught.value)


def test_lines_count_texts_of_several_lines_dotted_keys_and_comments(tmp_path: Path) -> None:
    text = (
        '# path = "x"\nflags.A = """\nsampels = 1\n"""\n\n'
        + MODEL
        + "\n[models.flags]\nB = 1\n[baseline]\nmarign = 2\n"
    )
    with pytest.raises(UsageError, match=r"pycheck.toml:12: baseline.marign"):
        _load(tmp_path, text)


def test_without_a_file_the_way_to_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="pycheck init"):
        load()


def test_a_common_range_is_for_those_models_that_have_no_inputs(tmp_path: Path) -> None:
    config = _load(tmp_path, 'range = "0:255"\n' + MODEL + 'inputs = "x.npy"\n' + MODEL.replace("m.keras", "n.keras"))
    given, made = (variant.options.command for variant in expand(config, {}, environ={}))
    assert "--range" not in given
    assert made.endswith("n.keras --range=0:255")


# --- variants


def test_formats_and_quantizations_make_variants_with_names_of_their_own(tmp_path: Path) -> None:
    config = _load(tmp_path, 'quantizations = ["none", "float16"]\n' + MODEL + 'formats = ["auto", "graph"]\n')
    variants = expand(config, {}, environ={})
    assert [v.name for v in variants] == ["m", "m/float16", "m/graph", "m/graph/float16"]
    assert (variants[-1].options.format, variants[-1].options.quantize) == ("graph", "float16")


def test_the_command_line_goes_before_the_model_and_that_before_the_top(tmp_path: Path) -> None:
    text = 'samples = 1\nseed = 1\nruntimes = ["chromium:cpu"]\n' + MODEL + "samples = 2\n"
    (variant,) = expand(_load(tmp_path, text), {"runtimes": ["firefox:wasm"]}, environ={})
    assert (variant.options.samples, variant.options.seed) == (2, 1)
    assert variant.options.runtimes == (RuntimeId("firefox", "wasm"),)


def test_an_artifact_that_exists_keeps_its_format(tmp_path: Path) -> None:
    text = 'quantizations = ["none", "uint8"]\n' + MODEL + 'tfjs_model = "web/model.json"\n'
    (variant,) = expand(_load(tmp_path, text), {}, environ={})
    assert variant.options.tfjs_model == tmp_path / "web" / "model.json"
    assert variant.options.quantize == "none"


def test_a_tolerance_is_for_the_variants_that_it_selects(tmp_path: Path) -> None:
    text = 'quantizations = ["none", "uint8"]\n' + MODEL + '[[tolerances]]\nmodel = "*/uint8"\natol = 0.1\n'
    plain, quantized = expand(_load(tmp_path, text), {}, environ={})
    runtime = RuntimeId("chromium", "cpu")
    assert plain.options.tolerance.of("y", runtime) == OutputLimits()
    assert quantized.options.tolerance.of("y", runtime) == OutputLimits(atol=0.1)


def test_names_choose_models_or_variants(tmp_path: Path) -> None:
    text = 'quantizations = ["none", "uint8"]\n' + MODEL + '[[models]]\npath = "other.keras"\n'
    config = _load(tmp_path, text)
    assert [v.name for v in expand(config, {}, ["m"], environ={})] == ["m", "m/uint8"]
    assert [v.name for v in expand(config, {}, ["*/uint8"], environ={})] == ["m/uint8", "other/uint8"]
    with pytest.raises(UsageError, match=r"'othr'(.|\n)*Did you mean other"):
        expand(config, {}, ["othr"], environ={})


def test_each_variant_has_the_command_that_runs_it_alone(tmp_path: Path) -> None:
    config = _load(tmp_path, MODEL + 'quantize = "uint8"\nruntimes = ["firefox:cpu"]\natol = ["y:1e-3"]\n')
    (variant,) = expand(config, {}, environ={})
    words = f"pycheck compare {tmp_path}/m.keras --runtime firefox:cpu --quantize uint8 --atol y:0.001"
    assert variant.options.command == words
    config = _load(tmp_path, MODEL + '[[tolerances]]\nruntime = "firefox:*"\natol = 1\n')
    (variant,) = expand(config, {}, environ={})
    assert variant.options.command == f"pycheck check m --config {tmp_path}/pycheck.toml"


# --- LiteRT.js beside TF.js

RUNTIMES = 'runtimes = ["chromium:webgl", "firefox:litert-wasm"]\n'
WEBGL, LITERT = RuntimeId("chromium", "webgl"), RuntimeId("firefox", "litert-wasm")


def _runtimes(folder: Path, text: str, given: dict[str, Any] | None = None, *only: str) -> dict[str, tuple[str, ...]]:
    """The runtimes of each variant, by its name."""
    variants = expand(_load(folder, text), given or {}, only, environ={})
    return {v.name: tuple(map(str, v.options.runtimes)) for v in variants}


def test_the_tflite_variant_runs_in_litert_and_the_others_in_tfjs(tmp_path: Path) -> None:
    text = RUNTIMES + MODEL + 'formats = ["auto", "tflite"]\n'
    assert _runtimes(tmp_path, text) == {"m": (str(WEBGL),), "m/tflite": (str(LITERT),)}


def test_a_library_without_a_runtime_of_its_own_has_its_defaults(tmp_path: Path) -> None:
    text = MODEL + 'formats = ["graph", "tflite"]\n'
    litert = ("chromium:litert-wasm", "chromium:litert-webgpu")
    assert _runtimes(tmp_path, text) == {
        "m/graph": ("chromium:cpu", "chromium:webgl", "chromium:wasm"), "m/tflite": litert,
    }  # fmt: skip
    assert _runtimes(tmp_path, f'runtimes = ["{LITERT}"]\n' + text)["m/graph"][0] == "chromium:cpu"
    assert _runtimes(tmp_path, 'format = "tflite"\n' + RUNTIMES + MODEL) == {"m/tflite": (str(LITERT),)}


def test_without_formats_one_variant_runs_in_both_libraries(tmp_path: Path) -> None:
    assert _runtimes(tmp_path, RUNTIMES + MODEL) == {"m": (str(WEBGL), str(LITERT))}
    text = RUNTIMES + 'quantizations = ["none", "uint8", "dynamic"]\n' + MODEL
    assert _runtimes(tmp_path, text) == {
        "m": (str(WEBGL), str(LITERT)), "m/uint8": (str(WEBGL),), "m/dynamic": (str(LITERT),),
    }  # fmt: skip


def test_a_quantization_that_a_format_does_not_have_is_no_variant_of_it(tmp_path: Path) -> None:
    text = RUNTIMES + 'quantizations = ["none", "uint8", "dynamic"]\n' + MODEL + 'formats = ["layers", "tflite"]\n'
    assert list(_runtimes(tmp_path, text)) == ["m/layers", "m/layers/uint8", "m/tflite", "m/tflite/dynamic"]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ('quantizations = ["none", "dynamic"]\n' + MODEL, ":1: quantizations", "'dynamic'"),
        (MODEL + 'quantizations = ["uint8"]\nformats = ["layers", "tflite"]\n', ":4: models.formats", "'tflite'"),
        (MODEL + 'quantizations = ["dynamic"]\nformats = ["auto", "tflite"]\n', ":4: models.formats", "'auto'"),
        (f'runtimes = ["{LITERT}"]\n' + MODEL + 'formats = ["layers"]\n', ":4: models.formats", "'layers'"),
        (MODEL + 'quantize = "dynamic"\n', ":1: models", "'dynamic'"),
    ],
)
def test_a_format_or_quantization_that_no_runtime_has_is_told_with_its_line(
    tmp_path: Path, text: str, place: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        _runtimes(tmp_path, text)
    assert f"pycheck.toml{place}" in caught.value.message
    assert said in caught.value.message


def test_runtimes_of_the_call_choose_the_variants_of_their_library(tmp_path: Path) -> None:
    text = RUNTIMES + MODEL + 'formats = ["auto", "tflite"]\n'
    asked = {"runtimes": ["webkit:litert-wasm"]}
    assert _runtimes(tmp_path, text, asked) == {"m/tflite": ("webkit:litert-wasm",)}
    assert _runtimes(tmp_path, text, {"runtimes": ["webkit:wasm"]}) == {"m": ("webkit:wasm",)}
    with pytest.raises(UsageError, match="No runtime is left for m/tflite"):
        _runtimes(tmp_path, text, {"runtimes": ["webkit:wasm"]}, "m/tflite")
    assert list(_runtimes(tmp_path, text, {"flags": {"WEBGL_PACK": False}})) == ["m", "m/tflite"]


def test_a_release_of_tfjs_is_no_variant_of_a_tflite_file(tmp_path: Path) -> None:
    text = RUNTIMES + 'tfjs_versions = ["4.20.0"]\n' + MODEL + 'formats = ["auto", "tflite"]\n'
    assert list(_runtimes(tmp_path, text)) == ["m/tfjs-4.20.0", "m/tflite"]
    variants = expand(_load(tmp_path, text), {}, releases=[Release(TFJS, "4.19.0")], environ={})
    assert [v.name for v in variants] == ["m/tfjs-4.19.0"]


def test_a_release_of_litert_is_a_variant_of_what_runs_in_litert(tmp_path: Path) -> None:
    text = RUNTIMES + 'litert_versions = ["2.4.0"]\n' + MODEL + 'formats = ["auto", "tflite"]\n'
    assert list(_runtimes(tmp_path, text)) == ["m", "m/tflite/litert-2.4.0"]
    (variant,) = expand(_load(tmp_path, text), {}, releases=[Release(LITERTJS, "2.3.0")], environ={})
    assert (variant.name, variant.accepted_as) == ("m/tflite/litert-2.3.0", "m/tflite")
    assert variant.options.command.endswith("--litert-version 2.3.0")


def test_the_command_of_a_variant_of_either_library_runs_it_alone(tmp_path: Path) -> None:
    text = RUNTIMES + 'quantizations = ["dynamic", "uint8"]\n' + MODEL + 'formats = ["auto", "tflite"]\n'
    for variant in expand(_load(tmp_path, text), {}, environ={}):
        _, command, model, *words = shlex.split(variant.options.command)
        assert (command, model) == ("compare", str(tmp_path / "m.keras"))
        pairs = list(zip(words[::2], words[1::2], strict=True))
        assert ("--runtime", str(variant.options.runtimes[0])) in pairs
        assert ("--quantize", variant.options.quantize) in pairs
        assert (("--format", "tflite") in pairs) == (variant.options.format == "tflite")
    (only,) = expand(_load(tmp_path, text), {"runtimes": [str(WEBGL)], "quantize": "none"}, environ={})
    assert only.options.command == f"pycheck compare {tmp_path}/m.keras --runtime {WEBGL}"
