"""Fits how the values of spectrograms follow from energies in bands: logarithm, floor, mean and deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...types import Array
from .spectra import LOGS, Levels, leveled

#: Values that are looked at.
_LOOKED_AT = 12_000
#: A lower end is one if this share of the values has it.
_AT_END = 0.004
#: Another form must have an error smaller by this factor.
_BETTER = 0.85
#: A fitted number is taken for a known one within this.
_NEAR = 4e-3
#: What is added to energies, when it is a round number.
_TENS = 10.0 ** np.arange(-14, 4)


@dataclass(frozen=True, slots=True)
class Fit:
    """Levels with their error: RMS as a share of the deviation of the values."""

    levels: Levels
    error: float


def fit_levels(energies: Sequence[Array], values: Sequence[Array], power: int, logs: Sequence[str]) -> Fit:
    """Return the levels that bring energies nearest to values; both have one array (frames, bands) for each file."""
    spread = float(np.concatenate([each.ravel() for each in values]).std()) or 1.0
    best: Fit | None = None
    for log in logs:
        for candidate in _candidates(energies, values, power, log):
            fit = Fit(candidate, _error(energies, values, candidate) / spread)
            if best is None or fit.error < best.error * _BETTER:
                best = fit
    assert best is not None
    return best


def is_large(values: Array) -> Array:
    """Tell which values are not small: where a logarithm has no lower end."""
    return np.asarray(values > np.quantile(values, 0.35))


def quick_error(energies: Array, values: Array, large: Array | None) -> float:
    """Return the share of the variance of values that energies leave unexplained; `large`: of these, as a logarithm."""
    if large is None:
        return _unexplained(energies.ravel(), values.ravel())
    with np.errstate(divide="ignore"):
        return _unexplained(np.log(energies[large] + 1e-30), values[large])


def quick_curve(energies: Array, values: Array, levels: Levels) -> float:
    """Return the same for a logarithm with the `add` and `floor` of levels, over all values above the lower end."""
    if levels.log == "none":
        return _unexplained(energies.ravel(), values.ravel())
    inside = values > values.min() + 1e-4 * np.ptp(values)
    x = np.log(np.maximum(energies[inside] + levels.add, levels.floor) + 1e-30)
    return _unexplained(x, values[inside])


def _unexplained(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    sizes = float((x * x).sum() * (y * y).sum())  # no BLAS, whose threads cost more than they give here
    return 1 - max(float((x * y).sum()), 0.0) ** 2 / sizes if sizes else 1.0


def _candidates(energies: Sequence[Array], values: Sequence[Array], power: int, log: str) -> list[Levels]:
    x, y = (np.concatenate([each.ravel() for each in some]).astype(np.float64) for some in (energies, values))
    top = _top(values)
    end = None if top is not None else _end(y)
    lowest = np.concatenate([np.full(each.size, each.min()) for each in values]) if top is not None else end
    inside = np.ones(len(y), bool) if lowest is None else y > lowest + 1e-5 * np.ptp(y)
    if inside.sum() < 20:
        inside[:] = True
    step = max(1, len(y) // _LOOKED_AT)
    x, y = x[inside][::step], y[inside][::step]
    base = Levels(power=power, log=log, top=top)
    if log == "none":
        a, b, _ = _line(x, y)
        return [_named(base, a, b)]
    made = [replace(base, add=0.0, floor=0.0)]
    if end is not None:  # the end is that of a floor, or what is added to silence
        a, b, _ = _line(np.log(np.maximum(x, 1e-30)), y)
        floor = float(np.exp(np.clip((end - b) / a, -80, 80))) if a else 0.0
        made.append(replace(base, floor=rounded(floor)))
    made.append(replace(base, add=_added(x, y)))
    fitted = []
    for each in made:
        a, b, _ = _line(np.log(np.maximum(x + each.add, each.floor) + 1e-30), y)
        fitted.append(_named(each, a, b))
    return fitted


def _named(levels: Levels, slope: float, offset: float) -> Levels:
    """Return levels of a slope and an offset; a known slope is that of a base, any other is a deviation."""
    if not slope:
        return levels
    bases = ("none",) if levels.log == "none" else ("e", "10", "db", "2")
    for name in bases:
        if abs(slope / step_of(name, levels.power) - 1) < _NEAR:
            return replace(levels, log=name, mean=0.0 if abs(offset) < 0.02 else -offset, deviation=1.0)
    if levels.log == "none" and abs(offset) < 1e-5 * abs(slope):
        offset = 0.0
    made = [with_slope(replace(levels, log=name), slope, offset) for name in bases]
    return next((each for each in made if _isrounded(each.deviation) and _isrounded(each.mean)), made[0])


def with_slope(levels: Levels, slope: float, offset: float) -> Levels:
    """Return levels with the deviation, mean and range that give a slope and an offset; `top` is that of the values."""
    deviation = step_of(levels.log, levels.power) / slope
    mean = -offset * deviation
    mean = 0.0 if abs(mean) < 1e-5 * abs(deviation) else mean
    return replace(levels, mean=mean, deviation=deviation, top=levels.top and levels.top * abs(deviation))


def step_of(log: str, power: int) -> float:
    """Return the slope of a logarithm over the natural one; dB of a magnitude count double."""
    return float(LOGS[log] * (2 if log == "db" and power == 1 else 1))


def _isrounded(value: float) -> bool:
    return abs(value - float(f"{value:.2g}")) < 5e-4 * abs(value) + 1e-9


def roundness(levels: Levels) -> int:
    """Return how many numbers of levels have at most two digits."""
    return sum(_isrounded(each) for each in (levels.add, levels.floor, levels.mean, levels.deviation))


def _added(x: Array, y: Array) -> float:
    """Return what is added to the energies before the logarithm."""
    grid = np.concatenate([[0.0], np.quantile(x, 0.9) * 10.0 ** np.arange(-14, 2)])  # more is a straight line
    rests = [_line(np.log(x + value + 1e-30), y)[2] for value in grid]
    best = int(np.argmin(rests))
    value = float(grid[best])
    if not value:
        return 0.0
    for width in (3.0, 1.5, 1.15, 1.04, 1.01):
        near = value * width ** np.linspace(-1, 1, 7)
        value = float(near[int(np.argmin([_line(np.log(x + each), y)[2] for each in near]))])
    known = rounded(value)
    if _line(np.log(x + known), y)[2] <= 1.5 * _line(np.log(x + value), y)[2] + 1e-9:
        value = known
    return value if _line(np.log(x + value), y)[2] < 0.9 * rests[0] else 0.0


def rounded(value: float) -> float:
    """Return the power of ten if it is near, in the logarithm."""
    if value <= 0:
        return 0.0
    near = float(_TENS[int(np.argmin(np.abs(np.log(_TENS / value))))])
    return near if abs(np.log(near / value)) < 0.1 else value


def _line(x: Array, y: Array) -> tuple[float, float, float]:
    """Return slope, offset and the mean square of the rest of the line through points."""
    mean_x, mean_y = float(x.mean()), float(y.mean())
    dx, dy = x - mean_x, y - mean_y
    size = float((dx * dx).sum())
    slope = float((dx * dy).sum()) / size if size else 0.0
    return slope, mean_y - slope * mean_x, float(np.mean((dy - slope * dx) ** 2))


def _end(values: Array) -> float | None:
    """Return the smallest value if many have it."""
    low = float(values.min())
    return low if np.mean(values < low + 1e-5 * np.ptp(values)) > _AT_END else None


def _top(values: Sequence[Array]) -> float | None:
    """Return the range of values if each file that has a lower end has the same range, but not the same end."""
    ends = [(each.max(), _end(each)) for each in values]
    known = [(high, low) for high, low in ends if low is not None]
    if len(known) < 2:
        return None
    ranges, lows = (np.array([high - low for high, low in known]), np.array([low for _, low in known]))
    scale = float(np.mean(ranges))
    is_same = np.ptp(ranges) < 1e-3 * scale
    return scale if is_same and (np.ptp(lows) > 1e-2 * scale or np.ptp([high for high, _ in known]) < 1e-6) else None


def _error(energies: Sequence[Array], values: Sequence[Array], levels: Levels) -> float:
    squares = [np.mean((leveled(each, levels) - value) ** 2) for each, value in zip(energies, values, strict=True)]
    error = float(np.sqrt(np.mean(squares)))
    return error if np.isfinite(error) else float("inf")
