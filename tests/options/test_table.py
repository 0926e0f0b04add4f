"""Every option of the table is everywhere where it says that it is."""

from __future__ import annotations

import inspect
import json
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

import pycheck
from pycheck.cli import main as cli
from pycheck.errors import UsageError
from pycheck.options.kinds import Kind
from pycheck.options.reading import build
from pycheck.options.replay import command_line
from pycheck.options.settings import Settings
from pycheck.options.table import OPTIONS, RECIPE, Option, of_command
from pycheck.options.values import OF_FILES, Options
from pycheck.pytest_plugin import settings as plugin
from pycheck.report.cures import OF_TRACE

from ..scripts import script

make_options = script("make_options")

#: The functions, and the commands that take the same options.
FUNCTIONS = {
    "compare": pycheck.compare,
    "migrate": pycheck.migrate,
    "trace": pycheck.trace,
    "train": pycheck.train,
    "gradients": pycheck.gradients,
    "check": pycheck.check,
    "convert": pycheck.convert,
    "report": pycheck.rejudge,
}
#: One value of each option that is not its default, as a command line has it.
TEXTS: dict[str, str] = {
    "runtimes": "firefox:wasm", "flags": "WEBGL_PACK=false", "batch_size": "3", "cpu_kernels": "Relu", "power": "false",
    "format": "graph", "converter": "tensorflowjs", "quantize": "uint8", "keep_float": "bn", "tfjs_model": "/m.json",
    "tflite_model": "/m.tflite", "map_output": "a=b", "signature": "encode",
    "custom_objects": "m:f", "trust_model": "true", "samples": "7",
    "seed": "7", "range": "-1:1", "size": "x:8", "rtol": "1e-3", "atol": "y:1e-3", "max_ulp": "64", "nan": "warn",
    "trace": "true", "layers": "conv", "trace_samples": "2", "trace_memory": "1MiB", "try_remedies": "true",
    "bundle": "/b", "bundle_point": "conv", "model_explorer": "/e", "timeout_s": "20", "headed": "true",
    "browser_path": "firefox=/f", "browser_args": "--a", "connect": "webkit=by-hand", "save_run": "/r",
    "shard": "2/5", "dask": "tcp://10.0.0.5:8786",
    "cache": "false", "fresh": "true", "recheck": "0.5", "cache_dir": "/c",
    "preprocess": "torch", "js_preprocess": "/web/prep.js:load",
    "postprocess": "/app/post.py:decide", "js_postprocess": "/web/post.js", "decisions_changed": "0.25",
    "box_overlap": "0.75", "capabilities": "firefox=/caps.json", "public_url": "https://pc.example",
    "public_port": "8471", "allow_remote": "true", "isolated": "true",
}  # fmt: skip
#: What makes no sense without another.
WITH: dict[str, dict[str, str]] = {
    "keep_float": {"quantize": "uint8"},
    "map_output": {"tfjs_model": "/m.json"},
    "layers": {"trace": "true"},
    "trace_samples": {"trace": "true"},
    "trace_memory": {"trace": "true"},
    "bundle_point": {"bundle": "/b"},
    "js_postprocess": {"postprocess": "/app/post.py:decide"},
    "box_overlap": {"postprocess": "/app/post.py:decide"},
    "capabilities": {"connect": "firefox=webdriver+http://grid:4444"},
    "public_url": {"public_port": "8471", "connect": "chromium=by-hand"},
    "public_port": {"public_url": "https://pc.example", "connect": "chromium=by-hand"},
}


def _value(option: Option, text: str) -> Any:
    """As `build` takes it from a caller in Python."""
    return text == "true" if option.kind.file is bool else [text] if option.kind.repeatable else text


def _toml(option: Option, text: str) -> str:
    """The same as a file has it."""
    if option.kind.file in (bool, int, float):
        return text
    if "Mapping" in option.kind.keyword and "=" in text:
        name, value = text.split("=")
        return f"{{ {name} = {json.dumps(value)} }}"
    return json.dumps(text)


def _options(option: Option) -> Options:
    """What the option's text comes to."""
    given = {name: _value(_named(name), text) for name, text in WITH.get(option.name, {}).items()}
    value, is_of_files = _value(option, TEXTS[option.name]), option.name in OF_FILES
    return build(given | {option.name: value}, folder=Path("/"), environ={}, has_inputs=is_of_files)


def _named(name: str) -> Option:
    return next(option for option in OPTIONS if option.name == name)


@pytest.mark.real
def test_what_is_generated_is_that_of_the_table() -> None:
    assert make_options.SETTINGS.read_text("utf-8") == make_options.settings()
    assert make_options.PAGE.read_text("utf-8") == make_options.page()


def test_names_settings_and_options_of_the_command_line_are_unique() -> None:
    for names in ([o.name for o in (*OPTIONS, *RECIPE)], [o.option for o in (*OPTIONS, *RECIPE)]):
        assert len(names) == len(set(names))
    assert len({o.setting for o in OPTIONS}) == len(OPTIONS)
    assert [field.name for field in fields(Settings)] == [option.name for option in OPTIONS]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_value_is_read_and_said_again(option: Option) -> None:
    options = _options(option)
    assert getattr(options, option.name) != getattr(Options(), option.name)
    if option.replayed:
        inputs = Path("photos") if option.name in OF_FILES else None
        words = shlex.split(command_line("compare", Path("m.keras"), inputs, options))
        flags = (option.option, f"--no-{option.option[2:]}")
        assert any(word.partition("=")[0] in flags for word in words)


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.in_file], ids=lambda option: option.name)
def test_a_variable_and_a_file_set_it_and_name_a_wrong_value(option: Option, tmp_path: Path) -> None:
    text = TEXTS[option.name]
    expected = getattr(_options(option), option.name)
    variable = f"PYCHECK_{option.setting.upper()}"
    beside = {f"PYCHECK_{_named(name).setting.upper()}": value for name, value in WITH.get(option.name, {}).items()}
    assert getattr(build({}, folder=tmp_path, environ={variable: text, **beside}), option.name) == expected
    lines = [
        f"{_named(name).setting} = {_toml(_named(name), value)}" for name, value in WITH.get(option.name, {}).items()
    ]
    (tmp_path / "pycheck.toml").write_text("\n".join([f"{option.setting} = {_toml(option, text)}", *lines]))
    assert getattr(build({}, folder=tmp_path, environ={}), option.name) == expected
    (tmp_path / "pycheck.toml").write_text(f"{option.setting} = [{{}}]\n")
    with pytest.raises(UsageError, match=rf"pycheck\.toml:1: {option.setting}"):
        build({}, folder=tmp_path, environ={})


@pytest.mark.parametrize(("command", "function"), FUNCTIONS.items(), ids=FUNCTIONS)
def test_a_function_shows_and_explains_the_options_of_its_command(command: str, function: Any) -> None:
    shown = inspect.signature(function).parameters
    for option in of_command(command):
        assert shown[option.name].default is None
        assert f"    {option.name}: " in inspect.getdoc(function)  # type: ignore[operator]
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'runtime'|unexpected keyword argument 'nann'"):
        function("m", "x", "y", **{"nann" if command in ("report", "convert") else "runtime": 1})


@pytest.mark.parametrize("command", [*FUNCTIONS, "doctor"])
def test_the_command_line_takes_the_options_of_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    click = typer.main.get_command(cli.app).commands[command]  # type: ignore[attr-defined]
    taken = {name for parameter in click.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for option in of_command(command):
        assert option.option in taken
        if option.kind.file is bool:
            assert f"--no-{option.option[2:]}" in taken


def test_the_plugin_takes_those_of_compare_and_trace() -> None:
    assert {option.name for name in ("compare", "trace") for option in of_command(name)} < set(plugin._KEYWORDS)


def test_the_page_has_every_option_with_its_places() -> None:
    page = make_options.page()
    for option in OPTIONS:
        entry = page.partition(f"### {option.name}\n")[2].partition("###")[0]
        assert (f"`PYCHECK_{option.setting.upper()}`" in entry) == option.in_file
        assert (f"`{option.option}" in entry) == bool(option.commands)


def test_help_shows_the_common_ones_and_all_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", "--help"]) == 0
    short = capsys.readouterr().out
    assert cli.run(["compare", "--help-all"]) == 0
    whole = capsys.readouterr().out
    assert cli.run(["compare", "--help"]) == 0
    assert capsys.readouterr().out == short
    for option in of_command("compare"):
        assert option.option in whole
        assert (option.option in short.replace("--tfjs-model", "--tfjs-model ")) == option.common


@pytest.mark.parametrize(
    ("message", "in_python"),
    [
        ("--samples 0: it must be at least 1", "samples 0: it must be at least 1"),
        ("Add --trace, or use pycheck trace.", "Add trace=True, or use pycheck trace."),
        ("Leave the cache out with --no-cache.", "Leave the cache out with cache=False."),
        ("pycheck compare MODEL --format graph shows it.", "pycheck compare MODEL --format graph shows it."),
        (
            "Try --timeout 60. pycheck doctor --install. --headed shows it",
            "Try timeout_s 60. pycheck doctor --install. headed=True shows it",
        ),
    ],
)
def test_errors_of_functions_speak_of_keywords(message: str, in_python: str) -> None:
    from pycheck.options.keywords import in_python as translated

    error = translated(UsageError(message, message))
    assert (error.message, error.advice) == (in_python, in_python)


def test_a_kind_by_itself_takes_a_text_as_it_is() -> None:
    assert Kind().read("a") == "a"
    assert Kind().known() == ()


def test_the_command_that_shows_a_fix_drops_what_compare_does_not_take() -> None:
    only_of_trace = {option.option for option in of_command("trace")} - {o.option for o in of_command("compare")}
    assert only_of_trace <= OF_TRACE.keys()
