"""Finds runtimes of a training that failed or diverge from Python, and the causes."""

from __future__ import annotations

from collections.abc import Iterator

from ...types import NATIVE_FLOAT32, NATIVE_FLOAT64, Finding, RuntimeId, RuntimeStatus, Severity
from ..case import listed, number, times
from ..codes import finding
from ..runtimes import reason_of
from .case import CODE_OF_CAUSE, Explanation, TrainingCase, evidence_of, moment


def not_run(case: TrainingCase) -> Iterator[Finding]:
    """Find runtimes that did not train; those that ended for the same reason are one finding."""
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
        if "no kernel for" in reason:  # the backward pass needs kernels that the model itself does not
            advice = "This backend cannot train the model: train with cpu, webgl or webgpu."
        yield finding(code, Severity.ERROR, runtimes=ids, summary=f"{listed(ids)}: {reason}", advice=advice)


def class_divergence(case: TrainingCase) -> Iterator[Finding]:
    """Find nan-introduced and nan-masked: only one of Python and the browser stayed finite."""
    native = case.native.first_nonfinite
    for curves in case.candidates:
        bad = curves.first_nonfinite
        if bad and not native:
            yield finding(
                "nan-introduced", case.nan_severity, runtimes=(curves.runtime,), tensor=bad.name,
                summary=f"{curves.runtime} is not finite from {moment(bad)} on. Python stays finite.",
                advice="The findings below name the cause. --try-remedies searches for a fix.",
                evidence=evidence_of(bad),
            )  # fmt: skip
        if native and not bad and len(curves.loss) == len(case.native.loss):
            yield finding(
                "nan-masked", case.nan_severity, runtimes=(curves.runtime,), tensor=native.name,
                summary=f"Python is not finite from {moment(native)} on. {curves.runtime} stays finite and hides the "
                "fault.",
                advice="Fix the training in Python first: the weights that the browser learns are not the model's.",
                evidence=evidence_of(native),
            )  # fmt: skip


def native_nan(case: TrainingCase) -> Iterator[Finding]:
    """Find native-nan: the training becomes NaN or infinite in Python itself."""
    bad = case.native.first_nonfinite
    if bad is None:
        return
    elsewhere = [
        f"{c.runtime} from step {c.first_nonfinite.step}"
        for c in case.candidates
        if c.first_nonfinite and c.first_nonfinite.step != bad.step
    ]
    double = case.training.of(NATIVE_FLOAT64)
    later = "" if double is None or double.first_nonfinite else ", but finite in float64"
    yield finding(
        "native-nan", case.nan_severity, runtimes=(NATIVE_FLOAT32,), tensor=bad.name,
        summary=f"The training in Python itself is not finite from {moment(bad)} on{later}."
        f"{f' Also not finite: {listed(elsewhere)}.' if elsewhere else ''}",
        advice="The findings below name the cause. --try-remedies searches for a fix.",
        evidence=evidence_of(bad),
    )  # fmt: skip


def drift(case: TrainingCase) -> Iterator[Finding]:
    """Find drift: a runtime diverges from Python by more than float32 roundoff."""
    for curves in case.candidates:
        parted = curves.parted
        if parted is None:
            continue
        errors = {"loss": curves.loss_error, "gradient": curves.gradient_error, "weight": curves.weight_error}
        share = errors[parted.what][parted.step]
        explained = next((e for e in case.evidence.explanations if e.runtime == curves.runtime), None)
        yield finding(
            "drift", Severity.ERROR, runtimes=(curves.runtime,), tensor=parted.name,
            summary=f"{curves.runtime} diverges from Python at {moment(parted)}: the error is {times(share or 0.0)} "
            "times the limit.",
            advice=f"{listed(explained.codes)}, below, "
            f"{'explains' if len(explained.causes) == 1 else 'explain'} this."
            if explained
            else "No cause is known. pycheck gradients compares the first gradient, pycheck trace the forward pass.",
            evidence=evidence_of(parted) | {"share": share},
        )  # fmt: skip


def explained(case: TrainingCase) -> Iterator[Finding]:
    """Find epsilon-mismatch, optimizer-formula, loss-formula, broken-gradient: Python that computes so agrees too."""
    for cause, code in CODE_OF_CAUSE.items():
        found = [e for e in case.evidence.explanations if cause in e.causes]
        if not found:
            continue
        before, after = max(e.before for e in found), max(e.after for e in found)
        others = sorted({other for e in found for other in e.codes if other != code})
        together = f" (together with {listed(others)})" if others else ""
        what, advice = _told(cause, case, found[0])
        noun = cause if cause in ("epsilon", "gradient") else "formula"
        yield finding(
            code, Severity.ERROR if cause == "gradient" else Severity.WARNING, runtimes=[e.runtime for e in found],
            summary=f"{listed([e.runtime for e in found])}: {what}. With TF.js's {noun} in Python{together}, the "
            f"error falls from {number(before)} to {number(after)} times the limit.",
            advice=advice,
            evidence={
                "epsilon": found[0].epsilon, "share_before": before,
                "share_after": after, "together_with": others, "layers": list(found[0].layers),
            },
        )  # fmt: skip


def _told(cause: str, case: TrainingCase, found: Explanation) -> tuple[str, str]:
    """Return how TF.js differs, and the advice."""
    name, loss = case.evidence.optimizer, case.training.loss
    if cause == "optimizer":
        effect = (
            "The learned weights differ much: choose a separate learning rate for the browser."
            if name == "adadelta"
            else "The learned weights differ little."
        )
        return f"TF.js computes {name} with a different formula than Keras", f"{effect} See docs/training.md."
    if cause == "loss":
        return f"TF.js computes {loss} with a different formula than Keras: {_loss_formula(loss)}", _loss_advice(loss)
    if cause == "gradient":
        layers = listed([f"{name} ({kind})" for name, kind in found.layers.items()])
        return (
            f"TF.js's cpu kernel ResizeNearestNeighborGrad computes a wrong gradient for {layers}, because it reads "
            "the gradients of other samples of the batch",
            "Train on webgl or webgpu, whose kernels are right, or with one sample a batch: --batch-size 1.",
        )
    settable = name not in ("sgd", "momentum", "adagrad")
    return (
        f"the epsilon of {name} or of the loss is {number(found.epsilon)} in TF.js and 1e-7 in Keras",
        f"Set the same epsilon in both: --optimizer {name}:{case.evidence.learning_rate:g},epsilon=1e-7, and the same "
        "in your page. If the loss has the epsilon, compute the loss from logits."
        if settable
        else "TF.js cannot set this epsilon: use the wasm backend, or a loss from logits.",
    )


def _loss_formula(loss: str) -> str:
    if loss.endswith("crossentropy"):
        return "TF.js clips the probabilities, Keras uses the logits of a last sigmoid or softmax"
    return {
        "kl_divergence": "TF.js weights with the targets, Keras with the clipped targets",
        "cosine_similarity": "the smallest norm is the root of epsilon in TF.js, and 1e-7 in Keras",
        "hinge": "TF.js keeps targets of 0, Keras converts them to -1",
        "squared_hinge": "TF.js keeps targets of 0, Keras converts them to -1",
        "categorical_hinge": "exactly at the margin, the gradient is 0 in TF.js and not in Keras",
    }.get(loss, "the gradient of an absolute value at exactly 0 is -1 in TF.js and 0 in TensorFlow")


def _loss_advice(loss: str) -> str:
    if loss in ("binary_crossentropy", "categorical_crossentropy"):
        return f"Remove the last activation and compute the loss from logits: --loss {loss}:from_logits."
    if loss in ("hinge", "squared_hinge"):
        return "Use targets of -1 and 1 in Python and in TF.js."
    if loss in ("sparse_categorical_crossentropy", "kl_divergence", "cosine_similarity"):
        return "Write the loss as a formula of your own, or keep outputs and targets away from 0."
    return "Only samples with an error of exactly 0 are affected. If they matter, use a squared error."
