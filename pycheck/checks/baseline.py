"""Compares a report with the baseline: regressions, improvements, and changes of model or environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..diagnosis.codes import finding
from ..report.wording import names, short
from ..types import UNIT_ROUNDOFF, Comparison, Finding, Report, RuntimeId, Severity
from .accepting import environment, facts, mismatch, shortened
from .baseline_file import NO_ARTIFACT, Baseline, OutputFacts, VariantFacts
from .configuration import BaselineSettings

#: Errors below this many unit roundoffs of the output's largest magnitude never count as regressions.
_ROUNDOFFS = 2.0


@dataclass(frozen=True, slots=True)
class Held:
    """The findings on a report; `mismatch` says why the baseline does not fit the report."""

    findings: tuple[Finding, ...] = ()
    mismatch: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that differs from the baseline. `runtimes` are the affected ones; empty means all."""

    fact: str  # a key of _WORDS
    was: str
    now: str
    runtimes: tuple[str, ...] = ()


_WORDS = {
    "model": "the model",
    "artifact": "the artifact's format",
    "weights": "the artifact's weights",
    "size": "the artifact's size",
    "tflite": "the .tflite file",
    "tflite-size": "the .tflite file's size",
    "tfjs": "TF.js",
    "litert": "LiteRT.js",
    "tensorflow": "TensorFlow",
    "browser": "the browser",
    "python": "Python",
    "gpu": "the GPU",
    "flags": "the flags of TF.js",
}


def hold(report: Report, baseline: Baseline, settings: BaselineSettings, accepted_as: str = "") -> Held:
    """Compare a report, whose name is its variant's, with the baseline's entry `accepted_as`."""
    then = baseline.variants.get(accepted_as or report.name)
    if then is None:
        return Held((missing([report.name], settings, [report.name]),))
    now = facts(report)
    if differs := mismatch(report.name, then, now):
        return Held(mismatch=differs)
    changes = tuple(_changes(report, baseline, then, now))
    lacking = [c for c in _judged(report) if c.tensor not in then.runtimes.get(str(c.candidate), {})]
    entries = [f"{c.tensor} on {c.candidate}" for c in lacking]
    found = [missing(entries, settings, [report.name])] if lacking else []
    for c in _judged(report):
        if accepted := then.runtimes.get(str(c.candidate), {}).get(c.tensor):
            found += _held(c, accepted, settings, changes)
    found += _model_changed(report, then, now, changes)
    found += [_changed(change) for change in changes if change.fact != "model"]
    return Held((*found, *_restless(report, then, now, changes)))


def _judged(report: Report) -> list[Comparison]:
    return [c for c in report.comparisons if not c.is_noise_floor]


def _held(
    c: Comparison, then: OutputFacts, settings: BaselineSettings, changes: tuple[Change, ...]
) -> Iterator[Finding]:
    worse, better = [], []
    for word, now, was, least in (
        ("largest error", c.max_abs_error, then.max_abs_error, c.noise_floor),
        ("RMS error", c.rms_error, then.rms_error, c.noise_floor_rms),
    ):
        if now is None or was is None:
            continue
        # A regression uses the noise floor of the baseline's precision, an improvement that of the current precision.
        before, after = (max(least or 0.0, _unnoticed(bits, c)) for bits in (then.float_bits, c.precision_bits))
        if now > max(settings.margin * was, before):
            worse.append(f"{word} {short(now)}, was {short(was)}{_times(now, was)}")
        elif was > max(settings.margin * now, after):
            better.append(f"{word} {short(now)}, was {short(was)}")
    now_bad, was_bad = c.nonfinite.changed, then.nonfinite
    if now_bad != was_bad:
        (worse if now_bad > was_bad else better).append(f"{now_bad:,} NaN or infinite elements, was {was_bad:,}")
    if c.top1_agreement is not None and then.top1_flips is not None:
        now_flips, was_flips = c.top1_flip_count, then.top1_flips
        text = f"a different top-1 class in {now_flips:,} of {c.top1_count:,} rows, was {was_flips:,}"
        if now_flips > was_flips + settings.top1_margin * c.top1_count:
            worse.append(text)
        elif now_flips < was_flips:
            better.append(text)
    if worse:
        yield _verdict_on(c, "baseline-worse", Severity.ERROR, "worse", worse, changes, settings)
    elif better:
        yield _verdict_on(c, "baseline-better", Severity.INFO, "better", better, changes, settings)


def _unnoticed(float_bits: int, c: Comparison) -> float:
    """Return the error below which no change counts as a regression in that precision."""
    return _ROUNDOFFS * UNIT_ROUNDOFF["float16" if float_bits == 16 else "float32"] * (c.reference_scale or 0.0)


def _times(now: float, was: float) -> str:
    return f" ({short(now / was)} times)" if was else ""


def _verdict_on(
    c: Comparison,
    code: str,
    severity: Severity,
    word: str,
    what: list[str],
    changes: tuple[Change, ...],
    settings: BaselineSettings,
) -> Finding:
    allowed = f" The limit is {settings.margin:g} times." if code == "baseline-worse" else ""
    return finding(
        code,
        severity,
        runtimes=(c.candidate,),
        tensor=c.tensor,
        summary=f"{c.tensor} on {c.candidate} is {word} than in the baseline: {'; '.join(what)}.{allowed}",
        advice=_since(c, changes),
        evidence={"changed": [change.fact for change in changes if _concerns(change, c)]},
    )


def _concerns(change: Change, c: Comparison) -> bool:
    return not change.runtimes or str(c.candidate) in change.runtimes


def _since(c: Comparison, changes: tuple[Change, ...]) -> str:
    """Name the changes since the baseline that may be the cause."""
    causes = [_WORDS[change.fact] for change in changes if _concerns(change, c) and change.fact in _CAUSES]
    if not causes:
        return f"Model, artifact, {c.candidate.library}, browser and GPU are the same as in the baseline."
    return f"Changed since the baseline: {names(list(dict.fromkeys(causes)), most=len(_CAUSES))}."


#: Facts that can change the results of a browser.
_CAUSES = ("model", "artifact", "weights", "tflite", "tfjs", "litert", "tensorflow", "browser", "gpu", "flags")


def _changes(report: Report, baseline: Baseline, then: VariantFacts, now: VariantFacts) -> Iterator[Change]:
    if then.model_sha256 != now.model_sha256:
        yield Change("model", then.model_sha256, now.model_sha256)
    yield from _artifact_changes(report, then, now)
    found: dict[Change, list[str]] = {}
    for runtime, is_ in environment(report).items():
        was = baseline.environment.get(runtime)
        for fact in ("library", "platform", "renderer", "flags") if was else ():
            before, after = (was or {}).get(fact, "none"), is_.get(fact, "none")
            if before != after:
                found.setdefault(Change(_fact(runtime, fact), before, after), []).append(runtime)
    for change, runtimes in found.items():
        yield replace(change, runtimes=tuple(runtimes))


def _artifact_changes(report: Report, then: VariantFacts, now: VariantFacts) -> Iterator[Change]:
    """Yield changes of what the runtimes load; that of a library without a runtime in one of both is not compared."""
    candidates = dict.fromkeys(c.candidate for c in _judged(report))
    of_litert = tuple(str(runtime) for runtime in candidates if runtime.is_litert)
    of_tfjs = tuple(str(runtime) for runtime in candidates if not runtime.is_litert) if of_litert else ()
    if NO_ARTIFACT not in (then.artifact, now.artifact):
        if then.artifact != now.artifact:
            yield Change("artifact", then.artifact, now.artifact, of_tfjs)
        elif then.weights_sha256 and now.weights_sha256 and then.weights_sha256 != now.weights_sha256:
            yield Change("weights", then.weights_sha256, now.weights_sha256, of_tfjs)
        if then.artifact_bytes != now.artifact_bytes:
            yield Change("size", f"{then.artifact_bytes:,} bytes", f"{now.artifact_bytes:,} bytes", of_tfjs)
    if then.tflite_sha256 and now.tflite_sha256 and then.tflite_sha256 != now.tflite_sha256:
        yield Change("tflite", then.tflite_sha256, now.tflite_sha256, of_litert)
    if then.tflite_bytes and now.tflite_bytes and then.tflite_bytes != now.tflite_bytes:
        yield Change("tflite-size", f"{then.tflite_bytes:,} bytes", f"{now.tflite_bytes:,} bytes", of_litert)


def _fact(runtime: str, fact: str) -> str:
    in_python = runtime.startswith(("native:", "artifact:"))
    library = "tensorflow" if in_python else "litert" if RuntimeId.parse(runtime).is_litert else "tfjs"
    platform = "python" if in_python else "browser"
    return {"library": library, "platform": platform, "renderer": "gpu", "flags": "flags"}[fact]


def _changed(change: Change) -> Finding:
    about = f" ({names(change.runtimes, most=len(change.runtimes))})" if change.runtimes else ""
    was, now = change.was, change.now
    if change.fact in ("weights", "tflite"):
        was, now = shortened(was), f"SHA-256 {shortened(now)}"
    word = _WORDS[change.fact]
    return finding(
        "baseline-changed",
        Severity.INFO,
        summary=f"{word[0].upper()}{word[1:]} changed since the baseline: {now}, was {was}{about}.",
        advice="",
        evidence={"fact": change.fact, "was": change.was, "now": change.now, "about": list(change.runtimes)},
    )


def _same_in_python(report: Report, then: VariantFacts, now: VariantFacts) -> bool:
    """Tell whether the model's outputs in Python are bitwise equal to the baseline's, on the same inputs."""
    single = str(report.model.references[0])
    was, is_ = then.runtimes.get(single, {}), now.runtimes.get(single, {})
    return bool(was) and {name: o.digest for name, o in was.items()} == {name: o.digest for name, o in is_.items()}


def _model_changed(
    report: Report, then: VariantFacts, now: VariantFacts, changes: tuple[Change, ...]
) -> Iterator[Finding]:
    if not any(change.fact == "model" for change in changes):
        return
    same = _same_in_python(report, then, now)
    python = "bitwise equal" if same else "different"
    yield finding(
        "model-changed",
        Severity.INFO if same else Severity.ERROR,
        summary=f"{report.model.path} differs from the baseline's model (SHA-256 {shortened(now.model_sha256)}, was "
        f"{shortened(then.model_sha256)}). In Python, on the same inputs, its outputs are {python}.",
        advice=""
        if same
        else f"If the new model is right, accept it: pycheck baseline update {report.name}. Otherwise restore the "
        "weights.",
        evidence={"was": then.model_sha256, "now": now.model_sha256, "same_outputs": same},
    )


def _restless(report: Report, then: VariantFacts, now: VariantFacts, changes: tuple[Change, ...]) -> Iterator[Finding]:
    """Find baseline-changed: outputs that differ although no recorded fact changed."""
    if any(change.fact in _CAUSES for change in changes):
        return
    moved = [
        f"{c.tensor} on {c.candidate}"
        for c in _judged(report)
        if (was := then.runtimes.get(str(c.candidate), {}).get(c.tensor))
        and was.digest != now.runtimes[str(c.candidate)][c.tensor].digest
    ]
    if moved:
        yield finding(
            "baseline-changed",
            Severity.INFO,
            summary=f"{names(moved)} {'is' if len(moved) == 1 else 'are'} not bitwise equal to the baseline, although "
            "model, software and GPU are the same.",
            advice="A different processor or driver, or a random operation, can cause this.",
            evidence={"fact": "outputs", "about": moved},
        )


def missing(what: Sequence[str], settings: BaselineSettings, variants: Iterable[str]) -> Finding:
    """Make baseline-missing: variants or outputs without an entry in the baseline."""
    return finding(
        "baseline-missing",
        Severity.WARNING,
        summary=f"The baseline {settings.file.name} has no entry for {names(what)}.",
        advice=f"Accept the current results: pycheck baseline update {' '.join(variants)}.",
        evidence={"missing": list(what)},
    )
