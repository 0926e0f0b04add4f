"""Writes a description as an ES module that makes the same token ids in a page; TF.js only holds the result."""

from __future__ import annotations

from collections.abc import Iterator

from ...lines import wrapped
from ..description import CASES, REMOVED, SPACES, SPLITS, Description, Side, sentence
from ..layout import ENDS
from .vocabulary import first_id, words_as_list, words_as_pairs

#: What \s and \w of Python are, which are not those of JavaScript.
_CLASSES = {
    r"\s": r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\w": r"\p{L}\p{N}_",
}


def javascript(side: Side, origin: str) -> str:
    """Return the module whose default export takes (blob, tf); `origin` names the code that it is like."""
    description = side.description
    first = first_id(description.numbers)
    lines = [
        *(f"// {line}" for line in wrapped(f"Makes of a text the token ids that {origin} makes of it:")),
        *(f"// {line}" for line in wrapped(f"{sentence(description)}.")),
        "// Written and checked by pycheck preprocess --emit js.",
        "",
        f"const LENGTH = {description.length};",
        *_constants(description),
        "",
        *_body(side),
        "",
    ]
    if first is None:
        pairs = words_as_pairs(description.numbers)
        lines += ["// The id of each word.", f"const IDS = new Map({pairs[0]}", *pairs[1:-1], f"{pairs[-1]});"]
    else:
        words = words_as_list(description.numbers, 2)
        lines += [
            f"// The words; the id of the first one is {first}.",
            f"const WORDS = {words[0]}",
            *words[1:-1],
            f"{words[-1]};",
            f"const IDS = new Map(WORDS.map((word, n) => [word, n{f' + {first}' if first else ''}]));",
        ]
    return "\n".join(lines) + "\n"


def pattern_of(pattern: str) -> str:
    r"""Return a regular expression of Python in JavaScript: with what \s and \w are in Python."""
    made, inside, at = "", False, 0
    while at < len(pattern):
        two = pattern[at : at + 2]
        if two in _CLASSES:
            made += _CLASSES[two] if inside else f"[{_CLASSES[two]}]"
        elif two.startswith("\\"):
            made += two
        else:
            inside = two[0] == "[" or (inside and two[0] != "]")
            made += r"\/" if two[0] == "/" else two[0]
            at -= 1
        at += 2
    return made


def _constants(description: Description) -> Iterator[str]:
    if pattern := REMOVED[description.removed]:
        yield f"const REMOVED = /{pattern_of(pattern)}/gu;"
    if description.split in SPACES:
        remark = " // the white space of Python" if description.split == SPACES[0] else ""
        yield f"const SPACE = /{pattern_of(SPLITS[description.split])}/;{remark}"
    else:
        yield f"const WORD = /{pattern_of(SPLITS[description.split])}/gu;"


def _body(side: Side) -> Iterator[str]:
    description = side.description
    yield "export default async function (blob, tf) {"
    yield "  const ids = row(words(await blob.text()));"
    yield f"  return tf.tensor(ids, {list(side.shape)}, 'int32');"
    yield "}"
    yield ""
    yield "/** Returns the words of a text. */"
    yield "function words(text) {"
    if description.case == CASES[1]:
        yield "  text = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()); // ASCII letters only"
    elif description.case == CASES[2]:
        yield "  text = text.toLowerCase();"
    if REMOVED[description.removed]:
        yield f"  text = text.replace(REMOVED, '{description.fill}');"
    if description.split in SPACES:
        yield "  return text.split(SPACE).filter((word) => word);"
    else:
        yield "  return text.match(WORD) ?? [];"
    yield "}"
    yield ""
    yield "/** Returns LENGTH ids: those of the words, cut and padded. */"
    yield "function row(words) {"
    yield from _row(description)
    yield "}"


def _row(description: Description) -> Iterator[str]:
    layout = description.layout
    room = "LENGTH"
    if count := len(layout.before) + len(layout.after):
        room = f"LENGTH - {count}"
    if description.unknown is None:
        yield "  let ids = words.filter((word) => IDS.has(word)).map((word) => IDS.get(word)); // no unknown words"
    else:
        unknown = description.unknown
        yield f"  let ids = words.map((word) => IDS.get(word) ?? {unknown}); // {unknown}: unknown"
    if layout.cut == ENDS[0]:
        yield f"  ids = ids.slice(0, {room});"
    else:
        yield f"  ids = ids.slice(Math.max(ids.length - ({room}), 0));" if count else "  ids = ids.slice(-LENGTH);"
    if layout.reversed:
        yield "  ids.reverse();"
    if layout.before or layout.after:
        around = [*map(str, layout.before), "...ids", *map(str, layout.after)]
        yield f"  ids = [{', '.join(around)}];"
    padding = f"new Array(LENGTH - ids.length).fill({layout.padding})"
    inside = f"...ids, ...{padding}" if layout.side == ENDS[0] else f"...{padding}, ...ids"
    yield f"  return [{inside}];"
