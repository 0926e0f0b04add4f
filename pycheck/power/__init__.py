"""Measures how many faults a comparison would notice: the effect of a small fault in each weight on the outputs."""

from __future__ import annotations

from .measure import Allowance, measure_power
from .meter import FAULT
from .portions import MOST_SAMPLES
