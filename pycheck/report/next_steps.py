"""Names the commands that may follow a report: to look closer, to fix, to allow an error."""

from __future__ import annotations

import itertools
import math
import shlex

from ..types import Comparison, Report, RuntimeStatus, Severity, Verdict
from . import cures
from .view import missing_runtimes
from .wording import printable

#: The most limits in one command.
_MOST_LIMITS = 3
#: Correct kernels use up to this many times a limit on unusual hardware; a larger error counts as a fault.
_ORDINARY = 10.0
#: The share of an output's largest value above which an error is never harmless.
_SMALL_SHARE = 0.01
#: Findings that explain a drift without a fault.
_NO_FAULTS = frozenset({"own-drift", "accumulated-drift", "quantization-drift"})
#: Causes that no code of the page removes.
_BY_NO_CODE = frozenset({"decoder-differs", "resampler-differs"})


def next_steps(report: Report) -> tuple[tuple[str, str], ...]:
    """Return next steps: a purpose and a command line, or a call if no command can name the compared objects."""
    if report.training is not None:
        return _after_training(report)
    if not report.command:
        return _next_calls(report)
    command = report.command
    runs = command.startswith("pycheck compare")
    failed = any(c.failed for c in report.comparisons)
    cure = cures.check(report, command) if command.startswith(("pycheck compare", "pycheck trace")) else None
    steps: list[tuple[str, str]] = []
    if _browser_is_in_doubt(report):
        steps.append(("check the browsers", "pycheck doctor"))
    if written := _preprocessing(report, command):
        steps.append(("write the preprocessing of the page", written))
    if report.verdict is Verdict.PASS and not {"--json", "--html", "--junit", "--markdown"} & set(command.split()):
        steps.append(("save the report", _with(command, "--json", "report.json")))
    if runs and "--save-run" not in command and failed and not cure:
        steps.append(("save the raw outputs", _with(command, "--save-run", "run")))
    if "--atol" not in command and _is_ordinary(report) and not cure:
        limits = _limits_that_pass(report)
        if 0 < len(limits) <= _MOST_LIMITS:
            line = command
            for tensor, limit in limits.items():
                line = _with(line, "--atol", f"{tensor}:{limit}")
            steps.append(("allow the error, if it is harmless", line))
    trying = command if "--try-remedies" in command else f"{command} --try-remedies"
    if cure:  # the last line is the most useful
        steps.append(cure)
    elif paired := _paired(report, command):
        steps.append(("compare with the right pairs", paired))
    elif runs and failed and report.trace is None:
        line = trying.replace("pycheck compare", "pycheck trace", 1)
        steps.append(("find the operation and fixes", line))
    elif (failed or _broke(report)) and trying != command and command.startswith(("pycheck compare", "pycheck trace")):
        steps.append(("search for fixes", trying))
    return tuple((reason, printable(line)) for reason, line in steps)


def _preprocessing(report: Report, command: str) -> str:
    """Return the command that writes the page's code from Python's; empty if the inputs have no cause of that."""
    pipeline = report.pipeline
    causes = {cause.code for row in pipeline.rows for cause in row.causes} if pipeline else set()
    words = shlex.split(command)
    if not causes - _BY_NO_CODE or pipeline is None or words[:1] != ["pycheck"]:
        return ""
    given = list(itertools.takewhile(lambda word: not word.startswith("-"), words[2:]))
    if len(given) < 2:  # options stand before the files
        given = [report.model.path, "FILES"]
    return shlex.join(
        ["pycheck", "preprocess", *given, "--preprocess", pipeline.preprocess, "--emit", "js", "--out", "prep.js"]
    )


def _after_training(report: Report) -> tuple[tuple[str, str], ...]:
    wrong = any(finding.severity is not Severity.INFO for finding in report.findings)
    if wrong and "--try-remedies" not in report.command and report.command.startswith("pycheck train"):
        return (("search for fixes", f"{report.command} --try-remedies"),)
    return ()


def _next_calls(report: Report) -> tuple[tuple[str, str], ...]:
    """Return the next steps for a live model or arrays, as calls."""
    failed = dict.fromkeys(str(c.candidate) for c in report.comparisons if c.failed)
    steps: list[tuple[str, str]] = []
    if _browser_is_in_doubt(report):
        steps.append(("check the browsers", "pycheck doctor"))
    if failed and report.trace is None and not report.remedies:
        call = f"pycheck.trace(model, inputs, runtimes={list(failed)}, try_remedies=True)"
        steps.append(("find the operation and fixes", call))
    return tuple(steps)


def _browser_is_in_doubt(report: Report) -> bool:
    """Tell whether a runtime did not start, or a browser ended, except after a rejection or a timeout."""
    for record in report.runtimes:
        never_began = record.status is RuntimeStatus.TIMED_OUT and record.environment is None
        if record.id.kind != "float64" and (record.status is RuntimeStatus.UNAVAILABLE or never_began):
            return True
    return any(f.code == "runtime-failed" and "pycheck doctor" in f.advice for f in report.findings)


def _paired(report: Report, command: str) -> str:
    """Return the command with the options of output-pairing; empty if it takes none, or if runtimes disagree."""
    pairs = [f.evidence["pairs"] for f in report.findings if f.code == "output-pairing" and "pairs" in f.evidence]
    if len(pairs) != 1 or "--tfjs-model" not in command:  # runtimes may suggest different pairs
        return ""
    return f"{command} {shlex.join(word for pair in pairs[0].items() for word in ('--map-output', '='.join(pair)))}"


def _broke(report: Report) -> bool:
    """Tell whether a runtime started and then failed, for which a smaller batch or a different conversion may help."""
    return any(record.status is RuntimeStatus.FAILED and record.environment for record in report.runtimes)


def _is_ordinary(report: Report) -> bool:
    """Tell whether only sizes of errors fail, none by more than backends usually differ.

    A fault needs a repair instead of a tolerance.
    """
    failed = [c for c in report.comparisons if c.failed]
    causes = {code for f in report.findings if f.code == "drift" for code in f.explained_by}
    quantized = report.artifact is not None and report.artifact.quantization != "none"
    return (
        report.verdict is Verdict.DRIFT
        and not missing_runtimes(report)
        and causes <= _NO_FAULTS
        and all(_is_small(c, quantized=quantized) for c in failed)
    )


def _is_small(c: Comparison, *, quantized: bool) -> bool:
    """Tell whether an error is a few times its limit and below a hundredth of the output's largest value."""
    if not c.drifted or c.tolerance is None or c.tolerance.mode == "exact" or c.nonfinite.changed:
        return False
    share = c.share_used or 0.0
    is_near = c.tolerance.mode != "auto" or quantized or share <= _ORDINARY
    return is_near and (c.max_abs_error or 0.0) <= _SMALL_SHARE * (c.reference_scale or 0.0)


def _limits_that_pass(report: Report) -> dict[str, str]:
    """Return the absolute tolerance of each drifted output that would let it pass."""
    largest: dict[str, float] = {}
    for c in report.comparisons:
        if c.drifted and c.failed and c.max_abs_error:
            largest[c.tensor] = max(largest.get(c.tensor, 0.0), c.max_abs_error)
    return {tensor: _rounded_up(value) for tensor, value in largest.items()}


def _with(command: str, option: str, value: str) -> str:
    return f"{command} {option} {shlex.quote(value)}"


def _rounded_up(value: float) -> str:
    """Format one significant digit, not below the value: ``2e-5``, ``0.02``, ``40``."""
    unit = 10.0 ** math.floor(math.log10(value))
    return f"{float(f'{math.ceil(value / unit) * unit:.0e}'):g}".replace("e-0", "e-").replace("e+", "e")
