"""What tfjs-layers lacks or reads otherwise is refused, with the layer, its class and the reason."""

from __future__ import annotations

import pytest

from pycheck.conversion.layers import unsupported

from .cases import REFUSED
from .refused_models import MODELS

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("name", "words"), [(case.name, words) for case, words in REFUSED])
def test_the_refusal_names_the_layer_and_says_why(refusals, name, words):
    problems = refusals(name)
    assert len(problems) == 1, problems
    assert words in problems[0]


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_refused_for_the_right_reason(name):
    make, words = MODELS[name]
    problems = unsupported(make())
    assert any(words in problem for problem in problems), problems
