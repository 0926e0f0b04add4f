"""The numbers of a description as people write them: means and divisors instead of factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..description import Description
from ..placing import Placement

#: A number this near to one with six digits is that one: it moves no pixel by a thousandth of a byte.
_NEAR = 2e-6

Values = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Scaled:
    """``(pixel - mean) / divisor``; empty where nothing is to be done."""

    mean: Values
    divisor: Values


def scaled(description: Description) -> Scaled:
    """Return mean and divisor of each channel."""
    means = tuple(
        _rounded(-offset / scale, 1.0) for scale, offset in zip(description.scale, description.offset, strict=True)
    )
    divisors = tuple(_rounded(1 / scale, 0.0) for scale in description.scale)
    return Scaled(means if any(means) else (), divisors if set(divisors) != {1.0} else ())


def limits(values: Values) -> Values:
    """Return limits of pixels."""
    return tuple(_rounded(value, 1.0) for value in values)


def text(values: Sequence[float]) -> str:
    """Return one number if all are equal, and a list otherwise."""
    written = [repr(int(value)) if value == int(value) else repr(value) for value in values]
    return written[0] if len(set(written)) == 1 else f"[{', '.join(written)}]"


def _rounded(value: float, unit: float) -> float:
    near = float(f"{value:.6g}")
    whole = float(f"{value:.3f}") if abs(value) < 1 else near
    for each in (whole, near):
        if abs(value - each) <= _NEAR * max(abs(value), unit):
            return each + 0.0  # no -0
    return value


def cut_of(placement: Placement) -> str:
    """Return a comment about an input that is cut out of a larger, resized image."""
    share = f", of which {placement.zoom:.4g} of each side is kept" if placement.zoom != 1 else ""
    return f"Cut out of the resized image{share}."


def enlarged(placement: Placement, size: str, ratio: str) -> str:
    """Return the call of the function `round` that gives the size of that larger image along one axis."""
    over = f"({ratio} * {placement.zoom!r})" if placement.zoom != 1 else ratio if "/" not in ratio else f"({ratio})"
    return f"round({size} / {over})"


def kept(placement: Placement, size: str, wanted: str) -> str:
    """Return the call of `round` that gives how many pixels of the file are cut out along one axis."""
    share = f" * {placement.zoom!r}" if placement.zoom != 1 else ""
    return f"round({f'ratio * {wanted}' if placement.kind == 'crop' else size}{share})"
