"""Reads JSON as strictly as browsers do, and recognizes files of a different kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ArtifactFileError

_GLIMPSE_BYTES = 512
_COPY_AGAIN = "Copy the model again, or convert it again."
#: Files that are saved as model.json or as a shard by mistake: their first bytes, their kind, the advice.
_IMPOSTORS = (
    (
        re.compile(rb"version https://git-lfs\.github\.com/"),
        "a Git LFS pointer, not the file",
        "Fetch the file: git lfs pull",
    ),
    (
        re.compile(rb"(?i)<(!doctype|html|head|body|\?xml|!--)"),
        "an HTML page, such as an error or a login page",
        "Download the raw file.",
    ),
    (re.compile(rb"\x1f\x8b"), "compressed with gzip", "Decompress it with gunzip."),
    (re.compile(rb"PK\x03\x04"), "a zip archive", "Unzip it, and give the path of its model.json."),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "text in UTF-16", "Save it as UTF-8: browsers read JSON as UTF-8."),
)
#: The rest of a document that ends too early, from the error on: nothing, or part of a word.
_CUT = re.compile(r"\s*(t|tr|tru|f|fa|fal|fals|n|nu|nul|-)?\s*")
_PYTHON = re.compile(r"'|True\b|False\b|None\b")
_JAVASCRIPT = re.compile(r"\s*(export|module\.exports|const|let|var)\b")
_TRAILING_COMMA = re.compile(r",\s*[\]}]")


def impostor(head: bytes) -> tuple[str, str] | None:
    """Recognize a file that is not JSON by its first bytes: its kind and the advice; None if unknown."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next(((what, advice) for pattern, what, advice in _IMPOSTORS if pattern.match(start)), None)


def impostor_file(file: Path) -> tuple[str, str] | None:
    """Recognize a file on disk; see `impostor`."""
    with file.open("rb") as stream:
        return impostor(stream.read(_GLIMPSE_BYTES))


def read_json(file: Path) -> Any:
    """Read a JSON file as a browser's JSON.parse does; a byte order mark is skipped, as fetch does.

    ArtifactFileError: the file cannot be read, or is not JSON; the message says what it is and where the error is.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ArtifactFileError(
            f"Cannot read {file}: {error.strerror}.", "Give the path of a TF.js model.json, or of its folder."
        ) from error
    if not data:
        raise _refused(file, "it is empty (0 bytes)", _COPY_AGAIN)
    if found := impostor(data[:_GLIMPSE_BYTES]):
        raise _refused(file, f"it is {found[0]}", found[1])
    constants: list[str] = []

    def constant(name: str) -> float:
        constants.append(name)
        return float(name)

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 at byte {error.start}"
        raise _refused(file, reason, _COPY_AGAIN) from error
    try:
        content = json.loads(text, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise _refused(file, *_syntax(text, error)) from error
    except RecursionError as error:
        raise _refused(file, "it is nested too deeply", _COPY_AGAIN) from error
    if constants:
        raise _refused(file, *_nonfinite(content, constants))
    return content


def _refused(file: Path, reason: str, advice: str) -> ArtifactFileError:
    return ArtifactFileError(f"{file} is not a TF.js model: {reason}.", advice)


def _place(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return f"line {line}, column {column}"


def _syntax(text: str, error: json.JSONDecodeError) -> tuple[str, str]:
    """Say why a text is not JSON, and how to fix it."""
    at = error.pos
    where = _place(text, at)
    if _CUT.fullmatch(text, at) or error.msg.startswith("Unterminated string"):
        return f"its JSON is cut off after {len(text.encode()):,} bytes", _COPY_AGAIN
    before = len(text[:at].rstrip())
    for start in (at, before - 1):  # Python 3.13 names the comma, and older ones what follows it
        if start >= 0 and _TRAILING_COMMA.match(text, start):
            return f"its JSON has a comma before a closing bracket at {_place(text, start)}", "Remove the comma."
    if text[at : at + 2] in ("//", "/*") or text[at : at + 1] == "#":
        return f"its JSON has a comment at {where}", "Remove the comment: JSON does not allow it."
    if _PYTHON.match(text, at):
        return (
            f"it is a Python literal, not JSON (at {where})",
            "Write it with json.dump(model, file)",
        )
    if _JAVASCRIPT.match(text):
        return "it is a JavaScript module, not JSON", "Keep only the object, and put all names in double quotes."
    if error.msg == "Extra data":
        return f"it has text after the JSON document, at {where}: {_shown(text, at)}", _COPY_AGAIN
    return f"its JSON is invalid at {where}: {error.msg}, at {_shown(text, at)}", _COPY_AGAIN


def _shown(text: str, at: int) -> str:
    return repr(text[at : at + 20])


def _nonfinite(content: Any, constants: list[str]) -> tuple[str, str]:
    """Say which values are NaN or infinity, what wrote them, and how to fix it."""
    places = list(_constants(content, ()))
    weights = dict.fromkeys(found for place in places if (found := _weight(content, place)))
    first = ".".join(map(str, places[0])) if places else "a value"
    if not weights:
        count = f" ({len(constants)} such values)" if len(constants) > 1 else ""
        return (
            f"{first} is {constants[0]}, which JSON does not allow{count}",
            "Use a finite number, such as -1e9, in the model, and convert it again.",
        )
    names = ", ".join(name for name, _ in weights)
    several = len(weights) > 1
    quantization = next(iter(weights))[1]
    return (
        f"the weight{'s' if several else ''} {names} {'have' if several else 'has'} NaN or infinity, so the "
        "quantization "
        f'to {quantization} wrote "{places[0][-1]}": {constants[0]}, which JSON does not allow',
        f"Convert the model with pycheck convert --quantize {quantization}, which keeps such weights in float32. "
        "With the "
        "published converter use --quantize_float16, or replace infinity by a finite number, such as -1e9.",
    )


def _weight(content: Any, path: tuple[str | int, ...]) -> tuple[str, str] | None:
    """Return name and quantization of the weight whose entry in the manifest contains this place, if any."""
    if len(path) != 6 or (path[0], path[2], path[4]) != ("weightsManifest", "weights", "quantization"):
        return None
    entry = content[path[0]][path[1]][path[2]][path[3]]
    return str(entry.get("name")), str(entry["quantization"].get("dtype"))


def _constants(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the places of NaN and infinities."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _constants(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _constants(item, (*path, index))
    elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        yield path
