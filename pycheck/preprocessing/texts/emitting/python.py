"""Writes a description as a Python module that makes the same token ids, with NumPy and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from ...lines import wrapped
from ..description import CASES, REMOVED, SPACES, SPLITS, Description, Side, sentence
from ..layout import ENDS
from .vocabulary import first_id, words_as_dictionary, words_as_list


def python(side: Side, origin: str) -> str:
    """Return the module whose function `load` takes the path of a file; `origin` names the code that it is like."""
    description = side.description
    first = first_id(description.numbers)
    has_patterns = bool(REMOVED[description.removed]) or description.split != SPACES[0]
    lines = [
        *wrapped(f'"""Makes of a text the token ids that {origin} makes of it.'),
        "",
        *wrapped(f"{sentence(description)}."),
        "Written and checked by pycheck preprocess --emit python.",
        '"""',
        "",
        *(["import re"] if has_patterns else []),
        "from pathlib import Path",
        "",
        "import numpy as np",
        "",
        f"LENGTH = {description.length}",
        "",
        "",
        *_body(side),
        "",
        "",
    ]
    if first is None:
        pairs = words_as_dictionary(description.numbers)
        lines += ["# The id of each word.", f"IDS = {pairs[0]}", *pairs[1:]]
    else:
        words = words_as_list(description.numbers, 4)
        start = f", {first}" if first else ""
        lines += [
            f"# The words; the id of the first one is {first}.",
            f"WORDS = {words[0]}",
            *words[1:],
            f"IDS = {{word: number for number, word in enumerate(WORDS{start})}}",
        ]
    return "\n".join(lines) + "\n"


def _body(side: Side) -> Iterator[str]:
    description = side.description
    yield "def load(path):"
    yield f'    """Return the token ids of one text: int32 {list(side.shape)}."""'
    yield '    text = Path(path).read_text(encoding="utf-8")'
    yield f"    return np.array(row(words(text)), np.int32).reshape({side.shape})"
    yield ""
    yield ""
    yield "def words(text):"
    yield '    """Return the words of a text."""'
    if description.case == CASES[1]:
        yield '    text = text.encode("utf-8").lower().decode("utf-8")  # ASCII letters only'
    elif description.case == CASES[2]:
        yield "    text = text.lower()"
    if pattern := REMOVED[description.removed]:
        yield f"    text = re.sub({_raw(pattern)}, {description.fill!r}, text)".replace("''", '""').replace(
            "' '", '" "'
        )
    if description.split == SPACES[0]:
        yield "    return text.split()"
    elif description.split in SPACES:
        yield f"    return [word for word in re.split({_raw(SPLITS[description.split])}, text) if word]"
    else:
        yield f"    return re.findall({_raw(SPLITS[description.split])}, text)"
    yield ""
    yield ""
    yield "def row(words):"
    yield '    """Return LENGTH ids: those of the words, cut and padded."""'
    yield from _row(description)


def _row(description: Description) -> Iterator[str]:
    layout = description.layout
    count = len(layout.before) + len(layout.after)
    room = f"LENGTH - {count}" if count else "LENGTH"
    if description.unknown is None:
        yield "    ids = [IDS[word] for word in words if word in IDS]  # no unknown words"
    else:
        yield f"    ids = [IDS.get(word, {description.unknown}) for word in words]  # {description.unknown}: unknown"
    if layout.cut == ENDS[0]:
        yield f"    ids = ids[:{room}]" if not count else f"    ids = ids[: {room}]"
    else:
        yield f"    ids = ids[-({room}) :]" if count else "    ids = ids[-LENGTH:]"
    if layout.reversed:
        yield "    ids = ids[::-1]"
    if count:
        around = [*map(str, layout.before), "*ids", *map(str, layout.after)]
        yield f"    ids = [{', '.join(around)}]"
    padding = f"[{layout.padding}] * (LENGTH - len(ids))"
    yield f"    return ids + {padding}" if layout.side == ENDS[0] else f"    return {padding} + ids"


def _raw(pattern: str) -> str:
    """Return a raw text of Python; a pattern with both quotes needs three."""
    if '"' not in pattern:
        return f'r"{pattern}"'
    return f"r'{pattern}'" if "'" not in pattern else f'r"""{pattern}"""'
