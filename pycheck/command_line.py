"""The command that does at a terminal what was asked for in Python, for reports to name."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from .by_input import MADE, Ranges, Sizes, size_text
from .config import Options

#: What changes no result, or is no option of the command.
LEFT_OUT = frozenset(
    {
        "save_run",
        "cache_dir",
        "command",
        "batch_size_named",
        "runtimes_named",
        "trace",
        "tolerance",
        "page",
        "bundle",
        "bundle_point",
        "model_explorer",
    }
)


def command_line(command: str, model: Any, inputs: Any, options: Options) -> str:
    """``pycheck compare MODEL INPUTS ...`` with every option that is not its default.

    Empty where the model is no file, the inputs are arrays, or the page is not pycheck's own: no command has them.
    """
    if not isinstance(model, Path) or not (inputs is None or isinstance(inputs, Path)) or options.page:
        return ""
    words = ["pycheck", command, str(model), *([] if inputs is None else [str(inputs)])]
    if options.trace and command == "compare":
        words.append("--trace")
    plain = Options()
    for field in fields(Options):
        value = getattr(options, field.name)
        if field.name in MADE and inputs is not None:
            continue  # a default of the configuration, for made inputs
        if field.name not in LEFT_OUT and (
            value != getattr(plain, field.name) or (field.name == "batch_size" and options.batch_size_named)
        ):
            words += _WORDS.get(field.name, _one)("--" + field.name.replace("_", "-"), value)
    tolerance = options.tolerance
    for name, limits in (("rtol", tolerance.rtol), ("atol", tolerance.atol), ("max-ulp", tolerance.max_ulp)):
        words += _limits(f"--{name}", limits)
    return shlex.join(words)


def _one(option: str, value: Any) -> list[str]:
    return [option, str(value)]


def _switch(option: str, value: Any) -> list[str]:
    return [option]


def _each(option: str) -> Callable[[str, Iterable[Any]], list[str]]:
    return lambda _, values: [word for value in values for word in (option, str(value))]


def _pairs(option: str) -> Callable[[str, Iterable[tuple[str, Any]]], list[str]]:
    # One word with its option, since a browser's argument begins with dashes itself.
    return lambda _, pairs: [f"{option}={name}={value}" for name, value in pairs]


def _number(value: float) -> str:
    """Short where that is the number, else all its digits."""
    return text if float(text := f"{value:g}") == value else repr(value)


def _limits(option: str, limits: Mapping[str | None, float]) -> list[str]:
    texts = (_number(value) if name is None else f"{name}:{_number(value)}" for name, value in limits.items())
    return [word for text in texts for word in (option, text)]


def _ranges(option: str, ranges: Ranges) -> list[str]:
    texts = (f"{_prefix(name)}{_number(low)}:{_number(high)}" for name, (low, high) in ranges.items())
    return [f"{option}={text}" for text in texts]  # one word: the first may be negative


def _sizes(option: str, sizes: Sizes) -> list[str]:
    return [f"{option}={_prefix(name)}{size_text(values)}" for name, values in sizes.items()]


def _prefix(name: str | None) -> str:
    return "" if name is None else f"{name}:"


#: Those that are not one option with one value.
_WORDS: dict[str, Callable[[str, Any], list[str]]] = {
    "runtimes": _each("--runtime"),
    "map_output": _pairs("--map-output"),
    "range": _ranges,
    "size": _sizes,
    "layers": _each("--layer"),
    "timeout_s": lambda _, value: ["--timeout", _number(value)],
    "headed": _switch,
    "browser_path": _pairs("--browser-path"),
    "browser_args": _pairs("--browser-arg"),
    "connect": _pairs("--connect"),
    "flags": _pairs("--flag"),
    "keep_float": _each("--keep-float"),
    "cpu_kernels": _each("--cpu-kernel"),
    "try_remedies": _switch,
    "power": lambda *_: ["--no-power"],
    "custom_objects": _each("--custom-objects"),
    "trust_model": _switch,
    "cache": lambda *_: ["--no-cache"],
}
