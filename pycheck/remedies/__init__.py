"""What may cure a runtime that failed: which remedies fit a report, and the searches that try them."""

from __future__ import annotations

from .run import try_remedies
from .trial import Trial

__all__ = ["Trial", "try_remedies"]
