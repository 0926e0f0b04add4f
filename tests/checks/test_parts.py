"""Parts of a check that do not fit together, or are damaged, are refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycheck.checks import merge
from pycheck.errors import InputError, UsageError

from ..conftest import Cli
from .sharded import CONFIGURATION, save


@pytest.fixture
def parts(work: Path, command: Cli) -> list[Path]:
    """Of three shards."""
    return [Path(folder) for folder in save(command, 3)]


def _lines(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    file = folder / "part.jsonl"
    file.write_text("".join(change(file.read_text().splitlines(keepends=True))))


def _head(folder: Path, **values: object) -> None:
    _lines(folder, lambda lines: [json.dumps(json.loads(lines[0]) | values) + "\n", *lines[1:]])


def test_parts_that_are_missing_or_there_twice_are_named(parts: list[Path]) -> None:
    with pytest.raises(InputError, match=r"Shards 1/3 and 3/3 of the check are missing\.\nRun each .*--shard 1/3"):
        merge(parts[1:2])
    shutil.copytree(parts[1], "copy")
    with pytest.raises(InputError, match=r"there twice: shard 2/3 is in parts/2 and copy\."):
        merge([*parts, Path("copy")])
    with pytest.raises(UsageError, match="no part to merge"):
        merge([])


def test_parts_of_two_checks_are_told_apart(parts: list[Path], command: Cli) -> None:
    command("check", "--shard", "2/4", "--save-run", "other")
    with pytest.raises(InputError, match="parts/1 and other are of two checks: shard 1/3 and shard 2/4"):
        merge([parts[0], Path("other"), parts[2]])
    command("check", "m", "--shard", "2/3", "--save-run", "other")
    with pytest.raises(InputError, match="only one of them has n and o"):
        merge([parts[0], Path("other"), parts[2]])


def test_the_option_that_differs_between_parts_is_named(
    parts: list[Path], command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYCHECK_BATCH_SIZE", "4")
    command("check", "--shard", "2/3", "--save-run", "parts/2")
    with pytest.raises(InputError, match="of two checks: batch_size of m is 8 and 4"):
        merge(parts)
    monkeypatch.delenv("PYCHECK_BATCH_SIZE")
    command("check", "--shard", "2/3", "--save-run", "parts/2", "--no-cache", "--timeout", "50")
    assert merge(parts).verdict.value == "drift", "where and how long is not what"


def test_a_configuration_that_changed_since_is_named_by_its_keys(parts: list[Path], command: Cli) -> None:
    text = CONFIGURATION.replace("rtol = 1\n", "rtol = 2\n")
    Path("pycheck.toml").write_text(text)
    with pytest.raises(UsageError, match=r"a different configuration than pycheck.toml: tolerances differs\."):
        merge(parts)
    command("check", "--shard", "2/3", "--save-run", "parts/2")
    with pytest.raises(InputError, match=r"of two checks: the configuration differs in tolerances\."):
        merge(parts)
    latency = '[[budgets]]\nmodel = "n"\nlatency = 2\nagainst = "chromium:cpu"\n'
    Path("pycheck.toml").write_text(CONFIGURATION + latency)
    with pytest.raises(InputError, match="budgets of latency"):
        merge([parts[0], _saved(command, "2/3"), parts[2]])
    Path("pycheck.toml").write_text(CONFIGURATION)
    command("check", "--save-run", "whole")
    Path("pycheck.toml").write_text(CONFIGURATION + latency)
    with pytest.raises(UsageError, match="limits the latency of n, but whole is of a run without"):
        merge([Path("whole")])


def _saved(command: Cli, shard: str) -> Path:
    command("check", "--shard", shard, "--save-run", "again")
    return Path("again")


def test_a_model_that_changed_between_two_shards_is_named(parts: list[Path]) -> None:
    results = {name: outcome for part in ("1", "2", "3") for name, outcome in _raw(Path("parts") / part).items()}
    changed = results["m/graph"]
    changed["model"]["sha256"] = "0" * 64
    for folder, names in zip(parts, (["m", "m/layers"], ["m/graph", "n"], ["o"]), strict=True):
        head = json.loads((folder / "part.jsonl").read_text().splitlines()[0]) | {"names": names}
        texts = [head, *({"report": results[name]} for name in names), {"wall_s": 1.0}]
        (folder / "part.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    with pytest.raises(
        InputError, match=r"m.keras of m/graph was a different one in parts/1 than in parts/2: SHA-256 \w{8} and 0{8}\."
    ):
        merge(parts)


def _raw(folder: Path) -> dict[str, Any]:
    lines = map(json.loads, (folder / "part.jsonl").read_text().splitlines())
    return {line["report"]["name"]: line["report"] for line in lines if "report" in line}


def test_shards_that_were_divided_by_different_times_are_named(parts: list[Path]) -> None:
    _head(parts[2], names=["o"])
    with pytest.raises(InputError, match="The variant o is in parts/2 and in parts/3"):
        merge(parts)
    _head(parts[2], names=[])
    with pytest.raises(InputError, match="No part has the variant m/graph"):
        merge(parts)


#: What happened to the lines of a file, and what the error says.
DAMAGES: list[tuple[Callable[[list[str]], list[str]], str]] = [
    (lambda lines: [*lines[:-2], lines[-2][:-9]], "cut off after 1 of 2 results"),
    (lambda lines: lines[:-1], "cut off after 2 of 2 results"),
    (lambda lines: [lines[0][:50]], "it is empty or cut off"),
    (lambda lines: [], "it is empty or cut off"),
    (lambda lines: [lines[0], "{}\n", *lines[2:]], "it is empty or cut off"),
    (lambda lines: [lines[0], '{"report": {"model": 1}}\n'], "pycheck_version is missing"),
    (lambda lines: [lines[0], "[]\n"], "line 2 is not an object"),
    (lambda lines: [lines[0], "nonsense\n"], "Expecting value"),
    (lambda lines: ["[" * 100_000 + "\n"], "recursion"),
    (lambda lines: [lines[0], *lines[1:2] * 2, lines[-1]], "is there twice"),
    (lambda lines: [lines[0], lines[-1]], "it has no result of m/layers and o"),
    (lambda lines: ['{"a": 1}\n'], "is not a part of a check"),
    (lambda lines: [lines[0].replace('"version": 1', '"version": 9'), *lines[1:]], "in version 9 of the format"),
]


def test_a_damaged_part_is_named_with_its_folder(parts: list[Path], command: Cli) -> None:
    whole = (parts[1] / "part.jsonl").read_text()
    for change, said in DAMAGES:
        (parts[1] / "part.jsonl").write_text(whole)
        _lines(parts[1], change)
        code, out, err = command("merge", *parts)
        assert (code, out) == (2, "")
        assert "parts/2" in err and said in err, err
        assert len(err.splitlines()) == 2


def test_a_part_of_a_different_version_is_named(parts: list[Path]) -> None:
    _head(parts[1], pycheck_version="0.0.9")
    with pytest.raises(InputError, match=r"Cannot merge parts/2: pycheck 0\.0\.9 wrote it, and this is pycheck"):
        merge(parts)


def test_what_is_no_part_says_what_it_is(parts: list[Path], command: Cli) -> None:
    Path("empty").mkdir()
    Path("run").mkdir()
    Path("run/run.json").write_text("{}")
    for folder, said in (
        ("empty", "No such file or directory.\n  Name folders that pycheck check --save-run DIR wrote."),
        ("run", "Read it with pycheck report run"),
        ("nowhere", "Cannot read the part nowhere/part.jsonl"),
        ("m.keras", "Not a directory"),
    ):
        code, _, err = command("merge", folder)
        assert (code, said in err) == (2, True), err
    Path("empty/part.jsonl").write_bytes(b"\xff\xfe\n")
    assert command("merge", "empty").code == 2
