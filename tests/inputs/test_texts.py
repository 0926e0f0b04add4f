"""Text as inputs: from which files and arrays it comes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import InputsFileError
from pycheck.inputs import Inputs, from_arrays, make_inputs, open_inputs
from pycheck.types import InputHint, Signature, TensorSpec, Values

WORDS = Signature((TensorSpec("word", "string", (None, 2)),), ())
BOTH = Signature((TensorSpec("word", "string", (None,)), TensorSpec("weight", "float32", (None, 2))), ())
TEXTS = [["blå", "b"], ["", "long \u2028 text"], ["e", "f"]]


def read(inputs: Inputs, size: int = 2) -> dict[str, list[Any]]:
    batches = list(inputs.batches(size))
    return {name: np.concatenate([batch.tensors[name] for batch in batches]).tolist() for name in batches[0].tensors}


@pytest.mark.parametrize("suffix", ["npy of str", "npy of bytes", "npz", "json", "json by name", "arrays", "objects"])
def test_text_comes_from_every_file_and_from_lists(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix.split()[0]}"
    array = np.array(TEXTS)
    if suffix in ("arrays", "objects"):
        inputs = from_arrays(TEXTS if suffix == "arrays" else array.astype(object), WORDS)
    else:
        if suffix == "npy of bytes":
            np.save(path, np.char.encode(array, "utf-8"))
        elif suffix == "npz":
            np.savez(path, word=array)
        elif suffix.startswith("json"):
            path.write_text(json.dumps({"word": TEXTS} if "name" in suffix else TEXTS), encoding="utf-8")
        else:
            np.save(path, array)
        inputs = open_inputs(path, WORDS)
    assert inputs.sample_count == 3
    assert read(inputs) == {"word": TEXTS}


def test_json_holds_text_and_numbers_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"weight": [[1, 2], [3, 4.5]], "word": ["a", "b"]}))
    assert read(open_inputs(path, BOTH)) == {"word": ["a", "b"], "weight": [[1, 2], [3, 4.5]]}


def test_the_hash_is_of_the_text_and_not_of_where_it_lies() -> None:
    one, two = (from_arrays(np.array(TEXTS, object), WORDS).info.sha256 for _ in range(2))
    assert one == two != from_arrays([["x", "y"]], WORDS).info.sha256


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[", "JSON"),
        ("{}", "an empty object"),
        ("null", "list of numbers or texts"),
        ('[["a", 1]]', "mixes numbers, texts"),
        ('[["a", null]]', "mixes numbers, texts"),
        ('[["a", "b"], ["c"]]', "differ in length"),
        ('{"word": [["a", {}]]}', "entry 'word'"),
        ("[[1, 2]]", "'word' is int64, but the model takes text"),
        ('["a", "b"]', "has shape (2,)"),
    ],
)
def test_json_that_is_no_input_is_told_why(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputsFileError) as caught:
        open_inputs(tmp_path / "x.json", WORDS)
    assert told in caught.value.message


def test_bytes_that_are_no_text_are_refused_with_their_place(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[b"a", b"b"], [b"c", b"\xff\xfe"]]))
    with pytest.raises(InputsFileError, match=r"has bytes at \[1, 1\] that are not UTF-8"):
        open_inputs(tmp_path / "x.npy", WORDS)


def test_pickled_objects_stay_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([["a", "b"]], object), allow_pickle=True)
    with pytest.raises(InputsFileError, match="dtype object"):
        open_inputs(tmp_path / "x.npy", WORDS)


def test_made_texts_are_keys_of_the_table_and_others() -> None:
    hint = InputHint((Values("keys", "a lookup", None, keys=("red", "blue")),))
    made = read(make_inputs(WORDS, samples=16, seed=0, hints={"word": hint}), 16)["word"]
    assert set(np.ravel(made)) == {"red", "blue", "unknown"}
    without = read(make_inputs(WORDS, samples=16, seed=0), 16)["word"]
    assert len(set(np.ravel(without))) > 3 and all(isinstance(text, str) for text in np.ravel(without))
