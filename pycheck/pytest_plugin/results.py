"""The result of one call in a test: its cells of the matrix, and the path of its report."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pytest

if TYPE_CHECKING:
    from ..options.values import Options
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
    """One call. `notes` go to the end of a failure's text; `accepted` is the report as data, for the baseline."""

    cells: tuple[Cell, ...]
    notes: tuple[str, ...]
    accepted: dict[str, Any] | None = None


#: The results of a test's calls, in their order.
RESULTS: pytest.StashKey[list[Result]] = pytest.StashKey()


def name(item: pytest.Item) -> str:
    """Name the next call of a test: the test's name, with a number from the second call on."""
    earlier = len(item.stash.get(RESULTS, ()))
    return item.nodeid + (f" {earlier + 1}" if earlier else "")


def keep(item: pytest.Item, report: Report, folder: Path | None, *, accept: bool = False) -> None:
    """Store a report for the summary, and write it if a folder is given. UsageError if it cannot be written."""
    from ..report.json import report_to_dict

    results = item.stash.setdefault(RESULTS, [])
    accepted = report_to_dict(replace(report, name=name(item))) if accept and report.passed else None
    files = _write(report, folder, _file_name(name(item))) if folder else ()
    cells = tuple(_cells(report))
    item.user_properties.extend((f"pycheck {cell['model']} {cell['runtime']}", cell["text"]) for cell in cells)
    note = f"The report is in {' and '.join(map(str, files))}"
    if not files:
        note = "To write the report as HTML and JSON, add --pycheck-report-dir=DIR"
    results.append(Result(cells, () if report.passed else (note,), accepted))


def allowing_unavailable(report: Report, options: Options) -> Report:
    """Excuse runtimes that cannot start here, with a warning; skip the test if none of its runtimes starts."""
    from ..gate import policy
    from ..types import RuntimeStatus

    gone = {r.id: r for r in report.runtimes if r.status is RuntimeStatus.UNAVAILABLE and r.id in options.runtimes}
    if not gone:
        return report
    reason = "; ".join(f"{id} cannot start here: {(r.error or '').partition(chr(10))[0]}" for id, r in gone.items())
    if gone.keys() >= set(options.runtimes):
        pytest.skip(reason)
    warnings.warn(pytest.PytestWarning(f"skipped: {reason}"), stacklevel=4)
    return policy.excuse_unavailable(report, "the test allows that a runtime cannot start here", nan=options.nan)


def _cells(report: Report) -> Iterator[Cell]:
    from ..report import view

    for cell in view.cells(report):
        yield Cell(model=report.model.path, runtime=cell.runtime, text=cell.text, failed=cell.failed)


def _write(report: Report, folder: Path, file_name: str) -> tuple[Path, ...]:
    from ..errors import UsageError
    from ..report import render

    texts = {folder / f"{file_name}.{kind}": render(report, kind) for kind in ("html", "json")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--pycheck-report-dir {folder}: cannot write to this folder: {error.strerror}.") from error
    return tuple(texts)


def _file_name(name: str) -> str:
    """Name a file after the test; a digest makes the name unique."""
    readable = re.sub(r"[^\w.-]+", "-", name).strip("-")[-_LONGEST_NAME:]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
