"""Files go to workers by their content, and reports name them as the user did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pycheck.cluster.parcels import named_as, pack, parcel_of, unpack, unpack_entries, write_files
from pycheck.errors import InputError
from pycheck.system.cache import Cache


def test_a_file_has_one_key_wherever_it_is(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.keras").write_text("same" if folder < "c" else "different")
    a, b, c = (parcel_of(tmp_path / folder / "m.keras") for folder in "abc")
    assert a[0].key == b[0].key != c[0].key
    assert a[1] == {"m.keras": b"same"}


def test_a_model_json_takes_its_shards_along_and_nothing_else(tmp_path: Path) -> None:
    manifest = [{"paths": ["w/1.bin", "w/2.bin"], "weights": []}]
    (tmp_path / "model.json").write_text(json.dumps({"weightsManifest": manifest}))
    (tmp_path / "w").mkdir()
    for name in ("1.bin", "2.bin", "3.bin"):
        (tmp_path / "w" / name).write_text(name)
    _, files = parcel_of(tmp_path / "model.json")
    assert files.keys() == {"model.json", "w/1.bin", "w/2.bin"}


def test_a_folder_is_unpacked_with_all_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\0\1")
    (tmp_path / "saved" / "variables" / "data").write_text("x")
    parcel, files = parcel_of(tmp_path / "saved")
    cache = Cache(tmp_path / "cache")
    place = unpack(cache, parcel, files)
    assert place.name == "saved"
    assert (place / "saved_model.pb").read_bytes() == b"\0\1"
    assert (place / "variables" / "data").read_text() == "x"
    assert unpack(cache, parcel, {}) == place  # it is there, so its contents are not needed
    cache.close()


def test_a_path_without_a_file_stays_one(tmp_path: Path) -> None:
    parcel, files = parcel_of(tmp_path / "missing.keras")
    assert not unpack(Cache(tmp_path / "cache"), parcel, files).exists()


def test_what_a_part_made_is_found_in_the_cache_of_another_worker(tmp_path: Path) -> None:
    one, other = Cache(tmp_path / "one"), Cache(tmp_path / "other")
    for kind in ("artifact", "answers"):
        pending = one.reserve(kind, "key")
        (pending.folder / "inner").mkdir()
        (pending.folder / "inner" / "file").write_text(kind)
        pending.publish()
    unpack_entries(other, pack(one))
    found = other.find("artifact", "key")
    assert found
    assert (found / "inner" / "file").read_text() == "artifact"
    assert other.find("answers", "key") is None  # of the machine that ran it
    one.close()
    other.close()


@pytest.mark.parametrize("name", ["/etc/file", "../file", "a/../../file"])
def test_no_file_is_written_outside_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is not below its folder"):
        write_files(tmp_path / "inside", {name: b""})


@pytest.mark.parametrize("given", ["m.keras", "models/m.keras", "/home/u/m.keras", "../m.keras"])
def test_a_report_has_the_paths_that_the_user_gave(given: str) -> None:
    place = Path("/cache/parcels/0123") / Path(given).name
    data = {"path": str(place), "told": [f"Cannot read {place}: x", 1, None]}
    assert named_as({Path(given): place}, data) == {"path": given, "told": [f"Cannot read {given}: x", 1, None]}
