"""Load a model, fingerprint it, and run it as its author's Python would."""

from __future__ import annotations

from .graph import FrozenGraph
from .loaded import Model
from .loading import load
from .source import ModelSource, identify

__all__ = ["FrozenGraph", "Model", "ModelSource", "identify", "load"]
