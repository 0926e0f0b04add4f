"""Shards of a check and their merge, on fake runtimes."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
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
from pycheck.runtimes.fake import drifting
from pycheck.types import Shard

from ..conftest import Cli
from ..fakes import Fakes, dense

KINDS = ("json", "html", "junit", "markdown")
CONFIGURATION = """
runtimes = ["chromium:cpu", "chromium:webgl"]
batch_size = 8

[[models]]
path = "m.keras"
formats = ["auto", "layers", "graph"]

[[models]]
path = "n.keras"

[[models]]
path = "o.keras"

[[tolerances]]
model = "o"
runtime = "chromium:webgl"
rtol = 1

[[tolerances]]
runtime = "webkit:*"
rtol = 1e-3

[[budgets]]
output = "nothing"
rms_error = 1

[[known]]
code = "drift"
model = "n"
runtime = "chromium:webgl"
reason = "on purpose"
expires = 2099-01-01
"""
BROKEN = '[[models]]\npath = "broken.keras"\n[[budgets]]\nmodel = "m/graph"\nartifact_size = "10"\n'


@pytest.fixture
def work(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three models, of which webgl lets all drift; it is the current one."""
    for seed, name in enumerate(("m", "n", "o")):
        fakes.save(tmp_path / f"{name}.keras", dense(seed=seed))
    (tmp_path / "broken.keras").write_text("no model")
    (tmp_path / "pycheck.toml").write_text(CONFIGURATION)
    fakes.break_("chromium:webgl", drifting(0.5))
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


def _save(command: Cli, count: int, *more: str) -> list[str]:
    """The folders of all shards."""
    for number in range(1, count + 1):
        command("check", "--shard", f"{number}/{count}", "--save-run", f"parts/{number}", *more)
    return [f"parts/{number}" for number in range(1, count + 1)]


# --- merged is whole


@pytest.mark.parametrize(("count", "more"), [(1, ""), (3, BROKEN), (9, "")])
def test_parts_put_together_are_the_whole_in_every_report(work: Path, command: Cli, count: int, more: str) -> None:
    Path("pycheck.toml").write_text(CONFIGURATION + more)
    command("check")  # from now on the results in Python come from the cache
    whole = _reports(command, "check")
    merged = _reports(command, "merge", *_save(command, count))
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
    parts = _save(command, 2)
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


# --- parts that do not fit


@pytest.fixture
def parts(work: Path, command: Cli) -> list[Path]:
    """Of three shards."""
    return [Path(folder) for folder in _save(command, 3)]


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
    with pytest.raises(UsageError, match="limits the latency of n, but whole is of a run without"):
        Path("pycheck.toml").write_text(CONFIGURATION)
        command("check", "--save-run", "whole")
        Path("pycheck.toml").write_text(CONFIGURATION + latency)
        merge([Path("whole")])


def _saved(command: Cli, shard: str) -> Path:
    command("check", "--shard", shard, "--save-run", "again")
    return Path("again")


def test_a_model_that_changed_between_two_shards_is_named(parts: list[Path], fakes: Fakes, command: Cli) -> None:
    _head(parts[1], names=["m/graph"])
    _head(parts[0], names=["m", "m/layers"])
    results = {name: outcome for part in ("1", "2", "3") for name, outcome in _raw(Path("parts") / part).items()}
    changed = results["m/graph"]
    changed["model"]["sha256"] = "0" * 64
    for folder, names in zip(parts, (["m", "m/layers"], ["m/graph", "n"], ["o"]), strict=True):
        head = json.loads((folder / "part.jsonl").read_text().splitlines()[0]) | {"names": names}
        texts = [head, *({"report": results[name]} for name in names), {"wall_s": 1.0}]
        (folder / "part.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    with pytest.raises(InputError, match=r"The model m or its inputs differ between parts/1 and parts/2: SHA-256"):
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
    parts = _save(command, 2)
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
