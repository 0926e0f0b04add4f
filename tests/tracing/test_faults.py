"""A faulty artifact is found in Python alone, at the very layer or node; a healthy one is never blamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from .fault_models import MODELS
from .faults import FORMATS, Bench, Fault, can_hold, faults_of

EVERY_KIND = [(name, fmt) for name in MODELS for fmt in FORMATS if can_hold(name, fmt)]
#: One of each kind of model, of which every so manieth fault is made; `python -m tests.tracing.faults` makes all.
SUBSET = [
    ("convolutional", "layers", 12),
    ("residual", "graph", 12),
    ("recurrent", "graph", 6),
    ("attention", "graph", 14),
    ("several_inputs_and_outputs", "layers", 14),
]


@pytest.fixture(scope="module")
def bench() -> Iterator[Callable[[str, str], Bench]]:
    benches: list[Bench] = []

    @cache
    def made(name: str, artifact_format: str) -> Bench:
        benches.append(Bench(name, artifact_format))
        return benches[-1]

    yield made
    for one in benches:
        one.__exit__()


def fault(bench: Bench, title: str) -> Fault:
    return next(f for f in faults_of(bench.healthy) if f.title.startswith(title))


@pytest.mark.parametrize(("name", "artifact_format", "every"), SUBSET)
def test_faults_that_move_an_output_are_found_and_pinned(
    bench: Callable[[str, str], Bench], name: str, artifact_format: str, every: int
) -> None:
    here = bench(name, artifact_format)
    assert here.trace(here.healthy).sources == ()
    effective = 0
    for one in list(faults_of(here.healthy))[::every]:
        outcome = here.trace(here.faulty(one))
        if outcome.error or not outcome.moved:
            continue
        effective += 1
        blamed = [point.name for point in outcome.sources]
        assert outcome.is_at(one) or outcome.is_in_layer(one, here.layers_at(one)), (one.title, blamed)
    assert effective >= 3
