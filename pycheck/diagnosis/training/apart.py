"""Findings about runtimes of a training that failed, or that part from Python, and about what explains it."""

from __future__ import annotations

from collections.abc import Iterator

from ...types import NATIVE_FLOAT32, NATIVE_FLOAT64, Finding, RuntimeId, RuntimeStatus, Severity
from ..case import listed, number
from ..codes import finding
from ..runtimes import reason_of
from .case import CODE_OF_CAUSE, Explanation, TrainingCase, evidence_of, moment


def not_run(case: TrainingCase) -> Iterator[Finding]:
    """runtime-unavailable, runtime-failed, runtime-timed-out; once for runtimes that ended for the same reason."""
    codes = {
        RuntimeStatus.UNAVAILABLE: "runtime-unavailable",
        RuntimeStatus.FAILED: "runtime-failed",
        RuntimeStatus.TIMED_OUT: "runtime-timed-out",
    }
    alike: dict[tuple[str, str, str], list[RuntimeId]] = {}
    for record in case.runtimes:
        if record.status in codes:
            alike.setdefault((codes[record.status], *reason_of(record)), []).append(record.id)
    for (code, reason, advice), ids in alike.items():
        if "no kernel for" in reason:  # which the backward pass needs, where the model itself runs
            advice = "This backend may run the model and cannot train it: train with cpu, webgl or webgpu."
        yield finding(code, Severity.ERROR, runtimes=ids, summary=f"{listed(ids)}: {reason}", advice=advice)


def class_divergence(case: TrainingCase) -> Iterator[Finding]:
    """nan-introduced and nan-masked: only one of Python and the page stayed finite."""
    native = case.native.first_nonfinite
    for curves in case.candidates:
        bad = curves.first_nonfinite
        if bad and not native:
            yield finding(
                "nan-introduced", case.nan_severity, runtimes=(curves.runtime,), tensor=bad.name,
                summary=f"{curves.runtime} is not finite from {moment(bad)} on; Python trains to the end.",
                advice="The findings below name the cause; --try-remedies looks for a fix.",
                evidence=evidence_of(bad),
            )  # fmt: skip
        if native and not bad and len(curves.loss) == len(case.native.loss):
            yield finding(
                "nan-masked", case.nan_severity, runtimes=(curves.runtime,), tensor=native.name,
                summary=f"Python is not finite from {moment(native)} on; {curves.runtime} trains on and hides it.",
                advice="Cure it in Python: what the page learns from numbers that are not there is not the model.",
                evidence=evidence_of(native),
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
        "native-nan", case.nan_severity, runtimes=(NATIVE_FLOAT32,), tensor=bad.name,
        summary=f"Python's own training is not finite from {moment(bad)} on{later}"
        f"{'; ' + listed(elsewhere) if elsewhere else ''}.",
        advice="The findings below name the cause; --try-remedies looks for a fix.",
        evidence=evidence_of(bad),
    )  # fmt: skip


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
            "drift", Severity.ERROR, runtimes=(curves.runtime,), tensor=parted.name,
            summary=f"{curves.runtime} diverges from Python at {moment(parted)}: {number(share or 0.0)} times what is "
            "allowed there by float32's own error.",
            advice=f"{listed(explained.codes)}, below, "
            f"{'explains' if len(explained.causes) == 1 else 'explain'} it."
            if explained
            else "pycheck gradients compares the gradient alone; pycheck trace the model without its training.",
            evidence=evidence_of(parted) | {"share": share},
        )  # fmt: skip


def explained(case: TrainingCase) -> Iterator[Finding]:
    """epsilon-mismatch, optimizer-formula, loss-formula: what TF.js has else, proven by Python doing the same."""
    for cause, code in CODE_OF_CAUSE.items():
        found = [e for e in case.evidence.explanations if cause in e.causes]
        if not found:
            continue
        before, after = max(e.before for e in found), max(e.after for e in found)
        others = sorted({other for e in found for other in e.codes if other != code})
        together = f", together with {listed(others)}," if others else ","
        what, advice = _told(cause, case, found[0])
        yield finding(
            code, Severity.WARNING, runtimes=[e.runtime for e in found],
            summary=f"{listed([e.runtime for e in found])}: {what}. With TF.js's{together} Python does the same: the "
            f"error falls from {number(before)} to {number(after)} times what is allowed.",
            advice=advice,
            evidence={
                "epsilon": found[0].epsilon, "share_before": before,
                "share_after": after, "together_with": others,
            },
        )  # fmt: skip


def _told(cause: str, case: TrainingCase, found: Explanation) -> tuple[str, str]:
    """What TF.js does, and what to do about it."""
    name, loss = case.evidence.optimizer, case.training.loss
    if cause == "optimizer":
        much = "much: choose another learning rate for the page" if name == "adadelta" else "little"
        return (
            f"TF.js computes {name} by a different formula than Keras",
            f"docs/training.md has both formulas. What they learn differs {much}.",
        )
    if cause == "loss":
        return f"TF.js computes {loss} by a different formula than Keras: {_loss_formula(loss)}", _loss_advice(loss)
    settable = name not in ("sgd", "momentum", "adagrad")
    return (
        f"TF.js adds {number(found.epsilon)} where Keras adds 1e-7, in the optimizer {name} or in the loss",
        f"Give both the same: --optimizer {name}:{case.evidence.learning_rate:g},epsilon=1e-7, and the same in your "
        "page; where the loss has the epsilon, take one from logits."
        if settable
        else "TF.js gives no way to set it here: take the wasm backend, or a loss from logits.",
    )


def _loss_formula(loss: str) -> str:
    if loss.endswith("crossentropy"):
        return "it clips the probabilities, where Keras takes the logits of a last sigmoid or softmax"
    return {
        "kl_divergence": "it weights with the targets, Keras with the clipped targets",
        "cosine_similarity": "its smallest norm is the root of its epsilon, that of Keras 1e-7",
        "hinge": "it takes targets of 0 as they are, where Keras makes -1 of them",
        "squared_hinge": "it takes targets of 0 as they are, where Keras makes -1 of them",
        "categorical_hinge": "it has no gradient where the margin is met exactly, where Keras has one",
    }.get(loss, "the gradient of an absolute value is -1 at exactly 0, that of TensorFlow 0")


def _loss_advice(loss: str) -> str:
    if loss in ("binary_crossentropy", "categorical_crossentropy"):
        return f"End the model without its activation and take the loss from logits: --loss {loss}:from_logits."
    if loss in ("hinge", "squared_hinge"):
        return "Give targets of -1 and 1 in Python and in TF.js."
    if loss in ("sparse_categorical_crossentropy", "kl_divergence", "cosine_similarity"):
        return "Write the loss as a formula, which both compute alike, or keep outputs and targets away from 0."
    return "Mostly nothing: it is a matter of samples that are met exactly. Squared errors have no such point."
