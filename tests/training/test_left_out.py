"""A default backend that lacks a kernel of the gradient is left out with a note; one that was named fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pycheck.options.reading import build
from pycheck.types import Verdict

from ..conftest import more
from .lab import Lab, Trained, seeded

pytestmark = pytest.mark.real


def sentiment() -> Any:
    import keras

    k = keras.layers
    return keras.Sequential(
        [keras.Input((10,)), k.Embedding(20, 8), k.GRU(6, reset_after=False), k.Dense(1, "sigmoid")]
    )


def picture() -> Any:
    import keras

    k = keras.layers
    return keras.Sequential([keras.Input((8, 8, 1)), k.Conv2D(2, 3), k.Flatten(), k.Dense(1, "sigmoid")])


def plain() -> Any:
    import keras

    return keras.Sequential([keras.Input((10,)), keras.layers.Dense(1, "sigmoid")])


def trained(lab: Lab, make: Callable[[], Any]) -> Trained:
    numbers, model = seeded(), make()
    x = numbers.integers(0, 20, (32, *model.input_shape[1:])).astype(np.float32) / (1 if make is sentiment else 20)
    y = numbers.integers(0, 2, (32, 1)).astype(np.float32)
    return lab.train(model, x, y, optimizer="sgd:0.05", loss="binary_crossentropy", steps=3)


def browsers(trained: Trained) -> list[str]:
    return [str(record.id) for record in trained.report.runtimes if record.id.engine != "native"]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("make", "kernel"),
    [
        (sentiment, "UnsortedSegmentSum"),
        *more((picture, "Conv2DBackpropFilter")),
    ],
)
def test_it_is_left_out_of_the_defaults_with_a_note(make: Callable[[], Any], kernel: str) -> None:
    with Lab("chromium:cpu", "chromium:wasm", may_leave_out=True) as lab:
        first, again = trained(lab, make), trained(lab, make)
    assert first.report.verdict is Verdict.PASS
    assert browsers(first) == ["chromium:cpu"]
    assert first.report.training is not None and again.report.training is not None
    assert first.report.training.notes == (
        f"chromium:wasm is skipped: TF.js's wasm backend has no kernel for {kernel}, which training this model needs; "
        "add --runtime chromium:wasm to include it",
    )
    assert not first.report.findings
    assert again.report.verdict is Verdict.PASS


@pytest.mark.exhaustive
def test_what_it_can_train_it_trains() -> None:
    with Lab("chromium:cpu", "chromium:wasm", may_leave_out=True) as lab:
        done = trained(lab, plain)
    assert browsers(done) == ["chromium:cpu", "chromium:wasm"]
    assert done.report.verdict is Verdict.PASS


@pytest.mark.exhaustive
@pytest.mark.parametrize(("runtimes", "may"), [(("wasm",), True), *more((("cpu", "wasm"), False))])
def test_where_it_was_named_or_nothing_else_trains_it_fails(runtimes: tuple[str, ...], may: bool) -> None:
    with Lab(*(f"chromium:{kind}" for kind in runtimes), may_leave_out=may) as lab:
        done = trained(lab, sentiment)
    assert done.report.verdict is Verdict.ERROR
    assert "no kernel for UnsortedSegmentSum" in next(f for f in done.report.findings if f.runtimes).summary
    assert not done.report.training or not done.report.training.notes


def test_only_runtimes_that_nobody_named_are_defaults() -> None:
    assert "runtimes" not in build({}, environ={}).named
    assert "runtimes" in build({"runtimes": ("chromium:wasm",)}, environ={}).named
    assert "runtimes" in build({}, environ={"PYCHECK_RUNTIMES": "chromium:cpu chromium:wasm"}).named
