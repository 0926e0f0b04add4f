"""Which operations TF.js has, by the list that comes with the published converter; nothing of it is imported."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path

#: In the published list of operations, but executed only with an add-on package.
_ADD_ON = "SimpleML"
_ALWAYS_KNOWN = frozenset({"NoOp", "PartitionedCall", "StatefulPartitionedCall"})


@cache
def listed_operations() -> frozenset[str]:
    """Names of the operations that the installed tensorflowjs says its executors have; none where it is not there."""
    package = importlib.util.find_spec("tensorflowjs")
    folders = list(package.submodule_search_locations or ()) if package else []
    names = {
        str(entry["tfOpName"])
        for folder in folders
        for file in (Path(folder) / "op_list").glob("*.json")
        for entry in json.loads(file.read_bytes())
    }
    return frozenset(name for name in names if not name.startswith(_ADD_ON))


def known_operations() -> frozenset[str]:
    """The same, with those that TF.js passes over or resolves by itself."""
    return listed_operations() | _ALWAYS_KNOWN
