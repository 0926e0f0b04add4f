"""What may cure a runtime that failed: which remedies fit a report, and the searches that try them."""

from __future__ import annotations

from .trial import Trial
from .trying import try_remedies

__all__ = ["Trial", "try_remedies"]
