"""Reads the blocks of code in the documents, and the command lines of pycheck that stand in these and in sentences.

The language of a block says what is done with it:

    sh       each line is a command of pycheck, and is run
    python   is run, with pytest where it defines tests
    text     a part of what the commands or the program before it printed; a line of ... stands for what is left out
    toml     is read as pycheck.toml
    yaml     is read; its commands of pycheck are held against the options
    console  what people type who set up a machine (pip, make, docker): only its commands of pycheck are parsed

The comment <!-- not run: REASON --> before a block says why it is none of these.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main
from markdown_it import MarkdownIt

from pycheck.cli.commands import app
from pycheck.options.reading import build
from pycheck.options.table import of_command
from pycheck.training.recipe import asked_recipe

ROOT = Path(__file__).parents[2]
#: Written from the code, which other tests hold them against: their blocks are signatures and texts of help.
GENERATED = [ROOT / "docs" / name for name in ("api.md", "commands.md", "options.md")]
#: The pages of findings have tests of their own.
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "models/README.md")),
    *sorted(page for page in (ROOT / "docs").glob("*.md") if page not in GENERATED),
]
LANGUAGES = ("sh", "python", "text", "toml", "yaml", "console")

_PYCHECK = typer.main.get_command(app)
COMMANDS: Mapping[str, Any] = _PYCHECK.commands  # type: ignore[attr-defined]
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One block; `not_run` is the reason that a comment before it gives, `shown` the blocks of its output after it."""

    document: Path
    line: int
    language: str
    text: str
    not_run: str = ""
    shown: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Its lines without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


def blocks_of(document: Path) -> list[Block]:
    """The blocks of a document, in order; output that is shown is also part of the block that prints it."""
    found: list[Block] = []
    reason, printer = "", None
    for token in MarkdownIt().parse(document.read_text("utf-8")):
        if token.type == "html_block":
            said = _NOT_RUN.search(token.content)
            reason = said[1] if said else ""
        elif token.type in ("fence", "code_block"):
            assert token.map
            block = Block(document, token.map[0] + 1, token.info, token.content, reason)
            if block.language == "text" and not reason and printer is not None:
                shown = (*found[printer].shown, block.text)
                before = found[printer]
                found[printer] = Block(before.document, before.line, before.language, before.text, "", shown)
            elif not reason:
                printer = len(found) if block.language in ("sh", "python") else None
            found.append(block)
            reason = ""
        else:
            reason = ""
    return found


def command_lines(document: Path) -> set[str]:
    """All that a document has people type of pycheck: in blocks, but for those of output, and in sentences.

    The mere name of a command is none.
    """
    texts = [block.text for block in blocks_of(document) if block.language in ("sh", "console")]
    texts += words_of_code(document)
    lines = [line for text in texts for line in text.replace("\\\n", " ").splitlines()]
    return {line for line in map(command_line, lines) if len(line.split()) > 2}


def words_of_code(document: Path) -> list[str]:
    """What stands between backticks in the sentences and tables of a document."""
    tokens = MarkdownIt().enable("table").parse(document.read_text("utf-8"))
    return [child.content for token in tokens for child in token.children or () if child.type == "code_inline"]


def command_line(text: str) -> str:
    """The command of pycheck in a line of shell, without what comes after it; empty where there is none."""
    for said in re.split(r"&&|\||>|\s#", text):
        words = re.search(r"(?:^|\s)pycheck\s+([a-z]+)(?:\s|$)", said)
        if words and words[1] in COMMANDS:
            return said[words.start() :].strip()
    return ""


def parse(line: str) -> None:
    """Read a command line and its options as pycheck does, and do nothing; errors are those of pycheck."""
    _, *words = shlex.split(line)
    command: Any = _PYCHECK
    while commands := getattr(command, "commands", None):
        command = commands[words.pop(0)]
    with command.make_context("pycheck", words) as context:
        own = {option.name for option in of_command(str(command.name))}
        given = {name: value for name, value in context.params.items() if name in own and value not in (None, ())}
        trains = command.name in ("train", "gradients")
        has_inputs = bool(context.params.get("inputs") or context.params.get("files"))
        asked_recipe(given, build) if trains else build(given, has_inputs=has_inputs)
