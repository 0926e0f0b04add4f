"""Puts the saved parts of a check together, and judges them as one check would."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import InputError, UsageError
from ..report.wording import names
from ..types import CheckReport, Report
from . import baseline_file
from .configuration import Configuration
from .judging import judge
from .parts import SavedPart
from .reading import load
from .scope import Outcome, Row, is_timed, settings_of

_ONE_CHECK = "Run all shards of one commit again, with the same options and PYCHECK_ variables."
_MOST = 12


def merge(folders: Sequence[Path], config: Path | None = None, *, today: datetime.date | None = None) -> CheckReport:
    """Judge the parts in `folders` with the configuration `config`, by default the nearest one.

    Budgets, severities, known divergences and the baseline are those of now. InputError names parts that are missing,
    there twice, or of a different check; UsageError names what changed in the configuration since the run.
    """
    if not folders:
        raise UsageError("There is no part to merge.", "Name the folders that pycheck check --save-run DIR wrote.")
    saved = sorted(map(SavedPart, folders), key=lambda one: one.part.shard.number)
    _check_parts(saved)
    settings = load(config)
    accepted = baseline_file.of_settings(settings.baseline)
    _check_configuration(settings, saved[0])
    outcomes = dict(_results(saved))
    longest = max(one.wall_s for one in saved)
    return judge(settings, saved[0].part.scope, outcomes, accepted, wall_s=longest, today=today)


def _check_parts(saved: Sequence[SavedPart]) -> None:
    """Raise InputError unless these are all parts of one check, each once."""
    first = saved[0]
    for other in saved[1:]:
        if other.part.shard.count != first.part.shard.count:
            raise InputError(
                f"{first.folder} and {other.folder} are of two checks: shard {first.part.shard} and shard "
                f"{other.part.shard}.",
                "Name the parts of one check.",
            )
        if other.part.scope != first.part.scope:
            raise InputError(
                f"{first.folder} and {other.folder} are of two checks: {_difference(first, other)}.", _ONE_CHECK
            )
    by_number: dict[int, list[str]] = {}
    for one in saved:
        by_number.setdefault(one.part.shard.number, []).append(str(one.folder))
    count = first.part.shard.count
    if doubled := [f"shard {n}/{count} is in {names(found, _MOST)}" for n, found in by_number.items() if found[1:]]:
        raise InputError(f"Parts are there twice: {'; '.join(doubled)}.", "Name each part once.")
    if missing := [f"{number}/{count}" for number in range(1, count + 1) if number not in by_number]:
        raise InputError(
            f"{'Shard' if len(missing) == 1 else 'Shards'} {names(missing, _MOST)} of the check "
            f"{'is' if len(missing) == 1 else 'are'} missing.",
            f"Run each that is missing: pycheck check --shard {missing[0]} --save-run DIR",
        )
    _check_variants(saved)


def _difference(first: SavedPart, other: SavedPart) -> str:
    """Name the first difference between the checks of two parts."""
    one, two = first.part.scope, other.part.scope
    if keys := _changed(one.settings, two.settings):
        return f"the configuration differs in {names(keys, _MOST)}"
    if (was := [row.name for row in one.rows]) != (is_ := [row.name for row in two.rows]):
        lone = [name for name in (*was, *is_) if (name in was) != (name in is_)]
        return f"only one of them has {names(lone, _MOST)}" if lone else "their variants have a different order"
    for row, its in zip(one.rows, two.rows, strict=True):
        for key in _changed(row.options, its.options):
            return f"{key} of {row.name} is {_shown(row, key)} and {_shown(its, key)}"
    if one.whole != two.whole:
        return f"{one.command!r} and {two.command!r}"
    return "budgets of latency are in only one of their configurations"


def _changed(one: Mapping[str, str], two: Mapping[str, str]) -> list[str]:
    return [key for key in dict.fromkeys([*one, *two]) if one.get(key) != two.get(key)]


def _shown(row: Row, key: str) -> str:
    return row.options.get(key, "the default")


def _check_variants(saved: Sequence[SavedPart]) -> None:
    """Raise InputError unless each variant of the check is in one part: the baseline decides which."""
    where: dict[str, str] = {}
    advice = "Run all shards again with the same baseline: its times decide which shard has which variant."
    for one in saved:
        for name in one.part.names:
            if name in where:
                raise InputError(f"The variant {name} is in {where[name]} and in {one.folder}.", advice)
            where[name] = str(one.folder)
    if lacking := [row.name for row in saved[0].part.scope.rows if row.name not in where]:
        raise InputError(f"No part has the variant {names(lacking, _MOST)}.", advice)


def _check_configuration(config: Configuration, saved: SavedPart) -> None:
    """Raise UsageError if the configuration no longer gives the results of the parts."""
    scope = saved.part.scope
    advice = (
        "Check the commit of the parts out, or run all shards again. Only budgets, severity, known and baseline may "
    )
    advice += "change after a run."
    if keys := _changed(scope.settings, settings_of(config)):
        raise UsageError(
            f"{saved.folder} is of a different configuration than {config.file}: {names(keys, _MOST)} "
            f"{'differs' if len(keys) == 1 else 'differ'}.",
            advice,
        )
    if late := [row.name for row in scope.rows if is_timed(config, row.name) and not row.timed]:
        raise UsageError(
            f"{config.file} limits the latency of {names(late, _MOST)}, but {saved.folder} is of a run without this "
            "limit, which did not run one runtime at a time.",
            advice,
        )


def _results(saved: Iterable[SavedPart]) -> Iterator[tuple[str, Outcome]]:
    """Yield all results; InputError if two parts have different files of one model."""
    seen: dict[tuple[str, str], tuple[str, SavedPart]] = {}
    for one in saved:
        for name, outcome in one.results():
            for path, digest in _files(outcome) if isinstance(outcome, Report) else ():
                was, where = seen.setdefault((name.partition("/")[0], path), (digest, one))
                if was != digest:
                    raise InputError(
                        f"The file {path} of {name} was a different one in {where.folder} than in {one.folder}: "
                        f"SHA-256 {was[:8]} and {digest[:8]}.",
                        _ONE_CHECK,
                    )
            yield name, outcome


def _files(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the paths and digests of the files that a result is of. Inputs that were generated are of none."""
    yield report.model.path, report.model.sha256
    if report.inputs.path:
        yield report.inputs.path, report.inputs.sha256
