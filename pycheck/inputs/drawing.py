"""Generates one sample of one input: the same for the same seed, for any batch size and number of samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..types import Array, Padding, Values

#: One of so many samples is padded, if the model masks padding.
PADDED_EVERY = 4
#: One of so many keys is not in the table.
UNKNOWN_EVERY = 8
#: The most words of a generated text.
_MOST_WORDS = 8
#: Rows of a larger table are drawn at random, those of a smaller one in turn, in an order that depends on the seed.
_MOST_SHUFFLED = 1 << 20
#: Values of a normal distribution are clipped at so many standard deviations.
_FARTHEST = 4.0
#: Further seeds for the generators of lengths and of orders.
_LENGTHS, _ORDERS = 0x6C656E67, 0x6F726472

_Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan for one input. `values` cover all of its columns; those without columns come last, for the rest."""

    name: str
    dtype: str
    shape: tuple[int, ...]  # of one sample
    values: tuple[Values, ...]
    padding: Padding | None = None
    whole: bool = False  # one value for all samples, of this shape


@dataclass(frozen=True, slots=True)
class _Draw:
    """One part of one sample: `places` are the positions of its elements among those of all samples."""

    generator: np.random.Generator
    key: tuple[int, ...]  # of this part, the same for all samples
    places: _Whole
    padding: Padding | None
    length: Callable[[int], int]  # the length before the padding, for an axis of this size


def draw(plan: Plan, *, number: int, index: int, seed: int) -> Array:
    """Draw sample `index` of input number `number`; each sample has its own random generator."""
    generator = np.random.default_rng([seed, number, index])
    fraction = float(np.random.default_rng([seed, _LENGTHS, index]).random())

    def length(size: int) -> int:
        return size if index % PADDED_EVERY == 0 else max(1, min(math.ceil(fraction * size), size - 1))

    numbers = np.empty(plan.shape, object if plan.dtype == "string" else np.float64)
    taken: set[int] = set()
    for part, values in enumerate(plan.values):
        columns = _columns(values, plan, taken)
        target = numbers if columns is None else numbers[..., columns]
        places = index * target.size + np.arange(target.size).reshape(target.shape)
        drawn = _HOW[values.kind](values, _Draw(generator, (seed, number, part), places, plan.padding, length))
        if columns is None:
            numbers = drawn
        else:
            numbers[..., columns] = drawn
            taken.update(columns)
    if plan.padding and index % PADDED_EVERY == 1:
        _pad(numbers, plan.padding, length)
    return _typed(numbers, plan.dtype)


def _columns(values: Values, plan: Plan, taken: set[int]) -> list[int] | None:
    """Return the columns that are drawn now; None for all."""
    if values.columns is None and not taken:
        return None
    every = range(plan.shape[-1]) if values.columns is None else values.columns
    return [column for column in every if column not in taken]


def _typed(numbers: Array, dtype: str) -> Array:
    if dtype == "string":  # hashed keys can be any number
        texts = np.empty(numbers.shape, object)
        for place in np.ndindex(texts.shape):
            value = numbers[place]
            texts[place] = value if isinstance(value, str) else str(round(float(value)))
        return texts
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        numbers = np.clip(np.rint(numbers), float(limits.min), float(limits.max))
        if kind.itemsize == 8:  # the largest int64 has no equal float64
            return np.minimum(numbers, 2.0**62).astype(kind)
    return numbers.astype(kind)


def _pad(numbers: Array, padding: Padding, length: Callable[[int], int]) -> None:
    size = numbers.shape[padding.axis]
    there = length(size)
    if padding.axis == -1:
        numbers[..., there:] = padding.value
    else:
        numbers[..., there:, :] = padding.value


# --- the kinds


def _whole(values: Values, at: _Draw) -> Array:
    return np.asarray(at.generator.integers(int(values.low), int(values.high), at.places.shape), np.float64)


def _normal(values: Values, at: _Draw) -> Array:
    spread = np.clip(at.generator.standard_normal(at.places.shape), -_FARTHEST, _FARTHEST)
    return np.asarray(spread * np.asarray(values.deviation) + np.asarray(values.mean))


def _ids(values: Values, at: _Draw) -> Array:
    """Draw every entry once before any repeats; the padding value is never drawn."""
    low, high = int(values.low), int(values.high)
    pad = at.padding.value if at.padding and low <= at.padding.value < high and high - low > 1 else None
    if pad is None:
        return np.asarray(low + _in_turn(high - low, at.places, at), np.float64)
    drawn = low + _in_turn(high - low - 1, at.places, at)
    return np.asarray(drawn + (drawn >= pad), np.float64)


def _keys(values: Values, at: _Draw) -> Array:
    if values.words:
        return _sentences(values, at)
    keys = np.asarray(values.keys, object)
    is_text = any(isinstance(key, str) for key in values.keys)
    unknown = at.places % UNKNOWN_EVERY == UNKNOWN_EVERY - 1
    known = at.places - at.places // UNKNOWN_EVERY
    chosen = keys[_in_turn(len(keys), known, at)] if len(keys) else np.zeros(at.places.shape, object)
    other = "unknown" if is_text else next(n for n in range(len(keys) + 1) if n not in values.keys)
    mixed = np.where(unknown, other, chosen)
    return mixed if is_text else mixed.astype(np.float64)


def _sentences(values: Values, at: _Draw) -> Array:
    """Make texts of several keys, with an unknown word now and then."""
    keys = [*map(str, values.keys)] or ["unknown"]
    texts = np.empty(at.places.shape, object)
    for place in np.ndindex(texts.shape):
        chosen = at.generator.integers(0, len(keys), at.generator.integers(1, _MOST_WORDS + 1))
        words = ["unknown" if at.generator.integers(UNKNOWN_EVERY) == 0 else keys[number] for number in chosen]
        texts[place] = " ".join(words)
    return texts


def _bins(values: Values, at: _Draw) -> Array:
    edges = np.asarray(values.edges)
    width = float(np.median(np.diff(edges))) if len(edges) > 1 else max(1.0, abs(float(edges[0])))
    ends = np.concatenate([[edges[0] - width], edges, [edges[-1] + width]])
    which = _in_turn(len(ends) - 1, at.places, at)
    return np.asarray(ends[which] + at.generator.random(at.places.shape) * (ends[which + 1] - ends[which]))


def _mask(values: Values, at: _Draw) -> Array:
    there: Array = np.zeros(at.places.shape)
    if there.ndim:
        there[..., : at.length(there.shape[-1])] = 1.0
    else:
        there = 1.0 - at.places % 2
    return np.asarray(there, np.float64)


def _in_turn(count: int, places: _Whole, at: _Draw) -> _Whole:
    """Return numbers below `count`: all of them in one order, then all in a different order, and so on."""
    if count > _MOST_SHUFFLED:
        return np.asarray(at.generator.integers(0, count, places.shape))
    rounds, within = places // count, places % count
    result = np.zeros(places.shape, np.int64)
    for turn in np.unique(rounds):
        here = rounds == turn
        result[here] = _order(count, (*at.key, int(turn)))[within[here]]
    return result


@functools.lru_cache(maxsize=16)
def _order(count: int, key: tuple[int, ...]) -> npt.NDArray[np.int32]:
    return np.random.default_rng([_ORDERS, *key]).permutation(count).astype(np.int32)


_HOW: Mapping[str, Callable[[Values, _Draw], Array]] = {
    "ids": _ids,
    "keys": _keys,
    "whole": _whole,
    "uniform": lambda values, at: np.asarray(at.generator.uniform(values.low, values.high, at.places.shape)),
    "normal": _normal,
    "bins": _bins,
    "mask": _mask,
}
