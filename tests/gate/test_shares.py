"""How much of a limit an error uses: the largest share, and of which limit."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from pycheck.gate import ToleranceOptions, assess, share
from pycheck.types import Array, Comparison

Compare = Callable[..., Comparison]


def assessed(comparison: Comparison, **limits: float) -> Comparison:
    (found,) = assess([comparison], options=ToleranceOptions(**{name: {None: v} for name, v in limits.items()}))  # type: ignore[arg-type]
    return found


def test_the_share_of_a_limit_is_the_error_over_it() -> None:
    assert share(3.0, 2.0) == 1.5
    assert share(0.0, 0.0) == 0.0
    assert share(1e-300, 0.0) == math.inf


@pytest.mark.parametrize(("off", "of"), [("one element", "max_abs"), ("all elements", "rms")])
def test_the_larger_share_counts_and_says_of_which_limit_it_is(compare: Compare, off: str, of: str) -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(64, 64))
    candidate: Array = reference.astype(np.float32)
    if of == "max_abs":
        candidate[3, 5] += np.float32(1e-3)
    else:
        candidate += np.float32(1e-6)
    found = assessed(compare(candidate, reference))
    use, tolerance = found.limit_use, found.tolerance
    assert use is not None
    assert tolerance is not None
    shares = {"max_abs": found.max_abs_error / tolerance.max_abs, "rms": found.rms_error / tolerance.rms}  # type: ignore[operator]
    assert use.of == of == max(shares, key=lambda name: shares[name])
    assert use.share == found.share_used == shares[of]


def test_under_rtol_the_element_counts_that_uses_the_largest_share_of_its_own_limit(compare: Compare) -> None:
    reference = np.array([1.0, 100.0])
    candidate = np.array([1.5, 101.0], np.float32)  # 0.5 of 0.2 and 1 of 10.1
    found = assessed(compare(candidate, reference, rtol=0.1, atol=0.1), rtol=0.1, atol=0.1)
    assert found.limit_use is not None
    assert found.limit_use.of == "rtol"
    assert found.share_used == pytest.approx(2.5)
    assert found.drifted


def test_ulp_counts_beside_atol(compare: Compare) -> None:
    reference = np.array([1.0, 2.0])
    candidate = reference.astype(np.float32) + np.float32(2.0**-20)
    found = assessed(compare(candidate, reference, atol=1.0), atol=1.0, max_ulp=16.0)
    assert found.limit_use is not None
    assert (found.limit_use.of, found.limit_use.limit) == ("max_ulp", 16.0)
    alone = assessed(compare(candidate, reference, atol=1.0), atol=1.0)
    assert alone.limit_use is not None
    assert alone.limit_use.of == "max_abs"


def test_an_output_of_another_shape_or_class_uses_more_than_all(compare: Compare) -> None:
    ones = np.ones(4)
    nan = assessed(compare(np.array([1, 1, np.nan, 1], np.float32), ones))
    assert nan.share_used == 0.0
    assert nan.share_or_inf == math.inf
    assert assessed(compare(np.ones(3, np.float32), ones)).share_or_inf == math.inf
