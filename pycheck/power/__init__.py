"""Measures how many faults a comparison would notice: the effect of a small fault in each weight on the outputs."""

from __future__ import annotations

from .allowance import Allowance
from .measure import measure_power
from .meter import FAULT
