"""Whole models compute in TF.js what they compute in TensorFlow, on the cpu and the wasm backend."""

from __future__ import annotations

import pytest

from .conftest import BACKENDS, assert_alike
from .models import MODELS

pytestmark = pytest.mark.real


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [*MODELS, "control flow"])
def test_the_model_computes_the_same(outcomes, name, backend):
    outcome = outcomes[name]
    assert backend not in outcome.errors, outcome.errors[backend]
    for output in outcome.expected:
        assert_alike(outcome, backend, output)


# Rounding to float16 moves each weight by up to 2**-11 of itself, and the model has a few layers of them.
@pytest.mark.parametrize(("quantize", "tolerance"), [("float16", 4 * 2**-11), ("uint16", 1e-3), ("uint8", 0.1)])
def test_quantized_weights_cost_what_their_bits_cost(outcomes, quantize, tolerance):
    outcome = outcomes[quantize]
    assert_alike(outcome, "cpu", "scores", tolerance)
    with pytest.raises(AssertionError):
        assert_alike(outcome, "cpu", "scores", 1e-6)
    assert outcome.artifact.size_bytes < outcomes["cnn"].artifact.size_bytes
