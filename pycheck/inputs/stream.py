"""Streams inputs as batches: never more than one batch is in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..types import Array, Batch, InputsInfo, Tensors

#: A function that yields all samples in order, in batches of at most so many; each call starts from the beginning.
Chunks = Callable[[int], Iterator[Array]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of every runtime: by input name, in the model's own types.

    Each call of `batches` starts from the beginning and is independent, so that several runtimes can read at their own
    pace. The columns named in `whole` have no sample axis: they are one value, which every batch holds. `types_in_page`
    has the types of those that the page's own code gives TF.js in another type than the model's.
    """

    info: InputsInfo
    columns: Mapping[str, Chunks]
    whole: frozenset[str] = frozenset()
    types_in_page: Mapping[str, np.dtype[Any]] = field(default_factory=dict)

    def for_page(self, tensors: Tensors) -> Tensors:
        """Return the tensors of a batch in the types that TF.js gets."""
        return dict(tensors) | {name: tensors[name].astype(dtype) for name, dtype in self.types_in_page.items()}

    @property
    def sample_count(self) -> int:
        """Return the number of samples, the same for every input with a sample axis; 1 if there is none."""
        return self.info.sample_count

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield all samples in order, `size` at a time; the last batch may be smaller."""
        if size < 1:
            raise ValueError(f"a batch has at least one sample, not {size}")
        values = {name: next(self.columns[name](size)) for name in self.whole}
        sampled = [name for name in self.columns if name not in self.whole]
        if not sampled:
            yield Batch(0, 0, {name: values[name] for name in self.columns}, 1, self.whole)
            return
        start = 0
        for index, rows in enumerate(zip(*(self.columns[name](size) for name in sampled), strict=True)):
            values |= zip(sampled, rows, strict=True)
            yield Batch(index, start, {name: values[name] for name in self.columns}, len(rows[0]), self.whole)
            start += len(rows[0])


def even_batch_size(limit: int, sample_count: int) -> int:
    """Return a batch size of at most `limit` that makes all batches equal, or nearly equal if that needs small batches.

    TF.js's GPU backends compile their programs again for every batch shape, which may take longer than running them.
    """
    even = (size for size in range(limit, limit // 2, -1) if sample_count % size == 0)
    return next(even, -(-sample_count // -(-sample_count // limit)))


def altered(inputs: Inputs, *, factors: Mapping[str, float], limits: Mapping[str, float]) -> Inputs:
    """Alter inputs by name: `factors` multiply, `limits` bound the magnitude. NaN and types stay unchanged.

    ValueError for an input that does not exist.
    """
    if unknown := sorted({*factors, *limits} - inputs.columns.keys()):
        raise ValueError(f"The model has no input {', '.join(unknown)}.")
    columns = dict(inputs.columns)
    for name, factor in factors.items():
        columns[name] = _through(columns[name], _times(factor))
    for name, limit in limits.items():
        columns[name] = _through(columns[name], _clip(limit))
    change = f"{inputs.info.sha256}|{sorted(factors.items())}|{sorted(limits.items())}"
    info = replace(inputs.info, sha256=hashlib.sha256(change.encode()).hexdigest())
    return replace(inputs, info=info, columns=columns)


def _times(factor: float) -> Callable[[Array], Array]:
    return lambda values: np.asarray(values * factor, values.dtype)


def _clip(limit: float) -> Callable[[Array], Array]:
    return lambda values: np.asarray(np.clip(values, -limit, limit), values.dtype)


def _through(chunks: Chunks, change: Callable[[Array], Array]) -> Chunks:
    def changed(size: int) -> Iterator[Array]:
        return (change(block) for block in chunks(size))

    return changed
