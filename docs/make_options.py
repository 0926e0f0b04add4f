"""Writes what follows from the table of options: ``python docs/make_options.py``.

That is pycheck/options/settings.py, the typed fields and keywords, and docs/options.md, the reference.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from itertools import groupby
from pathlib import Path

from pycheck.options.table import OPTIONS, RECIPE, Option, of_command

ROOT = Path(__file__).parents[1]
SETTINGS = ROOT / "pycheck" / "options" / "settings.py"
PAGE = ROOT / "docs" / "options.md"

_HEAD = '''"""Every setting of a run, and the keywords of each function. Written by docs/make_options.py."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from ..types import NanPolicy, RuntimeId, Shard
from ..types.by_input import Ranges, Sizes
'''

#: The commands with a function, each behind those whose keywords its own include: the name of its keywords.
KEYWORDS = {
    "report": "RejudgeKeywords",
    "convert": "ConvertKeywords",
    "baseline": "BaselineKeywords",
    "check": "CheckKeywords",
    "gradients": "GradientsKeywords",
    "train": "TrainKeywords",
    "migrate": "MigrateKeywords",
    "trace": "TraceKeywords",
    "compare": "CompareKeywords",
}
#: The functions with a different name than their command.
_FUNCTIONS = {"report": "rejudge", "baseline": "update_baseline"}


def settings() -> str:
    """The module, formatted."""
    lines = [_HEAD, "", "@dataclass(frozen=True, slots=True)", "class Settings:"]
    lines += ['    """Every option by name, with its default."""', ""]
    lines += [f"    {option.name}: {_type(option)} = {_default(option)}" for option in OPTIONS]
    written: dict[str, set[str]] = {"TypedDict": set()}
    for command, name in KEYWORDS.items():
        keywords = {option.name: f"{option.kind.keyword} | None" for option in of_command(command)}
        base = max(
            (known for known in written if written[known] < keywords.keys()), key=lambda known: len(written[known])
        )
        lines += ["", "", f"class {name}({base}, total=False):"]
        lines += [f'    """Keywords of `{_FUNCTIONS.get(command, command)}`."""', ""]
        lines += [f"    {keyword}: {type}" for keyword, type in keywords.items() if keyword not in written[base]]
        written[name] = set(keywords)
    ruff = [sys.executable, "-m", "ruff"]
    text = "\n".join(lines) + "\n"
    return subprocess.run(
        [*ruff, "format", "--stdin-filename", str(SETTINGS), "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _type(option: Option) -> str:
    return f"{option.kind.type} | None" if option.default is None else option.kind.type


def _default(option: Option) -> str:
    if option.default == {}:
        return "field(default_factory=dict)"
    value = None if option.default is None else option.kind.read(option.default)
    return f"{type(value).__name__}.{value.name}" if isinstance(value, Enum) else repr(value)


def page() -> str:
    """The reference of all options."""
    head = (
        "# Options\n\nWritten by docs/make_options.py from pycheck/options/table.py.\n\n"
        "A call goes before the environment, the environment before `pycheck.toml` or `[tool.pycheck]` of a "
        "`pyproject.toml`, found in the working folder or the nearest folder above it, and these before the defaults. "
        "Paths in a file are relative to its folder. A file above the working folder is read if it belongs to "
        "who runs pycheck, to root or to the owner of the working folder. In a variable, several values are "
        "separated by spaces.\n"
    )
    parts = [head]
    for group, options in groupby((*OPTIONS, *RECIPE), key=lambda option: option.group):
        parts.append(f"## {group}\n")
        parts += [_entry(option) for option in options]
    return "\n".join(parts)


def _entry(option: Option) -> str:
    return "\n".join([f"### {option.name}\n", option.doc or option.explained, "", *_places(option), ""])


def _places(option: Option) -> Iterator[str]:
    metavar = option.metavar or "|".join(option.kind.known())
    usage = f"{option.option} {metavar}".strip()
    if option.kind.keyword == "bool":
        usage = f"{option.option}, --no-{option.option[2:]}"
    if option.commands:
        yield f"- Command line: `{usage}`"
        yield f"- Commands: {', '.join(f'`{name}`' for name in option.commands)}"
        yield f"- Python: `{option.name}: {option.kind.keyword}`"
    if option.in_file:
        own = ", also for one of the `[[models]]`" if option.in_model else ""
        yield f"- File: `{option.setting}`{own}. Variable: `PYCHECK_{option.setting.upper()}`"
    elif option.in_model:
        yield f"- File: `{option.setting}` of one of the `[[models]]`"


def main() -> None:
    """Write both."""
    SETTINGS.write_text(settings(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
