"""How a training went, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .names import RuntimeId
from .traces import Operand


@dataclass(frozen=True, slots=True)
class TrainingVariable:
    """One trainable variable, or one moving statistic, as the model has it; `name` is ``layer/variable``.

    `compared` is False where the artifact holds it in another form, or not at all.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    trainable: bool = True
    compared: bool = True


@dataclass(frozen=True, slots=True)
class TrainingMoment:
    """Something that happened first at one step (the first step is 0).

    `what` is "loss", "activation", "gradient" or "weight"; `name` is the layer or the variable, None for the loss.
    """

    step: int
    what: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class TrainingCurves:
    """What one runtime did, a number a step; None where it was not counted.

    Steps are in order; by-variable curves are in the order of the training's variables. The gradient is that of the
    loss before any clipping, weights are those after the step. `gradient_norm` is over all trainable variables, and
    the largest magnitudes are over finite elements. `loss_error`, `gradient_error` and `weight_error` are shares of
    what is allowed at that step, of the worst variable: above 1 the runtime has parted; None where the reference or
    the runtime is not finite. `activation_error` is that of the worst layer, which tells where, not whether.
    """

    runtime: RuntimeId
    loss: tuple[float, ...]
    gradient_norm: tuple[float, ...]
    largest_gradient: tuple[tuple[float | None, ...], ...]
    largest_weight: tuple[tuple[float | None, ...], ...]
    nonfinite_loss: tuple[int, ...]
    nonfinite_activations: tuple[int | None, ...]
    nonfinite_gradients: tuple[int, ...]
    nonfinite_weights: tuple[int, ...]
    loss_error: tuple[float | None, ...] = ()
    gradient_error: tuple[float | None, ...] = ()
    weight_error: tuple[float | None, ...] = ()
    first_nonfinite: TrainingMoment | None = None
    parted: TrainingMoment | None = None
    activation_error: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class GradientComparison:
    """The gradient of one variable at the first step, on one runtime: errors against native:float64."""

    runtime: RuntimeId
    variable: str
    max_abs_error: float | None
    allowed: float | None
    largest: float | None
    nonfinite: int
    passed: bool | None = None  # set by the gate; None where the reference or the runtime is not finite


@dataclass(frozen=True, slots=True)
class PassOperation:
    """One operation of the forward or backward pass in native:float32 that gives what is not finite.

    `phase` is "forward" or "backward"; `of` is the forward operation whose gradient a backward one belongs to.
    `is_origin` is whether all that it reads is finite. `operands` are what it reads.
    """

    name: str
    op: str
    phase: str
    layer: str | None
    nonfinite: int
    element_count: int
    is_origin: bool
    of: str | None = None
    operands: tuple[Operand, ...] = ()


@dataclass(frozen=True, slots=True)
class PassCheck:
    """Forward and backward pass of one step, operation by operation, in native:float32.

    `operations` are those with results that are not finite, in the order of computation.
    """

    step: int
    operation_count: int
    operations: tuple[PassOperation, ...]

    @property
    def origins(self) -> tuple[PassOperation, ...]:
        """Those that made NaN or infinity out of finite numbers."""
        return tuple(operation for operation in self.operations if operation.is_origin)


@dataclass(frozen=True, slots=True)
class Curvature:
    """The largest eigenvalue of the loss's Hessian before one step, by power iteration in float64.

    Where it is `preconditioned` the Hessian is divided, from both sides, by the root of what an adaptive optimizer
    divided that step by.
    """

    step: int
    largest: float
    iterations: int
    preconditioned: bool = False


@dataclass(frozen=True, slots=True)
class CureTrial:
    """One cure, applied and trained again on every runtime.

    `worked` is whether every runtime stayed finite, and together with the reference, for all steps; of a training that
    broke, also whether they were apart only by an optimizer or loss that TF.js computes otherwise. Where the loss
    `grew` to many times what it began with, nothing is cured. `losses` are the last ones by runtime; they are of
    another loss, or of other data, where the cure changes these.
    """

    name: str
    description: str
    option: str
    worked: bool
    finite: bool
    together: bool
    losses: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    grew: bool = False


@dataclass(frozen=True, slots=True)
class Training:
    """How a model trained, side by side.

    The curves are those of native:float32, native:float64 and the candidates; `passes` are of steps that went wrong,
    `notes` say what the training had to do without.
    """

    optimizer: str
    loss: str
    step_count: int
    batch_size: int
    variables: tuple[TrainingVariable, ...]
    curves: tuple[TrainingCurves, ...]
    gradients: tuple[GradientComparison, ...] = ()
    passes: tuple[PassCheck, ...] = ()
    curvatures: tuple[Curvature, ...] = ()
    cures: tuple[CureTrial, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, runtime: RuntimeId) -> TrainingCurves | None:
        """The curves of one runtime."""
        return next((curves for curves in self.curves if curves.runtime == runtime), None)
