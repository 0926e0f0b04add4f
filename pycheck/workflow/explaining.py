"""Explains why the inputs of a page differ from Python's, by the files that differ most and some of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..inputs import Inputs
from ..preprocessing import find_causes
from ..types import Array, PipelineRow, SampleFile

#: The most files that are read for it, which bounds the memory.
_MOST_FILES = 16


def with_causes(row: PipelineRow, files: Sequence[SampleFile], python: Inputs, page: Inputs) -> PipelineRow:
    """Add the causes of the first input that differs; `files` has the file of each sample, in order."""
    tensor = next((each.tensor for each in row.inputs if not each.identical), None)
    if tensor is None:
        return row
    chosen = _chosen(row, [file.name for file in files])
    paths = [files[place].path for place in chosen]
    explained = find_causes(paths, _samples(python, tensor, chosen), _samples(page, tensor, chosen))
    return replace(row, causes=explained.causes, unexplained_rms=explained.unexplained_rms)


def _chosen(row: PipelineRow, names: Sequence[str]) -> list[int]:
    """Return half of the files by how much they differ, and the others spread over all."""
    if len(names) <= _MOST_FILES:
        return list(range(len(names)))
    places = {name: place for place, name in enumerate(names)}
    worst = sorted(row.files, key=lambda file: file.input_rms, reverse=True)[: _MOST_FILES // 2]
    chosen = {places[file.name] for file in worst}
    rest = [place for place in range(len(names)) if place not in chosen]
    spread = np.linspace(0, len(rest) - 1, _MOST_FILES - len(chosen)).astype(int)
    return sorted(chosen | {rest[place] for place in spread})


def _samples(inputs: Inputs, tensor: str, chosen: Sequence[int]) -> Array:
    """Return some samples of an input."""
    wanted = set(chosen)
    return np.concatenate([batch.tensors[tensor] for batch in inputs.batches(1) if batch.index in wanted])
