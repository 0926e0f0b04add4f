"""Measures how much a comparison would notice: what a small fault in each weight does to the outputs."""

from __future__ import annotations

from .allowance import Allowance
from .measure import measure_power
from .meter import FAULT

__all__ = ["FAULT", "Allowance", "measure_power"]
