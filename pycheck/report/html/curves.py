"""The geometry of the loss of a training, step by step: a chart a runtime, with Python's in float64 behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...types import RuntimeId, Training, TrainingCurves
from ..wording import short
from .charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Tick

_MOST_POINTS = 200
_LARGEST_RATIO = 50.0  # beyond this the scale is logarithmic


@dataclass(frozen=True, slots=True)
class LossChart:
    """`line` and `reference` are paths, with gaps where a loss is not finite; `lost` is from where on it is not."""

    runtime: str
    line: str
    reference: str
    lost: float | None
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    label: str


def loss_charts(training: Training) -> Iterator[LossChart]:
    """A chart for each candidate that trained at least one step."""
    reference = training.of(RuntimeId("native", "float64")) or training.of(RuntimeId("native", "float32"))
    for curves in training.curves:
        if curves.runtime.engine != "native" and curves.loss:
            yield _chart(curves, reference.loss if reference else (), training.step_count)


def _chart(curves: TrainingCurves, reference: Sequence[float], steps: int) -> LossChart:
    scale = _Scale([loss for loss in (*curves.loss, *reference) if math.isfinite(loss)], max(steps - 1, 1))
    lost = next((i for i, loss in enumerate(curves.loss) if not math.isfinite(loss)), None)
    told = f"from {short(curves.loss[0])} to {short(curves.loss[-1])}"
    nan = "" if lost is None else f", not finite from step {lost}"
    return LossChart(
        runtime=str(curves.runtime),
        line=scale.path(curves.loss),
        reference=scale.path(reference),
        lost=None if lost is None else scale.x(lost),
        x_ticks=tuple(Tick(scale.x(step), str(step)) for step in dict.fromkeys((0, (steps - 1) // 2, steps - 1))),
        y_ticks=tuple(Tick(scale.y(value), short(value)) for value in scale.marks),
        label=f"Loss on {curves.runtime} in {len(curves.loss)} steps, {told}{nan}",
    )


class _Scale:
    """Steps across and losses up, logarithmic where they are positive and far apart."""

    def __init__(self, losses: Sequence[float], last_step: int) -> None:
        low, high = (min(losses), max(losses)) if losses else (0.0, 1.0)
        self._log = low > 0.0 and high / low > _LARGEST_RATIO
        self._low, self._high = self._of(low), self._of(high)
        if self._high <= self._low or self._high / 2 - self._low / 2 == 0.0:
            self._low, self._high = self._low - 0.5, self._high + 0.5
        self._last_step = last_step
        middle = self._low / 2 + self._high / 2  # halves, whose sum is within float64
        self.marks = [10.0**v if self._log else v for v in (self._low, middle, self._high)]

    def _of(self, loss: float) -> float:
        return math.log10(loss) if self._log else loss

    def x(self, step: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / self._last_step, 1)

    def y(self, loss: float) -> float:
        share = (self._of(loss) / 2 - self._low / 2) / (self._high / 2 - self._low / 2)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def path(self, losses: Sequence[float]) -> str:
        """Through at most so many steps, the last one among them."""
        stride = max(1, math.ceil(len(losses) / _MOST_POINTS))
        steps = sorted({*range(0, len(losses), stride), len(losses) - 1}) if losses else []
        path, drawing = "", False
        for step in steps:
            finite = math.isfinite(losses[step])
            path += f"{'L' if drawing else 'M'}{self.x(step)} {self.y(losses[step])}" if finite else ""
            drawing = finite
        return path
