"""Takes a few samples of a batch, in portions whose values within the model fit into memory together."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from ..types import Batch, Tensors

#: The most samples on which a fault is measured.
MOST_SAMPLES = 4
_MOST_ELEMENTS = 1 << 20  # elements of all inputs together, which keeps the values within the model small
#: The most bytes of all values within the model; a backward pass holds all of them.
_MOST_BYTES = 1 << 27


@dataclass(frozen=True, slots=True)
class Portion:
    """Samples that run together: their inputs, and their rows among all samples."""

    feeds: Tensors
    rows: slice


def parts(batch: Batch, *, fixed: bool, most: int = MOST_SAMPLES) -> Iterator[tuple[Tensors, int]]:
    """Split the batch into parts of few samples, each with the number of samples up to its end.

    One part if it must be whole.
    """
    sampled = {name for name in batch.tensors if name not in batch.whole}
    if fixed or not sampled:
        yield batch.tensors, batch.start + batch.size
        return
    step = _sample_count(batch, most)
    for start in range(0, batch.size, step):
        end = min(start + step, batch.size)
        yield {n: v[start:end] if n in sampled else v for n, v in batch.tensors.items()}, batch.start + end


def few_samples(batch: Batch, *, fixed: bool, most: int = MOST_SAMPLES) -> Tensors:
    """Take at most `most` samples from all over the batch; all samples if the model takes no other number."""
    sampled = {name: value for name, value in batch.tensors.items() if name not in batch.whole}
    if fixed or not sampled:
        return batch.tensors
    rows = np.unique(np.linspace(0, batch.size - 1, _sample_count(batch, most)).astype(int))
    return {name: value[rows] if name in sampled else value for name, value in batch.tensors.items()}


def _sample_count(batch: Batch, most: int) -> int:
    elements = sum(value.size for name, value in batch.tensors.items() if name not in batch.whole) // batch.size
    return max(1, min(batch.size, most, MOST_SAMPLES, _MOST_ELEMENTS // max(elements, 1)))


def samples_at_once(bytes_of_one: int) -> int:
    """Return the number of samples whose values fit into memory, given the bytes of one sample; at least one."""
    return max(1, _MOST_BYTES // max(bytes_of_one, 1))


def in_portions(tensors: Tensors, whole: Collection[str], size: int) -> list[Portion]:
    """Yield the tensors, so many samples at a time; tensors in `whole` have no sample axis and are in each portion."""
    count = next((len(value) for name, value in tensors.items() if name not in whole), 1)
    if size >= count:
        return [Portion(tensors, slice(None))]
    rows = [slice(low, low + size) for low in range(0, count, size)]
    return [Portion({n: v if n in whole else v[part] for n, v in tensors.items()}, part) for part in rows]
