"""Lays out text for a terminal without breaking words: a name that is wider than the terminal overflows its line."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.segment import Segments
from rich.text import Text

_GAP = 2
_LEAST = 24
_WIDEST = 10_000


def paragraph(text: str | Text, width: int, *, indent: int = 0, style: str = "") -> Text:
    """Wrap a text between words at `width`, every line `indent` columns in."""
    whole = Text(text, style) if isinstance(text, str) else text
    return _indented(_lines(whole, max(width - indent, _LEAST)), indent)


def line(text: str | Text, *, indent: int = 0, style: str = "") -> Text:
    """Return the text in one line of any length, so that it can be copied."""
    return _indented([Text(text, style) if isinstance(text, str) else text], indent)


def hanging(label: Text, text: str, width: int) -> Text:
    """Put a label before a text, whose further lines are indented to its first line."""
    return _indented(_beside(label, text, width), 0)


def pairs(rows: Iterable[tuple[str, str]], width: int, *, indent: int = 0) -> Text:
    """Put labels before their texts, and align all texts."""
    found = list(rows)
    margin = max((len(label) for label, _ in found), default=0) + _GAP
    lines: list[Text] = []
    for label, text in found:
        lines += _beside(Text(label.ljust(margin), "dim"), text, width - indent)
    return _indented(lines, indent)


def capture(parts: Iterable[RenderableType], console: Console) -> str:
    """Return the text that the console would print, without the spaces that rich fills lines with."""
    with console.capture() as captured:
        for part in parts:
            if isinstance(part, Text):
                # The text is already wrapped. The terminal may wrap longer lines; rich must not.
                laid_out = part if part.no_wrap else paragraph(part, console.width)
                console.print(laid_out, highlight=False, soft_wrap=True)
            else:
                least = Measurement.get(console, console.options.update(max_width=_WIDEST), part).minimum
                options = console.options.update(width=max(least, console.width), max_width=_WIDEST)
                console.print(Segments(console.render(part, options)), soft_wrap=True, end="")
    return "\n".join(text.rstrip() for text in captured.get().splitlines()) + "\n"


def text_console(width: int, *, color: bool = False) -> Console:
    """Make a console of a given width to capture from, independent of the terminal."""
    return Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        legacy_windows=False,
        emoji=False,
        markup=False,
    )


def _beside(label: Text, text: str, width: int) -> list[Text]:
    margin = len(label)
    pieces = _lines(Text(text), max(width - margin, _LEAST))
    return [(Text(" " * margin) if rank else label) + piece for rank, piece in enumerate(pieces)]


def _lines(text: Text, width: int) -> list[Text]:
    """Split a text into lines of at most a given width, unless a word is wider."""
    breaks: list[int] = []
    start = 0
    for word in re.finditer(r"\S+", text.plain):
        if word.end() - start > width and word.start() > start:
            breaks.append(word.start())
            start = word.start()
    pieces = list(text.divide(breaks))
    for piece in pieces:
        piece.rstrip()
    return pieces


def _indented(lines: Iterable[Text], indent: int) -> Text:
    whole = Text("\n").join([Text(" " * indent) + piece for piece in lines])
    whole.no_wrap = True
    return whole
