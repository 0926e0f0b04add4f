"""Fix: fewer samples at a time, for a runtime that ran out of memory or of texture size."""

from __future__ import annotations

from ..types import Remedy
from .failure import Failure
from .trial import Trial
from .trials import Trials

#: What a browser says where a smaller batch may do; a texture that is too large is the first.
_SIGNS = ("greater than WebGL maximum", "memory", "allocation", "context lost", "page crashed", "gave up")


def fits(failure: Failure) -> bool:
    """A runtime that broke with more than one sample at a time, with words that speak of size."""
    sizes = failure.report.inputs.sample_count if failure.report.inputs else 1
    error = failure.before.error or ""
    return sizes > 1 and failure.options.batch_size > 1 and any(sign in error for sign in _SIGNS)


async def cure(failure: Failure, trials: Trials) -> Remedy:
    """One sample at a time, which is the smallest that there is: whether size is the matter at all."""
    gave = await trials.outcome(Trial((failure.runtime,), batch_size=1), failure.runtime)
    return failure.remedy(
        "batch",
        "one sample at a time",
        gave,
        trial_count=trials.count,
        options=("--batch-size", "1"),
        note="do the same in your page: call predict with one sample, and dispose of its result",
    )
