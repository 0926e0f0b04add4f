"""Writes a copy of an artifact whose quantized weights are rounded differently."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..types import Array, ArtifactInfo
from .document import read_document
from .weights import decode_weights, raw_weights

_SHARD = "rounded.bin"


def with_other_rounding(info: ArtifactInfo, folder: Path, seed: int) -> ArtifactInfo:
    """Write the artifact into `folder` with float32 weights, each quantized one moved by up to half of its step.

    The step is the distance of two numbers that the storage can hold. The moves are random, uniform and independent:
    they have the size of the errors that quantization made. ArtifactFileError if a weight cannot be decoded.
    """
    document = read_document(info.folder / info.model_file)
    random = np.random.default_rng(seed)
    values = decode_weights(document)
    entries, parts = list[Mapping[str, Any]](), list[bytes]()
    for weight in raw_weights(document, values):
        entry = dict(weight.entry)
        if "quantization" in entry and entry["dtype"] == "float32":
            value = values[entry["name"]]
            moved = value + steps(value, entry.pop("quantization")) * random.uniform(-0.5, 0.5, value.shape)
            parts.append(np.asarray(moved, "<f4").tobytes())
        else:
            parts.append(weight.data)
        entries.append(entry)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _SHARD).write_bytes(b"".join(parts))
    content = {**document.content, "weightsManifest": [{"paths": [_SHARD], "weights": entries}]}
    (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")
    return replace(info, folder=folder, model_file="model.json")


def steps(value: Array, quantization: Mapping[str, Any]) -> Array:
    """Return the step of each decoded value: the scale of integers, the spacing of float16."""
    if quantization["dtype"] != "float16":
        return np.full(value.shape, float(quantization["scale"]))
    return np.abs(np.spacing(value.astype(np.float16))).astype(np.float64)
