"""An answer is of the files as they are; a failure is told, and the watch goes on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pycheck.errors import InternalError, ModelFileError, PycheckError, UsageError
from pycheck.system.stamps import stamps
from pycheck.watching.jobs import Job
from pycheck.watching.loop import Answer, Running, Waiting

from ..report.conftest import passing
from .watched import Disk, Told, watch

REPORT = passing()


class Work:
    """A job of one file: a run reads it, and answers when it is let go."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.file = disk.save("m.txt", "one")
        self.settings = disk.save("pycheck.toml", "")
        self.runs: list[str] = []  # what each read
        self.cancelled = 0
        self.warmed = 0
        self.gate: asyncio.Event | None = None  # lets runs end
        self.answer: Callable[[str], Any] = lambda text: replace(REPORT, name=text)

    def plan(self) -> Job:
        read = stamps([self.settings])
        if self.settings.read_text() == "wrong":
            raise UsageError("The configuration is wrong.")
        return Job(self.run, self.warm, lambda: [self.settings, self.file], read)

    async def run(self, first: Callable[[Any], Awaitable[None]] | None) -> Any:
        self.runs.append(text := self.file.read_text())
        try:
            if self.gate:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.answer(text)

    async def warm(self) -> None:
        self.warmed += 1


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(Disk(tmp_path))


def test_it_answers_and_again_when_the_file_changes(work: Work) -> None:
    async def act(told: Told) -> None:
        assert (await told.next(Running)).changed == ()
        first: Answer = await told.next(Answer)
        assert (first.outcome.name, first.before, first.changed, first.is_complete) == ("one", None, (), True)
        assert set((await told.next(Waiting)).files) == {work.file, work.settings}
        work.disk.save("m.txt", "two!")
        assert (await told.next(Running)).changed == (work.file,)
        second: Answer = await told.next(Answer)
        assert (second.outcome.name, second.before, second.changed) == ("two!", first.outcome, (work.file,))

    watch(work.disk, work.plan, act)
    assert work.warmed


def test_a_change_during_a_run_cancels_it_and_only_the_new_file_has_an_answer(work: Work) -> None:
    async def act(told: Told) -> None:
        work.gate = asyncio.Event()
        await told.next(Running)
        while not work.runs:
            await asyncio.sleep(0)
        work.disk.save("m.txt", "two!")
        assert (await told.next(Running)).changed == (work.file,)
        work.gate.set()
        assert (await told.next(Answer)).outcome.name == "two!"

    watch(work.disk, work.plan, act)
    assert (work.runs, work.cancelled) == (["one", "two!"], 1)


def test_a_run_whose_file_changes_before_its_event_comes_has_no_answer(work: Work) -> None:
    def answer(text: str) -> Any:
        if text == "one":
            work.file.write_text("two!")  # without an event
        return replace(REPORT, name=text)

    work.answer = answer

    async def act(told: Told) -> None:
        assert (await told.next(Answer)).outcome.name == "two!"

    watch(work.disk, work.plan, act)


def _raises(error: Exception) -> Callable[[str], Any]:
    def answer(text: str) -> Any:
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelFileError("m.txt is truncated."), ModelFileError),
        (OSError(28, "No space left on device", "cache"), UsageError),
        (ZeroDivisionError("division by zero"), InternalError),
    ],
)
def test_a_failing_run_is_told_and_the_next_one_is_compared_with_the_last_report(
    work: Work, error: Exception, kind: type[PycheckError]
) -> None:
    async def act(told: Told) -> None:
        good = (await told.next(Answer)).outcome
        sound, work.answer = work.answer, _raises(error)
        work.disk.save("m.txt", "half a f")
        failed: Answer = await told.next(Answer)
        assert type(failed.outcome) is kind and failed.before is good
        work.answer = sound
        work.disk.save("m.txt", "the whole file")
        mended: Answer = await told.next(Answer)
        assert (mended.outcome.name, mended.before) == ("the whole file", good)

    watch(work.disk, work.plan, act)


def test_an_error_of_half_a_file_is_not_told_if_the_rest_follows(work: Work) -> None:
    sound = work.answer

    def answer(text: str) -> Any:
        if text == "half":
            raise ModelFileError("m.txt is truncated.")
        return sound(text)

    work.answer = answer

    async def act(told: Told) -> None:
        await told.next(Answer)
        work.disk.save("m.txt", "half")
        while "half" not in work.runs:
            await asyncio.sleep(0)
        work.disk.save("m.txt", "half and half")
        assert (await told.next(Answer)).outcome.name == "half and half"

    watch(work.disk, work.plan, act, settle_s=30.0)


def test_a_wrong_configuration_is_told_until_it_is_right(work: Work) -> None:
    async def act(told: Told) -> None:
        await told.next(Answer)
        work.disk.save("pycheck.toml", "wrong")
        assert (await told.next(Answer)).outcome.message == "The configuration is wrong."
        await told.next(Waiting)
        work.disk.save("pycheck.toml", "right")
        assert (await told.next(Answer)).outcome.name == "one"

    watch(work.disk, work.plan, act)


def test_a_configuration_that_is_wrong_at_the_start_ends_it(work: Work) -> None:
    work.disk.save("pycheck.toml", "wrong")

    async def act(told: Told) -> None:
        await told.next(Answer)

    with pytest.raises(UsageError, match="The configuration is wrong"):
        watch(work.disk, work.plan, act)


def test_the_first_report_of_a_run_is_told_before_it_is_complete_unless_the_file_has_changed(work: Work) -> None:
    async def run(first: Callable[[Any], Awaitable[None]] | None) -> Any:
        text = work.file.read_text()
        if first:
            await first(replace(REPORT, name=f"{text}, at first"))
        return replace(REPORT, name=text)

    async def act(told: Told) -> None:
        assert (await told.next(Answer)).outcome.name == "one"  # the first answer is complete
        work.disk.save("m.txt", "two!")
        first, last = await told.next(Answer), await told.next(Answer)
        assert [(a.outcome.name, a.is_complete) for a in (first, last)] == [("two!, at first", False), ("two!", True)]
        assert first.before is last.before and first.before.name == "one"

    watch(work.disk, lambda: replace(work.plan(), run=run), act)


def test_changed_python_code_is_imported_again_with_all_that_it_imports(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    monkeypatch.syspath_prepend(str(work.disk.folder))
    helper = work.disk.save("watched_helper.py", "FACTOR = 2\n")
    work.disk.save("watched_code.py", "from watched_helper import FACTOR\n")

    async def run(_: Any) -> Any:
        import watched_code  # type: ignore[import-not-found]

        work.runs.append(watched_code.__name__)
        work.disk.wake()  # modules that a run imports do not cancel it
        await asyncio.sleep(0.1)
        return replace(REPORT, name=str(watched_code.FACTOR))

    async def act(told: Told) -> None:
        assert (await told.next(Answer)).outcome.name == "2"
        assert helper in (await told.next(Waiting)).files
        work.disk.save("watched_helper.py", "FACTOR = 3\n")  # of the same size, perhaps within the same second
        assert (await told.next(Answer)).outcome.name == "3"

    try:
        watch(work.disk, lambda: replace(work.plan(), run=run), act)
    finally:
        for name in ("watched_code", "watched_helper"):
            sys.modules.pop(name, None)
    assert len(work.runs) == 2


def test_it_goes_on_after_a_cancelled_run_that_ends_late(work: Work) -> None:
    """Work in TensorFlow's thread cannot be interrupted: the run ends after its files have changed twice."""
    released: list[Iterable[None]] = []

    async def run(_: Any) -> Any:
        text = work.file.read_text()
        work.runs.append(text)
        if text == "one":
            try:
                await asyncio.Event().wait()
            finally:
                work.disk.save("m.txt", "three")
                released.append(())
        return replace(REPORT, name=text)

    async def act(told: Told) -> None:
        while not work.runs:
            await asyncio.sleep(0)
        work.disk.save("m.txt", "two!")
        assert (await told.next(Answer)).outcome.name == "three"

    watch(work.disk, lambda: replace(work.plan(), run=run), act)
    assert released
