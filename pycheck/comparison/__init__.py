"""Compares a candidate's results with Python's; NumPy only.

`measure` reduces one batch of one output to `Statistics`, `merge` joins those of two batches, and `summarize` turns
them into the `Comparison` of the report. `screen` is a fast `measure` of finite values, for the many tensors that are
right. `changed` compares two results of one runtime. `Errors` sums up those that Python simulates.
"""

from __future__ import annotations

from .input_pictures import input_picture
from .measure import measure
from .noise import Errors
from .pairing import better_pairings
from .repeated import Changed, changed
from .screen import screen
from .spread import Spread
from .statistics import Statistics, merge
from .summary import summarize
