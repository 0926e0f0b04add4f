"""Compares what a candidate gave with what Python gave; NumPy only.

`measure` reduces one batch of one output to `Statistics`, `merge` joins those of two
batches, `summarize` turns them into the `Comparison` that the report shows.
"""

from __future__ import annotations

from .measure import measure
from .pairing import better_pairings
from .statistics import Statistics, merge
from .summary import summarize

__all__ = ["Statistics", "better_pairings", "measure", "merge", "summarize"]
