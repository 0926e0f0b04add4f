"""Reads a recipe that has parameters: ``name(key=value, key=value)``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import UsageError

_CALL = re.compile(r"([a-z][a-z-]*)(?:\((.*)\))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """The name of a recipe, and what stands between its parentheses."""

    name: str
    inside: str = ""

    @classmethod
    def of(cls, text: str) -> Call | None:
        """Read a text; None if it has another form."""
        found = _CALL.fullmatch(text.strip())
        return cls(found[1], (found[2] or "").strip()) if found else None

    def settings(self, known: Mapping[str, object]) -> dict[str, str]:
        """Return the values by key; UsageError if a key is not known or has no value."""
        made: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in self.inside.split(","))):
            key, _, value = (piece.strip() for piece in part.partition("="))
            if key not in known or not value or key in made:
                raise UsageError(
                    f"{self.name}({self.inside}): {part} is no parameter of {self.name}.",
                    f"Write {self.name}(KEY=VALUE, ...), each KEY once, with these keys: {', '.join(known)}.",
                )
            made[key] = value
        return made
