"""Writes the report for a terminal: verdict, table, sources, fixes, findings, environment, next steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..types import Finding, Report, Severity, WorstElement
from . import cures, layout, pipeline, training, view, where, wording
from .layout import capture, text_console
from .next_steps import next_steps
from .view import Row

_PASSED, _FAILED = "bold green", "bold red"
_SEVERITY = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_MOST_ROWS, _MOST_FINDINGS, _MOST_COMPARISONS, _MOST_ELEMENTS = 24, 6, 4, 3
_MOST_SOURCES, _MOST_REMARKS = 4, 6
_VERBOSE_ELEMENTS = 8
_WIDE = 100


def print_report(report: Report, console: Console, *, verbosity: int = 0) -> None:
    """Print to a console; `verbosity` -1 prints only the verdict, 1 prints everything."""
    console.file.write(capture(report_parts(report, console.width, verbosity), console))


def render_terminal(report: Report, *, width: int = 80, color: bool = False, verbosity: int = 0) -> str:
    """Return the report as text of that width, plain unless `color`."""
    return capture(report_parts(report, width, verbosity), text_console(width, color=color))


def report_parts(report: Report, width: int, verbosity: int) -> Iterator[RenderableType]:
    """Yield the parts of a report from top to bottom."""
    yield _headline(report)
    if verbosity < 0:
        return
    gap = Text()
    yield from (gap, layout.pairs(view.context(report), width))
    for section in (
        _table(report, width, verbosity),
        _pipeline(report, width, verbosity),
        _training(report, width, verbosity),
        _where_it_starts(report, width, verbosity),
        _cures(report, width, verbosity),
        finding_parts(report, width, verbosity),
        _worst(report, verbosity),
        _times(report, width),
        environment_parts(report, width, verbosity),
        step_parts(next_steps(report)),
    ):
        if section:
            yield from (gap, *section)


def _headline(report: Report) -> Text:
    label = (view.LABELS[report.verdict], _PASSED if report.passed else _FAILED)
    return Text.assemble(label, "  ", wording.printable(view.headline(report)))


def _heading(text: str) -> Text:
    return Text(text, "bold")


# --- the table of runtimes by output


def _table(report: Report, width: int, verbosity: int) -> list[RenderableType]:
    rows, left_out = _shown(view.rows(report), verbosity)
    if not rows:
        return []
    several = len({c.tensor for c in report.comparisons}) > 1 or any(row.comparison is None for row in rows)
    columns = [("max error", "max_error"), ("limit", "limit"), ("used", "used"), ("ULP", "ulp")]
    columns += [(title, name) for title, name in (("top-1", "top1"), ("NaN/Inf", "nonfinite")) if _any(rows, name)]
    columns += [("result", "result")]
    gap = 2 if width >= _WIDE else 1
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    table.add_column("runtime", no_wrap=True)
    if several:
        table.add_column("output", no_wrap=True)
    for column, name in columns:
        table.add_column(column, no_wrap=True, justify="left" if name == "result" else "right")
    for runtime, group in groupby(rows, lambda row: row.runtime):
        for rank, row in enumerate(group):
            cells = [Text(runtime if rank == 0 else "", "dim" if row.comparison and not row.result else "")]
            cells += [Text(row.tensor)] if several else []
            cells += [_cell(row, name) for _, name in columns]
            table.add_row(*cells)
    parts: list[RenderableType] = [table]
    if _any(rows, "nonfinite"):
        parts.append(Text(view.NONFINITE_LEGEND, "dim"))
    parts += [layout.paragraph(line, width, style="yellow") for line in view.excuses(report)]
    if left_out:
        parts.append(Text(f"{left_out} more rows without a failure; -v shows all", "dim"))
    return parts


def _any(rows: Sequence[Row], name: str) -> bool:
    return any(getattr(row, name) != wording.ABSENT for row in rows)


def _cell(row: Row, name: str) -> Text:
    text = getattr(row, name)
    if name == "result":
        return Text(text, "bold red" if row.failed else "yellow" if text in ("warn", "excused") else "green")
    over = name == "used" and row.comparison is not None and row.comparison.drifted
    bad = name == "nonfinite" and row.comparison is not None and row.comparison.nonfinite.changed > 0
    return Text(text, "red" if over or (bad and row.failed) else "")


def _shown(rows: Sequence[Row], verbosity: int) -> tuple[Sequence[Row], int]:
    """Return all rows if they fit; otherwise failed rows and, for each runtime, the row nearest to its limit."""
    if len(rows) <= _MOST_ROWS or verbosity > 0:
        return rows, 0
    nearest = {
        max(group, key=lambda row: (row.comparison.share_used or 0.0) if row.comparison else 0.0)
        for _, group in groupby((row for row in rows if row.result), lambda row: row.runtime)
    }
    shown = [row for row in rows if row.failed or row in nearest]
    tensors = {row.tensor for row in shown}
    shown = [row for row in rows if row in shown or (not row.result and row.tensor in tensors)]
    return shown, len(rows) - len(shown)


# --- from the files to the answers


def _pipeline(report: Report, width: int, verbosity: int) -> list[RenderableType]:
    if report.pipeline is None or not report.pipeline.rows:
        return []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    columns = pipeline.columns(report.pipeline)
    for column, name in columns:
        table.add_column(column, no_wrap=name in ("runtime", "result"))
    for row in pipeline.rows(report.pipeline):
        cells = [Text(getattr(row, name)) for _, name in columns]
        cells[-1].stylize("bold red" if row.failed else "green")
        table.add_row(*cells)
    parts: list[RenderableType] = []
    if decisions := pipeline.decisions(report.pipeline):
        title = pipeline.title(report.pipeline, "with another decision")
        parts += [_heading(title), *_rows(pipeline.DECISION_COLUMNS, decisions), Text()]
    told = Text.assemble((pipeline.way(report.pipeline), "bold"), "  ", ("largest change of the output", "dim"))
    parts += [layout.paragraph(told, width), table]
    if files := pipeline.files(report.pipeline, *([len(report.pipeline.rows[0].files)] if verbosity > 0 else [])):
        title = pipeline.title(report.pipeline, "that change most")
        parts += [Text(), _heading(title), *_rows(pipeline.file_columns(report.pipeline), files)]
    return parts


# --- training


def _training(report: Report, width: int, verbosity: int) -> list[RenderableType]:
    if report.training is None:
        return []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title, name in training.COLUMNS:
        table.add_column(title, no_wrap=name in ("runtime", "result"))
    for row in training.rows(report):
        cells = [Text(getattr(row, name)) for _, name in training.COLUMNS]
        cells[-1].stylize("bold red" if row.failed else "green")
        table.add_row(*cells)
    parts: list[RenderableType] = [table] if report.training.curves else []
    if verbosity > 0 or report.training.step_count == 1:
        parts += _rows(
            ("runtime", "variable", "largest", "error", "limit", ""), training.gradient_rows(report.training)
        )
    parts += [layout.paragraph(line, width, indent=2) for line in training.pass_lines(report.training)]
    if cures := training.cures(report.training):
        rows = [(c.name, c.worked, c.losses, c.description, c.option) for c in cures]
        parts += [Text(), _heading("Fixes that were tried")]
        parts += _rows(("fix", "", "last loss", "change", "option"), rows)
    return parts


def _rows(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[RenderableType]:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, title in enumerate(titles):
        table.add_column(title, no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    return [table]


# --- the sources of the error


def _where_it_starts(report: Report, width: int, verbosity: int) -> list[RenderableType]:
    if report.trace is None:
        return []
    found, remarks = where.sources(report), list(where.remarks(report))
    shown = found if verbosity > 0 else found[:_MOST_SOURCES]
    heading = Text.assemble(("Where the error starts", "bold"), "  ", (where.scope(report, report.trace), "dim"))
    parts: list[RenderableType] = [layout.paragraph(heading, width)]
    for source in shown:
        layer = f", layer {source.layer}" if source.layer != wording.ABSENT else ""
        named = Text.assemble((source.runtime, "red"), f"  {source.point} ({source.op}{layer})")
        parts += [layout.paragraph(named, width, indent=2), layout.paragraph(source.facts, width, indent=4)]
    if not found:
        told = where.nowhere(report)
        parts.append(layout.paragraph(told, width, indent=2, style="green" if report.passed else ""))
    if len(shown) < len(found):
        parts.append(Text(f"  and {len(found) - len(shown)} more; -v shows all", "dim"))
    kept = remarks if verbosity > 0 else remarks[:_MOST_REMARKS]
    parts += [layout.pairs(kept, width, indent=2)] if kept else []
    if len(kept) < len(remarks):
        parts.append(Text(f"  and {len(remarks) - len(kept)} more lines; -v shows all", "dim"))
    return parts


# --- fixes


def _cures(report: Report, width: int, verbosity: int) -> list[RenderableType]:
    if not report.remedies:
        return []
    runs = cures.trial_count(report)
    scope = f"{runs} trial{'' if runs == 1 else 's'}, on the same inputs"
    parts: list[RenderableType] = [Text.assemble(("Fixes", "bold"), "  ", (scope, "dim"))]
    found = cures.cures(report)
    for cure in found:
        change = Text.assemble((cure.runtimes, "green"), f"  {cure.change}")
        code = (cure.code if verbosity > 0 else cure.short_code).splitlines()
        facts = [("effect", cure.effect), ("option", cure.command), ("note", cure.note)]
        parts.append(layout.paragraph(change, width, indent=2))
        parts.append(layout.pairs([(label, text) for label, text in facts if text], width, indent=4))
        parts += [layout.line("code", indent=4, style="dim")] if code else []
        parts += [layout.line(text, indent=6) for text in code]
    if not found:
        parts.append(Text("  none of those tried works", "red"))
    for runtime, tried in cures.without_success(report):
        parts.append(layout.paragraph(f"{runtime}  does not help: {tried}", width, indent=2, style="dim"))
    for what in cures.not_tried(report):
        parts.append(layout.paragraph(f"not tried: {what}", width, indent=2, style="dim"))
    return parts


# --- findings, elements, next steps


def finding_parts(report: Report, width: int, verbosity: int) -> list[RenderableType]:
    """Return the findings by severity."""
    parts: list[RenderableType] = []
    for title, group in view.by_severity(report.findings):
        shown = group if verbosity > 0 else group[:_MOST_FINDINGS]
        parts += [Text()] if parts else []
        parts.append(_heading(title))
        parts += [part for finding in shown for part in finding_lines(finding, width)]
        if len(shown) < len(group):
            parts.append(Text(f"  and {len(group) - len(shown)} more; -v shows all", "dim"))
    if parts:
        parts.append(Text("Each code has a page: pycheck explain CODE, or docs/findings/CODE.md", "dim"))
    return parts


def finding_lines(finding: Finding, width: int) -> Iterator[Text]:
    """Yield the summary, then the advice; the further lines of the advice are for copying."""
    summary = Text.assemble((finding.code, _SEVERITY[finding.severity]), "  ", wording.printable(finding.summary))
    yield layout.paragraph(summary, width, indent=2)
    advice, *copied = map(wording.printable, finding.advice.splitlines() or [""])
    if advice:
        yield layout.paragraph(advice, width, indent=4, style="dim")
    yield from (layout.line(text, indent=6, style="bold") for text in copied)


def _worst(report: Report, verbosity: int) -> list[RenderableType]:
    failed = [c for c in view.failures(report) if c.worst]
    if verbosity > 0 and not failed:
        failed = [c for c in report.comparisons if c.passed is not None and c.worst]
    shown = failed if verbosity > 0 else failed[:_MOST_COMPARISONS]
    parts: list[RenderableType] = [_heading("Worst elements")] if shown else []
    for c in shown:
        elements = view.worst(c, _VERBOSE_ELEMENTS if verbosity > 0 else _MOST_ELEMENTS)
        parts.append(Text(f"  {c.candidate}  {wording.printable(c.tensor)}"))
        parts.append(Padding(_elements(elements), (0, 0, 0, 4)))
    if len(shown) < len(failed):
        parts.append(Text(f"  {len(failed) - len(shown)} more outputs; -v shows all", "dim"))
    return parts


def _elements(elements: Sequence[WorstElement]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    columns = (("sample", 6), ("index", 12), ("Python", 13), ("browser", 13), ("error", 10))
    for title, width in columns:
        table.add_column(title, min_width=width, no_wrap=True, justify="left" if title == "index" else "right")
    for w in elements:
        index = ",".join(map(str, w.index)) or wording.ABSENT
        cells = (w.sample_text, index, *wording.unlike(w.reference, w.candidate), view.difference(w))
        table.add_row(*map(Text, cells))
    return table


def step_parts(steps: Sequence[tuple[str, str]]) -> list[RenderableType]:
    """Return next steps, each with its command in one line."""
    if not steps:
        return []
    lines: list[RenderableType] = []
    for reason, command in steps:
        lines += [Text(f"  {reason}:"), layout.line(command, indent=4, style="bold")]
    return [_heading("Next steps"), *lines]


def _times(report: Report, width: int) -> list[RenderableType]:
    lines = view.times(report)
    scope = ("steady is per sample; pycheck migrate measures one runtime at a time", "dim")
    return [Text.assemble(("Times", "bold"), "  ", scope), layout.pairs(lines, width, indent=2)] if lines else []


def environment_parts(report: Report, width: int, verbosity: int) -> list[RenderableType]:
    """Return the environments of the runtimes; verbose, with times and flags."""
    lines = list(view.environments(report))
    if verbosity > 0:
        for record in report.runtimes:
            timings = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in record.timings_s.items())
            flags = record.environment.flags if record.environment else {}
            lines += [(f"{record.id} took", timings)] if timings else []
            in_force = ", ".join(f"{name}={wording.setting(value)}" for name, value in flags.items())
            lines += [(f"{record.id} flags", wording.printable(in_force))] if flags else []
    return [_heading("Environment"), layout.pairs(lines, width, indent=2)] if lines else []
