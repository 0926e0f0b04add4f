"""Fixes of the conversion: a finer quantization, the other artifact format, and pycheck's own artifact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..gate import AUTO, share
from ..types import Comparison, Outcome, Remedy, Verdict
from .failure import Failure, failing
from .searching import ExhaustedError
from .trial import Trial
from .trials import Trials

#: From the coarsest to the finest, as far as weights of ordinary size go.
_QUANTIZATIONS = ("uint8", "uint16", "float16", "none")
#: What costs less of any weights; uint16 does not where a few are large.
_SAFER = {"uint8": ("float16", "none"), "uint16": ("float16", "none"), "float16": ("none",)}
#: Of the error before: a remedy that needs a wider limit has to err by less than that.
_LESS = 0.5
JUDGED = "judged with a limit of 1 % of each output's scale, which is usual for quantization"
_OTHER = {"layers": "graph", "graph": "layers"}


def fits_quantization(failure: Failure) -> bool:
    """Quantized weights, of a model that can be converted again."""
    return failure.has_model and failure.quantization != "none"


def allowance(failure: Failure) -> tuple[tuple[str, float], ...]:
    """What quantization may cost each output where nobody set a limit: 1 % of its scale, the most that ever passes."""
    tolerance = failure.options.tolerance
    if tolerance.rtol or tolerance.atol or tolerance.max_ulp or tolerance.rules:
        return ()
    # The scale is the reference's: the noise floor tells it of a runtime that gave nothing.
    rows = (c for c in failure.report.comparisons if c.is_noise_floor or c.candidate == failure.runtime)
    scales = {c.tensor: c.reference_scale for c in rows if c.reference_scale}
    return tuple((tensor, float(f"{AUTO.upper_bound * scale:.2g}")) for tensor, scale in scales.items())


def options_of(allowed: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """The same on the command line."""
    return tuple(text for name, limit in allowed for text in ("--atol", f"{name}:{limit:g}"))


async def cure_quantization(failure: Failure, trials: Trials) -> Remedy:
    """The coarsest of the finer ones that passes as it is, else the safest at a cost that quantization may have.

    float16 is safer than uint16, which is as large: few large values take all precision from the others in uint16.
    Weights that are not quantized come last: whoever quantizes wants a smaller file. An artifact that was handed over
    cannot be made finer: the trials are of the model, converted with pycheck.
    """
    given, anew = failure.quantization, not failure.is_converted
    finer = _QUANTIZATIONS[_QUANTIZATIONS.index(given) + 1 : -1]

    def trial(quantize: str) -> Trial:
        return Trial(failure.together, quantize=quantize, anew=anew)

    whole = trial("none")

    def remedy(
        quantize: str, gave: Outcome, allowed: tuple[tuple[str, float], ...] = (), *, is_whole_right: bool = False
    ) -> Remedy:
        judged = f"{JUDGED}; --quantize none needs no limit of its own" if is_whole_right else JUDGED
        notes = [*([in_place_of(failure)] if anew else []), *([judged] if allowed else [])]
        return failure.remedy(
            "quantization",
            f"weights in {_type(quantize)} instead of {given}{', converted with pycheck' if anew else ''}",
            gave,
            trial_count=trials.count,
            options=("--quantize", quantize, *options_of(allowed)),
            note="; ".join(notes),
        )

    for quantize in finer:
        gave = await trials.outcome(trial(quantize), failure.runtime)
        if gave.verdict is Verdict.PASS:
            return remedy(quantize, gave)
    for quantize in reversed(finer):
        gave, allowed = await within(failure, trials, trial(quantize))
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
    """What a trial gives, and the limits that it needs to pass: none, or those of `allowance`.

    A trial that errs about as much as the run that failed cures nothing: the limits alone would let it pass.
    """
    gave = await trials.outcome(trial, failure.runtime)
    allowed = allowance(failure)
    largest = max((limit for _, limit in allowed), default=0.0)
    if gave.verdict is not Verdict.DRIFT or gave.max_abs_error is None or gave.max_abs_error > largest:
        return gave, ()
    if not _errs_less(await trials.failing(trial, failure.runtime), failing(failure.report, failure.runtime)):
        return gave, ()
    with_cost = await trials.outcome(replace(trial, allowed=allowed), failure.runtime)
    return (with_cost, allowed) if with_cost.verdict is Verdict.PASS else (gave, ())


def _errs_less(after: Sequence[Comparison], before: Sequence[Comparison]) -> bool:
    """Whether each output that failed before and still does errs by less than half as much."""
    errors = {c.tensor: c.max_abs_error for c in before if _is_drift(c) and c.max_abs_error is not None}
    return all((c.max_abs_error or 0.0) < _LESS * errors[c.tensor] for c in after if c.tensor in errors)


def _is_drift(comparison: Comparison) -> bool:
    """Whether an output fails by its errors, and not by its shape or by what is not finite."""
    return comparison.shape_mismatch is None and not comparison.nonfinite.changed


def passes_as_given(failure: Failure) -> bool:
    """Whether the run that failed passes with the limits of `allowance` as it was."""
    limits = dict(allowance(failure))
    failed = failing(failure.report, failure.runtime)
    return bool(failed) and all(
        _is_drift(c)
        and c.tensor in limits
        and c.max_abs_error is not None
        and share(c.max_abs_error, limits[c.tensor]) <= 1
        for c in failed
    )


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
    """An artifact that another converter made, beside its model."""
    return failure.is_foreign


async def cure_anew(failure: Failure, trials: Trials) -> Remedy:
    """What pycheck converts from the model: with weights of the same quantization, in the format that was asked for.

    Where pycheck cannot take that format it takes the one that it chooses by itself. Where the published converter is
    wrong with whole weights too, weights in float16, then whole ones, replace a quantization that costs too much.
    Where the artifact that failed passes with the limits that quantization may need, they are no part of a cure.
    """
    is_enough = passes_as_given(failure)

    async def judged(trial: Trial) -> tuple[Outcome, tuple[tuple[str, float], ...]]:
        if is_enough:
            return await trials.outcome(trial, failure.runtime), ()
        return await within(failure, trials, trial)

    trial = Trial(failure.together, anew=True, quantize=failure.quantization)
    gave, allowed = await judged(trial)
    if gave.error and failure.options.format != "auto":
        trial = replace(trial, format="auto")
        gave, allowed = await judged(trial)
    if gave.verdict is not Verdict.PASS and await _is_wrong_unquantized(failure, trials):
        for quantize in _SAFER[failure.quantization]:
            trial = replace(trial, quantize=quantize)
            gave, allowed = await judged(trial)
            if gave.verdict is Verdict.PASS:
                break
    made = await trials.artifact(trial)
    details = [f"in the {made.format} format"] if made else []
    details += [f"with weights in {_type(trial.quantize or '')}"] if failure.quantization != "none" else []
    options = ["--format", made.format] if made else []
    options += ["--quantize", trial.quantize or "none"] if made and failure.quantization != "none" else []
    return failure.remedy(
        "conversion",
        ", ".join(["the model converted with pycheck", *details]),
        gave,
        trial_count=trials.count,
        options=(*options, *options_of(allowed)),
        note="; ".join([in_place_of(failure), "pycheck convert writes it", *([JUDGED] if allowed else [])]),
    )


async def _is_wrong_unquantized(failure: Failure, trials: Trials) -> bool:
    """Whether the published converter errs with whole weights as well; False where they were whole already."""
    if not failure.is_converted or failure.quantization == "none":
        return False
    return not await _passes(Trial(failure.together, quantize="none"), failure, trials)


def _type(quantize: str) -> str:
    return "float32" if quantize == "none" else quantize


def in_place_of(failure: Failure) -> str:
    """What pycheck's own conversion replaces."""
    given = failure.options.tfjs_model
    return f"in place of {given or f'the artifact of --converter {failure.options.converter}'}"


def not_tried(failure: Failure) -> Iterator[Remedy]:
    """What a published model leaves out, and why."""
    if failure.has_model:
        return
    why = (
        "only the model.json is given, so pycheck cannot convert it again; give the source model, "
        f"and the artifact with --tfjs-model {failure.report.model.path}"
    )
    if failure.quantization != "none":
        yield failure.remedy("quantization", "a finer quantization", None, trial_count=0, note=why)
        yield failure.remedy("tensors", "some weights in float32", None, trial_count=0, note=why)
    yield failure.remedy("format", "the other format", None, trial_count=0, note=why)
