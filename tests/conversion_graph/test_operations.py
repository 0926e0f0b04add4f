"""Every operation in the table computes in TF.js what it computes in TensorFlow."""

from __future__ import annotations

import pytest

from .conftest import BACKENDS, assert_alike
from .operations import GROUPS

pytestmark = pytest.mark.real

CASES = [
    pytest.param(group, backend, name, id=f"{name} of {group} on {backend}")
    for group, members in GROUPS.items()
    for backend in BACKENDS
    for name in members.functions
    if backend == "cpu" or name not in members.cpu_only
]


@pytest.mark.parametrize(("group", "backend", "name"), CASES)
def test_the_operation_computes_the_same(outcomes, group, backend, name):
    members = GROUPS[group]
    names = [key for key in members.functions if backend == "cpu" or key not in members.cpu_only]
    assert_alike(outcomes[f"{group} on {backend}"], backend, f"output_{names.index(name)}")
