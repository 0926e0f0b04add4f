"""Remedies of conversion: a lighter quantization, and the other artifact format."""

from __future__ import annotations

from ..types import Remedy
from .failure import Failure
from .trial import Trial
from .trials import Trials

#: From the coarsest to the finest, as far as weights of ordinary size go.
_QUANTIZATIONS = ("uint8", "uint16", "float16", "none")
_OTHER = {"layers": "graph", "graph": "layers"}


def fits_quantization(failure: Failure) -> bool:
    """Quantized weights of pycheck's own making."""
    return failure.is_converted and failure.options.quantize != "none"


async def cure_quantization(failure: Failure, trials: Trials) -> Remedy:
    """The coarsest that passes of those that are finer."""
    given = failure.options.quantize
    finer = _QUANTIZATIONS[_QUANTIZATIONS.index(given) + 1 :]
    for quantize in finer:
        gave = await trials.outcome(Trial(failure.together, quantize=quantize), failure.runtime)
        remedy = failure.remedy(
            "quantization",
            f"weights in {'float32' if quantize == 'none' else quantize} instead of {given}",
            gave,
            trial_count=trials.count,
            options=("--quantize", quantize),
        )
        if remedy.worked:
            break
    return remedy


def fits_format(failure: Failure) -> bool:
    """An artifact that could be of the other format: auto takes the graph only where layers cannot do."""
    artifact = failure.report.artifact
    if artifact is None or not failure.is_converted:
        return False
    return artifact.format == "layers" or failure.options.format == "graph"


async def cure_format(failure: Failure, trials: Trials) -> Remedy:
    """The other format, on all that failed."""
    assert failure.report.artifact is not None  # or it would not fit
    other = _OTHER[failure.report.artifact.format]
    gave = await trials.outcome(Trial(failure.together, format=other), failure.runtime)
    return failure.remedy("format", f"the {other} format", gave, trial_count=trials.count, options=("--format", other))
