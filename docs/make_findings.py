"""Writes what can be generated of docs/findings: the index, and in each page what pycheck prints of its example.

``python docs/make_findings.py`` writes all of it; with codes, those pages alone. The rest of a page is
written by hand; its Python block is a program of its own, which ends with a report in `report`.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from pycheck import Report
from pycheck.diagnose.codes import CODES
from pycheck.report.terminal import render_terminal

FOLDER = Path(__file__).parent / "findings"
SECTIONS = ("What it means", "Why it happens", "A model that shows it", "What pycheck prints", "What to do")
_WIDTH = 100
_BLOCK = r"```{}\n(.*?)```"


def page(code: str) -> Path:
    """Where the page of a code lies."""
    return FOLDER / f"{code}.md"


def example(text: str) -> str:
    """The program of a page."""
    (found,) = re.findall(_BLOCK.format("python"), text, flags=re.DOTALL)
    return str(found)


def run(program: str) -> Report:
    """The report that a page's program ends with; it runs in an empty folder of its own."""
    before = Path.cwd()
    names: dict[str, Any] = {"__name__": "example"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            exec(compile(program, "example", "exec"), names)
        finally:
            os.chdir(before)
    report: Report = names["report"]
    return report


def printed(report: Report, code: str) -> str:
    """The part of the terminal's report that tells the findings of this code."""
    lines: list[str] = []
    inside = False
    for line in render_terminal(report, width=_WIDTH, verbosity=1).splitlines():
        starts = re.match(r"  ([a-z0-9]+(?:-[a-z0-9]+)*)  \S", line)
        inside = starts[1] == code if starts and starts[1] in CODES else inside and line.startswith("    ")
        inside = inside or bool(lines and re.match(r"  \S", line) and not starts and lines[-1:] == [before])
        lines += [line] if inside else []
        before = line
    return "\n".join(lines) + "\n"


def with_printed(text: str, shown: str) -> str:
    """The page with what pycheck prints now."""
    return re.sub(_BLOCK.format("text"), lambda _: f"```text\n{shown}```", text, count=1, flags=re.DOTALL)


def facts(code: str) -> str:
    """The line under a page's title."""
    kind = CODES[code]
    return f"*{kind.title[0].upper()}{kind.title[1:]}.* Found by {'`trace`' if kind.trace else '`compare` and `trace`'}; severity: {kind.severity}."


def index() -> str:
    """The whole of README.md."""
    rows = [
        f"| [`{code}`]({code}.md) | {kind.title} | {kind.severity} | {'trace' if kind.trace else 'compare, trace'} |"
        for code, kind in CODES.items()
    ]
    return "\n".join(
        [
            "# Findings",
            "",
            "What pycheck can find, by code. Each page says what the code means, why it happens, and what to do, and has a",
            "small model that shows it. `pycheck explain CODE` prints the same page.",
            "",
            "| code | what it means | severity | found by |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "Only an error fails the gate. This page, and what each page shows of pycheck's own words, are written by",
            "`python docs/make_findings.py`.",
            "",
        ]
    )


def main() -> None:
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")
    for code in sys.argv[1:] or CODES:
        text = page(code).read_text(encoding="utf-8")
        lines = text.split("\n")
        lines[:3] = [f"# {code}", "", facts(code)]
        text = with_printed("\n".join(lines), printed(run(example(text)), code))
        page(code).write_text(text, encoding="utf-8")
        print(code)


if __name__ == "__main__":
    main()
