"""Describes a runtime that failed, as input for the search for fixes."""

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
    """One runtime that failed, in the report of its run.

    `together` are all runtimes of the same library that failed in the run: they load the same artifact.
    """

    report: Report
    options: Options
    runtime: RuntimeId
    together: tuple[RuntimeId, ...]

    @property
    def before(self) -> Outcome:
        """Return the result of the failed run."""
        return outcome(self.report, self.runtime, self.options)

    @property
    def environment(self) -> Environment | None:
        """Return the environment of the runtime; None if it did not start."""
        return next(r.environment for r in self.report.runtimes if r.id == self.runtime)

    @property
    def has_model(self) -> bool:
        """Tell whether a model is given that can be converted again, not only its artifact."""
        return not self.report.model.is_artifact

    @property
    def is_converted(self) -> bool:
        """Tell whether the artifact was converted in this run, so that it can be converted differently."""
        return self.has_model and (self.runtime.is_litert or self.options.tfjs_model is None)

    @property
    def is_foreign(self) -> bool:
        """Tell whether a different converter made the artifact, although pycheck can convert the model."""
        by_another = self.options.tfjs_model is not None or self.options.converter != "pycheck"
        return self.has_model and by_another and not self.runtime.is_litert

    @property
    def quantization(self) -> str:
        """Return the quantization of the artifact, whichever converter made it."""
        artifact = self.report.litert_artifact if self.runtime.is_litert else self.report.artifact
        return self.options.quantize if artifact is None or self.is_converted else artifact.quantization

    @property
    def source_ops(self) -> tuple[str, ...]:
        """Return the operations that a trace found to be the sources."""
        sources = self.report.trace.sources() if self.report.trace else ()
        found = [point.op for point, result in sources if result.runtime == self.runtime]
        return tuple(dict.fromkeys(found))

    def findings(self, *codes: str) -> Iterator[Finding]:
        """Yield the findings with these codes about this runtime, or about no runtime."""
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
        """Make a fix for this failure; it worked if the runtime now passes."""
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
    """Return every runtime that fails, or that started and then failed.

    A runtime that timed out is not tried again.
    """
    failing = {c.candidate for c in report.comparisons if c.passed is False}
    failing |= {r.id for r in report.runtimes if r.status is RuntimeStatus.FAILED and r.environment}
    failing -= {r.id for r in report.runtimes if r.status in (RuntimeStatus.TIMED_OUT, RuntimeStatus.UNAVAILABLE)}
    failed = [runtime for runtime in options.runtimes if runtime in failing]
    return tuple(
        Failure(report, options, runtime, tuple(other for other in failed if other.is_litert == runtime.is_litert))
        for runtime in failed
    )


def failing(report: Report, runtime: RuntimeId) -> tuple[Comparison, ...]:
    """Return the outputs in which one runtime of a report fails."""
    return tuple(c for c in report.comparisons if c.candidate == runtime and c.passed is False)


def outcome(report: Report, runtime: RuntimeId, options: Options) -> Outcome:
    """Return the result of one runtime of a report, over all outputs, judged without the other runtimes."""
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
