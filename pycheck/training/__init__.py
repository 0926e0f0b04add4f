"""Trains the same model in Python and in the browser, on the same batches, and compares each step."""

from __future__ import annotations

from .bench import Bench
from .plan import read_arrays
from .recipe import RecipeText
from .train import setup_of, train_run
