"""Options: command line, then environment, then pycheck.toml or [tool.pycheck], then defaults."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from . import by_input
from .by_input import Ranges, Sizes
from .errors import UsageError
from .gate import ToleranceOptions
from .settings import Path_, SettingsFile, find, nearest
from .types import BROWSER_ENGINES, BROWSER_KINDS, DEVICE, NanPolicy, RuntimeId

DEFAULT_RUNTIMES = tuple(RuntimeId("chromium", kind) for kind in ("cpu", "webgl", "wasm"))

FORMATS = ("auto", "layers", "graph")
CONVERTERS = ("pycheck", "tensorflowjs")
QUANTIZATIONS = ("none", "float16", "uint16", "uint8")


@dataclass(frozen=True, slots=True)
class BrowserChoice:
    """What was said about one engine's browser. `address` is where one runs already, or "by-hand"."""

    path: Path | None = None
    address: str | None = None
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """Everything a run can be told, checked. Times are in seconds.

    `runtimes_named` is set if somebody named the runtimes: `train` leaves out others that cannot train the model.
    `batch_size_named` is set if somebody named the size; another one is smaller if a sample takes much memory.
    `range` bounds made inputs and `size` is that of their free dimensions, by input name or for all (None);
    `map_output` pairs artifact names with model names; `keep_float` are weights that `quantize` leaves alone;
    `flags` are TF.js flags that replace its defaults, `cpu_kernels` those that its CPU backend runs instead.
    """

    runtimes: tuple[RuntimeId, ...] = DEFAULT_RUNTIMES
    runtimes_named: bool = False
    format: str = "auto"
    converter: str = "pycheck"
    quantize: str = "none"
    keep_float: tuple[str, ...] = ()
    tfjs_model: Path | None = None
    map_output: tuple[tuple[str, str], ...] = ()
    samples: int = 32
    seed: int = 0
    range: Ranges = field(default_factory=dict)
    size: Sizes = field(default_factory=dict)
    tolerance: ToleranceOptions = field(default_factory=ToleranceOptions)
    nan: NanPolicy = NanPolicy.FAIL
    save_run: Path | None = None
    trace: bool = False
    layers: tuple[str, ...] = ()
    trace_samples: int | None = None
    trace_memory: int | None = None  # bytes
    bundle: Path | None = None
    bundle_point: str | None = None
    model_explorer: Path | None = None
    batch_size: int = 32
    batch_size_named: bool = False
    timeout_s: float = 300.0
    headed: bool = False
    browser_path: tuple[tuple[str, Path], ...] = ()  # by engine
    browser_args: tuple[tuple[str, str], ...] = ()  # likewise
    connect: tuple[tuple[str, str], ...] = ()  # likewise
    flags: tuple[tuple[str, str], ...] = ()
    cpu_kernels: tuple[str, ...] = ()
    try_remedies: bool = False
    power: bool = True
    signature: str | None = None
    custom_objects: tuple[str, ...] = ()
    trust_model: bool = False
    cache: bool = True
    cache_dir: Path | None = None
    page: Path | None = None  # the folder of a page with another release of TF.js
    command: str = ""

    def __post_init__(self) -> None:
        _choice("--format", self.format, FORMATS)
        _choice("--converter", self.converter, CONVERTERS)
        _choice("--quantize", self.quantize, QUANTIZATIONS)
        for name, value in (
            ("--samples", self.samples),
            ("--batch-size", self.batch_size),
            ("--trace-samples", self.trace_samples),
            ("--trace-memory", self.trace_memory),
        ):
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}; it must be at least 1")
        if self.layers and not self.trace:
            raise UsageError("--layer says what to trace, and nothing is traced", "Add --trace, or use pycheck trace.")
        if self.bundle_point and not self.bundle:
            raise UsageError(
                "--bundle-point says what to put into a bundle, and none is asked for", "Add --bundle DIR."
            )
        if not 0 < self.timeout_s < math.inf:
            raise UsageError(f"--timeout is {self.timeout_s}; it must be a number of seconds above 0")
        if self.converter != "pycheck" and self.tfjs_model:
            raise UsageError(
                f"--converter {self.converter} says how the model is converted, and --tfjs-model gives an artifact",
                "Leave out one of them.",
            )
        if self.converter != "pycheck" and self.keep_float:
            raise UsageError(
                "--keep-float is of pycheck's own converter; the published one quantizes all weights",
                f"Leave out --keep-float or --converter {self.converter}.",
            )
        if self.map_output and not self.tfjs_model:
            raise UsageError(
                "--map-output pairs the outputs of an existing artifact, and none is given", "Add --tfjs-model PATH."
            )
        if not self.runtimes:
            raise UsageError("no runtime is chosen", "Give --runtime at least once, such as --runtime chromium:webgl.")
        for runtime in self.runtimes:
            if runtime.engine in ("native", "artifact"):
                raise UsageError(
                    f"--runtime {runtime}: a candidate runs in a browser; native:float32 and native:float64 "
                    "are the reference of every comparison"
                )
        for engine in dict(self.browser_path).keys() & dict(self.connect).keys():
            raise UsageError(f"{engine} is given both --browser-path and --connect", "Leave out one of them.")

    def browser(self, engine: str) -> BrowserChoice:
        """What was said about an engine's browser."""
        args = tuple(arg for name, arg in self.browser_args if name == engine)
        return BrowserChoice(dict(self.browser_path).get(engine), dict(self.connect).get(engine), args)


#: Options that a file or the environment may set, by their name there.
_FILE_KEYS: dict[str, Any] = {
    "runtimes": tuple[str, ...], "format": str, "converter": str, "quantize": str, "keep_float": tuple[str, ...],
    "samples": int, "seed": int, 
    "range": dict[str, str | list[float]] | list[float] | list[str] | str,
    "size": dict[str, int | str | list[int]] | list[int] | list[str] | int | str,
    "rtol": list[str | float] | str | float, "atol": list[str | float] | str | float,
    "max_ulp": list[str | float] | str | float, "nan": str,
    "trace": bool, "trace_samples": int, "trace_memory": int | str,
    "batch_size": int, "timeout": float, "headed": bool,
    "browser_path": dict[str, str] | list[str] | str, "browser_args": tuple[str, ...],
    "connect": dict[str, str] | list[str], "flags": dict[str, str | int | float | bool],
    "cpu_kernels": tuple[str, ...], "try_remedies": bool, "power": bool,
    "signature": str, "custom_objects": tuple[str, ...], "trust_model": bool, "cache": bool, "cache_dir": str,
}  # fmt: skip


def setting_names() -> tuple[str, ...]:
    """Every setting that a file may have, whatever the command."""
    return tuple(_FILE_KEYS)


#: What else may stand in the file, for pycheck check alone.
CHECK_KEYS = (
    "models", "formats", "quantizations", "tfjs_versions", "tolerances", "budgets", "severity", "known", "baseline",
)  # fmt: skip


def build(given: Mapping[str, Any], *, folder: Path | None = None, environ: Mapping[str, str] | None = None) -> Options:
    """Options from what the command line gave (None: not given) and what lies below it.

    `given` has the names of Options, but texts where the command line has texts.
    UsageError names the value, where it stands, and the nearest right one.
    """
    file = find(folder or Path())
    return layered(from_file(file) if file else {}, given, environ=environ)


def layered(
    settings: Mapping[str, Any], given: Mapping[str, Any], *, environ: Mapping[str, str] | None = None
) -> Options:
    """Options from what was read from a file, what the environment says and what the command line gave."""
    values = {**settings, **_from_environment(os.environ if environ is None else environ)}
    values.update({name: value for name, value in given.items() if value not in (None, (), [])})
    return _parse(values)


def from_file(file: SettingsFile, keys: Path_ = (), more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The settings in a table of a file, its own top level by default; `more` are others that it may have.

    UsageError for one that is unknown or wrong names its line.
    """
    table: Any = file.table
    for key in keys:
        table = table[key]
    kinds = _FILE_KEYS | dict(more or {})
    skipped = () if keys else CHECK_KEYS
    settings = {}
    for key, value in table.items():
        if key in skipped:
            continue
        if key not in kinds:
            raise file.unknown((*keys, key), [*kinds, *skipped])
        settings[key] = file.typed((*keys, key), value, kinds[key])
        beside = {"tfjs_model": "model.json"} if key == "map_output" else {}  # what this one makes no sense without
        try:
            _parse({**beside, key: settings[key]})
        except UsageError as error:
            raise UsageError(f"{file.place(*keys, key)}: {error.message}", error.advice) from error
    return settings


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for variable, text in environ.items():
        if variable.startswith("PYCHECK_"):
            key = variable.removeprefix("PYCHECK_").lower()
            plural = key in (
                "runtimes",
                "browser_args",
                "connect",
                "cpu_kernels",
                "keep_float",
                "custom_objects",
                "rtol",
                "atol",
                "max_ulp",
                "range",
                "size",
            )
            value: Any = text.split() if plural else text
            if key == "browser_path":
                value = text.split(os.pathsep)
            if key == "flags":
                value = dict(pair.partition("=")[::2] for pair in text.split())
            settings[key] = _typed(variable, key, value)
    return settings


def _typed(where: str, key: str, value: Any) -> Any:
    if key not in _FILE_KEYS:
        raise UsageError(f"{where}: unknown setting {key!r}", nearest(key, _FILE_KEYS))
    try:
        return TypeAdapter(_FILE_KEYS[key]).validate_python(value)
    except ValidationError as error:
        raise UsageError(f"{where}: {error.errors()[0]['msg']}; the value is {value!r}") from error


def _parse(settings: dict[str, Any]) -> Options:
    """Texts into values."""
    values = dict(settings)
    rtol, atol, max_ulp = (_by_output(name, values.pop(name, ())) for name in ("rtol", "atol", "max_ulp"))
    values["tolerance"] = ToleranceOptions(rtol, atol, max_ulp)
    values["batch_size_named"] = "batch_size" in values
    values["runtimes_named"] = "runtimes" in values
    if "runtimes" in values:
        values["runtimes"] = tuple(dict.fromkeys(_runtime(text) for text in values["runtimes"]))
    if "range" in values:
        values["range"] = by_input.ranges(values["range"])
    if "size" in values:
        values["size"] = by_input.sizes(values["size"])
    if "nan" in values:
        _choice("--nan", values["nan"], tuple(policy.value for policy in NanPolicy))
        values["nan"] = NanPolicy(values["nan"])
    if "trace_memory" in values:
        try:
            values["trace_memory"] = parse_size(values["trace_memory"])
        except ValueError as error:
            raise UsageError(f"--trace-memory {values['trace_memory']}: {error}") from error
    if "timeout" in values:
        values["timeout_s"] = float(values.pop("timeout"))
    if isinstance(values.get("flags"), Mapping):
        values["flags"] = tuple((name, str(value)) for name, value in values["flags"].items())
    for name in ("map_output", "flags"):
        if name in values:
            values[name] = tuple(_assignment(name, item) for item in values[name])
    paths = _by_engine("--browser-path", values.get("browser_path", ()))
    values["browser_path"] = tuple((engine, Path(path).expanduser()) for engine, path in paths)
    values["browser_args"] = _by_engine("--browser-arg", values.get("browser_args", ()))
    values["connect"] = _addresses(values.get("connect", ()))
    values["layers"] = tuple(values.get("layers", ()))
    values["keep_float"] = tuple(dict.fromkeys(values.get("keep_float", ())))
    values["cpu_kernels"] = tuple(dict.fromkeys(values.get("cpu_kernels", ())))
    for name in ("tfjs_model", "save_run", "cache_dir", "bundle", "model_explorer"):
        if name in values:
            values[name] = Path(values[name]).expanduser()
    values["custom_objects"] = tuple(values.get("custom_objects", ()))
    known = {field.name for field in fields(Options)}
    return Options(**{name: value for name, value in values.items() if name in known})


def _runtime(text: str) -> RuntimeId:
    try:
        return RuntimeId.parse(text)
    except ValueError as error:
        engines = [*BROWSER_ENGINES, text.rpartition(":")[0]] if text.startswith(DEVICE) else BROWSER_ENGINES
        known = [f"{engine}:{kind}" for engine in engines for kind in BROWSER_KINDS]
        near = [f"chromium:{text}"] if text in BROWSER_KINDS else difflib.get_close_matches(text, known, n=1)
        raise UsageError(
            f"--runtime {text}: {error}", f"Did you mean {near[0]}?" if near and near[0] != text else ""
        ) from error


def _by_output(name: str, items: Any) -> dict[str | None, float]:
    """``1e-4`` for every output (None), ``scores:1e-4`` for one."""
    option = "--" + name.replace("_", "-")
    values: dict[str | None, float] = {}
    for item in items if isinstance(items, list | tuple) else [items]:
        output, separator, number = str(item).rpartition(":")
        try:
            value = float(number)
        except ValueError:
            raise UsageError(f"{option} {item}: {number!r} is no number; write 1e-4 or OUTPUT:1e-4") from None
        if not value >= 0:
            raise UsageError(f"{option} {item}: it must be at least 0")
        values[output if separator else None] = value
    return values


def _by_engine(option: str, items: Any) -> tuple[tuple[str, str], ...]:
    """``firefox=VALUE`` for Firefox, ``VALUE`` for Chromium."""
    if isinstance(items, Mapping):
        for engine in items:
            _choice(option, str(engine), BROWSER_ENGINES)
        return tuple((str(engine), str(value)) for engine, value in items.items())
    pairs = []
    for item in [items] if isinstance(items, str | Path) else items:
        engine, separator, value = str(item).partition("=")
        if not separator or engine not in BROWSER_ENGINES:
            if separator and re.fullmatch(r"[a-z]+", engine):
                _choice(option, engine, BROWSER_ENGINES)
            engine, value = "chromium", str(item)
        pairs.append((engine, value))
    return tuple(pairs)


def _addresses(items: Any) -> tuple[tuple[str, str], ...]:
    given = items.items() if isinstance(items, Mapping) else (str(item).partition("=")[::2] for item in items)
    pairs = tuple((str(engine), str(address)) for engine, address in given)
    for engine, address in pairs:
        if engine not in BROWSER_ENGINES or not (address == "by-hand" or re.match(r"(ws|http)s?://.", address)):
            raise UsageError(
                f"--connect {engine}={address}: write ENGINE=ADDRESS, the engine one of {', '.join(BROWSER_ENGINES)}",
                "ADDRESS is a Playwright server's (ws://...), Chromium's DevTools (http://127.0.0.1:9222) or by-hand.",
            )
    return pairs


def parse_size(text: str | int) -> int:
    """``512MiB``, ``1GiB``, ``2GB`` or a number of bytes; ValueError for anything else."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kMGT]i?)?B?", str(text).strip())
    if not match:
        raise ValueError("write a size such as 512MiB or 2GiB")
    number, unit = match.groups()
    base = 1024 if unit and unit.endswith("i") else 1000
    return int(float(number) * base ** ("kMGT".index(unit[0]) + 1 if unit else 0))


def _assignment(name: str, item: str | tuple[str, str]) -> tuple[str, str]:
    if isinstance(item, tuple):
        return item
    left, separator, right = item.partition("=")
    if not (separator and left and right):
        option = {"map_output": "--map-output TFJS=MODEL", "flags": "--flag NAME=VALUE"}[name]
        raise UsageError(f"{item!r}: write {option}")
    return left, right


def _choice(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1)
        raise UsageError(
            f"{option} {value}: unknown; one of {', '.join(known)}", f"Did you mean {near[0]}?" if near else ""
        )
