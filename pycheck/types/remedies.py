"""What was tried against a failure."""

from __future__ import annotations

from dataclasses import dataclass

from .findings import Verdict
from .names import RuntimeId


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one runtime gave, over all outputs. Where it gave nothing, `error` says why and the numbers are None."""

    verdict: Verdict
    max_abs_error: float | None
    nonfinite_count: int | None  # elements of another class than in Python
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something that was done otherwise on a runtime that failed, and what that gave on the same inputs.

    `kind` is "batch", "pairing", "conversion", "tensors", "quantization", "format", "flags", "operations", "epsilon",
    "backend" or "inputs"; `change` says what is different. `after` is None where it could not be tried, and `note` then
    says why
    (`trial_count` 0 where nothing was); else it says what else there is to know, such as what the judgement was
    against. `options` make the same change on the command line, `code` in the page or in the model; either may be
    empty.
    """

    kind: str
    runtime: RuntimeId
    change: str
    worked: bool
    before: Outcome
    after: Outcome | None
    trial_count: int
    options: tuple[str, ...] = ()
    code: str = ""
    note: str = ""
