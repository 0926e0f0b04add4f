"""Prints what the decoders of browsers make of files: a row for each file, a column for each engine."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..types import DecodedFile, Decoders
from .codec import encode
from .layout import capture, paragraph

_EQUAL = "equal"


def decoders_json(found: Decoders) -> str:
    """Return everything as JSON."""
    return json.dumps(encode(found), indent=2, ensure_ascii=False, allow_nan=False)


def decoders_markdown(found: Decoders) -> str:
    """Return the table as Markdown."""
    header, *rows = cells(found)
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def print_decoders(found: Decoders, console: Console) -> None:
    """Print the table, and why an engine is missing."""
    header, *rows = cells(found)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in header:
        table.add_column(title, header_style="bold", overflow="fold")
    for row in rows:
        table.add_row(*row)
    parts: list[Table | Text] = [table, Text()]
    parts.append(
        paragraph(
            f"Against {' and '.join(found.python)}: RMS and largest difference, of 255 for the visible pixels of "
            "images, of 1 for sounds.",
            console.width,
        )
    )
    for engine in found.engines:
        if engine.missing:
            parts.append(paragraph(f"{engine.engine}: not measured: {engine.missing}.", console.width))
    console.file.write(capture(parts, console))


def cells(found: Decoders) -> Iterator[tuple[str, ...]]:
    """Yield the titles, and a row for each file."""
    ran = [engine for engine in found.engines if not engine.missing]
    yield ("file", "kind", *(engine.engine for engine in ran))
    for files in zip(*(engine.files for engine in ran), strict=True):
        kind = next((file.kind for file in files if not file.failure), files[0].kind)
        yield (files[0].name, kind, *map(_cell, files))


def _cell(file: DecodedFile) -> str:
    if file.failure:
        return file.failure
    apart = f"{file.rms:.2g}, at most {file.largest:.2g}" if file.largest else _EQUAL
    return "; ".join([apart, *file.facts])
