import fcntl
import os
import time
from pathlib import Path

import pytest

from pycheck.system.cache import ENVIRONMENTS, Cache, content_key


def _publish(cache: Cache, key: str, size: int = 10) -> Path:
    pending = cache.reserve("artifact", key)
    (pending.folder / "data").write_bytes(b"x" * size)
    return pending.publish()


def test_what_was_published_is_found_and_what_was_not_is_not(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    pending = cache.reserve("artifact", "a")
    assert cache.find("artifact", "a") is None
    folder = pending.publish()
    assert cache.find("artifact", "a") == folder
    assert cache.find("native", "a") is None


def test_the_first_of_two_processes_that_build_the_same_entry_wins(tmp_path: Path) -> None:
    first, second = Cache(tmp_path).reserve("artifact", "a"), Cache(tmp_path).reserve("artifact", "a")
    (first.folder / "who").write_text("first")
    (second.folder / "who").write_text("second")
    assert first.publish() == second.publish()
    assert (tmp_path / "artifact" / "a" / "who").read_text() == "first"
    assert not second.folder.exists()


def test_what_was_never_published_is_gone_after_close(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    folder = cache.reserve("native", "a").folder
    cache.close()
    assert not folder.exists()


def test_the_least_recently_used_entries_go_when_the_cache_outgrows_its_limit(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit_bytes=25_000)
    now = time.time()
    for age, key in ((30, "oldest"), (20, "older"), (10, "newest")):
        os.utime(_publish(cache, key, 10_000), (now - age, now - age))
    assert cache.find("artifact", "oldest") is not None  # being found makes it the most recent
    cache.close()
    assert [cache.find("artifact", key) is not None for key in ("oldest", "older", "newest")] == [True, False, True]


def test_a_disabled_cache_finds_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    _publish(Cache(tmp_path), "a")
    cache = Cache(tmp_path, enabled=False)
    assert cache.find("artifact", "a") is None
    folder = _publish(cache, "b")
    assert folder.is_dir()
    cache.close()
    assert not folder.exists()
    assert not (tmp_path / "artifact" / "b").exists()


def test_a_key_depends_on_every_part_and_on_nothing_else() -> None:
    assert content_key("a", {"x": 1, "y": 2}) == content_key("a", {"y": 2, "x": 1})
    assert content_key("a", "b") != content_key("ab")
    assert content_key("a", None) != content_key("a")


def test_an_entry_that_was_damaged_is_removed_and_not_found(tmp_path: Path) -> None:
    def cut(file: Path) -> None:
        file.write_bytes(file.read_bytes()[:5])

    def flip(file: Path) -> None:
        file.write_bytes(b"y" + file.read_bytes()[1:])

    for number, damage in enumerate((cut, flip, Path.unlink)):
        cache = Cache(tmp_path)
        entry = _publish(cache, f"key{number}")
        assert cache.find("artifact", f"key{number}") == entry
        damage(entry / "data")
        assert cache.find("artifact", f"key{number}") is None
        assert not entry.exists()
        assert _publish(cache, f"key{number}") == entry
        assert cache.find("artifact", f"key{number}") == entry


def test_a_file_where_an_entry_should_be_is_removed(tmp_path: Path) -> None:
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "a").write_text("in the way")
    assert Cache(tmp_path).find("artifact", "a") is None
    assert _publish(Cache(tmp_path), "a").is_dir()


def test_what_another_run_has_found_or_made_is_not_pruned_until_that_run_is_over(tmp_path: Path) -> None:
    small = {"limit_bytes": 1}
    busy, other = Cache(tmp_path, **small), Cache(tmp_path, **small)
    made = _publish(busy, "made", 1000)
    _publish(other, "old", 1000)
    found = busy.find("artifact", "old")
    _publish(other, "nobody's", 1000)
    other.close()
    assert [key for key in ("made", "old", "nobody's") if (tmp_path / "artifact" / key).exists()] == ["made", "old"]
    assert made.is_dir()
    assert found == tmp_path / "artifact" / "old"
    busy.close()
    assert list((tmp_path / "artifact").iterdir()) == []


@pytest.mark.parametrize("kind", ["artifact", ENVIRONMENTS])
def test_what_was_never_finished_is_removed_after_a_day(tmp_path: Path, kind: str) -> None:
    for name, age_h in ((".12345678-young_01", 1), (".tensorflowjs-old_0001", 25), (".git", 25)):
        (tmp_path / kind / name / "lib").mkdir(parents=True)
        built = time.time() - age_h * 3600
        os.utime(tmp_path / kind / name, (built, built))
    Cache(tmp_path).close()
    assert {folder.name for folder in (tmp_path / kind).iterdir()} == {".12345678-young_01", ".git"}


def test_an_entry_that_is_being_removed_is_not_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    entry = _publish(cache, "a")
    cache.close()
    with (entry / ".seal.json").open("rb") as seal:
        fcntl.flock(seal, fcntl.LOCK_EX)
        assert cache.find("artifact", "a") is None
    assert cache.find("artifact", "a") == entry


def test_a_note_is_kept_beside_the_entries_and_replaced(tmp_path):
    assert Cache(tmp_path / "new").noted("versions") == {}
    Cache(tmp_path / "new").note("versions", {"tensorflow": "2.19.0"})
    Cache(tmp_path / "new").note("versions", {"tensorflow": "2.21.0"})
    assert Cache(tmp_path / "new").noted("versions") == {"tensorflow": "2.21.0"}
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["versions.json"]
    Cache(tmp_path / "off", enabled=False).note("versions", {"tensorflow": "2.21.0"})
    assert not (tmp_path / "off").exists()


def test_without_tensorflow_the_cache_is_read_as_of_the_versions_that_filled_it(tmp_path, monkeypatch):
    from pycheck.system import installed
    from pycheck.workflow import versions

    cache = Cache(tmp_path)
    with_tensorflow = versions.versions(cache)
    assert installed.find("tensorflow").name in with_tensorflow
    monkeypatch.setattr(installed, "find", lambda module: None)
    assert versions.versions(cache) == with_tensorflow
    assert versions.versions(Cache(tmp_path / "empty")) == installed.versions()


def test_an_entry_that_cannot_be_read_back_is_removed_and_its_place_is_free(tmp_path: Path) -> None:
    def number(entry: Path) -> float:
        return float((entry / "number").read_text())

    for text, expected in (("null", None), ("2.5", 2.5), ("0.0", 2.5)):  # the first that can be read stays
        cache = Cache(tmp_path)
        pending = cache.reserve("power", "a")
        (pending.folder / "number").write_text(text)
        pending.publish()
        assert cache.read("power", "a", number) == expected
        cache.close()
    assert Cache(tmp_path).read("power", "b", number) is None
