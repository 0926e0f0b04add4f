"""What the findings about weak comparisons say, of made-up measurements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pycheck.diagnose import diagnose
from pycheck.types import Finding, ModelInfo, Power, Signature, TableReach, TensorSpec

Find = Callable[..., dict[str, list[Finding]]]


def _model(*, samples: bool) -> ModelInfo:
    """A model of one input and one output, with a sample axis or without."""
    spec = TensorSpec("y", "float32", (None, 1) if samples else (1,), has_sample_axis=samples)
    return ModelInfo("m", "keras", "", Signature((spec,), (spec,)))


@pytest.mark.parametrize("samples", [True, False])
def test_more_samples_are_advised_for_outputs_that_have_samples(samples: bool, find: Find) -> None:
    reference = np.array([[0.3]])
    alike = {"chromium:cpu": reference.astype(np.float32)}
    (loose,) = find(reference, alike, model=_model(samples=samples))["loose-limit"]
    assert ("samples" in loose.advice) == samples
    assert "--atol y:X" in loose.advice


@pytest.mark.parametrize("samples", [True, False])
def test_more_samples_are_advised_for_inputs_that_have_samples(samples: bool) -> None:
    power = Power(0.01, 1, (), tables=(TableReach("table", "table", 500, 40, 1),))
    (blind,) = diagnose((), power=power, model=_model(samples=samples))
    assert ("samples" in blind.advice) == samples
