"""A .tflite file is traced: its faults are found beside its model, and those of LiteRT.js beside the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from pycheck.artifact.tflite import read_tflite
from pycheck.artifact.tflite.points import tflite_graph
from pycheck.report import render
from pycheck.report.json import report_from_dict, report_to_dict
from pycheck.runtimes.browser.page import BrowserRuntime
from pycheck.types import Report

from ..conftest import more
from ..shared import session
from .tflite_faults import Bench, spread

pytestmark = pytest.mark.real

WASM, WEBGPU = "chromium:litert-wasm", "chromium:litert-webgpu"


@pytest.fixture(scope="module")
def bench() -> Iterator[Callable[[str], Bench]]:
    benches: list[Bench] = []

    @cache
    def made(name: str) -> Bench:
        benches.append(Bench(name))
        return benches[-1]

    yield made
    for one in benches:
        one.close()


@pytest.mark.parametrize(
    ("name", "count"),
    [("residual", 6), *more(*((name, 60) for name in ("convolutional", "attention", "recurrent", "residual")))],
)
def test_faults_that_move_an_output_are_pinned_to_the_operation(
    bench: Callable[[str], Bench], name: str, count: int
) -> None:
    here = bench(name)
    healthy = here.trace()
    assert (healthy.error, healthy.moved, healthy.blamed) == (None, False, ())
    effective = 0
    missed = []
    for fault in spread(here.faults(), count)[:count]:
        outcome = here.trace(fault)
        if outcome.error or not outcome.moved:
            continue
        effective += 1
        if not outcome.is_at(fault):
            missed.append((fault.title, [point.name for point in outcome.blamed]))
    assert effective >= 3
    assert len(missed) <= 0.05 * effective, missed


@pytest.fixture(scope="module")
def scaled(bench: Callable[[str], Bench]) -> Report:
    """A file with a scaled weight in its third operation, traced on LiteRT.js beside a runtime of TF.js."""
    here = bench("residual")
    fault = next(f for f in here.faults() if f.kind == "scaled" and "norm_1b" in f.place)
    return session.trace(
        here.built, here.inputs, tflite_model=here.written(fault), runtimes=[WASM, "chromium:cpu"], cache=False,
        power=False,
    )  # fmt: skip


def test_a_scaled_weight_is_named_with_its_operation_and_layers(scaled: Report) -> None:
    assert scaled.trace is not None
    ((point, result),) = scaled.trace.conversion_sources()
    assert (point.op, point.layer, point.merged) == ("CONV_2D", "norm_1b", ("conv_1b",))
    assert result.own is not None and not result.own.passed and str(result.own.reference) == "native:float64"
    found = [f for f in scaled.findings if f.code == "conversion-drift" and f.tensor == point.name]
    assert [(f.severity, f.layer) for f in found] == [("error", "norm_1b")]
    assert "(CONV_2D, layers conv_1b and norm_1b)" in " ".join(render(scaled, "terminal").split())


def test_the_browser_agrees_with_the_interpreter_at_every_operation(scaled: Report) -> None:
    assert scaled.trace is not None
    of_litert = [p for p in scaled.trace.points if p.op.isupper()]
    assert len(of_litert) == 9
    for point in of_litert:
        assert [str(result.runtime) for result in point.results] == [WASM]
        (result,) = point.results
        assert result.role == "ok" and result.inherited is not None and result.own is not None, point.name
        assert str(result.own.reference) == "artifact:litert"


def test_each_library_is_traced_with_its_own_artifact(scaled: Report) -> None:
    assert scaled.trace is not None
    classes = {p.op: [str(r.runtime) for r in p.results] for p in scaled.trace.points}
    assert classes["Conv2D"] == ["chromium:cpu"]
    assert [[str(row.candidate) for row in split.backends] for split in scaled.trace.splits] == [
        ["chromium:cpu"],
        [WASM],
    ]
    healthy, faulty = (split.conversion for split in scaled.trace.splits)
    assert healthy is not None and healthy.passed
    assert faulty is not None and faulty.passed is False and str(faulty.candidate) == "artifact:litert"


@pytest.fixture
def fused_wrong(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """LiteRT.js is wrong if it may fuse an addition and the activation behind it; their points."""
    predict = BrowserRuntime.predict

    async def wrong(self: BrowserRuntime, *args: Any, **kwargs: Any) -> Any:
        outputs = await predict(self, *args, **kwargs)
        graph = tflite_graph(read_tflite(self._info.folder / self._info.model_file))
        names = {point.op: point.name for point in graph.points}
        is_fused = {"ADD", "LEAKY_RELU"} <= set(names) and names["ADD"] not in self._info.outputs
        return {name: value * 1.02 for name, value in outputs.items()} if is_fused else outputs

    monkeypatch.setattr(BrowserRuntime, "predict", wrong)
    return "/add_1_1/Add", "/leaky_1_1/LeakyRelu"


def test_an_error_that_vanishes_when_values_are_returned_is_bisected(
    bench: Callable[[str], Bench], fused_wrong: tuple[str, str]
) -> None:
    here = bench("residual")
    report = session.trace(here.built, here.inputs, runtimes=WASM, cache=False, power=False)
    assert report.trace is not None and not report.trace.sources()
    ((hidden),) = report.trace.hidden
    assert (str(hidden.runtime), hidden.tensor) == (WASM, "y")
    assert hidden.first is not None and hidden.last is not None
    assert (hidden.first.endswith(fused_wrong[0]), hidden.last.endswith(fused_wrong[1])) == (True, True)
    (found,) = [f for f in report.findings if f.code == "accumulated-drift"]
    assert found.evidence["because"] == "hidden"
    assert hidden.first in found.summary and hidden.last in found.summary
    again = report_from_dict(report_to_dict(report))
    assert again.trace is not None and again.trace.hidden == report.trace.hidden


@pytest.mark.parametrize("quantize", ["int8", *more("dynamic", "float16")])
def test_a_quantized_file_blames_no_operation_of_the_browser(bench: Callable[[str], Bench], quantize: str) -> None:
    here = bench("residual")
    report = session.trace(
        here.built, here.inputs, runtimes=WASM, format="tflite", quantize=quantize, cache=False, power=False
    )
    assert report.trace is not None
    assert not report.trace.sources()
    assert all(result.own is not None for point in report.trace.points for result in point.results)
    assert any(point.quantized for point in report.trace.points) or not report.trace.conversion_sources()


def test_an_operation_that_webgpu_lacks_runs_alone_on_the_cpu() -> None:
    import keras

    words = keras.Input((12,), dtype="int32", name="words")
    mean = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(50, 8)(words))
    model = keras.Model(words, keras.layers.Dense(3, name="scores")(mean))
    inputs = np.random.default_rng(0).integers(0, 50, (2, 12)).astype(np.int32)
    report = session.trace(model, inputs, runtimes=WEBGPU, cache=False, power=False)
    assert report.trace is not None and not report.trace.sources()
    notes = {point.op: point.results[0].note for point in report.trace.points}
    assert notes["GATHER"] == "in isolation the CPU ran it, because LiteRT.js has no WebGPU code for it"
    assert notes["FULLY_CONNECTED"] is None
    assert all(point.results[0].own is not None for point in report.trace.points)


def test_a_file_as_the_model_is_traced_against_the_interpreter(bench: Callable[[str], Bench]) -> None:
    here = bench("residual")
    report = session.trace(here.written(None), here.inputs, runtimes=WASM, cache=False)
    assert report.passed and report.trace is not None
    assert [point.results[0].role for point in report.trace.points] == ["ok"] * 9
    assert all(split.conversion is None for split in report.trace.splits)
