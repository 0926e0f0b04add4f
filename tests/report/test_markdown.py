"""The report as Markdown: what it says, and that no name in it is markup."""

from __future__ import annotations

import re
from dataclasses import replace

from pycheck.report import render, render_check, view
from pycheck.types import CheckReport, Report, VariantFailure, Verdict


def test_the_verdict_comes_first_and_then_the_table_with_the_numbers_of_every_report(report: Report) -> None:
    text = render(report, "markdown")
    assert text.startswith(f"## pycheck: {view.LABELS[report.verdict]}\n")
    table = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(table) == len(view.rows(report))
    for line, row in zip(table, view.rows(report), strict=True):
        for value in (row.result, row.max_error, row.limit, row.used, row.ulp):
            assert value in line


def test_a_table_has_as_many_cells_in_every_line(report: Report) -> None:
    lines = [line for line in render(report, "markdown").splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_what_differs_is_told_as_an_assertion_tells_it(reports: dict[str, Report]) -> None:
    text = render(reports["with_nan"], "markdown")
    assert "- `scores` on `chromium:webgl`\n" in text
    assert "  - Mismatched elements: 10 / 640 (1.56 %), NaN or infinite only on this runtime\n" in text
    assert "- `nan-introduced`: scores: 10 of 640 elements are finite in Python" in text
    assert "\n# find the operation and fixes\npycheck trace models/cnn.keras inputs.npy --try-remedies\n" in text


def test_no_name_is_markup_nor_a_mention_nor_a_link(reports: dict[str, Report]) -> None:
    name = "<b>*x*</b> | `` @someone #12 https://example.org"
    hostile = reports["drifting"]
    hostile = replace(
        hostile,
        model=replace(hostile.model, path=name),
        comparisons=tuple(replace(c, tensor=name) for c in hostile.comparisons),
        findings=tuple(replace(f, summary=name, advice=name) for f in hostile.findings),
    )
    text = render(hostile, "markdown")
    escaped = "\\<b\\>\\*x\\*\\</b\\> \\| \\`\\` &#64;someone \\#12 https&#58;//example.org"
    verbatim = "``` <b>*x*</b> | `` @someone #12 https://example.org ```"
    assert f"- model: {escaped} (keras-v3)\n" in text
    assert f"- `drift`: {escaped}\n  - {escaped}\n" in text
    assert f"| `chromium:cpu` | {verbatim.replace('|', chr(92) + '|')} | pass |" in text
    assert f"- {verbatim} on `chromium:webgl`\n" in text
    for place in (escaped, verbatim, verbatim.replace("|", "\\|"), f"'{name}:0.02'"):
        text = text.replace(place, "")
    assert "<b>" not in text and "@" not in text and "example.org" not in text


def test_a_long_table_has_what_failed(reports: dict[str, Report]) -> None:
    report = reports["many_outputs"]
    rows = [replace(c, tensor=f"{c.tensor}/{i}") for i in range(5) for c in report.comparisons]
    text = render(replace(report, comparisons=tuple(rows)), "markdown")
    table = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(table) == 5 and all("**DRIFT**" in line for line in table)
    assert "more rows are in the JSON and HTML reports." in text


def test_a_check_shows_its_matrix_first_and_folds_what_does_not_pass(reports: dict[str, Report]) -> None:
    variants = tuple(replace(reports[name], name=f"cnn/{name}") for name in ("passing", "with_nan"))
    failure = VariantFailure("lost", "There is no model at lost.keras.", "Check the path.", 2)
    check = CheckReport(
        "0.1.0", "pycheck.toml", variants, (failure,), Verdict.NAN_DIVERGENCE, 3.0, command="pycheck check"
    )
    text = render_check(check, "markdown")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines[0].startswith("| variant | `chromium:cpu` | `chromium:webgl` |")
    assert lines[2].startswith("| `cnn/passing` | pass | pass |")
    assert lines[3].startswith("| `cnn/with_nan` | pass | **NaN** |")
    assert "### `lost`\n\nThere is no model at lost.keras.\n\nCheck the path.\n" in text
    assert "<details><summary>cnn/with_nan: NAN DIVERGENCE</summary>\n" in text
    assert "<summary>cnn/passing" not in text
    assert text.count("<details>") == text.count("</details>")
    assert text.endswith("```sh\npycheck check\n```\n")
