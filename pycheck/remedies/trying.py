"""Tries every kind of fix that fits, on every runtime that failed, and adds the results to the report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from ..options.values import Options
from ..types import Remedy, Report
from . import backends, batches, conversion, epsilons, flags, inputs, libraries, operations, pairing, tensors
from .advice import advised
from .failure import Failure, failures
from .searching import ExhaustedError
from .trial import Trial
from .trials import Observer, Trials


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fix: a check whether it fits a failure, and a search for the smallest change that works.

    `in_litert` tells whether it changes more than TF.js and its artifact, so that it is for LiteRT.js too.
    """

    name: str
    fits: Callable[[Failure], bool]
    cure: Callable[[Failure, Trials], Awaitable[Remedy | None]]
    in_litert: bool = False


#: Kinds in the order of advice: the smallest change for users of the model comes first.
KINDS: tuple[Kind, ...] = (
    Kind("batch", batches.fits, batches.cure),
    Kind("pairing", pairing.fits, pairing.cure),
    Kind("conversion", conversion.fits_anew, conversion.cure_anew),
    Kind("tensors", tensors.fits, tensors.cure),
    Kind("quantization", conversion.fits_quantization, conversion.cure_quantization, in_litert=True),
    Kind("format", conversion.fits_format, conversion.cure_format),
    Kind("flags", flags.fits, flags.cure),
    Kind("operations", operations.fits, operations.cure),
    Kind("epsilon", epsilons.fits, epsilons.cure),
    Kind("backend", backends.fits, backends.cure, in_litert=True),
    Kind("library", libraries.fits, libraries.cure, in_litert=True),
    Kind("inputs", inputs.fits, inputs.cure, in_litert=True),
)


async def try_remedies(
    report: Report, options: Options, *, trial: Callable[[Trial], Awaitable[Report]], observe: Observer
) -> Report:
    """Add fixes to a report, and update the advice of its findings.

    Fixes that work come first, and among them those that need no wider limit. `trial` runs a change through the stages
    of the report. The verdict does not change.
    """
    trials = Trials(trial, options, observe)
    found: list[Remedy] = []
    for failure in failures(report, options):
        trials.begin_runtime(failure.runtime)
        for kind in KINDS:
            if (kind.in_litert or not failure.runtime.is_litert) and kind.fits(failure):
                found += await _searched(kind, failure, trials)
        found += conversion.not_tried(failure)
    remedies = tuple(sorted(found, key=lambda remedy: (not remedy.worked, "--atol" in remedy.options)))
    return replace(report, remedies=remedies, findings=advised(report.findings, remedies))


async def _searched(kind: Kind, failure: Failure, trials: Trials) -> list[Remedy]:
    trials.begin(kind.name)
    try:
        remedy = await kind.cure(failure, trials)
    except ExhaustedError:
        note = f"the trials ended without a result: {trials.limits}"
        return [failure.remedy(kind.name, kind.name, None, trial_count=trials.count, note=note)]
    return [remedy] if remedy else []
