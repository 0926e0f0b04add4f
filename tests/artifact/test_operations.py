"""The list of operations is that of the TF.js release which runs in the page."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from pycheck.artifact import operations
from pycheck.errors import RuntimeUnavailableError

#: In the published list, and nevertheless unknown to TF.js 4.22: its operation_mapper.ts takes the lists of ragged
#: tensors and of decision forests not up.
UNMAPPED = {"RaggedGather", "RaggedRange", "RaggedTensorToTensor"}


def test_it_is_the_published_list_without_what_tfjs_does_not_map() -> None:
    package = importlib.util.find_spec("tensorflowjs")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the published converter is not installed: pip install --no-deps tensorflowjs==4.22.0")
    files = Path(package.submodule_search_locations[0], "op_list").glob("*.json")
    published = {entry["tfOpName"] for file in files for entry in json.loads(file.read_bytes())}
    forests = {name for name in published if name.startswith("SimpleML")}
    assert operations.listed_operations() == published - forests - UNMAPPED


def test_what_every_graph_may_hold_is_known_too() -> None:
    assert {"NoOp", "PartitionedCall", "Conv2D"} <= operations.known_operations()


def test_a_page_without_the_list_is_an_error_that_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.listed_operations.cache_clear()
    monkeypatch.setattr(operations, "_LIST", tmp_path / "operations.json")
    with pytest.raises(RuntimeUnavailableError, match="npm run build"):
        operations.listed_operations()
