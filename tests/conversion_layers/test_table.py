"""The table holds no entry that nobody has run through tfjs-layers."""

from __future__ import annotations

import inspect

import pytest

from pycheck.artifact.layers.table import IDENTITY_AT_INFERENCE, NOT_ALIKE, RULES, Rule
from pycheck.conversion.layers import unsupported
from pycheck.conversion.layers.rewrites import REWRITES
from pycheck.conversion.layers.site import plain

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


def _arguments_tried(outcomes, class_name):
    """Arguments of a class that some case sets to another value than the constructor's default."""
    tried = set()
    for case in ALIKE:
        for layer in _all_layers(outcomes[case.name].model):
            if type(layer).__name__ != class_name:
                continue
            parameters = {}
            for base in reversed(type(layer).__mro__):
                if "__init__" in vars(base):
                    parameters |= inspect.signature(base.__init__).parameters
            for name, value in layer.get_config().items():
                default = parameters[name].default if name in parameters else inspect.Parameter.empty
                function = getattr(layer, name, None)
                if name.endswith("activation") and getattr(function, "__name__", None) == default:
                    continue
                if plain(value) != plain(default):
                    tried.add(name)
    return tried


def _all_layers(model):
    for layer in model.layers:
        yield layer
        for inner in ("layer", "forward_layer"):
            if hasattr(layer, inner):
                yield getattr(layer, inner)


@pytest.mark.real
@pytest.mark.parametrize("class_name", sorted(set(RULES)))
def test_every_argument_that_is_passed_on_is_tried_at_another_value_than_its_default(outcomes, class_name):
    rule = RULES[class_name]
    tried = _arguments_tried(outcomes, class_name)
    renamed = set(rule.renamed.values())
    named_alike = {name for name in rule.passed if name not in tried}
    assert not named_alike
    assert not rule.renamed or tried & (set(rule.renamed) | renamed)


@pytest.mark.real
def test_nothing_that_the_converter_writes_is_said_to_be_misread(outcomes):
    """A kernel that wasm gets wrong is another matter: the model is read as it was written."""
    misread = {name: [fault for fault in outcome.faults if not fault.broken] for name, outcome in outcomes.items()}
    assert len(misread) > 100
    assert {name: faults for name, faults in misread.items() if faults} == {}


def test_no_class_is_both_in_the_table_and_called_an_identity():
    assert not IDENTITY_AT_INFERENCE & set(RULES)


@pytest.mark.real
def test_an_argument_that_nobody_has_compared_is_refused_at_another_value_than_its_default(monkeypatch):
    monkeypatch.setitem(RULES, "ReLU", Rule("ReLU"))
    default, changed = (build_case(Case(layer, (6,))) for layer in ("ReLU()", "ReLU(max_value=1.5)"))
    assert unsupported(default) == []
    assert "max_value=1.5 has no counterpart" in unsupported(changed)[0]
