"""Finds where an error begins: every point of the artifact, as it was inherited and as the operation's own."""

from __future__ import annotations

from .run import trace_run

__all__ = ["trace_run"]
