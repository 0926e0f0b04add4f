"""Holds a report against the accepted release: what got worse, what got better, and what changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..diagnosis.codes import finding
from ..report.wording import names, short
from ..types import UNIT_ROUNDOFF, Comparison, Finding, Report, Severity
from .accepting import environment, facts, mismatch, shortened
from .baseline_file import Baseline, OutputFacts, VariantFacts
from .configuration import BaselineSettings

#: An error this small in unit roundoffs of the output's largest magnitude is nobody's loss.
_ROUNDOFFS = 2.0


@dataclass(frozen=True, slots=True)
class Held:
    """What the baseline says of a report; with `mismatch` it is of something else, and says nothing more."""

    findings: tuple[Finding, ...] = ()
    mismatch: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that is another than in the accepted release. `runtimes` are those it is about, if not all."""

    fact: str  # "model", "artifact", "tfjs", "tensorflow", "browser", "gpu", "python", "flags", "size", "outputs"
    was: str
    now: str
    runtimes: tuple[str, ...] = ()


_WORDS = {
    "model": "the model",
    "artifact": "the artifact's format",
    "weights": "the artifact's weights",
    "size": "the artifact's size",
    "tfjs": "TF.js",
    "tensorflow": "TensorFlow",
    "browser": "the browser",
    "python": "Python",
    "gpu": "the GPU",
    "flags": "the flags of TF.js",
}


def hold(report: Report, baseline: Baseline, settings: BaselineSettings, accepted_as: str = "") -> Held:
    """Hold a report, whose name is its variant's, against the accepted release, where it may have another name."""
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
        # A loss is held to the precision that was accepted, a gain to that of now.
        before, after = (max(least or 0.0, _unnoticed(bits, c)) for bits in (then.float_bits, c.precision_bits))
        if now > max(settings.margin * was, before):
            worse.append(f"{word} {short(now)}, was {short(was)}{_times(now, was)}")
        elif was > max(settings.margin * now, after):
            better.append(f"{word} {short(now)}, was {short(was)}")
    now_bad, was_bad = c.nonfinite.changed, then.nonfinite
    if now_bad != was_bad:
        (worse if now_bad > was_bad else better).append(f"{now_bad:,} NaN or infinite, was {was_bad:,}")
    if c.top1_agreement is not None and then.top1_flips is not None:
        now_flips, was_flips = c.top1_flip_count, then.top1_flips
        text = f"a different largest class in {now_flips:,} of {c.top1_count:,} rows, was {was_flips:,}"
        if now_flips > was_flips + settings.top1_margin * c.top1_count:
            worse.append(text)
        elif now_flips < was_flips:
            better.append(text)
    if worse:
        yield _verdict_on(c, "baseline-worse", Severity.ERROR, "worse", worse, changes, settings)
    elif better:
        yield _verdict_on(c, "baseline-better", Severity.INFO, "better", better, changes, settings)


def _unnoticed(float_bits: int, c: Comparison) -> float:
    """The error that is nobody's loss in that precision."""
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
    allowed = f"; {settings.margin:g} times are allowed" if code == "baseline-worse" else ""
    return finding(
        code,
        severity,
        runtimes=(c.candidate,),
        tensor=c.tensor,
        summary=f"{c.tensor} on {c.candidate} is {word} than in the accepted release: {'; '.join(what)}{allowed}.",
        advice=_since(c, changes),
        evidence={"changed": [change.fact for change in changes if _concerns(change, c)]},
    )


def _concerns(change: Change, c: Comparison) -> bool:
    return not change.runtimes or str(c.candidate) in change.runtimes


def _since(c: Comparison, changes: tuple[Change, ...]) -> str:
    """What may have caused it."""
    causes = [_WORDS[change.fact] for change in changes if _concerns(change, c) and change.fact in _CAUSES]
    if not causes:
        return "Neither the model nor its artifact, TF.js, the browser or the GPU changed since then."
    return f"Changed since then: {names(list(dict.fromkeys(causes)), most=len(_CAUSES))}."


#: Facts that can make a browser answer otherwise.
_CAUSES = ("model", "artifact", "weights", "tfjs", "tensorflow", "browser", "gpu", "flags")


def _changes(report: Report, baseline: Baseline, then: VariantFacts, now: VariantFacts) -> Iterator[Change]:
    if then.model_sha256 != now.model_sha256:
        yield Change("model", then.model_sha256, now.model_sha256)
    if then.artifact != now.artifact:
        yield Change("artifact", then.artifact, now.artifact)
    elif then.weights_sha256 and now.weights_sha256 and then.weights_sha256 != now.weights_sha256:
        yield Change("weights", then.weights_sha256, now.weights_sha256)
    if then.artifact_bytes != now.artifact_bytes:
        yield Change("size", f"{then.artifact_bytes:,} bytes", f"{now.artifact_bytes:,} bytes")
    found: dict[Change, list[str]] = {}
    for runtime, is_ in environment(report).items():
        was = baseline.environment.get(runtime)
        for fact in ("library", "platform", "renderer", "flags") if was else ():
            before, after = (was or {}).get(fact, "none"), is_.get(fact, "none")
            if before != after:
                found.setdefault(Change(_fact(runtime, fact), before, after), []).append(runtime)
    for change, runtimes in found.items():
        yield replace(change, runtimes=tuple(runtimes))


def _fact(runtime: str, fact: str) -> str:
    in_python = runtime.startswith(("native:", "artifact:"))
    library = "tensorflow" if in_python else "tfjs"
    platform = "python" if in_python else "browser"
    return {"library": library, "platform": platform, "renderer": "gpu", "flags": "flags"}[fact]


def _changed(change: Change) -> Finding:
    about = f" ({names(change.runtimes, most=len(change.runtimes))})" if change.runtimes else ""
    was, now = change.was, change.now
    if change.fact == "weights":
        was, now = shortened(was), f"SHA-256 {shortened(now)}"
    word = _WORDS[change.fact]
    return finding(
        "baseline-changed",
        Severity.INFO,
        summary=f"{word[0].upper()}{word[1:]} changed since the accepted release: {now}, was {was}{about}.",
        advice="",
        evidence={"fact": change.fact, "was": change.was, "now": change.now, "about": list(change.runtimes)},
    )


def _same_in_python(report: Report, then: VariantFacts, now: VariantFacts) -> bool:
    """Whether the model gives in Python, on these inputs, what the accepted one gave, to the last bit."""
    single = str(report.model.references[0])
    was, is_ = then.runtimes.get(single, {}), now.runtimes.get(single, {})
    return bool(was) and {name: o.digest for name, o in was.items()} == {name: o.digest for name, o in is_.items()}


def _model_changed(
    report: Report, then: VariantFacts, now: VariantFacts, changes: tuple[Change, ...]
) -> Iterator[Finding]:
    if not any(change.fact == "model" for change in changes):
        return
    same = _same_in_python(report, then, now)
    python = "the same to the last bit" if same else "not the same"
    yield finding(
        "model-changed",
        Severity.INFO if same else Severity.ERROR,
        summary=f"{report.model.path} is not the accepted model (SHA-256 {shortened(now.model_sha256)}, was "
        f"{shortened(then.model_sha256)}). In Python, on the same inputs, its outputs are {python}.",
        advice=""
        if same
        else f"If this is the new release, accept it with pycheck baseline update {report.name}; if not, find what "
        "changed its weights.",
        evidence={"was": then.model_sha256, "now": now.model_sha256, "same_outputs": same},
    )


def _restless(report: Report, then: VariantFacts, now: VariantFacts, changes: tuple[Change, ...]) -> Iterator[Finding]:
    """Outputs that are others although nothing that is known changed."""
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
            summary=f"{names(moved)} {'is' if len(moved) == 1 else 'are'} not the same to the last bit as in the "
            "accepted release, although no model, software or GPU that pycheck records has changed.",
            advice="The same processor and driver would give the same bits, unless an operation is random.",
            evidence={"fact": "outputs", "about": moved},
        )


def missing(what: Sequence[str], settings: BaselineSettings, variants: Iterable[str]) -> Finding:
    """baseline-missing: variants, or outputs of one, that the baseline does not have."""
    return finding(
        "baseline-missing",
        Severity.WARNING,
        summary=f"The baseline {settings.file.name} has no entry for {names(what)}: there was nothing to compare with.",
        advice=f"Accept the results of now with pycheck baseline update {' '.join(variants)}.",
        evidence={"missing": list(what)},
    )
