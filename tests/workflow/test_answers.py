"""What did not change does not run again, what changed does, and an answer that varies is found."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.errors import NoKernelError, RuntimeFailedError, RuntimeTimeoutError
from pycheck.options.reading import build
from pycheck.runtimes.fake import FakePage, Fault, drifting
from pycheck.types import Report, RuntimeStatus, Severity, Verdict
from pycheck.workflow import answers
from pycheck.workflow.browsers import Hosts

from ..conftest import Cli
from ..fakes import Fakes, dense

CPU, WEBGL = "chromium:cpu", "chromium:webgl"
X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


@pytest.fixture
def model(fakes: Fakes, tmp_path: Path) -> Path:
    """A model beside inputs, and browsers of which the identity is known."""
    fakes.identity = "browser 1"
    np.save(tmp_path / "x.npy", X)
    return fakes.save(tmp_path / "m.keras")


@pytest.fixture
def run(model: Path, fakes: Fakes) -> Callable[..., tuple[Report, bool]]:
    """Compares, and tells whether a browser was started."""

    def compare(inputs: Any = None, **options: Any) -> tuple[Report, bool]:
        before = len(fakes.hosts)
        given = {"runtimes": [CPU, WEBGL], "recheck": 0, "batch_size": 4, **options}
        report = pycheck.compare(model, model.parent / "x.npy" if inputs is None else inputs, **given)
        return report, len(fakes.hosts) > before

    return compare


Run = Callable[..., tuple[Report, bool]]


def test_an_unchanged_run_starts_no_browser_and_is_judged_anew(run: Run) -> None:
    first, ran = run()
    again, ran_again = run()
    assert (ran, ran_again) == (True, False)
    assert again.comparisons == first.comparisons and again.findings == first.findings
    kept = [record.kept_at for record in again.runtimes if record.id.engine == "chromium"]
    assert all(kept) and not any(record.kept_at for record in first.runtimes)
    judged, ran = run(atol=1e-12)
    assert not ran and judged.verdict is Verdict.DRIFT


@pytest.mark.parametrize(
    "change",
    [
        lambda fakes, model, run: run(X + 1),
        lambda fakes, model, run: run(batch_size=2),
        lambda fakes, model, run: run(flags={"WEBGL_PACK": False}),
        lambda fakes, model, run: run(cpu_kernels=["Relu"]),
        lambda fakes, model, run: run(quantize="float16"),
        lambda fakes, model, run: run(fresh=True),
        lambda fakes, model, run: run(cache=False),
        lambda fakes, model, run: run(runtimes="chromium:wasm"),
        lambda fakes, model, run: (setattr(fakes, "identity", "browser 2"), run())[1],
        lambda fakes, model, run: (fakes.save(model, dense(seed=1)), run())[1],
    ],
    ids=["inputs", "batches", "flags", "kernels", "weights", "fresh", "no cache", "runtime", "browser", "model"],
)
def test_what_changed_runs(fakes: Fakes, model: Path, run: Run, change: Any) -> None:
    run()
    assert not run()[1]
    report, ran = change(fakes, model, run)
    assert ran and not any(record.kept_at for record in report.runtimes)


def test_only_the_runtime_that_is_new_runs(fakes: Fakes, run: Run) -> None:
    run(runtimes=CPU)
    report, ran = run()
    assert ran and [bool(record.kept_at) for record in report.runtimes[-2:]] == [True, False]


def test_a_browser_that_nobody_can_identify_runs_each_time(fakes: Fakes, run: Run) -> None:
    fakes.identity = None
    assert run()[1] and run()[1]


def test_an_answer_that_varies_is_found_and_replaced(fakes: Fakes, run: Run) -> None:
    run()
    fakes.break_(WEBGL, drifting(0.5, sample=1))
    assert run()[0].passed  # nothing ran
    report, ran = run(recheck=1)
    assert ran and report.verdict is Verdict.DRIFT
    (found,) = [finding for finding in report.findings if finding.code == "nondeterministic"]
    assert found.severity is Severity.WARNING and found.evidence["after"] == "kept"
    assert (found.evidence["batch"], found.evidence["sample"]) == (1, 1) and list(map(str, found.runtimes)) == [WEBGL]
    report, ran = run()
    assert not ran and report.verdict is Verdict.DRIFT


def test_a_check_that_finds_the_same_answers_says_nothing(run: Run) -> None:
    first, _ = run()
    again, ran = run(recheck=1)
    assert ran and again.findings == first.findings


def test_answers_that_changed_within_a_run_are_told_again(fakes: Fakes, run: Run, tmp_path: Path) -> None:
    fakes.break_(WEBGL, Fault(kept=1e-6))
    first, _ = run()
    again, ran = run(save_run=tmp_path / "run")
    assert not ran and "stale-state" in {finding.code for finding in first.findings}
    assert again.findings == first.findings == pycheck.rejudge(tmp_path / "run").findings


@pytest.mark.parametrize("error", [RuntimeFailedError("the GPU failed"), RuntimeTimeoutError("no answer")])
def test_a_runtime_that_failed_runs_again(fakes: Fakes, run: Run, error: Exception) -> None:
    fakes.break_(WEBGL, Fault(error=error, at="start"))
    first, _ = run()
    assert first.verdict is Verdict.ERROR
    fakes.break_(WEBGL, Fault())
    again, ran = run()
    assert ran and again.verdict is Verdict.PASS


def test_a_model_that_a_library_cannot_run_is_not_tried_again(fakes: Fakes, run: Run) -> None:
    fakes.break_(WEBGL, Fault(error=NoKernelError("no kernel for Foo", "Replace it.")))
    first, _ = run()
    again, ran = run()
    assert not ran and again.verdict is first.verdict is Verdict.ERROR
    kept = [record for record in again.runtimes if str(record.id) == WEBGL]
    (before,) = (record for record in first.runtimes if str(record.id) == WEBGL)
    assert kept == [replace(before, kept_at=kept[0].kept_at)] and kept[0].kept_at
    assert again.findings == first.findings and again.comparisons == first.comparisons
    fakes.break_(WEBGL, Fault())
    mended, ran = run(recheck=1)
    assert ran and mended.verdict is Verdict.PASS and run()[0].verdict is Verdict.PASS


def test_a_model_that_a_library_cannot_run_on_a_later_batch_is_tried_again(fakes: Fakes, run: Run) -> None:
    fakes.break_(WEBGL, Fault(error=NoKernelError("no kernel for Foo"), at="predict", since=2))
    run()
    assert run()[1]


@pytest.mark.parametrize("name", ["answers.json", "chromium-webgl/000001.safetensors"])
def test_a_damaged_entry_is_never_used(fakes: Fakes, run: Run, name: str, tmp_path: Path) -> None:
    first, _ = run()
    (entry,) = (folder.parent for folder in Path(os.environ["PYCHECK_CACHE_DIR"]).glob("answers/*/chromium-webgl"))
    file = entry / name
    file.write_bytes(file.read_bytes()[:-9] + b"123456789")
    again, ran = run()
    assert ran and again.comparisons == first.comparisons
    assert not run()[1]


def test_answers_of_many_bytes_are_not_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_MOST_BYTES", 60)
    assert run()[1] and run()[1]


def test_a_trace_runs(model: Path, fakes: Fakes, run: Run) -> None:
    run()
    pycheck.trace(model, model.parent / "x.npy", runtimes=[CPU, WEBGL], batch_size=4)
    assert fakes.hosts[1:]


def test_a_check_starts_no_browser_where_nothing_changed_and_measures_times_anew(
    fakes: Fakes, model: Path, command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    fakes.save(model.parent / "other.keras", dense(seed=1))
    text = 'runtimes = ["chromium:cpu"]\nrecheck = 0\n[[models]]\npath = "m.keras"\n[[models]]\npath = "other.keras"\n'
    Path("pycheck.toml").write_text(text)
    assert command("check").code == 0
    started = len(fakes.hosts)
    assert command("check").code == 0 and len(fakes.hosts) == started
    fakes.save(model, dense(seed=2))
    assert command("check").code == 0 and len(fakes.hosts) == started + 1
    Path("pycheck.toml").write_text(
        f'{text}\n[[budgets]]\nlatency = 1000\nruntime = "chromium:cpu"\nagainst = "chromium:cpu"\nmodel = "other"\n'
    )
    assert command("check").code == 0 and len(fakes.hosts) == started + 2


def test_the_terminal_says_when_the_runtime_ran(model: Path, command: Cli, run: Run) -> None:
    run(runtimes=CPU)
    told = command("compare", model, model.parent / "x.npy", "--runtime", CPU, "--batch-size", 4, "--recheck", 0)
    assert "so it did not run again; to run it, add --fresh" in " ".join(told.out.split())
    assert RuntimeStatus.OK.value not in told.messages


def test_a_browser_that_nobody_started_starts_when_it_is_asked_for(fakes: Fakes) -> None:
    async def ask() -> int:
        hosts = Hosts(fakes.host)
        first, second = [await hosts.get(build({"runtimes": CPU}), "chromium") for _ in range(2)]
        await hosts.close()
        return len({id(first), id(second)})

    assert asyncio.run(ask()) == 1 == len(fakes.hosts)


@pytest.mark.parametrize("which", ["model", "inputs"])
def test_nothing_is_kept_of_a_run_during_which_a_file_is_saved(
    fakes: Fakes, model: Path, run: Run, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """Its results may be of the new content, and would be found under the key of the old one."""
    old = {path: path.read_bytes() for path in (model, model.parent / "x.npy")}
    run_page = FakePage.predict

    async def saving(page: FakePage, *given: Any, **more: Any) -> Any:
        fakes.save(model, dense(seed=1)) if which == "model" else np.save(model.parent / "x.npy", X + 1)
        return await run_page(page, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(FakePage, "predict", saving)
        run()
    for path, content in old.items():
        path.write_bytes(content)
    report, ran = run()
    assert ran and not any(record.kept_at for record in report.runtimes)
