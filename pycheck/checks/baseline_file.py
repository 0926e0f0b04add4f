"""Reads and writes the baseline, a text file that people can review: sorted TOML, one fact per line."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import InputError, UsageError
from .configuration import BaselineSettings

SCHEMA = 1
_HEAD = (
    "# The accepted results. Written by `pycheck baseline update` or `pytest --pycheck-update-baseline`.\n"
    "# Numbers are rounded to three digits.\n"
)
_UPDATE = "Write it again from results that pass: pycheck baseline update"
_DIGITS = 3
#: The number of hexadecimal digits of a digest; so many identify one.
DIGEST_LENGTH = 16
#: The format of an artifact of TF.js that no runtime needs.
NO_ARTIFACT = "none"


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """One output of one runtime; None if there was nothing to measure. `digest` is the hash of its bytes."""

    digest: str | None = None
    max_abs_error: float | None = None
    rms_error: float | None = None
    top1_flips: int | None = None  # rows whose top-1 class differs from Python's
    nonfinite: int = 0  # elements that are NaN or infinite on one side only
    float_bits: int = 32  # of the runtime's own precision


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """One variant: its model, inputs and artifacts, and the results of each output on each runtime.

    `seconds` is the time of its candidates together, rounded to 1, 2 or 5 times a power of ten; at least 1.
    `artifact`, `artifact_bytes` and `weights_sha256` are of TF.js's artifact, "none" and 0 without one; `tflite_bytes`
    and `tflite_sha256` are of LiteRT.js's file.
    """

    artifact: str
    artifact_bytes: int
    inputs: tuple[str, ...]
    inputs_sha256: str
    model_sha256: str
    outputs: tuple[str, ...]
    samples: int
    weights_sha256: str | None = None  # of TF.js's artifact
    tflite_bytes: int | None = None
    tflite_sha256: str | None = None
    seconds: int | None = None
    runtimes: Mapping[str, Mapping[str, OutputFacts]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The whole file. `environment` describes each runtime: library, platform, renderer, flags."""

    pycheck: str
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    variants: Mapping[str, VariantFacts] = field(default_factory=dict)
    schema: int = SCHEMA


_BASELINE = TypeAdapter(Baseline)


def read(path: Path) -> Baseline:
    """Read a baseline. InputError if it does not exist, is damaged, or has the format of a different pycheck."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read the baseline {path}: {error.strerror}.", _UPDATE) from error
    except ValueError as error:
        raise InputError(
            f"{path} is not a baseline: {error}.", f"Remove conflict marks of a merge, if there are any. {_UPDATE}"
        ) from error
    schema = table.get("schema")
    if schema != SCHEMA:
        raise InputError(
            f"The baseline {path} has schema {schema!r}, but this pycheck reads {SCHEMA}.",
            f"Use the pycheck version that wrote it. {_UPDATE}",
        )
    try:
        return _BASELINE.validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"The baseline {path} is damaged at {where}: {first['msg']}.", _UPDATE) from error


def of_settings(settings: BaselineSettings) -> Baseline | None:
    """Read the baseline of a configuration; None if there is none and the configuration does not name one."""
    if settings.file.exists() or not settings.named:
        return read(settings.file) if settings.file.exists() else None
    raise UsageError(
        f"The baseline {settings.file} does not exist.", "Write it from results that pass: pycheck baseline update"
    )


def write(path: Path, baseline: Baseline) -> None:
    """Write a baseline, atomically. UsageError if the file cannot be written."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(render(baseline), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"Cannot write the baseline {path}: {error.strerror}.") from error


def render(baseline: Baseline) -> str:
    """Format a baseline as text; the same facts always give the same text."""
    lines = [f"schema = {baseline.schema}", f"pycheck = {_value(baseline.pycheck)}"]
    for runtime, facts in sorted(baseline.environment.items()):
        lines += _table(("environment", runtime), facts)
    for name, variant in sorted(baseline.variants.items()):
        facts = {key: value for key, value in asdict(variant).items() if key != "runtimes"}
        lines += _table(("variants", name), facts)
        for runtime, outputs in sorted(variant.runtimes.items()):
            for tensor, output in sorted(outputs.items()):
                lines += _table(("variants", name, "runtimes", runtime, tensor), asdict(output))
    return _HEAD + "\n".join(lines) + "\n"


def _table(path: tuple[str, ...], facts: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"[{'.'.join(map(_key, path))}]"
    for name, value in sorted(facts.items()):
        if value is not None:
            yield f"{_key(name)} = {_value(value)}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return '"' + "".join(_escaped(c) for c in value) + '"'
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    text = f"{value:.{_DIGITS}g}"
    mantissa, exponent, power = text.partition("e")
    short = f"{mantissa}e{int(power)}" if exponent else mantissa
    return short if "." in short or exponent else f"{short}.0"
