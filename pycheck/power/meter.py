"""Runs the artifact on a few samples with faults, and keeps the results for each weight."""

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
#: A weight is not reached if a fault of this relative size, or of the absolute size below, changes no output.
LARGE_FAULT = 0.5
_LARGE_CHANGE = 0.01
#: A channel with fewer values may be 0 in all of them by chance.
_LEAST_VALUES = 16
_PROJECTIONS = 8
_MOST_PROJECTIONS = 32  # over all outputs
_STEP_S = 0.1


@dataclass(slots=True)
class _Known:
    """The results for one weight so far."""

    weight: GraphWeight
    position: int  # the index among all weights
    magnitude: float  # the magnitude of its largest element
    method: str = "unknown"
    reached: bool | None = None
    changes: tuple[OutputChange, ...] = ()


class Meter:
    """Perturbs one weight after the other. It is not thread-safe; it raises Contradiction, and errors of TensorFlow.

    `graph` is the artifact's graph if it was already read. With `apart` the results of separate samples can be joined:
    samples then run in portions that fit into memory; otherwise a large model runs on fewer samples. With `fixed` the
    model takes only whole batches.
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
        give_back()  # copies that are no longer needed
        self._weights = graph.weights
        with of_artifact():
            bytes_of_one = self._bytes_of_one(graph, batch)
        #: The number of samples that run together.
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
        #: The estimated seconds for a run with each fault.
        self.cost_s = run_s * len(self._known)

    @property
    def has_pending(self) -> bool:
        """Tell whether `perturb_some` has more to do."""
        return bool(self._pending)

    @property
    def has_tables(self) -> bool:
        """Tell whether the model uses a weight as a table."""
        return self._session.has_tables

    def select_rows(self, batch: Batch) -> None:
        """Mark the rows of each table that this batch selects."""
        for table, rows in self._session.rows(self._fed(batch.tensors)).items():
            self._rows[table] = np.union1d(self._rows.get(table, rows), rows)
        self._row_samples = batch.start + batch.size

    @property
    def has_channels(self) -> bool:
        """Tell whether the model has a ReLU with channels."""
        return bool(self._session.clipped)

    def watch_channels(self, tensors: Tensors, end: int) -> None:
        """Mark the channels of each ReLU that are not 0 on these inputs, which are the samples before `end`."""
        for point, (living, count) in self._session.living(self._fed(tensors)).items():
            self._living[point] = self._living[point] | living if point in self._living else living
            self._value_counts[point] = self._value_counts.get(point, 0) + count
        self._channel_samples = end

    def start_projecting(self) -> Sequence[Sequence[Callable[[], None]]]:
        """Return the rounds of projections for `estimate`, one call for each output; none if there is no gradient."""
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
        """Return the results so far."""
        weights = tuple(
            WeightPower(k.weight.name, k.weight.layer, k.weight.shape, k.method, k.reached, k.changes)
            for k in self._known
        )
        return Power(FAULT, self.sample_count, weights, self.left_out_count, self._tables(), self._channels())

    def close(self) -> None:
        """Free the memory of TensorFlow."""
        self._session.close()

    def _fed(self, tensors: Tensors) -> dict[str, Array]:
        return {theirs: tensors[ours] for ours, theirs in self._input_names.items()}

    def _whole(self, batch: Batch) -> frozenset[str]:
        """Return the artifact's inputs without a sample axis."""
        return frozenset(theirs for ours, theirs in self._input_names.items() if ours in batch.whole)

    def _bytes_of_one(self, graph: ArtifactGraph, batch: Batch) -> int:
        """Return the bytes of the values within the model for one sample."""
        from ..graphdef.sizes import value_bytes

        whole = self._whole(batch)
        fed = self._fed(batch.tensors).items()
        shapes = {graph.inputs[name]: value.shape if name in whole else (1, *value.shape[1:]) for name, value in fed}
        return value_bytes(graph.graph_def, shapes)

    def _outputs(self, position: int = 0, factor: float = 1.0) -> dict[str, Array]:
        """Return the outputs with real numbers or booleans, by the model's names, with one weight times a factor."""
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
        if not changes:  # rounding may hide such a small fault
            after = self._outputs(known.position, 1.0 + max(LARGE_FAULT, _LARGE_CHANGE / known.magnitude))
            moved = any(change(name, before, after[name]) for name, before in self._before.items())
            known.reached = True if moved else self._if_unmoved
        else:
            known.reached = True

    @property
    def _if_unmoved(self) -> bool | None:
        """Tell whether a weight that moves no output is reached; unknown if an output may hide faults."""
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
        """Read the projections, and sort the weights so that those least certain to be noticed come first."""
        for known in self._known:
            changes = []
            for output, name in self._names.items():
                squares = self._squares.get((known.weight.tensor, output))
                size = self._before[name].size if name in self._before else 0
                mean = float(np.mean(squares)) / size if squares and size else math.nan
                if math.isfinite(mean):  # a NaN or infinity in one sample makes every sum useless
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
