"""Lists the rows of the matrix: each model in each format and quantization, with its options."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import UsageError
from ..gate import ToleranceRule
from ..options.file import NAME, nearest
from ..options.reading import layered
from ..options.replay import command_line
from ..options.table import BY_NAME
from ..options.values import Options
from ..runtimes.browser.server import Harness
from ..setup.releases import release_of
from .configuration import Configuration, ModelEntry


@dataclass(frozen=True, slots=True)
class Variant:
    """One row. `name` is the model's name and its format, quantization and release of TF.js, if not the default.

    `release` is the name of the release in the configuration or the command line; None is the release that comes with
    pycheck. `accepted_as` is the name of the same variant with that release, which the baseline uses.
    """

    name: str
    entry: ModelEntry
    options: Options
    release: str | None
    accepted_as: str


def expand(
    config: Configuration,
    given: Mapping[str, Any],
    only: Sequence[str] = (),
    *,
    releases: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> tuple[Variant, ...]:
    """List every variant, or those whose model or own name matches one of the patterns `only`.

    `given` and `releases` (of TF.js) are those of the call. UsageError for a pattern without a match, and for two
    variants of the same name.
    """
    variants = tuple(v for entry in config.models for v in _of(config, entry, given, releases, environ))
    _check_names(variants)
    for pattern in only:
        if not any(_fits(variant, pattern) for variant in variants):
            known = dict.fromkeys(name for variant in variants for name in (variant.entry.name, variant.name))
            raise UsageError(f"{config.file} has no model {pattern!r}.", nearest(pattern, known))
    chosen = [v for v in variants if not only or any(_fits(v, pattern) for pattern in only)]
    return tuple(replace(v, options=replace(v.options, command=reproducing(config, v, given))) for v in chosen)


def _fits(variant: Variant, pattern: str) -> bool:
    return fnmatchcase(variant.name, pattern) or fnmatchcase(variant.entry.name, pattern)


def _of(
    config: Configuration,
    entry: ModelEntry,
    given: Mapping[str, Any],
    releases: Sequence[str],
    environ: Mapping[str, str] | None,
) -> Iterator[Variant]:
    settings = {**config.settings, **entry.settings}
    if (
        "tfjs_model" in settings or entry.path.name == "model.json" or entry.path.suffix == ".tflite"
    ):  # an artifact already has its format and weights
        if own := {"format", "quantize"} & entry.settings.keys():
            raise UsageError(f"{entry.place}: a given artifact has its format already. Remove {min(own)}.")
        dimensions = [{"format": "auto", "quantize": "none"}]
    else:
        formats = [{"format": value} for value in entry.formats] or [{}]
        quantizations = [{"quantize": value} for value in entry.quantizations] or [{}]
        dimensions = [{**f, **q} for f in formats for q in quantizations]
    for chosen in dimensions:
        options = layered({**settings, **chosen}, given, environ=environ)
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
        for release in releases or entry.releases or (None,):
            suffix = _suffix(release) if release else ""
            yield Variant(name + suffix, entry, options, release if suffix else None, name)


def _suffix(release: str) -> str:
    version = release_of(release)
    return "" if version == Harness.read().tfjs_version and version == release else f"/tfjs-{version}"


def _check_names(variants: Sequence[Variant]) -> None:
    seen: set[str] = set()
    for variant in variants:
        if variant.name in seen:
            raise UsageError(
                f"{variant.entry.place}: two variants are called {variant.name!r}.",
                "Remove --format, --quantize and their PYCHECK_ variables, which override the formats of the variants.",
            )
        seen.add(variant.name)


def reproducing(config: Configuration, variant: Variant, given: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return the command that gives the same report: compare if it has an option for every setting, else check."""
    if variant.options.rules or variant.release:
        where = [] if config.file == Path(NAME) else ["--config", str(config.file)]
        release = ["--tfjs-version", variant.release] if variant.release else []
        said = (BY_NAME[name] for name, value in given.items() if value is not None)
        words = [w for option in said for w in option.kind.words(option.option, getattr(variant.options, option.name))]
        return shlex.join(["pycheck", "check", variant.name, *where, *release, *words])
    return command_line("compare", variant.entry.path, variant.entry.inputs, variant.options)
