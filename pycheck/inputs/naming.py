"""Checks names of inputs in options."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from ..errors import UsageError
from ..types import Signature


def check_names(option: str, given: Mapping[str | None, object], signature: Signature) -> None:
    """Raise UsageError for a name that no input has."""
    names = [spec.name for spec in signature.inputs]
    for name in given:
        if name is not None and name not in names:
            near = difflib.get_close_matches(name, names, 1, 0.6)
            raise UsageError(
                f"{option} names the input {name!r}, but the model has no such input.",
                f"Did you mean {near[0]!r}?" if near else f"Its inputs are: {', '.join(names)}.",
            )
