"""The results of commands."""

from __future__ import annotations

from dataclasses import dataclass

from .comparisons import Comparison
from .findings import Finding, Verdict
from .pipelines import Pipeline
from .power import Power
from .remedies import Remedy
from .runs import ArtifactInfo, InputsInfo, ModelInfo, RuntimeRecord
from .traces import Trace
from .trainings import Training


@dataclass(frozen=True, slots=True)
class Report:
    """The data of a run; reports are rendered from this alone.

    `artifact` is what TF.js loads, `litert_artifact` what LiteRT loads; None if no runtime needs it.
    """

    pycheck_version: str
    model: ModelInfo
    artifact: ArtifactInfo | None
    inputs: InputsInfo
    runtimes: tuple[RuntimeRecord, ...]
    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    command: str = ""  # the command that reproduces this report
    trace: Trace | None = None  # if it was traced
    training: Training | None = None  # if it was trained
    remedies: tuple[Remedy, ...] = ()  # the fixes that were tried, those that work first
    name: str = ""  # the name of the variant, if the run belongs to a check
    power: Power | None = None  # the small faults that the comparison would notice, if measured
    litert_artifact: ArtifactInfo | None = None
    pipeline: Pipeline | None = None  # if the inputs are files that pages preprocess too

    @property
    def passed(self) -> bool:
        """Tell whether the verdict is `pass`."""
        return self.verdict is Verdict.PASS

    @property
    def artifacts(self) -> tuple[ArtifactInfo, ...]:
        """Return what the runtimes load."""
        return tuple(artifact for artifact in (self.artifact, self.litert_artifact) if artifact)

    def __repr__(self) -> str:
        return f"<Report of {self.name or self.model.path}: {self.verdict}>"


@dataclass(frozen=True, slots=True)
class Shard:
    """One of the `count` parts into which the variants of a check are divided; `number` is from 1 to `count`."""

    number: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, slots=True)
class VariantFailure:
    """The reason why one variant of a check was not judged: an error of its model, its inputs or its baseline."""

    name: str
    message: str
    advice: str
    exit_code: int  # the exit code of the error, see errors.py


@dataclass(frozen=True, slots=True)
class CheckReport:
    """A whole matrix: one report for each variant, which is a model in one format and quantization, on its runtimes.

    `reports` have the names of their variants, in the order of the configuration; the findings and the verdict of each
    take budgets, known divergences and the baseline into account. `failures` are variants without a report, and those
    whose report could not be compared with the baseline. `findings` are about the configuration or the check as a
    whole; an error among them fails the check. `shard` is the part of the matrix that this report is of; None is all.
    """

    pycheck_version: str
    config: str  # the configuration file
    reports: tuple[Report, ...]
    failures: tuple[VariantFailure, ...]
    verdict: Verdict
    wall_s: float
    command: str = ""  # the command that reproduces this report
    findings: tuple[Finding, ...] = ()
    shard: Shard | None = None

    @property
    def passed(self) -> bool:
        """Tell whether the verdict is `pass`."""
        return self.verdict is Verdict.PASS

    def __repr__(self) -> str:
        return f"<CheckReport of {self.config}: {self.verdict}>"
