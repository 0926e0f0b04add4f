"""`pycheck gradients`: the gradient of the first batch on both sides, and both passes operation by operation."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.inputs import from_arrays
from pycheck.model import load
from pycheck.training.backward import check_pass
from pycheck.training.keras_models import trainable_copy
from pycheck.training.native import NativeTrainer
from pycheck.training.recipe import RecipeText
from pycheck.training.train import setup_of
from pycheck.types import PassCheck, PassOperation

from ..conftest import Cli
from .failures import column, dense, noise, output_of, sums

pytestmark = pytest.mark.real

#: A sample that is met exactly: the root of 0, whose derivative is infinite, times a finite gradient of 0.
PERFECT = output_of(None, 1, 2, targets=(1, 3))
ROOT = "mean(sqrt(square(y - p)))"


def checked(model: Any, x: Any, y: Any, loss: str) -> PassCheck:
    loaded = load(model)
    setup = setup_of(loaded, from_arrays(x, loaded.info.signature), y, RecipeText("sgd:0.01", loss, 1))
    copy, _ = trainable_copy(setup.model, "float32")
    return check_pass(NativeTrainer(copy, setup.recipe, {}), 0, *setup.plan.batch(0))


def by_phase(check: PassCheck, phase: str) -> list[PassOperation]:
    return [operation for operation in check.operations if operation.phase == phase]


def test_every_operation_of_a_sound_step_is_checked_and_none_is_named() -> None:
    x = noise(8, 3)
    check = checked(dense(3, (4, "tanh"), (1, None)), x, sums(x), "mse")
    assert check.operation_count > 15
    assert check.operations == ()


def test_the_operation_that_turns_a_finite_upstream_gradient_into_nan_is_the_first_of_the_backward_pass() -> None:
    check = checked(*PERFECT(), ROOT)
    assert by_phase(check, "forward") == []
    first = check.operations[0]
    assert (first.op, first.phase, first.is_origin) == ("SqrtGrad", "backward", True)
    assert first.of is not None and "Sqrt" in first.of
    assert all(o.nan_count == o.infinity_count == 0 for o in first.operands)
    assert all(o.smallest is not None and math.isfinite(o.smallest) for o in first.operands)


def test_operations_that_only_hand_a_nan_on_are_no_origins() -> None:
    check = checked(*PERFECT(), ROOT)
    handed_on = [operation for operation in check.operations if not operation.is_origin]
    assert {"MatMul"} <= {operation.op for operation in handed_on}
    assert [operation.op for operation in check.origins] == ["SqrtGrad"]


def test_what_breaks_forward_is_told_apart_from_what_breaks_backward() -> None:
    check = checked(*output_of("relu", -1, -2, targets=(1, 1))(), "mean(-y * log(p))")
    assert (check.origins[0].op, check.origins[0].phase) == ("Log", "forward")
    assert ("Reciprocal", "backward") in [(o.op, o.phase) for o in check.origins]


def test_the_layer_of_an_operation_is_named() -> None:
    import keras

    layers = [keras.layers.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones", name="small")]
    model = keras.Sequential([*layers, keras.layers.Activation("exponential", name="large")])
    check = checked(model, column(100, 1), column(1, 1), "mse")
    assert (check.origins[0].layer, check.origins[0].op) == ("large", "Exp")


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("perfect")
    model, x, y = PERFECT()
    model.save(folder / "model.keras")
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return folder


def test_the_command_names_the_operation_and_compares_every_gradient_in_a_browser(command: Cli, perfect: Path) -> None:
    files = [perfect / name for name in ("model.keras", "x.npy", "y.npy")]
    said = command("gradients", *files, "--loss", ROOT, "--runtime", "chromium:cpu", "--json", perfect / "run.json")
    assert said.code == 1
    assert "nan-gradient-origin" in said.out
    assert "SqrtGrad (backward, the gradient of" in said.out
    written = json.loads((perfect / "run.json").read_text())["training"]
    assert written["step_count"] == 1
    assert written["passes"][0]["operations"][0]["op"] == "SqrtGrad"
    rows = {(row["runtime"], row["variable"]): row["nonfinite"] for row in written["gradients"]}
    assert rows == {
        (runtime, f"dense_0/{name}"): 1
        for runtime in ("native:float32", "native:float64", "chromium:cpu")
        for name in ("kernel", "bias")
    }


def test_a_gradient_that_is_alike_passes_with_its_errors(command: Cli, perfect: Path) -> None:
    files = [perfect / name for name in ("model.keras", "x.npy", "y.npy")]
    said = command("gradients", *files, "--loss", "mse", "--runtime", "chromium:cpu")
    assert said.code == 0
    assert "dense_0/kernel" in said.out
    assert "operations of both passes are finite" in said.out
