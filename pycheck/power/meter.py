"""The artifact on a few samples, and what is known so far of each weight."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..system.memory import give_back
from ..types import Array, ArtifactInfo, Batch, DeadChannels, OutputChange, Power, TableReach, Tensors, WeightPower
from .changes import change, hides_faults, largest_first, relative, root_mean_square
from .contradiction import of_artifact
from .portions import few_samples, in_portions, samples_at_once

if TYPE_CHECKING:
    from ..artifact.executable import ArtifactGraph, GraphWeight, Point

#: The relative size of a fault.
FAULT = 0.01
#: A weight is not reached if a fault of this size, or of the absolute size below, changes no output at all.
LARGE_FAULT = 0.5
_LARGE_CHANGE = 0.01
#: A channel of fewer values is 0 in all of them by chance.
_LEAST_VALUES = 16
_PROJECTIONS = 8
_MOST_PROJECTIONS = 32  # over all outputs
_STEP_S = 0.1


@dataclass(slots=True)
class _Known:
    """What is known of one weight so far."""

    weight: GraphWeight
    position: int  # among all weights
    magnitude: float  # of its largest element
    method: str = "unknown"
    reached: bool | None = None
    changes: tuple[OutputChange, ...] = ()


class Meter:
    """Perturbs one weight after the other. One thread at a time. Contradiction, and errors of TensorFlow.

    `graph` is the artifact where that was read before. With `apart` what separate samples give fits together: then
    samples run in portions that fit into memory; else a large model runs on fewer samples. With `fixed` it takes whole
    batches.
    """

    def __init__(
        self,
        artifact: ArtifactInfo,
        batch: Batch,
        layers: Collection[str],
        *,
        fixed: bool,
        apart: bool = False,
        graph: ArtifactGraph | None = None,
    ) -> None:
        from ..artifact import read_artifact
        from ..artifact.sensitivity import SensitivitySession

        self._names = {theirs: ours for ours, theirs in artifact.output_names.items()}
        self._input_names = artifact.input_names
        with of_artifact():
            graph = graph or read_artifact(artifact.folder / artifact.model_file, layers=layers)
        give_back()  # the copies of what it read
        self._weights = graph.weights
        with of_artifact():
            bytes_of_one = self._bytes_of_one(graph, batch)
        #: How many samples run together.
        self.at_once = at_once = batch.size if fixed else samples_at_once(bytes_of_one)
        chosen = few_samples(batch, fixed=fixed, most=batch.size if apart else at_once)
        with of_artifact():
            self._session = SensitivitySession(graph, list(self._names))
        del graph  # the session holds the weights
        give_back()
        self.sample_count = next((len(value) for name, value in chosen.items() if name not in batch.whole), 1)
        self._portions = in_portions(self._fed(chosen), self._whole(batch), at_once if apart else self.sample_count)
        with of_artifact():
            self._portions_run(np.ones(len(self._weights), np.float32))
        begin = time.perf_counter()
        self._before = self._outputs()  # the first run of a session compiles
        run_s = time.perf_counter() - begin
        self._scales = {name: root_mean_square(value) for name, value in self._before.items()}
        weights = self._weights
        sizes = enumerate(self._session.magnitudes)
        self._known = [_Known(weights[position], position, size) for position, size in sizes if size]
        self.left_out_count = len(weights) - len(self._known)
        self._pending = list(self._known)
        self._squares: dict[tuple[str, str], list[float]] = {}
        self._rows: dict[str, Array] = {}
        self._row_samples = 0
        self._living: dict[Point, Array] = {}
        self._value_counts: dict[Point, int] = {}
        self._channel_samples = 0
        #: Seconds that a run with each fault takes.
        self.cost_s = run_s * len(self._known)

    @property
    def has_pending(self) -> bool:
        """Whether `perturb_some` has more to do."""
        return bool(self._pending)

    @property
    def has_tables(self) -> bool:
        """Whether the model indexes a weight as a table."""
        return self._session.has_tables

    def select_rows(self, batch: Batch) -> None:
        """Note which rows of each table this batch selects."""
        for table, rows in self._session.rows(self._fed(batch.tensors)).items():
            self._rows[table] = np.union1d(self._rows.get(table, rows), rows)
        self._row_samples = batch.start + batch.size

    @property
    def has_channels(self) -> bool:
        """Whether the model has a ReLU with channels."""
        return bool(self._session.clipped)

    def watch_channels(self, tensors: Tensors, end: int) -> None:
        """Note which channels of each ReLU are not 0 on these inputs, which are the samples before `end`."""
        for point, (living, count) in self._session.living(self._fed(tensors)).items():
            self._living[point] = self._living[point] | living if point in self._living else living
            self._value_counts[point] = self._value_counts.get(point, 0) + count
        self._channel_samples = end

    def start_projecting(self) -> Sequence[Sequence[Callable[[], None]]]:
        """Rounds of projections for `estimate`, a call for each output; none if an operation has no gradient."""
        try:
            self._session.differentiate()
        except LookupError:
            return ()
        smooth = [name for name in self._names if self._session.differentiable(name)][:_MOST_PROJECTIONS]
        count = min(_PROJECTIONS, _MOST_PROJECTIONS // max(len(smooth), 1))
        signs = np.random.default_rng(0)
        return [[partial(self._project, name, signs) for name in smooth] for _ in range(count)]

    def perturb_some(self) -> None:
        """Run the artifact with faults in the next weights, for a short time."""
        begin = time.perf_counter()
        while self._pending and time.perf_counter() - begin < _STEP_S:
            self._perturb(self._pending.pop(0))

    def power(self) -> Power:
        """What is known now."""
        weights = tuple(
            WeightPower(k.weight.name, k.weight.layer, k.weight.shape, k.method, k.reached, k.changes)
            for k in self._known
        )
        return Power(FAULT, self.sample_count, weights, self.left_out_count, self._tables(), self._channels())

    def close(self) -> None:
        """Free what TensorFlow holds."""
        self._session.close()

    def _fed(self, tensors: Tensors) -> dict[str, Array]:
        return {theirs: tensors[ours] for ours, theirs in self._input_names.items()}

    def _whole(self, batch: Batch) -> frozenset[str]:
        """The artifact's inputs without a sample axis."""
        return frozenset(theirs for ours, theirs in self._input_names.items() if ours in batch.whole)

    def _bytes_of_one(self, graph: ArtifactGraph, batch: Batch) -> int:
        """What the values inside of the model take for one sample."""
        from ..graphdef.sizes import value_bytes

        whole = self._whole(batch)
        fed = self._fed(batch.tensors).items()
        shapes = {graph.inputs[name]: value.shape if name in whole else (1, *value.shape[1:]) for name, value in fed}
        return value_bytes(graph.graph_def, shapes)

    def _outputs(self, position: int = 0, factor: float = 1.0) -> dict[str, Array]:
        """By the model's names, those that hold real numbers or booleans; with one weight times a factor."""
        factors = np.ones(len(self._weights), np.float32)
        if factor != 1.0:
            factors[position] = factor
        found = self._portions_run(factors)
        names = [name for name, value in found[0].items() if value.dtype.kind in "fiub"]
        if len(found) == 1:
            return {self._names[name]: found[0][name] for name in names}
        return {self._names[name]: np.concatenate([values[name] for values in found]) for name in names}

    def _portions_run(self, factors: Array) -> list[dict[str, Array]]:
        return [self._session.run(portion.feeds, factors) for portion in self._portions]

    def _perturb(self, known: _Known) -> None:
        after = self._outputs(known.position, 1.0 + FAULT)
        found = [change(name, before, after[name]) for name, before in self._before.items()]
        changes = [item for item in found if item]
        known.method, known.changes = "perturbed", largest_first(changes, self._scales)
        if not changes:  # so small a fault may be lost in rounding
            after = self._outputs(known.position, 1.0 + max(LARGE_FAULT, _LARGE_CHANGE / known.magnitude))
            moved = any(change(name, before, after[name]) for name, before in self._before.items())
            known.reached = True if moved else self._if_unmoved
        else:
            known.reached = True

    @property
    def _if_unmoved(self) -> bool | None:
        """Whether a weight is reached that moves no output: unknown if that may be one that hides faults."""
        return None if any(map(hides_faults, self._before.values())) else False

    def _project(self, output: str, signs: np.random.Generator) -> None:
        shape = self._before[self._names[output]].shape
        direction = signs.choice(np.array([-1.0, 1.0], np.float32), shape)
        slopes: dict[str, float] = {}
        for portion in self._portions:
            part = direction[portion.rows] if len(self._portions) > 1 else direction
            for tensor, slope in self._session.project(portion.feeds, output, part).items():
                slopes[tensor] = slopes.get(tensor, 0.0) + slope
        for tensor, slope in slopes.items():
            self._squares.setdefault((tensor, output), []).append(slope * slope)

    def estimate(self) -> None:
        """Read the projections, and put those weights first that are least certain to be noticed."""
        for known in self._known:
            changes = []
            for output, name in self._names.items():
                squares = self._squares.get((known.weight.tensor, output))
                size = self._before[name].size if name in self._before else 0
                mean = float(np.mean(squares)) / size if squares and size else math.nan
                if math.isfinite(mean):  # not where a NaN or an infinity in one sample is in every sum
                    known.method = "projected"
                    changes.append(OutputChange(name, FAULT * math.sqrt(mean)))
            moved = [item for item in changes if item.rms > 0.0]
            known.changes = largest_first(moved, self._scales)
            known.reached = True if moved else self._if_unmoved if len(changes) == len(self._before) else None
        self._pending.sort(key=self._certainty)

    def _certainty(self, known: _Known) -> tuple[bool, bool, float]:
        largest = max((relative(item, self._scales) for item in known.changes), default=0.0)
        return known.method == "projected", known.reached is False, largest

    def _tables(self) -> tuple[TableReach, ...]:
        by_tensor = {weight.tensor: weight for weight in self._weights}
        return tuple(
            TableReach(w.name, w.layer, w.shape[0], int(((rows >= 0) & (rows < w.shape[0])).sum()), self._row_samples)
            for tensor, rows in self._rows.items()
            for w in (by_tensor[tensor],)
        )

    def _channels(self) -> tuple[DeadChannels, ...]:
        return tuple(
            DeadChannels(point.name, point.layer, len(living), dead, self._channel_samples)
            for point, living in self._living.items()
            if self._value_counts[point] >= _LEAST_VALUES
            and (dead := tuple(int(channel) for channel in np.flatnonzero(~living)))
        )
