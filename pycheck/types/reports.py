"""What a command gives."""

from __future__ import annotations

from dataclasses import dataclass

from .comparisons import Comparison
from .findings import Finding, Verdict
from .power import Power
from .remedies import Remedy
from .runs import ArtifactInfo, InputsInfo, ModelInfo, RuntimeRecord
from .traces import Trace
from .trainings import Training


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a run learned; the reports are rendered from this alone."""

    pycheck_version: str
    model: ModelInfo
    artifact: ArtifactInfo | None
    inputs: InputsInfo
    runtimes: tuple[RuntimeRecord, ...]
    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    command: str = ""  # what reproduces this report
    trace: Trace | None = None  # where it starts, when it was traced
    training: Training | None = None  # how it trained, when it was trained
    remedies: tuple[Remedy, ...] = ()  # what was tried against its failures: what worked first
    name: str = ""  # of the variant, where the run is one of a check's
    power: Power | None = None  # how many small faults the comparison would notice, if that was measured

    @property
    def passed(self) -> bool:
        """Whether the verdict is `pass`."""
        return self.verdict is Verdict.PASS

    def __repr__(self) -> str:
        return f"<Report of {self.name or self.model.path}: {self.verdict}>"


@dataclass(frozen=True, slots=True)
class VariantFailure:
    """What kept one variant of a check from being judged: an error of its model, its inputs or its baseline."""

    name: str
    message: str
    advice: str
    exit_code: int  # that of the error, see errors.py


@dataclass(frozen=True, slots=True)
class CheckReport:
    """A whole matrix: one report a variant, which is a model in one format and quantization, on its runtimes.

    `reports` have the names of their variants, in the order of the configuration. Budgets, known divergences and
    the baseline have had their say in the findings and the verdict of each. `failures` are variants without a
    report, and those whose report could not be held against the baseline. `findings` are about the configuration or
    the check as a whole; an error among them fails the check.
    """

    pycheck_version: str
    config: str  # the file that says what is checked
    reports: tuple[Report, ...]
    failures: tuple[VariantFailure, ...]
    verdict: Verdict
    wall_s: float
    command: str = ""  # what reproduces this report
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the verdict is `pass`."""
        return self.verdict is Verdict.PASS

    def __repr__(self) -> str:
        return f"<CheckReport of {self.config}: {self.verdict}>"
