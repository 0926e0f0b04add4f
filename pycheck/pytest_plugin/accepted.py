"""The baseline of a test suite: writes the results of each test's model, and compares later results with them."""

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
    """Compare a report with the baseline; return it with the findings and an updated verdict.

    InputError if there is no baseline; UsageError if its entry of this name is of a different model or different
    inputs.
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
    """Write the results of passing tests to the baseline, and keep the entries of other tests; return a line about it.

    InputError if the file is not a baseline; UsageError if it cannot be written, or if the kept entries have a
    different environment.
    """
    found = [report_from_dict(report) for report in reports]
    old = baseline_file.read(file) if file.exists() else None
    baseline_file.write(file, accepting.accept(old, found, pycheck=__version__))
    return f"{file}: {len(found)} result{'' if len(found) == 1 else 's'} accepted"
