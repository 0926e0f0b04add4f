"""Shortens messages of Keras and TensorFlow to one line without a traceback."""

from __future__ import annotations

import re

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
#: Lines that only announce a failure; the reason follows them.
_PREAMBLE = re.compile(
    r"Exception encountered when calling|Error when deserializing|Graph execution error|Detected at|Node: "
    r"|<stack traces unavailable>|\[\[\{\{node"
)
_LONGEST = 300


def one_line(error: BaseException) -> str:
    """Return the reason in an error's text, cut at 300 characters: Keras puts whole configurations into messages."""
    lines = [line.strip() for line in _ANSI.sub("", str(error)).splitlines() if line.strip()]
    told = [line for line in lines if not _PREAMBLE.match(line)] or lines or [type(error).__name__]
    text = told[0] if len(told[0]) <= _LONGEST else told[0][:_LONGEST] + "..."
    return text.rstrip(".")
