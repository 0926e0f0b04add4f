"""Describes a runtime that failed, as input of the search for fixes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..gate import decide
from ..options.values import Options
from ..types import (
    Comparison,
    Environment,
    Finding,
    Outcome,
    Remedy,
    Report,
    RuntimeId,
    RuntimeStatus,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One runtime that failed, in the report of its run. `together` are all that failed there."""

    report: Report
    options: Options
    runtime: RuntimeId
    together: tuple[RuntimeId, ...]

    @property
    def before(self) -> Outcome:
        """What it gave."""
        return outcome(self.report, self.runtime, self.options)

    @property
    def environment(self) -> Environment | None:
        """What it was, as far as it started."""
        return next(r.environment for r in self.report.runtimes if r.id == self.runtime)

    @property
    def has_model(self) -> bool:
        """Whether there is a model that can be converted again, and not its artifact alone."""
        return self.report.model.format != "tfjs"

    @property
    def is_converted(self) -> bool:
        """Whether the artifact was converted for this run, and can be converted otherwise."""
        return self.options.tfjs_model is None and self.has_model

    @property
    def is_foreign(self) -> bool:
        """Whether another converter made the artifact, while pycheck could: it was given, or is the published one's."""
        return self.has_model and (self.options.tfjs_model is not None or self.options.converter != "pycheck")

    @property
    def quantization(self) -> str:
        """Of the artifact, whoever made it."""
        artifact = self.report.artifact
        return self.options.quantize if artifact is None or self.is_converted else artifact.quantization

    @property
    def source_ops(self) -> tuple[str, ...]:
        """The operations that a trace found to be its sources."""
        sources = self.report.trace.sources() if self.report.trace else ()
        found = [point.op for point, result in sources if result.runtime == self.runtime]
        return tuple(dict.fromkeys(found))

    def findings(self, *codes: str) -> Iterator[Finding]:
        """Those of these codes that are about this runtime, or about none."""
        for finding in self.report.findings:
            if finding.code in codes and (not finding.runtimes or self.runtime in finding.runtimes):
                yield finding

    def remedy(
        self,
        kind: str,
        change: str,
        after: Outcome | None,
        *,
        trial_count: int,
        options: tuple[str, ...] = (),
        code: str = "",
        note: str = "",
    ) -> Remedy:
        """A remedy of this failure; it worked where the runtime now passes."""
        worked = after is not None and after.verdict is Verdict.PASS
        return Remedy(
            kind=kind,
            runtime=self.runtime,
            change=change,
            worked=worked,
            before=self.before,
            after=after,
            trial_count=trial_count,
            options=options,
            code=code,
            note=note,
        )


def failures(report: Report, options: Options) -> tuple[Failure, ...]:
    """Every runtime whose outputs fail, or that started and then broke. One that never answers is not tried again."""
    failing = {c.candidate for c in report.comparisons if c.passed is False}
    failing |= {r.id for r in report.runtimes if r.status is RuntimeStatus.FAILED and r.environment}
    failing -= {r.id for r in report.runtimes if r.status in (RuntimeStatus.TIMED_OUT, RuntimeStatus.UNAVAILABLE)}
    together = tuple(runtime for runtime in options.runtimes if runtime in failing)
    return tuple(Failure(report, options, runtime, together) for runtime in together)


def failing(report: Report, runtime: RuntimeId) -> tuple[Comparison, ...]:
    """The outputs that one runtime of a report fails in."""
    return tuple(c for c in report.comparisons if c.candidate == runtime and c.passed is False)


def outcome(report: Report, runtime: RuntimeId, options: Options) -> Outcome:
    """What one runtime of a report gave, over all outputs, as the gate judges it alone."""
    record = next(r for r in report.runtimes if r.id == runtime)
    comparisons = [c for c in report.comparisons if c.candidate == runtime]
    verdict = decide(comparisons, runtimes=[record], nan=options.nan)
    if record.status is not RuntimeStatus.OK:
        return Outcome(verdict, None, None, (record.error or record.status.value).splitlines()[0])
    shapes = next((c.shape_mismatch for c in comparisons if c.shape_mismatch), None)
    return Outcome(
        verdict,
        max((c.max_abs_error for c in comparisons if c.max_abs_error is not None), default=None),
        sum(c.nonfinite.changed for c in comparisons),
        shapes and f"different shape: {shapes}",
    )
