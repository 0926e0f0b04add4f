"""The media that files may have; each is a package with the same functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ..types import Array, Signature
from . import images, sounds, texts
from .side_code import Asking, SideCode


class Medium(Protocol):
    """What pycheck knows of images, of sounds, and of texts. `UNDESCRIBED` says why an input has no description."""

    UNDESCRIBED: str

    def is_recipe(self, text: str) -> bool:
        """Tell whether a text names a recipe of this medium."""
        ...

    def recipe(self, text: str, signature: Signature) -> Callable[[Path], Array]:
        """Return the function of a recipe for a model; UsageError if the model takes another kind of input."""
        ...

    def recipe_module(self, text: str, signature: Signature) -> str:
        """Return the ES module of a recipe for a model; its default export takes (blob, tf)."""
        ...

    def reads(self, file: Path) -> bool:
        """Tell whether a file is of this medium."""
        ...

    def own_files(self, files: Sequence[Path], folder: Path) -> list[Path]:
        """Write further files of pycheck into `folder`, which tell what `files` may not tell."""
        ...

    def code_of_recipe(self, text: str, signature: Signature, samples: Sequence[Array]) -> SideCode | None:
        """Describe a recipe for a model, of which samples are given; None if there is no description of it."""
        ...

    def describe(self, files: Sequence[Path], samples: Sequence[Array], asking: Asking) -> SideCode | None:
        """Describe samples that one side made of files, those of pycheck too; None if no description fits.

        NoCodeError: the samples are described in part only. InputsFileError: a file cannot be decoded.
        """
        ...


MEDIA: tuple[Medium, ...] = (images, sounds, texts)


def medium_of_recipe(text: str) -> Medium | None:
    """Return the medium of a recipe; None if the text names no recipe."""
    return next((medium for medium in MEDIA if medium.is_recipe(text)), None)


def medium_of_files(files: Sequence[Path]) -> Medium | None:
    """Return the medium of most files; None if no file is of any."""
    counts = [(sum(map(medium.reads, files)), medium) for medium in (sounds, images, texts)]
    most = max(count for count, _ in counts)
    return next(medium for count, medium in counts if count == most) if most else None
