"""Findings about the descent: the learning rate, gradients that explode or vanish, layers that are saturated."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...types import NATIVE_FLOAT32, Finding, Severity
from ..case import listed, number
from ..codes import finding
from .case import SATURATED, Saturated, TrainingCase, evidence_of, moment

#: The norm of the gradient has grown so many times: no descent.
_EXPLODED = 1e3
#: A variable whose gradient is so many times smaller than the largest one's learns nothing beside it, unless that one
#: is larger than 1: then it is not the small gradient that is wrong.
_VANISHED = 1e-6
_MOST_NAMED = 4


def learning_rate(case: TrainingCase) -> Iterator[Finding]:
    """learning-rate-too-high: above what the largest curvature allows, and the training is the worse for it."""
    known, stable, worst = case.evidence, case.stable_rate, case.steepest
    if not case.too_fast or stable is None or worst is None or known.stability is None:
        return
    scaled = f", as {known.optimizer} scales it" if worst.preconditioned else ""
    grew = f" The loss grew {number(known.growth)} times." if worst.preconditioned and known.growth else ""
    yield finding(
        "learning-rate-too-high", Severity.WARNING,
        summary=f"The learning rate {known.learning_rate:g} is {number(known.learning_rate / stable)} times what is "
        f"stable: the largest curvature seen{scaled}, before step {worst.step}, is {number(worst.largest)}, and "
        f"{known.stability.formula} is {number(stable)}.{grew}",
        advice=f"Take a rate below {number(stable)}, such as {number(stable / 2)}"
        + (
            f"; {known.optimizer} may bear more, for it divides by more where the gradient grows: --try-remedies "
            "tries a tenth and a hundredth of the rate too."
            if worst.preconditioned
            else ", or scale the inputs, which lowers the curvature."
        ),
        evidence={
            "learning_rate": known.learning_rate, "stable": stable, "curvature": worst.largest, "step": worst.step,
            "preconditioned": worst.preconditioned, "growth": known.growth,
        },
    )  # fmt: skip


def exploding(case: TrainingCase) -> Iterator[Finding]:
    """exploding-gradient: the norm of the gradient grows from step to step, by orders of magnitude."""
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
        advice="Lower the learning rate, scale the inputs, or clip: --clipnorm 1.",
        evidence={"first": norms[0], "largest": largest, "step": step},
    )  # fmt: skip


def vanishing(case: TrainingCase) -> Iterator[Finding]:
    """vanishing-gradient: variables that learn nothing at the first step beside what others learn."""
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
        summary=f"At the first step the gradient of {listed(named)} is at most {number(max(sizes[n] for n in gone))}, "
        f"that of others up to {number(largest)}: {'it learns' if len(gone) == 1 else 'they learn'} nothing.",
        advice="Take relu instead of sigmoid or tanh, scale the inputs, or normalize between the layers.",
        evidence={"variables": gone, "largest": largest, "vanished": max(sizes[n] for n in gone)},
    )  # fmt: skip


def saturated(case: TrainingCase) -> Iterator[Finding]:
    """saturated-activation: a layer whose results lie at the bounds of its activation, through which nothing learns."""
    worst: dict[str, Saturated] = {}
    for found in case.evidence.saturated:
        if found.share >= max(SATURATED, worst[found.layer].share if found.layer in worst else 0.0):
            worst[found.layer] = found
    for found in worst.values():
        yield finding(
            "saturated-activation", Severity.WARNING, layer=found.layer,
            summary=f"{found.layer}: {100 * found.share:.0f}% of what its {found.activation} gives before step "
            f"{found.step} lies at a bound, where it has no gradient: {100 * found.slope:.2g}% comes through of what "
            "does where it is steepest.",
            advice="Scale the inputs to about -1 to 1, or take relu.",
            evidence={
                "activation": found.activation, "share": found.share, "slope": found.slope, "step": found.step,
            },
        )  # fmt: skip


def clip_cannot_help(case: TrainingCase) -> Iterator[Finding]:
    """clip-cannot-help: a NaN is there before anything is clipped, and a global norm spreads it to every variable."""
    bad = case.native.first_nonfinite
    if case.evidence.clipping is None or bad is None or bad.what == "weight":
        return
    spread = case.evidence.clipping == "global_clipnorm"
    yield finding(
        "clip-cannot-help", Severity.WARNING,
        summary=f"{case.evidence.clipping} is set and cannot help: {moment(bad)} is not finite before any gradient is "
        f"clipped{', and the global norm, NaN itself, makes every variable NaN' if spread else ''}.",
        advice="Cure where it starts: the loss, the data or the operation that the findings above name.",
        evidence={"clipping": case.evidence.clipping, **evidence_of(bad)},
    )  # fmt: skip
