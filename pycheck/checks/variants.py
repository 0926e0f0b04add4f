"""Lists the rows of the matrix: each model in each format and quantization, with its options."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import UsageError
from ..gate import ToleranceRule
from ..options.file import NAME, nearest
from ..options.reading import layered, named
from ..options.replay import command_line, without_words
from ..options.table import BY_NAME
from ..options.values import DEFAULT_RUNTIMES, LITERT_RUNTIMES, ONLY_TFJS, Options, quantizes
from ..setup.releases import LITERT, Release
from ..types import RuntimeId
from .configuration import Configuration, ModelEntry


@dataclass(frozen=True, slots=True)
class Variant:
    """One row. `name` is the model's name and its format, quantization and release of a library, if not the default.

    `options.runtimes` are those of its library, and none if the call asks for others.
    `release` is that of the configuration or the command line; None are the releases that come with pycheck.
    `accepted_as` is the name of the same variant with these, which the baseline uses.
    """

    name: str
    entry: ModelEntry
    options: Options
    release: Release | None
    accepted_as: str


def expand(
    config: Configuration,
    given: Mapping[str, Any],
    only: Sequence[str] = (),
    *,
    releases: Sequence[Release] = (),
    environ: Mapping[str, str] | None = None,
) -> tuple[Variant, ...]:
    """List every variant, or those whose model or own name matches one of the patterns `only`.

    `given` and `releases` are those of the call. UsageError for a pattern without a match, and for two
    variants of the same name.
    """
    environ = dict(os.environ if environ is None else environ)  # a plain dict is read much faster for each variant
    variants = tuple(v for entry in config.models for v in _of(config, entry, given, releases, environ))
    _check_names(variants)
    for pattern in only:
        if not any(_fits(variant, pattern) for variant in variants):
            known = dict.fromkeys(name for variant in variants for name in (variant.entry.name, variant.name))
            raise UsageError(f"{config.file} has no model {pattern!r}.", nearest(pattern, known))
    named_ones = [v for v in variants if not only or any(_fits(v, pattern) for pattern in only)]
    chosen = [v for v in named_ones if v.options.runtimes]
    if not chosen:
        raise UsageError(
            f"No runtime is left for {', '.join(v.name for v in named_ones)}.",
            "A tflite variant runs in LiteRT.js, the other formats run in TF.js, and some quantizations are of one "
            "library. Change --runtime, --quantize, --tfjs-version, --litert-version or their PYCHECK_ variables.",
        )
    here = without_words()  # read once: a file of 2,000 models takes a while
    return tuple(replace(v, options=replace(v.options, command=reproducing(config, v, here, given))) for v in chosen)


def _fits(variant: Variant, pattern: str) -> bool:
    return fnmatchcase(variant.name, pattern) or fnmatchcase(variant.entry.name, pattern)


def _of(
    config: Configuration,
    entry: ModelEntry,
    given: Mapping[str, Any],
    releases: Sequence[Release],
    environ: Mapping[str, str] | None,
) -> Iterator[Variant]:
    settings = {**config.settings, **entry.settings}
    splits = "tflite" in entry.formats and entry.path.suffix != ".tflite"
    if (
        "tfjs_model" in settings or entry.path.name == "model.json" or entry.path.suffix == ".tflite"
    ):  # an artifact already has its format and weights
        if own := {"format", "quantize"} & entry.settings.keys():
            raise UsageError(f"{entry.place}: a given artifact has its format already. Remove {min(own)}.")
        dimensions, splits = [{"format": "auto", "quantize": "none"}], splits and "tfjs_model" not in settings
    else:
        formats = [{"format": value} for value in entry.formats] or [{}]
        quantizations = [{"quantize": value} for value in entry.quantizations] or [{}]
        dimensions = [{**f, **q} for f in formats for q in quantizations]
        dimensions = [d for d in dimensions if _is_possible(settings, d, splits=splits)]
        _check_possible(entry, settings, dimensions)
    for chosen in dimensions:
        options = _options({**settings, **chosen}, given, environ, splits=splits)
        parts = [entry.name]
        parts += [options.format] if options.format != "auto" else []
        parts += [options.quantize] if options.quantize != "none" else []
        name = "/".join(parts)
        rules = tuple(
            ToleranceRule(t.where.runtime, t.where.output, t.limits)
            for t in config.tolerances
            if t.where.takes_variant(name)
        )
        options = replace(options, rules=rules)
        fitting = [r for r in releases or entry.releases if any(map(_library_of(r), options.runtimes))]
        if releases and not fitting:
            options = replace(options, runtimes=())
        for release in fitting or (None,):
            suffix = f"/{release.library.key}-{release.version}" if release and not release.is_own else ""
            yield Variant(name + suffix, entry, options, release if suffix else None, name)


def _options(
    settings: Mapping[str, Any], given: Mapping[str, Any], environ: Mapping[str, str] | None, *, splits: bool
) -> Options:
    """Build the options of a variant, with the runtimes that fit its format and quantization."""
    above = named({}, given, environ=environ)
    runtimes = _runtimes({**settings, **above}, splits=splits, may_add="runtimes" not in above)
    if not runtimes:
        merged = {**settings, **above}
        return Options(runtimes=(), **{name: merged[name] for name in ("format", "quantize") if name in merged})
    if splits and all(runtime.is_litert for runtime in runtimes):
        given = {name: value for name, value in given.items() if name not in ONLY_TFJS}
    return layered(settings, {**given, "runtimes": runtimes}, environ=environ)


def _runtimes(settings: Mapping[str, Any], *, splits: bool, may_add: bool = True) -> tuple[RuntimeId, ...]:
    """Return the runtimes of the settings that load their format and have their quantization.

    With `splits`, formats other than tflite are only for TF.js. If no runtime is of the library of the format and
    `may_add`, the runtimes are those that the library has by default.
    """
    runtimes: tuple[RuntimeId, ...] = settings.get("runtimes", DEFAULT_RUNTIMES)
    is_tflite = settings.get("format") == "tflite"
    if is_tflite or splits:
        of_library = tuple(runtime for runtime in runtimes if runtime.is_litert == is_tflite)
        by_default = LITERT_RUNTIMES if is_tflite else DEFAULT_RUNTIMES
        runtimes = of_library or (by_default if may_add else ())
    return tuple(runtime for runtime in runtimes if quantizes(runtime, settings.get("quantize", "none")))


def _is_possible(settings: Mapping[str, Any], chosen: Mapping[str, str], *, splits: bool) -> bool:
    """Tell whether a runtime of the configuration loads this format with this quantization."""
    runtimes = _runtimes({**settings, **chosen}, splits=splits)
    if chosen.get("format") in ("layers", "graph"):
        runtimes = tuple(runtime for runtime in runtimes if not runtime.is_litert)
    return bool(runtimes)


def _check_possible(entry: ModelEntry, settings: Mapping[str, Any], possible: Sequence[Mapping[str, str]]) -> None:
    """Raise UsageError for a format or a quantization that no variant has."""
    advice = (
        "TF.js loads layers and graph, with none, float16, uint16 or uint8; LiteRT.js loads tflite, with none, float16 "
        'or dynamic. Change runtimes, or add "tflite" to formats.'
    )
    for value in entry.formats:
        if not any(chosen.get("format") == value for chosen in possible):
            what = f"{entry.places['formats']}: no runtime of {entry.name} loads the format {value!r}"
            raise UsageError(f"{what} with a quantization that it has.", advice)
    for value in entry.quantizations or (() if possible else (settings.get("quantize", "none"),)):
        if not any(chosen.get("quantize", value) == value for chosen in possible):
            place = entry.places["quantizations"] if entry.quantizations else entry.place
            raise UsageError(f"{place}: no runtime of {entry.name} has the quantization {value!r}.", advice)


def _library_of(release: Release) -> Callable[[RuntimeId], bool]:
    """Return whether a runtime is of the library of a release."""
    return lambda runtime: runtime.is_litert == (release.library == LITERT)


def _check_names(variants: Sequence[Variant]) -> None:
    seen: set[str] = set()
    for variant in variants:
        if variant.name in seen:
            raise UsageError(
                f"{variant.entry.place}: two variants are called {variant.name!r}.",
                "Remove --format, --quantize and their PYCHECK_ variables, which override the formats of the variants.",
            )
        seen.add(variant.name)


def reproducing(
    config: Configuration, variant: Variant, here: Options, given: Mapping[str, Any] = MappingProxyType({})
) -> str:
    """Return the command that gives the same report: compare if it has an option for every setting, else check.

    `here` are the options of `without_words`.
    """
    if variant.options.rules or variant.release:
        where = [] if config.file == Path(NAME) else ["--config", str(config.file)]
        release = [variant.release.library.option, variant.release.text] if variant.release else []
        said = (BY_NAME[name] for name, value in given.items() if value is not None and name != "dask")
        words = [w for option in said for w in option.kind.words(option.option, getattr(variant.options, option.name))]
        return shlex.join(["pycheck", "check", variant.name, *where, *release, *words])
    return command_line("compare", variant.entry.path, variant.entry.inputs, variant.options, here)
