"""A faulty artifact is found in Python alone, at the very layer or node; a healthy one is never blamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest

from pycheck.report import render
from pycheck.report.json import report_from_dict, report_to_dict
from pycheck.report.where import sources
from pycheck.types import Report

from ..conftest import more
from ..shared import session
from .fault_models import MODELS
from .faults import Artifact, Bench, Fault, Outcome, faults_of

pytestmark = pytest.mark.real

#: One of each kind of model, of which every so manieth fault is made; `python -m tests.tracing.faults` makes all.
SUBSET = [
    ("residual", "graph", 12),
    ("several_inputs_and_outputs", "layers", 14),
    *more(("convolutional", "layers", 12), ("recurrent", "graph", 14), ("attention", "graph", 14)),
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
    return next(f for f in faults_of(bench.healthy) if all(word in f.title for word in title.split()))


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


# ------------------------------------------------------------------------------------ in a browser, and what is said


@pytest.fixture(scope="module")
def checked(bench: Callable[[str, str], Bench]) -> Callable[[str, str, str], Report]:
    """A faulty artifact handed over as somebody's own, traced on two backends beside its model."""

    @cache
    def run(name: str, artifact_format: str, title: str) -> Report:
        here = bench(name, artifact_format)
        artifact = here.written(here.faulty(fault(here, title)))
        _, inputs = MODELS[name]()
        runtimes = ["chromium:cpu", "chromium:wasm"]
        limits = {"atol": 1e-5} if title.startswith("quantized") else {}  # what rounding costs passes otherwise
        return session.trace(
            here.model.keras_model, inputs, tfjs_model=artifact.folder, runtimes=runtimes, cache=False, **limits
        )

    return run


@pytest.mark.parametrize(
    ("name", "artifact_format", "title", "layer", "code", "why"),
    [
        (
            *("convolutional", "layers", "second: activation", "second", "conversion-drift"),
            "activation is relu, in the model swish.",
        ),
        (
            *("convolutional", "layers", "quantized scores/kernel", "scores", "quantization-drift"),
            " of 40 values of kernel differ, most at [",
        ),
        (
            *("attention", "graph", "scaled embedding", "embedding", "conversion-drift"),
            " is 1.03 times the model's.",
        ),
    ],
)
def test_beside_browsers_the_artifact_is_blamed_and_no_backend(
    checked: Callable[[str, str, str], Report],
    name: str,
    artifact_format: str,
    title: str,
    layer: str,
    code: str,
    why: str,
) -> None:
    report = checked(name, artifact_format, title)
    assert report.verdict in ("drift", "nan_divergence")
    found = [finding for finding in report.findings if "ran_alone" in finding.evidence]
    assert [(f.code, f.layer, f.runtimes, f.severity) for f in found] == [(code, layer, (), "error")]
    assert why in found[0].summary
    assert report.trace is not None
    assert not [r for point in report.trace.points for r in point.results if r.role == "source"]
    (split,) = report.trace.splits
    assert split.conversion is not None and not split.conversion.passed
    assert all(backend.passed for backend in split.backends)


def test_the_terminal_shows_where_the_artifact_stops_being_the_model(
    checked: Callable[[str, str, str], Report],
) -> None:
    report = checked("convolutional", "layers", "second: activation")
    text = " ".join(render(report, "terminal").split())
    assert "artifact:float64 second (Conv2D, layer second)" in text
    assert "conversion-drift second (Conv2D): on the model's own values" in text
    again = report_from_dict(report_to_dict(report))
    assert report_to_dict(again) == report_to_dict(report)


@pytest.mark.parametrize(
    ("name", "artifact_format", "small", "large", "layers"),
    [
        ("convolutional", "layers", "first/kernel", "second/kernel", ("second", "first")),
        ("convolutional", "layers", "second/kernel", "first/kernel", ("first", "second")),
        ("residual", "graph", "stem_1/convolution", "y_1/Cast", ("y", "stem")),
    ],
)
def test_sources_of_a_wrong_conversion_come_in_the_order_of_what_they_do(
    bench: Callable[[str, str], Bench], name: str, artifact_format: str, small: str, large: str, layers: tuple[str, str]
) -> None:
    here = bench(name, artifact_format)
    faulty = here.faulty(fault(here, f"scaled {large}"))
    faulty.weights[next(name for name in faulty.weights if small in name)] *= np.float32(1.0002)
    report = here.trace(faulty).report
    assert report is not None and report.trace is not None
    found = [f for f in report.findings if "ran_alone" in f.evidence]
    assert [f.layer for f in found] == list(layers)
    assert found[0].evidence["moves_by"] > 10 * found[1].evidence["moves_by"] > 0.0
    assert [row.layer for row in sources(report)] == list(layers)
    assert "This error alone changes" in found[0].summary


def test_another_shape_inside_is_a_finding_of_the_layer_that_gives_it(bench: Callable[[str, str], Bench]) -> None:
    here = bench("convolutional", "layers")
    outcome = here.trace(here.faulty(fault(here, "second: padding")))
    assert outcome.report is not None
    (found,) = (f for f in outcome.report.findings if "ran_alone" in f.evidence)
    assert (found.code, found.layer) == ("shape-mismatch", "second")
    assert "reference (6, 6, 8), candidate (4, 4, 8)" in found.summary


def test_a_layer_that_cannot_take_what_it_is_given_is_named_with_the_shapes(
    bench: Callable[[str, str], Bench],
) -> None:
    here = bench("residual", "layers")
    outcome = here.trace(here.faulty(fault(here, "conv_1b: padding")))
    assert outcome.error is not None
    assert all(fact in outcome.error for fact in ("'add_1' (Add)", "(None, 10, 10, 6), (None, 8, 8, 6)"))


def test_a_weight_that_differs_by_less_than_float32_costs_is_no_fault(bench: Callable[[str, str], Bench]) -> None:
    here = bench("convolutional", "layers")
    artifact: Artifact = here.healthy.copy()
    for value in artifact.weights.values():
        value *= np.float32(1 + 2**-23)
    outcome: Outcome = here.trace(artifact)
    assert (outcome.moved, outcome.sources) == (False, ())
