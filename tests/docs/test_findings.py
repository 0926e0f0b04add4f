"""The pages of docs/findings: one for every code, all of one form, and what they show is what pycheck prints."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pycheck.cli.tools import page
from pycheck.diagnosis.codes import CODES

DOCS = Path(__file__).parents[2] / "docs"
#: Examples that are run here, in a real browser and without one; `python docs/make_findings.py` runs all.
RUN_HERE = (
    "runtime-unavailable", "weight-nonfinite", "stale-state",
    *(
        pytest.param(code, marks=pytest.mark.exhaustive)
        for code in (
            "nan-spread", "f16-overflow", "accumulated-drift", "cpu-forwarded", "denormal-flush", "input-scale",
            "resize-alignment", "artifact-unsupported",
        )
    ),
)  # fmt: skip


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_findings", DOCS / "make_findings.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_findings: Any = _load()


def test_every_code_has_a_page_and_no_page_is_left_over() -> None:
    assert {path.stem for path in (DOCS / "findings").glob("*.md")} == {*CODES, "README"}


def test_the_index_is_what_the_codes_give() -> None:
    assert (DOCS / "findings" / "README.md").read_text(encoding="utf-8") == make_findings.index()


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_the_head_that_its_code_gives_it_and_every_section(code: str) -> None:
    text = page(code)
    assert text == make_findings.with_head(text, code)
    assert tuple(re.findall(r"^## (.+)$", text, flags=re.MULTILINE)) == make_findings.SECTIONS
    sections = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
    why, shown_by, printed, to_do = (section.strip() for section in sections)
    assert len(why.split()) > 40 and len(to_do.split()) > 20
    assert "```python\n" in shown_by
    assert f"  {code}  " in printed.split("\n")[1] and printed.endswith("```")


@pytest.mark.parametrize("code", CODES)
def test_an_example_is_a_whole_program_that_ends_with_a_report(code: str) -> None:
    program = ast.parse(make_findings.example(page(code)))
    assert "pycheck" in ast.unparse(program)
    last = program.body[-1]
    assert isinstance(last, ast.Assign) and ast.unparse(last.targets[0]) == "report"
    assert ast.unparse(last.value).startswith("pycheck.trace(" if CODES[code].trace else ("pycheck.", "examine("))


@pytest.mark.real
@pytest.mark.parametrize("code", RUN_HERE)
def test_what_a_page_shows_is_what_pycheck_prints(code: str) -> None:
    text = page(code)
    printed = make_findings.printed(make_findings.run(make_findings.example(text)), code)
    assert _words(printed) == _words(make_findings.shown(text))


def _words(printed: str) -> list[str]:
    """Without numbers, whose last digits are the renderer's, and without where lines end."""
    return re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?", "#", printed).split()
