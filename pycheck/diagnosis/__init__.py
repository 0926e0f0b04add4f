"""Turns comparisons into findings, with one table of rules for each subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..types import (
    AnswerLimits,
    ArtifactInfo,
    Comparison,
    Evidence,
    Finding,
    ModelInfo,
    NanPolicy,
    NonfiniteInput,
    PairingHint,
    Power,
    RuntimeRecord,
    SampleSpread,
    Severity,
)
from . import causes, drift, faults, ids, nonfinite, pairings, reference, repeats, runtimes, shared, top1
from . import power as seeing
from .case import Case, Rule
from .linking import linked
from .pipelines import diagnose_pipeline

#: In the order in which their findings are read: rules whose findings make others irrelevant come first.
RULES: tuple[Rule, ...] = (
    *faults.RULES,
    *reference.RULES,
    *runtimes.RULES,
    *repeats.RULES,
    *pairings.RULES,
    *nonfinite.RULES,
    *shared.RULES,
    *drift.RULES,
    *top1.RULES,
    *ids.RULES,
    *causes.RULES,
    *seeing.RULES,
)

_ORDER = {severity: rank for rank, severity in enumerate((Severity.ERROR, Severity.WARNING, Severity.INFO))}


def diagnose(
    comparisons: Iterable[Comparison],
    *,
    runtimes: Iterable[RuntimeRecord] = (),
    model: ModelInfo | None = None,
    artifact: ArtifactInfo | None = None,
    nonfinite_inputs: Iterable[NonfiniteInput] = (),
    input_elements: Mapping[str, int] | None = None,
    pairing_hints: Iterable[PairingHint] = (),
    nan: NanPolicy = NanPolicy.FAIL,
    evidence: Evidence | None = None,
    power: Power | None = None,
    spreads: Iterable[SampleSpread] = (),
    answer_limits: Iterable[AnswerLimits] = (),
) -> tuple[Finding, ...]:
    """Return the findings of a run, the most severe first.

    `comparisons` have been through `gate.assess`, the noise floor's own rows among them.
    `nonfinite_inputs` are the inputs that hold NaN or Inf; `input_elements` is the number of
    elements of each input in one batch; `evidence` is all further knowledge of the run. `power` has been through
    `gate.judge_power`; `spreads` are of the outputs in Python; `answer_limits` are of the answers that changed.
    """
    case = Case(
        comparisons=tuple(comparisons),
        runtimes=tuple(runtimes),
        model=model,
        artifact=artifact,
        nonfinite_inputs=tuple(nonfinite_inputs),
        input_elements=input_elements or {},
        pairing_hints=tuple(pairing_hints),
        nan=nan,
        evidence=evidence or Evidence(),
        power=power,
        spreads=tuple(spreads),
        answer_limits={(limits.runtime, limits.tensor): limits for limits in answer_limits},
    )
    return by_severity(linked(finding for rule in RULES for finding in rule(case)))


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by severity, the most severe first; equal ones keep their order."""
    return tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity]))
