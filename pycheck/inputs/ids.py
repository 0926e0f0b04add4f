"""Measures which entries of its tables an input uses, batch by batch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import InputsFileError, RuntimeFailedError
from ..types import Array, IdRange, InputHint
from .stream import Inputs

_ROWS = 256
#: TensorFlow's message about an index: "indices[3,5] = 9999 is not in [0, 7119)".
_REFUSED = re.compile(r"is not in \[0, \d+\)|out of bounds|does not index into")


def found(name: str, hint: InputHint, tensor: Array, start: int, *, whole: bool = False) -> tuple[IdRange, ...]:
    """Find the index ranges of one batch, whose first sample is `start`. `whole`: the tensor has no sample axis.

    Numbers that the model itself keeps within the table count as the nearest entry.
    """
    ranges = []
    for values in hint.values:
        if values.kind != "ids":
            continue
        part = tensor if values.columns is None else tensor[..., list(values.columns)]
        if not part.size or not np.isfinite(part).all():
            continue
        part = part.clip(values.low if values.any_below else -np.inf, values.high - 1 if values.any_above else np.inf)
        least, most = int(np.argmin(part)), int(np.argmax(part))
        per_sample = part.size if whole else part.size // len(part)
        ranges.append(
            IdRange(
                name,
                values.columns,
                int(values.low),
                int(values.high),
                values.reason,
                smallest=float(part.reshape(-1)[least]),
                largest=float(part.reshape(-1)[most]),
                smallest_sample=start + least // per_sample,
                largest_sample=start + most // per_sample,
            )
        )
    return tuple(ranges)


def refuse_ids(inputs: Inputs, hints: Mapping[str, InputHint], failure: RuntimeFailedError) -> None:
    """Raise InputsFileError if Python failed because an input holds an index outside of its table."""
    if not _REFUSED.search(failure.message):
        return
    for batch in inputs.batches(_ROWS):
        for name, hint in hints.items():
            for ids in found(name, hint, batch.tensors[name], batch.start, whole=name in batch.whole):
                for value, sample in ((ids.largest, ids.largest_sample), (ids.smallest, ids.smallest_sample)):
                    if not ids.low <= value < ids.high:
                        raise InputsFileError(
                            f"Input {name!r} holds {value:.0f} in sample {sample}, but {ids.reason} are numbered "
                            f"{ids.low} to {ids.high - 1}. TensorFlow: {failure.message.rstrip('.')}.",
                            f"Give numbers from {ids.low} to {ids.high - 1}.",
                        ) from failure


def together(earlier: Iterable[IdRange], later: Iterable[IdRange]) -> tuple[IdRange, ...]:
    """Merge the index ranges of two batches."""
    merged = {(one.name, one.columns): one for one in earlier}
    for one in later:
        before = merged.get((one.name, one.columns))
        merged[one.name, one.columns] = before.merge(one) if before else one
    return tuple(merged.values())
