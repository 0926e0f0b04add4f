"""Which operations TF.js has, as the release of TF.js says with which the page was built."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ..errors import RuntimeUnavailableError

_LIST = Path(__file__).parent.parent / "_harness" / "operations.json"
_ALWAYS_KNOWN = frozenset({"NoOp", "PartitionedCall", "StatefulPartitionedCall"})


@cache
def listed_operations() -> frozenset[str]:
    """Names of the operations that TF.js's graph executor maps to kernels.

    Raises:
        RuntimeUnavailableError: the page has not been built, or was built by an older pycheck.
    """
    try:
        return frozenset(json.loads(_LIST.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RuntimeUnavailableError(
            f"The list of the operations that TF.js has cannot be read: {_LIST}: {error}.",
            "In a checkout run: npm ci && npm run build. Otherwise reinstall pycheck.",
        ) from error


def known_operations() -> frozenset[str]:
    """The same, with those that TF.js passes over or resolves by itself."""
    return listed_operations() | _ALWAYS_KNOWN


#: What to do about a model that computes with ragged tensors.
NO_RAGGED_TENSORS = (
    "TF.js has no ragged tensors. Pad the rows before the model, with to_tensor(), and save a model that takes this "
    "dense tensor and masks the padding."
)
