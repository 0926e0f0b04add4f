"""Error in units in the last place of the candidate's own precision.

The unit is Goldberg's ("What every computer scientist should know about floating-point
arithmetic", 1991), extended to real numbers as in Muller, "On the definition of ulp(x)"
(2005): for ``2**e <= |r| < 2**(e+1)`` it is ``2**(max(e, e_min) - p + 1)``, the spacing of
p-bit numbers in the reference's binade, never below the spacing of subnormals. The
reference is not rounded first, so distances are fractions: a correctly rounded result is
within 0.5. Beyond the largest number of the format the exponent goes on as if unbounded.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from ..types import Array

_LARGEST = sys.float_info.max
_MANTISSA_BITS = np.int64(52)
_EXPONENT_MASK = np.int64(0x7FF)
_BIAS = 1023


@dataclass(frozen=True, slots=True)
class Precision:
    """A binary format of IEEE 754: `digits` p, with the implicit bit, and the least normal exponent."""

    digits: int
    least_exponent: int

    @property
    def unit_roundoff(self) -> float:
        """Half the spacing at 1."""
        return 2.0**-self.digits


PRECISIONS = {16: Precision(11, -14), 32: Precision(24, -126), 64: Precision(53, -1022)}


def ulp_errors(errors: Array, references: Array, precision: Precision) -> Array:
    """Distances in ULP, float64, from absolute errors and references (finite, float64, flat)."""
    exponents = references.view(np.int64) >> _MANTISSA_BITS
    exponents &= _EXPONENT_MASK
    np.maximum(exponents, precision.least_exponent + _BIAS, out=exponents)
    if precision.digits == 53:  # one over the smallest unit is no float64
        exponents -= _BIAS + 52
        with np.errstate(over="ignore"):
            return np.minimum(np.ldexp(errors, -exponents), _LARGEST)
    # The bits of 2**(p - 1 - e), which is exact and normal for every p below 53.
    np.subtract(2 * _BIAS + precision.digits - 1, exponents, out=exponents)
    exponents <<= _MANTISSA_BITS
    with np.errstate(over="ignore"):
        result = errors * exponents.view(np.float64)
    return np.minimum(result, _LARGEST, out=result)


def ulp_histogram(distances: Array) -> Array:
    """Counts of distances below 1, then of those in ``[2**(i-1), 2**i)``; as long as needed."""
    bins = distances.view(np.int64) >> _MANTISSA_BITS
    bins -= _BIAS - 1
    np.maximum(bins, 0, out=bins)
    return np.bincount(bins)
