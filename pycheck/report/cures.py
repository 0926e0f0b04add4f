"""Describes the fixes that were tried: those that work with their numbers, those without effect, and the command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..types import Outcome, Remedy, Report, RuntimeId, Verdict
from .wording import count, names, printable, short

#: Longer code is not printed to a terminal.
_MOST_LINES = 4
_WORDS = {
    Verdict.PASS: "pass",
    Verdict.DRIFT: "drift",
    Verdict.NAN_DIVERGENCE: "NaN divergence",
    Verdict.ERROR: "error",
}
#: Options of a trace or of the search for fixes, and whether a value follows.
OF_TRACE = {
    "--trace": False,
    "--try-remedies": False,
    "--layer": True,
    "--trace-samples": True,
    "--trace-memory": True,
    "--bundle": True,
    "--bundle-point": True,
    "--model-explorer": True,
}
_SINGLE = ("--format", "--quantize", "--batch-size")
#: Kinds of fixes that convert the model instead of using a given artifact, and those that only pycheck can convert.
_CONVERTS = frozenset({"conversion", "quantization", "tensors"})
_CONVERTS_WITH_PYCHECK = frozenset({"conversion", "tensors"})


@dataclass(frozen=True, slots=True)
class Cure:
    """One fix that works, as text; `runtimes` are all runtimes on which it works."""

    runtimes: str
    change: str
    effect: str
    command: str
    code: str
    note: str

    @property
    def short_code(self) -> str:
        """Return the code shortened for a terminal; empty if there is none."""
        lines = self.code.splitlines()
        if len(lines) <= _MOST_LINES:
            return self.code
        return f"{lines[-1]}  // the whole function: -v, --json or --html"


def cures(report: Report) -> tuple[Cure, ...]:
    """Return the fixes that work, in the order of the report; the same change and code on several runtimes is one."""
    groups: dict[tuple[str, str, str], list[Remedy]] = {}
    for remedy in report.remedies:
        if remedy.worked:
            groups.setdefault((remedy.kind, remedy.change, remedy.code), []).append(remedy)
    return tuple(
        Cure(
            names([r.runtime for r in group]),
            printable(change),
            "; ".join(dict.fromkeys(_effect(r) for r in group)),
            printable(shlex.join(group[0].options)),
            "\n".join(printable(line) for line in group[0].code.splitlines()),
            printable(group[0].note),
        )
        for (_, change, _), group in groups.items()
    )


def without_success(report: Report) -> Iterator[tuple[str, str]]:
    """Return each runtime with all fixes that were tried on it without effect, in one line."""
    for runtime in dict.fromkeys(remedy.runtime for remedy in report.remedies):
        tried = [r for r in report.remedies if r.runtime == runtime and not r.worked and (r.after or r.trial_count)]
        if tried:
            yield (
                str(runtime),
                printable("; ".join(f"{r.change} ({_told(r.after) if r.after else r.note})" for r in tried)),
            )


def not_tried(report: Report) -> Iterator[str]:
    """Return the fixes that were not tried, grouped by reason."""
    by_reason: dict[str, dict[str, None]] = {}
    for remedy in report.remedies:
        if remedy.after is None and not remedy.trial_count:
            by_reason.setdefault(remedy.note, {})[remedy.change] = None
    for reason, changes in by_reason.items():
        yield printable(f"{', '.join(changes)}: {reason}")


def trial_count(report: Report) -> int:
    """Return the number of trial runs."""
    return sum(remedy.trial_count for remedy in report.remedies)


def check(report: Report, command: str) -> tuple[str, str] | None:
    """Return a purpose and the command that runs again with the fixes; None if no option applies them."""
    chosen: dict[RuntimeId, Remedy] = {}
    for remedy in report.remedies:
        if remedy.worked and remedy.options:
            chosen.setdefault(remedy.runtime, remedy)
    if not chosen:
        return None
    failed = {remedy.runtime for remedy in report.remedies}
    reason = "run with the fixes" if chosen.keys() == failed else f"run {names(list(chosen))} with the fixes"
    return reason, _changed(command, report, chosen)


def _changed(command: str, report: Report, chosen: dict[RuntimeId, Remedy]) -> str:
    added: dict[tuple[str, str], None] = {}
    for remedy in chosen.values():
        pairs = zip(remedy.options[::2], remedy.options[1::2], strict=True)
        added |= dict.fromkeys(pair for pair in pairs if pair[0] != "--runtime")
    superseded = {option: True for option, _ in added if option in _SINGLE}
    kinds = {remedy.kind for remedy in chosen.values()}
    if kinds & _CONVERTS:
        superseded |= {"--tfjs-model": True, "--map-output": True}
    if kinds & _CONVERTS_WITH_PYCHECK:
        superseded |= {"--converter": True}
    words = list(_without(shlex.split(command), OF_TRACE | superseded))
    if replaced := {runtime: r.options[1] for runtime, r in chosen.items() if r.options[0] == "--runtime"}:
        candidates = dict.fromkeys(c.candidate for c in report.comparisons if not c.is_noise_floor)
        left = dict.fromkeys(replaced.get(runtime, str(runtime)) for runtime in (*candidates, *replaced))
        words = [*_without(words, {"--runtime": True}), *(text for runtime in left for text in ("--runtime", runtime))]
    words[1:2] = ["compare"]
    return shlex.join([*words, *(text for pair in added for text in pair)])


def _without(words: Sequence[str], options: dict[str, bool]) -> Iterator[str]:
    """Remove these options and their values from the words of a command."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in options:
            skip = options[word]
        elif word.partition("=")[0] not in options:
            yield word


def _effect(remedy: Remedy) -> str:
    """Format the error before and after a fix: ``NaN/Inf 48 -> 0, max error 0.2 -> 1e-7``."""
    before, after = remedy.before, remedy.after
    if after is None:
        return ""
    if before.error:
        return f"{printable(before.error)} -> {_told(after)}"
    parts = [f"max error {short(before.max_abs_error)} -> {short(after.max_abs_error)}"]
    if before.nonfinite_count or after.nonfinite_count:
        parts.insert(0, f"NaN/Inf {count(before.nonfinite_count or 0)} -> {count(after.nonfinite_count or 0)}")
    return ", ".join(parts)


def _told(outcome: Outcome) -> str:
    if outcome.error:
        return printable(outcome.error)
    parts = [f"{count(outcome.nonfinite_count)} NaN/Inf"] if outcome.nonfinite_count else []
    parts += [f"max error {short(outcome.max_abs_error)}"] if outcome.max_abs_error is not None else []
    return ", ".join([_WORDS[outcome.verdict], *parts])
