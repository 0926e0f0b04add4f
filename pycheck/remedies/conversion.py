"""Remedies of conversion: a lighter quantization, the other artifact format, and pycheck's own artifact."""

from __future__ import annotations

from collections.abc import Iterator

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


def fits_anew(failure: Failure) -> bool:
    """An artifact that was handed over beside its model."""
    return failure.options.tfjs_model is not None


async def cure_anew(failure: Failure, trials: Trials) -> Remedy:
    """What pycheck converts from the model, with whole weights, in the format that it takes by itself."""
    trial = Trial(failure.together, anew=True)
    gave = await trials.outcome(trial, failure.runtime)
    made = await trials.artifact(trial)
    return failure.remedy(
        "conversion",
        f"the model converted anew{f', in the {made.format} format' if made else ''}",
        gave,
        trial_count=trials.count,
        options=("--format", made.format) if made else (),
        note=f"in place of {failure.options.tfjs_model}; pycheck convert writes it",
    )


def not_tried(failure: Failure) -> Iterator[Remedy]:
    """What a published model leaves out, and why."""
    if failure.report.model.format != "tfjs":
        return
    why = "there is no model to convert again, only its model.json"
    artifact = failure.report.artifact
    if artifact is not None and artifact.quantization != "none":
        yield failure.remedy("quantization", "a lighter quantization", None, trial_count=0, note=why)
    yield failure.remedy("format", "the other format", None, trial_count=0, note=why)
