"""Each supported layer, at each argument, computes in tfjs-layers what it computes in Keras."""

from __future__ import annotations

import numpy as np
import pytest

from .cases import ALIKE

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", [case.name for case in ALIKE])
def test_tfjs_computes_the_same(outcomes, name):
    outcome = outcomes[name]
    assert outcome.error is None, outcome.error
    assert_alike(outcome)


def assert_alike(outcome, tolerance=1e-5):
    assert len(outcome.got) == len(outcome.expected)
    for got, expected in zip(outcome.got, outcome.expected, strict=True):
        assert got.shape == expected.shape
        scale = float(np.abs(expected).max())
        assert scale > 0 and np.isfinite(expected).all(), "the case shows nothing"
        assert float(np.abs(got - expected).max()) <= tolerance * scale
