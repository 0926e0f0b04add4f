"""A file has changed if the system says anything else of it; events only say when to look."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pycheck.watching.changes import Changes, events

from .watched import LONG_S, Disk


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def _replace(file: Path) -> None:
    other = file.with_suffix(".new")
    other.write_text("two")  # of the same size
    os.utime(other, ns=(0, 0))
    os.utime(file, ns=(0, 0))
    other.replace(file)


def _same_time(file: Path) -> None:
    times = file.stat()
    file.write_text("two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("longer than one"),
        _same_time,
        _replace,
        Path.unlink,
        lambda file: file.rename(file.with_suffix(".old")),
    ],
    ids=["written", "written with its old time", "replaced by a file of the same size and time", "removed", "renamed"],
)
def test_a_changed_file_is_found(disk: Disk, change: Callable[[Path], object]) -> None:
    file = disk.save("m.keras", "one")

    async def act() -> None:
        async with disk.changes() as changes:
            assert await changes.begin(lambda: [file], {}) == ()
            assert await changes.now() == ()
            change(file)
            assert await changes.now() == (file,)
            assert await changes.now() == (file,)  # until the next run begins
            assert await changes.begin(lambda: [file], {}) == (file,)
            assert await changes.now() == ()

    asyncio.run(act())


def test_next_waits_for_an_event_and_ignores_those_of_other_files(disk: Disk) -> None:
    file = disk.save("m.keras", "one")

    async def act() -> None:
        async with disk.changes() as changes:
            await changes.begin(lambda: [file], {})
            waiting = asyncio.ensure_future(changes.next())
            disk.save("other.txt", "of nobody")
            done, _ = await asyncio.wait({waiting}, timeout=0.2)
            assert not done
            disk.save("m.keras", "two, longer")
            assert await asyncio.wait_for(waiting, LONG_S) == (file,)

    asyncio.run(act())


def test_a_file_that_does_not_exist_is_watched_in_the_nearest_folder(disk: Disk) -> None:
    file = disk.folder / "not" / "yet" / "m.keras"

    async def act() -> None:
        async with disk.changes() as changes:
            await changes.begin(lambda: [file], {})
            waiting = asyncio.ensure_future(changes.next())
            await asyncio.sleep(0)
            assert changes.files == (file,)
            file.parent.mkdir(parents=True)
            file.write_text("one")
            disk.wake()
            assert await asyncio.wait_for(waiting, LONG_S) == (file,)
            await changes.begin(lambda: [file], {})
            await asyncio.sleep(0)
        assert disk.folders == [frozenset({disk.folder}), frozenset({file.parent})]

    asyncio.run(act())


def test_files_in_a_folder_count_when_they_come_and_go_and_hidden_ones_do_not(disk: Disk) -> None:
    folder = disk.folder / "saved"
    folder.mkdir()
    (folder / "a.pb").write_text("a")

    async def act() -> None:
        async with disk.changes() as changes:
            await changes.begin(lambda: [folder], {})
            (folder / ".lock").write_text("")
            assert await changes.now() == ()
            (folder / "b.pb").write_text("b")
            (folder / "a.pb").unlink()
            assert await changes.now() == (folder / "a.pb", folder / "b.pb")

    asyncio.run(act())


def test_what_pycheck_writes_is_no_change(disk: Disk) -> None:
    report = disk.save("report.html", "old")

    async def act() -> None:
        async with disk.changes([report]) as changes:
            await changes.begin(lambda: [disk.folder], {})
            disk.save("report.html", "new, longer")
            assert await changes.now() == ()

    asyncio.run(act())


def test_a_file_that_changed_between_its_stamp_and_the_begin_has_changed(disk: Disk) -> None:
    file = disk.save("pycheck.toml", "one")

    async def act() -> None:
        async with disk.changes() as changes:
            await changes.begin(lambda: [file], {file: (1, 2, 3, 4)})
            assert await changes.now() == (file,)

    asyncio.run(act())


def test_a_file_that_is_known_late_has_changed_if_it_was_saved_after_it_may_have_been_read(disk: Disk) -> None:
    early, late = disk.save("early.py", "1"), disk.save("late.py", "1")
    os.utime(early, (100, 100))
    os.utime(late, (300, 300))

    async def act() -> None:
        async with disk.changes() as changes:
            await changes.begin(lambda: (), {})
            await changes.extend([early, late], read_since=200.0)
            assert await changes.now() == (late,)

    asyncio.run(act())


def test_the_system_wakes_it_up(tmp_path: Path) -> None:
    file = tmp_path / "m.keras"
    file.write_text("one")

    async def act() -> None:
        async with Changes(events=events, look_s=LONG_S) as changes:
            await changes.begin(lambda: [file], {})
            waiting = asyncio.ensure_future(changes.next())
            while not waiting.done():  # the watch of the system begins in its own thread, at a time that nobody tells
                file.write_text(file.read_text() + "!")
                await asyncio.wait({waiting}, timeout=0.1)
            assert waiting.result() == (file,)

    asyncio.run(asyncio.wait_for(act(), LONG_S / 2))
