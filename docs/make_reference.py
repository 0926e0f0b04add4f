"""Writes the reference of the commands and of the functions: ``python docs/make_reference.py``."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import pycheck
from pycheck.cli.commands import app

COMMANDS = Path(__file__).parent / "commands.md"
API = Path(__file__).parent / "api.md"
_WRITTEN = "Written by docs/make_reference.py.\n"


def commands() -> str:
    """Every command with its arguments and options."""
    parts = ["# Commands\n", _WRITTEN, "[options.md](options.md) says of each option where else it can be set.\n"]
    for path, command in _walk(typer.main.get_command(app), ("pycheck",)):
        parts.append(f"## {' '.join(path)}\n\n{_help(command)}\n")
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join([*path, *(_argument(p) for p in arguments)])
        parts.append(f"```text\n{usage} [OPTIONS]\n```\n")
        rows = [f"| `{_argument(p)}` | {_cell(p.help)} |" for p in arguments]
        rows += [f"| {_option(p)} | {_cell(p.help)} |" for p in command.params if p.param_type_name == "option"]
        parts.append("\n".join(["| | |", "| --- | --- |", *rows, ""]))
        if command.epilog:
            parts.append(f"```text\n{_epilog(command.epilog)}\n```\n")
    return "\n".join(parts)


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if subcommands := getattr(command, "commands", None):
        for name, sub in subcommands.items():
            yield from _walk(sub, (*path, name))
    else:
        yield path, command


def _argument(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()).strip("[].")
    return name if argument.required else f"[{name}]"


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help or "")


def _option(option: Any) -> str:
    names = [*option.opts, *option.secondary_opts]
    metavar = "" if option.is_flag or option.count else f" {option.metavar or ''}".rstrip()
    return ", ".join(f"`{name}{metavar}`".replace("|", "\\|") for name in names)


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _epilog(text: str) -> str:
    return re.sub(r"\n\n(?=  )", "\n", text.strip()).replace("Examples:\n", "Examples:\n\n")


def api() -> str:
    """Every public name of the package: functions with signatures, classes with their members."""
    parts = ["# Python\n", _WRITTEN, "Everything here is a name of `pycheck`, such as `pycheck.compare`.\n"]
    named = [(name, getattr(pycheck, name)) for name in pycheck.__all__ if name != "__version__"]
    for title, kind in (("Functions", inspect.isfunction), ("Classes and errors", inspect.isclass)):
        parts.append(f"## {title}\n")
        for name, value in named:
            if kind(value):
                parts.append(_entry(name, value))
    return "\n".join(parts)


def _entry(name: str, value: Any) -> str:
    lines = [f"### {name}\n"]
    if inspect.isfunction(value):
        lines.append(f"```python\n{_signature(name, value)}\n```\n")
    elif issubclass(value, Exception):
        lines.append(f"A `{value.__bases__[0].__name__}`; a command ends with {value.exit_code}.\n")
    lines.append(f"```text\n{inspect.getdoc(value) or ''}\n```\n")
    if inspect.isclass(value) and not issubclass(value, Exception):
        lines += list(_members(value))
    return "\n".join(lines)


def _members(value: type) -> Iterator[str]:
    rows = []
    for name, member in vars(value).items():
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            first = (inspect.getdoc(member) or "").partition("\n\n")[0]
            rows.append(f"| `{name}{'()' if inspect.isfunction(member) else ''}` | {_cell(first)} |")
    if rows:
        yield "\n".join(["| | |", "| --- | --- |", *rows, ""])


def _signature(name: str, function: Any) -> str:
    parameters = inspect.signature(function).parameters.values()
    own = [str(p).replace("'", "") for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    lines = [*own, *(["*", *(f"{keyword}=..." for keyword in keywords)] if keywords else [])]
    inside = textwrap.fill(", ".join(lines), 100, initial_indent="    ", subsequent_indent="    ")
    return f"pycheck.{name}(\n{inside}\n)"


def main() -> None:
    """Write both."""
    COMMANDS.write_text(commands(), encoding="utf-8")
    API.write_text(api(), encoding="utf-8")


if __name__ == "__main__":
    main()
