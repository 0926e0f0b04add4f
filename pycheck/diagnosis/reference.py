"""Finds differences between the reference and the user's own predict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..types import Finding, ReferenceCheck, Severity, TrainingCall
from .case import Case, Rule, listed, number
from .codes import finding

_MOST_NAMED = 5


def reference_differs(case: Case) -> Iterator[Finding]:
    """Find reference-differs: the traced function and predict differ, even if the reference could be corrected."""
    check = case.evidence.reference
    if check is None or check.outcome not in ("retraced", "differs", "overridden", "random", "undefined"):
        return
    single = [record.id for record in case.runtimes if record.id.kind == "float32"][:1]
    summary, advice = _WORDS[check.outcome]
    possible = _possible_cast(case, check)
    if check.outcome == "differs" and possible:
        advice = _POSSIBLE_CAST
    yield finding(
        "reference-differs",
        Severity.ERROR if check.outcome == "differs" else Severity.WARNING,
        runtimes=single,
        tensor=check.tensor,
        layer=check.layer,
        summary=summary.format(against=check.against, how=_how(check), where=_where(check)),
        advice=advice.format(outputs=_outputs(check), possible=possible, artifact=_artifact(case, check)),
        evidence={
            "against": check.against,
            "outcome": check.outcome,
            "outputs": list(check.tensors),
            "max_abs_error": check.max_abs_error,
            "reference_scale": check.reference_scale,
            "reason": check.reason,
        },
    )


def _possible_cast(case: Case, check: ReferenceCheck) -> str:
    names = check.tensors or ([check.tensor] if check.tensor else [])
    return next((told for name in names if (told := case.possible_cast(name))), "")


_POSSIBLE_CAST = "The verdict proves nothing about {outputs}. {possible}"
#: By outcome: the summary and the advice.
_WORDS = {
    "retraced": (
        "Keras computes this model differently when it is traced with unknown sizes{where}: {how}. pycheck therefore "
        "traced the reference with the sizes of this run, which agrees with {against}.",
        "{artifact}",
    ),
    "undefined": (
        "{against} and the function that pycheck converts give different values: {how}. The model casts "
        "numbers to an integer type that cannot hold them; for smaller inputs both agree.",
        "The cause is in the model: see cast-out-of-range.",
    ),
    "differs": (
        "{against} and the function that pycheck converts give different values{where}: {how}.",
        "No cause is known, and the verdict proves nothing about {outputs}. Look for code that depends on the batch "
        "size, on eager execution or on training.",
    ),
    "overridden": (
        "The model's class overrides predict, and predict gives different values than model(x, training=False)"
        "{where}: {how}. pycheck compares and converts model(x, training=False).",
        "Add the extra steps of predict to the page, or move them into the model's call.",
    ),
    "random": (
        "{against} gives different values at each call: {how}. No runtime can be compared with the values of one call.",
        "Remove the random part from the model before you convert it, for example a Dropout called with training=True.",
    ),
}


def _how(check: ReferenceCheck) -> str:
    if check.max_abs_error is None:
        return check.reason or "NaN or infinity is at different places"
    scale = f" (largest value {number(check.reference_scale)})" if check.reference_scale else ""
    return f"{check.tensor} differs by {number(check.max_abs_error)} on the first batch{scale}"


def _outputs(check: ReferenceCheck) -> str:
    return listed(check.tensors) if check.tensors else "these outputs"


def _where(check: ReferenceCheck) -> str:
    return f", from the layer {check.layer} on" if check.layer else ""


def _artifact(case: Case, check: ReferenceCheck) -> str:
    shape = check.shape[1:] if check.shape[:1] == (None,) else check.shape
    keyword = "" if check.shape[:1] == (None,) else "batch_shape="
    fixed = f"give the model fixed sizes, keras.Input({keyword}{shape}), or replace the layer"
    if case.artifact is not None and case.artifact.format == "layers":
        return (
            "The layers artifact does not contain the traced function and is compared with predict. Before you "
            f"convert with --format graph, {fixed}."
        )
    layers = "" if case.artifact and "cannot" in case.artifact.reason else ", or try --format layers"
    return f"A graph artifact contains the function that is traced with unknown sizes: {fixed}{layers}."


def training_mode(case: Case) -> Iterator[Finding]:
    """Find training-mode: layers that are called with training=True, with or without effect in predict."""
    for holds in (True, False):
        calls = [call for call in case.evidence.training_calls if call.holds is holds]
        if not calls:
            continue
        verb = "is" if len(calls) == 1 else "are"
        if holds:
            effect = (
                "a sample's output depends on the rest of its batch"
                if all("Normalization" in call.class_name for call in calls)
                else "in predict the layer behaves as in training"
            )
            summary = f"{_named(calls)} {verb} called with training=True, which predict does not change: {effect}."
            advice = "Call the layer without training=True in the model that you convert."
        else:
            summary = (
                f"{_named(calls)} {verb} called with training=True. Keras 3 applies this in model(x), but predict "
                "passes training=False to every layer. The reference and the artifact match predict, not model(x)."
            )
            advice = "Call the layer without training=True, or expect the values of model.predict in the browser."
        yield finding(
            "training-mode",
            Severity.WARNING,
            layer=calls[0].layer if len(calls) == 1 else None,
            summary=summary,
            advice=advice,
            evidence={
                "layers": [call.layer for call in calls],
                "classes": [call.class_name for call in calls],
                "predict_keeps_to_it": holds,
            },
        )


def _named(calls: Sequence[TrainingCall]) -> str:
    names = [f"{call.layer} ({call.class_name})" for call in calls[:_MOST_NAMED]]
    if len(calls) > _MOST_NAMED:
        names.append(f"{len(calls) - _MOST_NAMED} more")
    return f"The layer {names[0]}" if len(names) == 1 else f"The layers {listed(names)}"


RULES: tuple[Rule, ...] = (reference_differs, training_mode)
