"""Computes the charts of a training's curves by step: loss, norm of the gradient and error, three for each runtime."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...types import RuntimeId, Training, TrainingCurves
from ..wording import short
from .charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Tick

_SHARE = "of the limit"
_MOST_POINTS = 200
_LARGEST_RATIO = 50.0  # for larger ratios the scale is logarithmic


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of a chart, and its margins."""

    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


@dataclass(frozen=True, slots=True)
class CurveChart:
    """One chart. `line` and `reference` are paths, with gaps where a number is not finite.

    `lost` is the x of the first gap. `title` names the curve, `unit` the vertical axis, and `behind` the reference.
    """

    title: str
    unit: str
    behind: str
    runtime: str
    line: str
    reference: str
    lost: float | None
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    label: str


def loss_charts(training: Training) -> Iterator[CurveChart]:
    """Draw the loss of each candidate that trained at least one step, and Python's in float64 behind it."""
    reference = _reference(training)
    for curves in _candidates(training):
        behind = reference.loss if reference else ()
        yield _chart("Loss", "loss", "Python", curves, curves.loss, behind, training.step_count)


def curve_charts(training: Training) -> Iterator[CurveChart]:
    """Draw for each candidate the loss, the norm of the gradient, and the largest share of the limit."""
    reference = _reference(training)
    for curves, loss in zip(_candidates(training), loss_charts(training), strict=True):
        yield loss
        behind = reference.gradient_norm if reference else ()
        yield _chart(
            "Norm of the gradient", "norm", "Python", curves, curves.gradient_norm, behind, training.step_count
        )
        shares = [_largest(step) for step in zip(*_errors(curves), strict=True)]
        if any(map(math.isfinite, shares)):
            limit = (1.0,) * len(shares)
            chart = _chart("Error used", _SHARE, "limit", curves, shares, limit, training.step_count)
            yield replace(chart, lost=None)  # the chart of the loss marks it


def _reference(training: Training) -> TrainingCurves | None:
    return training.of(RuntimeId("native", "float64")) or training.of(RuntimeId("native", "float32"))


def _candidates(training: Training) -> list[TrainingCurves]:
    return [curves for curves in training.curves if curves.runtime.engine != "native" and curves.loss]


def _errors(curves: TrainingCurves) -> list[Sequence[float | None]]:
    return [errors for errors in (curves.loss_error, curves.gradient_error, curves.weight_error) if errors]


def _largest(shares: Sequence[float | None]) -> float:
    return max((share for share in shares if share is not None), default=math.nan)


def _chart(
    title: str, unit: str, behind: str, curves: TrainingCurves, values: Sequence[float], reference: Sequence[float],
    steps: int,
) -> CurveChart:  # fmt: skip
    scale = Scale([value for value in (*values, *reference) if math.isfinite(value)], max(steps - 1, 1))
    lost = next((i for i, value in enumerate(values) if not math.isfinite(value)), None)
    told = f"from {short(values[0])} to {short(values[-1])}"
    nan = "" if lost is None else f", {'none' if unit == _SHARE else 'not finite'} from step {lost}"
    return CurveChart(
        title=title,
        unit=unit,
        behind=behind,
        runtime=str(curves.runtime),
        line=scale.path(values),
        reference=scale.path(reference),
        lost=None if lost is None else scale.x(lost),
        x_ticks=tuple(Tick(scale.x(step), str(step)) for step in dict.fromkeys((0, (steps - 1) // 2, steps - 1))),
        y_ticks=tuple(Tick(scale.y(value), short(value)) for value in scale.marks),
        label=f"{title} on {curves.runtime} in {len(values)} steps, {told}{nan}",
    )


class Scale:
    """Steps across and values up; the scale is logarithmic if values are positive and far apart, or if requested.

    Values below a logarithmic scale, such as 0, are drawn at its lower end.
    """

    def __init__(
        self, losses: Sequence[float], last_step: int, frame: Frame | None = None, *, logarithmic: bool = False
    ) -> None:
        low, high = (min(losses), max(losses)) if losses else (0.0, 1.0)
        self._frame = frame or Frame()
        self._log = low > 0.0 and (logarithmic or high / low > _LARGEST_RATIO)
        self._low, self._high = self._of(low), self._of(high)
        if self._high <= self._low or self._high / 2 - self._low / 2 == 0.0:
            self._low, self._high = self._low - 0.5, self._high + 0.5
        self._last_step = last_step
        middle = self._low / 2 + self._high / 2  # halves, because the sum of the whole may exceed float64
        self.marks = [10.0**v if self._log else v for v in (self._low, middle, self._high)]

    def _of(self, loss: float) -> float:
        if not self._log:
            return loss
        return math.log10(loss) if loss > 0.0 else self._low

    def x(self, step: int) -> float:
        """Return the coordinate of a step."""
        frame = self._frame
        return round(frame.left + (frame.width - frame.left - frame.right) * step / self._last_step, 1)

    def y(self, loss: float) -> float:
        """Return the coordinate of a value."""
        frame = self._frame
        share = (self._of(loss) / 2 - self._low / 2) / (self._high / 2 - self._low / 2)
        return round(frame.height - frame.bottom - share * (frame.height - frame.top - frame.bottom), 1)

    def path(self, losses: Sequence[float], most: int = _MOST_POINTS) -> str:
        """Draw a path through at most so many steps, including the last one."""
        stride = max(1, math.ceil(len(losses) / most))
        steps = sorted({*range(0, len(losses), stride), len(losses) - 1}) if losses else []
        path, drawing = "", False
        for step in steps:
            finite = math.isfinite(losses[step])
            path += f"{'L' if drawing else 'M'}{self.x(step)} {self.y(losses[step])}" if finite else ""
            drawing = finite
        return path
