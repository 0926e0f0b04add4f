"""What power says of each weight is what the gate says of the artifact with that weight at fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pycheck.gate import judge_power
from pycheck.inputs import from_arrays
from pycheck.power import Allowance, measure, measure_power
from pycheck.types import Comparison, Power

from . import brute
from .conftest import MADE, Compare, Compared

pytestmark = pytest.mark.real

#: Of all weights of all models together; those that differ lie at their limit.
AGREEMENT = {"perturbed": 0.95, "projected": 0.93}
#: Times the automatic limits: with the widest, hardly a fault is noticed.
WIDER = (1.0, 1e3, 1e4, 1e5)


def _projected(case: Compared, monkeypatch: pytest.MonkeyPatch) -> Power:
    """The same without time for anything but the projections, all of them."""
    monkeypatch.setattr(measure, "_ALWAYS_S", -1.0)
    monkeypatch.setattr(measure, "_LEAST_ROUNDS", 8)
    assert case.report.artifact
    inputs = from_arrays(case.inputs, case.report.model.signature)
    with ThreadPoolExecutor(1) as executor:
        return asyncio.run(
            measure_power(
                case.report.artifact,
                lambda: inputs.batches(32),
                executor=executor,
                allowance=Allowance(time.perf_counter(), lambda: False, share=0.0),
            )
        )


@pytest.fixture(scope="module")
def truth(compared: Compare, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[Comparison, ...]]]:
    """By model and weight: what a fault of 1 % gives."""
    found = {}
    for name in MADE:
        case = compared(name)
        found[name] = brute.faulty(case.report, case.saved, case.inputs, tmp_path_factory.mktemp("faulty") / name)
    return found


def _wider(comparisons: Iterable[Comparison], factor: float) -> list[Comparison]:
    """The same with limits that many times as wide."""
    return [
        replace(c, tolerance=replace(t, max_abs=factor * (t.max_abs or 0.0), rms=factor * (t.rms or 0.0)))
        for c in comparisons
        if (t := c.tolerance)
    ]


@pytest.mark.exhaustive
@pytest.mark.parametrize("method", AGREEMENT)
def test_power_agrees_with_faults_on_disk(
    method: str,
    compared: Compare,
    truth: dict[str, dict[str, tuple[Comparison, ...]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    same, total, seen, unlike = 0, 0, 0, []
    for name in MADE:
        case = compared(name)
        measured = case.report.power if method == "perturbed" else _projected(case, monkeypatch)
        assert measured and not measured.note
        assert {weight.method for weight in measured.weights} == {method}
        for factor in WIDER:
            power = judge_power(measured, _wider(case.report.comparisons, factor))
            for weight in power.weights:
                really = brute.noticed(truth[name][weight.name], factor)
                agrees = (brute.CPU in weight.noticed_by) == really
                same, total, seen = same + agrees, total + 1, seen + really
                unlike += [] if agrees else [f"{name}, limits times {factor}: {weight.name}: {really}"]
    print(f"{method}: {same} of {total} agree, {seen} are noticed; {unlike}")
    assert total > 200
    assert 0.2 * total < seen < 0.8 * total
    assert same >= AGREEMENT[method] * total, unlike


def test_an_artifact_that_nobody_touched_is_within_its_limits(compared: Compare, tmp_path: Path) -> None:
    case = compared("two_io")
    found = brute.faulty(case.report, case.saved, case.inputs, tmp_path / "web", factor=1.0)
    assert not any(map(brute.noticed, found.values()))
