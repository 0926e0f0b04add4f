"""Shards of a check and their merge, on fake runtimes."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pycheck
from pycheck.checks import merge, plan
from pycheck.checks.parts import PendingPart, SavedPart
from pycheck.checks.scope import Outcome
from pycheck.errors import InputError, UsageError
from pycheck.report.json import render_check_json
from pycheck.types import Shard

from ..conftest import Cli
from .sharded import BROKEN, CONFIGURATION, save

KINDS = ("json", "html", "junit", "markdown")


def _without_times(text: str) -> str:
    text = re.sub(r'"timings_s": \{[^}]*\}', '"timings_s": {}', text)
    text = re.sub(r'"wall_s": [\d.e-]+|\btime="[\d.]+"', "time", text)
    return re.sub(r"\b[\d.,]+ (ms|s|µs)\b", "0 s", text)


def _reports(command: Cli, *words: str) -> tuple[int, dict[str, str]]:
    """The exit code of a command, and all of its reports without times."""
    paths = {kind: Path(f"report.{kind}") for kind in KINDS}
    said = command(*words, *(word for kind in KINDS for word in (f"--{kind}", str(paths[kind]))))
    texts = {kind: path.read_text("utf-8") for kind, path in paths.items()} | {"terminal": said.out}
    return said.code, {kind: _without_times(text) for kind, text in texts.items()}


# --- merged is whole


@pytest.mark.parametrize(("count", "more"), [(1, ""), (3, BROKEN), (9, "")])
def test_parts_put_together_are_the_whole_in_every_report(work: Path, command: Cli, count: int, more: str) -> None:
    Path("pycheck.toml").write_text(CONFIGURATION + more)
    command("check")  # from now on the results in Python come from the cache
    whole = _reports(command, "check")
    merged = _reports(command, "merge", *save(command, count))
    for kind, text in whole[1].items():
        assert merged[1][kind] == text, kind
    assert merged[0] == whole[0] == 1
    expected = ["broken.keras", "budget-exceeded"] if more else ["setting-unused", "The budget in pycheck.toml"]
    for said in (*expected, "Known on chromium:webgl until 2099-01-01"):
        assert said in " ".join(whole[1]["markdown"].split())


def test_a_hundred_random_divisions_are_judged_as_the_whole(work: Path) -> None:
    Path("pycheck.toml").write_text(CONFIGURATION + BROKEN)
    whole = pycheck.check("pycheck.toml", save_run="whole")
    saved = SavedPart(Path("whole"))
    results = dict(saved.results())
    text = render_check_json(replace(whole, wall_s=1.0))
    tried = 0

    @settings(max_examples=100, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.integers(0, 4), min_size=len(results), max_size=len(results)), st.integers(5, 8), st.randoms())
    def divided(shards: list[int], count: int, random: Any) -> None:
        nonlocal tried
        tried += 1
        names = list(results)
        random.shuffle(names)
        folders = [Path(f"random/{number}") for number in range(1, count + 1)]
        for number, folder in enumerate(folders):
            own = {name: results[name] for name, shard in zip(names, shards, strict=True) if shard == number}
            _write(folder, saved, own, Shard(number + 1, count))
        random.shuffle(folders)
        assert render_check_json(merge(folders)) == text

    divided()
    assert tried >= 100


def _write(folder: Path, like: SavedPart, results: dict[str, Outcome], shard: Shard) -> None:
    pending = PendingPart(folder, replace(like.part, names=tuple(results), shard=shard))
    for outcome in results.values():
        pending.add(outcome)
    pending.publish(1.0)


def test_a_check_that_is_saved_without_a_shard_is_judged_again_by_other_budgets(work: Path, command: Cli) -> None:
    Path("pycheck.toml").write_text(CONFIGURATION.replace('"chromium:cpu", "chromium:webgl"', '"chromium:cpu"'))
    assert command("check", "--save-run", "whole").code == 0
    assert command("merge", "whole").code == 0
    text = Path("pycheck.toml").read_text() + '[[budgets]]\nmodel = "o"\nartifact_size = "10"\n'
    Path("pycheck.toml").write_text(text)
    said = command("merge", "whole")
    assert (said.code, "budget-exceeded" in said.out) == (1, True)


def test_a_merge_compares_with_the_baseline_of_now(work: Path, command: Cli) -> None:
    config = CONFIGURATION.replace('"chromium:cpu", "chromium:webgl"', '"chromium:cpu"')
    Path("pycheck.toml").write_text(config)
    assert command("baseline", "update").code == 0
    parts = save(command, 2)
    assert command("merge", *parts).code == 0
    baseline = Path("pycheck-baseline.toml")
    baseline.write_text(re.sub(r"(?m)^\[variants\.o[^]]*\]\n(.+\n)*\n?", "", baseline.read_text()))
    assert "baseline-missing" in command("merge", *parts).out


# --- a shard


def test_a_shard_says_what_it_takes_and_reports_it(work: Path, command: Cli) -> None:
    said = command("check", "--shard", "3/3", "--save-run", "part", "--json", "part.json")
    assert "shard 3/3: 1 of 5 variants: m/graph" in said.err
    assert "shard 3/3: m/graph fails, of 1 variant on 2 runtimes" in said.out
    report = json.loads(Path("part.json").read_text())
    assert (report["shard"], report["command"]) == ({"number": 3, "count": 3}, "pycheck check")
    assert report["findings"] == [], "a shard does not know what the others use"
    assert said.code == 1
    assert [path.name for path in Path("part").iterdir()] == ["part.jsonl"]


def test_a_shard_without_variants_passes_and_says_so(work: Path, command: Cli) -> None:
    said = command("check", "--shard", "9/9", "--save-run", "part")
    assert said.code == 0
    assert "shard 9/9: none of 5 variants, because there are more shards than models and variants" in said.err
    assert "PASS  shard 9/9: no variant is in this shard" in said.out


@pytest.mark.parametrize(
    ("shard", "said"),
    [
        ("0/5", "the shards are 1/5 to 5/5.\n  If your system counts from 0, add 1"),
        ("6/5", "--shard 6/5: the shards are 1/5 to 5/5."),
        ("1/0", "N is 0"),
        ("2", "the form is K/N.\n  For example 2/5"),
        ("-1/5", "the form is K/N"),
    ],
)
def test_a_shard_that_is_none_is_refused(work: Path, command: Cli, shard: str, said: str) -> None:
    code, _, err = command("check", f"--shard={shard}", "--save-run", "part")
    assert (code, said in err, Path("part").exists()) == (2, True, False)


def test_a_shard_that_nobody_can_merge_is_refused(work: Path, command: Cli) -> None:
    code, _, err = command("check", "--shard", "1/2")
    assert (code, "--shard 1/2 has no effect: without --save-run" in err) == (2, True)
    with pytest.raises(UsageError, match="without save_run its results"):
        pycheck.check("pycheck.toml", shard="1/2")
    with pytest.raises(TypeError, match="shard"):
        pycheck.update_baseline("pycheck.toml", shard="1/2", save_run="part")  # type: ignore[call-arg]


def test_neither_is_a_key_of_the_configuration_or_a_variable(
    work: Path, command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pycheck.toml").write_text('shard = "1/2"\n' + CONFIGURATION)
    assert "unknown setting 'shard'" in command("check").err
    Path("pycheck.toml").write_text(CONFIGURATION)
    monkeypatch.setenv("PYCHECK_SHARD", "1/2")
    assert "PYCHECK_SHARD: unknown setting" in command("check").err


# --- folders and disks


def test_a_folder_of_something_else_is_left_alone(work: Path, command: Cli) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    for target in ("mine", "mine/notes.txt"):
        code, out, err = command("check", "--save-run", target)
        assert (code, out, f"--save-run {target}: this exists and is not a saved part" in err) == (2, "", True)
        assert "chromium" not in err, "it ends before anything runs"
    assert Path("mine/notes.txt").read_text() == "mine"


def test_an_earlier_part_stays_until_the_new_one_is_complete(
    work: Path, command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("check", "--save-run", "part")
    before = Path("part/part.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", _full)
        said = command("check", "--save-run", "part")
    assert (said.code, "--save-run part: cannot write to this folder: No space left on device." in said.err) == (
        2,
        True,
    )
    assert "DRIFT" in said.out, "the report is printed nevertheless"
    assert Path("part/part.jsonl").read_bytes() == before
    assert [path.name for path in Path("part").iterdir()] == ["part.jsonl"]
    command("check", "--shard", "1/2", "--save-run", "part")
    assert Path("part/part.jsonl").read_bytes() != before


def _full(*_: object) -> None:
    raise OSError(28, os.strerror(28))


def test_a_disk_that_fills_up_meanwhile_loses_no_report(
    work: Path, command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = PendingPart._write

    def until_full(self: PendingPart, value: Any) -> None:
        written(self, value)
        self._failed = self._failed or OSError(28, os.strerror(28)) if isinstance(value, dict) else self._failed

    monkeypatch.setattr(PendingPart, "_write", until_full)
    said = command("check", "--save-run", "new/part")
    assert (said.code, "No space left on device" in said.err, "DRIFT" in said.out) == (2, True, True)
    assert not Path("new").exists()
    with pytest.raises(UsageError, match="save_run new/part: cannot write to this folder: No space left"):
        pycheck.check("pycheck.toml", save_run="new/part")


def test_a_folder_that_cannot_be_made_ends_it_before_anything_runs(work: Path, command: Cli) -> None:
    code, out, err = command("check", "--save-run", "m.keras/part")
    assert (code, out, "--save-run m.keras/part: cannot write to this folder: Not a directory." in err) == (2, "", True)
    assert "chromium" not in err


def test_a_plan_without_a_shard_is_not_divided(work: Path) -> None:
    assert len(plan(None, {}).variants) == 5
    assert plan(None, {"save_run": "part"}).save_run == Path("part")


def test_what_a_killed_shard_left_is_in_nobodys_way(work: Path, command: Cli) -> None:
    Path("part").mkdir()
    Path("part/.part.jsonl-0123456789abcdef").write_text("cut")
    assert "cannot read" in command("merge", "part").err.lower()
    command("check", "--save-run", "part")
    assert [path.name for path in Path("part").iterdir()] == ["part.jsonl"]


def test_python_merges_what_the_command_saved(work: Path, command: Cli) -> None:
    parts = save(command, 2)
    merged = pycheck.merge([Path(parts[1]), parts[0]], "pycheck.toml")
    assert [report.name for report in merged.reports] == ["m", "m/layers", "m/graph", "n", "o"]
    assert not merged.passed and isinstance(merged, pycheck.CheckReport)
    assert pycheck.check("pycheck.toml", save_run="whole").verdict is pycheck.merge("whole").verdict
    with pytest.raises(InputError, match="Shard 2/2 of the check is missing"):
        pycheck.merge(parts[0])


def test_a_plan_reads_the_settings_file_as_often_for_many_models_as_for_few(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pycheck.options import file

    read, seen = file.read, []
    monkeypatch.setattr(file, "read", lambda path: seen.append(path) or read(path))
    times = []
    for count in (1, 40):
        seen.clear()
        Path("pycheck.toml").write_text("".join(f'[[models]]\npath = "m.keras"\nname = "m{i}"\n' for i in range(count)))
        assert len(plan(None, {"save_run": "part"}).variants) == count
        times.append(len(seen))
    assert times[0] == times[1]


def test_machines_with_different_folders_run_one_check(
    work: Path, command: Cli, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("check", "--shard", "1/2", "--save-run", "parts/1")
    other = tmp_path_factory.mktemp("other") / "checkout"
    shutil.copytree(work, other)
    monkeypatch.chdir(other.parent)
    command("check", "--config", other / "pycheck.toml", "--shard", "2/2", "--save-run", work / "parts/2")
    monkeypatch.chdir(work)
    assert [report.name for report in merge([Path("parts/1"), Path("parts/2")]).reports][::4] == ["m", "o"]
