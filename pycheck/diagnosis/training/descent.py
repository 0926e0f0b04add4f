"""Finds faults of the descent: a high learning rate, exploding or vanishing gradients, saturated layers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...types import NATIVE_FLOAT32, Finding, Severity
from ..case import listed, number, percent
from ..codes import finding
from .case import SATURATED, Saturated, TrainingCase, evidence_of, moment

#: From this factor on, the growing norm of the gradient explodes.
_EXPLODED = 1e3
#: Below this share of the largest gradient (at most of 1, because a larger one is itself suspect) a variable does not
#: learn.
_VANISHED = 1e-6
_MOST_NAMED = 4


def learning_rate(case: TrainingCase) -> Iterator[Finding]:
    """Find learning-rate-too-high: above the stable rate of the largest curvature, and the training fails."""
    known, stable, worst = case.evidence, case.stable_rate, case.steepest
    if not case.too_fast or stable is None or worst is None or known.stability is None:
        return
    scaled = f" (scaled by {known.optimizer})" if worst.preconditioned else ""
    grew = f" The loss grew by a factor of {number(known.growth)}." if worst.preconditioned and known.growth else ""
    yield finding(
        "learning-rate-too-high", Severity.WARNING,
        summary=f"The learning rate {known.learning_rate:g} is {number(known.learning_rate / stable)} times the "
        f"largest stable rate, {number(stable)} ({known.stability.formula}). The largest curvature{scaled} is "
        f"{number(worst.largest)}, before step {worst.step}.{grew}",
        advice=f"Set a rate below {number(stable)}, such as {number(stable / 2)}"
        + (
            f". {known.optimizer} may tolerate more: --try-remedies also tries a tenth and a hundredth of the rate."
            if worst.preconditioned
            else ", or scale the inputs, which lowers the curvature."
        ),
        evidence={
            "learning_rate": known.learning_rate, "stable": stable, "curvature": worst.largest, "step": worst.step,
            "preconditioned": worst.preconditioned, "growth": known.growth,
        },
    )  # fmt: skip


def exploding(case: TrainingCase) -> Iterator[Finding]:
    """Find exploding-gradient: the norm of the gradient grows by orders of magnitude."""
    norms = [norm for norm in case.native.gradient_norm if math.isfinite(norm)]
    if not norms or not norms[0]:
        return
    largest = max(norms)
    if largest < _EXPLODED * norms[0]:
        return
    step = case.native.gradient_norm.index(largest)
    yield finding(
        "exploding-gradient", Severity.WARNING, runtimes=(NATIVE_FLOAT32,),
        summary=f"The norm of the gradient grows from {number(norms[0])} to {number(largest)} at step {step}.",
        advice="Lower the learning rate, scale the inputs, or clip the gradient: --clipnorm 1.",
        evidence={"first": norms[0], "largest": largest, "step": step},
    )  # fmt: skip


def vanishing(case: TrainingCase) -> Iterator[Finding]:
    """Find vanishing-gradient: variables whose gradient at the first step is negligible beside the others."""
    first = case.native.largest_gradient[0] if case.native.largest_gradient else ()
    sizes = {v.name: size for v, size in zip(case.training.variables, first, strict=False) if size is not None}
    largest = max(sizes.values(), default=0.0)
    bound = _VANISHED * min(largest, 1.0)
    gone = [name for name, size in sizes.items() if size <= bound and name not in case.evidence.cancelled]
    if not largest or not gone or not math.isfinite(largest):
        return
    named = [*gone[:_MOST_NAMED], *([f"{len(gone) - _MOST_NAMED} more"] if len(gone) > _MOST_NAMED else [])]
    yield finding(
        "vanishing-gradient", Severity.WARNING, tensor=gone[0],
        summary=f"At the first step, the gradient of {listed(named)} is at most {number(max(sizes[n] for n in gone))}. "
        f"The largest gradient is {number(largest)}.",
        advice="Use relu instead of sigmoid or tanh, scale the inputs, or add normalization layers.",
        evidence={"variables": gone, "largest": largest, "vanished": max(sizes[n] for n in gone)},
    )  # fmt: skip


def saturated(case: TrainingCase) -> Iterator[Finding]:
    """Find saturated-activation: a layer whose results are at the bounds of its activation, which blocks gradients."""
    worst: dict[str, Saturated] = {}
    for found in case.evidence.saturated:
        if found.share >= max(SATURATED, worst[found.layer].share if found.layer in worst else 0.0):
            worst[found.layer] = found
    for found in worst.values():
        yield finding(
            "saturated-activation", Severity.WARNING, layer=found.layer,
            summary=f"{found.layer}: before step {found.step}, {percent(found.share)} of the results of its "
            f"{found.activation} are at a bound. The mean slope is {percent(found.slope)} of the steepest, so little "
            "gradient passes.",
            advice="Scale the inputs to about -1 to 1, or use relu.",
            evidence={
                "activation": found.activation, "share": found.share, "slope": found.slope, "step": found.step,
            },
        )  # fmt: skip


def clip_cannot_help(case: TrainingCase) -> Iterator[Finding]:
    """Find clip-cannot-help: the NaN appears before the gradient is clipped, and a global norm propagates it."""
    bad = case.native.first_nonfinite
    if case.evidence.clipping is None or bad is None or bad.what == "weight":
        return
    spread = case.evidence.clipping == "global_clipnorm"
    yield finding(
        "clip-cannot-help", Severity.WARNING,
        summary=f"{case.evidence.clipping} cannot help: {moment(bad)} is not finite before clipping."
        f"{' The global norm is NaN too and makes every variable NaN.' if spread else ''}",
        advice="Fix the loss, the data or the operation that the findings above name.",
        evidence={"clipping": case.evidence.clipping, **evidence_of(bad)},
    )  # fmt: skip
