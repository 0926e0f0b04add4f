"""Explains why the inputs of a page differ from Python's, by the files that differ most and some of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...comparison import input_picture
from ...inputs import Inputs
from ...types import Array, PipelineRow, SampleFile

#: The most files that are read for it, which bounds the memory.
_MOST_FILES = 16
#: The most files with pictures, which bounds the report.
_MOST_PICTURES = 4
#: A difference of inputs up to this share of the largest value is roundoff of float32.
_ROUNDOFF = 2.0**-20
#: The differences of inputs of two pages that are alike differ by at most this share.
_ALIKE = 0.01


def with_causes(row: PipelineRow, files: Sequence[SampleFile], python: Inputs, page: Inputs) -> PipelineRow:
    """Add the causes of the first input that differs; `files` has the file of each sample, in order."""
    from ...preprocessing import find_causes  # slow, and only files need it

    tensor = next((each.tensor for each in row.inputs if not each.identical), None)
    if tensor is None:
        return row
    chosen = _chosen(row, [file.name for file in files])
    paths = [files[place].path for place in chosen]
    explained = find_causes(paths, _samples(python, tensor, chosen), _samples(page, tensor, chosen))
    return replace(row, causes=explained.causes, unexplained_rms=explained.unexplained_rms)


def with_pictures(
    row: PipelineRow, names: Sequence[str], python: Inputs, page: Inputs, earlier: Sequence[PipelineRow]
) -> PipelineRow:
    """Add pictures of the files that change most; none if an earlier page made the same inputs."""
    tensor = next((each.tensor for each in row.inputs if not each.identical), None)
    if tensor is None or any(_same_inputs(row, other) for other in earlier):
        return row
    places = {name: place for place, name in enumerate(names)}
    chosen = [(name, places[name]) for name in files_to_show(row)]
    order = sorted(place for _, place in chosen)
    mine, other = (_samples(side, tensor, order) for side in (python, page)) if order else ((), ())
    at = {place: number for number, place in enumerate(order)}
    drawn = [input_picture(name, mine[at[place]], other[at[place]]) for name, place in chosen]
    return replace(row, pictures=tuple(picture for picture in drawn if picture is not None))


def files_to_show(row: PipelineRow) -> list[str]:
    """Return the names of the files that change most, if the inputs differ by more than roundoff."""
    if all(each.max_abs <= _ROUNDOFF * each.scale for each in row.inputs):
        return []
    return [file.name for file in row.files[:_MOST_PICTURES] if file.input_rms]


def _same_inputs(row: PipelineRow, other: PipelineRow) -> bool:
    """Tell whether two pages make the same inputs, up to what their backends round differently."""
    mine, theirs = ({file.name: file.input_rms for file in each.files} for each in (row, other))
    return bool(other.pictures) and all(
        name in theirs and math.isclose(value, theirs[name], rel_tol=_ALIKE) for name, value in mine.items()
    )


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
