"""Where the parts of a variant run, and what happens if one of them fails, on fake runtimes."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import KilledWorker, Worker, get_worker

from pycheck.cluster import spreading, tasks, working
from pycheck.cluster.connecting import Cluster
from pycheck.cluster.members import PYTHON, engine_resource
from pycheck.cluster.plugin import CheckPlugin
from pycheck.errors import RuntimeUnavailableError, UsageError
from pycheck.options.values import Options
from pycheck.runtimes.fake import Fault
from pycheck.types import RuntimeId

from ..conftest import Cli
from ..fakes import Fakes
from .reports import report_of


def _done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parts that workers do from now on."""
    done: list[str] = []

    def noting(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def part(*given: Any, **more: Any) -> Any:
            done.append(str(given[3]) if name == "answer" else name)
            return work(*given, **more)

        return part

    for name in ("convert", "refer", "answer", "conclude", "whole"):
        monkeypatch.setattr(working, name, noting(name, getattr(working, name)))
    return done


def test_a_variant_is_divided_and_variants_of_a_model_share_the_results_in_python(
    work: Path, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _done(monkeypatch)
    command("check", "m", "--dask", address)
    assert sorted(done) == ["chromium:cpu"] * 3 + ["chromium:webgl"] * 3 + ["conclude"] * 3 + ["convert"] * 3 + [
        "refer"
    ]


def test_a_runtime_that_failed_has_the_batches_before_as_on_one_machine(
    work: Path, fakes: Fakes, command: Cli, address: str
) -> None:
    fakes.break_("chromium:webgl", Fault(error=RuntimeUnavailableError("The page was lost."), since=3))
    one = report_of(command, "n")
    assert report_of(command, "n", "--dask", address) == one
    assert "The page was lost." in str(one)


def test_a_runtime_that_cannot_start_is_tried_on_a_second_worker(
    work: Path, fakes: Fakes, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.break_("chromium:webgl", Fault(error=RuntimeUnavailableError("There is no GPU."), at="start"))
    one = report_of(command, "n")
    done = _done(monkeypatch)
    assert report_of(command, "n", "--dask", address) == one
    assert done.count("chromium:webgl") == 2
    assert done.count("chromium:cpu") == 1


def test_a_part_that_fails_makes_its_variant_run_as_a_whole(
    work: Path, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = report_of(command, "n")

    def fails(*_: Any) -> Any:
        raise tasks.PartFailedError("The disk is full.")

    monkeypatch.setattr(working, "refer", fails)
    done = _done(monkeypatch)
    assert report_of(command, "n", "--dask", address) == one
    assert done.count("whole") == 1


def test_variants_with_a_budget_for_latency_run_at_the_end_one_after_the_other(
    work: Path, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = '[[budgets]]\nmodel = "m"\nlatency = 9\nagainst = "chromium:cpu"\n'
    Path("pycheck.toml").write_text(Path("pycheck.toml").read_text() + budget)
    one = report_of(command, "m", "n")
    done = _done(monkeypatch)
    assert report_of(command, "m", "n", "--dask", address) == one
    assert done[-3:] == ["whole"] * 3
    assert done.count("whole") == 3


def test_an_engine_that_no_worker_has_is_unavailable_as_on_one_machine(
    work: Path, fakes: Fakes, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fakes, "identity", None)
    fakes.break_("chromium:webgl", Fault(error=RuntimeUnavailableError("There is no Chromium."), at="start"))
    one = report_of(command, "n")
    said = command("check", "n", "--fresh", "--json", "report.json", "--dask", address)
    assert said.code == one[0]
    assert "No worker has chromium, none has a browser." in said.err
    assert "There is no Chromium." in Path("report.json").read_text()


def test_a_worker_without_a_browser_does_the_parts_in_python_only(
    work: Path, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without: list[str] = []
    answered: set[str] = set()
    did: set[str] = set()
    setup, answer, convert = CheckPlugin.setup, working.answer, working.convert

    async def half(plugin: CheckPlugin, worker: Worker) -> None:
        await setup(plugin, worker)
        without.append(worker.address)
        if worker.address == without[0]:
            await worker.set_resources(**{engine_resource("chromium"): 0})

    def note(into: set[str], work: Callable[..., Any]) -> Callable[..., Any]:
        def part(*given: Any, **more: Any) -> Any:
            into.add(get_worker().address)
            return work(*given, **more)

        return part

    monkeypatch.setattr(CheckPlugin, "setup", half)
    monkeypatch.setattr(working, "answer", note(answered, answer))
    monkeypatch.setattr(working, "convert", note(did, convert))
    assert command("check", "--dask", address).code == 1
    assert len(answered) == 1
    assert did > answered


def test_without_the_cache_nothing_stays_on_a_worker(
    work: Path, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    one = report_of(command, "n", "--no-cache")
    folder = tmp_path_factory.mktemp("temporary")
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(cache))
    assert report_of(command, "n", "--no-cache", "--dask", address) == one
    assert not [path for path in folder.iterdir() if path.name.startswith("pycheck")]
    assert not list(cache.iterdir())


def test_an_unchanged_check_takes_the_kept_answers_of_the_workers(work: Path, command: Cli, address: str) -> None:
    command("check", "n", "--dask", address)
    command("check", "n", "--json", "again.json", "--dask", address)
    command("check", "n", "--json", "here.json")
    for file in ("again.json", "here.json"):
        assert Path(file).read_text().count('"kept_at": "2') == 2


def _dies(*_: Any, **__: Any) -> Any:
    raise KilledWorker("part", SimpleNamespace(address="tcp://worker"), 3)


def test_what_this_machine_has_kept_needs_no_worker_of_it(
    work: Path, fakes: Fakes, command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.identity = "browser 1"

    def told(*words: str) -> tuple[int, str]:
        said = command("check", *words)
        return said.code, re.sub(r"in \d+ s", "", said.out) or said.err

    assert command("check", "m").code == 1
    one = told("m", "--recheck", "0")

    def connected(*_: Any) -> Any:
        raise UsageError("There is no cluster.")

    monkeypatch.setattr(spreading, "connected", connected)
    assert told("m", "--recheck", "0", "--dask", "local") == one
    for more in ((), ("m", "--fresh"), ("m", "--recheck", "1")):
        assert "There is no cluster." in told(*more, "--dask", "local")[1]


def test_a_runtime_that_ends_every_worker_is_failed_and_the_others_stand(
    work: Path, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = working.answer

    def dies(*given: Any, **more: Any) -> Any:
        return _dies() if given[3] == "chromium:webgl" else answer(*given, **more)

    monkeypatch.setattr(working, "answer", dies)
    code, report = report_of(command, "n", "--dask", address)
    assert code == 3
    (variant,) = report["reports"]
    ends = {record["id"]: (record["status"], record["error"]) for record in variant["runtimes"]}
    assert ends["chromium:webgl"] == ("failed", "4 workers died while it ran.")
    assert ends["chromium:cpu"] == ("ok", None)


def test_a_model_that_ends_every_worker_is_named_and_the_others_stand(
    work: Path, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = working.convert

    def dies(work: bytes, contents: Any) -> Any:
        return _dies() if pickle.loads(work).name == "o" else convert(work, contents)

    monkeypatch.setattr(working, "convert", dies)
    _, report = report_of(command, "n", "o", "--dask", address)
    assert [variant["name"] for variant in report["reports"]] == ["n"]
    (failure,) = report["failures"]
    assert (failure["name"], failure["exit_code"]) == ("o", 3)
    assert failure["message"] == "4 workers died while they ran this variant."


@pytest.mark.parametrize("left", [True, False])
def test_when_no_worker_that_fits_is_left_what_is_missing_is_named(
    work: Path, fakes: Fakes, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    fakes.break_("chromium:webgl", Fault(hangs=True))

    async def resources(_: Cluster) -> dict[str, dict[str, float]]:
        return {"tcp://left": {PYTHON: 1.0}} if left else {}

    monkeypatch.setattr(Cluster, "resources", resources)
    monkeypatch.setattr(spreading, "PATIENCE_S", 0.5)
    monkeypatch.setattr(spreading, "_POLL_S", 0.1)
    code, report = report_of(command, "n", "--dask", address)
    assert code == 3
    if left:
        ends = {record["id"]: record["error"] for record in report["reports"][0]["runtimes"]}
        assert ends["chromium:webgl"] == "No worker with chromium is left."
    else:
        (failure,) = report["failures"]
        assert failure["message"] == "No worker with TensorFlow is left. This variant was not complete."
        assert f"pycheck check n --dask {address}" in failure["advice"]


def test_a_cache_that_cannot_be_written_is_named_as_on_one_machine(
    work: Path, command: Cli, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").touch()
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(work / "file" / "cache"))
    one = report_of(command, "n")
    assert one[0] == 2
    assert "Cannot write to the cache folder" in str(one)
    assert report_of(command, "n", "--dask", address) == one


def test_a_worker_of_this_machine_has_its_share_of_the_engines_and_one_elsewhere_has_all(fakes: Fakes) -> None:
    fakes.identity = "a browser"
    engines = ("chromium", "firefox", "webkit")
    options = Options(runtimes=tuple(RuntimeId(engine, "cpu") for engine in engines))
    here = [working.look(pickle.dumps((options, 2)), number).engines for number in range(2)]
    assert here == [("firefox", "webkit"), ("chromium",)]
    assert working.look(pickle.dumps((options, 0)), "tcp://10.0.0.5:4000").engines == engines
