"""Prepares the texts of a report for all writers: rows, headline, context, environment, next steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..types import (
    Comparison,
    Finding,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Tolerance,
    Verdict,
    WorstElement,
)
from . import pipeline, training
from . import power as seeing
from .wording import ABSENT, count, duration, names, percent, printable, setting, short, size, used

LABELS = {
    Verdict.PASS: "PASS",
    Verdict.DRIFT: "DRIFT",
    Verdict.NAN_DIVERGENCE: "NAN DIVERGENCE",
    Verdict.ERROR: "ERROR",
}
STATUS_WORDS = {
    RuntimeStatus.UNAVAILABLE: "could not start",
    RuntimeStatus.FAILED: "failed",
    RuntimeStatus.TIMED_OUT: "timed out",
}
KINDS = {"error": "", "introduced": "introduced", "masked": "masked", "class": "class"}
_NO_NUMBERS = (ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, ABSENT)


@dataclass(frozen=True, slots=True)
class Row:
    """One output of one runtime, as text; `comparison` is None for a runtime that did not run."""

    runtime: str
    tensor: str
    max_error: str
    limit: str
    used: str
    ulp: str
    top1: str
    nonfinite: str
    result: str  # "pass", "warn", "excused", "DRIFT", "NaN", "SHAPE", "NO RUN", or "" for the noise floor
    comparison: Comparison | None
    failed: bool  # whether it is a reason for the gate to fail


def rows(report: Report) -> tuple[Row, ...]:
    """Return the noise floor's rows, then every runtime's, in the order of the report."""
    floors = [_row(c) for c in report.comparisons if c.is_noise_floor]
    judged = [c for c in report.comparisons if not c.is_noise_floor]
    by_runtime: list[Row] = []
    for record in report.runtimes:
        by_runtime += [_row(c) for c in judged if c.candidate == record.id]
        if record.status is not RuntimeStatus.OK and record.id.kind != "float64":
            text = STATUS_WORDS[record.status]
            result = "NO RUN" if record.failed else "excused"
            by_runtime.append(Row(str(record.id), f"({text})", *_NO_NUMBERS, result, None, record.failed))
    known = {record.id for record in report.runtimes}
    return (*floors, *by_runtime, *(_row(c) for c in judged if c.candidate not in known))


@dataclass(frozen=True, slots=True)
class Cell:
    """One model on one runtime in a matrix: its first failed output, or else the output nearest to its limit."""

    runtime: str
    text: str  # "pass 8 %", "NaN", "NO RUN"
    failed: bool


def cells(report: Report) -> Iterator[Cell]:
    """Return one cell for each runtime, in the order of the report."""
    judged = [row for row in rows(report) if row.result]
    for runtime in dict.fromkeys(row.runtime for row in judged):
        own = [row for row in judged if row.runtime == runtime]
        nearest = max(own, key=lambda row: (row.comparison.share_used or 0.0) if row.comparison else 0.0)
        row = next((row for row in own if row.failed), nearest)
        yield Cell(runtime, f"{row.result}{_share(row)}", row.failed)


def _share(row: Row) -> str:
    """Return the share of the limit that was used; empty if there is none, or if non-finite values fail anyway."""
    c = row.comparison
    if c is None or c.share_used is None or (c.failed and c.nonfinite.changed):
        return ""
    return f" {percent(c.share_used)}"


def _row(c: Comparison) -> Row:
    return Row(
        runtime="noise floor" if c.is_noise_floor else str(c.candidate),
        tensor=printable(c.tensor),
        max_error="assumed" if c.is_noise_floor and c.floor_assumed_for else short(c.max_abs_error),
        limit=_limit(c.tolerance),
        used=used(c.limit_use),
        ulp=short(c.max_ulp_error),
        top1=ABSENT if c.top1_agreement is None or not c.top1_certain else agreement(c),
        nonfinite=_nonfinite(c),
        result=_result(c),
        comparison=c,
        failed=c.failed,
    )


def _result(c: Comparison) -> str:
    if c.is_noise_floor or c.passed is None:
        return ""
    if c.excused:
        return "excused"
    if c.shape_mismatch:
        return "SHAPE"
    if c.passed:
        return "warn" if c.nonfinite.changed else "pass"
    return "DRIFT" if c.drifted and not c.nonfinite.changed else "NaN" if not c.drifted else "NaN+DRIFT"


def _limit(tolerance: Tolerance | None) -> str:
    if tolerance is None:
        return ABSENT
    if tolerance.mode != "explicit":
        return short(tolerance.max_abs)
    if tolerance.rtol:
        return "given"
    return short(tolerance.atol) if tolerance.atol is not None else f"{tolerance.max_ulp:g}ulp"


def agreement(c: Comparison) -> str:
    """Format the share of rows that agree; 100 % only if all do."""
    if not c.top1_flip_count:
        return "100 %"
    return f"{min((c.top1_agreement or 0.0) * 100.0, 99.9):.3g} %"


def _nonfinite(c: Comparison) -> str:
    counts = c.nonfinite
    other = counts.changed - counts.introduced - counts.masked
    parts = [f"{sign}{count(n)}" for sign, n in (("+", counts.introduced), ("-", counts.masked), ("~", other)) if n]
    return " ".join(parts) or ABSENT


#: The headline counts more runtimes than this instead of naming them.
_MOST_NAMES = 3

NONFINITE_LEGEND = "NaN/Inf: + introduced, - masked, ~ different kind of NaN/Inf"


def headline(report: Report) -> str:
    """Return the sentence under the verdict."""
    if report.training is not None:
        return training.headline(report)
    judged = [c for c in report.comparisons if c.passed is not None]
    missing = missing_runtimes(report)
    if (of_files := pipeline.headline(report)) and not missing:
        if not any(c.failed for c in judged):
            return of_files
        if pipeline.changes(report):
            return f"{of_files}; {_of_runtimes(report, judged, missing)}"
    return _of_runtimes(report, judged, missing)


def _of_runtimes(report: Report, judged: list[Comparison], missing: Sequence[RuntimeId]) -> str:
    if report.verdict is Verdict.PASS:
        excused = _ids(c.candidate for c in judged if c.excused)
        ran = [i for i in _ids(c.candidate for c in judged) if i not in excused]
        warnings = sum(f.severity is Severity.WARNING for f in report.findings)
        aside = f", with {warnings} warning{'' if warnings == 1 else 's'}" if warnings else ""
        weak = f"; {weakness}" if (weakness := seeing.weakness(report)) else ""
        if excused:
            apart = f"{names(excused)} {'fails and is' if len(excused) == 1 else 'fail and are'} excused"
            return f"{apart}{f'; {_as_python(ran)}' if ran else ''}{aside}{weak}"
        return f"{_as_python(ran)}{aside}{weak}"
    lacking = _lacking(missing, {c.candidate for c in judged})
    aside = f"; {lacking}" if missing else ""
    if report.verdict is Verdict.NAN_DIVERGENCE:
        return _nan_headline(judged) + aside
    if report.verdict is Verdict.DRIFT:
        ids = _ids(c.candidate for c in judged if c.drifted and c.failed)
        return f"{names(ids)} {'differs' if len(ids) == 1 else 'differ'} from Python by more than the tolerance{aside}"
    if missing:
        return lacking
    shapes = _ids(c.candidate for c in judged if c.shape_mismatch and c.failed)
    if shapes:
        return f"{names(shapes)} {'gives' if len(shapes) == 1 else 'give'} outputs of a different shape than Python"
    codes = list(dict.fromkeys(f.code for f in report.findings if f.severity is Severity.ERROR))
    return "nothing was compared" if not judged else f"{names(codes)}: see below" if codes else "see below"


def _lacking(missing: Sequence[RuntimeId], began: Collection[RuntimeId]) -> str:
    """Say which runtimes did not run, and which of them gave some answers before they failed."""
    halves = {
        "did not run": [runtime for runtime in missing if runtime not in began],
        "did not finish": [runtime for runtime in missing if runtime in began],
    }
    return " and ".join(f"{names(ids)} {what}" for what, ids in halves.items() if ids)


def _as_python(ran: Sequence[RuntimeId]) -> str:
    who = names(ran) if len(ran) <= _MOST_NAMES else f"all {len(ran)} runtimes"
    return f"{who} {'agrees' if len(ran) == 1 else 'agree'} with Python"


def excuses(report: Report) -> tuple[str, ...]:
    """Return a line for each reason for which failures are excused."""
    places: dict[str, list[str]] = {}
    for c in report.comparisons:
        if c.excused:
            places.setdefault(c.excused, []).append(f"{c.tensor} on {c.candidate}")
    for record in report.runtimes:
        if record.excused:
            places.setdefault(record.excused, []).append(str(record.id))
    return tuple(
        printable(f"{names(found)} {'fails and is' if len(found) == 1 else 'fail and are'} excused: {reason}")
        for reason, found in places.items()
    )


def missing_runtimes(report: Report) -> list[RuntimeId]:
    """Return what was to run and did not; float64 in Python costs only the noise floor."""
    return [r.id for r in report.runtimes if r.status is not RuntimeStatus.OK and r.id.kind != "float64"]


def _nan_headline(judged: Sequence[Comparison]) -> str:
    divergent = [c for c in judged if c.nonfinite.changed and c.failed]
    introduced = _ids(c.candidate for c in divergent if c.nonfinite.introduced)
    if introduced:
        verb = "gives" if len(introduced) == 1 else "give"
        return f"{names(introduced)} {verb} NaN or infinity, Python does not"
    masked = _ids(c.candidate for c in divergent if c.nonfinite.masked)
    if masked:
        verb = "masks" if len(masked) == 1 else "mask"
        return f"{names(masked)} {verb} the NaN or infinity that Python gives"
    return f"{names(_ids(c.candidate for c in divergent))} and Python give different kinds of NaN or infinity"


def _ids(ids: Iterable[RuntimeId]) -> list[RuntimeId]:
    return list(dict.fromkeys(ids))


def context(report: Report) -> tuple[tuple[str, str], ...]:
    """Return label and text of the compared model, artifact and inputs."""
    model, inputs = report.model, report.inputs
    lines = [("model", f"{printable(model.path)} ({model.format})")]
    for artifact in report.artifacts:
        parts = [f"{artifact.format} format", size(artifact.size_bytes)]
        if artifact.quantization != "none":
            parts.append(f"weights in {artifact.quantization}")
        lines.append(("artifact", ", ".join(parts) + (f"; {printable(artifact.reason)}" if artifact.reason else "")))
        lines += [("", printable(note)) for note in artifact.notes]
    lines.append(("inputs", _inputs_text(report)))
    lines += [("", printable(note)) for note in inputs.notes]
    lines += [
        (label, printable(text)) for label, text in (pipeline.context(report.pipeline) if report.pipeline else ())
    ]
    lines += seeing.lines(report)
    return (*lines, *(training.context(report.training) if report.training else ()))


def _inputs_text(report: Report) -> str:
    inputs, signature = report.inputs, report.model.signature
    if not signature.inputs:
        return "none, the model runs once"
    origin = f"from {printable(inputs.path)}" if inputs.path else "generated from the signature"
    if not signature.has_samples:
        return f"one value for each input, without a sample axis, {origin}"
    return f"{inputs.sample_count:,} sample{'' if inputs.sample_count == 1 else 's'} {origin}"


def environments(report: Report) -> tuple[tuple[str, str], ...]:
    """Return the environments of the runtimes: facts that an engine's runtimes share, own facts, then notes."""
    lines: list[tuple[str, str]] = []
    renderers: dict[str, RuntimeId] = {}
    for engine in dict.fromkeys(record.id.engine for record in report.runtimes):
        records = [r for r in report.runtimes if r.id.engine == engine]
        facts = {r.id: _facts(r, renderers) for r in records}
        known = [facts[r.id] for r in records if r.environment]
        shared = [fact for fact in known[0] if all(fact in other for other in known)] if len(known) > 1 else []
        if shared:
            lines.append((engine, printable(", ".join(shared))))
        for record in records:
            own = [fact for fact in facts[record.id] if fact not in shared]
            if own and own != [record.id.kind]:  # the kind alone, such as float32 of native:float32, needs no line
                lines.append((str(record.id), printable(", ".join(own))))
    return (*lines, *_notes(report))


def times(report: Report) -> tuple[tuple[str, str], ...]:
    """Return the times of each runtime, if runtimes of TF.js and of LiteRT.js ran; they may have run in parallel."""
    if not (report.artifact and report.litert_artifact):
        return ()
    steps = (("load", "load"), ("first", "first_predict"), ("steady", "per_sample"))
    found = {
        str(r.id): [f"{title} {duration(r.timings_s[step])}" for title, step in steps if step in r.timings_s]
        for r in report.runtimes
        if r.id not in report.model.references
    }
    return tuple((runtime, ", ".join(parts)) for runtime, parts in found.items() if parts)


def _notes(report: Report) -> Iterator[tuple[str, str]]:
    """Yield each note once, with its runtimes."""
    about: dict[str, list[RuntimeId]] = {}
    for record in report.runtimes:
        if record.kept_at:
            about.setdefault(
                f"nothing changed since {record.kept_at}, so it did not run again; to run it, add --fresh", []
            ).append(record.id)
        for note in record.environment.notes if record.environment else ():
            about.setdefault(note, []).append(record.id)
    for note, ids in about.items():
        yield "note", printable(f"{names(ids, most=len(ids))}: {note}")


def _facts(record: RuntimeRecord, renderers: dict[str, RuntimeId]) -> list[str]:
    """Return the facts of one runtime; a renderer of an earlier one is not repeated in full."""
    status = [] if record.status is RuntimeStatus.OK else [STATUS_WORDS[record.status]]
    e = record.environment
    if e is None:
        return status
    kind = {True: "software renderer ", False: "hardware renderer ", None: "renderer "}[e.software_renderer]
    first = renderers.setdefault(e.renderer, record.id) if e.renderer else record.id
    renderer = e.renderer if first == record.id else f"as on {first}"
    facts = [
        *status,
        e.platform,
        e.library,
        f"float{e.float_bits}" if e.float_bits else None,
        f"denormals {e.denormals}" if e.denormals else None,
        f"{kind}{renderer}" if e.renderer else None,
        *(f"{name}={setting(value)}" for name, value in e.flags_set.items()),
        f"{names(e.cpu_kernels)} on the CPU" if e.cpu_kernels else None,
        "browser sandbox off" if e.sandbox is False else None,
    ]
    return [fact for fact in facts if fact]


def failures(report: Report) -> tuple[Comparison, ...]:
    """Return the comparisons that failed the gate or are excused, the worst kind first."""
    failed = [c for c in report.comparisons if c.failed or (c.nonfinite.changed and c.passed is not None)]
    return tuple(sorted(failed, key=lambda c: (not c.nonfinite.changed, -(c.share_used or 0.0))))


def worst(c: Comparison, most: int) -> tuple[WorstElement, ...]:
    """Return a few elements of each kind, rather than many of the first kind."""
    by_kind = [[w for w in c.worst if w.kind == kind] for kind in KINDS if kind != "error" or c.drifted]
    chosen: list[WorstElement] = []
    for rank in range(most):
        chosen += [elements[rank] for elements in by_kind if rank < len(elements)]
    chosen = chosen[:most]
    return tuple(w for w in c.worst if any(w is e for e in chosen))


def difference(w: WorstElement) -> str:
    """Format the size of an error, or the kind of change."""
    return KINDS[w.kind] or short(abs(w.candidate - w.reference))


def by_severity(findings: Sequence[Finding]) -> tuple[tuple[str, tuple[Finding, ...]], ...]:
    """Group findings by title, with those that are explained after the others; only titles with findings."""
    titles = ((Severity.ERROR, "Errors"), (Severity.WARNING, "Warnings"), (Severity.INFO, "Notes"))
    told = sorted(findings, key=lambda finding: bool(finding.explained_by))
    groups = [(title, tuple(f for f in told if f.severity is severity)) for severity, title in titles]
    return tuple((title, group) for title, group in groups if group)
