"""The figures that a history keeps of each check, without what only the report of that day needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PastOutput:
    """One output on one runtime; None if there was nothing to measure."""

    name: str
    max_abs_error: float | None  # over the pairs that are finite on both sides
    share: float | None  # of the limit that was used; 1 is the limit itself
    nonfinite: int  # elements that are NaN or infinite on one side only
    top1_flips: int | None  # rows whose top-1 class differs from Python's
    failed: bool  # beyond a limit, and not excused


@dataclass(frozen=True, slots=True)
class PastRuntime:
    """One runtime of a variant: what it was, and its outputs; None is unknown."""

    id: str
    status: str
    library: str | None = None
    platform: str | None = None
    renderer: str | None = None
    flags: str | None = None
    per_sample_s: float | None = None  # if it was measured in this run
    outputs: tuple[PastOutput, ...] = ()


@dataclass(frozen=True, slots=True)
class PastVariant:
    """One variant of a check: its model, inputs and artifacts; None if it has none, or could not be run."""

    name: str
    verdict: str
    model_sha256: str | None = None
    inputs_sha256: str | None = None
    artifact: str | None = None
    artifact_bytes: int | None = None
    weights_sha256: str | None = None
    tflite_bytes: int | None = None
    tflite_sha256: str | None = None
    runtimes: tuple[PastRuntime, ...] = ()


@dataclass(frozen=True, slots=True)
class PastRun:
    """One check. `id` is unique among all histories; `at` is the time of its end (UTC, ISO 8601)."""

    id: str
    at: str
    label: str  # of a release, a branch or a commit; empty without one
    pycheck_version: str
    verdict: str
    config: str
    variants: tuple[PastVariant, ...] = ()

    @property
    def title(self) -> str:
        """Return the day and the label."""
        return f"{self.at[:10]} {self.label}".rstrip()
