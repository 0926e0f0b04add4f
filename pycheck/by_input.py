"""What is asked of made inputs. Ranges and sizes are for all of them, or for one by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import UsageError

Range = tuple[float, float]
#: By input name; None is every input.
Ranges = Mapping[str | None, Range]
Sizes = Mapping[str | None, tuple[int, ...]]

_SIZE = re.compile(r"(?:(?P<name>.+):)?(?P<sizes>\d+(?:x\d+)*)")


#: Options that have an effect on made inputs alone.
MADE = ("samples", "seed", "range", "size")


def refuse_beside(inputs: Any, asked: Mapping[str, Any]) -> None:
    """UsageError for an option of `MADE` that was asked for together with inputs.

    `asked` has what this call was given. Defaults from a file or the environment are for calls that make inputs.
    """
    if inputs is None:
        return
    for name in MADE:
        if asked.get(name) not in (None, (), []):
            raise UsageError(f"--{name} is for made inputs, and inputs are given", f"Leave out --{name} or the inputs.")


def ranges(given: Any) -> dict[str | None, Range]:
    """``0:1`` for all inputs, ``kinds:0:12`` for one; also two numbers, several of these, or ranges by name.

    UsageError for anything else.
    """
    if isinstance(given, Mapping):
        return {str(name): _two(f"{name}:", value) for name, value in given.items()}
    if _are(given, (int, float)):
        return {None: _two("", given)}
    found: dict[str | None, Range] = {}
    for text in _texts(given):
        name, *numbers = text.rsplit(":", 2) if text.count(":") > 1 else ("", *text.split(":"))
        found[name or None] = _two(f"{name}:" if name else "", numbers)
    return found


def sizes(given: Any) -> dict[str | None, tuple[int, ...]]:
    """``224x224`` or ``16000`` for all inputs, ``audio:16000`` for one; also numbers, several, or sizes by name.

    UsageError for anything else.
    """
    if isinstance(given, Mapping):
        return {str(name): _whole(f"{name}:", value) for name, value in given.items()}
    if isinstance(given, int) or _are(given, (int,)):
        return {None: _whole("", given)}
    found: dict[str | None, tuple[int, ...]] = {}
    for text in _texts(given):
        match = _SIZE.fullmatch(text)
        if not match:
            raise _wrong_size(text)
        found[match["name"]] = _whole(f"{match['name']}:" if match["name"] else "", match["sizes"])
    return found


def size_text(values: Iterable[int]) -> str:
    """As an option has it, such as ``224x224``."""
    return "x".join(map(str, values))


def _two(name: str, value: Any) -> Range:
    parts = value.split(":") if isinstance(value, str) else value
    shown = f"{name}{value if isinstance(value, str) else ':'.join(map(str, value)) if _listed(value) else value}"
    try:
        low, high = (float(part) for part in _parts(parts))
    except (TypeError, ValueError):
        raise UsageError(
            f"--range {shown}: write LO:HI or INPUT:LO:HI",
            "Such as --range 0:255, or --range kinds:0:12 for one input.",
        ) from None
    if not low < high:
        raise UsageError(f"--range {shown}: the first number must be the smaller")
    return low, high


def _whole(name: str, value: Any) -> tuple[int, ...]:
    parts = value.split("x") if isinstance(value, str) else [value] if isinstance(value, int) else value
    try:
        numbers = tuple(int(str(part)) for part in _parts(parts))
    except (TypeError, ValueError):
        raise _wrong_size(f"{name}{value}") from None
    if not numbers or min(numbers) < 1:
        raise UsageError(f"--size {name}{size_text(numbers)}: a size is at least 1")
    return numbers


def _wrong_size(text: str) -> UsageError:
    return UsageError(
        f"--size {text}: write N, NxM or INPUT:N", "Such as --size 224x224, or --size audio:16000 for one input."
    )


def _parts(value: Any) -> Sequence[Any]:
    if not isinstance(value, Sequence):
        raise TypeError
    return value


def _listed(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _are(given: Any, kinds: tuple[type, ...]) -> bool:
    return _listed(given) and bool(given) and all(isinstance(item, kinds) for item in given)


def _texts(given: Any) -> list[str]:
    return [str(item) for item in given] if isinstance(given, list | tuple) else [str(given)]
