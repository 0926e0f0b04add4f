"""Writes docs/converters.md: how the artifacts of the published converter differ from pycheck's, sample by sample.

``python docs/make_converters.py`` needs the published converter: ``pycheck doctor --install tensorflowjs``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pycheck
from pycheck.types import Report

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).parent / "converters.md"
RUNTIMES = ("chromium:cpu", "chromium:wasm", "chromium:webgl")
#: Samples, each with its requested format; the last ones are as in a pipeline that does not export first.
CASES = (
    ("cnn.keras", "auto"),
    ("attention.keras", "auto"),
    ("recurrent.keras", "auto"),
    ("two_io.keras", "auto"),
    ("keras2.h5", "auto"),
    ("half_overflow.keras", "auto"),
    ("webgl_nan.keras", "auto"),
    ("cnn.keras", "layers"),
    ("cnn.h5", "layers"),
)
_BEGIN, _END = "<!-- generated: docs/make_converters.py -->", "<!-- end of what is generated -->"


def rows() -> Iterator[tuple[str, ...]]:
    """Yield, for each sample, a row for each converter."""
    for sample, form in CASES:
        inputs = next((ROOT / "models").glob(f"{Path(sample).stem}_inputs.*"))
        for converter in ("pycheck", "tensorflowjs"):
            try:
                report = pycheck.compare(
                    ROOT / "models" / sample, inputs, converter=converter, format=form, runtimes=RUNTIMES, power=False
                )
            except pycheck.PycheckError as error:
                yield sample, converter, form, "", "", _short(error.message)
            else:
                yield sample, converter, *_described(report), _verdicts(report)


def _described(report: Report) -> tuple[str, str, str]:
    """Return the format, the size and the content of the artifact."""
    artifact = report.artifact
    assert artifact is not None
    content = json.loads((artifact.folder / artifact.model_file).read_bytes())
    weights = sum(len(group["weights"]) for group in content["weightsManifest"])
    topology = content["modelTopology"]
    nodes: Sequence[Any] = topology.get("node", ())
    parts = f"{len(nodes)} nodes, {len({node['op'] for node in nodes})} operations, " if nodes else ""
    return artifact.format, f"{artifact.size_bytes / 1000:.1f} kB", f"{parts}{weights} weights"


def _verdicts(report: Report) -> str:
    """Return the verdict with the largest error of each runtime, or with the first sentence of the first finding."""
    errors: dict[str, float] = {}
    for comparison in report.comparisons:
        if not comparison.is_noise_floor and comparison.max_abs_error is not None:
            name = str(comparison.candidate).removeprefix("chromium:")
            errors[name] = max(errors.get(name, 0.0), comparison.max_abs_error)
    if not errors:
        return f"{report.verdict.value}: {_short(report.findings[0].summary) if report.findings else ''}"
    return f"{report.verdict.value}: " + ", ".join(f"{name} {error:.1e}" for name, error in errors.items())


def _short(text: str) -> str:
    return re.split(r"(?<=\.) |\n", text)[0].replace("|", "\\|")


def table() -> str:
    """Return the rows as Markdown, and print each as it is measured."""
    lines = ["| sample | converter | format | size | content | verdict, largest error |", "| --- " * 6 + "|"]
    for row in rows():
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    """Replace the generated part of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(_BEGIN)[0], text.split(_END)[1]
    PAGE.write_text(f"{before}{_BEGIN}\n\n{table()}\n\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
