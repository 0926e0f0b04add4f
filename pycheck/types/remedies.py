"""The fixes that were tried for a failure."""

from __future__ import annotations

from dataclasses import dataclass

from .findings import Verdict
from .names import RuntimeId


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one runtime over all outputs. Without a result, `error` says why and the numbers are None."""

    verdict: Verdict
    max_abs_error: float | None
    nonfinite_count: int | None  # elements whose class differs from Python's
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Remedy:
    """A fix that was tried on a runtime that failed, and its result on the same inputs.

    `kind` is "batch", "pairing", "conversion", "tensors", "quantization", "format", "flags", "operations", "epsilon",
    "backend", "library" or "inputs"; `change` describes the change. `after` is None if it could not be tried; `note`
    then says why (`trial_count` is 0 if nothing ran). Otherwise `note` has further information, such as the limits that
    were used. `options` make the same change on the command line, `code` in the page or in the model; either may be
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
