"""Writes docs/engines.md, what the samples show of the engines, from a check of them.

``pycheck check --config models/pycheck.toml --json check.json && python docs/make_engines.py check.json``
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pycheck.report.wording import short
from pycheck.types import BROWSER_ENGINES, BROWSER_KINDS

PAGE = Path(__file__).parent / "engines.md"
_HALF = "half floats: "

#: The steps of a runtime that are its own work: not those that wait for the conversion, nor parts of others.
_WORK = ("page", "backend", "load", "predict")

Report = Mapping[str, Any]


def page(check: Mapping[str, Any]) -> str:
    """The whole page."""
    reports = check["reports"]
    parts = [_HEAD.format(command=_told(check["command"])), _environments(reports)]
    parts += [_kind(kind, reports) for kind in BROWSER_KINDS]
    parts.append(_differences(reports))
    parts.append(_times(check))
    return "\n".join(part for part in parts if part)


_HEAD = """# What the engines do differently

Measured on the sample models by `{command}`, and written down by
`docs/make_engines.py` from what that printed. Another machine has other browsers and GPUs: this is what these gave.
"""


def _told(command: str) -> str:
    """The command, with one report in this folder, wherever it wrote others."""
    words = shlex.split(command)
    for option in ("--json", "--html", "--junit", "--markdown"):
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
    return shlex.join([*words, "--json", "check.json"])


def _environments(reports: list[Report]) -> str:
    seen: dict[str, Mapping[str, Any]] = {}
    for report in reports:
        for record in report["runtimes"]:
            if record["environment"] and record["id"].split(":")[0] in BROWSER_ENGINES:
                seen.setdefault(record["id"], record["environment"])
    rows = []
    for runtime, e in sorted(seen.items(), key=lambda item: _order(item[0])):
        halves = next((note.removeprefix(_HALF) for note in e["notes"] if note.startswith(_HALF)), "")
        cells = (
            f"`{runtime}`",
            e["platform"],
            e["renderer"] or "",
            f"float{e['float_bits']}",
            e["denormals"] or "",
            halves,
        )
        rows.append(cells)
    return "## What ran\n\n" + _table(("runtime", "browser", "renderer", "precision", "denormals", "half floats"), rows)


def _order(runtime: str) -> tuple[int, int]:
    engine, kind = runtime.split(":")
    return BROWSER_ENGINES.index(engine), BROWSER_KINDS.index(kind)


def _kind(kind: str, reports: list[Report]) -> str:
    """The largest error of each output on one backend, engine by engine."""
    engines = [e for e in BROWSER_ENGINES if any(_of(report, f"{e}:{kind}") for report in reports)]
    if len(engines) < 2:
        return ""
    rows = []
    for report in reports:
        by_engine = {engine: _of(report, f"{engine}:{kind}") for engine in engines}
        for output in dict.fromkeys(tensor for found in by_engine.values() for tensor in found):
            cells = [f"`{report['name']}` {output}"]
            digests = {}
            for engine in engines:
                c = by_engine[engine].get(output)
                same = next((e for e, digest in digests.items() if c and digest == c["outputs_sha256"]), None)
                if c:
                    digests[engine] = c["outputs_sha256"]
                cells.append(f"as {same}" if same else _error(c))
            rows.append(tuple(cells))
    title = f"## `{kind}`\n\nThe largest error of each output against float64; *as* an engine: the same bits.\n"
    return f"{title}\n{_table(('output', *engines), rows)}"


def _of(report: Report, runtime: str) -> dict[str, Mapping[str, Any]]:
    return {c["tensor"]: c for c in report["comparisons"] if c["candidate"] == runtime}


def _error(c: Mapping[str, Any] | None) -> str:
    if c is None:
        return ""
    changed = c["nonfinite"]["changed"]
    return f"{short(c['max_abs_error'])}{f', {changed} NaN or infinite' if changed else ''}"


def _differences(reports: list[Report]) -> str:
    lines = ["## What is known of the samples\n", "What each of them is there to show, as the check tells it:\n"]
    return "\n".join([*lines, *_known(reports)]) + "\n"


def _known(reports: list[Report]) -> Iterator[str]:
    for report in reports:
        for finding in report["findings"]:
            if "known" in finding["evidence"]:
                summary = finding["summary"].split(" Known until ")[0]
                yield f"- `{report['name']}`, `{finding['code']}`: {summary} {finding['evidence']['known']['reason']}."


def _times(check: Mapping[str, Any]) -> str:
    """How long the pages of each engine worked, and the time of the whole check."""
    work = dict.fromkeys(BROWSER_ENGINES, 0.0)
    for report in check["reports"]:
        for record in report["runtimes"]:
            engine = record["id"].split(":")[0]
            if engine in work:
                work[engine] += sum(record["timings_s"].get(step, 0.0) for step in _WORK)
    wall, pages = check["wall_s"], sum(work.values())
    rows = [(engine, f"{seconds:.0f}") for engine, seconds in work.items() if seconds]
    return (
        "## How long it took\n\n"
        "Seconds that the pages of each engine were open and at work: opening, starting TF.js, loading, predicting. As "
        "many pages work side by side as the machine has cores, so that each also waits for others; an engine alone "
        "takes less.\n\n"
        f"{_table(('engine', 's'), rows)}\n"
        f"The whole check took {wall:.0f} s, {wall / pages:.2f} times the sum.\n"
    )


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = (f"| {' | '.join(cells)} |" for cells in (header, tuple("---" for _ in header), *rows))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), encoding="utf-8")
