"""Whole models: wiring, names, sharing, nesting, states and masks come out as they went in."""

from __future__ import annotations

import pytest

from .models import MODELS
from .test_layers_alike import assert_alike

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", MODELS)
def test_the_model_computes_the_same(outcomes, name):
    outcome = outcomes[name]
    assert outcome.error is None, outcome.error
    quantized = name.endswith("quantized_to_float16")
    assert_alike(outcome, tolerance=1e-2 if quantized else 1e-5)
