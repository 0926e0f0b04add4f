"""What a page made of files with the user's own JavaScript: one sample from each file, or the reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from .names import Array

FileFailureCode = Literal["unreadable", "threw", "network", "timeout", "result", "differs"]


@dataclass(frozen=True, slots=True)
class AppCode:
    """A function of the user's app: an ES module, and the name of its export."""

    module: Path
    export: str = "default"

    @classmethod
    def of(cls, text: str) -> Self:
        """Read ``FILE.js`` or ``FILE.js:NAME``."""
        file, colon, export = text.rpartition(":")
        is_export = bool(colon) and not any(sign in export for sign in "/\\.")  # a Windows drive is none
        return cls(Path(file), export) if is_export else cls(Path(text))


@dataclass(frozen=True, slots=True)
class AppFile:
    """A file for the page, by its own name. `content` is its path, or its bytes."""

    name: str
    content: Path | bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileFailure:
    """The reason why a file has no sample.

    `unreadable`: the file cannot be read. `threw`: the function threw, or rejected. `network`: it threw after it had
    asked for an address that is not of the page. `timeout`: it gave no result in time. `result`: it returned something
    different from tensors with the requested names, or from JSON. `differs`: its tensors have a shape or dtype that
    differs from the first file's.
    """

    code: FileFailureCode
    message: str


@dataclass(frozen=True, slots=True)
class PreparedFile:
    """One file: the seconds of the function, the tensors that it did not dispose, and its failure, if it has one.

    `decision` is the JSON of the decision, if one was made; it may hold NaN and Infinity.
    """

    name: str
    compute_s: float
    leaked_tensors: int
    failure: FileFailure | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The samples of files. `files` has all of them, in the given order.

    `tensors` has an array for each name, whose first axis counts the files without a failure, in their order. It is
    empty if all have failed. Complex tensors stay complex.
    """

    files: tuple[PreparedFile, ...]
    tensors: Mapping[str, Array]
    download_s: float
    upload_s: float

    @property
    def worked(self) -> tuple[int, ...]:
        """Return the positions in `files` of those that have a sample."""
        return tuple(position for position, file in enumerate(self.files) if file.failure is None)
