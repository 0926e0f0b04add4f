"""An artifact of one operation, cut out of a whole artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .weights import RawWeight

WEIGHTS_FILE = "weights.bin"


@dataclass(frozen=True, slots=True)
class Cut:
    """An artifact of one operation.

    Attributes:
        format: layers or graph.
        topology: `modelTopology` of its model.json.
        signature: The signature of a graph; None for layers.
        weights: Its entries of the manifest, with the bytes, in that order.
        inputs: The operands of the operation: the name in the artifact -> the name of the input here.
        output: The name to fetch here: the node (``node:1`` for its second output), or the layer.
        attributes: The operation's attributes, as plain values.
    """

    format: str
    topology: Mapping[str, Any]
    signature: Mapping[str, Any] | None
    weights: tuple[RawWeight, ...]
    inputs: Mapping[str, str]
    output: str
    attributes: Mapping[str, Any]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Return the manifest's entries."""
        return [dict(weight.entry) for weight in self.weights]

    @property
    def data(self) -> bytes:
        """Return the bytes of the weights, concatenated."""
        return b"".join(weight.data for weight in self.weights)

    def files(self) -> dict[str, bytes]:
        """Return model.json and its weights, by name."""
        manifest = [{"paths": [WEIGHTS_FILE], "weights": self.entries}] if self.weights else []
        content = {
            "format": f"{self.format}-model",
            "generatedBy": "pycheck",
            **({"signature": self.signature} if self.signature else {}),
            "modelTopology": self.topology,
            "weightsManifest": manifest,
        }
        files = {"model.json": json.dumps(content).encode()}
        return files | ({WEIGHTS_FILE: self.data} if self.weights else {})
