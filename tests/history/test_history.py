"""What a history keeps of checks, that nothing of it is lost, and what it says changed."""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycheck import history
from pycheck.errors import InputError, UsageError
from pycheck.gate import decide_check
from pycheck.report.history_terminal import render_history
from pycheck.report.html.history import render_history_html
from pycheck.types import (
    ArtifactInfo,
    CheckReport,
    PastOutput,
    PastRun,
    PastRuntime,
    PastVariant,
    Report,
    RuntimeStatus,
    VariantFailure,
)

from ..checks.made import CPU, LIMIT, WEBGL, comparison, report
from ..conftest import Cli

DAY = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC)


def checked(*reports: Report, failures: Iterable[VariantFailure] = ()) -> CheckReport:
    return CheckReport("0.1.0", "pycheck.toml", reports, tuple(failures), decide_check(reports), 1.0)


def kept(made: Report, label: str = "", day: int = 0) -> PastRun:
    return history.figures(checked(replace(made, name="m")), label, now=DAY + datetime.timedelta(days=day))


def said(runs: Iterable[PastRun], width: int = 80) -> str:
    return render_history(tuple(runs), history.changes, width=width)


GOOD = report([comparison(CPU), comparison(WEBGL)])


def test_the_figures_are_those_of_the_report() -> None:
    made = report([comparison(CPU), comparison(WEBGL, 2 * LIMIT, introduced=3, flips=2)])
    (variant,) = kept(made).variants
    assert (variant.name, variant.verdict) == ("m", made.verdict)
    assert variant.artifact_bytes == (made.artifact.size_bytes if made.artifact else None)
    cpu, webgl = variant.runtimes
    assert (cpu.id, cpu.library, webgl.renderer) == ("chromium:cpu", "tfjs 4.22.0", "SwiftShader")
    rows = {str(c.candidate): c for c in made.comparisons}
    assert cpu.outputs == (PastOutput("y", 1e-7, rows["chromium:cpu"].share_used, 0, 0, failed=False),)
    assert webgl.outputs == (PastOutput("y", 2 * LIMIT, rows["chromium:webgl"].share_used, 3, 2, failed=True),)


def test_what_is_excused_does_not_fail() -> None:
    bad = comparison(CPU, 2 * LIMIT)
    made = report([bad])
    excused = replace(made, comparisons=tuple(replace(c, excused="known") for c in made.comparisons))
    assert [kept(each).variants[0].runtimes[0].outputs[0].failed for each in (made, excused)] == [True, False]


def test_the_time_of_an_answer_that_is_kept_from_an_earlier_run_is_not_measured_again() -> None:
    timed = [replace(record, timings_s={"per_sample": 0.25}) for record in GOOD.runtimes]
    again = [replace(record, kept_at="2026-06-30T00:00:00Z") for record in timed]
    times = [
        [runtime.per_sample_s for runtime in kept(replace(GOOD, runtimes=tuple(some))).variants[0].runtimes]
        for some in (timed, again)
    ]
    assert times == [[0.25, 0.25], [None, None]]


def test_a_variant_without_a_report_is_kept_as_an_error(tmp_path: Path) -> None:
    run = history.figures(checked(failures=[VariantFailure("n", "no model", "", 2)]))
    history.append(tmp_path / "h", run)
    assert history.read(tmp_path / "h")[0].variants == (PastVariant("n", "error"),)
    assert "ERROR" in said(history.read(tmp_path / "h"))


_TEXTS = st.text("ab/:é ", max_size=3)
_NUMBERS = st.none() | st.floats(0, 1e300)
_OUTPUTS = st.builds(
    PastOutput, _TEXTS, _NUMBERS, _NUMBERS, st.integers(0, 9), st.none() | st.integers(0, 9), st.booleans()
)
_RUNTIMES = st.builds(
    PastRuntime, _TEXTS, _TEXTS, st.none() | _TEXTS, st.none() | _TEXTS, per_sample_s=_NUMBERS,
    outputs=st.lists(_OUTPUTS, max_size=2, unique_by=lambda o: o.name).map(tuple),
)  # fmt: skip
_VARIANTS = st.builds(
    PastVariant, _TEXTS, _TEXTS, st.none() | _TEXTS, artifact_bytes=st.none() | st.integers(0, 2**40),
    runtimes=st.lists(_RUNTIMES, max_size=2, unique_by=lambda r: r.id).map(tuple),
)  # fmt: skip
_RUNS = st.builds(
    PastRun, st.uuids().map(str), st.datetimes().map(str), _TEXTS, _TEXTS, _TEXTS, _TEXTS,
    st.lists(_VARIANTS, max_size=2, unique_by=lambda v: v.name).map(tuple),
)  # fmt: skip


@settings(max_examples=25)  # each writes four files
@given(st.lists(_RUNS, max_size=5, unique_by=lambda run: run.id), st.data())
def test_merges_lose_nothing_whatever_the_order(
    tmp_path_factory: pytest.TempPathFactory, runs: list[PastRun], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("merged")
    of_a, of_b = (data.draw(st.sets(st.integers(0, 4))) for _ in range(2))
    for name, some in (("a", of_a), ("b", of_b)):
        history.merge(folder / name, ())
        for number, run in enumerate(runs):
            if number in some:
                history.append(folder / name, run)
    history.merge(folder / "ab", [folder / "a", folder / "b"])
    history.merge(folder / "ba", [folder / "b", folder / "a"])
    assert history.merge(folder / "ba", [folder / "a"]) == 0
    expected = sorted(
        (run for number, run in enumerate(runs) if number in of_a | of_b), key=lambda run: (run.at, run.id)
    )
    assert list(history.read(folder / "ab")) == list(history.read(folder / "ba")) == expected


def test_checks_that_end_at_once_are_all_kept(tmp_path: Path) -> None:
    runs = [kept(GOOD, str(number)) for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: history.append(tmp_path / "h", run), runs))
    assert {run.label for run in history.read(tmp_path / "h")} == {str(number) for number in range(20)}


def test_a_run_that_cannot_be_kept_whole_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    run = kept(GOOD)
    history.append(tmp_path / "h", run)
    twice = replace(run, id="other", variants=run.variants * 2)
    with pytest.raises(InputError):
        history.append(tmp_path / "h", twice)
    assert history.read(tmp_path / "h") == (run,)


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE people (name TEXT)")
    database.close()


def _newer(path: Path) -> None:
    history.merge(path, ())
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 9")
    database.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("schema = 1\n" * 99), "is not a history of pycheck: file is not a database"),
        (_sqlite, "is not a history of pycheck: it is an SQLite file with the tables people"),
        (_newer, "has version 9, but this pycheck reads 1"),
    ],
)
@pytest.mark.parametrize("use", [history.read, history.check_writable, lambda path: history.append(path, kept(GOOD))])
def test_what_is_no_history_is_refused_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], Any], message: str, use: Callable[[Path], Any]
) -> None:
    path = tmp_path / "h"
    make(path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=message):
        use(path)
    assert path.read_bytes() == before


def test_a_history_that_is_damaged_adds_nothing_to_another(tmp_path: Path) -> None:
    history.append(tmp_path / "a", kept(GOOD))
    history.append(tmp_path / "b", kept(GOOD))
    (tmp_path / "c").write_bytes((tmp_path / "b").read_bytes()[:5000])
    with pytest.raises((InputError, UsageError)):
        history.merge(tmp_path / "a", [tmp_path / "b", tmp_path / "c"])
    assert len(history.read(tmp_path / "a")) == 1


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot write the history .*no/h: unable to open database file"):
        history.check_writable(tmp_path / "no" / "h")
    history.check_writable(tmp_path / "h")
    assert not (tmp_path / "h").exists()


def _other(made: Report, **changes: Any) -> Report:
    """The report of another run, of which these fields of every browser's environment differ."""
    records = [
        replace(r, environment=replace(r.environment, **changes)) if r.environment and r.id == WEBGL else r
        for r in made.runtimes
    ]
    return replace(made, runtimes=tuple(records))


def test_what_changed_is_said_with_the_runtimes_if_not_all_changed() -> None:
    first = kept(GOOD, "1.0")
    changed = {
        "tfjs 4.22.0 -> tfjs 4.23.0 (chromium:webgl)": _other(GOOD, library="tfjs 4.23.0"),
        "SwiftShader -> NVIDIA H200 (chromium:webgl)": _other(GOOD, renderer="NVIDIA H200"),
        "flags none -> WEBGL_PACK=False (chromium:webgl)": _other(GOOD, flags_set={"WEBGL_PACK": False}),
        "the model": replace(GOOD, model=replace(GOOD.model, sha256="f" * 64)),
        "the inputs": replace(GOOD, inputs=replace(GOOD.inputs, sha256="f" * 64)),
        "without chromium:webgl": report([comparison(CPU)]),
    }
    for text, made in changed.items():
        then, now = (first, kept(made, "1.1", 1))
        assert history.changes((then, then.variants[0]), (now, now.variants[0])) == (text,)
        assert f"2026-07-02 1.1  {text}\n" in said([then, now])
    newer = replace(kept(GOOD), pycheck_version="0.2.0")
    assert history.changes((first, first.variants[0]), (newer, newer.variants[0])) == ("pycheck 0.1.0 -> 0.2.0",)
    assert "what changed" not in said([first, kept(GOOD, day=1)])


def test_changed_weights_are_told_unless_the_model_changed_too() -> None:
    assert isinstance(GOOD.artifact, ArtifactInfo)
    weights = replace(GOOD, artifact=replace(GOOD.artifact, weights_sha256="f" * 64))
    both = replace(weights, model=replace(GOOD.model, sha256="f" * 64))
    first = kept(replace(GOOD, artifact=replace(GOOD.artifact, weights_sha256="0" * 64)))
    for made, text in ((weights, "the artifact's weights"), (both, "the model")):
        now = kept(made)
        assert history.changes((first, first.variants[0]), (now, now.variants[0])) == (text,)


def test_a_runtime_that_did_not_answer_has_no_changes_and_says_so() -> None:
    failed = [replace(r, status=RuntimeStatus.TIMED_OUT, environment=None) for r in GOOD.runtimes]
    made = replace(report([comparison(CPU)]), runtimes=tuple(failed))
    assert "timed out" in said([kept(GOOD), kept(made, day=1)])


def test_a_line_for_each_run_says_where_an_output_began_to_fail() -> None:
    bad = report([comparison(CPU), comparison(WEBGL, 2 * LIMIT)])
    text = said([kept(GOOD, "1.0"), kept(bad, "1.1", 1)])
    assert "m\n  largest error of y\n                    chromium:cpu  chromium:webgl\n" in text
    assert "    2026-07-01 1.0          1e-7            1e-7\n" in text
    assert "    2026-07-02 1.1          1e-7    4.8e-6 DRIFT\n" in text
    assert "2026-07-02 1.1  PASS -> DRIFT" in text
    assert max(map(len, said([kept(GOOD), kept(bad, day=1)], width=40).splitlines())) <= 44


def test_a_page_has_a_curve_for_each_column_with_two_numbers_and_escapes_what_it_shows() -> None:
    runs = [kept(GOOD, "<b>1.0</b>"), kept(_other(GOOD, library="tfjs 4.23.0"), "1.1", 1)]
    page = render_history_html(runs, history.changes)
    assert page.count('<svg class="chart"') == 3  # two errors and a size
    assert "largest error of y, chromium:webgl" in page and "tfjs 4.22.0 -&gt; tfjs 4.23.0" in page
    assert "<b>1.0" not in page and "&lt;b&gt;1.0" in page
    assert '<svg class="chart"' not in render_history_html(runs[:1], history.changes)


def test_the_label_is_what_ci_names() -> None:
    assert history.label_of_ci({}) == ""
    assert history.label_of_ci({"GITHUB_REF_NAME": "", "CI_COMMIT_REF_NAME": "v1"}) == "v1"


def test_the_command_shows_merges_and_writes(tmp_path: Path, command: Cli) -> None:
    a, b = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    history.append(a, kept(GOOD, "1.0"))
    history.append(b, kept(GOOD, "1.1", 1))
    told = command("history", a, "--merge", b)
    assert (told.code, told.err) == (0, f"{a}: 1 run added\n")
    assert told.out.startswith("2 runs, from 2026-07-01 1.0 to 2026-07-02 1.1\n")
    assert command("history", a, "m*", "--last", "1").out.startswith("1 run, 2026-07-02 1.1\n")
    assert [run["label"] for run in json.loads(command("history", a, "--json", "-").out)["runs"]] == ["1.0", "1.1"]
    assert command("history", a, "--html", tmp_path / "h.html").code == 0
    assert "<h2" in (tmp_path / "h.html").read_text()
    nothing = command("history", a, "x")
    assert (nothing.code, "It has m." in nothing.err) == (2, True)
    assert command("history", tmp_path / "c").code == 2


def test_a_label_without_a_history_is_refused(command: Cli, tmp_path: Path) -> None:
    (tmp_path / "pycheck.toml").write_text('[[models]]\npath = "m.keras"\n')
    told = command("check", "--config", tmp_path / "pycheck.toml", "--label", "1")
    assert told.code == 2 and "A label has no effect without a history" in told.err


def test_a_shard_has_no_history_and_its_merge_has(fakes: Any, command: Cli, tmp_path: Path) -> None:
    (tmp_path / "pycheck.toml").write_text('runtimes = ["chromium:cpu"]\n[[models]]\npath = "m.keras"\n')
    fakes.save(tmp_path / "m.keras")
    config, past = ("--config", tmp_path / "pycheck.toml"), ("--history", tmp_path / "h")
    shard = ("check", *config, "--shard", "1/2", "--save-run", tmp_path / "part")
    refused = command(*shard, *past)
    assert refused.code == 2 and "A history has whole checks, and this is one shard" in refused.err
    command("check", *config, "--save-run", tmp_path / "whole")
    command("merge", tmp_path / "whole", *config, *past)
    assert [len(run.variants) for run in history.read(tmp_path / "h")] == [1]


def test_a_check_adds_its_run(fakes: Any, command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pycheck.toml").write_text('runtimes = ["chromium:cpu"]\n[[models]]\npath = "m.keras"\n')
    fakes.save(tmp_path / "m.keras")
    monkeypatch.setenv("GITHUB_REF_NAME", "v1.0")
    for arguments in ((), ("--label", "mine")):
        command("check", "--config", tmp_path / "pycheck.toml", "--history", tmp_path / "h", *arguments)
    runs = history.read(tmp_path / "h")
    assert [run.label for run in runs] == ["v1.0", "mine"]
    assert runs[0].variants[0].runtimes[0].outputs
