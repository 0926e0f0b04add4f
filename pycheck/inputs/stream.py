"""Inputs as a stream of batches: at no time is more than one batch in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..types import Array, Batch, InputsInfo

#: Consecutive runs of at most so many samples, from the first to the last; may be called again and again.
Chunks = Callable[[int], Iterator[Array]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What every runtime is given: by input name, in the model's own types.

    Each call of `batches` starts anew and is independent of others, so that several
    runtimes may read at their own pace.
    """

    info: InputsInfo
    columns: Mapping[str, Chunks]

    @property
    def sample_count(self) -> int:
        """Number of samples, the same for every input."""
        return self.info.sample_count

    def batches(self, size: int) -> Iterator[Batch]:
        """All samples in order, `size` at a time; the last batch may be smaller."""
        if size < 1:
            raise ValueError(f"a batch has at least one sample, not {size}")
        start = 0
        rows = zip(*(chunks(size) for chunks in self.columns.values()), strict=True)
        for index, arrays in enumerate(rows):
            yield Batch(index, start, dict(zip(self.columns, arrays, strict=True)))
            start += len(arrays[0])


def even_batch_size(limit: int, sample_count: int) -> int:
    """At most `limit`, so that all batches are of one size where they can be without getting small, else of two.

    The GPU backends of TF.js compile their programs anew for every shape of batch, which may take longer
    than running them.
    """
    even = (size for size in range(limit, limit // 2, -1) if sample_count % size == 0)
    return next(even, -(-sample_count // -(-sample_count // limit)))
