"""Small trainings, and files of data, that give each finding of a training."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pycheck.diagnosis.training import (
    Certain,
    DataNan,
    Explanation,
    Saturated,
    Stability,
    TargetRange,
    TrainingCase,
    TrainingEvidence,
    diagnose_training,
)
from pycheck.training.data_facts import target_ranges
from pycheck.training.recipe import Loss
from pycheck.types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    Curvature,
    Finding,
    Operand,
    PassCheck,
    PassOperation,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Training,
    TrainingCurves,
    TrainingMoment,
    TrainingVariable,
)
from pycheck.workflow.hygiene import examine

CPU, WEBGL = RuntimeId("chromium", "cpu"), RuntimeId("chromium", "webgl")
NAN = math.nan
GRADIENT = TrainingMoment(2, "gradient", "dense/kernel")
VARIABLES = (TrainingVariable("dense/kernel", "dense", (4, 2)), TrainingVariable("out/kernel", "out", (2, 1)))


def curves(
    runtime: RuntimeId,
    *losses: float,
    norms: tuple[float, ...] = (),
    gradient: tuple[float, float] = (0.5, 0.5),
    nonfinite: TrainingMoment | None = None,
    parted: TrainingMoment | None = None,
) -> TrainingCurves:
    none, errors = (0,) * len(losses), (0.5,) * len(losses)
    return TrainingCurves(
        runtime,
        losses,
        norms or losses,
        (gradient,) * len(losses),
        ((0.5, 0.5),) * len(losses),
        none,
        none,
        none,
        none,
        errors,
        tuple(37.2 for _ in losses),
        errors,
        nonfinite,
        parted,
    )


GOOD = curves(NATIVE_FLOAT32, 2.0, 1.0, 0.5)
BROKEN = curves(NATIVE_FLOAT32, 2.0, 30.0, NAN, norms=(1.0, 4e3, NAN), nonfinite=GRADIENT)


def training(
    *each: TrainingCurves,
    loss: str = "mse",
    optimizer: str = "sgd:0.1",
    passes: tuple[PassCheck, ...] = (),
    curvatures: tuple[Curvature, ...] = (),
    evidence: TrainingEvidence | None = None,
    runtimes: tuple[RuntimeRecord, ...] = (),
) -> tuple[Finding, ...]:
    made = Training(optimizer, loss, 3, 8, VARIABLES, each, passes=passes, curvatures=curvatures)
    return diagnose_training(TrainingCase(made, runtimes, evidence=evidence or TrainingEvidence()))


def origin(op: str, phase: str = "forward", layer: str | None = None, of: str | None = None) -> tuple[PassCheck, ...]:
    read = (Operand("x", 0.0, 0.0, 1.0, 0, 0), Operand("m/y", None, -2.0, 90.0, 0, 0))
    return (PassCheck(2, 9, (PassOperation(f"n/{op}", op, phase, layer, 1, 8, True, of, read),)),)


def explained(cause: str, loss: str = "mse", optimizer: str = "adam") -> tuple[Finding, ...]:
    parted = replace(curves(WEBGL, 2.0, 1.1, 0.6), parted=TrainingMoment(1, "gradient", "dense/kernel"))
    layers = {"larger": "UpSampling2D"} if "gradient" in cause else {}
    found = Explanation(WEBGL, tuple(cause.split()), 1e-4, 1, 37.2, 0.4, layers)
    evidence = TrainingEvidence(optimizer, 0.01, explanations=(found,))
    return training(GOOD, parted, loss=loss, optimizer=optimizer, evidence=evidence)


def too_fast(optimizer: str, *, preconditioned: bool) -> tuple[Finding, ...]:
    evidence = TrainingEvidence(optimizer, 0.1, Stability(2.0, "2 / curvature"), growth=40.0)
    return training(BROKEN, curvatures=(Curvature(1, 100.0, 9, preconditioned),), evidence=evidence)


def of_data() -> tuple[Finding, ...]:
    evidence = TrainingEvidence(
        clipping="global_clipnorm",
        nan_in_data=(DataNan("inputs x", 1, 3, (0,), 0),),
        saturated=(Saturated("dense", "sigmoid", 0.97, 0.004, 2),),
    )
    return training(
        replace(BROKEN, largest_gradient=((1e-9, 0.5),) * 3),
        curves(NATIVE_FLOAT64, 2.0, 1.0, 0.5),
        curves(CPU, 2.0, NAN, NAN, nonfinite=replace(GRADIENT, step=1)),
        curves(WEBGL, 2.0, 1.0, 0.5),
        evidence=evidence,
    )


def targets() -> tuple[Finding, ...]:
    wrong = {
        "binary_crossentropy": [[2.0]],
        "categorical_crossentropy": [[0.5, 0.2]],
        "kl_divergence": [[0.5, 0.2]],
        "poisson": [[-1.0]],
        "mean_squared_logarithmic_error": [[-1.0]],
        "mean_absolute_percentage_error": [[0.0]],
        "hinge": [[0.0]],
        "cosine_similarity": [[0.0, 0.0]],
    }
    found: list[Finding] = []
    for name, values in wrong.items():
        ranges: tuple[TargetRange, ...] = tuple(target_ranges({"y": np.array(values)}, Loss(name)))
        found += training(GOOD, loss=name, evidence=TrainingEvidence(target_ranges=ranges))
    return tuple(found)


def certain() -> tuple[Finding, ...]:
    evidence = TrainingEvidence(loss_has_log=True, certain=(Certain("y", 2, 1, 7, 0.0),))
    clipped = training(GOOD, loss="binary_crossentropy", evidence=evidence, passes=(PassCheck(0, 9, ()),))
    return (*clipped, *training(GOOD, passes=origin("Log")))


def data() -> tuple[Finding, ...]:
    """The findings of `pycheck inputs`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        table = np.array([[1.0, 3.0, 3.0, 9e4], [1.0, 4.0, 4.0, 1e-9], [1.0, 5.0, 5.0, NAN]])
        np.savez(path, x=table)
        return examine(path).findings


OF_TRAININGS: dict[str, Callable[[], tuple[Finding, ...]]] = {
    "data": of_data,
    "files of data": data,
    "targets": targets,
    "a probability of 0": certain,
    "a runtime without a kernel": lambda: training(
        GOOD, runtimes=(RuntimeRecord(WEBGL, RuntimeStatus.FAILED, None, {}, "no kernel for LogSoftmaxGrad"),)
    ),
    "NaN in the browser": lambda: training(GOOD, curves(WEBGL, 2.0, 1.0, NAN, nonfinite=GRADIENT)),
    "drift without a cause": lambda: training(GOOD, curves(WEBGL, 2.0, 1.1, 0.6, parted=GRADIENT)),
    "a high learning rate": lambda: too_fast("sgd", preconditioned=False),
    "a high learning rate of adam": lambda: too_fast("adam", preconditioned=True),
    "an epsilon": lambda: explained("epsilon"),
    "an epsilon that cannot be set": lambda: explained("epsilon", optimizer="adagrad"),
    "an optimizer": lambda: (*explained("optimizer epsilon"), *explained("optimizer", optimizer="adadelta")),
    "a gradient": lambda: explained("gradient"),
    **{
        f"the loss {loss}": lambda loss=loss: explained("loss", loss)  # type: ignore[misc]
        for loss in ("binary_crossentropy", "kl_divergence", "cosine_similarity", "hinge", "categorical_hinge", "mae")
    },
    "the backward pass": lambda: training(BROKEN, passes=origin("SqrtGrad", "backward", "norm", "norm/Sqrt")),
    "a division in the loss": lambda: training(BROKEN, passes=origin("RealDiv")),
    "an overflow in the loss": lambda: training(
        BROKEN, curves(NATIVE_FLOAT64, 2.0, 1.0, 1e39), passes=origin("Square")
    ),
    "an operation of a layer": lambda: training(BROKEN, passes=origin("Exp", layer="dense")),
}
