"""Runs one operation in isolation, in Python and in the browser, on given operands."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ..artifact import Point
from ..artifact.cut import Cut
from ..errors import ArtifactFileError, PycheckError, RuntimeFailedError
from ..gate import precision_bits
from ..runtimes.browser.page import BrowserRuntime
from ..runtimes.native.artifact import ArtifactRuntime
from ..tensors import parts
from ..tracing.measuring import Expected, compare_point, pairs_elements
from ..types import ARTIFACT_FLOAT32, ARTIFACT_FLOAT64, Array, ArtifactInfo, Comparison, NanPolicy
from .shrinking import Operands, axes, shrunk

#: The share of a drift that must remain on smaller operands to count as the same drift.
_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of an operation, complex values as parts: in Python in float32 and float64, and in TF.js."""

    operands: Mapping[str, Array]
    single: Array
    double: Array | None
    given: Array
    comparison: Comparison


class Operation:
    """The operation of a point, as `alone` opens it."""

    def __init__(
        self, point: Point, cut: Cut, candidate: BrowserRuntime, single: ArtifactRuntime, double: ArtifactRuntime | None
    ) -> None:
        self.point = point
        self.cut = cut
        self.candidate = candidate
        self._single = single
        self._double = double

    async def run(self, operands: Operands) -> Outcome:
        """Run the operation. RuntimeFailedError or InputError if Python or TF.js cannot run it on these operands."""
        feeds = {self.cut.inputs[name]: value for name, value in operands.items()}
        single = (await self._single.run(feeds, [self.cut.output]))[self.cut.output]
        double = None
        if self._double:
            with contextlib.suppress(RuntimeFailedError):  # the reference is then float32
                double = (await self._double.run(feeds, [self.cut.output]))[self.cut.output]
        (given,) = await self.candidate.run_jobs(operands, [(self.point.inputs, (self.point.name,))])
        if not isinstance(given, dict):
            raise given
        comparison = compare_point(
            self.point.name,
            given[self.point.name],
            Expected(single, double, is_measured=not self._double or self.cut.output not in self._double.in_float32),
            self.candidate.id,
            precision_bits=precision_bits(self.candidate.id, self.candidate.environment),
            nan=NanPolicy.FAIL,
        )
        double = None if double is None else parts(double)
        return Outcome(operands, parts(single), double, parts(given[self.point.name]), comparison)

    async def smallest(self, whole: Outcome) -> Outcome:
        """Find the same divergence on as few samples as possible, and if elementwise on as few elements."""

        async def still(operands: Operands) -> Outcome | None:
            try:
                outcome = await self.run(operands)
            except PycheckError:
                if not self.candidate.is_alive:
                    raise
                return None  # these shapes do not fit together
            return outcome if _is_like(outcome.comparison, whole.comparison) else None

        if not whole.comparison.worst:
            return whole
        element = whole.comparison.worst[0]
        place = (element.sample, *element.index)[: whole.single.ndim]
        # A layer's shapes, except the sample axis, are part of its model.
        is_complex = any(value.dtype.kind == "c" for value in whole.operands.values())
        paired = self.cut.format == "graph" and pairs_elements(self.point.op) and not is_complex
        least = whole
        for axis in axes(whole.operands, whole.single.shape, place, paired=paired):
            if found := await shrunk(least.operands, axis, still):
                _, least = found
        return least


@asynccontextmanager
async def alone(point: Point, cut: Cut, candidate: BrowserRuntime, executor: Executor) -> AsyncIterator[Operation]:
    """Start the operation in Python; ArtifactFileError and RuntimeFailedError if that is impossible."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycheck-cut-")))
        for name, content in cut.files().items():
            (folder / name).write_bytes(content)
        info = _info(cut, folder)
        single = await stack.enter_async_context(ArtifactRuntime(ARTIFACT_FLOAT32, info, executor=executor))
        double: ArtifactRuntime | None = None
        with contextlib.suppress(RuntimeFailedError, ArtifactFileError):
            double = await stack.enter_async_context(ArtifactRuntime(ARTIFACT_FLOAT64, info, executor=executor))
        yield Operation(point, cut, candidate, single, double)


def _info(cut: Cut, folder: Path) -> ArtifactInfo:
    inputs = tuple(cut.inputs.values())
    return ArtifactInfo(
        folder=folder,
        format=cut.format,
        quantization="none",
        size_bytes=0,
        converter="",
        reason="",
        inputs=inputs,
        outputs=(cut.output,),
        input_names={name: name for name in inputs},
        output_names={cut.output: cut.output},
    )


def _is_like(found: Comparison, first: Comparison) -> bool:
    """Tell whether this is the same divergence as the first: of shape, of class, or of size."""
    if found.passed is not False:
        return False
    if first.shape_mismatch or found.shape_mismatch:
        return bool(first.shape_mismatch and found.shape_mismatch)
    if first.nonfinite.changed:
        return found.nonfinite.changed > 0
    return (found.max_abs_error or 0.0) >= _SHARE * (first.max_abs_error or 0.0)
