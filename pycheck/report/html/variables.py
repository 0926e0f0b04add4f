"""Computes the small charts of a training: the largest gradient and weight of each variable, for all runtimes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...types import RuntimeId, Training, TrainingCurves
from ..wording import printable, short
from .charts import Tick
from .curves import Frame, Scale

FRAME = Frame(width=240, height=116, left=44, right=8, top=10, bottom=20)
#: With more variables than the first number the charts are folded; those beyond the second are only in the JSON.
FEW, MOST = 3, 24
_MOST_POINTS = 60
#: Classes of the style sheet for lines; Python's line has its own.
_STYLES = 6

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One runtime.

    `style` is a class of the style sheet, `lost` the position of its first number that is not finite.
    """

    runtime: str
    style: str
    path: str
    lost: float | None
    told: str


@dataclass(frozen=True, slots=True)
class SmallChart:
    """One quantity of one variable.

    Charts of the same quantity have the same scale, so that heights can be compared.
    """

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    label: str


@dataclass(frozen=True, slots=True)
class VariableCharts:
    """The charts of one variable; a moving statistic has no gradient, and so only one chart."""

    name: str
    charts: tuple[SmallChart, ...]


@dataclass(frozen=True, slots=True)
class Multiples:
    """All small charts.

    `keys` are runtimes with the style of their line, `left_out` counts the variables without charts.
    """

    keys: tuple[tuple[str, str], ...]
    variables: tuple[VariableCharts, ...]
    left_out: int

    @property
    def folded(self) -> bool:
        """Tell whether there are too many to show all at once."""
        return len(self.variables) > FEW


def multiples(training: Training) -> Multiples | None:
    """Draw the charts of a training; None if no runtime finished a step."""
    shown = _shown(training)
    styles = dict(_styles(training))
    if not styles or not shown:
        return None
    scales = {
        "gradient": _scale([c.largest_gradient for c in training.curves], shown, training.step_count),
        "weight": _scale([c.largest_weight for c in training.curves], shown, training.step_count),
    }
    variables = tuple(_variable(training, index, styles, scales) for index in shown)
    return Multiples(
        tuple((str(runtime), style) for runtime, style in styles.items()),
        variables,
        len(training.variables) - len(variables),
    )


def _shown(training: Training) -> list[int]:
    """Choose the variables with charts, in the model's order; those named in findings come first."""
    moments = (m for c in training.curves for m in (c.first_nonfinite, c.parted) if m)
    named = {moment.name for moment in moments}
    order = sorted(range(len(training.variables)), key=lambda i: training.variables[i].name not in named)
    return sorted(order[:MOST])


def _styles(training: Training) -> Iterator[tuple[RuntimeId, str]]:
    """Return the style of each runtime's line; Python's come first, and so are drawn behind all others."""
    trained = [curves.runtime for curves in training.curves if curves.loss]
    for runtime in sorted((r for r in trained if r.engine == "native"), key=lambda runtime: runtime.kind, reverse=True):
        yield runtime, "python" if runtime.kind == "float64" else "python single"
    for rank, runtime in enumerate(runtime for runtime in trained if runtime.engine != "native"):
        yield runtime, f"s{rank % _STYLES}"


def _scale(kinds: Sequence[Sequence[Sequence[float | None]]], shown: Sequence[int], steps: int) -> Scale:
    """Make one scale for all variables, logarithmic; 0 is drawn at its lower end."""
    seen = [step[i] for curves in kinds for step in curves for i in shown if i < len(step)]
    sizes = [size for size in seen if size is not None and 0.0 < size < math.inf]
    return Scale(sizes or [1.0], max(steps - 1, 1), FRAME, logarithmic=True)


def _variable(training: Training, index: int, styles: dict[RuntimeId, str], scales: dict[str, Scale]) -> VariableCharts:
    variable = training.variables[index]
    charts = []
    for what, scale in scales.items():
        if what == "gradient" and not variable.trainable:
            continue
        lines = []
        for runtime, style in styles.items():
            curves = training.of(runtime)
            if curves and (variable.compared or runtime.engine == "native"):
                lines.append(_line(curves, what, index, variable.name, style, scale))
        told = "; ".join(f"{line.runtime} {line.told}" for line in lines)
        last = max(training.step_count - 1, 0)
        charts.append(
            SmallChart(
                title=f"largest {what}",
                lines=tuple(lines),
                x_ticks=tuple(Tick(scale.x(step), str(step)) for step in dict.fromkeys((0, last))),
                y_ticks=tuple(Tick(scale.y(value), short(value)) for value in scale.marks),
                label=f"Largest {what} of {printable(variable.name)} in {training.step_count} steps: {told}",
            )
        )
    return VariableCharts(printable(variable.name), tuple(charts))


def _line(curves: TrainingCurves, what: str, index: int, name: str, style: str, scale: Scale) -> Line:
    steps = curves.largest_gradient if what == "gradient" else curves.largest_weight
    sizes: list[float | None] = [step[index] if index < len(step) else None for step in steps]
    first = curves.first_nonfinite
    named = [first.step] if first and (first.what, first.name) == (what, name) else []
    lost = min([*named, *(i for i, size in enumerate(sizes) if size is None)], default=None)
    known = [size for size in sizes if size is not None]
    told = f"from {short(known[0])} to {short(known[-1])}" if known else "no finite value"
    return Line(
        runtime=str(curves.runtime),
        style=style,
        path=scale.path([math.nan if size is None else size for size in sizes], _MOST_POINTS),
        lost=None if lost is None else scale.x(lost),
        told=told if lost is None else f"{told}, not finite from step {lost}",
    )
