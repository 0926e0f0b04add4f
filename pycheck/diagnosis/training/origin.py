"""Finds the operation that introduces NaN or infinity in a training, in the forward or the backward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from ...types import NATIVE_FLOAT64, Finding, PassOperation, Severity
from ..case import number
from ..codes import finding
from .case import TrainingCase

#: The code of an operation of a layer that introduces NaN or infinity.
_OPERATION_CODES: Mapping[str, str] = {
    "Exp": "exp-overflow", "Expm1": "exp-overflow", "Log": "log-of-zero", "Log1p": "log-of-zero",
    "RealDiv": "division-by-zero", "DivNoNan": "division-by-zero", "Reciprocal": "division-by-zero",
    "Rsqrt": "division-by-zero", "Sqrt": "sqrt-of-negative",
}  # fmt: skip


#: The same in the loss; a logarithm there is loss-of-zero-probability, and all remaining operations overflow.
_IN_LOSS: Mapping[str, str] = {
    "RealDiv": "division-by-zero", "DivNoNan": "division-by-zero", "Reciprocal": "division-by-zero",
    "Rsqrt": "division-by-zero", "Sqrt": "sqrt-of-negative",
}  # fmt: skip


_CLIPPED = (
    ". Clipping in TF.js (and in Keras, unless it uses the logits of a last sigmoid or softmax) makes the gradient 0"
)


def zero_probability(case: TrainingCase) -> Iterator[Finding]:
    """Find loss-of-zero-probability: the logarithm of an output p that is 0, or of 1 - p if p is 1."""
    origins = case.bad_pass.origins if case.bad_pass else ()
    logs = [o for o in origins if o.op in ("Log", "Log1p") and o.layer is None]
    if not (case.evidence.certain and case.evidence.loss_has_log) and not logs:
        return
    at = case.evidence.certain[0] if case.evidence.certain else None
    where = f" at sample {at.sample} of step {at.step}: the output is {at.value:g}" if at else ""
    infinite = bool(logs)
    yield finding(
        "loss-of-zero-probability", Severity.WARNING, tensor=at.output if at else None,
        summary=f"The loss takes the logarithm of a probability of 0{where}, against the target"
        f"{'. The logarithm is infinite' if infinite else _CLIPPED}.",
        advice="Compute the loss from logits, without a sigmoid or softmax at the end. Or clip: log(maximum(p, 1e-7)).",
        evidence={"operation": logs[0].name if logs else None, "step": at.step if at else case.training.passes[0].step},
    )  # fmt: skip


def origin(case: TrainingCase) -> Iterator[Finding]:
    """Find the operation that introduces NaN or infinity; its code depends on its place."""
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
            summary=f"Step {case.bad_pass.step}: the forward pass is finite, but {first.op} in {upstream} turns a "
            f"finite gradient into NaN or infinity ({operands(first)}).",
            advice="The derivative is undefined at this operand: add a small number under a root or to a divisor, or "
            "clip before a logarithm.",
            evidence=evidence,
        )  # fmt: skip
    elif first.layer is None and _IN_LOSS.get(first.op) is not None:
        yield finding(
            _IN_LOSS[first.op], case.nan_severity,
            summary=f"Step {case.bad_pass.step}: {first.op} in the loss turns finite numbers into NaN or infinity "
            f"({operands(first)}).",
            advice="Add a small number to the divisor, or keep the argument of the root positive.",
            evidence=evidence,
        )  # fmt: skip
    elif first.layer is None and first.op not in ("Log", "Log1p"):
        double = case.training.of(NATIVE_FLOAT64)
        loss = double.loss[case.bad_pass.step] if double else math.nan
        in_double = f" In float64, the loss is {number(loss)}." if math.isfinite(loss) else ""
        yield finding(
            "float32-overflow-in-loss", case.nan_severity,
            summary=f"Step {case.bad_pass.step}: {first.op} in the loss overflows float32 (beyond 3.4e38; "
            f"{operands(first)}).{in_double}",
            advice="Scale inputs and targets, lower the learning rate, or clip before powers and exponentials.",
            evidence=evidence,
        )  # fmt: skip
    elif first.layer is not None:
        code = _OPERATION_CODES.get(first.op, "native-overflow")
        yield finding(
            code, Severity.WARNING, layer=first.layer, tensor=first.name,
            summary=f"Step {case.bad_pass.step}: {first.op} of layer {first.layer} turns finite numbers into NaN or "
            f"infinity ({operands(first)}).",
            advice="Scale the inputs, or clip the operands of this layer.",
            evidence=evidence,
        )  # fmt: skip


def operands(operation: PassOperation) -> str:
    """Name the operands of an operation and their values."""
    texts = []
    for operand in operation.operands:
        name = operand.name.rpartition("/")[2]
        if operand.value is not None:
            texts.append(f"{name} is {number(operand.value)}")
        elif operand.smallest is not None and operand.largest is not None:
            texts.append(f"{name} from {number(operand.smallest)} to {number(operand.largest)}")
    return ", ".join(texts) or "no operands"
