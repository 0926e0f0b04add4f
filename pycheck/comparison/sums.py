"""Sums that do not overflow, and that depend only in the last bits on how the data was split."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np

from ..types import Array

_LARGEST = sys.float_info.max
#: Fourth powers of magnitudes in this range neither overflow nor underflow in float64.
_LOW, _HIGH = 2.0**-200, 2.0**200


@dataclass(frozen=True, slots=True)
class ScaledSum:
    """The sum of non-overlapping ``high + low``, times ``2**exponent``.

    Two halves have about 106 bits (Dekker 1971, Knuth's TwoSum), so that adding partial sums loses nothing relevant.
    The exponent allows squares of any finite float64.
    """

    high: float = 0.0
    low: float = 0.0
    exponent: int = 0

    def __add__(self, other: ScaledSum) -> ScaledSum:
        if not other.high:
            return self
        if not self.high:
            return other
        exponent = max(self._order, other._order)  # of the larger, so that it loses no bit
        a, a_low = self._at(exponent)
        b, b_low = other._at(exponent)
        total = a + b
        back = total - a
        low = (a - (total - back)) + (b - back) + a_low + b_low
        high = total + low
        return ScaledSum(high, low - (high - total), exponent)

    @property
    def _order(self) -> int:
        """Return the exponent at which the sum is at least 0.5 and below 1."""
        return math.frexp(self.high)[1] + self.exponent

    def _at(self, exponent: int) -> tuple[float, float]:
        if exponent == self.exponent:
            return self.high, self.low
        shift = self.exponent - exponent
        return math.ldexp(self.high, shift), math.ldexp(self.low, shift)

    @property
    def value(self) -> float:
        """Return the sum; the largest float64 if it would overflow."""
        return scale(self.high + self.low, self.exponent)

    def over(self, other: ScaledSum) -> float:
        """Divide by `other`, which is not zero."""
        return scale((self.high + self.low) / (other.high + other.low), self.exponent - other.exponent)

    def root_mean(self, count: int) -> float:
        """Return the square root of the mean, for a sum of `count` squares."""
        exponent = self.exponent - self.exponent % 2
        mean = math.ldexp(self.high + self.low, self.exponent - exponent) / count
        return scale(math.sqrt(mean), exponent // 2)

    def squared(self) -> ScaledSum:
        """Return the square of the sum."""
        return ScaledSum(*_renormalized((self.high + self.low) ** 2, 2 * self.exponent))

    def times(self, other: ScaledSum) -> ScaledSum:
        """Return the product of two sums."""
        product = (self.high + self.low) * (other.high + other.low)
        return ScaledSum(*_renormalized(product, self.exponent + other.exponent))


ZERO = ScaledSum()


def scale(value: float, exponent: int) -> float:
    """Compute ``value * 2**exponent``; the largest float64 if it would overflow."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(_LARGEST, value)


def headroom(largest: float) -> int:
    """Return the power of two to divide by before raising magnitudes up to `largest` to the fourth power."""
    if largest == 0.0 or _LOW <= largest <= _HIGH:
        return 0
    return math.frexp(largest)[1]


def dot(a: Array, a_exponent: int, b: Array, b_exponent: int) -> ScaledSum:
    """Compute the inner product of two float64 vectors that were divided by those powers of two.

    np.dot is not used: BLAS starts threads, which compete with the browsers for the cores. np.sum adds in pairs, which
    is also more accurate.
    """
    return ScaledSum(float(np.multiply(a, b).sum()), 0.0, a_exponent + b_exponent)


def _renormalized(value: float, exponent: int) -> tuple[float, float, int]:
    """Make the mantissa near 1, so that products of sums stay in range."""
    mantissa, shift = math.frexp(value)
    return mantissa, 0.0, exponent + shift
