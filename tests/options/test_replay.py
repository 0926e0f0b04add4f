"""The command that reproduces a run that was started from Python."""

from __future__ import annotations

import shlex
from collections.abc import Coroutine
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.cli import main as cli
from pycheck.errors import UsageError
from pycheck.options.reading import build
from pycheck.options.replay import command_line
from pycheck.options.table import OPTIONS
from pycheck.options.values import Options
from pycheck.workflow.pipeline import Workbench

MODEL, INPUTS = Path("a model.keras"), Path("inputs.npy")

#: Every option, none at its default.
EVERYTHING = build(
    {
        "runtimes": ["firefox:webgl", "chromium:webgl-f16"],
        "format": "graph",
        "quantize": "uint8",
        "keep_float": ["bn", "*/bias"],
        "samples": 7,
        "seed": 3,
        "range": ["-1:2.5", "kinds:0:12"],
        "size": ["audio:16000", "224x160"],
        "rtol": ["0.001"],
        "atol": ["scores:0.000123456789", "1e-06"],
        "max_ulp": ["boxes:64"],
        "nan": "warn",
        "trace": True,
        "layers": ["conv 1", "softmax"],
        "trace_samples": 5,
        "trace_memory": 1 << 20,
        "batch_size": 4,
        "timeout_s": 20.0,
        "headed": True,
        "browser_path": {"firefox": "/opt/fire fox"},
        "browser_args": ["--enable-gpu", "firefox=--width=800"],
        "connect": {"chromium": "webdriver+http://grid:4444"},
        "capabilities": {"chromium": "caps of chrome.json"},
        "public_url": "https://pc.example:8443",
        "public_port": 8471,
        "allow_remote": True,
        "isolated": True,
        "flags": {"WEBGL_PACK": False},
        "cpu_kernels": ["Relu", "Max"],
        "try_remedies": True,
        "power": False,
        "signature": "encode",
        "custom_objects": ["my_layers:Thing"],
        "trust_model": True,
        "cache": False,
    },
    environ={},
)
#: What does not go with others of the artifact.
CONVERTER = build({"converter": "tensorflowjs", "quantize": "uint8"}, environ={})
FILES = build(
    {
        "preprocess": "torch",
        "js_preprocess": "web/prep.js:load",
        "postprocess": "app/post.py:decide",
        "js_postprocess": "web/post.js",
        "decisions_changed": 0.25,
        "box_overlap": 0.75,
    },
    has_inputs=True,
    environ={},
)
GIVEN = build({"tfjs_model": "web/model.json", "map_output": [("Identity", "scores")]}, environ={})
TFLITE = build({"tflite_model": "web/model.tflite", "map_output": [("Identity", "scores")]}, environ={})


def _understood(line: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Options]:
    """What the command line makes of it."""
    heard: list[tuple[Any, Any, Options]] = []

    def compare(_: Workbench, model: Any, inputs: Any, options: Options, observe: object) -> Coroutine[Any, Any, None]:
        heard.append((model, inputs, options))
        raise UsageError("enough was heard")

    monkeypatch.setattr(Workbench, "compare", compare)
    program, *arguments = shlex.split(line)
    assert (program, cli.run(arguments)) == ("pycheck", 2)
    return heard[0]


@pytest.mark.parametrize(
    "options",
    [Options(), EVERYTHING, CONVERTER, GIVEN, TFLITE],
    ids=["plain", "everything", "converter", "given", "tflite"],
)
def test_the_command_asks_for_exactly_what_was_asked_for(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    model, inputs, heard = _understood(command_line("compare", MODEL, None, options), monkeypatch)
    assert (model, inputs) == (MODEL, None)
    assert replace(heard, command="", cache_dir=None) == replace(options, cache_dir=None)


def test_what_shapes_made_inputs_is_not_said_beside_given_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    model, inputs, heard = _understood(command_line("compare", MODEL, INPUTS, EVERYTHING), monkeypatch)
    assert (model, inputs) == (MODEL, INPUTS)
    assert replace(heard, command="", cache_dir=None) == replace(
        EVERYTHING, range={}, size={}, samples=Options().samples, seed=Options().seed
    )


def test_files_are_asked_for_one_by_one_with_the_code_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = [Path("a 1.png"), Path("b.png")]
    model, inputs, heard = _understood(command_line("compare", MODEL, photos, FILES), monkeypatch)
    assert (model, inputs) == (MODEL, photos)
    assert replace(heard, command="", cache_dir=None) == replace(FILES, cache_dir=None)
    assert "preprocess" not in command_line("compare", MODEL, None, FILES)


def test_the_options_above_are_all_that_there_are() -> None:
    said = {
        f.name
        for o in (EVERYTHING, CONVERTER, FILES, GIVEN, TFLITE)
        for f in fields(o)
        if getattr(o, f.name) != getattr(Options(), f.name)
    }
    assert {option.name for option in OPTIONS if option.replayed} <= said


def test_what_is_at_its_default_is_not_said() -> None:
    assert command_line("compare", MODEL, None, Options()) == "pycheck compare 'a model.keras'"


def test_what_no_file_holds_no_command_reproduces() -> None:
    assert command_line("compare", object(), INPUTS, Options()) == ""
    assert command_line("compare", MODEL, np.zeros(3), Options()) == ""
    assert command_line("compare", MODEL, INPUTS, Options(page=Path("another"))) == ""


def _replayed(
    text: str, given: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Options, Options]:
    """What a call beside this pycheck.toml comes to, and what the command that is to reproduce it comes to there."""
    monkeypatch.chdir(folder)
    (folder / "pycheck.toml").write_text(text)
    options = build(given, has_inputs=True)
    return options, _understood(command_line("compare", MODEL, INPUTS, options), monkeypatch)[2]


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("trace_samples = 4\n", {}),
        ('trace_memory = "1GiB"\n', {}),
        ('keep_float = ["bn"]\n', {}),
        ('quantize = "uint8"\nkeep_float = ["bn"]\n', {"tfjs_model": "model.json"}),
        ("trace = true\n", {"trace": False}),
        ('quantize = "uint8"\n', {"quantize": "none"}),
        ("power = false\n", {"power": True}),
    ],
)
def test_the_command_reproduces_beside_the_file_as_well(
    text: str, given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, heard = _replayed(text, given, tmp_path, monkeypatch)
    assert replace(heard, command="", cache_dir=None) == replace(options, cache_dir=None)
