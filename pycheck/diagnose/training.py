"""Findings about a training: what went wrong at which step, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..types import (
    NATIVE_FLOAT32,
    Finding,
    NanPolicy,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Training,
    TrainingCurves,
    TrainingMoment,
)
from .case import number
from .codes import finding


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """One training, measured, with what else is known of it."""

    training: Training
    runtimes: tuple[RuntimeRecord, ...] = ()
    nan: NanPolicy = NanPolicy.FAIL

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


Rule = Callable[[TrainingCase], Iterable[Finding]]


def diagnose_training(case: TrainingCase) -> tuple[Finding, ...]:
    """The findings of a training, in the order in which they read best."""
    return tuple(found for rule in RULES for found in rule(case))


def moment(at: TrainingMoment) -> str:
    """``step 3, the gradient of dense/kernel``."""
    what = {"loss": "the loss", "activation": "the result of", "gradient": "the gradient of", "weight": "the weight"}
    return f"step {at.step}, {what[at.what]}{f' {at.name}' if at.name else ''}"


def not_run(case: TrainingCase) -> Iterator[Finding]:
    """runtime-unavailable, runtime-failed, runtime-timed-out."""
    codes = {
        RuntimeStatus.UNAVAILABLE: "runtime-unavailable",
        RuntimeStatus.FAILED: "runtime-failed",
        RuntimeStatus.TIMED_OUT: "runtime-timed-out",
    }
    for record in case.runtimes:
        if record.status in codes:
            message, _, advice = (record.error or "").partition("\n")
            yield finding(codes[record.status], Severity.ERROR, runtime=record.id, summary=message, advice=advice)


def class_divergence(case: TrainingCase) -> Iterator[Finding]:
    """nan-introduced and nan-masked: only one of Python and the page stayed finite."""
    native = case.native.first_nonfinite
    for curves in case.candidates:
        bad = curves.first_nonfinite
        if bad and not native:
            yield finding(
                "nan-introduced", case.nan_severity, runtime=curves.runtime, tensor=bad.name,
                summary=f"{curves.runtime} is not finite from {moment(bad)} on; Python trains to the end.",
                advice="The findings below say what starts it; --try-remedies says what cures it.",
                evidence=_at(bad),
            )  # fmt: skip
        if native and not bad and len(curves.loss) == len(case.native.loss):
            yield finding(
                "nan-masked", case.nan_severity, runtime=curves.runtime, tensor=native.name,
                summary=f"Python is not finite from {moment(native)} on; {curves.runtime} trains on and hides it.",
                advice="Cure it in Python: what the page learns from numbers that are not there is not the model.",
                evidence=_at(native),
            )  # fmt: skip


def _at(at: TrainingMoment) -> dict[str, Any]:
    return {"step": at.step, "what": at.what, "name": at.name}


def drift(case: TrainingCase) -> Iterator[Finding]:
    """drift: a runtime parts from Python beyond what float32 itself costs."""
    for curves in case.candidates:
        parted = curves.parted
        if parted is None:
            continue
        errors = {"loss": curves.loss_error, "gradient": curves.gradient_error, "weight": curves.weight_error}
        share = errors[parted.what][parted.step]
        yield finding(
            "drift", Severity.ERROR, runtime=curves.runtime, tensor=parted.name,
            summary=f"{curves.runtime} parts from Python at {moment(parted)}: {number(share or 0.0)} times what "
            "float32's own error there allows.",
            advice="See whether a finding below explains it.",
            evidence=_at(parted) | {"share": share},
        )  # fmt: skip


RULES: tuple[Rule, ...] = (not_run, class_divergence, drift)
