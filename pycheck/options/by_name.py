"""The kinds of values that apply to all outputs, inputs or browsers, or to one of them by its name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

from ..types.by_input import Range, size_text
from .kinds import Kind, WrongValue, number_text, one_of

_SIZE = re.compile(r"(?:(?P<name>.+):)?(?P<sizes>\d+(?:x\d+)*)")


class _ByName(Kind):
    """A mapping by name, in which None stands for all."""

    repeatable: ClassVar[bool] = True

    def read(self, value: Any) -> dict[str | None, Any]:
        if isinstance(value, Mapping):
            return {name if name is None else str(name): self.of(name, item) for name, item in value.items()}
        return self.of_all(value)

    def of_all(self, value: Any) -> dict[str | None, Any]:
        """Read texts with a name in front, or one value for all."""
        found: dict[str | None, Any] = {}
        for item in value if isinstance(value, list | tuple) else [value]:
            name, rest = self.parts(str(item))
            if not name and None in found:
                raise WrongValue(item, "two values have no name: write all but one as NAME:VALUE")
            found[name or None] = self.of(name or None, rest)
        return found

    def parts(self, text: str) -> tuple[str, str]:
        """Split a text into name and value."""
        name, _, rest = text.rpartition(":")
        return name, rest

    def of(self, name: str | None, value: Any) -> Any:
        """Read one value."""
        raise NotImplementedError

    def text(self, value: Any) -> str:
        """Format one value as on a command line."""
        raise NotImplementedError

    def words(self, flag: str, value: Mapping[str | None, Any]) -> list[str]:
        # A single word, because a number may be negative.
        return [f"{flag}={'' if name is None else f'{name}:'}{self.text(item)}" for name, item in value.items()]


class Limits(_ByName):
    """``1e-4`` for every output, ``scores:1e-4`` for one."""

    type: ClassVar[str] = "Mapping[str | None, float]"
    keyword: ClassVar[str] = "float | Mapping[str, float]"
    file: ClassVar[Any] = dict[str, float] | list[str | float] | str | float

    def of(self, name: str | None, value: Any) -> float:
        shown = _shown(name, value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise WrongValue(shown, f"{value!r} is not a number: write 1e-4 or OUTPUT:1e-4") from None
        if not number >= 0:
            raise WrongValue(shown, "the value must be at least 0")
        return number

    def text(self, value: float) -> str:
        return number_text(value)

    def words(self, flag: str, value: Mapping[str | None, float]) -> list[str]:
        said = (self.text(item) if name is None else f"{name}:{self.text(item)}" for name, item in value.items())
        return [word for text in said for word in (flag, text)]


class RangesOfInputs(_ByName):
    """``0:1`` for all inputs, ``kinds:0:12`` for one; also two numbers."""

    type: ClassVar[str] = "Ranges"
    keyword: ClassVar[str] = "tuple[float, float] | Mapping[str, tuple[float, float]]"
    file: ClassVar[Any] = dict[str, str | list[float]] | list[float] | list[str] | str

    def of_all(self, value: Any) -> dict[str | None, Any]:
        return {None: self.of(None, value)} if _are(value, Real) else super().of_all(value)

    def parts(self, text: str) -> tuple[str, str]:
        name, _, rest = text.rpartition(":")
        name, separator, low = name.rpartition(":")
        return (name, f"{low}:{rest}") if separator else ("", text)

    def of(self, name: str | None, value: Any) -> Range:
        parts = value.split(":") if isinstance(value, str) else value
        shown = _shown(name, value if not _listed(value) else ":".join(map(str, value)))
        try:
            low, high = (float(part) for part in _parts(parts))
        except (TypeError, ValueError):
            raise WrongValue(
                shown, "the form is LO:HI or INPUT:LO:HI", "For example 0:255, or kinds:0:12 for one input."
            ) from None
        if not low < high:
            raise WrongValue(shown, "the first number must be less than the second")
        return low, high

    def text(self, value: Range) -> str:
        return ":".join(map(number_text, value))


class SizesOfInputs(_ByName):
    """``224x224`` or ``16000`` for all inputs, ``audio:16000`` for one; also numbers."""

    type: ClassVar[str] = "Sizes"
    keyword: ClassVar[str] = "int | Sequence[int] | Mapping[str, int | Sequence[int]]"
    file: ClassVar[Any] = dict[str, int | str | list[int]] | list[int] | list[str] | int | str

    def of_all(self, value: Any) -> dict[str | None, Any]:
        return (
            {None: self.of(None, value)}
            if isinstance(value, Integral) or _are(value, Integral)
            else super().of_all(value)
        )

    def parts(self, text: str) -> tuple[str, str]:
        if not (match := _SIZE.fullmatch(text)):
            raise _wrong_size(text)
        return match["name"] or "", match["sizes"]

    def of(self, name: str | None, value: Any) -> tuple[int, ...]:
        parts = value.split("x") if isinstance(value, str) else [value] if isinstance(value, Integral) else value
        try:
            numbers = tuple(int(str(part)) for part in _parts(parts))
        except (TypeError, ValueError):
            raise _wrong_size(_shown(name, value)) from None
        if not numbers or min(numbers) < 1:
            raise WrongValue(_shown(name, size_text(numbers)), "a size must be at least 1")
        return numbers

    def text(self, value: Iterable[int]) -> str:
        return size_text(value)


class _ByEngine(Kind):
    """``firefox=VALUE`` for Firefox, ``VALUE`` for Chromium."""

    repeatable: ClassVar[bool] = True

    def read(self, value: Any) -> tuple[tuple[str, Any], ...]:
        if isinstance(value, Mapping):
            pairs = [(one_of(_engines(), str(engine)), item) for engine, item in value.items()]
        else:
            pairs = [self.pair(item) for item in ([value] if isinstance(value, str | Path) else value)]
        return tuple((engine, self.of(engine, item)) for engine, item in pairs)

    def pair(self, item: Any) -> tuple[str, Any]:
        """Split a text into engine and value."""
        if isinstance(item, tuple):
            return item[0], item[1]
        engine, separator, value = str(item).partition("=")
        if separator and engine in _engines():
            return engine, value
        if separator and re.fullmatch(r"[a-z]+", engine):
            one_of(_engines(), engine)
        return "chromium", str(item)

    def of(self, engine: str, value: Any) -> Any:
        """Read one value."""
        return str(value)

    def words(self, flag: str, value: Sequence[tuple[str, Any]]) -> list[str]:
        # A single word with its option, because a browser's argument begins with dashes itself.
        return [f"{flag}={engine}={item}" for engine, item in value]


class BrowserPaths(_ByEngine):
    """Paths of executables."""

    type: ClassVar[str] = "tuple[tuple[str, Path], ...]"
    keyword: ClassVar[str] = "str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]]"
    file: ClassVar[Any] = dict[str, str] | list[str] | str

    def of(self, engine: str, value: Any) -> Path:
        return Path(value).expanduser()

    def beside(self, folder: Path, value: tuple[tuple[str, Path], ...]) -> Any:
        return tuple((engine, folder / path if len(path.parts) > 1 else path) for engine, path in value)

    def split(self, text: str) -> list[str]:
        return text.split(os.pathsep)


class BrowserArguments(_ByEngine):
    """Arguments of browsers."""

    type: ClassVar[str] = "tuple[tuple[str, str], ...]"
    keyword: ClassVar[str] = "str | Sequence[str]"
    file: ClassVar[Any] = str | list[str]


class Addresses(_ByEngine):
    """Addresses of running browsers: ``ENGINE=ADDRESS``; ``webdriver=URL`` is one WebDriver end for every engine."""

    type: ClassVar[str] = "tuple[tuple[str, str], ...]"
    keyword: ClassVar[str] = "Mapping[str, str]"
    file: ClassVar[Any] = dict[str, str] | list[str]

    def read(self, value: Any) -> tuple[tuple[str, Any], ...]:
        items = list(value.items()) if isinstance(value, Mapping) else [value] if isinstance(value, str) else value
        pairs = [pair for item in items for pair in self._of_end(*self.pair(item))]
        return super().read(tuple(pairs))

    def _of_end(self, name: str, address: str) -> list[tuple[str, str]]:
        if name != "webdriver":
            return [(name, address)]
        return [(engine, f"webdriver+{address}") for engine in _engines()]

    def pair(self, item: Any) -> tuple[str, Any]:
        engine, _, address = str(item).partition("=") if isinstance(item, str) else (item[0], "", item[1])
        return engine, address

    def of(self, engine: str, value: Any) -> str:
        address = str(value)
        if engine not in _engines() or not (
            address == "by-hand" or re.match(r"(ws|http|webdriver\+http)s?://.", address)
        ):
            raise WrongValue(
                f"{engine}={address}",
                f"the form is ENGINE=ADDRESS, with the engine {', '.join(_engines())}",
                "ADDRESS is that of a Playwright server (ws://...), of Chromium's DevTools (http://127.0.0.1:9222), "
                "of a WebDriver end (webdriver+http://...), or by-hand.",
            )
        return address

    def words(self, flag: str, value: Sequence[tuple[str, Any]]) -> list[str]:
        return [without_account(word) for word in super().words(flag, value)]


def without_account(text: str) -> str:
    """Return a text without the names and passwords before the hosts of its web addresses."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)


def _engines() -> tuple[str, ...]:
    from ..types import BROWSER_ENGINES

    return BROWSER_ENGINES


def _shown(name: str | None, value: object) -> str:
    return str(value) if name is None else f"{name}:{value}"


def _wrong_size(text: str) -> WrongValue:
    return WrongValue(text, "the form is N, NxM or INPUT:N", "For example 224x224, or audio:16000 for one input.")


def _parts(value: Any) -> Sequence[Any]:
    if not isinstance(value, Sequence):
        raise TypeError
    return value


def _listed(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _are(given: Any, kind: type) -> bool:
    return _listed(given) and bool(given) and all(isinstance(item, kind) for item in given)
