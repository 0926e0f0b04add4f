"""Seeded failures: the first bad step, variable, operation and code are found, and the advised cure works."""

from __future__ import annotations

import pytest

from .failures import FAILURES, Failure
from .lab import Lab

pytestmark = pytest.mark.real

#: One of each kind; the others run with `--exhaustive`.
ALWAYS = {
    "linear regression", "clipping a NaN by the global norm", "NaN in one input", "constant column",
    "saturated sigmoid",
}  # fmt: skip


def test_there_are_many_and_of_every_kind() -> None:
    assert len(FAILURES) >= 30
    assert {failure.name for failure in FAILURES} >= ALWAYS
    assert len({failure.name for failure in FAILURES}) == len(FAILURES)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(f, id=f.name.replace(" ", "-"), marks=() if f.name in ALWAYS else pytest.mark.exhaustive)
        for f in FAILURES
    ],
)
def test_what_breaks_and_where_is_found_and_the_cure_works(lab: Lab, failure: Failure) -> None:
    trained = lab.train(*failure.make(), **failure.recipe)
    training = trained.report.training
    assert training is not None
    bad = training.curves[0].first_nonfinite
    assert (bad and (bad.step, bad.what, bad.name)) == (
        (failure.step is not None and (failure.step, failure.what, failure.at)) or None
    )
    if failure.operation:
        assert training.passes[0].origins[0].op == failure.operation
    assert {failure.code, *failure.more} <= trained.codes
    assert failure.cure is not None
    assert lab.cured(trained, failure.cure).worked
