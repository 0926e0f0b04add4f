"""Compares what a candidate gave with what Python gave; NumPy only.

`measure` reduces one batch of one output to `Statistics`, `merge` joins those of two
batches, `summarize` turns them into the `Comparison` that the report shows. `screen` is a
quick `measure` of what is finite, for the many tensors that turn out to be right.
"""

from __future__ import annotations

from .measure import measure
from .pairing import better_pairings
from .screen import screen
from .spread import Spread
from .statistics import Statistics, merge
from .summary import summarize

__all__ = ["Spread", "Statistics", "better_pairings", "measure", "merge", "screen", "summarize"]
