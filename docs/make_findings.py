"""Writes the generated parts of docs/findings: the index, and in each page its head and the output of its program.

``python docs/make_findings.py`` writes all pages; with codes, only those pages. The rest of a page is written by
hand. Its Python block is a whole program that assigns a report to `report`.

Some programs import the published converter: ``pip install --no-deps tensorflowjs==4.22.0``, as for the tests.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

sys.path.insert(0, str(Path(__file__).parents[1]))

from pycheck import CheckReport, Report
from pycheck.cli.console import Console
from pycheck.diagnosis.codes import CODES, Code
from pycheck.report.check_terminal import render_check
from pycheck.report.terminal import render_terminal
from pycheck.workflow.hygiene import Hygiene
from tests.published import import_tensorflowjs

FOLDER = Path(__file__).parent / "findings"
SECTIONS = ("Why it happens", "A model that shows it", "What pycheck prints", "What to do")
_WIDTH = 100
_BLOCK = r"```{}\n(.*?)```"


def page(code: str) -> Path:
    """Return the path of a code's page."""
    return FOLDER / f"{code}.md"


def example(text: str) -> str:
    """Return the program of a page."""
    (found,) = re.findall(_BLOCK.format("python"), text, flags=re.DOTALL)
    return str(found)


def shown(text: str) -> str:
    """Return the output that a page shows."""
    (found,) = re.findall(_BLOCK.format("text"), text, flags=re.DOTALL)
    return str(found)


def run(program: str) -> Report | CheckReport | Hygiene:
    """Run a page's program in an empty folder, with Keras's counters of names reset, and return its report."""
    import keras

    if "tensorflowjs" in program:
        import_tensorflowjs()
    keras.utils.clear_session()
    before = Path.cwd()
    names: dict[str, Any] = {"__name__": "example"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            exec(compile(program, "example", "exec"), names)
        finally:
            os.chdir(before)
    report: Report | CheckReport | Hygiene = names["report"]
    return report


def printed(report: Report | CheckReport | Hygiene, code: str) -> str:
    """Return the findings of this code as the terminal prints them, without the rest of the report."""
    if isinstance(report, Hygiene):
        return _of_data(report, code)
    alone = tuple(f for f in report.findings if f.code == code)
    if isinstance(report, CheckReport):
        text = render_check(replace(report, findings=alone, reports=()), width=_WIDTH)
    else:
        text = render_terminal(replace(report, findings=alone, trace=None), width=_WIDTH, verbosity=1)
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith(f"  {code}  ")), None)
    if first is None:
        found = ", ".join(dict.fromkeys(f.code for f in report.findings)) or "none"
        raise LookupError(f"the example of {code} does not show it; its findings: {found}")
    last = next((i for i, line in enumerate(lines) if line.startswith("Each code has a page")), len(lines))
    return "\n".join(line for line in lines[first:last] if line.startswith("  ")) + "\n"


def _of_data(found: Hygiene, code: str) -> str:
    """Return the findings of this code in the output of `pycheck inputs`."""
    alone = replace(found, arrays=(), findings=tuple(f for f in found.findings if f.code == code))
    if not alone.findings:
        raise LookupError(f"the example of {code} does not show it")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        Console(no_color=True).hygiene(alone)
    return "\n".join(line.rstrip() for line in said.getvalue().splitlines()) + "\n"


def with_printed(text: str, lines: str) -> str:
    """Return the page with this output; a new page may have only the heading."""
    heading = f"## {SECTIONS[2]}\n"
    before, _, after = text.partition(heading)
    assert after, f"the page has no {heading}"
    return f"{before}{heading}\n```text\n{lines}```\n\n## {after.partition('## ')[2]}"


def head(code: str) -> str:
    """Return the first lines of a page, up to the first one written by hand."""
    kind = CODES[code]
    title = kind.title[0].upper() + kind.title[1:]
    return f"# {code}\n\n{title}.\n\nFound by {_finders(code)}. Severity: {kind.severity}.\n"


def _finders(code: str) -> str:
    if CODES[code].check:
        return "`pycheck check`"
    if CODES[code].train:
        return "`pycheck inputs`" if code.startswith("data-") else "`pycheck train` and `pycheck gradients`"
    return "`pycheck trace`" if CODES[code].trace else "`pycheck compare` and `pycheck trace`"


def _found_by(kind: Code) -> str:
    return "train, inputs" if kind.train else "check" if kind.check else "trace" if kind.trace else "compare, trace"


def with_head(text: str, code: str) -> str:
    """Return the page with the head that the list of codes gives it."""
    return f"{head(code)}\n{text[text.index(f'## {SECTIONS[0]}') :]}"


def index() -> str:
    """Return the text of README.md."""
    rows = [
        f"| [`{code}`]({code}.md) | {kind.title} | {kind.severity} | {_found_by(kind)} |"
        for code, kind in CODES.items()
    ]
    return f"""# Findings

Each finding has a code, and each code a page: why it happens, a small model that shows it, and the fix.
`pycheck explain CODE` prints the page. To start from a symptom, see [troubleshooting](../troubleshooting.md).

| code | meaning | severity | found by |
| --- | --- | --- | --- |
{chr(10).join(rows)}

Only an error fails the gate. `python docs/make_findings.py` writes this page, and the output of pycheck in each of the
others.
"""


def main() -> None:
    """Write the index, and the pages of the codes on the command line or of all codes."""
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")
    for code in sys.argv[1:] or CODES:
        text = with_head(page(code).read_text(encoding="utf-8"), code)
        page(code).write_text(with_printed(text, printed(run(example(text)), code)), encoding="utf-8")
        print(code)


if __name__ == "__main__":
    main()
