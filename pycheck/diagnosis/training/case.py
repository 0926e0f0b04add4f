"""Holds the input of the rules about a training: the measured training, and further evidence."""

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

#: From this factor on, the loss of a training has grown.
_LOSS_GREW = 10.0
#: From this share of its results at a bound on, a layer is saturated.
SATURATED = 0.5

#: The respects in which TF.js may differ from Keras, with the code of each.
CODE_OF_CAUSE: Mapping[str, str] = {
    "epsilon": "epsilon-mismatch", "optimizer": "optimizer-formula", "loss": "loss-formula",
    "gradient": "broken-gradient",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Explanation:
    """The changes that made Python agree with TF.js: "epsilon", the formulas of "optimizer" and "loss", "gradient".

    `before` and `after` are the largest shares of the limit. `layers` are those whose gradient TF.js computes wrong,
    with their classes.
    """

    runtime: RuntimeId
    causes: tuple[str, ...]
    epsilon: float
    step: int
    before: float
    after: float
    layers: Mapping[str, str] = field(default_factory=dict)

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the codes of the findings about these causes."""
        return tuple(CODE_OF_CAUSE[cause] for cause in self.causes)


@dataclass(frozen=True, slots=True)
class DataNan:
    """NaN or infinity in the data: array, count, the first one, and the first step that reads it."""

    array: str
    count: int
    sample: int
    index: tuple[int, ...]
    step: int


@dataclass(frozen=True, slots=True)
class TargetRange:
    """Targets outside the loss's range: `problem` names the allowed ones; the first fault is at `sample`."""

    output: str
    problem: str
    count: int
    value: float
    sample: int
    cure: str


@dataclass(frozen=True, slots=True)
class Certain:
    """Outputs of exactly 0 or 1 that contradict the target, before one step in native:float32."""

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
    """The bound of a learning rate: rates below `factor` / curvature are stable; `formula` names it."""

    factor: float
    formula: str


@dataclass(frozen=True, slots=True)
class TrainingEvidence:
    """Evidence on a training besides its curves.

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
    """One measured training with its evidence."""

    training: Training
    runtimes: tuple[RuntimeRecord, ...] = ()
    nan: NanPolicy = NanPolicy.FAIL
    evidence: TrainingEvidence = field(default_factory=TrainingEvidence)

    @property
    def native(self) -> TrainingCurves:
        """Return the curves of native:float32."""
        curves = self.training.of(NATIVE_FLOAT32)
        assert curves is not None, "Python always trains"
        return curves

    @property
    def candidates(self) -> tuple[TrainingCurves, ...]:
        """Return the curves of the browsers."""
        return tuple(c for c in self.training.curves if c.runtime.engine != "native")

    @property
    def nan_severity(self) -> Severity:
        """Return the severity of NaN and infinity."""
        return Severity.ERROR if self.nan is NanPolicy.FAIL else Severity.WARNING

    @property
    def failed(self) -> bool:
        """Tell whether a curve is not finite, or the loss in Python has grown."""
        return any(c.first_nonfinite for c in self.training.curves) or loss_grew(self.native)

    @property
    def steepest(self) -> Curvature | None:
        """Return the largest measured curvature; None if none is above 0."""
        worst = max(self.training.curvatures, key=lambda c: c.largest, default=None)
        return worst if worst and worst.largest > 0.0 else None

    @property
    def stable_rate(self) -> float | None:
        """Return the rate below which every measured curvature is stable."""
        stability, steepest = self.evidence.stability, self.steepest
        return stability.factor / steepest.largest if stability and steepest else None

    @property
    def too_fast(self) -> bool:
        """Tell whether the learning rate is unstable, and the training shows it.

        The rate of an adaptive optimizer may be above the bound in correct trainings too: then the loss of the same
        data must have grown.
        """
        stable, steepest, growth = self.stable_rate, self.steepest, self.evidence.growth
        if stable is None or steepest is None or self.evidence.learning_rate <= stable:
            return False
        return growth is not None and growth > _LOSS_GREW if steepest.preconditioned else self.failed

    @property
    def bad_pass(self) -> PassCheck | None:
        """Return the pass of the first step that was not finite in Python."""
        return next((check for check in self.training.passes if check.operations), None)


def moment(at: TrainingMoment) -> str:
    """Name a moment: ``step 3 (the gradient of dense/kernel)``."""
    what = {"loss": "the loss", "activation": "the result of", "gradient": "the gradient of", "weight": "the weight"}
    return f"step {at.step} ({what[at.what]}{f' {at.name}' if at.name else ''})"


def loss_grew(curves: TrainingCurves) -> bool:
    """Tell whether the last finite loss is many times the first."""
    finite = [loss for loss in curves.loss if math.isfinite(loss)]
    return len(finite) > 1 and finite[0] > 0.0 and finite[-1] > _LOSS_GREW * finite[0]


def evidence_of(at: TrainingMoment) -> dict[str, Any]:
    """Return a moment as evidence."""
    return {"step": at.step, "what": at.what, "name": at.name}
