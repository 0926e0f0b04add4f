"""What the rules about a training are given: the training, measured, and what else is known of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...types import (
    NATIVE_FLOAT32,
    Curvature,
    InputScale,
    NanPolicy,
    PassCheck,
    RuntimeId,
    RuntimeRecord,
    Severity,
    Training,
    TrainingCurves,
    TrainingMoment,
)

#: A loss that has grown so many times since the first step.
_LOSS_GREW = 10.0
#: The share of a layer's results at a bound from which on it is saturated.
SATURATED = 0.5

#: What TF.js may have else, and the finding that says so.
CODE_OF_CAUSE: Mapping[str, str] = {
    "epsilon": "epsilon-mismatch", "optimizer": "optimizer-formula", "loss": "loss-formula",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Explanation:
    """What made Python do as a page did: of "epsilon", "optimizer" and "loss", the latter two for their formulas.

    Shares are the largest errors of what is allowed, before and after.
    """

    runtime: RuntimeId
    causes: tuple[str, ...]
    epsilon: float
    step: int
    before: float
    after: float

    @property
    def codes(self) -> tuple[str, ...]:
        """Of the findings that say so."""
        return tuple(CODE_OF_CAUSE[cause] for cause in self.causes)


@dataclass(frozen=True, slots=True)
class DataNan:
    """NaN or infinity in the data: how many in which array, the first one, and the first step that reads it."""

    array: str
    count: int
    sample: int
    index: tuple[int, ...]
    step: int


@dataclass(frozen=True, slots=True)
class TargetRange:
    """Targets that the loss cannot take: `problem` names what it takes; the first one is at `sample`."""

    output: str
    problem: str
    count: int
    value: float
    sample: int
    cure: str


@dataclass(frozen=True, slots=True)
class Certain:
    """Outputs of exactly 0, or 1, where the target says otherwise, before one step in native:float32."""

    output: str
    step: int
    count: int
    sample: int
    value: float


@dataclass(frozen=True, slots=True)
class Saturated:
    """The share of a layer's results at the bounds of its activation, before one step.

    `slope` is the mean derivative there, as a share of the largest that the activation has.
    """

    layer: str
    activation: str
    share: float
    slope: float
    step: int


@dataclass(frozen=True, slots=True)
class Stability:
    """What bounds a learning rate: rates below `factor` / curvature are stable; `formula` says how that is made."""

    factor: float
    formula: str


@dataclass(frozen=True, slots=True)
class TrainingEvidence:
    """What else is known of a training than its curves.

    `growth` is how many times larger the loss of the same data was after the training than before it, in
    native:float64; known of an adaptive optimizer whose training failed. `cancelled` are the variables that have no
    effect on the loss, so that their gradient is 0 by algebra.
    """

    optimizer: str = "sgd"
    learning_rate: float = 0.0
    stability: Stability | None = None
    growth: float | None = None
    clipping: str | None = None
    loss_has_log: bool = False
    scales: tuple[InputScale, ...] = ()
    nan_in_data: tuple[DataNan, ...] = ()
    target_ranges: tuple[TargetRange, ...] = ()
    certain: tuple[Certain, ...] = ()
    saturated: tuple[Saturated, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    cancelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """One training, measured, with what else is known of it."""

    training: Training
    runtimes: tuple[RuntimeRecord, ...] = ()
    nan: NanPolicy = NanPolicy.FAIL
    evidence: TrainingEvidence = field(default_factory=TrainingEvidence)

    @property
    def native(self) -> TrainingCurves:
        """What native:float32 did."""
        curves = self.training.of(NATIVE_FLOAT32)
        assert curves is not None, "Python always trains"
        return curves

    @property
    def candidates(self) -> tuple[TrainingCurves, ...]:
        """What the pages did."""
        return tuple(c for c in self.training.curves if c.runtime.engine != "native")

    @property
    def nan_severity(self) -> Severity:
        """How severe it is that numbers are not finite."""
        return Severity.ERROR if self.nan is NanPolicy.FAIL else Severity.WARNING

    @property
    def failed(self) -> bool:
        """Whether something is not finite somewhere, or the loss of Python has grown much."""
        return any(c.first_nonfinite for c in self.training.curves) or loss_grew(self.native)

    @property
    def steepest(self) -> Curvature | None:
        """The largest curvature that was measured; None where there is none above 0."""
        worst = max(self.training.curvatures, key=lambda c: c.largest, default=None)
        return worst if worst and worst.largest > 0.0 else None

    @property
    def stable_rate(self) -> float | None:
        """Learning rates below it are stable at every curvature that was measured."""
        stability, steepest = self.evidence.stability, self.steepest
        return stability.factor / steepest.largest if stability and steepest else None

    @property
    def too_fast(self) -> bool:
        """Whether the learning rate is above what is stable, and the training shows it.

        An adaptive optimizer's is above it in sound trainings too, and may fail of something else beside it: there
        the loss of the same data must have grown.
        """
        stable, steepest, growth = self.stable_rate, self.steepest, self.evidence.growth
        if stable is None or steepest is None or self.evidence.learning_rate <= stable:
            return False
        return growth is not None and growth > _LOSS_GREW if steepest.preconditioned else self.failed

    @property
    def bad_pass(self) -> PassCheck | None:
        """The pass of the first step that was not finite in Python."""
        return next((check for check in self.training.passes if check.operations), None)


def moment(at: TrainingMoment) -> str:
    """``step 3, the gradient of dense/kernel``."""
    what = {"loss": "the loss", "activation": "the result of", "gradient": "the gradient of", "weight": "the weight"}
    return f"step {at.step}, {what[at.what]}{f' {at.name}' if at.name else ''}"


def loss_grew(curves: TrainingCurves) -> bool:
    """Whether the last finite loss is many times the first."""
    finite = [loss for loss in curves.loss if math.isfinite(loss)]
    return len(finite) > 1 and finite[0] > 0.0 and finite[-1] > _LOSS_GREW * finite[0]


def evidence_of(at: TrainingMoment) -> dict[str, Any]:
    """A moment, as evidence."""
    return {"step": at.step, "what": at.what, "name": at.name}
