"""Which files are samples: of a folder, of a pattern, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycheck.errors import InputsFileError
from pycheck.inputs import are_samples, list_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "sub/c.wav", "notes.md", ".hidden.png", "x.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    return tmp_path


def test_a_folder_has_the_images_sounds_and_texts_below_it_in_order(folder: Path) -> None:
    assert [file.name for file in list_files([folder]).files] == ["a.JPG", "b.png", "sub/c.wav"]


def test_a_pattern_and_files_one_by_one_may_be_of_any_kind(folder: Path) -> None:
    assert [file.name for file in list_files([folder / "*.md"]).files] == ["notes.md"]
    assert [file.name for file in list_files([folder / "**" / "*.wav"]).files] == ["c.wav"]
    given = list_files([folder / "sub" / "c.wav", folder / "a.JPG"])
    assert [file.name for file in given.files] == ["sub/c.wav", "a.JPG"]
    assert given.given == (folder / "sub" / "c.wav", folder / "a.JPG")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (["missing.png"], "no file"),
        (["*.gif"], "No file fits the pattern"),
        (["b.png", "sub/../b.png"], "given twice"),
        (["empty"], "it is empty"),
        (["arrays"], "it has x.npy"),
    ],
)
def test_what_cannot_be_listed_is_named(folder: Path, given: list[str], what: str) -> None:
    (folder / "empty").mkdir()
    (folder / "arrays").mkdir()
    (folder / "arrays" / "x.npy").write_bytes(b"1")
    with pytest.raises(InputsFileError, match=what):
        list_files([folder / name for name in given])


@pytest.mark.parametrize(
    ("given", "has_code", "expected"),
    [
        ([], False, False),
        (["x.npy"], False, False),
        (["x.json"], False, False),
        (["x.json"], True, True),
        (["a.JPG"], False, True),
        (["sub"], False, True),
        (["*.png"], False, True),
        (["a.JPG", "b.png"], False, True),
        (["missing.npz"], False, False),
    ],
)
def test_arrays_are_told_from_samples(folder: Path, given: list[str], has_code: bool, expected: bool) -> None:
    assert are_samples([folder / name for name in given], has_code=has_code) is expected
