"""Combines facts about single operations to a hint for an input."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ...types import Array, InputHint, Padding, TensorSpec, Values
from .uses import Fact

#: Kinds of facts, the most specific first.
_ORDER = ("keys", "ids", "bins", "whole", "mask", "statistics", "affine", "clip")
#: The usual ranges of a scaled input, and the tolerance of the lower end.
_USUAL = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5))
_OFF = 0.02
#: The range of means of 8-bit channels, and the range of 8-bit pixels.
_PIXEL_MEANS = (60.0, 200.0)
_PIXELS = (0.0, 256.0)
_LARGEST_SPREAD = 100.0


def decide(spec: TensorSpec, facts: Sequence[Fact]) -> InputHint | None:
    """Return the hint for one input from all of its facts; None if they are not enough."""
    own = [fact for fact in facts if fact.input == spec.name and (fact.kind != "mask" or _may_mask(fact, spec))]
    columns = _by_column(own, spec)
    groups: dict[Values, list[int]] = {}
    plain: list[Fact] = []
    for column, found in columns.items():
        best = _best(found)
        if best is None:
            continue
        if best.kind in ("statistics", "affine"):
            plain.append(replace(best, column=column))
        else:
            groups.setdefault(_values(best, spec), []).append(-1 if column is None else column)
    values = [replace(value, columns=_named(group, columns)) for value, group in groups.items()]
    for alike in _alike(plain):
        scaled = _scaled(alike, spec, _named([-1 if f.column is None else f.column for f in alike], columns))
        values += [scaled] if scaled else []
    padding = _padding(own, spec, values)
    return InputHint(tuple(values), padding) if values or padding else None


def _may_mask(fact: Fact, spec: TensorSpec) -> bool:
    """Tell whether a condition is a mask; a float input only if the result becomes -1e9 or the name says so."""
    return fact.stated or "float" not in spec.dtype or "mask" in spec.name.lower()


def _by_column(facts: Iterable[Fact], spec: TensorSpec) -> dict[int | None, list[Fact]]:
    """Group facts by column; facts about the whole input count for every column."""
    facts = list(facts)
    named = {fact.column for fact in facts if fact.column is not None}
    if not named:
        return {None: facts} if facts else {}
    size = spec.shape[-1] or 0
    return {column: [f for f in facts if f.column in (None, column)] for column in range(size)}


def _named(group: list[int], columns: dict[int | None, list[Fact]]) -> tuple[int, ...] | None:
    return None if len(group) == len(columns) else tuple(group)


def _best(facts: list[Fact]) -> Fact | None:
    for kind in _ORDER:
        same = [fact for fact in facts if fact.kind == kind]
        if same:
            return _together(same) if kind == "ids" else max(same, key=lambda fact: fact.stated)
    return None


def _together(facts: list[Fact]) -> Fact:
    """Return a range that is valid for all tables.

    If two halves of a vocabulary have separate ranges, one of these. Any number is valid if it is for all tables.
    """
    below, above = (all(getattr(fact, side) for fact in facts) for side in ("any_below", "any_above"))
    strict = [fact for fact in facts if not fact.guarded] or facts
    low, high = max(fact.low for fact in strict), min(fact.high for fact in strict)
    if low < high:
        smallest = next(fact for fact in strict if fact.high == high)
        return replace(smallest, low=low, high=high, any_below=below, any_above=above)
    low, high = min(fact.low for fact in strict), max(fact.high for fact in strict)
    return replace(strict[0], low=low, high=high, any_below=below, any_above=above)


def _values(fact: Fact, spec: TensorSpec) -> Values:
    if fact.kind == "clip":
        whole = "int" in spec.dtype or (len(spec.shape) >= 4 and fact.high - fact.low >= 255)
        return _interval(fact.reason, fact.low, fact.high, whole)
    return Values(
        fact.kind, fact.reason, None, float(fact.low), float(fact.high), edges=fact.edges, keys=fact.keys,
        words=fact.words, any_below=fact.any_below, any_above=fact.any_above,
    )  # fmt: skip


def _interval(reason: str, low: float, high: float, whole: bool) -> Values:
    if whole:
        return Values("whole", reason, None, float(math.ceil(low - 1e-6)), float(math.floor(high + 1e-6) + 1))
    return Values("uniform", reason, None, low, high)


def _alike(facts: list[Fact]) -> list[list[Fact]]:
    """Return all facts of a normalization; of factors without an offset, those with the same factor."""
    if any(fact.offset or fact.kind == "statistics" for fact in facts):
        return [facts]
    factors = dict.fromkeys(fact.scale for fact in facts)
    return [[fact for fact in facts if fact.scale == factor] for factor in factors]


def _scaled(facts: list[Fact], spec: TensorSpec, columns: tuple[int, ...] | None) -> Values | None:
    """Return the range that a scale maps to numbers of a usual size."""
    if not facts:
        return None
    scale, offset = (np.array([getattr(fact, name) for fact in facts]) for name in ("scale", "offset"))
    reason = facts[0].reason
    with np.errstate(all="ignore"):
        center = -offset / scale
    if not np.isfinite(center).all():
        return None
    image = len(spec.shape) >= 4
    if image and _between(center, *_PIXEL_MEANS) and (np.abs(1 / scale) <= _PIXELS[1]).all():
        return replace(_interval(reason, 0.0, 255.0, whole=True), columns=columns)
    if np.ptp(scale) <= 1e-6 * abs(scale[0]) and np.ptp(offset) <= 1e-6 and facts[0].kind != "statistics":
        found = _of_one_scale(float(scale[0]), float(offset[0]), spec, reason)
        if found or not abs(scale[0]) < 1:
            return found and replace(found, columns=columns)
    deviation = np.abs(1 / scale)
    if (np.abs(scale) == 1).all() and facts[0].kind != "statistics":  # means are subtracted, which show the range
        if (center <= 0).any():
            return None
        deviation = np.maximum(center / 2, 1e-6)
    deviation = np.minimum(deviation, _LARGEST_SPREAD * np.median(deviation))
    return Values("normal", reason, columns, mean=tuple(center.tolist()), deviation=tuple(deviation.tolist()))


def _between(values: Array, low: float, high: float) -> bool:
    return bool((low <= values).all() and (values <= high).all())


def _of_one_scale(scale: float, offset: float, spec: TensorSpec, reason: str) -> Values | None:
    for usual in _USUAL:
        low, high = sorted((end - offset) / scale for end in usual)
        if abs(low) <= _OFF * (high - low):
            if abs(high - 1) <= _OFF:  # the default without a hint
                return None
            if high < 1 and abs(scale) > 1:  # no operation limits the result to 1
                return None
            if 254 <= high <= 256:
                return _interval(reason, 0.0, 255.0, whole=len(spec.shape) >= 4 or "int" in spec.dtype)
            return _interval(reason, 0.0, high, whole="int" in spec.dtype)
    center = -offset / scale
    if abs(scale) == 1 and center > 0:
        return _interval(reason, 0.0, 2 * center, whole="int" in spec.dtype)
    return None


def _padding(facts: Iterable[Fact], spec: TensorSpec, values: list[Values]) -> Padding | None:
    """Return a value that the model masks, if whole rows are masked, or in a sequence of ids of one table."""
    if len(spec.shape) < 2 or spec.dtype == "bool":
        return None
    pads = [fact for fact in facts if fact.kind == "pad"]
    rows = [fact for fact in pads if fact.by_feature and len(spec.shape) >= 3]
    if rows:
        return Padding(rows[0].low, -2, rows[0].reason)
    sequence = len(values) == 1 and values[0].columns is None and values[0].kind in ("ids", "keys")
    if not sequence or spec.shape[-1] == 1:
        return None
    if any(fact.kind == "mask" for fact in facts):  # ids that are cast to bool
        return Padding(0.0, -1, "mask_zero")
    fitting = [fact for fact in pads if values[0].kind == "keys" or values[0].low <= fact.low < values[0].high]
    return Padding(fitting[0].low, -1, fitting[0].reason) if fitting else None
