import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.cli.options import command_line as typed
from pycheck.errors import UsageError
from pycheck.options.reading import build
from pycheck.options.replay import command_line
from pycheck.options.values import DEFAULT_RUNTIMES, Options
from pycheck.types import LITERT_KINDS, NanPolicy, RuntimeId


def _build(folder: Path, environ: dict[str, str] | None = None, **given: Any) -> Options:
    return build(given, folder=folder, environ=environ or {})


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    options = _build(tmp_path)
    assert options.runtimes == DEFAULT_RUNTIMES
    assert options.tolerance.of("y").tolerance() is None


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "pycheck.toml").write_text('samples = 1\nseed = 1\nformat = "graph"\n')
    options = _build(tmp_path, {"PYCHECK_SAMPLES": "2", "PYCHECK_SEED": "2"}, samples=3)
    assert (options.samples, options.seed, options.format) == (3, 2, "graph")


def test_a_pyproject_table_serves_where_there_is_no_pycheck_toml(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pycheck]\nruntimes = ["chromium:webgpu"]\n')
    assert _build(tmp_path).runtimes == (RuntimeId("chromium", "webgpu"),)


def test_one_text_where_a_keyword_takes_several_is_one_of_them(tmp_path: Path) -> None:
    options = _build(tmp_path, runtimes="chromium:webgl", custom_objects="layers:Mine")
    assert options.runtimes == (RuntimeId("chromium", "webgl"),)
    assert options.custom_objects == ("layers:Mine",)


@pytest.mark.parametrize("given", ["-1:255", (-1, 255), [-1, 255.0]])
def test_a_range_is_a_text_or_two_numbers(tmp_path: Path, given: Any) -> None:
    assert _build(tmp_path, range=given).range == {None: (-1.0, 255.0)}


@pytest.mark.parametrize("given", [["0:1", "kinds:0:12"], {"kinds": "0:12"}, {"kinds": (0, 12)}, "kinds:0:12"])
def test_a_range_may_be_for_one_input(tmp_path: Path, given: Any) -> None:
    assert _build(tmp_path, range=given).range["kinds"] == (0, 12)


@pytest.mark.parametrize("given", ["224x160", (224, 160), ["224x160"], [224, 160]])
def test_sizes_are_a_text_or_numbers(tmp_path: Path, given: Any) -> None:
    assert _build(tmp_path, size=given).size == {None: (224, 160)}


@pytest.mark.parametrize("given", ["audio:16000", ["audio:16000"], {"audio": 16000}, {"audio": "16000"}])
def test_a_size_may_be_for_one_input(tmp_path: Path, given: Any) -> None:
    assert _build(tmp_path, size=given).size == {"audio": (16000,)}
    assert _build(tmp_path, size=["8", "in:put:1x2"]).size == {None: (8,), "in:put": (1, 2)}


def test_ranges_and_sizes_come_from_the_file_and_the_environment_as_well(tmp_path: Path) -> None:
    (tmp_path / "pycheck.toml").write_text('range = { kinds = "0:12", x = [-1, 1] }\nsize = { image = [224, 160] }\n')
    options = build({}, folder=tmp_path, environ={})
    assert (options.range, options.size) == ({"kinds": (0, 12), "x": (-1, 1)}, {"image": (224, 160)})
    options = build({}, folder=tmp_path, environ={"PYCHECK_RANGE": "a:0:2 -1:1", "PYCHECK_SIZE": "audio:16000 8"})
    assert (options.range, options.size) == ({"a": (0, 2), None: (-1, 1)}, {"audio": (16000,), None: (8,)})


def test_tolerances_are_for_every_output_or_for_one(tmp_path: Path) -> None:
    options = _build(tmp_path, atol=["1e-3", "scores:1e-5"], nan="warn")
    assert options.tolerance.of("scores").atol == 1e-5
    assert options.tolerance.of("other").atol == 1e-3
    assert options.nan is NanPolicy.WARN


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"runtimes": ["chromium:webgll"]}, "webgll"),
        ({"runtimes": ["webgl"]}, "Did you mean chromium:webgl?"),
        ({"range": [1, 2, 3]}, "LO:HI"),
        ({"runtimes": ["native:float32"]}, "native:float32"),
        ({"runtimes": ["opera:webgl"]}, "opera"),
        ({"format": "layer"}, "Did you mean layers?"),
        ({"quantize": "int4"}, "--quantize int4"),
        ({"samples": 0}, "--samples 0"),
        ({"batch_size": -1}, "--batch-size -1"),
        ({"timeout_s": 0.0}, "--timeout 0.0"),
        ({"range": "255"}, "LO:HI"),
        ({"range": "1:0"}, "--range 1:0"),
        ({"range": ["kinds:5:5"]}, "--range kinds:5:5"),
        ({"range": {"kinds": 5}}, "--range kinds:5"),
        ({"size": "big"}, "--size big"),
        ({"size": ["audio:"]}, "--size audio:"),
        ({"size": "0"}, "--size 0"),
        ({"size": {"audio": 1.5}}, "--size audio:1.5"),
        ({"atol": ["much"]}, "'much'"),
        ({"rtol": ["-1"]}, "at least 0"),
        ({"rtol": ["nan"]}, "at least 0"),
        ({"nan": "fial"}, "Did you mean fail?"),
        ({"flags": ["WEBGL_PACK"]}, "NAME=VALUE"),
        ({"map_output": ["=a"]}, "--map-output =a"),
        ({"runtimes": []}, "chromium:webgl"),
        ({"trace_memory": "much"}, "--trace-memory much"),
        ({"connect": {"chromium": "9222"}}, "--connect chromium=9222"),
        ({"connect": "webdriver=grid:4444"}, "--connect chromium=webdriver+grid:4444"),
        ({"public_url": "https://pc.example/path"}, "--public-url https://pc.example/path"),
        ({"browser_path": "opera=/usr/bin/opera"}, "--browser-path opera"),
        ({"seed": 1.5}, "--seed 1.5"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(tmp_path: Path, given: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        _build(tmp_path, **given)
    assert named in str(caught.value)


def test_an_unknown_key_in_a_file_names_the_file_and_the_nearest_key(tmp_path: Path) -> None:
    (tmp_path / "pycheck.toml").write_text("sampels = 3\n")
    with pytest.raises(UsageError, match=r"pycheck.toml:1: sampels(.|\n)*Did you mean samples"):
        _build(tmp_path)


def test_a_value_of_the_wrong_type_in_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pycheck.toml").write_text('samples = "many"\n')
    with pytest.raises(UsageError, match=r"samples.*'many'"):
        _build(tmp_path)


def test_an_unknown_variable_of_ours_is_an_error_and_others_are_not_looked_at(tmp_path: Path) -> None:
    _build(tmp_path, {"HOME": "x", "TF_SAMPLES": "y"})
    with pytest.raises(UsageError, match=r"PYCHECK_SAMPEL(.|\n)*Did you mean PYCHECK_SAMPLES"):
        _build(tmp_path, {"PYCHECK_SAMPEL": "1"})


def test_a_file_is_found_in_the_folders_above_and_its_paths_are_beside_it(tmp_path: Path) -> None:
    below = tmp_path / "src" / "models"
    below.mkdir(parents=True)
    (tmp_path / "pycheck.toml").write_text('samples = 5\ncache_dir = "cache"\nbrowser_path = ["bin/chromium"]\n')
    (tmp_path / "src" / "pyproject.toml").write_text("[project]\nname = 'pycheck-user'\n")
    options = _build(below)
    assert (options.samples, options.cache_dir) == (5, tmp_path / "cache")
    assert options.browser("chromium").path == tmp_path / "bin" / "chromium"
    (below / "pyproject.toml").write_text("[tool.pycheck]\nsamples = 6\n")
    assert _build(below).samples == 6


def test_code_of_a_file_is_beside_it_and_a_recipe_is_none(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("prep.py", "post.js"):
        (tmp_path / name).touch()
    (tmp_path / "pycheck.toml").write_text(
        'preprocess = "prep.py:load"\njs_preprocess = "tf"\n'
        'postprocess = "app.post:decide"\njs_postprocess = "post.js"\n'
    )
    options = _build(tmp_path / "below")
    assert (options.preprocess, options.js_preprocess) == (str(tmp_path / "prep.py:load"), "tf")
    assert (options.postprocess, options.js_postprocess) == ("app.post:decide", str(tmp_path / "post.js"))


@pytest.mark.parametrize(
    ("given", "has_inputs", "named"),
    [
        ({"samples": 3}, True, "--samples"),
        ({"tfjs_model": "model.json", "quantize": "uint8"}, False, "--tfjs-model"),
        ({"tfjs_model": "model.json", "format": "auto"}, False, "--format"),
        ({"map_output": {"a": "b"}}, False, "Add --tfjs-model PATH"),
        ({"tflite_model": "m.tflite", "runtimes": "chromium:cpu"}, False, "--tflite-model has no effect"),
        ({"tflite_model": "m.tflite", "quantize": "int8"}, False, "--quantize has no effect: --tflite-model"),
        ({"tflite_model": "m.tflite", "format": "tflite"}, False, "--format has no effect: --tflite-model"),
        ({"keep_float": "bn"}, False, "Add --quantize uint8"),
        ({"keep_float": "bn", "quantize": "uint8", "converter": "tensorflowjs"}, False, "--converter tensorflowjs"),
        ({"layers": ["a"]}, False, "Add --trace"),
        ({"trace_samples": 4}, False, "--trace-samples"),
        ({"bundle_point": "a"}, False, "Add --bundle DIR"),
        ({"browser_path": "/c", "connect": {"chromium": "by-hand"}}, False, "--browser-path and --connect"),
        ({"capabilities": "caps.json"}, False, "--capabilities has no effect for chromium"),
        ({"public_port": 80}, False, "--public-port has no effect without --public-url"),
        ({"public_url": "https://pc.example"}, False, "--public-url has no effect without --public-port"),
        (
            {"public_url": "https://pc.example", "public_port": 80},
            False,
            "--public-url has no effect: every browser runs here",
        ),
        ({"format": "tflite", "runtimes": "chromium:cpu"}, False, "no effect on chromium:cpu"),
        ({"format": "graph", "runtimes": "chromium:litert-wasm"}, False, "--format has no effect"),
        ({"flags": {"WEBGL_PACK": "false"}, "runtimes": "chromium:litert-wasm"}, False, "--flag has no effect"),
        ({"quantize": "dynamic"}, False, "--quantize dynamic is for LiteRT.js only"),
        ({"quantize": "uint8", "runtimes": "chromium:litert-webgpu"}, False, "--quantize uint8 is for TF.js only"),
    ],
)
def test_what_has_no_effect_together_is_refused(
    tmp_path: Path, given: dict[str, Any], has_inputs: bool, named: str
) -> None:
    with pytest.raises(UsageError) as caught:
        build(given, folder=tmp_path, environ={}, has_inputs=has_inputs)
    assert named in str(caught.value)


def test_a_file_for_litert_brings_its_runtimes_if_there_are_none(tmp_path: Path) -> None:
    assert [str(runtime) for runtime in _build(tmp_path, tflite_model="m.tflite").runtimes] == [
        "chromium:litert-wasm",
        "chromium:litert-webgpu",
    ]
    (tmp_path / "pycheck.toml").write_text('runtimes = ["chromium:webgl", "firefox:litert-wasm"]')
    assert [str(runtime) for runtime in _build(tmp_path, tflite_model="m.tflite").runtimes] == [
        "chromium:webgl",
        "firefox:litert-wasm",
    ]


def test_a_format_of_litert_brings_its_runtimes(tmp_path: Path) -> None:
    assert {runtime.kind for runtime in _build(tmp_path, format="tflite").runtimes} == set(LITERT_KINDS)
    assert not any(runtime.is_litert for runtime in _build(tmp_path).runtimes)


def test_what_a_call_is_given_goes_before_defaults_that_leave_no_place_for_it(tmp_path: Path) -> None:
    (tmp_path / "pycheck.toml").write_text('keep_float = ["bn"]\nquantize = "uint8"\nbrowser_path = "/c"\n')
    options = _build(tmp_path, converter="tensorflowjs", connect={"chromium": "by-hand"})
    assert (options.keep_float, options.browser_path) == ((), ())
    assert options.browser("chromium").address == "by-hand"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"size": (np.int64(5), 3)}, {None: (5, 3)}),
        ({"range": (np.float32(0), np.float32(255))}, {None: (0.0, 255.0)}),
        ({"runtimes": RuntimeId("chromium", "cpu")}, (RuntimeId("chromium", "cpu"),)),
    ],
)
def test_values_of_python_are_taken_as_they_are(tmp_path: Path, given: dict[str, Any], expected: Any) -> None:
    (name,) = given
    assert getattr(_build(tmp_path, **given), name) == expected


@pytest.mark.parametrize(
    "given", [{"trace": "no"}, {"layers": 5}, {"connect": 5}, {"size": ["5", "6"]}, {"save_run": ""}]
)
def test_values_of_another_kind_are_named(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(given)).rstrip("s").replace("_", "-")):
        _build(tmp_path, **given)


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    assert _build(tmp_path, {"PYCHECK_CACHE_DIR": "", "PYCHECK_RUNTIMES": ""}) == Options()


def test_a_folder_above_that_may_not_be_entered_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Path) -> bool:
        if self.parent == tmp_path.parent:
            raise PermissionError
        return False

    monkeypatch.setattr(Path, "is_file", forbidden)
    assert _build(tmp_path) == Options()


def test_defaults_for_all_calls_may_be_more_than_one_call_uses(tmp_path: Path) -> None:
    (tmp_path / "pycheck.toml").write_text('samples = 5\nquantize = "uint8"\nkeep_float = ["bn"]\ntrace_samples = 2\n')
    given = {"tfjs_model": "model.json"}
    options = build(given, beneath={"seed": 3}, folder=tmp_path, environ={}, has_inputs=True)
    assert (options.samples, options.seed, options.trace_samples) == (5, 3, 2)
    assert options.named == {"samples", "seed", "quantize", "keep_float", "trace_samples", "tfjs_model"}


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")
def test_a_stranger_s_file_above_is_passed_over(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    file = tmp_path / "pycheck.toml"
    file.write_text("samples = 5\n")
    os.chown(file, 12345, 12345)
    assert _build(below).samples == 32
    os.chown(below, 12345, 12345)  # who runs there has taken that folder for good
    assert _build(below).samples == 5


def test_one_webdriver_end_and_one_public_address_are_for_every_engine() -> None:
    end = build({"connect": "webdriver=http://grid:4444", "runtimes": "firefox:cpu"}, environ={})
    assert end.browser("webkit").address == end.browser("firefox").address == "webdriver+http://grid:4444"
    asked = {"connect": "webdriver=http://grid:4444", "public_url": "https://pc.example/", "public_port": 8471}
    assert build({**asked, "runtimes": ["firefox:cpu", "webkit:cpu"]}, environ={}).public_url == "https://pc.example"


def test_the_account_of_an_address_is_in_no_command_that_a_report_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "chromium=webdriver+https://user:key@hub.example/wd"
    options = build({"connect": [address], "runtimes": "chromium:cpu"}, environ={})
    assert options.browser("chromium").address == "webdriver+https://user:key@hub.example/wd"
    monkeypatch.setattr("sys.argv", ["pycheck", "compare", "m@home.keras", "--connect", address])
    shown = "pycheck compare m@home.keras --connect chromium=webdriver+https://hub.example/wd"
    assert typed() == shown
    replayed = command_line("compare", Path("m.keras"), None, options)
    assert "hub.example" in replayed and "key" not in replayed
