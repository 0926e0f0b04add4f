"""Prepares the texts of a migration for all writers: headline, pairs with a sentence each, weights, next steps."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ..types import (
    ArtifactInfo,
    Decision,
    Finding,
    Migration,
    Report,
    RuntimeId,
    RuntimePair,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Unsupported,
)
from . import power as seeing
from . import view
from .wording import ABSENT, duration, names, printable, short, size

LABELS = {
    Decision.MOVE: "MOVE",
    Decision.PARTLY: "MOVE IN PART",
    Decision.STAY: "DO NOT MOVE YET",
    Decision.UNKNOWN: "NOT KNOWN",
}
LEGEND = (
    "answers: the result against Python, and the used share of its limit. size: the artifact, without the library. "
    "load: fetch and prepare it. first: the first prediction. steady: the fastest prediction after it, per sample. One "
    "runtime ran at a time."
)
#: Times that differ by less than this factor count as equal.
_ABOUT = 1.1
#: Options that a conversion of the same model needs too.
_OF_MODEL = ("--custom-objects", "--signature", "--trust-model")


@dataclass(frozen=True, slots=True)
class Side:
    """One runtime of a pair, as text; the times are in `seconds` too, in the same order: load, first, steady."""

    runtime: str
    answers: str  # "pass 8 %", "NaN", "NO RUN", "not converted"
    failed: bool
    error: str
    top1: str
    size: str
    size_bytes: int | None
    times: tuple[str, str, str]
    seconds: tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class PairRows:
    """Both sides of a pair, and the decision with its reason."""

    sides: tuple[Side, Side]
    decision: Decision
    sentence: str


@dataclass(frozen=True, slots=True)
class WeightCell:
    """LiteRT.js with one type of weights on one runtime: its answers and its steady time."""

    answers: str
    failed: bool
    steady: str


@dataclass(frozen=True, slots=True)
class WeightRow:
    """LiteRT.js with one type of weights; `cells` are those of `weight_runtimes`."""

    weights: str
    size: str
    share: str  # of float32
    cells: tuple[WeightCell, ...]
    smallest: bool


# --- the verdict


def headline(migration: Migration) -> str:
    """Return the sentence under the verdict."""
    parts = [_answer(migration)]
    if saved := _file(migration):
        parts.append(saved)
    can = [pair.litert for pair in migration.pairs if pair.decision is Decision.MOVE]
    if can and (weak := seeing.weakness_of(migration.report, can)):
        parts.append(weak)
    return "; ".join(parts)


def _answer(migration: Migration) -> str:
    can = list(dict.fromkeys(p.litert for p in migration.pairs if p.decision is Decision.MOVE))
    others = {p.litert: p for p in migration.pairs if p.decision is not Decision.MOVE}
    if lacking := _of_library(migration, "LiteRT.js"):
        return f"the model cannot be converted for LiteRT.js: {_first_line(lacking)}"
    agree = f"{names(can)} {'agrees' if len(can) == 1 else 'agree'} with Python"
    reasons = [f"{runtime} {_why(migration, pair)}" for runtime, pair in others.items()]
    if not can:
        return "; ".join(reasons)
    return "; ".join([agree, *reasons]) if reasons else f"the answers are the same: {agree}"


def _file(migration: Migration) -> str:
    """Compare the smallest file that passes with the artifact that TF.js loads; empty if there is none."""
    report, chosen = migration.report, _smallest(migration)
    if chosen is None:
        return ""
    weights = _weights(migration.smallest or "none")
    before = f" instead of TF.js's {size(report.artifact.size_bytes)}" if report.artifact else ""
    return f"the smallest file that passes has {size(chosen.size_bytes)} ({weights} weights){before}"


def _smallest(migration: Migration) -> ArtifactInfo | None:
    if migration.smallest in (None, "none"):
        return migration.report.litert_artifact if migration.smallest else None
    return next(v.artifact for v in migration.variants if v.quantization == migration.smallest)


def _why(migration: Migration, pair: RuntimePair) -> str:
    """Return the reason why a LiteRT.js runtime cannot move or is not known, as a predicate."""
    report, runtime = migration.report, pair.litert
    codes = f" ({names(pair.codes)})" if pair.codes else ""
    record = _record(report, runtime)
    if record is None:
        return "has no file to run"
    if record.status is not RuntimeStatus.OK:
        return f"{_status(record)}{codes}"
    return f"differs from Python{codes}" if _differs(report, runtime) else f"has errors{codes}"


def _status(record: RuntimeRecord) -> str:
    here = " here" if record.status is RuntimeStatus.UNAVAILABLE else ""
    return f"{view.STATUS_WORDS[record.status]}{here}"


def _differs(report: Report, runtime: RuntimeId) -> bool:
    return any(c.failed for c in report.comparisons if c.candidate == runtime)


def _weights(quantization: str) -> str:
    return "float32" if quantization == "none" else quantization


# --- pairs


def pairs(migration: Migration) -> tuple[PairRows, ...]:
    """Return each TF.js runtime beside its counterpart."""
    return tuple(
        PairRows(
            (_side(migration, pair.tfjs), _side(migration, pair.litert)), pair.decision, _sentence(migration, pair)
        )
        for pair in migration.pairs
    )


def _side(migration: Migration, runtime: RuntimeId) -> Side:
    report = migration.report
    artifact = report.litert_artifact if runtime.is_litert else report.artifact
    record, cell = _record(report, runtime), _cell(report, runtime)
    own = [c for c in report.comparisons if c.candidate == runtime]
    tops = [c for c in own if c.top1_agreement is not None and c.top1_certain]
    top = min(tops, key=lambda c: c.top1_agreement or 0.0, default=None)
    seconds = tuple(record.timings_s.get(step) if record else None for step in ("load", "first_predict", "per_sample"))
    load, first, steady = seconds
    errors = [c.max_abs_error for c in own if c.max_abs_error is not None]
    return Side(
        str(runtime),
        *(cell if cell else ("not converted", True)),
        error=short(max(errors, default=None)),
        top1=view.agreement(top) if top else ABSENT,
        size=size(artifact.size_bytes) if artifact else ABSENT,
        size_bytes=artifact.size_bytes if artifact else None,
        times=(duration(load), duration(first), duration(steady)),
        seconds=(load, first, steady),
    )


def _cell(report: Report, runtime: RuntimeId) -> tuple[str, bool] | None:
    return next(((cell.text, cell.failed) for cell in view.cells(report) if cell.runtime == str(runtime)), None)


def _sentence(migration: Migration, pair: RuntimePair) -> str:
    report = migration.report
    cell, before = _cell(report, pair.tfjs), _record(report, pair.tfjs)
    if pair.decision is Decision.UNKNOWN:
        return f"not known: {pair.litert} {_why(migration, pair)}"
    if pair.decision is Decision.STAY:
        also = ", and so does TF.js" if _differs(report, pair.litert) and _differs(report, pair.tfjs) else ""
        return f"cannot move: LiteRT.js {_why(migration, pair)}{also}"
    if cell is None or before is None:
        told = "LiteRT.js agrees with Python; TF.js has no artifact to run"
    elif before.status is not RuntimeStatus.OK:
        told = f"LiteRT.js agrees with Python; TF.js {_status(before)}"
    elif cell[1]:
        told = f"LiteRT.js agrees with Python; TF.js does not ({cell[0]})"
    else:
        told = "both agree with Python"
    return "; ".join([f"can move: {told}", *_speed(report, pair), *_warnings(report, pair.litert)])


def _warnings(report: Report, runtime: RuntimeId) -> Iterator[str]:
    codes = [f.code for f in report.findings if f.severity is Severity.WARNING and runtime in f.runtimes]
    if codes:
        yield f"see {names(list(dict.fromkeys(codes)))}"


def _speed(report: Report, pair: RuntimePair) -> Iterator[str]:
    """Compare the steady times; times on a software renderer say nothing about a GPU."""
    before, after = (_record(report, runtime) for runtime in (pair.tfjs, pair.litert))
    old, new = (r.timings_s.get("per_sample") if r else None for r in (before, after))
    if not old or not new:
        return
    software = [r.id for r in (before, after) if r and r.environment and r.environment.software_renderer]
    where = " on this software renderer" if software else ""
    if max(old / new, new / old) < _ABOUT:
        yield f"LiteRT.js is about as fast{where}"
    elif new < old:
        yield f"LiteRT.js is {short(old / new)} times as fast{where}"
    else:
        yield f"LiteRT.js takes {short(new / old)} times as long{where}"


def _record(report: Report, runtime: RuntimeId) -> RuntimeRecord | None:
    return next((record for record in report.runtimes if record.id == runtime), None)


# --- weights


def weight_runtimes(migration: Migration) -> tuple[RuntimeId, ...]:
    """Return the LiteRT.js runtimes that ran with float32 weights."""
    return tuple(r.id for r in migration.report.runtimes if r.id.is_litert and r.status is RuntimeStatus.OK)


def weights(migration: Migration) -> tuple[WeightRow, ...]:
    """Return LiteRT.js with float32 weights and with each quantization; empty if it ran nowhere."""
    whole, ids = migration.report.litert_artifact, weight_runtimes(migration)
    if whole is None or not ids:
        return ()
    rows = [_weight_row(migration, "none", migration.report, whole, ids, whole.size_bytes)]
    for variant in migration.variants:
        rows.append(
            _weight_row(migration, variant.quantization, variant.report, variant.artifact, ids, whole.size_bytes)
        )
    return tuple(rows)


def _weight_row(
    migration: Migration,
    quantization: str,
    report: Report | None,
    artifact: ArtifactInfo | None,
    ids: Sequence[RuntimeId],
    whole: int,
) -> WeightRow:
    cells = []
    for runtime in ids:
        cell = _cell(report, runtime) if report else None
        record = _record(report, runtime) if report else None
        steady = duration(record.timings_s.get("per_sample")) if record else ABSENT
        cells.append(WeightCell(*(cell or ("not converted", True)), steady))
    return WeightRow(
        _weights(quantization),
        size(artifact.size_bytes) if artifact else ABSENT,
        f"{round(100 * artifact.size_bytes / whole)} %" if artifact else ABSENT,
        tuple(cells),
        quantization == migration.smallest,
    )


def weights_remarks(migration: Migration) -> tuple[str, ...]:
    """Return what the table of weights does not show: the limit, changed classes, and errors of other causes."""
    remarks = []
    can = {pair.litert for pair in migration.pairs if pair.decision is Decision.MOVE}
    if migration.variants:
        remarks.append(f"Limit of quantized weights: {_limit(migration)}.")
    for variant in migration.variants:
        found = variant.report.findings if variant.report else ()
        remarks += [f"{variant.quantization}: {f.summary}" for f in found if f.code == "top1-flip"]
        remarks += [f"{variant.quantization}: {f.summary} {f.advice or ''}".rstrip() for f in found if _is_new(f, can)]
    return tuple(map(printable, remarks))


def _is_new(finding: Finding, can: Collection[RuntimeId]) -> bool:
    """Tell whether an error with quantized weights has a cause that neither quantization nor float32 explains."""
    is_error = finding.severity is Severity.ERROR and not finding.explained_by
    return is_error and finding.code != "quantization-drift" and set(finding.runtimes) <= set(can)


def _limit(migration: Migration) -> str:
    given = any(c.tolerance and c.tolerance.mode == "explicit" for c in migration.report.comparisons)
    return "the one that you gave" if given else "1 % of each output's largest value"


# --- obstacles, next steps


def obstacles(migration: Migration) -> tuple[tuple[str, Unsupported], ...]:
    """Return a title and each obstacle of a conversion, with float32 weights first."""
    found = [(one.library, one) for one in migration.unsupported]
    found += [
        (f"{variant.unsupported.library} with {variant.quantization} weights", variant.unsupported)
        for variant in migration.variants
        if variant.unsupported
    ]
    return tuple(found)


def next_steps(migration: Migration) -> tuple[tuple[str, str], ...]:
    """Return next steps: a purpose and a command line; empty if no command can name the model."""
    command = migration.command
    if not command.startswith("pycheck migrate "):
        return ()
    steps: list[tuple[str, str]] = []
    if any(pair.decision is Decision.UNKNOWN for pair in migration.pairs):
        steps.append(("check the browsers", "pycheck doctor"))
    if not {"--html", "--json", "--markdown"} & set(command.split()):
        steps.append(("save the report", f"{command} --html migration.html"))
    if differing := [pair for pair in migration.pairs if _differs(migration.report, pair.litert)]:
        steps.append(("see every output of the two", _comparing(command, differing[0])))
    if migration.smallest:
        steps.append(("write the file for LiteRT.js", _converting(migration)))
    return tuple((purpose, printable(line)) for purpose, line in steps)


def _comparing(command: str, pair: RuntimePair) -> str:
    words = _without(shlex.split(command)[2:], "--runtime", "--html", "--json", "--markdown")
    runtimes = [word for runtime in (pair.tfjs, pair.litert) for word in ("--runtime", str(runtime))]
    return shlex.join(["pycheck", "compare", *words, *runtimes])


def _converting(migration: Migration) -> str:
    words, kept = shlex.split(migration.command), []
    for name, value in zip(words, [*words[1:], ""], strict=True):
        if name in _OF_MODEL:
            kept += [name] if name == "--trust-model" else [name, value]
    quantized = [] if migration.smallest == "none" else ["--quantize", str(migration.smallest)]
    return shlex.join(
        ["pycheck", "convert", migration.report.model.path, "litert/", "--format", "tflite", *quantized, *kept]
    )


def _without(words: Sequence[str], *options: str) -> Iterator[str]:
    left = iter(words)
    for word in left:
        if word in options:
            next(left, None)
        elif word.partition("=")[0] not in options:
            yield word


def _of_library(migration: Migration, library: str) -> Unsupported | None:
    return next((found for found in migration.unsupported if found.library == library), None)


def _first_line(found: Unsupported) -> str:
    """Return the obstacle in one line, without the words that name the conversion."""
    lines = [line.strip() for line in found.message.splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 else lines[0] if lines else "see below"
