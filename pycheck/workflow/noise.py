"""Chooses what to measure in Python again, to widen the limits of outputs that exceed them."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Batch, Comparison
from .references import References

#: The most samples that run in Python again.
_MOST_SAMPLES = 128


def exceeds(c: Comparison) -> bool:
    """Tell whether an output of a browser exceeds the automatic limits."""
    is_auto = c.tolerance is not None and c.tolerance.mode == "auto"
    return is_auto and c.drifted and not c.is_noise_floor


def chosen_batches(references: References, rows: Sequence[Comparison]) -> list[Batch]:
    """Return the batches with the elements that differ most, and then others, up to `_MOST_SAMPLES`."""
    worst = {element.sample for c in rows for element in c.worst}
    places = [(batch.index, range(batch.start, batch.start + batch.size)) for batch in references.again()]
    places.sort(key=lambda place: worst.isdisjoint(place[1]))
    count, chosen = 0, set[int]()
    for index, samples in places:
        if chosen and count + len(samples) > _MOST_SAMPLES:
            break
        count += len(samples)
        chosen.add(index)
    return [batch for batch in references.again() if batch.index in chosen]  # never all of them in memory
