"""The power of a comparison: the effect of small faults in the weights on the outputs."""

from __future__ import annotations

from dataclasses import dataclass

from .names import RuntimeId


@dataclass(frozen=True, slots=True)
class OutputChange:
    """The movement of one output when one weight tensor is wrong.

    `rms` is the root mean square over all elements, `largest` the largest change, both in the output's own unit.
    `reference_at_largest` is the magnitude of the output at that element, `largest_relative` the largest change over
    magnitude. A change that was estimated by projection has only `rms`; the others are None.
    """

    output: str
    rms: float
    largest: float | None = None
    reference_at_largest: float | None = None
    largest_relative: float | None = None


@dataclass(frozen=True, slots=True)
class WeightPower:
    """The effect of a fault in one weight tensor of the artifact.

    `method` is "perturbed" (the artifact ran with the fault), "projected" (estimated by random projections of the
    gradient) or "unknown". `reached` is whether any output depends on the tensor on these inputs: whether a fault of
    50 % changes one, or a gradient is not 0. It is None if unknown: nothing changed, and an output is NaN throughout or
    holds decisions, which stay the same until they flip. `noticed_by` has the runtimes whose limits the
    fault exceeds; the gate sets it.
    """

    name: str
    layer: str | None
    shape: tuple[int, ...]
    method: str
    reached: bool | None
    changes: tuple[OutputChange, ...] = ()
    noticed_by: tuple[RuntimeId, ...] = ()


@dataclass(frozen=True, slots=True)
class TableReach:
    """The number of rows of a table, such as an embedding, that the inputs select; over `sample_count` samples."""

    name: str
    layer: str | None
    row_count: int
    reached_count: int
    sample_count: int

    @property
    def is_poor(self) -> bool:
        """Tell whether the indices hardly vary: real inputs select at least about as many rows as there are samples."""
        return 2 * self.reached_count < min(self.sample_count, self.row_count)


@dataclass(frozen=True, slots=True)
class DeadChannels:
    """The channels of one ReLU that are 0 at every position of every sample; over `sample_count` samples.

    A channel is an index of the last axis. `name` is the point of the artifact.
    """

    name: str
    layer: str | None
    channel_count: int
    dead: tuple[int, ...]
    sample_count: int

    @property
    def is_poor(self) -> bool:
        """Tell whether more than half of the channels are dead."""
        return 2 * len(self.dead) > self.channel_count


@dataclass(frozen=True, slots=True)
class PowerShare:
    """The number of measured weight tensors, and of those whose fault the limits of one runtime would notice."""

    runtime: RuntimeId
    noticed_count: int
    weight_count: int

    @property
    def is_weak(self) -> bool:
        """Tell whether less than half would be noticed."""
        return 2 * self.noticed_count < self.weight_count


@dataclass(frozen=True, slots=True)
class Power:
    """The share of small faults that a comparison on these inputs would notice.

    Attributes:
        fault: The relative size of the fault: every element of one weight tensor is multiplied by 1 + `fault`.
        sample_count: The number of samples that the changes were measured on.
        weights: The weight tensors of the artifact that a relative fault changes.
        left_out_count: The number of tensors that it does not change: zeros only, and the large numbers of masks.
        tables: Tables that the model indexes.
        channels: The ReLUs that have dead channels.
        shares: One for each compared runtime; the gate sets them.
        note: The reason why a part was not measured; empty if all was.
        failure: How the artifact contradicts itself, if TensorFlow cannot run it for that reason; else empty.
        seconds: The time of the measurement.
    """

    fault: float
    sample_count: int
    weights: tuple[WeightPower, ...]
    left_out_count: int = 0
    tables: tuple[TableReach, ...] = ()
    channels: tuple[DeadChannels, ...] = ()
    shares: tuple[PowerShare, ...] = ()
    note: str = ""
    failure: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SampleSpread:
    """The largest difference of any sample of one output, or one input, from the first one; 0 if all are equal.

    `scale` is the largest finite magnitude.
    """

    tensor: str
    sample_count: int
    largest_difference: float
    scale: float
