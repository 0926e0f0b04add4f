"""Extracts from a check the figures that its history keeps."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import replace

from ..types import ArtifactInfo, CheckReport, Comparison, PastOutput, PastRun, PastRuntime, PastVariant, Report
from ..types import RuntimeRecord as Record

#: The variables in which CI servers name what they test: GitHub, GitLab, Jenkins (a tag, then a branch), CircleCI.
_CI = ("GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "TAG_NAME", "BRANCH_NAME", "CIRCLE_TAG", "CIRCLE_BRANCH")


def label_of_ci(environ: Mapping[str, str]) -> str:
    """Return the tag or branch of a CI server; empty elsewhere."""
    return next((environ[name] for name in _CI if environ.get(name)), "")


def figures(check: CheckReport, label: str = "", *, now: datetime.datetime | None = None) -> PastRun:
    """Extract the figures of a check, in the order of its variants; a variant without a report has none."""
    at = (now or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC)
    reports = {report.name: _variant(report) for report in check.reports}
    failures = {f.name: PastVariant(f.name, "error") for f in check.failures if f.name not in reports}
    return PastRun(
        id=uuid.uuid4().hex,
        at=at.isoformat(timespec="milliseconds"),
        label=label,
        pycheck_version=check.pycheck_version,
        verdict=check.verdict.value,
        config=check.config,
        variants=(*reports.values(), *failures.values()),
    )


def _variant(report: Report) -> PastVariant:
    tfjs, tflite = report.artifact, report.litert_artifact
    rows = [c for c in report.comparisons if not c.is_noise_floor]
    in_browsers = [record for record in report.runtimes if record.id.engine not in ("native", "artifact")]
    return PastVariant(
        name=report.name,
        verdict=report.verdict.value,
        model_sha256=report.model.sha256,
        inputs_sha256=report.inputs.sha256,
        artifact=tfjs.format if tfjs else None,
        artifact_bytes=tfjs.size_bytes if tfjs else None,
        weights_sha256=_digest(tfjs),
        tflite_bytes=tflite.size_bytes if tflite else None,
        tflite_sha256=_digest(tflite),
        runtimes=tuple(_runtime(record, [c for c in rows if c.candidate == record.id]) for record in in_browsers),
    )


def _digest(artifact: ArtifactInfo | None) -> str | None:
    return artifact.weights_sha256 if artifact else None


def _runtime(record: Record, rows: list[Comparison]) -> PastRuntime:
    known = PastRuntime(
        id=str(record.id),
        status=record.status.value,
        per_sample_s=None if record.kept_at else record.timings_s.get("per_sample"),
        outputs=tuple(map(_output, rows)),
    )
    if (e := record.environment) is None:
        return known
    flags = " ".join(f"{name}={value}" for name, value in sorted(e.flags_set.items()))
    return replace(known, library=e.library, platform=e.platform, renderer=e.renderer, flags=flags or None)


def _output(c: Comparison) -> PastOutput:
    return PastOutput(
        name=c.tensor,
        max_abs_error=c.max_abs_error,
        share=c.share_used,
        nonfinite=c.nonfinite.changed,
        top1_flips=None if c.top1_agreement is None else c.top1_flip_count,
        failed=c.failed,
    )
