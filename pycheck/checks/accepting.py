"""Extracts the facts of a report that the baseline keeps, and merges them into an existing baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..errors import UsageError
from ..report.wording import setting
from ..types import ArtifactInfo, Environment, Report, TensorSpec
from .baseline_file import DIGEST_LENGTH, NO_ARTIFACT, Baseline, OutputFacts, VariantFacts

#: The steps of a browser that wait for nothing that other variants need too; the other times are parts of these.
_OWN_STEPS = ("page", "backend", "load", "predict")


def facts(report: Report) -> VariantFacts:
    """Extract the facts of a report that the baseline keeps."""
    signature, artifact, tflite = report.model.signature, report.artifact, report.litert_artifact
    runtimes: dict[str, dict[str, OutputFacts]] = {}
    for c in report.comparisons:
        runtimes.setdefault(str(c.candidate), {})[c.tensor] = OutputFacts(
            digest=c.outputs_sha256 and c.outputs_sha256[:DIGEST_LENGTH],
            max_abs_error=c.max_abs_error,
            rms_error=c.rms_error,
            top1_flips=None if c.top1_agreement is None else c.top1_flip_count,
            nonfinite=c.nonfinite.changed,
            float_bits=c.precision_bits,
        )
    return VariantFacts(
        artifact=artifact.format if artifact else NO_ARTIFACT,
        artifact_bytes=artifact.size_bytes if artifact else 0,
        inputs=tuple(map(_spec, signature.inputs)),
        inputs_sha256=report.inputs.sha256[:DIGEST_LENGTH],
        model_sha256=report.model.sha256[:DIGEST_LENGTH],
        outputs=tuple(map(_spec, signature.outputs)),
        samples=report.inputs.sample_count,
        weights_sha256=_digest(artifact),
        tflite_bytes=tflite.size_bytes if tflite else None,
        tflite_sha256=_digest(tflite),
        seconds=_seconds(report),
        runtimes=runtimes,
    )


def _seconds(report: Report) -> int:
    """Return the time of all candidates, so rounded that the next run seldom has a different number.

    Answers from the cache have the times of the run that gave them. The results of Python do not: its time would depend
    on the cache, and is left out.
    """
    candidates = (record for record in report.runtimes if record.id not in report.model.references)
    took = sum(record.timings_s.get(step, 0.0) for record in candidates for step in _OWN_STEPS)
    if took <= 1:
        return 1
    power: int = 10 ** math.floor(math.log10(took))
    return min((power, 2 * power, 5 * power, 10 * power), key=lambda rounded: abs(math.log(rounded / took)))


def _digest(artifact: ArtifactInfo | None) -> str | None:
    return artifact.weights_sha256[:DIGEST_LENGTH] if artifact and artifact.weights_sha256 else None


def _spec(spec: TensorSpec) -> str:
    shape = "x".join("?" if size is None else str(size) for size in spec.shape)
    return f"{spec.name} {spec.dtype} {shape}"


def environment(report: Report) -> dict[str, dict[str, str]]:
    """Describe each runtime of a report: library, platform, renderer and flags."""
    measured = {c.candidate for c in report.comparisons}
    return {str(r.id): _environment(r.environment) for r in report.runtimes if r.environment and r.id in measured}


def _environment(e: Environment) -> dict[str, str]:
    flags = " ".join(f"{name}={setting(value)}" for name, value in sorted(e.flags_set.items()))
    known = {"library": e.library, "platform": e.platform, "renderer": e.renderer, "flags": flags}
    return {name: text for name, text in known.items() if text}


def accept(old: Baseline | None, reports: Sequence[Report], *, pycheck: str) -> Baseline:
    """Make a baseline of these reports, and keep the variants and runtimes that only the old one has.

    UsageError if a kept runtime had a different environment: a file has one environment for each runtime.
    """
    accepted = {report.name: facts(report) for report in reports}
    now = {runtime: found for report in reports for runtime, found in environment(report).items()}
    if old is None:
        return Baseline(pycheck, now, accepted)
    for name, kept in old.variants.items():
        fresh = accepted.get(name)
        for runtime in kept.runtimes:
            was, found = old.environment.get(runtime), now.get(runtime)
            if was and found and was != found and not (fresh and runtime in fresh.runtimes):
                raise UsageError(
                    f"Cannot update a part of the baseline: {name} was accepted on {runtime} with {_listed(was)}, now "
                    f"it is {_listed(found)}.",
                    "Update the whole baseline: pycheck baseline update",
                )
        if fresh and mismatch(name, kept, fresh) is None and kept.model_sha256 == fresh.model_sha256:
            accepted[name] = _merged(kept, fresh)
    return Baseline(pycheck, {**old.environment, **now}, {**old.variants, **accepted})


def _merged(kept: VariantFacts, fresh: VariantFacts) -> VariantFacts:
    """Add runtimes, and the artifact of the library without a runtime in `fresh`, from an earlier entry."""
    merged = replace(fresh, runtimes={**kept.runtimes, **fresh.runtimes})
    if kept.seconds and kept.runtimes.keys() - fresh.runtimes.keys():  # fresh ran less than the entry has
        merged = replace(merged, seconds=max(kept.seconds, fresh.seconds or 0))
    if fresh.artifact == NO_ARTIFACT:
        tfjs = (kept.artifact, kept.artifact_bytes, kept.weights_sha256)
        merged = replace(merged, artifact=tfjs[0], artifact_bytes=tfjs[1], weights_sha256=tfjs[2])
    if fresh.tflite_bytes is None:
        merged = replace(merged, tflite_bytes=kept.tflite_bytes, tflite_sha256=kept.tflite_sha256)
    return merged


def _listed(facts: Mapping[str, str]) -> str:
    return ", ".join(facts.values())


def mismatch(name: str, then: VariantFacts, now: VariantFacts) -> str | None:
    """Explain why two entries are not of the same model and inputs and cannot be compared; None if they can."""
    for what, was, is_ in (
        ("inputs", then.inputs, now.inputs),
        ("outputs", then.outputs, now.outputs),
    ):
        if was != is_:
            return (
                f"The baseline of {name} is of a different model: its {what} were {_specs(was)} and are {_specs(is_)}."
            )
    if (then.inputs_sha256, then.samples) != (now.inputs_sha256, now.samples):
        return (
            f"The baseline of {name} was made with different inputs: {then.samples} samples (SHA-256 "
            f"{shortened(then.inputs_sha256)}), now {now.samples} samples ({shortened(now.inputs_sha256)})."
        )
    return None


def shortened(digest: str) -> str:
    """Shorten a digest to the digits that people compare."""
    return digest[:8]


def _specs(specs: Iterable[str]) -> str:
    return "; ".join(specs)
