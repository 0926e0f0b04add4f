"""Searches for fixes of a runtime that failed: selects the kinds of fixes for a report, and tries them."""

from __future__ import annotations

from .trial import Trial
from .trying import try_remedies
