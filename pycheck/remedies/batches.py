"""Fix: fewer samples at a time, for a runtime that ran out of memory or exceeded the texture size."""

from __future__ import annotations

from ..types import Remedy
from .failure import Failure
from .trial import Trial
from .trials import Trials

#: Messages of browsers for which a smaller batch may help; the first is that of a texture that is too large.
_SIGNS = ("greater than WebGL maximum", "memory", "allocation", "context lost", "page crashed", "gave up")


def fits(failure: Failure) -> bool:
    """Accept a runtime that failed with several samples at a time, with a message about size."""
    sizes = failure.report.inputs.sample_count if failure.report.inputs else 1
    error = failure.before.error or ""
    return sizes > 1 and failure.options.batch_size > 1 and any(sign in error for sign in _SIGNS)


async def cure(failure: Failure, trials: Trials) -> Remedy:
    """Try one sample at a time: the smallest batch shows whether size is the cause."""
    gave = await trials.outcome(Trial((failure.runtime,), batch_size=1), failure.runtime)
    return failure.remedy(
        "batch",
        "one sample at a time",
        gave,
        trial_count=trials.count,
        options=("--batch-size", "1"),
        note="do the same in your page: call predict with one sample, and dispose of its result",
    )
