"""Whole watches of fake runs: each change has its answer, of the present files, with what is kept where it may be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.runtimes.fake import drifting
from pycheck.types import CheckReport, RuntimeStatus, Verdict
from pycheck.watching.jobs import check_job, compare_job
from pycheck.watching.loop import Answer, Waiting, Watch
from pycheck.workflow.pipeline import Workbench
from pycheck.workflow.setting import silent

from ..conftest import Cli
from ..fakes import Fakes, dense
from .watched import Disk, Told, until_acted

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
GIVEN = {"runtimes": ["chromium:cpu"], "recheck": 0.0}
Act = Callable[[Told], Awaitable[None]]


@pytest.fixture
def disk(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A model beside inputs, and browsers of which the identity is known."""
    monkeypatch.chdir(tmp_path)
    fakes.identity = "browser 1"
    np.save("x.npy", X)
    fakes.save(Path("m.keras"))
    return Disk(tmp_path)


def watch(disk: Disk, make: Callable[[Workbench], Any], act: Act) -> None:
    async def both() -> None:
        async with Workbench() as bench, disk.changes() as changes:
            await until_acted(lambda told: Watch(partial(make, bench), changes, told, settle_s=0.0), act)

    asyncio.run(both())


@contextmanager
def quiet(*_: Any) -> Iterator[Any]:
    yield silent


def comparing(bench: Workbench, **given: Any) -> Any:
    return compare_job(bench, Path("m.keras"), Path("x.npy"), {**GIVEN, **given}, "pycheck compare", quiet)


def checking(bench: Workbench) -> Any:
    return check_job(bench, None, (), GIVEN, lambda _: nullcontext(lambda *_: None))


async def last(told: Told) -> Any:
    """The complete answer: in fakes there is no power, so each run tells the same twice."""
    while not (answer := await told.next(Answer)).is_complete:
        pass
    return answer


def test_a_changed_model_has_answers_of_its_own_and_the_old_one_those_that_are_kept(disk: Disk, fakes: Fakes) -> None:
    async def act(told: Told) -> None:
        first = (await last(told)).outcome
        fakes.save(Path("m.keras"), dense(seed=1))
        disk.wake()
        second = (await last(told)).outcome
        assert first.model.sha256 != second.model.sha256
        assert not any(record.kept_at for record in second.runtimes)
        assert first.comparisons[-1].max_abs_error != second.comparisons[-1].max_abs_error
        fakes.save(Path("m.keras"))
        disk.wake()
        third = (await last(told)).outcome
        assert third.model.sha256 == first.model.sha256 and third.comparisons == first.comparisons
        assert [record.kept_at for record in third.runtimes if record.kept_at]

    watch(disk, comparing, act)
    assert len(fakes.hosts) == 1  # the browser stays


def test_changed_inputs_and_a_changed_configuration_are_read_again(disk: Disk) -> None:
    async def act(told: Told) -> None:
        assert (await last(told)).outcome.inputs.sample_count == 6
        await told.next(Waiting)
        np.save("x.npy", X[:3])
        disk.wake()
        answer = await last(told)
        assert (answer.outcome.inputs.sample_count, answer.changed) == (3, (disk.folder / "x.npy",))
        await told.next(Waiting)
        disk.save("pycheck.toml", "atol = 1e-12\n")
        answer = await last(told)
        assert (answer.outcome.verdict, answer.changed) == (Verdict.DRIFT, (disk.folder / "pycheck.toml",))

    watch(disk, comparing, act)


def test_a_page_that_waits_has_the_next_model(disk: Disk, fakes: Fakes) -> None:
    """And a fault that comes later shows: the page is new, and not what an earlier one answered."""

    async def act(told: Told) -> None:
        assert (await last(told)).outcome.passed
        fakes.break_("chromium:cpu", drifting(0.01))
        fakes.save(Path("m.keras"), dense(seed=2))
        disk.wake()
        report = (await last(told)).outcome
        assert [record.status for record in report.runtimes] == [RuntimeStatus.OK] * 3
        assert report.model.sha256 == fakes_sha(Path("m.keras"))

    watch(disk, comparing, act)


def fakes_sha(path: Path) -> str:
    from pycheck.model import identify

    return identify(path).sha256


def test_a_broken_model_is_told_and_a_whole_one_is_compared_with_the_last_report(disk: Disk, fakes: Fakes) -> None:
    async def act(told: Told) -> None:
        good = (await last(told)).outcome
        disk.save("m.keras", "half a file")
        assert "m.keras" in (await last(told)).outcome.message
        fakes.save(Path("m.keras"))
        disk.wake()
        answer = await last(told)
        assert answer.outcome.passed and answer.before is good

    watch(disk, comparing, act)


def test_a_check_answers_again_and_names_what_changed(disk: Disk, fakes: Fakes) -> None:
    disk.save("pycheck.toml", '[[models]]\npath = "m.keras"\ninputs = "x.npy"\n')

    async def act(told: Told) -> None:
        first = (await last(told)).outcome
        assert isinstance(first, CheckReport) and first.passed
        assert {path.name for path in (await told.next(Waiting)).files} >= {"m.keras", "x.npy", "pycheck.toml"}
        disk.save("pycheck.toml", '[[models]]\npath = "m.keras"\ninputs = "x.npy"\natol = 1e-12\n')
        assert (await last(told)).outcome.verdict is Verdict.DRIFT
        await told.next(Waiting)
        disk.save("m.keras", "half a file")
        failed = (await last(told)).outcome
        assert [failure.name for failure in failed.failures] == ["m"]

    watch(disk, checking, act)
    assert len(fakes.hosts) == 1


def test_shards_of_a_given_artifact_are_watched_also_if_they_are_missing(disk: Disk) -> None:
    disk.save("model.json", '{"weightsManifest": [{"paths": ["a.bin"], "weights": []}]}')

    async def act() -> None:
        async with Workbench() as bench:
            found = set(comparing(bench, tfjs_model=Path("model.json")).places())
            assert {Path("model.json"), Path("a.bin"), Path("m.keras"), Path("x.npy")} <= found

    asyncio.run(act())


def test_javascript_is_watched_with_what_it_imports_and_without_packages(disk: Disk) -> None:
    for name in ("web/node_modules/left", "web/lib"):
        (disk.folder / name).mkdir(parents=True)
    disk.save("web/prep.js", 'import { scale } from "./lib/scale.js"; import left from "left"; export default scale;')
    disk.save("web/lib/scale.js", "export const scale = 1;")
    disk.save("web/vocabulary.txt", "a")
    disk.save("web/node_modules/left/index.js", "export default 1;")
    disk.save("web/node_modules/left/package.json", '{"module": "index.js"}')
    disk.save("prep.py", "")

    async def act() -> None:
        async with Workbench() as bench:
            given = {"js_preprocess": "web/prep.js", "preprocess": "prep.py:load"}
            found = {path.resolve().relative_to(disk.folder).as_posix() for path in comparing(bench, **given).places()}
        assert {"web/prep.js", "web/lib/scale.js", "web/vocabulary.txt", "prep.py"} <= found
        assert not [name for name in found if "node_modules" in name]

    asyncio.run(act())


def test_a_recipe_is_no_file_and_its_vocabulary_is(disk: Disk) -> None:
    async def act() -> None:
        async with Workbench() as bench:
            found = set(comparing(bench, preprocess="vocabulary(words.txt)", js_preprocess="torch").places())
        assert found == {Path(name) for name in ("pycheck.toml", "m.keras", "x.npy", "words.txt")}

    asyncio.run(act())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "8000"], "Add --serve."),
        (["--json", "-"], "standard output has the answers"),
        (["--runtime", "chromium:wgpu"], "wgpu"),
        (["--save-run", "saved"], "No such option"),
    ],
)
def test_options_without_an_effect_end_it_at_the_start(
    disk: Disk, command: Cli, words: list[str], message: str
) -> None:
    said = command("watch", "compare", "m.keras", "x.npy", *words)
    assert said.code == 2 and message in said.err
