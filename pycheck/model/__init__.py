"""Loads a model, hashes it, and runs it as its author's Python would."""

from __future__ import annotations

from .graph import FrozenGraph
from .kind import ModelSource, identify
from .loaded import Model
from .loading import load
