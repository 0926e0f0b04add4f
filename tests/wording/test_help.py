"""The help texts of every command, at the width of a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer
from syrupy.assertion import SnapshotAssertion

from pycheck.cli.commands import app

from ..conftest import Cli


def commands() -> Iterator[tuple[str, ...]]:
    """Every command line that has a help text: the commands, and with --help-all those with rare options."""
    root = typer.main.get_command(app)
    yield ("--help",)
    for name, command in vars(root)["commands"].items():
        yield (name, "--help")
        yield from ((name, inner, "--help") for inner in getattr(command, "commands", ()))
        if any("--help-all" in option.opts for option in command.params):
            yield (name, "--help-all")


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_help(words: tuple[str, ...], command: Cli, snapshot: SnapshotAssertion) -> None:
    said = command(*words)
    assert said.code == 0, said.err
    assert "\n".join(line.rstrip() for line in said.out.splitlines()) == snapshot
