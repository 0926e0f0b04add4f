"""Writes reports: paths are checked before the work starts, and files are written after all are rendered."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import UsageError
from ..gate import check_exit_code, exit_code, migration_exit_code
from ..report import render, render_check, render_migration
from ..types import CheckReport, Migration, Report
from .console import Console
from .options import Answers, Pages, Reports

_ELSEWHERE = "Name a file in an existing folder that you can write to."


def destinations(reports: Reports | Pages | Answers) -> dict[str, str]:
    """Return the path of each report, by kind, after checking that all can be written."""
    paths = {"json": reports.json, "html": reports.html, "markdown": reports.markdown}
    paths |= {"junit": reports.junit} if isinstance(reports, Reports | Answers) else {}
    outputs = {kind: path for kind, path in paths.items() if path}
    for kind, path in outputs.items():
        if others := [f"--{other}" for other in outputs if outputs[other] == path and other != kind]:
            where = "standard output (-)" if path == "-" else path
            raise UsageError(f"--{kind} and {', '.join(others)} both name {where}.", "Give each report its own file.")
    for kind, path in outputs.items():
        if path != "-":
            check_writable(f"--{kind} {path}", Path(path))
    return outputs


def check_writable(option: str, path: Path) -> None:
    """Raise UsageError if a file cannot be written; it is left as it is."""
    existed = path.exists()
    try:
        with path.open("ab"):
            pass
        if not existed:
            path.unlink()
    except OSError as error:
        raise UsageError(f"{option}: cannot write this file: {error.strerror}.", _ELSEWHERE) from error


def publish(report: Report, outputs: dict[str, str], console: Console, *, github: bool | None = None) -> int:
    """Write every report, and print the terminal report unless one has standard output; return the exit code.

    `github`: whether to annotate the run in GitHub Actions; None: if the variable GITHUB_ACTIONS is set.
    """
    put({kind: render(report, kind) for kind in outputs}, outputs, lambda: console.report(report))
    if _is_on_github(github):
        from ..report.github import render_annotations

        _tell_github(render_annotations(report), render(report, "markdown"))
    return exit_code(report)


def publish_check(check: CheckReport, outputs: dict[str, str], console: Console, *, github: bool | None = None) -> int:
    """Write and print the reports of a check; return the exit code."""
    put({kind: render_check(check, kind) for kind in outputs}, outputs, lambda: console.check(check))
    if _is_on_github(github):
        from ..report.github import render_check_annotations

        _tell_github(render_check_annotations(check), render_check(check, "markdown"))
    return check_exit_code(check)


def publish_migration(migration: Migration, outputs: dict[str, str], console: Console) -> int:
    """Write and print the reports of a migration; return the exit code."""
    put({kind: render_migration(migration, kind) for kind in outputs}, outputs, lambda: console.migration(migration))
    return migration_exit_code(migration)


def put(texts: dict[str, str], outputs: dict[str, str], show: Callable[[], None]) -> None:
    """Write texts to their paths by kind; call `show` for standard output, unless a text has it."""
    for kind, path in outputs.items():
        if path != "-":
            _write(f"--{kind} {path}", Path(path), texts[kind])
    with standard_output():
        if to_stdout := [texts[kind] for kind, path in outputs.items() if path == "-"]:
            sys.stdout.write(to_stdout[0].rstrip("\n") + "\n")
        else:
            show()


def _is_on_github(asked: bool | None) -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true" if asked is None else asked


def _tell_github(annotations: str, markdown: str) -> None:
    """Annotate the run on standard error, which GitHub reads too, and add to its step's summary.

    If the summary cannot be written, there is only a warning.
    """
    from ..report.github import within_summary

    with suppress(BrokenPipeError):
        sys.stderr.write(annotations)
        sys.stderr.flush()
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(file).open("a", encoding="utf-8") as summary:
                summary.write(within_summary(markdown))
        except OSError as error:
            print(f"pycheck: Cannot write GITHUB_STEP_SUMMARY {file}: {error.strerror}.", file=sys.stderr)


def _write(option: str, path: Path, text: str) -> None:
    existed = path.exists()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        if not existed:
            path.unlink(missing_ok=True)
        raise UsageError(f"{option}: cannot write this file: {error.strerror}.", _ELSEWHERE) from error


@contextmanager
def standard_output() -> Iterator[None]:
    """Ignore a closed pipe (`| head`): it changes neither the verdict nor the exit code."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for data that is flushed at the end
