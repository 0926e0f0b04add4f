"""The HTML report where it is read: opened from a file in a real browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pycheck.errors import RuntimeUnavailableError
from pycheck.gate import decide_check
from pycheck.report import render, render_check
from pycheck.runtimes.launching.finding import find_browser
from pycheck.types import CheckReport, Report, RuntimeId, RuntimeRecord

from ..conftest import more

pytestmark = pytest.mark.real

Open = Callable[..., Page]

#: Text whose contrast with what is behind it is under WCAG 2.2's 4.5 to 1 (1.4.3), as [ratio, text].
LOW_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const parse = color => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest("title") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const color = parse(element instanceof SVGElement ? style.fill : style.color);
    const [high, low] = [luminance(color), luminance(behind(element))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.push([ratio.toFixed(2), texts.currentNode.data.trim()]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        executable = find_browser().path
    except RuntimeUnavailableError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"unavailable: {error}")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a page from a file; at the end it must have asked for nothing and complained of nothing."""
    contexts, heard = [], []

    def open_page(html: str, **context: Any) -> Page:
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.on("console", lambda message: heard.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("request", lambda request: asked(request.url))
        page.goto(file.as_uri())
        return page

    def asked(url: str) -> None:
        if url != (tmp_path / "report.html").as_uri() and not url.startswith("data:image/png;base64,"):
            heard.append(f"request: {url}")

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []


def wait_until(page: Page, condition: str) -> None:
    """Wait, frame by frame, until the condition holds; Playwright's wait evaluates strings, which the page forbids."""
    page.evaluate(
        f"""async () => {{
          const end = performance.now() + 60_000;
          while (!({condition})) {{
            if (performance.now() > end) throw new Error("this did not happen within 60 s");
            await new Promise(requestAnimationFrame);
          }}
        }}"""
    )


def unfold(page: Page) -> Page:
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return page


@pytest.mark.parametrize("name", ["traced", "hostile", *more("passing", "pictures", "mixed")])
def test_the_page_opens_from_a_file_without_a_request_or_a_complaint(
    name: str, reports: dict[str, Report], open_page: Open
) -> None:
    page = unfold(open_page(render(reports[name], "html")))
    assert page.locator("script").count() == 0
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("getComputedStyle(document.querySelector('.contents')).position") == "sticky"  # styles apply


@pytest.mark.parametrize("name", ["traced", *more("pictures", "failing_runtime")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_light_and_in_dark(
    name: str, scheme: str, reports: dict[str, Report], open_page: Open
) -> None:
    page = unfold(open_page(render(reports[name], "html"), color_scheme=scheme))
    assert page.evaluate(LOW_CONTRAST) == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 384) == (scheme == "dark")


def test_the_whole_page_can_be_walked_with_the_keyboard(reports: dict[str, Report], open_page: Open) -> None:
    page = open_page(render(reports["traced"], "html"))
    focused = "document.activeElement"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.className") == "skip"
    wait_until(page, f"{focused}.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    wait_until(page, f"{focused}.id === 'main'")
    page.evaluate(
        """() => {
          const wanted = [...document.querySelectorAll("main :is(a[href], summary, [tabindex='0'])")];
          window.left = new Set(wanted.filter(e => e.checkVisibility()));
        }"""
    )
    for _ in range(page.evaluate("left.size") + 20):  # a browser also stops where something can be scrolled
        page.keyboard.press("Tab")
        if not page.evaluate(f"{focused}.closest('main') !== null"):
            break
        assert page.evaluate(f"parseFloat(getComputedStyle({focused}).outlineWidth)") >= 2
        page.evaluate(f"left.delete({focused})")
    assert page.evaluate("[...left].map(e => e.outerHTML)") == []


def test_a_cell_of_the_matrix_leads_to_its_details_and_unfolds_them(
    reports: dict[str, Report], open_page: Open
) -> None:
    page = open_page(render(reports["with_nan"], "html"), viewport={"width": 1280, "height": 800})
    cell = page.get_by_role("table").first.get_by_role("link", name="pass").first
    target = page.locator(cell.get_attribute("href") or "")
    assert not target.is_visible()
    cell.focus()
    page.keyboard.press("Enter")
    expect(target).to_be_visible()
    top = page.evaluate("e => e.closest('details').getBoundingClientRect().top", target.element_handle())
    assert 0 <= top < 800
    target.locator("xpath=..").locator("summary").first.focus()
    page.keyboard.press("Space")
    expect(target).not_to_be_visible()


def test_every_link_leads_somewhere_and_no_id_is_there_twice(reports: dict[str, Report], open_page: Open) -> None:
    page = open_page(page_of([("a", reports["traced"]), ("b", reports["mixed"])]))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert set(page.evaluate("[...document.links].map(a => a.hash.slice(1))")) <= set(ids)
    named = "[...document.querySelectorAll('[aria-labelledby]')].map(e => e.getAttribute('aria-labelledby'))"
    assert set(page.evaluate(named)) <= set(ids)


def test_a_screen_reader_finds_landmarks_headings_in_order_and_names_of_tables(
    reports: dict[str, Report], open_page: Open
) -> None:
    page = unfold(open_page(render(reports["traced"], "html")))
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1  # type: ignore[arg-type]
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    tables = "[...document.querySelectorAll('table')].filter(t => !t.closest('.prose'))"
    assert page.evaluate(f"{tables}.every(t => t.caption?.textContent.trim())")
    assert page.get_by_role("link", name="NaN +10 of 640").count() == 1
    chart = page.get_by_role("img", name="Error along the depth of the model")
    assert "chromium:webgl: 5 of 8 points beyond the limit; the error starts at model/Exp_3." in (
        chart.get_attribute("aria-label") or ""
    )


@pytest.mark.parametrize("width", [320, *more(768)])
@pytest.mark.parametrize("name", ["traced", "pictures", *more("many_outputs")])
def test_nothing_is_cut_off_on_a_narrow_screen(
    name: str, width: int, reports: dict[str, Report], open_page: Open
) -> None:
    html = page_of([("models/one.keras", reports[name]), ("two", reports["mixed"])])
    for text in (html, render(reports[name], "html")):
        page = unfold(open_page(text, viewport={"width": width, "height": 600}))
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_folded_is_printed(reports: dict[str, Report], open_page: Open) -> None:
    page = open_page(render(reports["with_nan"], "html"))
    folded = page.locator("details:not([open]) > .body")
    shown = "bodies => bodies.every(e => e.checkVisibility({contentVisibilityAuto: true}))"
    assert folded.count() > 0
    assert not folded.evaluate_all(shown)
    page.emulate_media(media="print")
    wait_until(page, f"({shown})([...document.querySelectorAll('details:not([open]) > .body')])")
    expect(page.get_by_role("navigation")).not_to_be_visible()


def test_no_result_is_told_by_color_alone(reports: dict[str, Report], open_page: Open) -> None:
    page = open_page(page_of(list(reports.items())))
    cells = page.evaluate(
        """() => [...document.querySelectorAll("td.cell:not(.none)")].map(td => [
             td.className, td.querySelector("strong").textContent, td.querySelector("use").getAttribute("href")])"""
    )
    words, icons = {}, {}
    for state, word, icon in cells:
        words.setdefault(state, set()).add(word)
        icons.setdefault(state, set()).add(icon)
    assert {"cell pass", "cell nan", "cell drift", "cell shape", "cell norun"} == set(words)
    for told in (words, icons):
        everything = [item for items in told.values() for item in items]
        assert len(everything) == len(set(everything))


KINDS = [RuntimeId(e, k) for e in ("chromium", "firefox", "webkit") for k in ("cpu", "wasm", "webgl", "webgl-f16")]


def test_the_matrix_of_eight_models_in_three_engines_is_small(reports: dict[str, Report], open_page: Open) -> None:
    names = ["traced", "with_nan", "pictures", "many_outputs", "drifting", "passing", "quantized", "explicit"]
    html = page_of([(f"models/{name}.keras", everywhere(reports[name])) for name in names])
    assert len(html.encode()) < 3_000_000
    page = open_page(html)
    assert page.locator("td.cell a").count() == len(names) * len(KINDS)


def page_of(named: Sequence[tuple[str, Report]]) -> str:
    """The page of a check whose variants have these reports."""
    reports = tuple(replace(report, name=name) for name, report in named)
    return render_check(CheckReport("0.1.0", "pycheck.toml", reports, (), decide_check(reports), 1.0), "html")


def everywhere(report: Report) -> Report:
    """The report with all that it has, in turn, for each kind in each engine."""
    judged = [c for c in report.comparisons if not c.is_noise_floor]
    candidates = list(dict.fromkeys(c.candidate for c in judged))
    records = [r for r in report.runtimes if r.id not in candidates]
    comparisons = [c for c in report.comparisons if c.is_noise_floor]
    for i, runtime in enumerate(KINDS):
        model = candidates[i % len(candidates)]
        known: RuntimeRecord = next(r for r in report.runtimes if r.id == model)
        records.append(replace(known, id=runtime))
        comparisons += [replace(c, candidate=runtime) for c in judged if c.candidate == model]
    return replace(report, runtimes=tuple(records), comparisons=tuple(comparisons))
