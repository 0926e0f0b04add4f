"""Fix: a larger epsilon in normalization layers whose epsilon underflows in float16."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Remedy
from .failure import Failure
from .trial import Trial
from .trials import Trials

#: Half floats below 6.1e-5 are denormal, and many GPUs flush them to 0; 1e-3 is Keras's own default.
_LADDER = (1e-4, 1e-3, 1e-2)
_FILE = "larger_epsilon.keras"
_OF_OPERATIONS = ("f16-underflow", "division-by-zero", "sqrt-of-negative")


def layers(failure: Failure) -> dict[str, float]:
    """Return the layers named by the evidence, with their epsilon, 0 if it is not known."""
    found = {f.layer: 0.0 for f in failure.findings(*_OF_OPERATIONS) if f.layer and failure.runtime in f.runtimes}
    for finding in failure.findings("epsilon-mismatch"):
        if finding.layer:
            found[finding.layer] = float(finding.evidence.get("artifact") or 0.0)
    return found


def fits(failure: Failure) -> bool:
    """Accept a failure with a layer in its evidence; a copy of any artifact can be changed."""
    return bool(layers(failure))


async def cure(failure: Failure, trials: Trials) -> Remedy | None:
    """Return the smallest of a few epsilons that passes, in a copy of the artifact.

    None if no layer has an epsilon there.
    """
    suspects = layers(failure)
    remedy = None
    for epsilon in _LADDER:
        if epsilon <= max(suspects.values()):
            continue
        trial = Trial((failure.runtime,), epsilons=tuple((layer, epsilon) for layer in suspects))
        gave = await trials.outcome(trial, failure.runtime)
        if gave.error and gave.error.startswith("The artifact has no epsilon"):
            return None  # the evidence alone does not prove that
        remedy = failure.remedy(
            "epsilon",
            f"epsilon {epsilon:g} in {', '.join(suspects)}",
            gave,
            trial_count=trials.count,
            code=_code(failure, list(suspects), epsilon),
            note="set in a copy of the artifact, compared with the unchanged model",
        )
        if remedy.worked:
            break
    return remedy


def _code(failure: Failure, names: Sequence[str], epsilon: float) -> str:
    """Return lines that make such a Keras model, or say what to change in the code of other models."""
    if not failure.report.model.format.startswith("keras"):
        return "\n".join(f"epsilon={epsilon:g}  # of the layer {name}, in the model" for name in names)
    return (
        "for layer in model._flatten_layers():  # Python\n"
        f"    if layer.name in {list(names)!r}:  # Python\n"
        f"        layer.epsilon = {epsilon:g}  # Python\n"
        f'model.save("{_FILE}")  # Python'
    )
