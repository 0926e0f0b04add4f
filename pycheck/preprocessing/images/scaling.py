"""Fits how the channels of an input follow from pixels: which color, scale and offset, clipped or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import numpy as np

from ...types import Array
from .description import MIXES, Description
from .recipes import RECIPES

#: A simpler description is taken if its error, in steps of a byte, is larger by no more than this ...
_SAME_BYTES = 0.06
#: ... or by this share.
_SAME_SHARE = 0.05
#: The share of values at the limit of a clipped input, at least.
_CLIPPED_SHARE = 0.003

#: Scale and offset of the three channels, by name.
KNOWN: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    name: (
        recipe.factor,
        tuple(-mean * factor for mean, factor in zip(recipe.mean, recipe.factor, strict=True)),
    )
    for name, recipe in RECIPES.items()
}
#: Others that are often written: scale and offset of all channels.
_COMMON = (
    (1 / 255, -0.5),
    (1 / 128, -1.0),
    (1 / 256, 0.0),
    (1 / 128, 0.0),
    (1.0, -127.5),
    (1.0, -128.0),
    (2 / 255, 0.0),
)


def limits(values: Array) -> tuple[float | None, float | None]:
    """Return the lowest and the highest value, where so many values are that the input may be clipped there."""
    lowest, highest = float(values.min()), float(values.max())
    found: list[float | None] = []
    for limit in (lowest, highest):
        share = float(np.mean(values == limit))
        found.append(limit if _CLIPPED_SHARE < share < 0.8 and lowest < highest else None)
    return found[0], found[1]


def unexplained(pixels: Array, values: Array, ends: tuple[float | None, float | None]) -> float:
    """Return the share of the variance of values (n, channels) that no weighted sum of pixels (n, 3) explains.

    Pixels that are NaN are a border, which is one color.
    """
    inside = np.isfinite(pixels[:, 0])
    whole = bool(inside.all())
    x, y = (pixels, values) if whole else (pixels[inside], values[inside])
    total = float(np.square(values - values.mean(axis=0)).sum(dtype=np.float64))
    if len(y) < 8 or not total > 0:
        return 1.0
    rest = 0.0 if whole else _border_rest(values[~inside])
    if ends == (None, None):
        weights, offsets = _least_squares(x, y)
        rest += float(np.square(x @ weights.astype(np.float32) + offsets.astype(np.float32) - y).sum(dtype=np.float64))
        return min(rest / total, 1.0)
    for channel in y.T:
        free = _free(channel, ends)
        weights, offsets = _least_squares(x[free], channel[free][:, None])
        made = np.clip((x @ weights + offsets)[:, 0], *ends)
        rest += float(np.square(made - channel).sum(dtype=np.float64))
    return min(rest / total, 1.0)


def unexplained_each(pixels: Array, values: Array) -> Array:
    """Return the same share for many values (cases, n, channels), without limits: (cases,)."""
    inside = np.isfinite(pixels[:, 0])
    x, y = pixels[inside].astype(np.float64), values[:, inside].astype(np.float64)
    total = np.square(values - values.mean(axis=1, keepdims=True)).sum(axis=(1, 2))
    if len(x) < 8 or not (total > 0).all():
        return np.ones(len(values))
    rest = np.square(y - y.mean(axis=1, keepdims=True)).sum(axis=(1, 2))
    basis, scales, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    basis = basis[:, scales > 1e-6 * max(scales[0], 1e-30)]
    rest -= np.square(np.einsum("nk,cnv->ckv", basis, y, optimize=True)).sum(axis=(1, 2))
    if not inside.all():
        rest += np.array([_border_rest(each[~inside]) for each in values])
    return np.asarray(np.clip(rest / total, 0.0, 1.0))


def _border_rest(border: Array) -> float:
    return float(np.square(border - np.median(border, axis=0)).sum(dtype=np.float64))


def fitted(pixels: Array, values: Array, ends: tuple[float | None, float | None], start: Description) -> Description:
    """Return `start` with mix, scale, offset, limits and border that fit; like `start` wherever that fits as well."""
    inside = np.isfinite(pixels[:, 0])
    x, y = pixels[inside].astype(np.float64), values[inside].astype(np.float64)
    colors = {name: x @ np.array(weights) for name, weights in MIXES.items()}
    free = [_free(channel, ends) for channel in y.T]
    lines = {
        (name, place): _line(color[free[place]], channel[free[place]])
        for name, color in colors.items()
        for place, channel in enumerate(y.T)
    }
    mix = _best_mix(lines, start, y.shape[1])
    scale, offset = _best_scale(
        [(colors[name][free[place]], y[free[place], place]) for place, name in enumerate(mix)], mix, start
    )
    low, high = (
        _clips([colors[name] for name in mix], y, end, scale, offset, sign)
        for end, sign in zip(ends, (1, -1), strict=True)
    )
    placement = start.making.placement
    if not inside.all():
        border = np.median(values[~inside], axis=0).astype(np.float64)
        fill = _fill([(level - o) / s for level, s, o in zip(border, scale, offset, strict=True)], mix)
        # A border beyond the limits is seen as the limit.
        is_same = _near(fill, placement.fill) or _near(fill, _clipped(placement.fill, low, high))
        placement = replace(placement, fill=placement.fill if is_same else fill)
    making = replace(start.making, placement=placement)
    return replace(start, making=making, mix=mix, scale=scale, offset=offset, low=low, high=high)


def _free(channel: Array, ends: tuple[float | None, float | None]) -> Array:
    """Tell which values are between the limits; all, if too few would be left."""
    free = np.ones(channel.shape, bool)
    for end in ends:
        if end is not None:
            free &= channel != end
    return free if free.mean() > 0.1 else np.ones(channel.shape, bool)


def _least_squares(x: Array, y: Array) -> tuple[Array, Array]:
    """Return weights (3, channels) and offsets (channels,): the best weighted sums of x (n, 3) for y (n, channels)."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    centered = x - mean_x
    square = centered.T @ centered
    square += np.eye(square.shape[0]) * (1e-9 * np.trace(square) + 1e-12)  # gray photos have three equal channels
    weights = np.linalg.solve(square, centered.T @ (y - mean_y))
    return weights, mean_y - mean_x @ weights


def _line(x: Array, y: Array) -> tuple[float, float, float]:
    """Return scale, offset and the remaining mean square of the best line, in the squares of `y`."""
    mean_x, mean_y = x.mean(), y.mean()
    spread = float(np.mean((x - mean_x) ** 2))
    scale = float(np.mean((x - mean_x) * (y - mean_y))) / spread if spread > 1e-9 else 0.0
    offset = float(mean_y - scale * mean_x)
    return scale, offset, float(np.mean((y - scale * x - offset) ** 2))


def _best_mix(
    lines: dict[tuple[str, int], tuple[float, float, float]], start: Description, count: int
) -> tuple[str, ...]:
    """Return the mix with the smallest error: an order of the colors, or one gray in all channels."""
    grays = [(name,) * count for name in list(MIXES)[3:]]
    orders: list[tuple[str, ...]] = list(permutations("RGB", count)) + grays
    own = start.mix if len(start.mix) == count else orders[0]
    errors = {mix: sum(lines[name, place][2] for place, name in enumerate(mix)) for mix in [own, *orders]}
    best = min(errors, key=errors.__getitem__)
    step = np.mean([abs(lines[name, place][0]) for place, name in enumerate(best)])
    return own if errors[own] <= errors[best] * (1 + _SAME_SHARE) + count * (_SAME_BYTES * step) ** 2 else best


def _best_scale(
    pairs: list[tuple[Array, Array]], mix: tuple[str, ...], start: Description
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    best = [_line(x, y) for x, y in pairs]
    allowed = [error * (1 + _SAME_SHARE) + (_SAME_BYTES * scale) ** 2 for scale, _, error in best]
    for scale, offset in _simpler(pairs, mix, start):
        errors = [np.mean((y - s * x - o) ** 2) for (x, y), s, o in zip(pairs, scale, offset, strict=True)]
        if all(error <= most for error, most in zip(errors, allowed, strict=True)):
            return scale, offset
    return tuple(scale for scale, _, _ in best), tuple(offset for _, offset, _ in best)


def _simpler(
    pairs: list[tuple[Array, Array]], mix: tuple[str, ...], start: Description
) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Yield scales and offsets, the most likely first: those of `start`, of the known recipes, one for all channels."""
    count = len(mix)
    if len(start.scale) == count:
        yield start.scale, start.offset
        if sorted(start.mix) == sorted(mix):
            order = [start.mix.index(name) for name in mix]
            yield tuple(start.scale[k] for k in order), tuple(start.offset[k] for k in order)
    for scale, offset in KNOWN.values():
        yield scale[:count], offset[:count]
        if all(name in "RGB" for name in mix):
            order = ["RGB".index(name) for name in mix]
            yield tuple(scale[k] for k in order), tuple(offset[k] for k in order)
    for factor, start_at in _COMMON:
        yield (factor,) * count, (start_at,) * count
    one, shift, _ = _line(np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs]))
    yield (one,) * count, (shift,) * count


def _clips(
    colors: list[Array], y: Array, end: float | None, scale: tuple[float, ...], offset: tuple[float, ...], sign: int
) -> tuple[float, ...]:
    """Return the limit of each channel as a pixel, if values would lie beyond it; `sign` is 1 for the lower limit."""
    if end is None or not all(scale):
        return ()
    beyond = [
        sign * (end - (color * s + o))[y[:, place] == end] / abs(s)
        for place, (color, s, o) in enumerate(zip(colors, scale, offset, strict=True))
    ]
    together = np.concatenate(beyond)
    if not len(together) or float(together.mean()) < 0.5:
        return ()
    return tuple((end - o) / s for s, o in zip(scale, offset, strict=True))


def _fill(levels: list[float], mix: tuple[str, ...]) -> tuple[float, ...]:
    """Return the border as R, G, B."""
    if set(mix) == {"R", "G", "B"}:
        levels = [levels[mix.index(name)] for name in "RGB"]
    elif len(set(mix)) == 1:
        levels = [levels[0]] * 3
    made = [round(level) if abs(level - round(level)) < 0.1 else level for level in levels]
    return tuple(map(float, made))


def _clipped(fill: tuple[float, ...], low: tuple[float, ...], high: tuple[float, ...]) -> tuple[float, ...]:
    """Return a border as the limits of the input leave it, for channels that have the same limits."""
    for ends, choose in ((low, max), (high, min)):
        fill = tuple(float(choose(level, ends[0])) for level in fill) if len(set(ends)) == 1 else fill
    return fill


def _near(fill: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return bool(other) and max(abs(a - b) for a, b in zip(fill, other, strict=True)) < 1
