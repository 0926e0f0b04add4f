"""Fix: outputs of a given artifact, paired with the right outputs of the model."""

from __future__ import annotations

from ..types import Remedy
from .failure import Failure
from .trial import Trial
from .trials import Trials


def _pairs(failure: Failure) -> dict[str, str]:
    """Map artifact names to model names, as the runtime's outputs suggest."""
    found = failure.findings("output-pairing")
    return next((dict(finding.evidence["pairs"]) for finding in found if "pairs" in finding.evidence), {})


def fits(failure: Failure) -> bool:
    """Accept a given artifact, to which --map-output applies, if its outputs are exchanged."""
    return failure.options.tfjs_model is not None and bool(_pairs(failure))


async def cure(failure: Failure, trials: Trials) -> Remedy:
    """Try the same artifact with the suggested pairs."""
    pairs = tuple(_pairs(failure).items())
    gave = await trials.outcome(Trial(failure.together, map_output=pairs), failure.runtime)
    return failure.remedy(
        "pairing",
        f"outputs paired as {', '.join(f'{artifact} is {name}' for artifact, name in pairs)}",
        gave,
        trial_count=trials.count,
        options=tuple(text for artifact, name in pairs for text in ("--map-output", f"{artifact}={name}")),
        note="do the same in your page: read each output under that name",
    )
