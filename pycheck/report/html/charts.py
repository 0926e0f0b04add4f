"""Computes the charts of one output on one runtime: numbers in, coordinates and sentences out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest

from ...types import Comparison, MagnitudeErrors, Tolerance

WIDTH, HEIGHT = 400, 232
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 24, 40
#: Larger errors are drawn at this octave, because an error against a reference of 0 may be 2**119 ULP.
_LAST_OCTAVE = 32
_LEVELS = 5
_X_LABELS, _Y_LABELS = 7, 7
#: Digits with the implicit bit, and the smallest normal exponent, of IEEE 754's binary formats.
_FORMATS = {16: (11, -14), 32: (24, -126), 64: (53, -1022)}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Tick:
    """A label beside an axis, and its position."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar and its description for a tooltip."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """The number of elements by error, both on a logarithmic scale; `floor` is the outline of the noise floor."""

    bars: tuple[Bar, ...]
    floor: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    label: str


@dataclass(frozen=True, slots=True)
class MagnitudeMap:
    """The number of elements by magnitude and error.

    `levels` are paths, the one of the most frequent cells last; `limit` is the path of the tolerance, empty if there
    is none.
    """

    levels: tuple[str, ...]
    limit: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    label: str


@dataclass(frozen=True, slots=True)
class MagnitudeRow:
    """One octave of magnitudes, as text."""

    magnitude: str
    pairs: str
    median: str
    largest: str


def histogram(c: Comparison, floor: Comparison | None) -> Histogram | None:
    """Draw `Comparison.ulp_histogram`; None without pairs. A noise floor in different units is left out."""
    counts = _capped(c.ulp_histogram)
    if not any(counts):
        return None
    below = _capped(floor.ulp_histogram) if floor and floor.precision_bits == c.precision_bits else ()
    bins = max(len(counts), len(below), 6)
    decades = max(1, math.ceil(math.log10(max(*counts, *below, 1) + 1)))
    step = (WIDTH - LEFT - RIGHT) / bins

    def top(n: int) -> float:
        return _y(math.log10(2 * n) / math.log10(2 * 10**decades)) if n else HEIGHT - BOTTOM

    bars = tuple(
        Bar(
            _r(LEFT + i * step + 1),
            _r(top(n)),
            _r(max(step - 2, 1)),
            _r(HEIGHT - BOTTOM - top(n)),
            f"{octave(i)} ULP: {n:,}",
        )
        for i, n in enumerate(counts)
        if n
    )
    outline = "".join(f"V{_r(top(n))}h{_r(step)}" for n in below)
    parts = [f"{n:,} {octave(i)}" for i, n in enumerate(counts) if n]
    return Histogram(
        bars=bars,
        floor=f"M{LEFT} {HEIGHT - BOTTOM}{outline}V{HEIGHT - BOTTOM}" if any(below) else "",
        x_ticks=tuple(Tick(_r(LEFT + i * step), power(i - 1)) for i in _spread(1, bins, _X_LABELS)),
        y_ticks=tuple(Tick(_r(top(10**d)), _decade(d)) for d in _spread(0, decades, 4)),
        label=f"Elements by error in ULP: {', '.join(parts)}",
    )


def magnitude_map(c: Comparison) -> MagnitudeMap | None:
    """Draw `Comparison.error_by_magnitude`; None without pairs."""
    rows = [(row.log2_magnitude, _capped(row.ulp_histogram)) for row in c.error_by_magnitude]
    if not rows:
        return None
    known = [at for at, _ in rows if at is not None]
    first, last = (min(known), max(known)) if known else (0, -1)
    zero = any(at is None for at, _ in rows)
    columns = last - first + 1 + zero
    limits = {at: _limit_octave(c.tolerance, at, c.precision_bits) for at in range(first, last + 1)}
    tallest = max(len(counts) for _, counts in rows)
    octaves = max(6, tallest, min(_LAST_OCTAVE, math.ceil(limits.get(last) or 0) + 1))
    width, height = (WIDTH - LEFT - RIGHT) / max(columns, 6), (HEIGHT - TOP - BOTTOM) / octaves

    def x(at: int | None) -> float:
        return LEFT + (0 if at is None else at - first + zero) * width

    most = max(max(counts) for _, counts in rows)
    levels = [""] * _LEVELS
    for at, counts in rows:
        for i, n in enumerate(counts):
            if n:
                level = min(int(math.log(n) / math.log(most) * _LEVELS), _LEVELS - 1) if most > 1 else _LEVELS - 1
                corner = f"M{_r(x(at))} {_r(HEIGHT - BOTTOM - (i + 1) * height)}"
                levels[level] += f"{corner}h{_r(width)}v{_r(height)}h{_r(-width)}z"
    return MagnitudeMap(
        levels=tuple(levels),
        limit=_steps({at: (x(at), limit / octaves) for at, limit in limits.items() if limit is not None}, width),
        x_ticks=(
            *((Tick(_r(x(None) + width / 2), "0"),) if zero else ()),
            *(Tick(_r(x(at)), power(at)) for at in _spread(first + zero, last + 1, _X_LABELS)),
        ),
        y_ticks=tuple(Tick(_r(HEIGHT - BOTTOM - i * height), power(i - 1)) for i in _spread(1, octaves, _Y_LABELS)),
        label=_magnitude_label(c.error_by_magnitude, tallest),
    )


def _magnitude_label(rows: Sequence[MagnitudeErrors], tallest: int) -> str:
    largest = max(rows, key=lambda row: len(row.ulp_histogram))
    return (
        f"Elements by magnitude in Python, {magnitude(rows[0].log2_magnitude)} to "
        f"{magnitude(rows[-1].log2_magnitude)}, and by error; the largest, {octave(tallest - 1)} ULP, "
        f"are at magnitudes {magnitude(largest.log2_magnitude)}"
    )


def magnitude_rows(c: Comparison) -> Iterator[MagnitudeRow]:
    """Return the magnitude map as a table."""
    for row in c.error_by_magnitude:
        below, pairs = list(accumulate(row.ulp_histogram)), sum(row.ulp_histogram)
        median = next(i for i, n in enumerate(below) if 2 * n >= pairs)
        last = octave(len(row.ulp_histogram) - 1)
        yield MagnitudeRow(magnitude(row.log2_magnitude), f"{pairs:,}", octave(median), last)


def histogram_rows(c: Comparison, floor: Comparison | None) -> Iterator[tuple[str, int, int]]:
    """Return octave, elements, and elements of the noise floor, which are 0 if its units differ."""
    below = floor.ulp_histogram if floor and floor.precision_bits == c.precision_bits else ()
    for i, (n, m) in enumerate(zip_longest(c.ulp_histogram, below, fillvalue=0)):
        if n or m:
            yield octave(i), n, m


def octave(i: int) -> str:
    """Describe the errors of the i-th count of a ULP histogram."""
    return "under 1" if i == 0 else f"{power(i - 1)} to {power(i)}"


def magnitude(log2: int | None) -> str:
    """Describe the magnitudes of a row of `error_by_magnitude`."""
    return "0 or nearly" if log2 is None else f"{power(log2)} to {power(log2 + 1)}"


def power(n: int) -> str:
    """Format a power of two: ``1``, ``64``, ``2¹⁰``, ``2⁻³``."""
    return str(2**n) if 0 <= n <= 6 else "2" + str(n).translate(_SUPERSCRIPTS)


def _limit_octave(tolerance: Tolerance | None, at: int, precision_bits: int) -> float | None:
    """Return the tolerance at magnitude ``2**at``, as a height in octaves: 1 is 1 ULP, 2 is 2 ULP, 3 is 4 ULP."""
    digits, least = _FORMATS[precision_bits]
    if tolerance is None or tolerance.mode == "exact":
        return None
    if tolerance.max_abs is not None:
        allowed = tolerance.max_abs
    elif tolerance.atol is not None or tolerance.rtol is not None:
        allowed = (tolerance.atol or 0.0) + (tolerance.rtol or 0.0) * 2.0**at
    elif tolerance.max_ulp is not None:
        return max(math.log2(tolerance.max_ulp) + 1, 0.0) if tolerance.max_ulp else 0.0
    else:
        return None
    return max(math.log2(allowed) - (max(at, least) - digits + 1) + 1, 0.0) if allowed else 0.0


def _steps(levels: dict[int, tuple[float, float]], width: float) -> str:
    """Draw a line of steps, each `width` wide, from left edges and shares of the height, cut off at the edges."""
    path, pen = "", None
    for at, (left, share) in levels.items():
        if share <= 1.0:
            y = _r(_y(share))
            start = f"V{y}" if pen == at - 1 else f"M{_r(left)} {TOP if at - 1 in levels else y}V{y}"
            path, pen = f"{path}{start}h{_r(width)}", at
    return path


def _decade(d: int) -> str:
    """Format a power of ten: ``1``, ``10``, ``100``, ``1k``."""
    return f"{10 ** (d % 3)}{('', 'k', 'M', 'G', 'T', 'P')[d // 3]}"


def _capped(counts: Sequence[int]) -> tuple[int, ...]:
    if len(counts) <= _LAST_OCTAVE:
        return tuple(counts)
    return (*counts[: _LAST_OCTAVE - 1], sum(counts[_LAST_OCTAVE - 1 :]))


def _spread(first: int, last: int, most: int) -> range:
    """Return at most `most` integers from `first` to `last`, evenly spaced."""
    return range(first, last + 1, max(1, math.ceil((last - first + 1) / most)))


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _r(value: float) -> float:
    """Format a coordinate with one decimal, which is exact enough and short."""
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded
