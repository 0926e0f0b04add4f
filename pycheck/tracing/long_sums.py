"""Judges operations that add many terms by the error that such a sum makes in sequence."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import TYPE_CHECKING

from ..comparison import Errors
from ..errors import PycheckError
from ..gate import assess
from ..types import Array, Comparison, NanPolicy, SummationNoise

if TYPE_CHECKING:
    from ..artifact.long_sums import LongSums

#: The number of simulations of one operation.
_SIMULATIONS = 3


class LongSumsOfPoints:
    """The artifact with errors of long sums, which `make` reads, in TensorFlow's thread, if an operation drifts."""

    def __init__(self, make: Callable[[], LongSums | None], executor: Executor, nan: NanPolicy) -> None:
        self._make = make
        self._executor = executor
        self._nan = nan
        self._sums: LongSums | None = None
        self._is_made = False

    async def judged(
        self, own: Comparison, inherited: Comparison | None, operands: Mapping[str, Array]
    ) -> tuple[Comparison, Comparison | None]:
        """Judge an operation again, in isolation and in the whole run, if it drifts alone and adds many terms.

        `operands` are its inputs.
        """
        if not own.drifted or own.shape_mismatch:
            return own, inherited
        noise = await asyncio.get_running_loop().run_in_executor(self._executor, self._noise, own.tensor, operands)
        if noise is None:
            return own, inherited
        again = [replace(c, summation_noise=noise) for c in (own, inherited) if c is not None]
        own, *rest = assess(again, nan=self._nan)
        return own, rest[0] if rest else None

    async def close(self) -> None:
        """Free the memory of TensorFlow."""
        if self._sums:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._sums.close)

    def _noise(self, point: str, operands: Mapping[str, Array]) -> SummationNoise | None:
        if not self._is_made:
            self._is_made = True
            try:
                self._sums = self._make()
            except PycheckError:  # a point drifts for another reason, which the trace says
                return None
        if self._sums is None or not self._sums.count:
            return None
        errors, exact = Errors(), self._sums.run(operands, [point], disturbed=False)[point]
        for _ in range(_SIMULATIONS):
            errors.add(self._sums.run(operands, [point], disturbed=True)[point], exact)
        if not errors.largest:
            return None
        return SummationNoise(point, errors.largest, math.sqrt(errors.mean_square), errors.effective_count)
