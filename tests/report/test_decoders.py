"""The table of what the decoders of browsers make of files."""

from __future__ import annotations

import io

from rich.console import Console

from pycheck.report.decoders import decoders_markdown, print_decoders
from pycheck.types.decoders import DecodedFile, Decoders, EngineDecoders

FOUND = Decoders(
    ("Pillow 11.0", "soundfile 0.13"),
    (
        EngineDecoders(
            "chromium", files=(DecodedFile("a.png", "PNG"), DecodedFile("b.wav", "WAV", rms=0.5, largest=2))
        ),
        EngineDecoders("webkit", missing="no browser"),
    ),
)


def test_each_file_has_a_row_under_titles_and_an_engine_that_did_not_run_its_reason() -> None:
    written = io.StringIO()
    print_decoders(FOUND, Console(file=written, width=100))
    titles, first, second, *rest = written.getvalue().splitlines()
    assert titles.split() == ["file", "kind", "chromium"]
    assert first.split()[:2] == ["a.png", "PNG"]
    assert second.split() == ["b.wav", "WAV", "0.5,", "at", "most", "2"]
    assert "webkit: not measured: no browser." in rest
    assert decoders_markdown(FOUND).splitlines()[:2] == ["| file | kind | chromium |", "| --- | --- | --- |"]
