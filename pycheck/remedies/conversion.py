"""Remedies of conversion: a lighter quantization, the other artifact format, and pycheck's own artifact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..types import Outcome, Remedy, Verdict
from .failure import Failure
from .searching import ExhaustedError
from .trial import Trial
from .trials import Trials

#: From the coarsest to the finest, as far as weights of ordinary size go.
_QUANTIZATIONS = ("uint8", "uint16", "float16", "none")
#: Of an output's scale: beyond, nothing passes by itself.
_COST = 0.01
JUDGED = "judged with 1 % of each output's scale allowed, which is what quantization may cost"
_OTHER = {"layers": "graph", "graph": "layers"}


def fits_quantization(failure: Failure) -> bool:
    """Quantized weights of pycheck's own making."""
    return failure.is_converted and failure.options.quantize != "none"


def allowance(failure: Failure) -> tuple[tuple[str, float], ...]:
    """What quantization may cost each output where nobody set a limit: 1 % of its scale, the most that ever passes."""
    tolerance = failure.options.tolerance
    if tolerance.rtol or tolerance.atol or tolerance.max_ulp or tolerance.rules:
        return ()
    rows = [c for c in failure.report.comparisons if c.candidate == failure.runtime and c.reference_scale]
    return tuple((c.tensor, float(f"{_COST * (c.reference_scale or 0.0):.2g}")) for c in rows)


def options_of(allowed: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """The same on the command line."""
    return tuple(text for name, limit in allowed for text in ("--atol", f"{name}:{limit:g}"))


async def cure_quantization(failure: Failure, trials: Trials) -> Remedy:
    """The coarsest of the finer ones that passes as it is, else the safest at a cost that quantization may have.

    float16 is safer than uint16, which is as large: few large values take all precision from the others in uint16.
    Weights that are not quantized come last: whoever quantizes wants a smaller file.
    """
    given = failure.options.quantize
    finer = _QUANTIZATIONS[_QUANTIZATIONS.index(given) + 1 : -1]
    whole = Trial(failure.together, quantize="none")

    def remedy(
        quantize: str, gave: Outcome, allowed: tuple[tuple[str, float], ...] = (), *, is_whole_right: bool = False
    ) -> Remedy:
        judged = f"{JUDGED}; --quantize none needs no limit of its own" if is_whole_right else JUDGED
        return failure.remedy(
            "quantization",
            f"weights in {'float32' if quantize == 'none' else quantize} instead of {given}",
            gave,
            trial_count=trials.count,
            options=("--quantize", quantize, *options_of(allowed)),
            note=judged if allowed else "",
        )

    for quantize in finer:
        gave = await trials.outcome(Trial(failure.together, quantize=quantize), failure.runtime)
        if gave.verdict is Verdict.PASS:
            return remedy(quantize, gave)
    for quantize in reversed(finer):
        gave, allowed = await within(failure, trials, Trial(failure.together, quantize=quantize))
        if gave.verdict is Verdict.PASS:
            return remedy(
                quantize, gave, allowed, is_whole_right=bool(allowed) and await _passes(whole, failure, trials)
            )
    return remedy("none", await trials.outcome(whole, failure.runtime))


async def _passes(trial: Trial, failure: Failure, trials: Trials) -> bool:
    """Whether the trial is seen to pass; not where the trials have ended, which leaves the remedy that was found."""
    try:
        return await trials.passes(trial, failure.runtime)
    except ExhaustedError:
        return False


async def within(failure: Failure, trials: Trials, trial: Trial) -> tuple[Outcome, tuple[tuple[str, float], ...]]:
    """What a trial gives, and the limits that it needs to pass: none, or those of `allowance`."""
    gave = await trials.outcome(trial, failure.runtime)
    allowed = allowance(failure)
    largest = max((limit for _, limit in allowed), default=0.0)
    if gave.verdict is not Verdict.DRIFT or gave.max_abs_error is None or gave.max_abs_error > largest:
        return gave, ()
    with_cost = await trials.outcome(replace(trial, allowed=allowed), failure.runtime)
    return (with_cost, allowed) if with_cost.verdict is Verdict.PASS else (gave, ())


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
