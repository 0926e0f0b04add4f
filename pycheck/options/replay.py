"""The command that does at a terminal what was asked for in Python, for reports to name."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from .table import MADE, OPTIONS
from .values import Options


def command_line(command: str, model: Any, inputs: Any, options: Options) -> str:
    """``pycheck compare MODEL INPUTS ...`` with every option that is not its default.

    Empty where the model is no file, the inputs are arrays, or the page is not pycheck's own: no command has them.
    """
    if not isinstance(model, Path) or not (inputs is None or isinstance(inputs, Path)) or options.page:
        return ""
    words = ["pycheck", command, str(model), *([] if inputs is None else [str(inputs)])]
    if options.trace and command == "compare":
        words.append("--trace")
    plain = Options()
    for option in OPTIONS:
        value = getattr(options, option.name)
        if option.name in MADE and inputs is not None:
            continue  # a default of the configuration, for made inputs
        # A batch that was not named may be smaller than the default.
        differs = value != getattr(plain, option.name) or (
            option.name == "batch_size" and "batch_size" in options.named
        )
        if option.replayed and differs:
            words += option.kind.words(option.option, value)
    return shlex.join(words)
