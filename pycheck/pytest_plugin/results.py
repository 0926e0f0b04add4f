"""What one call in a test came to: its cells of the matrix, and where its report was written."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pytest

if TYPE_CHECKING:
    from ..config import Options
    from ..types import Report

_LONGEST_NAME = 100


class Cell(TypedDict):
    """One model on one runtime, in a form that xdist can send."""

    model: str
    runtime: str
    text: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Result:
    """One call. `notes` are for the end of a failure's text."""

    cells: tuple[Cell, ...]
    notes: tuple[str, ...]


#: What the calls of a test came to, in their order.
RESULTS: pytest.StashKey[list[Result]] = pytest.StashKey()


def keep(item: pytest.Item, report: Report, folder: Path | None) -> None:
    """Remember a report for the summary, and write it where a folder is given. UsageError when it cannot be written."""
    results = item.stash.setdefault(RESULTS, [])
    files = _write(report, folder, _name(item.nodeid, len(results))) if folder else ()
    cells = tuple(_cells(report))
    item.user_properties.extend((f"pycheck {cell['model']} {cell['runtime']}", cell["text"]) for cell in cells)
    note = f"The report is in {' and '.join(map(str, files))}"
    if not files:
        note = "To keep the report as a page and as JSON: --pycheck-report-dir=DIR"
    results.append(Result(cells, () if report.passed else (note,)))


def without_unavailable(report: Report, options: Options) -> Report:
    """The report on what could start here, judged by itself, with a warning; where nothing could, a skip."""
    from ..gate import decide
    from ..types import RuntimeStatus

    gone = {r.id: r for r in report.runtimes if r.status is RuntimeStatus.UNAVAILABLE and r.id in options.runtimes}
    if not gone:
        return report
    reason = "; ".join(f"{id} could not start here: {(r.error or '').partition(chr(10))[0]}" for id, r in gone.items())
    if gone.keys() >= set(options.runtimes):
        pytest.skip(reason)
    warnings.warn(pytest.PytestWarning(f"left out: {reason}"), stacklevel=4)
    runtimes = tuple(record for record in report.runtimes if record.id not in gone)
    findings = tuple(finding for finding in report.findings if finding.runtime not in gone)
    verdict = decide(report.comparisons, runtimes=runtimes, findings=findings, nan=options.nan)
    return replace(report, runtimes=runtimes, findings=findings, verdict=verdict)


def _cells(report: Report) -> Iterator[Cell]:
    from ..report import view

    for cell in view.cells(report):
        yield Cell(model=report.model.path, runtime=cell.runtime, text=cell.text, failed=cell.failed)


def _write(report: Report, folder: Path, name: str) -> tuple[Path, ...]:
    from ..errors import UsageError
    from ..report import render

    texts = {folder / f"{name}.{kind}": render(report, kind) for kind in ("html", "json")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--pycheck-report-dir {folder}: it cannot be written: {error.strerror}") from error
    return tuple(texts)


def _name(nodeid: str, earlier: int) -> str:
    """A file name that tells the test, which no other test has; the digest tells apart what the rest may not."""
    readable = re.sub(r"[^\w.-]+", "-", nodeid).strip("-")[-_LONGEST_NAME:]
    digest = hashlib.sha256(nodeid.encode()).hexdigest()[:6]
    return f"{readable}-{digest}" + (f"-{earlier + 1}" if earlier else "")
