"""The user's own function, loaded from a file or a module."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycheck.errors import UsageError
from pycheck.preprocessing import load_preprocess
from pycheck.types import Signature, TensorSpec

IMAGE = Signature((TensorSpec("image", "float32", (None, 8, 8, 3), has_sample_axis=True),), ())


def test_a_function_of_a_file_may_import_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "beside_prep.py").write_text("FACTOR = 3\n")
    (tmp_path / "prep.py").write_text(
        "from beside_prep import FACTOR\ndef load(path): return FACTOR * len(path.name)\n"
    )
    assert load_preprocess(f"{tmp_path / 'prep.py'}:load", IMAGE)(Path("abc")) == 9


def test_a_function_of_a_module_is_found_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_package_of_test").mkdir()
    (tmp_path / "own_package_of_test" / "prep.py").write_text("class Prep:\n    load = staticmethod(len)\n")
    assert load_preprocess("own_package_of_test.prep:Prep.load", IMAGE)("abc") == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("prep.py:laod", "Did you mean load"),
        ("prep.py:SIZE", "not a function"),
        ("missing.py:load", "there is no file"),
        ("broken.py:load", "fails: ZeroDivisionError"),
        ("no_such_module_here:load", "finds no module"),
        ("squash", "names no function and no recipe"),
        ("center-crop+squash", "names no function and no recipe"),
    ],
)
def test_what_is_no_function_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prep.py").write_text("SIZE = 3\ndef load(path): return 1\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(UsageError) as caught:
        load_preprocess(text, IMAGE)
    assert what in f"{caught.value.message} {caught.value.advice}"


@pytest.mark.parametrize(
    ("signature", "what"),
    [
        (Signature((TensorSpec("x", "float32", (None, 8), has_sample_axis=True),), ()), "makes an image"),
        (Signature((TensorSpec("x", "float32", (None, None, 8, 3), has_sample_axis=True),), ()), "needs the size"),
    ],
)
def test_a_recipe_is_for_images_of_a_known_size(signature: Signature, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        load_preprocess("tf", signature)


def test_a_file_may_define_a_dataclass(tmp_path: Path) -> None:
    (tmp_path / "prep.py").write_text(
        "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int\n"
        "def load(path): return A(3).x\n"
    )
    assert load_preprocess(f"{tmp_path / 'prep.py'}:load", IMAGE)(Path("abc")) == 3
