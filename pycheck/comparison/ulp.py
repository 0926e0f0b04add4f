"""Measures errors in units in the last place (ULP) of the candidate's own precision.

The unit is Goldberg's ("What every computer scientist should know about floating-point
arithmetic", 1991), extended to real numbers as in Muller, "On the definition of ulp(x)"
(2005): for ``2**e <= |r| < 2**(e+1)`` it is ``2**(max(e, e_min) - p + 1)``, the spacing of
p-bit numbers in the reference's binade, never below the spacing of subnormals. The
reference is not rounded first, so distances are fractions: a correctly rounded result is
within 0.5. Beyond the largest number of the format the exponent goes on as if unbounded.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np

from ..types import Array

_LARGEST = sys.float_info.max
_MANTISSA_BITS = np.int64(52)
_EXPONENT_MASK = np.int64(0x7FF)
BIAS = 1023


@dataclass(frozen=True, slots=True)
class Precision:
    """A binary format of IEEE 754: `digits` p, including the implicit bit, and the smallest normal exponent."""

    digits: int
    least_exponent: int


PRECISIONS = {16: Precision(11, -14), 32: Precision(24, -126), 64: Precision(53, -1022)}


def binades(references: Array, precision: Precision) -> Array:
    """Return the biased exponent of each reference's unit, int64.

    It is ``max(e, e_min) + BIAS`` for ``2**e <= |r| < 2**(e+1)``.
    """
    exponents = references.view(np.int64) >> _MANTISSA_BITS
    exponents &= _EXPONENT_MASK
    np.maximum(exponents, precision.least_exponent + BIAS, out=exponents)
    return exponents


def distances(errors: Array, exponents: Array, precision: Precision) -> Array:
    """Compute distances in ULP, float64, from absolute errors and the references' binades."""
    if precision.digits == 53:  # the reciprocal of the smallest unit overflows float64
        with np.errstate(over="ignore"):
            result: Array = np.ldexp(errors, BIAS + 52 - exponents)
        np.minimum(result, _LARGEST, out=result)
        return result
    # These are the bits of 2**(p - 1 - e), which is exact and normal for every p below 53.
    units = np.subtract(2 * BIAS + precision.digits - 1, exponents)
    units <<= _MANTISSA_BITS
    with np.errstate(over="ignore"):
        result = errors * units.view(np.float64)
    np.minimum(result, _LARGEST, out=result)
    return result


def octaves(distances: Array) -> Array:
    """Return 0 for distances below 1, i for those in ``[2**(i-1), 2**i)``, int64."""
    bins = distances.view(np.int64) >> _MANTISSA_BITS
    bins -= BIAS - 1
    np.maximum(bins, 0, out=bins)
    return bins


def octave(distance: float) -> int:
    """Return the octave of one distance."""
    return max(math.frexp(distance)[1], 0)
