"""Runs a check: models in formats and quantizations, on runtimes, compared with budgets and the baseline."""

from .beginning import begin
from .matrix import Plan, accept, check, plan, saving
from .merging import merge
