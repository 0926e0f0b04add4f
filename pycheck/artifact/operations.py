"""Lists the operations of TF.js, from the release that the page was built with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ..errors import RuntimeUnavailableError

_LIST = Path(__file__).parent.parent / "_harness" / "operations.json"
_ALWAYS_KNOWN = frozenset({"NoOp", "PartitionedCall", "StatefulPartitionedCall"})


@cache
def listed_operations() -> frozenset[str]:
    """Return the names of the operations that TF.js's graph executor maps to kernels.

    Raises:
        RuntimeUnavailableError: the page has not been built, or was built by an older pycheck.
    """
    try:
        return frozenset(json.loads(_LIST.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RuntimeUnavailableError(
            f"Cannot read the list of TF.js operations {_LIST}: {error}.",
            "In a checkout, run: npm ci && npm run build. If pycheck is installed, reinstall it.",
        ) from error


def known_operations() -> frozenset[str]:
    """Return these names and those of operations that TF.js skips or resolves itself."""
    return listed_operations() | _ALWAYS_KNOWN


#: The advice for a model that computes with ragged tensors.
NO_RAGGED_TENSORS = (
    "TF.js does not support ragged tensors. Pad the rows before the model with to_tensor(), and save a model that "
    "takes the dense tensor and masks the padding."
)
