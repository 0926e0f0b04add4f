"""Keeps the figures of checks over releases in one SQLite file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import UsageError
from ..types import CheckReport
from .figures import figures, label_of_ci
from .file import append, check_writable, merge, read
from .steps import changes, select


def begin(path: Path | None, label: str | None, *, of_shard: bool = False) -> Callable[[CheckReport], None]:
    """Return a function that adds a check to a history; without a path it does nothing.

    Without a label, the check has the tag or branch that a CI server names. What the file cannot take is told now,
    before the work: UsageError or InputError. A shard is no whole check, and has no history.
    """
    if path is None:
        if label is not None:
            raise UsageError("A label has no effect without a history.", "Name the file of the history too.")
        return lambda check: None
    if of_shard:
        raise UsageError(
            "A history has whole checks, and this is one shard.",
            f"Name the history where all shards are put together: pycheck merge DIR... --history {path}",
        )
    check_writable(path)
    return lambda check: append(path, figures(check, label_of_ci(os.environ) if label is None else label))
