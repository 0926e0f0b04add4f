"""The value types of options, and how the command line, a file, a variable and Python write each of them.

``pycheck --help`` imports this module, so it does not import NumPy and pydantic.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar


class WrongValue(ValueError):
    """The error for an invalid value of an option. `shown` is the wrong part of it."""

    def __init__(self, shown: object, problem: str, advice: str = "") -> None:
        super().__init__(problem)
        self.shown = str(shown)
        self.problem = problem
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Kind:
    """A text. Subclasses are the other value types.

    `type` is that of the value in `Options` and `keyword` that of the keyword in Python, both as Python source; `file`
    is the type that pydantic checks in a file. A `repeatable` value is a list of texts on the command line.
    """

    type: ClassVar[str] = "str"
    keyword: ClassVar[str] = "str"
    file: ClassVar[Any] = str
    repeatable: ClassVar[bool] = False
    completes: ClassVar[bool] = False

    def read(self, value: Any) -> Any:
        """Convert a value from a command line, a file, a variable or Python; WrongValue if it is invalid."""
        return value

    def beside(self, folder: Path, value: Any) -> Any:
        """Make the paths in a value relative to the folder of its settings file."""
        return value

    def split(self, text: str) -> Any:
        """Split the text of an environment variable into what `read` accepts."""
        return text.split() if self.repeatable else text

    def words(self, flag: str, value: Any) -> list[str]:
        """Format a value as words of a command line."""
        return [word for item in value for word in (flag, str(item))] if self.repeatable else [flag, str(value)]

    def known(self) -> tuple[str, ...]:
        """Return the words that a shell can complete, if it `completes`."""
        return ()


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of several words."""

    completes: ClassVar[bool] = True
    words_known: tuple[str, ...]

    def read(self, value: Any) -> str:
        return one_of(self.words_known, str(value))

    def known(self) -> tuple[str, ...]:
        return self.words_known


class Policy(Choice):
    """The treatment of a NaN."""

    type: ClassVar[str] = "NanPolicy"

    def read(self, value: Any) -> Any:
        from ..types import NanPolicy

        return NanPolicy(super().read(value))


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """An integer, at least 1 or as given."""

    type: ClassVar[str] = "int"
    keyword: ClassVar[str] = "int"
    file: ClassVar[Any] = int
    least: int | None = 1

    def read(self, value: Any) -> int:
        try:
            number = int(value)
            if isinstance(value, float) and value != number:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise WrongValue(value, "the value must be a whole number") from None
        if self.least is not None and number < self.least:
            raise WrongValue(value, f"the value must be at least {self.least}")
        return number


class Number(Kind):
    """A number above 0."""

    type: ClassVar[str] = "float"
    keyword: ClassVar[str] = "float"
    file: ClassVar[Any] = float
    what: ClassVar[str] = "a number above 0"

    def read(self, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 < number < math.inf:
            raise WrongValue(value, f"the value must be {self.what}")
        return number

    def words(self, flag: str, value: float) -> list[str]:
        return [flag, number_text(value)]


class Share(Number):
    """A share from 0 to 1."""

    def read(self, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 <= number <= 1:
            raise WrongValue(value, "the value must be a share from 0 to 1")
        return number


class Seconds(Number):
    """A time."""

    what: ClassVar[str] = "a number of seconds above 0"


class Bytes(Kind):
    """A size of memory, such as ``512MiB``."""

    type: ClassVar[str] = "int"
    keyword: ClassVar[str] = "int | str"
    file: ClassVar[Any] = int | str

    def read(self, value: Any) -> int:
        try:
            size = parse_size(value)
        except ValueError as error:
            raise WrongValue(value, str(error)) from None
        if size < 1:
            raise WrongValue(value, "the value must be at least 1")
        return size


class Origin(Kind):
    """A web address without a path, such as ``https://pc.example``."""

    def read(self, value: Any) -> str:
        text = str(value).rstrip("/")
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?", text):
            raise WrongValue(
                value, "the form is https://HOST or https://HOST:PORT, in small letters and without a path"
            )
        return text


class Switch(Kind):
    """On or off."""

    type: ClassVar[str] = "bool"
    keyword: ClassVar[str] = "bool"
    file: ClassVar[Any] = bool

    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise WrongValue(value, "the value must be true or false")
        return value

    def words(self, flag: str, value: bool) -> list[str]:
        return [flag if value else f"--no-{flag[2:]}"]


class Texts(Kind):
    """Several texts; a single one may be given without a list."""

    type: ClassVar[str] = "tuple[str, ...]"
    keyword: ClassVar[str] = "str | Sequence[str]"
    file: ClassVar[Any] = str | list[str]
    repeatable: ClassVar[bool] = True

    def read(self, value: Any) -> tuple[Any, ...]:
        items = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
        return tuple(dict.fromkeys(map(self.item, items)))

    def item(self, value: Any) -> Any:
        """Read one of them."""
        return str(value)


class Runtimes(Texts):
    """Candidates, which run in browsers."""

    type: ClassVar[str] = "tuple[RuntimeId, ...]"
    keyword: ClassVar[str] = "str | Sequence[str | RuntimeId]"
    completes: ClassVar[bool] = True

    def read(self, value: Any) -> tuple[Any, ...]:
        if not (read := super().read(value)):
            raise WrongValue("", "the list of runtimes is empty", "Name at least one, such as chromium:webgl.")
        return read

    def item(self, value: Any) -> Any:
        from ..types import BROWSER_ENGINES, BROWSER_KINDS, DEVICE, RuntimeId

        text = str(value)
        try:
            runtime = RuntimeId.parse(text)
        except ValueError as error:
            engines = [*BROWSER_ENGINES, text.rpartition(":")[0]] if text.startswith(DEVICE) else BROWSER_ENGINES
            known = [f"{engine}:{kind}" for engine in engines for kind in BROWSER_KINDS]
            near = [f"chromium:{text}"] if text in BROWSER_KINDS else difflib.get_close_matches(text, known, n=1)
            raise WrongValue(
                text, str(error), f"Did you mean {near[0]}?" if near and near[0] != text else ""
            ) from error
        if runtime.engine in ("native", "artifact"):
            raise WrongValue(
                text,
                "this runtime is a reference, which every run includes",
                "Name a browser runtime, such as chromium:webgl.",
            )
        return runtime

    def known(self) -> tuple[str, ...]:
        from ..types import BROWSER_ENGINES, BROWSER_KINDS

        return tuple(f"{engine}:{kind}" for engine in BROWSER_ENGINES for kind in BROWSER_KINDS)


class FilePath(Kind):
    """A file or a folder."""

    type: ClassVar[str] = "Path"
    keyword: ClassVar[str] = "str | os.PathLike[str]"

    def read(self, value: Any) -> Path:
        if not str(value):
            raise WrongValue("", "the path is empty")
        return Path(value).expanduser()

    def beside(self, folder: Path, value: Path) -> Path:
        return folder / value


class Code(Kind):
    """A function of the user's: ``FILE:NAME``, or a name that is no file."""

    def read(self, value: Any) -> str:
        return str(value)

    def beside(self, folder: Path, value: str) -> str:
        """Make the path of the file relative to the folder of its settings file."""
        is_file = any((folder / name).is_file() for name in (value, value.rpartition(":")[0]))
        return str(folder / value) if "/" in value or is_file else value


class Assignments(Kind):
    """Several ``NAME=VALUE``."""

    type: ClassVar[str] = "tuple[tuple[str, str], ...]"
    keyword: ClassVar[str] = "Mapping[str, str | int | float | bool]"
    file: ClassVar[Any] = dict[str, str | int | float | bool] | list[str]
    repeatable: ClassVar[bool] = True

    def read(self, value: Any) -> tuple[tuple[str, str], ...]:
        if isinstance(value, Mapping):
            return tuple((str(name), str(item)) for name, item in value.items())
        return tuple(self._pair(item) for item in ([value] if isinstance(value, str) else value))

    def words(self, flag: str, value: Sequence[tuple[str, Any]]) -> list[str]:
        # One word with its option, since a browser's argument begins with dashes itself.
        return [f"{flag}={name}={item}" for name, item in value]

    def _pair(self, item: str | tuple[str, str]) -> tuple[str, str]:
        left, separator, right = item.partition("=") if isinstance(item, str) else (item[0], "=", item[1])
        if not (separator and left and right):
            raise WrongValue(item, "the form is NAME=VALUE")
        return left, right


class ShardOfCheck(Kind):
    """One of the parts of a check, as ``2/5``."""

    type: ClassVar[str] = "Shard"

    def read(self, value: Any) -> Any:
        from ..types import Shard

        text = str(value)
        if not (match := re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)):
            raise WrongValue(text, "the form is K/N", "For example 2/5, the second of five shards.")
        shard = Shard(int(match[1]), int(match[2]))
        if not 1 <= shard.number <= shard.count:
            advice = "If your system counts from 0, add 1: $((INDEX + 1))/N." if not shard.number else ""
            known = f"the shards are 1/{shard.count} to {shard.count}/{shard.count}" if shard.count else "N is 0"
            raise WrongValue(text, known, advice)
        return shard


class DaskCluster(Kind):
    """A Dask cluster: the address of its scheduler, or ``local`` for the cores of this machine."""

    def read(self, value: Any) -> str:
        text = str(value)
        if text != "local" and not re.fullmatch(r"([a-z]+://)?[^\s/:]+:[0-9]+|[a-z]+://[^\s/]+(/\S*)?", text):
            raise WrongValue(
                text, "the value must be local or the address of a scheduler", "For example tcp://10.0.0.5:8786."
            )
        return text


def one_of(known: Sequence[str], value: str) -> str:
    """Return the value if it is known; else raise WrongValue with the nearest known one."""
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1)
        raise WrongValue(
            value, f"the value must be one of {', '.join(known)}", f"Did you mean {near[0]}?" if near else ""
        )
    return value


def number_text(value: float) -> str:
    """Format a number briefly if that is exact, else with all its digits."""
    return text if float(text := f"{value:g}") == value else repr(value)


def parse_size(text: str | int) -> int:
    """Parse ``512MiB``, ``1GiB``, ``2GB`` or a number of bytes; ValueError for other texts."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kMGT]i?)?B?", str(text).strip())
    if not match:
        raise ValueError("the form is that of 512MiB or 2GiB")
    number, unit = match.groups()
    base = 1024 if unit and unit.endswith("i") else 1000
    return int(float(number) * base ** ("kMGT".index(unit[0]) + 1 if unit else 0))
