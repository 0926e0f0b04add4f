from pathlib import Path
from typing import Any

import pytest

from pycheck.api import keyword_options
from pycheck.config import DEFAULT_RUNTIMES, Options, build
from pycheck.errors import UsageError
from pycheck.types import NanPolicy, RuntimeId


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
    options = keyword_options({"runtimes": "chromium:webgl", "custom_objects": "layers:Mine"}, folder=tmp_path)
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
        ({"range": [1, 2, 3]}, "write LO:HI"),
        ({"runtimes": ["native:float32"]}, "native:float32"),
        ({"runtimes": ["opera:webgl"]}, "opera"),
        ({"format": "layer"}, "Did you mean layers?"),
        ({"quantize": "int4"}, "--quantize int4"),
        ({"samples": 0}, "--samples is 0"),
        ({"batch_size": -1}, "--batch-size is -1"),
        ({"timeout": 0.0}, "--timeout is 0"),
        ({"range": "255"}, "LO:HI"),
        ({"range": "1:0"}, "smaller"),
        ({"range": ["kinds:5:5"]}, "kinds:5:5: the first number must be the smaller"),
        ({"range": {"kinds": 5}}, "--range kinds:5: write LO:HI or INPUT:LO:HI"),
        ({"size": "big"}, "--size big: write N, NxM or INPUT:N"),
        ({"size": ["audio:"]}, "--size audio:: write N"),
        ({"size": "0"}, "a size is at least 1"),
        ({"size": {"audio": 1.5}}, "--size audio:1.5"),
        ({"atol": ["much"]}, "'much' is no number"),
        ({"rtol": ["-1"]}, "at least 0"),
        ({"rtol": ["nan"]}, "at least 0"),
        ({"nan": "fial"}, "Did you mean fail?"),
        ({"flags": ["WEBGL_PACK"]}, "--flag NAME=VALUE"),
        ({"map_output": ["=a"]}, "--map-output"),
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
    with pytest.raises(UsageError, match="PYCHECK_SAMPEL"):
        _build(tmp_path, {"PYCHECK_SAMPEL": "1"})
