"""Streams inputs as batches: never more than one batch is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..types import Array, Batch, InputsInfo

#: A function that yields all samples in order, in batches of at most so many; each call starts from the beginning.
Chunks = Callable[[int], Iterator[Array]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of every runtime: by input name, in the model's own types.

    Each call of `batches` starts from the beginning and is independent, so that several runtimes can read at their own
    pace. The columns named in `whole` have no sample axis: they are one value, which every batch holds.
    """

    info: InputsInfo
    columns: Mapping[str, Chunks]
    whole: frozenset[str] = frozenset()

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
