from __future__ import annotations

from html.parser import HTMLParser

import pytest

from pycheck.report import render, view
from pycheck.types import Report

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_from_anywhere(report: Report) -> None:
    page = Page(render(report, "html"))
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert (attributes.get("href") or "#").startswith("#")
        assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,")
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    policy = [a for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy and (policy[0]["content"] or "").startswith("default-src 'none'")


def test_the_page_tells_verdict_rows_findings_and_environment(report: Report) -> None:
    page = Page(render(report, "html"))
    text = " ".join(page.text.split())
    assert report.verdict.value.replace("_", " ").upper() in text
    for comparison in report.comparisons:
        if not comparison.is_noise_floor:
            assert str(comparison.candidate) in text
    assert "Environment" in text
    for finding in report.findings:
        if finding.code not in ("drift", "nan-introduced"):
            assert finding.code in text


def test_the_page_tells_what_cures_it_and_what_did_not(reports: dict[str, Report]) -> None:
    text = " ".join(Page(render(reports["traced"], "html")).text.split())
    assert "Fixes chromium:webgl: WEBGL_PACK=false NaN/Inf 10 -> 0" in text
    assert "--flag WEBGL_PACK=false" in text
    assert "chromium:webgl-f16 does not help: epsilon 1e-3 of <norm>" in text


def test_the_page_of_each_code_is_in_the_page(reports: dict[str, Report]) -> None:
    report = reports["drifting"]
    page = Page(render(report, "html"))
    linked = {attributes.get("href") for tag, attributes in page.tags if tag == "a"}
    for finding in view.by_severity(report.findings)[0][1]:
        assert f"#code-{finding.code}" in linked
        assert any(attributes.get("id") == f"code-{finding.code}" for _, attributes in page.tags)


def test_names_cannot_become_markup(reports: dict[str, Report]) -> None:
    html = render(reports["hostile"], "html")
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\x1b" not in html


def test_the_page_can_be_read_without_seeing_it(reports: dict[str, Report]) -> None:
    page = Page(render(reports["mixed"], "html"))
    assert ("html", {"lang": "en"}) in page.tags
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    charts = [a for a in drawings if a.get("aria-hidden") != "true"]
    assert charts and all(a.get("role") == "img" and a.get("aria-label") for a in charts)
    assert {"header", "nav", "main", "footer", "h1"} <= {tag for tag, _ in page.tags}


@pytest.mark.parametrize("name", ["passing", "drifting"])
def test_the_page_is_small(reports: dict[str, Report], name: str) -> None:
    assert len(render(reports[name], "html")) < 100_000
