"""Finds the operation where an error starts: measures every point of the artifact in the whole run and in isolation."""

from __future__ import annotations

from .references import TraceReferences, start_references
from .selecting import of_layers, worst_samples
from .trace import TraceInputs, joined, trace_run
