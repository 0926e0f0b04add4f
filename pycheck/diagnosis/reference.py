"""Findings about the reference itself: is what stands for Python what the user's own predict gives?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..types import Finding, ReferenceCheck, Severity, TrainingCall
from .case import Case, Rule, listed, number
from .codes import finding

_MOST_NAMED = 5


def reference_differs(case: Case) -> Iterator[Finding]:
    """reference-differs: the traced function and predict are apart, whether or not the reference could be mended."""
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
        "Keras computes this model differently when it is traced with free sizes{where}: {how}. The reference was "
        "therefore traced in the sizes of this run, in which {against} agrees.",
        "{artifact}",
    ),
    "undefined": (
        "{against} does not give what the function gives that pycheck compares and converts: {how}. The model casts "
        "numbers to an integer type that cannot hold them, and for smaller inputs both agree.",
        "The cause is in the model: see cast-out-of-range.",
    ),
    "differs": (
        "{against} does not give what the function gives that pycheck compares and converts{where}: {how}.",
        "No cause is known, and the verdict proves nothing about {outputs}. Look for code that depends on the size of "
        "the batch, on eager execution or on training, first in the layer that is named.",
    ),
    "overridden": (
        "The model's class has a predict of its own, which gives something else than the model when it is called"
        "{where}: {how}. pycheck compares and converts the call, model(x, training=False).",
        "Do in the page after the model what predict does after the call, or put it into the model's call.",
    ),
    "random": (
        "{against} gives other values at each call: {how}. No runtime can be held to the values of one call.",
        "Leave the random part out of the model that is converted; a Dropout called with training=True is one.",
    ),
}


def _how(check: ReferenceCheck) -> str:
    if check.max_abs_error is None:
        return check.reason or "they are not finite at the same places"
    scale = f", where the largest value is {number(check.reference_scale)}" if check.reference_scale else ""
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
            "The layers artifact does not contain the traced function: it is compared with predict. A graph artifact "
            f"would contain it: before you convert to that format, {fixed}."
        )
    layers = "" if case.artifact and "cannot" in case.artifact.reason else ", or try --format layers"
    return f"A graph artifact contains the function that is traced with free sizes: {fixed}{layers}."


def training_mode(case: Case) -> Iterator[Finding]:
    """training-mode: layers that are called with training=True, by whether predict keeps to that."""
    for holds in (True, False):
        calls = [call for call in case.evidence.training_calls if call.holds is holds]
        if not calls:
            continue
        verb = "is" if len(calls) == 1 else "are"
        if holds:
            effect = (
                "a sample's answer depends on the other samples in its batch"
                if all("Normalization" in call.class_name for call in calls)
                else "the layer does at prediction what it does in training"
            )
            summary = f"{_named(calls)} {verb} called with training=True, and predict keeps to that: {effect}."
            advice = "Call the layer without training=True for the model that is converted."
        else:
            summary = (
                f"{_named(calls)} {verb} called with training=True, which Keras 3 keeps to in model(x) and not in "
                "predict: predict passes training=False to every layer. The reference and the artifact give what "
                "predict gives; model(x) gives something else."
            )
            advice = "Call the layer without training=True, or expect in the browser what model.predict gives."
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
