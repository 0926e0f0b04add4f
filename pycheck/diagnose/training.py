"""Findings about a training: what went wrong at which step, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    Evidence,
    Finding,
    InputScale,
    NanPolicy,
    PassCheck,
    PassOperation,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Training,
    TrainingCurves,
    TrainingMoment,
)
from .case import Case, listed, number
from .causes import input_scale as input_scale_of
from .codes import finding

#: The norm of the gradient has grown so many times: no descent.
_EXPLODED = 1e3
#: A variable whose gradient is so many times smaller than the largest one's learns nothing beside it.
_VANISHED = 1e-6
#: A loss that has grown so many times since the first step.
_LOSS_GREW = 10.0
_SATURATED = 0.5
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Explanation:
    """What made Python do as a page did: that page's `epsilon`, or its optimizer's formula ("formula").

    Shares are the largest errors of what is allowed, before and after.
    """

    runtime: RuntimeId
    cause: str
    epsilon: float
    step: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class DataNan:
    """NaN or infinity in the data: how many in which array, the first one, and the first step that reads it."""

    array: str
    count: int
    sample: int
    index: tuple[int, ...]
    step: int


@dataclass(frozen=True, slots=True)
class TargetRange:
    """Targets that the loss cannot take: `problem` names what it takes; the first one is at `sample`."""

    output: str
    problem: str
    count: int
    value: float
    sample: int
    cure: str


@dataclass(frozen=True, slots=True)
class Certain:
    """Outputs of exactly 0, or 1, where the target says otherwise, before one step in native:float32."""

    output: str
    step: int
    count: int
    sample: int
    value: float


@dataclass(frozen=True, slots=True)
class Saturated:
    """The share of a layer's results at the bounds of its activation, before one step."""

    layer: str
    activation: str
    share: float
    step: int


@dataclass(frozen=True, slots=True)
class TrainingEvidence:
    """What else is known of a training than its curves."""

    optimizer: str = "sgd"
    learning_rate: float = 0.0
    momentum: float = 0.0
    clipping: str | None = None
    loss_has_log: bool = False
    scales: tuple[InputScale, ...] = ()
    nan_in_data: tuple[DataNan, ...] = ()
    target_ranges: tuple[TargetRange, ...] = ()
    certain: tuple[Certain, ...] = ()
    saturated: tuple[Saturated, ...] = ()
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """One training, measured, with what else is known of it."""

    training: Training
    runtimes: tuple[RuntimeRecord, ...] = ()
    nan: NanPolicy = NanPolicy.FAIL
    evidence: TrainingEvidence = field(default_factory=TrainingEvidence)

    @property
    def native(self) -> TrainingCurves:
        """What native:float32 did."""
        curves = self.training.of(NATIVE_FLOAT32)
        assert curves is not None, "Python always trains"
        return curves

    @property
    def candidates(self) -> tuple[TrainingCurves, ...]:
        """What the pages did."""
        return tuple(c for c in self.training.curves if c.runtime.engine != "native")

    @property
    def nan_severity(self) -> Severity:
        """How severe it is that numbers are not finite."""
        return Severity.ERROR if self.nan is NanPolicy.FAIL else Severity.WARNING

    @property
    def failed(self) -> bool:
        """Whether something is not finite somewhere, or the loss of Python has grown much."""
        return any(c.first_nonfinite for c in self.training.curves) or loss_grew(self.native)

    @property
    def bad_pass(self) -> PassCheck | None:
        """The pass of the first step that was not finite in Python."""
        return next((check for check in self.training.passes if check.operations), None)


Rule = Callable[[TrainingCase], Iterable[Finding]]


def diagnose_training(case: TrainingCase) -> tuple[Finding, ...]:
    """The findings of a training, in the order in which they read best."""
    return tuple(found for rule in RULES for found in rule(case))


def moment(at: TrainingMoment) -> str:
    """``step 3, the gradient of dense/kernel``."""
    what = {"loss": "the loss", "activation": "the result of", "gradient": "the gradient of", "weight": "the weight"}
    return f"step {at.step}, {what[at.what]}{f' {at.name}' if at.name else ''}"


def loss_grew(curves: TrainingCurves) -> bool:
    """Whether the last finite loss is many times the first."""
    finite = [loss for loss in curves.loss if math.isfinite(loss)]
    return len(finite) > 1 and finite[0] > 0.0 and finite[-1] > _LOSS_GREW * finite[0]


def not_run(case: TrainingCase) -> Iterator[Finding]:
    """runtime-unavailable, runtime-failed, runtime-timed-out."""
    codes = {
        RuntimeStatus.UNAVAILABLE: "runtime-unavailable",
        RuntimeStatus.FAILED: "runtime-failed",
        RuntimeStatus.TIMED_OUT: "runtime-timed-out",
    }
    for record in case.runtimes:
        if record.status in codes:
            message, _, advice = (record.error or "").partition("\n")
            yield finding(codes[record.status], Severity.ERROR, runtime=record.id, summary=message, advice=advice)


def nan_in_data(case: TrainingCase) -> Iterator[Finding]:
    """nan-in-data: one such number spoils every weight in the step that reads it."""
    for found in case.evidence.nan_in_data:
        yield finding(
            "nan-in-data", case.nan_severity, tensor=found.array,
            summary=f"{found.array} hold {found.count:,} {'number' if found.count == 1 else 'numbers'} that "
            f"{'is' if found.count == 1 else 'are'} not finite, first at sample {found.sample} {list(found.index)}: "
            f"step {found.step} reads it, and every weight is NaN after it.",
            advice="Leave such samples out, or put the column's median in their place, in training and at prediction.",
            evidence={"count": found.count, "sample": found.sample, "index": list(found.index), "step": found.step},
        )  # fmt: skip


def class_divergence(case: TrainingCase) -> Iterator[Finding]:
    """nan-introduced and nan-masked: only one of Python and the page stayed finite."""
    native = case.native.first_nonfinite
    for curves in case.candidates:
        bad = curves.first_nonfinite
        if bad and not native:
            yield finding(
                "nan-introduced", case.nan_severity, runtime=curves.runtime, tensor=bad.name,
                summary=f"{curves.runtime} is not finite from {moment(bad)} on; Python trains to the end.",
                advice="The findings below say what starts it; --try-remedies says what cures it.",
                evidence=_at(bad),
            )  # fmt: skip
        if native and not bad and len(curves.loss) == len(case.native.loss):
            yield finding(
                "nan-masked", case.nan_severity, runtime=curves.runtime, tensor=native.name,
                summary=f"Python is not finite from {moment(native)} on; {curves.runtime} trains on and hides it.",
                advice="Cure it in Python: what the page learns from numbers that are not there is not the model.",
                evidence=_at(native),
            )  # fmt: skip


def native_nan(case: TrainingCase) -> Iterator[Finding]:
    """native-nan: the training breaks in Python itself."""
    bad = case.native.first_nonfinite
    if bad is None:
        return
    elsewhere = [
        f"{c.runtime} from step {c.first_nonfinite.step}"
        for c in case.candidates
        if c.first_nonfinite and c.first_nonfinite.step != bad.step
    ]
    double = case.training.of(NATIVE_FLOAT64)
    later = "" if double is None or double.first_nonfinite else "; in float64 it stays finite"
    yield finding(
        "native-nan", case.nan_severity, runtime=NATIVE_FLOAT32, tensor=bad.name,
        summary=f"Python's own training is not finite from {moment(bad)} on{later}"
        f"{'; ' + listed(elsewhere) if elsewhere else ''}.",
        advice="The findings below say what starts it; --try-remedies says what cures it.",
        evidence=_at(bad),
    )  # fmt: skip


def _at(at: TrainingMoment) -> dict[str, Any]:
    return {"step": at.step, "what": at.what, "name": at.name}


def drift(case: TrainingCase) -> Iterator[Finding]:
    """drift: a runtime parts from Python beyond what float32 itself costs."""
    for curves in case.candidates:
        parted = curves.parted
        if parted is None:
            continue
        errors = {"loss": curves.loss_error, "gradient": curves.gradient_error, "weight": curves.weight_error}
        share = errors[parted.what][parted.step]
        explained = next((e for e in case.evidence.explanations if e.runtime == curves.runtime), None)
        yield finding(
            "drift", Severity.ERROR, runtime=curves.runtime, tensor=parted.name,
            summary=f"{curves.runtime} parts from Python at {moment(parted)}: {number(share or 0.0)} times what is "
            "allowed there by float32's own error.",
            advice=f"{'epsilon-mismatch' if explained.cause == 'epsilon' else 'optimizer-formula'}, below, explains it."
            if explained
            else "pycheck gradients compares the gradient alone; pycheck trace the model without its training.",
            evidence=_at(parted) | {"share": share},
        )  # fmt: skip


def explained(case: TrainingCase) -> Iterator[Finding]:
    """epsilon-mismatch and optimizer-formula: what TF.js has else, proven by Python doing the same."""
    for cause, code in (("epsilon", "epsilon-mismatch"), ("formula", "optimizer-formula")):
        found = [e for e in case.evidence.explanations if e.cause == cause]
        if not found:
            continue
        runtimes = listed([e.runtime for e in found])
        name, epsilon = case.evidence.optimizer, number(found[0].epsilon)
        before, after = max(e.before for e in found), max(e.after for e in found)
        evidence = {
            "runtimes": [str(e.runtime) for e in found],
            "epsilon": found[0].epsilon,
            "share_before": before,
            "share_after": after,
        }
        if cause == "epsilon":
            summary = (
                f"{runtimes}: TF.js adds {epsilon} where Keras adds 1e-7, in the optimizer {name} or in the loss. With "
                f"TF.js's, Python does the same: the error falls from {number(before)} to "
                f"{number(after)} times what is allowed."
            )
            advice = (
                f"Give both the same: --optimizer {name}:{case.evidence.learning_rate:g},epsilon=1e-7, and the same in "
                "your page; where the loss has the epsilon, take one from logits."
                if name not in ("sgd", "momentum", "adagrad")
                else "TF.js gives no way to set it here: take the wasm backend, or a loss from logits."
            )
        else:
            summary = (
                f"{runtimes}: TF.js computes {name} by another formula than Keras. With TF.js's, Python does the "
                f"same: the error falls from {number(before)} to {number(after)} "
                "times what is allowed."
            )
            much = "much: choose its learning rate anew for the page" if name == "adadelta" else "little"
            advice = f"docs/training.md has both formulas. What they learn differs {much}."
        yield finding(code, Severity.WARNING, summary=summary, advice=advice, evidence=evidence)


def learning_rate(case: TrainingCase) -> Iterator[Finding]:
    """learning-rate-too-high: above what the largest curvature allows gradient descent."""
    known = case.evidence
    if not case.failed or known.optimizer not in ("sgd", "momentum") or not case.training.curvatures:
        return
    worst = max(case.training.curvatures, key=lambda c: c.largest)
    if worst.largest <= 0.0:
        return
    stable = 2.0 * (1.0 + known.momentum) / worst.largest
    if known.learning_rate <= stable:
        return
    bound = "2 / curvature" if not known.momentum else "2 (1 + momentum) / curvature"
    yield finding(
        "learning-rate-too-high", Severity.WARNING,
        summary=f"The learning rate {known.learning_rate:g} is {number(known.learning_rate / stable)} times what is "
        f"stable: the largest curvature seen, before step {worst.step}, is {number(worst.largest)}, and {bound} is "
        f"{number(stable)}.",
        advice=f"Take a rate below {number(stable)}, such as {number(stable / 2)}, or scale the inputs, which lowers "
        "the curvature.",
        evidence={
            "learning_rate": known.learning_rate, "stable": stable, "curvature": worst.largest, "step": worst.step,
        },
    )  # fmt: skip


def exploding(case: TrainingCase) -> Iterator[Finding]:
    """exploding-gradient: the norm of the gradient grows from step to step, by orders of magnitude."""
    norms = [norm for norm in case.native.gradient_norm if math.isfinite(norm)]
    if not norms or not norms[0]:
        return
    largest = max(norms)
    if largest < _EXPLODED * norms[0]:
        return
    step = case.native.gradient_norm.index(largest)
    yield finding(
        "exploding-gradient", Severity.WARNING, runtime=NATIVE_FLOAT32,
        summary=f"The norm of the gradient grows from {number(norms[0])} to {number(largest)} at step {step}.",
        advice="Lower the learning rate, scale the inputs, or clip: --clipnorm 1.",
        evidence={"first": norms[0], "largest": largest, "step": step},
    )  # fmt: skip


def vanishing(case: TrainingCase) -> Iterator[Finding]:
    """vanishing-gradient: variables that learn nothing at the first step beside what others learn."""
    first = case.native.largest_gradient[0] if case.native.largest_gradient else ()
    sizes = {v.name: size for v, size in zip(case.training.variables, first, strict=False) if size is not None}
    largest = max(sizes.values(), default=0.0)
    gone = [name for name, size in sizes.items() if size <= _VANISHED * largest]
    if not largest or not gone or not math.isfinite(largest):
        return
    named = [*gone[:_MOST_NAMED], *([f"{len(gone) - _MOST_NAMED} more"] if len(gone) > _MOST_NAMED else [])]
    yield finding(
        "vanishing-gradient", Severity.WARNING, tensor=gone[0],
        summary=f"At the first step the gradient of {listed(named)} is at most {number(max(sizes[n] for n in gone))}, "
        f"that of others up to {number(largest)}: {'it learns' if len(gone) == 1 else 'they learn'} nothing.",
        advice="Take relu instead of sigmoid or tanh, scale the inputs, or normalize between the layers.",
        evidence={"variables": gone, "largest": largest, "vanished": max(sizes[n] for n in gone)},
    )  # fmt: skip


def input_scale(case: TrainingCase) -> Iterator[Finding]:
    """input-scale, as for a prediction; a warning where the training failed."""
    for found in input_scale_of(Case((), evidence=Evidence(scales=case.evidence.scales))):
        yield replace(found, severity=Severity.WARNING if case.failed or _idle(case) else Severity.INFO)


def _idle(case: TrainingCase) -> bool:
    return any(s.share >= _SATURATED for s in case.evidence.saturated)


def target_range(case: TrainingCase) -> Iterator[Finding]:
    """target-range: targets that the loss is not made for."""
    for found in case.evidence.target_ranges:
        yield finding(
            "target-range", Severity.WARNING, tensor=found.output,
            summary=f"{case.training.loss} takes {found.problem}; {found.count:,} targets of {found.output} are not, "
            f"first {number(found.value)} at sample {found.sample}.",
            advice=found.cure,
            evidence={"count": found.count, "value": found.value, "sample": found.sample},
        )  # fmt: skip


def zero_probability(case: TrainingCase) -> Iterator[Finding]:
    """loss-of-zero-probability: the logarithm of an output that is exactly 0, or of 1 less one that is 1."""
    origins = case.bad_pass.origins if case.bad_pass else ()
    logs = [o for o in origins if o.op in ("Log", "Log1p") and o.layer is None]
    if not (case.evidence.certain and case.evidence.loss_has_log) and not logs:
        return
    at = case.evidence.certain[0] if case.evidence.certain else None
    where = f" at sample {at.sample} of step {at.step}: the output is {at.value:g}" if at else ""
    infinite = bool(logs)
    yield finding(
        "loss-of-zero-probability", Severity.WARNING, tensor=at.output if at else None,
        summary=f"The loss takes the logarithm of a probability of 0{where}, and the target is certain of the opposite"
        f"{', which gives infinity' if infinite else '; clipping keeps it finite, without a gradient to learn from'}.",
        advice="Take the loss from logits, without a sigmoid or softmax at the end; or clip: log(maximum(p, 1e-7)).",
        evidence={"operation": logs[0].name if logs else None, "step": at.step if at else case.training.passes[0].step},
    )  # fmt: skip


def saturated(case: TrainingCase) -> Iterator[Finding]:
    """activation-saturated: a layer whose results lie at the bounds of its activation."""
    worst: dict[str, Saturated] = {}
    for found in case.evidence.saturated:
        if found.share >= max(_SATURATED, worst[found.layer].share if found.layer in worst else 0.0):
            worst[found.layer] = found
    for found in worst.values():
        yield finding(
            "activation-saturated", Severity.WARNING, layer=found.layer,
            summary=f"{found.layer}: {100 * found.share:.0f}% of what its {found.activation} gives before step "
            f"{found.step} lies at a bound, where it has no gradient.",
            advice="Scale the inputs to about -1 to 1, or take relu.",
            evidence={"activation": found.activation, "share": found.share, "step": found.step},
        )  # fmt: skip


#: What an operation of a layer makes infinity or NaN of, by its type.
_OPERATION_CODES: Mapping[str, str] = {
    "Exp": "exp-overflow", "Expm1": "exp-overflow", "Log": "log-of-zero", "Log1p": "log-of-zero",
    "RealDiv": "division-by-zero", "DivNoNan": "division-by-zero", "Reciprocal": "division-by-zero",
    "Rsqrt": "division-by-zero", "Sqrt": "sqrt-of-negative",
}  # fmt: skip


#: Of these in the loss itself; a logarithm there is loss-of-zero-probability, and the rest leaves float32.
_IN_LOSS: Mapping[str, str] = {
    "RealDiv": "division-by-zero", "DivNoNan": "division-by-zero", "Reciprocal": "division-by-zero",
    "Rsqrt": "division-by-zero", "Sqrt": "sqrt-of-negative",
}  # fmt: skip


def origin(case: TrainingCase) -> Iterator[Finding]:
    """The operation that first made what is not finite out of finite numbers, by where it is."""
    if case.bad_pass is None or not case.bad_pass.origins:
        return
    first = case.bad_pass.origins[0]
    evidence = {
        "operation": first.name, "op": first.op, "phase": first.phase, "of": first.of, "step": case.bad_pass.step,
        "operands": [
            {"name": o.name, "value": o.value, "smallest": o.smallest, "largest": o.largest} for o in first.operands
        ],
    }  # fmt: skip
    if first.phase == "backward":
        upstream = f"the gradient of {first.of}" if first.of else "the backward pass"
        yield finding(
            "nan-gradient-origin", case.nan_severity, layer=first.layer,
            summary=f"Step {case.bad_pass.step}: everything forward is finite, and {first.op} in {upstream} turns a "
            f"finite upstream gradient into NaN or infinity: {operands(first)}.",
            advice="Keep its operand from where the derivative has no value: add a small number under a root or a "
            "division, clip before a logarithm.",
            evidence=evidence,
        )  # fmt: skip
    elif first.layer is None and _IN_LOSS.get(first.op) is not None:
        yield finding(
            _IN_LOSS[first.op], case.nan_severity,
            summary=f"Step {case.bad_pass.step}: {first.op} in the loss makes NaN or infinity of finite numbers: "
            f"{operands(first)}.",
            advice="Add a small number to what it divides by, or keep what is under the root positive.",
            evidence=evidence,
        )  # fmt: skip
    elif first.layer is None and first.op not in ("Log", "Log1p"):
        double = case.training.of(NATIVE_FLOAT64)
        loss = double.loss[case.bad_pass.step] if double else math.nan
        in_double = f"; in float64 the loss is {number(loss)}" if math.isfinite(loss) else ""
        yield finding(
            "float32-overflow-in-loss", case.nan_severity,
            summary=f"Step {case.bad_pass.step}: {first.op} in the loss leaves float32, which ends at 3.4e38: "
            f"{operands(first)}{in_double}.",
            advice="Scale inputs and targets, lower the learning rate, or bound what is raised or exponentiated.",
            evidence=evidence,
        )  # fmt: skip
    elif first.layer is not None:
        code = _OPERATION_CODES.get(first.op, "native-overflow")
        yield finding(
            code, Severity.WARNING, layer=first.layer, tensor=first.name,
            summary=f"Step {case.bad_pass.step}: {first.op} of layer {first.layer} makes NaN or infinity of finite "
            f"numbers: {operands(first)}.",
            advice="Scale the inputs, or keep this layer's operands in range.",
            evidence=evidence,
        )  # fmt: skip


def operands(operation: PassOperation) -> str:
    """What an operation read."""
    texts = []
    for operand in operation.operands:
        name = operand.name.rpartition("/")[2]
        if operand.value is not None:
            texts.append(f"{name} is {number(operand.value)}")
        elif operand.smallest is not None and operand.largest is not None:
            texts.append(f"{name} from {number(operand.smallest)} to {number(operand.largest)}")
    return ", ".join(texts) or "it reads nothing"


def clip_cannot_help(case: TrainingCase) -> Iterator[Finding]:
    """clip-cannot-help: a NaN is there before anything is clipped, and a global norm spreads it to every variable."""
    bad = case.native.first_nonfinite
    if case.evidence.clipping is None or bad is None or bad.what == "weight":
        return
    spread = case.evidence.clipping == "global_clipnorm"
    yield finding(
        "clip-cannot-help", Severity.WARNING,
        summary=f"{case.evidence.clipping} is set and cannot help: {moment(bad)} is not finite before any gradient is "
        f"clipped{', and the global norm, NaN itself, makes every variable NaN' if spread else ''}.",
        advice="Cure where it starts: the loss, the data or the operation that the findings above name.",
        evidence={"clipping": case.evidence.clipping, **_at(bad)},
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    not_run, nan_in_data, class_divergence, native_nan, origin, zero_probability, learning_rate, exploding, drift,
    explained, target_range, input_scale, saturated, vanishing, clip_cannot_help,
)  # fmt: skip
