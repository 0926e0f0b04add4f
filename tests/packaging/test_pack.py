"""The script that packs the files of LiteRT.js: `js_harness/pack.py`."""

from __future__ import annotations

import os
import random
import sys
import tarfile
from pathlib import Path

import pytest

from ..scripts import script


@pytest.fixture
def alike(tmp_path: Path) -> list[Path]:
    """Three files that cannot be compressed, and hardly differ."""
    files = []
    for number in range(3):
        content = bytearray(random.Random(0).randbytes(200_000))
        content[1000 * number] ^= 0xFF
        files.append(tmp_path / f"{number}.wasm")
        files[-1].write_bytes(content)
    return files


def test_files_that_differ_little_take_little_more_space_than_one(alike: list[Path], tmp_path: Path) -> None:
    archive = tmp_path / "all.tar.xz"
    script("pack", "js_harness").pack(archive, alike)
    assert archive.stat().st_size < 1.05 * alike[0].stat().st_size
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "out", filter="data")
    assert all((tmp_path / "out" / file.name).read_bytes() == file.read_bytes() for file in alike)


def test_an_archive_does_not_depend_on_the_time_or_the_rights_of_its_files(alike: list[Path], tmp_path: Path) -> None:
    pack = script("pack", "js_harness").pack
    pack(tmp_path / "one.tar.xz", alike)
    os.utime(alike[0], (0, 0))
    alike[1].chmod(0o700)
    pack(tmp_path / "two.tar.xz", alike)
    assert (tmp_path / "one.tar.xz").read_bytes() == (tmp_path / "two.tar.xz").read_bytes()


def test_a_python_without_lzma_is_told(alike: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lzma", None)
    with pytest.raises(SystemExit, match="no module lzma"):
        script("pack", "js_harness").pack(tmp_path / "all.tar.xz", alike)
