"""Fixes of the conversion: a finer quantization, the other artifact format, and pycheck's own artifact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..gate import quantized_limits, share
from ..options.table import QUANTIZATIONS
from ..types import Comparison, Outcome, Remedy, Verdict
from .failure import Failure, failing
from .searching import ExhaustedError
from .trial import Trial
from .trials import Trials

#: Quantizations of TF.js from the coarsest to the finest, for weights without large outliers; then those of LiteRT.js.
_QUANTIZATIONS = ("uint8", "uint16", "float16", "none")
_LITERT_QUANTIZATIONS = tuple(name for name in ("int8", "dynamic", "float16", "none") if name in QUANTIZATIONS)
#: Quantizations that are more than a type of the weights.
_METHODS = {"none": "weights in float32", "dynamic": "dynamic quantization", "int8": "int8 quantization"}
#: Finer quantizations for any weights; uint16 is not finer if a few weights are large.
_SAFER = {"uint8": ("float16", "none"), "uint16": ("float16", "none"), "float16": ("none",)}
#: A fix that needs a wider limit must reduce the error below this share of the error before.
_LESS = 0.5
JUDGED = "judged with a limit of 1 % of each output's scale, which is usual for quantization"
_OTHER = {"layers": "graph", "graph": "layers"}


def fits_quantization(failure: Failure) -> bool:
    """Accept quantized weights of a model that can be converted again."""
    return failure.has_model and failure.quantization != "none"


def allowance(failure: Failure) -> tuple[tuple[str, float], ...]:
    """Return the error allowed for quantization if no limit is given: 1 % of each output's scale, the upper bound."""
    # The scale is that of the reference. If the runtime returned nothing, the noise floor has it.
    rows = (c for c in failure.report.comparisons if c.is_noise_floor or c.candidate == failure.runtime)
    return quantized_limits(rows, failure.options.tolerance)


def options_of(allowed: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """Return the command-line options for these limits."""
    return tuple(text for name, limit in allowed for text in ("--atol", f"{name}:{limit:g}"))


async def cure_quantization(failure: Failure, trials: Trials) -> Remedy:
    """Find the coarsest finer quantization that passes within `allowance`, else the safest that passes with its limits.

    float16 is safer than uint16 of the same size, because in uint16 a few large values take the precision from all
    others. Weights without quantization come last, because the user wants a small file. A given artifact cannot be
    quantized more finely: the trials convert the model with pycheck instead.
    """
    given, anew = failure.quantization, not failure.is_converted
    ladder = _LITERT_QUANTIZATIONS if failure.runtime.is_litert else _QUANTIZATIONS
    finer = ladder[ladder.index(given) + 1 : -1]

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
            f"{_METHODS.get(quantize, f'weights in {quantize}')} instead of {given}"
            f"{', converted with pycheck' if anew else ''}",
            gave,
            trial_count=trials.count,
            options=("--quantize", quantize, *options_of(allowed)),
            note="; ".join(notes),
        )

    for quantize in finer:
        gave = await trials.outcome(trial(quantize), failure.runtime)
        if gave.verdict is Verdict.PASS and _is_allowed(gave, allowance(failure)):
            return remedy(quantize, gave)
    for quantize in reversed(finer):
        gave, allowed = await within(failure, trials, trial(quantize))
        if gave.verdict is Verdict.PASS:
            return remedy(
                quantize, gave, allowed, is_whole_right=bool(allowed) and await _passes(whole, failure, trials)
            )
    return remedy("none", await trials.outcome(whole, failure.runtime))


def _is_allowed(gave: Outcome, allowed: tuple[tuple[str, float], ...]) -> bool:
    """Tell whether an error is within the allowance; an outcome that passes may use more, by the noise of rounding."""
    return not allowed or (gave.max_abs_error or 0.0) <= max(limit for _, limit in allowed)


async def _passes(trial: Trial, failure: Failure, trials: Trials) -> bool:
    """Tell whether the trial passes; False if the trials are used up, which keeps the fix that was found."""
    try:
        return await trials.passes(trial, failure.runtime)
    except ExhaustedError:
        return False


async def within(failure: Failure, trials: Trials, trial: Trial) -> tuple[Outcome, tuple[tuple[str, float], ...]]:
    """Run a trial; return its result and the limits that it needs to pass: none, or those of `allowance`.

    A trial whose error is about as large as before is not a fix, although the limits alone would let it pass.
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
    """Tell whether the error of each output that still fails is less than half of that before."""
    errors = {c.tensor: c.max_abs_error for c in before if _is_drift(c) and c.max_abs_error is not None}
    return all((c.max_abs_error or 0.0) < _LESS * errors[c.tensor] for c in after if c.tensor in errors)


def _is_drift(comparison: Comparison) -> bool:
    """Tell whether an output fails by its errors, not by its shape or by NaN and infinity."""
    return comparison.shape_mismatch is None and not comparison.nonfinite.changed


def passes_as_given(failure: Failure) -> bool:
    """Tell whether the failed run, without a change, passes with the limits of `allowance`."""
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
    """Accept an artifact that can have the other format; auto chooses a graph only if layers are impossible."""
    artifact = failure.report.artifact
    if artifact is None or not failure.is_converted:
        return False
    return artifact.format == "layers" or failure.options.format == "graph"


async def cure_format(failure: Failure, trials: Trials) -> Remedy:
    """Try the other format on all runtimes that failed."""
    assert failure.report.artifact is not None  # fits_format has checked it
    other = _OTHER[failure.report.artifact.format]
    gave = await trials.outcome(Trial(failure.together, format=other), failure.runtime)
    return failure.remedy("format", f"the {other} format", gave, trial_count=trials.count, options=("--format", other))


def fits_anew(failure: Failure) -> bool:
    """Accept an artifact of a different converter if its model is given."""
    return failure.is_foreign


async def cure_anew(failure: Failure, trials: Trials) -> Remedy:
    """Try pycheck's own conversion of the model, with the same quantization and format.

    If pycheck cannot convert to that format, it chooses the format. If the published converter is also wrong without
    quantization, float16 and then float32 weights replace a quantization that costs too much. If the failed artifact
    passes with the limits for quantization, the fix must pass without them.
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
    """Tell whether the published converter errs without quantization too; False if its weights are not quantized."""
    if not failure.is_converted or failure.quantization == "none":
        return False
    return not await _passes(Trial(failure.together, quantize="none"), failure, trials)


def _type(quantize: str) -> str:
    return "float32" if quantize == "none" else quantize


def in_place_of(failure: Failure) -> str:
    """Say which artifact pycheck's own conversion replaces."""
    given = failure.options.tfjs_model
    return f"in place of {given or f'the artifact of --converter {failure.options.converter}'}"


def not_tried(failure: Failure) -> Iterator[Remedy]:
    """Yield the fixes that are impossible for a published model without its source, with the reason."""
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
