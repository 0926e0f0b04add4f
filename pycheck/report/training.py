"""Prepares the texts of a training for all reports: a row for each runtime, first gradients, fixes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..types import (
    CureTrial,
    Report,
    RuntimeId,
    RuntimeStatus,
    Training,
    TrainingCurves,
    TrainingMoment,
    Verdict,
)
from .wording import ABSENT, names, percent, printable, short


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One runtime of a training as text; `result` is "pass", "DRIFT", "NaN", "NO RUN", or "" for Python."""

    runtime: str
    first_loss: str
    last_loss: str
    largest_gradient: str
    error: str
    parted: str
    nonfinite: str
    result: str
    failed: bool  # whether it is a reason not to release


@dataclass(frozen=True, slots=True)
class CureRow:
    """One fix as text."""

    name: str
    worked: str
    losses: str
    description: str
    option: str


COLUMNS = (
    ("runtime", "runtime"), ("first loss", "first_loss"), ("last loss", "last_loss"),
    ("largest gradient", "largest_gradient"),
    ("error used", "error"), ("diverges at", "parted"), ("not finite from", "nonfinite"), ("result", "result"),
)  # fmt: skip


def headline(report: Report) -> str:
    """Return the sentence under the verdict."""
    training = report.training
    assert training is not None
    pages = [c for c in training.curves if c.runtime.engine != "native"]
    missing = [r.id for r in report.runtimes if r.status is not RuntimeStatus.OK]
    native = training.curves[0]
    if report.verdict is Verdict.PASS:
        runtimes = _agreeing([c.runtime for c in pages], "agrees", "agree")
        steps = f"{training.step_count} step{'' if training.step_count == 1 else 's'}"
        return f"{runtimes} with Python for {steps}"
    if report.verdict is Verdict.NAN_DIVERGENCE:
        apart = [c.runtime for c in pages if bool(c.first_nonfinite) != bool(native.first_nonfinite)]
        if native.first_nonfinite:
            return f"{_agreeing(apart, 'stays', 'stay')} finite, Python does not"
        return f"{_agreeing(apart, 'is', 'are')} not finite, Python is"
    if report.verdict is Verdict.DRIFT:
        parted = [c for c in pages if c.parted]
        first = min((c.parted.step for c in parted if c.parted), default=0)
        return f"{_agreeing([c.runtime for c in parted], 'diverges', 'diverge')} from Python, first at step {first}"
    if missing:
        return f"{names(missing)} did not run"
    if native.first_nonfinite:
        return f"the training in Python itself is not finite from step {native.first_nonfinite.step} on"
    return "see the errors below"


def _agreeing(runtimes: Sequence[RuntimeId], one: str, several: str) -> str:
    return f"{names(runtimes)} {one if len(runtimes) == 1 else several}"


def context(training: Training) -> tuple[tuple[str, str], ...]:
    """Return label and text of the recipe and the data."""
    trained = sum(v.trainable for v in training.variables)
    lines = [
        ("training", f"{training.optimizer}, loss {printable(training.loss)}, {training.step_count} steps of "
         f"{training.batch_size} samples, {trained} trainable variables"),
    ]  # fmt: skip
    left_out = [v.name for v in training.variables if not v.compared]
    if left_out:
        lines.append(("", f"not compared, because the artifact stores them differently: {', '.join(left_out)}"))
    return (*lines, *(("", printable(note)) for note in training.notes))


def rows(report: Report) -> tuple[TrainingRow, ...]:
    """Return the rows of Python, then those of every page."""
    training = report.training
    assert training is not None
    return tuple(_row(curves, training) for curves in training.curves)


def _row(curves: TrainingCurves, training: Training) -> TrainingRow:
    gradients = [g for step in curves.largest_gradient for g in step if g is not None]
    errors = [e for e in (*curves.loss_error, *curves.gradient_error, *curves.weight_error) if e is not None]
    native, stopped = curves.runtime.engine == "native", len(curves.loss) < training.step_count
    apart = not native and (curves.first_nonfinite or curves.parted)
    word = "NO RUN" if stopped else "" if native else "NaN" if curves.first_nonfinite else "DRIFT" if apart else "pass"
    return TrainingRow(
        str(curves.runtime),
        short(curves.loss[0]) if curves.loss else ABSENT,
        short(curves.loss[-1]) if curves.loss else ABSENT,
        short(max(gradients)) if gradients else ABSENT,
        ABSENT if native or not errors else percent(max(errors)),
        moment(curves.parted),
        moment(curves.first_nonfinite),
        word,
        failed=stopped or bool(apart),
    )


def moment(at: TrainingMoment | None) -> str:
    """Format a moment: ``step 3 gradient dense/kernel``."""
    return ABSENT if at is None else printable(" ".join(filter(None, (f"step {at.step}", at.what, at.name))))


def cures(training: Training) -> tuple[CureRow, ...]:
    """Return the fixes that were tried, those that work first."""
    ordered = sorted(training.cures, key=lambda cure: not cure.worked)
    return tuple(
        CureRow(
            cure.name,
            _result(cure),
            ", ".join(dict.fromkeys(short(loss) for loss in cure.losses.values())) or ABSENT,
            printable(cure.error or cure.description),
            printable(cure.option),
        )
        for cure in ordered
    )


def _result(cure: CureTrial) -> str:
    if cure.worked:
        return "works"
    return "failed" if cure.error else "not finite" if not cure.finite else "loss grows" if cure.grew else "diverges"


def gradient_rows(training: Training) -> Iterator[tuple[str, ...]]:
    """Return rows of the first step: runtime, variable, largest gradient, error, limit, result."""
    for row in training.gradients:
        if row.runtime.engine != "native":
            verdict = "NaN" if row.nonfinite else "pass" if row.passed else ABSENT if row.passed is None else "DRIFT"
            numbers = (short(row.largest), short(row.max_abs_error), short(row.allowed))
            yield (str(row.runtime), printable(row.variable), *numbers, verdict)


def pass_lines(training: Training) -> Iterator[str]:
    """Describe where the inspected passes first compute NaN or infinity."""
    for check in training.passes:
        if not check.operations:
            yield f"step {check.step}: all {check.operation_count} operations of both passes are finite"
        for operation in check.origins:
            of = f", the gradient of {printable(operation.of)}" if operation.of else ""
            yield (
                f"step {check.step}: {operation.op} ({operation.phase}{of}) is the first operation that is not "
                f"finite: {operation.nonfinite} of {operation.element_count} numbers, in {printable(operation.name)}"
            )
