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
    runtimes may read at their own pace. The columns named in `whole` have no sample axis: they are one value,
    whatever size is asked for, and every batch holds it.
    """

    info: InputsInfo
    columns: Mapping[str, Chunks]
    whole: frozenset[str] = frozenset()

    @property
    def sample_count(self) -> int:
        """Number of samples, the same for every input that has a sample axis; 1 if none has."""
        return self.info.sample_count

    def batches(self, size: int) -> Iterator[Batch]:
        """All samples in order, `size` at a time; the last batch may be smaller."""
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
    """At most `limit`, so that all batches are of one size where they can be without getting small, else of two.

    The GPU backends of TF.js compile their programs anew for every shape of batch, which may take longer
    than running them.
    """
    even = (size for size in range(limit, limit // 2, -1) if sample_count % size == 0)
    return next(even, -(-sample_count // -(-sample_count // limit)))
