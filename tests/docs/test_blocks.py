"""Every block of code in the documents runs, and prints what is shown below it, or says why it is not run."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pycheck.checks import reading

from ..conftest import Cli
from . import samples
from .blocks import (
    COMMANDS,
    DOCUMENTS,
    GENERATED,
    LANGUAGES,
    ROOT,
    Block,
    blocks_of,
    command_line,
    command_lines,
    parse,
)

BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]
#: In blocks that take long, of a kind of which others run always.
SLOW = (
    "--runtime chromium:webgpu",
    "--optimizer adam:0.001",
    "--try-remedies",
    "pycheck migrate",
    "pycheck doctor\n",
    "@pytest.mark.parametrize",
)
#: What commands printed, all of a block and in all or few runtimes; some stand in two documents.
_PRINTED: dict[tuple[str, bool], str] = {}


def of(*languages: str) -> list[Any]:
    """The blocks that are run, as parameters of a test."""
    found = [block for block in BLOCKS if block.language in languages and not block.not_run]
    marks = {True: [pytest.mark.exhaustive], False: []}
    return [pytest.param(block, id=str(block), marks=marks[is_more(block)]) for block in found]


def is_more(block: Block) -> bool:
    """Whether others of its kind run always: README's, and of the other pages the first block with each command."""
    if is_slow(block):
        return True
    if block.document.name == "README.md" or block.language not in ("sh", "python"):
        return False
    before = BLOCKS[: BLOCKS.index(block)]
    earlier = [one for one in before if one.language == "sh" and not one.not_run and not is_slow(one)]
    return block.language == "python" or subcommands([block]) <= subcommands(earlier)


def is_slow(block: Block) -> bool:
    return any(words in block.text for words in SLOW)


def subcommands(blocks: Iterable[Block]) -> set[str]:
    return {shlex.split(line)[1] for block in blocks for line in block.commands}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_of_a_language_that_is_tried_or_says_why_not(block: Block) -> None:
    if block.not_run:
        assert len(block.not_run.split()) > 3
    else:
        assert block.language in LANGUAGES
    if block.language == "sh":
        assert [line for line in block.commands if not command_line(line)] == [], "else it is a console"


def test_output_is_shown_below_what_prints_it() -> None:
    shown = [text for block in BLOCKS for text in block.shown]
    assert [str(block) for block in BLOCKS if block.language == "text" and not block.not_run] and shown
    assert [str(b) for b in BLOCKS if b.language == "text" and not b.not_run and b.text not in shown] == []


@pytest.mark.parametrize("document", [*DOCUMENTS, *GENERATED], ids=lambda path: path.name)
def test_a_command_line_is_one_that_pycheck_takes(document: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for line in sorted(command_lines(document)):
        parse(line)


def test_every_command_runs() -> None:
    always = [block for block in BLOCKS if block.language == "sh" and not block.not_run and not is_more(block)]
    # These need a device, start every runtime of every engine, and run in tests/migration and tests/watching.
    others = {"devices", "doctor", "migrate", "watch"}
    assert subcommands(always) == {command.name for command in COMMANDS.values()} - others


@pytest.mark.parametrize("block", of("toml"))
def test_a_configuration_is_one_that_pycheck_reads(block: Block, tmp_path: Path) -> None:
    models = "" if "[[models]]" in block.text else '\n[[models]]\npath = "model.keras"\n'
    (tmp_path / "pycheck.toml").write_text(block.text + models)
    assert reading.load(tmp_path / "pycheck.toml").models


@pytest.mark.parametrize("block", of("yaml"))
def test_a_recipe_names_what_pycheck_and_its_action_have(block: Block, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    tried = 0
    for place in _tables(yaml.safe_load(block.text)):
        if "/pycheck@" in str(place.get("uses")):
            assert place["with"].keys() <= action["inputs"].keys()
            parse(filled(f"pycheck {place['with']['args']}"))
            tried += 1
        for line in map(command_line, shell_lines(place)):
            if line:
                parse(filled(line))
                tried += 1
    assert tried


def shell_lines(place: dict[str, Any]) -> list[str]:
    """What a table of GitLab (script), GitHub (run) or Kubernetes (args) hands to a shell, line by line."""
    given = [*place.get("script", ()), place.get("run", ""), *(a for a in place.get("args", ()) if isinstance(a, str))]
    return [line for text in given for line in text.splitlines()]


def filled(line: str) -> str:
    """With 1 for each variable of the pipeline."""
    return re.sub(r"\$\{\{.*?\}\}|\$\(\(.*?\)\)|\$\w+", "1", line)


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _tables(inner)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    samples.make(folder)
    return folder


@pytest.fixture
def scratch(tmp_path: Path, made: Path, request: Any, monkeypatch: Any) -> Iterator[Path]:
    """The current folder, with the files that the block names. A block that shows no output runs in few runtimes."""
    block = request.getfixturevalue("block")
    samples.copy_named(block.text, made, tmp_path)
    monkeypatch.chdir(tmp_path)
    if not block.shown:
        monkeypatch.setenv("PYCHECK_RUNTIMES", "chromium:cpu")
    yield tmp_path


@pytest.mark.real
@pytest.mark.parametrize("block", of("sh"))
def test_commands_run_and_print_what_is_shown(block: Block, scratch: Path, command: Cli) -> None:
    known = ("\n".join(block.commands), bool(block.shown))
    if known not in _PRINTED:
        _PRINTED[known] = "".join(_run(line, command) for line in block.commands)
    for text in block.shown:
        assert_shown(text, _PRINTED[known])


def _run(line: str, command: Cli) -> str:
    words = shlex.split(line)[1:]
    target = Path(words[words.index(">") + 1]) if ">" in words else None
    said = command(*(words[: words.index(">")] if target else words))
    assert said.code in (0, 1), f"{line}\n{said.err}"
    if target:
        target.write_text(said.out)
    return f"{said.out}\n{said.messages}\n"


@pytest.mark.real
@pytest.mark.parametrize("block", of("python"))
def test_programs_run_and_print_what_is_shown(block: Block, scratch: Path, capfd: Any) -> None:
    if re.search(r"^def test_", block.text, re.MULTILINE):
        printed = _run_pytest(block, scratch)
    else:
        exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})
        printed = capfd.readouterr().out
    for text in block.shown:
        assert_shown(text, printed)


def _run_pytest(block: Block, folder: Path) -> str:
    (folder / "test_block.py").write_text(block.text)
    plugins = ["-p", "pycheck.pytest_plugin", "-p", "no:cacheprovider"]
    with contextlib.suppress(ImportError):
        from importlib.metadata import entry_points

        if any(point.value == "pycheck.pytest_plugin" for point in entry_points(group="pytest11")):
            plugins = plugins[2:]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, "test_block.py"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == (1 if block.shown else 0), done.stdout + done.stderr
    return done.stdout


def assert_shown(text: str, printed: str) -> None:
    """What is shown is printed, in this order; numbers may differ, and where lines end."""
    rest = " ".join(words(printed))
    for part in re.split(r"^\W*\.\.\.$", text, flags=re.MULTILINE):
        shown = " ".join(words(part))
        _, found, rest = rest.partition(shown)
        assert found, f"not printed:\n{part}\nprinted:\n{printed}"


def words(printed: str) -> list[str]:
    """Without numbers, whose last digits are the renderer's, and without where lines end."""
    return re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?", "#", printed).split()
