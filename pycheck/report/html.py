"""The report as one HTML page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby

from jinja2 import Environment, StrictUndefined, Template

from ..types import Comparison, Report, WorstElement
from . import cures, view, wording

_ELEMENTS = 8
_BAR_WIDTH, _BARS_HEIGHT = 5, 22


@dataclass(frozen=True, slots=True)
class _Bar:
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class _Histogram:
    """Bars of the ULP histogram and the sentence that says the same."""

    width: int
    height: int
    bars: tuple[_Bar, ...]
    label: str


def render_html(report: Report) -> str:
    """The report as a page; every text is escaped, whatever file it came from."""
    groups = [(runtime, list(rows)) for runtime, rows in groupby(view.rows(report), lambda row: row.runtime)]
    return _template().render(
        report=report,
        view=view,
        cures=cures,
        wording=wording,
        label=view.LABELS[report.verdict],
        headline=view.headline(report),
        groups=groups,
        histogram=_histogram,
        findings=view.by_severity(report.findings),
        failures=[c for c in view.failures(report) if c.worst],
        elements=_elements,
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["printable"] = wording.printable
    source = resources.files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source)


def _elements(c: Comparison) -> tuple[WorstElement, ...]:
    return view.worst(c, _ELEMENTS)


def _histogram(c: Comparison | None) -> _Histogram | None:
    if c is None or not c.ulp_histogram:
        return None
    counts = c.ulp_histogram
    tallest = max(counts)
    bars = []
    for i, count in enumerate(counts):
        # At least a pixel for what is not empty: one bad element among a million must be seen.
        height = max(count / tallest * _BARS_HEIGHT, 1.5) if count else 0.0
        bars.append(_Bar(i * _BAR_WIDTH, round(_BARS_HEIGHT - height, 1), round(height, 1)))
    parts = [f"{count:,} {_bin(i)}" for i, count in enumerate(counts) if count]
    return _Histogram(len(counts) * _BAR_WIDTH, _BARS_HEIGHT, tuple(bars), "Elements by ULP error: " + ", ".join(parts))


def _bin(i: int) -> str:
    return "under 1" if i == 0 else f"from {2 ** (i - 1):,} to {2**i:,}"
