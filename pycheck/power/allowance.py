"""Limits the time of the measurement to a share of the time that the comparison takes anyway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: The share of the time since the comparison began.
SHARE = 0.25
_PAUSE_S = 0.02


class Allowance:
    """A budget of time: a share of the time since `began_at`, which grows while browsers run."""

    def __init__(self, began_at: float, is_running: Callable[[], bool], *, share: float = SHARE) -> None:
        self._began_at = began_at
        self._is_running = is_running
        self._share = share
        self.used_s = 0.0

    @property
    def left_s(self) -> float:
        """Return the seconds that are left; negative after a step that took too long."""
        return self._share * (time.perf_counter() - self._began_at) - self.used_s

    def use(self, seconds: float) -> None:
        """Count the time of a step."""
        self.used_s += seconds

    async def granted(self) -> bool:
        """Wait until there is time for a step; return False if the browsers finish before that."""
        while self.left_s <= 0.0:
            if not self._is_running():
                return False
            await asyncio.sleep(_PAUSE_S)
        return True
