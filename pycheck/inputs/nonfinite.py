"""Counts NaN and infinities of the inputs, batch by batch, with the place of the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..types import Array, NonfiniteInput


def found(name: str, tensor: Array, start: int, *, whole: bool = False) -> NonfiniteInput | None:
    """Count those of one batch, whose first sample is `start`; None if all values are finite.

    `whole` says that the tensor has no sample axis.
    """
    if whole:
        one = found(name, tensor[None], start)
        return one and replace(one, has_sample_axis=False)
    finite = np.isfinite(tensor)
    if finite.all():
        return None
    at = np.unravel_index(int(np.argmin(finite)), tensor.shape)
    value = tensor[at]
    return NonfiniteInput(
        name,
        nan_count=int(np.isnan(tensor).sum()),
        infinity_count=int(np.isinf(tensor).sum()),
        sample_count=int((~finite.reshape(len(tensor), -1).all(axis=1)).sum()),
        sample=start + int(at[0]),
        index=tuple(int(i) for i in at[1:]),
        kind="nan" if np.isnan(value) else "+inf" if value > 0 else "-inf",
    )


def together(earlier: NonfiniteInput | None, later: NonfiniteInput) -> NonfiniteInput:
    """Merge the findings of two batches of different samples."""
    if earlier is None:
        return later
    first, other = (earlier, later) if earlier.sample < later.sample else (later, earlier)
    return replace(
        first,
        nan_count=first.nan_count + other.nan_count,
        infinity_count=first.infinity_count + other.infinity_count,
        sample_count=first.sample_count + other.sample_count,
    )
