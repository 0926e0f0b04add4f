"""The table holds no entry that nobody has run through tfjs-layers."""

from __future__ import annotations

import pytest

from pycheck.artifact.layers.table import IDENTITY_AT_INFERENCE, NOT_ALIKE, RULES, Rule
from pycheck.conversion.layers import unsupported
from pycheck.conversion.layers.rewrites import REWRITES

from .cases import ALIKE, REFUSED, Case
from .conftest import build_case


def _classes(cases):
    return {case.layer.partition("(")[0] for case in cases}


# Layers of keras.applications, which keras.layers does not have; they are tried in a model of their own.
_OF_APPLICATIONS = {"CustomScaleLayer", "LayerScale", "StochasticDepth"}


@pytest.mark.parametrize("class_name", sorted((set(RULES) | set(REWRITES) | IDENTITY_AT_INFERENCE) - _OF_APPLICATIONS))
def test_every_class_is_tried(class_name):
    assert class_name in _classes(ALIKE)


@pytest.mark.parametrize("class_name", sorted(NOT_ALIKE))
def test_every_class_that_is_never_alike_is_tried(class_name):
    assert class_name in _classes(case for case, _ in REFUSED)


def test_no_class_is_both_in_the_table_and_called_an_identity():
    assert not IDENTITY_AT_INFERENCE & set(RULES)


@pytest.mark.real
def test_an_argument_that_nobody_has_compared_is_refused_at_another_value_than_its_default(monkeypatch):
    monkeypatch.setitem(RULES, "ReLU", Rule("ReLU"))
    default, changed = (build_case(Case(layer, (6,))) for layer in ("ReLU()", "ReLU(max_value=1.5)"))
    assert unsupported(default) == []
    assert "max_value=1.5 has no counterpart" in unsupported(changed)[0]
