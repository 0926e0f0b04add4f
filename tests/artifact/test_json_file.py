"""What is saved as model.json and is not JSON, or not as browsers read it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pycheck.artifact.document import read_document
from pycheck.artifact.json_file import read_json
from pycheck.errors import ArtifactFileError, ModelFileError
from pycheck.model import identify

_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 9001\n"
_PAGE = b"\n<!DOCTYPE html>\n<html><title>404</title></html>"


def _document(**quantization: Any) -> dict[str, Any]:
    weights: list[dict[str, Any]] = [
        {"name": "a/kernel", "shape": [2], "dtype": "float32"},
        {"name": "attention/mask", "shape": [4], "dtype": "float32"},
    ]
    if quantization:
        weights[1]["quantization"] = {"dtype": "uint16", "scale": 1.0, "min": 0.0, **quantization}
    return {
        "format": "graph-model",
        "modelTopology": {"node": [{"name": "x", "op": "Placeholder"}, {"name": "y", "op": "Neg", "input": ["x"]}]},
        "weightsManifest": [{"paths": ["w.bin"], "weights": weights}],
    }


_TEXT = json.dumps(_document())


@pytest.mark.parametrize(
    ("content", "reason", "advice"),
    [
        (b"", "it is empty (0 bytes)", "Copy"),
        (_LFS, "it is a Git LFS pointer", "git lfs pull"),
        (_PAGE, "HTML page", "raw file"),
        (b"<html lang=en>", "HTML page", "raw file"),
        (gzip.compress(_TEXT.encode(), mtime=0), "compressed with gzip", "gunzip"),
        (_TEXT.encode("utf-16"), "text in UTF-16", "Save it as UTF-8"),
        (_TEXT.encode() + b"\xff", "not UTF-8", "Copy"),
        (_TEXT[:-40].encode(), "its JSON is cut off after", "Copy"),
        (_TEXT[: _TEXT.index("kernel") + 3].encode(), "its JSON is cut off after", "Copy"),
        (b'{"a": tru', "its JSON is cut off after 9 bytes", "Copy"),
        (_TEXT.replace('"}]}]', '"},]}]').encode(), "a comma before a closing bracket at line 1", "Remove the comma"),
        (b'{"a": 1,\n}', "a comma before a closing bracket at line 1, column 8", "Remove the comma"),
        (str(_document()).encode(), "it is a Python literal", "json.dump"),
        (_TEXT.replace("[2]", "None").encode(), "it is a Python literal", "json.dump"),
        (b'{\n// made by hand\n"a": 1}', "a comment at line 2", "Remove the comment"),
        (f"export default {_TEXT}".encode(), "it is a JavaScript module", "only the object"),
        (f"{_TEXT}\n{_TEXT}".encode(), "at line 2", "Copy"),
    ],
)
def test_what_is_not_json_is_named_for_what_it_is(tmp_path: Path, content: bytes, reason: str, advice: str) -> None:
    file = tmp_path / "model.json"
    file.write_bytes(content)
    for read, kind in ((read_document, ArtifactFileError), (identify, ModelFileError)):
        with pytest.raises(kind) as error:
            read(file)
        assert reason in str(error.value) or (not content and "empty (0 bytes)" in str(error.value))
        assert advice in error.value.advice or (not content and "copy" in error.value.advice)


@pytest.mark.parametrize(
    ("quantization", "written"),
    [
        ({"min": float("-inf")}, '"min": -Infinity'),
        ({"min": float("nan")}, '"min": NaN'),
        ({"scale": float("inf"), "dtype": "uint8"}, '"scale": Infinity'),
    ],
)
def test_a_quantization_of_infinity_names_the_weight_the_file_and_the_cure(
    tmp_path: Path, quantization: dict[str, Any], written: str
) -> None:
    file = tmp_path / "model.json"
    file.write_text(json.dumps(_document(**quantization)))
    with pytest.raises(ArtifactFileError) as error:
        read_document(tmp_path)
    dtype = quantization.get("dtype", "uint16")
    assert f"{file} is not a TF.js model: the weight attention/mask has NaN or infinity" in error.value.message
    assert f"the quantization to {dtype} wrote {written}" in error.value.message
    assert f"pycheck convert --quantize {dtype}" in error.value.advice


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_found_anywhere(tmp_path: Path, constant: str) -> None:
    file = tmp_path / "model.json"
    file.write_text(f'{{"modelTopology": {{"node": [{{"attr": {{"f": {constant}}}}}]}}}}')
    with pytest.raises(ArtifactFileError, match=rf"modelTopology\.node\.0\.attr\.f is {constant}, which JSON does"):
        read_json(file)


@pytest.mark.parametrize("content", ['{"a": "NaN, -Infinity and \'x\', // y,}"}', '\ufeff{"a": [1e999, {}]}'])
def test_what_browsers_take_is_taken(tmp_path: Path, content: str) -> None:
    file = tmp_path / "model.json"
    file.write_text(content, encoding="utf-8")
    assert set(read_json(file)) == {"a"}


@pytest.mark.parametrize(
    ("content", "what"), [(_LFS, "a Git LFS pointer"), (_PAGE, "an HTML page"), (b"PK\3\4", "zip")]
)
def test_a_shard_that_is_another_kind_of_file_is_named(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "model.json").write_text(_TEXT)
    (tmp_path / "w.bin").write_bytes(content)
    with pytest.raises(ArtifactFileError, match=f"the shard 'w.bin' is .*{what}"):
        read_document(tmp_path)
