"""The course of a training, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .names import RuntimeId
from .traces import Operand


@dataclass(frozen=True, slots=True)
class TrainingVariable:
    """One trainable variable, or one moving statistic, in the model's form; `name` is ``layer/variable``.

    `compared` is False if the artifact has it in a different form, or not at all.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    trainable: bool = True
    compared: bool = True


@dataclass(frozen=True, slots=True)
class TrainingMoment:
    """The first step at which an event occurred (the first step is 0).

    `what` is "loss", "activation", "gradient" or "weight"; `name` is the layer or the variable, None for the loss.
    """

    step: int
    what: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class TrainingCurves:
    """The curves of one runtime, with one number for each step; None if it was not measured.

    Steps are in order; curves by variable are in the order of the training's variables. The gradient is that of the
    loss before any clipping; weights are those after the step. `gradient_norm` is over all trainable variables, and
    the largest magnitudes are over finite elements. `loss_error`, `gradient_error` and `weight_error` are shares of
    the limit at that step, for the worst variable: above 1 the runtime has diverged; None if the reference or the
    runtime is not finite. `activation_error` is that of the worst layer, which locates a difference but does not
    decide.
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
    passed: bool | None = None  # set by the gate; None if the reference or the runtime is not finite


@dataclass(frozen=True, slots=True)
class PassOperation:
    """One operation of the forward or backward pass in native:float32 with a non-finite result.

    `phase` is "forward" or "backward"; `of` is the forward operation whose gradient a backward one belongs to.
    `is_origin` says that all of its operands are finite. `operands` are its operands.
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

    `operations` are those with non-finite results, in the order of computation.
    """

    step: int
    operation_count: int
    operations: tuple[PassOperation, ...]

    @property
    def origins(self) -> tuple[PassOperation, ...]:
        """Return the operations that turned finite numbers into NaN or infinity."""
        return tuple(operation for operation in self.operations if operation.is_origin)


@dataclass(frozen=True, slots=True)
class Curvature:
    """The largest eigenvalue of the loss's Hessian before one step, by power iteration in float64.

    If it is `preconditioned`, the Hessian is divided from both sides by the root of the adaptive optimizer's divisor
    of that step.
    """

    step: int
    largest: float
    iterations: int
    preconditioned: bool = False


@dataclass(frozen=True, slots=True)
class CureTrial:
    """One fix, applied in a new training on every runtime.

    `worked` says that every runtime stayed finite, and agreed with the reference, for all steps. If the training had
    failed, a runtime may also differ by an optimizer or loss that TF.js computes differently. If the loss `grew` to
    many times its first value, the fix did not work. `losses` are the last ones by runtime; if the fix changes the
    loss or the data, they cannot be compared.
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
    """A training on all runtimes.

    The curves are those of native:float32, native:float64 and the candidates; `passes` are those of steps that failed,
    `notes` are limitations of the training.
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
        """Return the curves of one runtime."""
        return next((curves for curves in self.curves if curves.runtime == runtime), None)
