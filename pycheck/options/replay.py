"""Writes the command line that repeats a run, for reports."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .reading import build
from .table import OPTIONS
from .values import Options, refused


def command_line(command: str, model: Any, inputs: Any, options: Options, here: Options | None = None) -> str:
    """Return ``pycheck compare MODEL INPUTS ...`` with every option that differs from its default.

    `here` are the options of `without_words`, for a caller of many commands. Empty if the model is not a file, the
    inputs are arrays, or the page is not pycheck's own: a command cannot name these.
    """
    paths = [inputs] if isinstance(inputs, Path) else [] if inputs is None else inputs
    is_told = isinstance(paths, list | tuple) and all(isinstance(path, Path) for path in paths)
    if not isinstance(model, Path) or not is_told or options.page:
        return ""
    words = ["pycheck", command, str(model), *map(str, paths)]
    said = _said(options, here or without_words())
    # An option without effect would be rejected; it is a default of a settings file for other models.
    said -= {name for name, *_ in refused(options, said, has_inputs=inputs is not None)}
    for option in OPTIONS:
        replayed = option.replayed or (option.name == "trace" and command == "compare")
        if replayed and option.name in said and command in option.commands:
            words += option.kind.words(option.option, getattr(options, option.name))
    return shlex.join(words)


def without_words() -> Options:
    """Return the options of a command line without any: those of the settings that apply here."""
    try:
        return build({})
    except UsageError:
        return Options()


def _said(options: Options, here: Options) -> set[str]:
    """Return the options that differ from the defaults, or from those of `without_words`."""
    plain = Options()
    names = [option.name for option in OPTIONS]
    differs = {n for n in names for other in (plain, here) if getattr(options, n) != getattr(other, n)}
    # A batch size that was not given may be smaller than the default.
    return differs | ({"batch_size"} & options.named)
