"""Writes docs/engines.md, the differences between the engines on the samples, from a check of them.

``pycheck check --config models/pycheck.toml --json check.json && python docs/make_engines.py check.json``

With ``--gpu NAME`` it writes only the part about a GPU of that name, from one or more checks on it:
``python docs/make_engines.py --gpu NAME vulkan.json opengl.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pycheck.report.wording import short
from pycheck.types import BROWSER_ENGINES, BROWSER_KINDS

PAGE = Path(__file__).parent / "engines.md"
_GPU = "## On a GPU\n"
_HALF = "float16: "

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


def on_gpu(name: str, checks: Mapping[str, Mapping[str, Any]]) -> str:
    """The part about a GPU, from checks that ran on it, each under a name of its own."""
    parts = [_GPU, f"Measured on {name} with these commands; `docs/make_engines.py --gpu` writes this part.\n"]
    parts += [f"- *{label}*: `{_told(check['command'], label)}`" for label, check in checks.items()]
    parts.append("")
    for label, check in checks.items():
        parts.append(f"### Environments: {label}\n\n{_environment_table(check['reports'])}")
    parts.append(
        "### Errors, as multiples of the noise floor\n\n"
        "The largest error of each output, divided by the noise floor of its precision. For float32, the noise floor "
        f"is the error of float32 in Python; for float16, it is 2^13 times that.\n\n{_multiples(checks)}"
    )
    known = dict.fromkeys(line for check in checks.values() for line in _known(check["reports"]))
    return "\n".join([*parts, "### Known divergences on this GPU\n", *known]) + "\n"


def _multiples(checks: Mapping[str, Mapping[str, Any]]) -> str:
    found: dict[str, dict[str, str]] = {}
    for label, check in checks.items():
        for report in check["reports"]:
            drawn = {r["id"] for r in report["runtimes"] if r["environment"] and r["environment"]["renderer"]}
            for c in report["comparisons"]:
                if c["candidate"] in drawn:
                    row = found.setdefault(f"`{report['name']}` {c['tensor']}", {})
                    row[f"{c['candidate'].split(':')[1]}, {label}"] = _multiple(c)
    columns = sorted({column for row in found.values() for column in row}, key=_kind_order)
    return _table(("output", *columns), [(output, *(row.get(c, "") for c in columns)) for output, row in found.items()])


def _kind_order(column: str) -> tuple[int, str]:
    kind, label = column.split(", ")
    return BROWSER_KINDS.index(kind), label


def _multiple(c: Mapping[str, Any]) -> str:
    floor = c["noise_floor"] * (2**13 if c["precision_bits"] == 16 else 1)
    changed = c["nonfinite"]["changed"]
    return f"{short(c['max_abs_error'] / floor)}{f', {changed} NaN or infinite' if changed else ''}"


_HEAD = """# Differences between the engines

Measured on the sample models with `{command}`; `docs/make_engines.py` writes this page.
The numbers hold for these browsers, renderers and GPUs.
"""


def _told(command: str, name: str = "check") -> str:
    """The command, with one report in this folder, wherever it wrote others."""
    words = shlex.split(command)
    for option in ("--json", "--html", "--junit", "--markdown"):
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
    return shlex.join([*words, "--json", f"{name}.json"])


def _environments(reports: list[Report]) -> str:
    return f"## Environments\n\n{_environment_table(reports)}"


def _environment_table(reports: list[Report]) -> str:
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
    return _table(("runtime", "browser", "renderer", "precision", "denormals", "float16"), rows)


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
    title = f"## `{kind}`\n\nThe largest error of each output against float64. *as chromium*: identical in every bit.\n"
    return f"{title}\n{_table(('output', *engines), rows)}"


def _of(report: Report, runtime: str) -> dict[str, Mapping[str, Any]]:
    return {c["tensor"]: c for c in report["comparisons"] if c["candidate"] == runtime}


def _error(c: Mapping[str, Any] | None) -> str:
    if c is None:
        return ""
    changed = c["nonfinite"]["changed"]
    return f"{short(c['max_abs_error'])}{f', {changed} NaN or infinite' if changed else ''}"


def _differences(reports: list[Report]) -> str:
    lines = ["## Known divergences\n", "Some samples diverge on purpose. The check reports:\n"]
    return "\n".join([*lines, *_known(reports)]) + "\n"


def _known(reports: list[Report]) -> Iterator[str]:
    for report in reports:
        for finding in report["findings"]:
            if "known" in finding["evidence"]:
                summary = re.split(r" Known (?:on \S+ )?until ", finding["summary"])[0]
                yield f"- `{report['name']}`, `{finding['code']}`: {summary} {finding['evidence']['known']['reason']}."


def _times(check: Mapping[str, Any]) -> str:
    """Return how long the pages of each engine worked, and the time of the whole check."""
    work = dict.fromkeys(BROWSER_ENGINES, 0.0)
    for report in check["reports"]:
        for record in report["runtimes"]:
            engine = record["id"].split(":")[0]
            if engine in work:
                work[engine] += sum(record["timings_s"].get(step, 0.0) for step in _WORK)
    wall, pages = check["wall_s"], sum(work.values())
    rows = [(engine, f"{seconds:.0f}") for engine, seconds in work.items() if seconds]
    return (
        "## Duration\n\n"
        "The seconds that the pages of each engine worked: opening the page, starting the library, loading, "
        "predicting. As many pages run in parallel as the machine has cores, so they slow each other down. An engine "
        "alone takes less time.\n\n"
        f"{_table(('engine', 's'), rows)}\n"
        f"The whole check took {wall:.0f} s, {wall / pages:.2f} times the sum.\n"
    )


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = (f"| {' | '.join(cells)} |" for cells in (header, tuple("---" for _ in header), *rows))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu", metavar="NAME", help="the part about this GPU alone")
    parser.add_argument("checks", nargs="+", type=Path, help="what pycheck check --json wrote")
    given = parser.parse_args()
    checks = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in given.checks}
    before, _, gpu = PAGE.read_text(encoding="utf-8").partition(_GPU)
    if given.gpu:
        PAGE.write_text(before.rstrip() + "\n\n" + on_gpu(given.gpu, checks), encoding="utf-8")
    else:
        (check,) = checks.values()
        PAGE.write_text(page(check) + (f"\n{_GPU}{gpu}" if gpu else ""), encoding="utf-8")


if __name__ == "__main__":
    main()
