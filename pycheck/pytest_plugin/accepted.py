"""The accepted release of a test suite: what each test's model did, written when asked for, and held against later."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..checks import accepting, baseline, baseline_file
from ..checks.configuration import BaselineSettings
from ..diagnosis.linking import explains_output
from ..errors import UsageError
from ..gate import policy
from ..options.values import Options
from ..report.json import report_from_dict
from ..types import Report
from ..version import __version__

UPDATE = "--pycheck-update-baseline"


def hold(report: Report, name: str, file: Path, options: Options) -> Report:
    """The report with what the accepted release says of it, and a verdict that knows.

    InputError when there is no baseline; UsageError when the one of this name is of another model or other inputs.
    """
    held = baseline.hold(replace(report, name=name), baseline_file.read(file), BaselineSettings(file, named=True))
    if held.mismatch:
        raise UsageError(held.mismatch, f"Accept what is there now with {UPDATE}.")
    findings = [
        replace(f, advice=f.advice.replace(f"pycheck baseline update {name}", f"pytest {UPDATE}"))
        for f in held.findings
    ]
    today = datetime.date.today()
    applied = policy.apply(
        report, findings, explains=explains_output, severity={}, known=(), today=today, nan=options.nan
    )
    return applied.report


def accept(file: Path, reports: Sequence[dict[str, Any]]) -> str:
    """Write down what passing tests gave, beside what is there of other tests; a line that says so.

    InputError for what is no baseline; UsageError when it cannot be written, or the rest had run on something else.
    """
    found = [report_from_dict(report) for report in reports]
    old = baseline_file.read(file) if file.exists() else None
    baseline_file.write(file, accepting.accept(old, found, pycheck=__version__))
    return f"{file}: {len(found)} result{'' if len(found) == 1 else 's'} accepted"
