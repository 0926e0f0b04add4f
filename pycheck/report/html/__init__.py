"""Writes the report as one self-contained HTML page: no script, no font, no request.

The charts are SVG, drawn here. A charting library would be most of the page's size. It would also need a script, which
a page with untrusted names should not run, and which mail programs, viewers of CI servers and printers leave out.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from ...types import CLASSES, CheckReport, Comparison, Finding, Report, Severity, WorstElement
from .. import check_view, cures, pipeline, training, view, where, wording
from ..next_steps import next_steps
from ..pages import read_page
from ..wording import ABSENT
from . import charts, content, curves, depth, variables

_ELEMENTS = 8
_MOST_EVIDENCE = 2000


@dataclass(frozen=True, slots=True)
class Overview:
    """The head of a page with reports.

    `results` are words for cells of the matrix by name and runtime ("" for all runtimes), and whether they are
    failures: they replace results that the outputs do not show, such as a budget. `remarks` are errors of whole
    models, `notes` are notes of models that pass. `failures` are models without a report, with the reason. `findings`
    are about all models together.
    """

    label: str
    passed: bool
    headline: str
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    results: Mapping[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)
    failures: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()


def render_html(report: Report) -> str:
    """Render a report as a page; every text is escaped, whatever file it came from."""
    shown = content.section(report.model.path, report, "r1")
    overview = Overview(shown.label, report.passed, shown.headline)
    return _render(report.model.path, overview, [shown], content.outputs_matrix(shown), report.pycheck_version)


def render_check_html(check: CheckReport) -> str:
    """Render a check as one page: the matrix of all variants, then the report of each."""
    sections = [content.section(report.name, report, f"r{i}") for i, report in enumerate(check.reports, 1)]
    overview = Overview(
        check_view.label(check),
        check.passed,
        check_view.headline(check),
        remarks=_lines(_wrong_as_a_whole(check)),
        notes=_lines(check_view.remarks(check)),
        results=_words(check),
        failures=tuple((failure.name, " ".join(failure.message.split())) for failure in check.failures),
        findings=check.findings,
    )
    matrix = content.models_matrix(sections, overview.results)
    return _render(check.config, overview, sections, matrix, check.pycheck_version, several=True)


def _words(check: CheckReport) -> dict[tuple[str, str], tuple[str, bool]]:
    """Return the words of a check for each variant and runtime; the key "" stands for all runtimes of a variant."""
    found = {
        (wording.printable(report.name), str(record.id)): check_view.cell(report, record.id)
        for report in check.reports
        for record in report.runtimes
    }
    found |= {(wording.printable(row.name), ""): row.whole for row in check_view.rows(check)}
    return {place: (cell.text, cell.failed) for place, cell in found.items() if cell.text not in ("", ABSENT)}


def _wrong_as_a_whole(check: CheckReport) -> Iterator[check_view.Told]:
    """Return the errors of each variant that concern no runtime and no output."""
    for report in check.reports:
        for found in report.findings:
            whole = not found.runtimes and found.tensor is None
            if found.severity is Severity.ERROR and whole:
                yield check_view.Told(found, (report.name,))


def _lines(found: Iterable[check_view.Told]) -> tuple[str, ...]:
    return tuple(f"{told.finding.code}, {', '.join(told.variants)}: {told.finding.summary}" for told in found)


def _render(
    title: str,
    overview: Overview,
    sections: Sequence[content.Section],
    matrix: content.Matrix,
    version: str,
    *,
    several: bool = False,
) -> str:
    return page(
        "page.html.j2",
        [*overview.findings, *(f for s in sections for f in s.report.findings)],
        title=title,
        overview=overview,
        sections=sections,
        several=several,
        matrix=matrix,
        version=version,
    )


def page(template: str, findings: Iterable[Finding], **values: Any) -> str:
    """Render a template with the style and the meanings of the codes of the findings; `values` are its variables."""
    style = _source("style.css")
    codes = {f.code: meaning for f in findings if (meaning := _page(f.code))}
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            codes=dict(sorted(codes.items())),
            style=Markup(style),
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": wording.printable, "setting": wording.setting, "evidence": _evidence}
    environment.globals |= {
        "view": view,
        "next_steps": next_steps,
        "cures": cures,
        "where": where,
        "wording": wording,
        "charts": charts,
        "curves": curves,
        "variables": variables,
        "pipeline": pipeline,
        "training": training,
        "training_states": content.STATE_OF_TRAINING,
        "depth": depth,
        "opened": content.opened,
        "elements": _elements,
        "metrics": _metrics,
        "CLASSES": CLASSES,
    }
    return environment


def _source(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _elements(c: Comparison) -> tuple[WorstElement, ...]:
    kept = view.worst(c, _ELEMENTS)
    return kept or c.worst[:_ELEMENTS]


def _metrics(c: Comparison) -> tuple[tuple[str, str], ...]:
    """Return name and value of each metric."""
    sqnr = c.sqnr_db
    lines = [
        ("elements", f"{c.element_count:,}, finite on both sides {c.finite_count:,}"),
        ("largest error", wording.short(c.max_abs_error)),
        ("mean error", wording.short(c.mean_abs_error)),
        ("RMS error", wording.short(c.rms_error)),
        ("largest relative error", wording.short(c.max_rel_error)),
        ("largest error in ULP", f"{wording.short(c.max_ulp_error)} of float{c.precision_bits}"),
        ("cosine similarity", wording.ABSENT if c.cosine_similarity is None else f"{c.cosine_similarity:.10g}"),
        ("SQNR", wording.ABSENT if sqnr is None else "exact" if sqnr > 1e9 else f"{sqnr:.1f} dB"),
    ]
    if c.top1_agreement is not None:
        label = "same top-1 class" if c.top1_certain else "same largest entry"
        lines.append((label, f"{c.top1_count - c.top1_flip_count:,} of {c.top1_count:,} rows"))
    if c.noise_floor is not None:
        floor = f"{wording.short(c.noise_floor)} at most, {wording.short(c.noise_floor_rms)} RMS"
        lines.append(("noise floor", floor))
    elif c.floor_assumed_for:
        lines.append(("noise floor", f"assumed: {', '.join(c.floor_assumed_for)} ran in float32 in the reference"))
    if c.tolerance:
        lines.append(("tolerance", wording.printable(c.tolerance.derivation or c.tolerance.mode)))
    return tuple(lines)


def _evidence(evidence: Mapping[str, Any]) -> str:
    """Format evidence as indented JSON, cut off if it is long."""
    text = json.dumps(dict(evidence), indent=2, ensure_ascii=False, default=str)
    text = "\n".join(wording.printable(line) for line in text.split("\n"))
    return text if len(text) <= _MOST_EVIDENCE else f"{text[:_MOST_EVIDENCE]} ..."


@cache
def _page(code: str) -> Markup | None:
    """Return the page of a code as markup, without its title; None if it is not installed."""
    from markdown_it import MarkdownIt

    try:
        text = read_page(code)
    except OSError:
        return None
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    for rule in ("link_open", "link_close"):  # a link to another page would not be self-contained
        parser.add_render_rule(rule, lambda *_: "")
    tokens = parser.parse(text.split("\n", 1)[-1] if text.startswith("# ") else text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"  # headings go one level below that of the section
        elif token.type == "th_open":
            token.attrSet("scope", "col")  # the only tag that Markdown output contains
    return Markup(parser.renderer.render(tokens, parser.options, {}))
