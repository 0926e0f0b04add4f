"""Compares TensorFlow's results for the first batch with the results of the user's own `predict`.

Two correct executions of a model differ by roundoff. A difference is therefore judged like that of a candidate: by the
noise floor of the model and the automatic tolerance.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..comparison import measure, summarize
from ..errors import RuntimeFailedError
from ..gate import assess
from ..tensors import parts
from ..types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    UNIT_ROUNDOFF,
    Array,
    Comparison,
    OutOfRangeCast,
    ReferenceCheck,
    RuntimeId,
    Tensors,
)
from .casts import out_of_range_casts

if TYPE_CHECKING:
    from ..model import Model
    from ..model.own_predict import OwnPredict

#: The runtime id of `predict` while it is judged like a candidate; no report contains it.
_OWN = RuntimeId("artifact", "float32")
#: Integers may differ if roundoff decides between two nearly equal classes, but at most this share of them.
_MOST_DECIDED = 0.1
#: Two executions in half floats differ by at most so many unit roundoffs at the output's scale.
_ROUNDOFFS = 32.0
#: A difference above this share of the largest value of a layer's result is more than accumulated roundoff.
_LAYER_DIFFERS = 1e-3
#: How many times inputs are halved until every cast fits.
_HALVINGS = (4, 8, 16, 32, 64, 120)


def check_reference(
    model: Model, tensors: Tensors, size: Tensors, classes: Tensors, casts: Sequence[OutOfRangeCast] = ()
) -> ReferenceCheck | None:
    """Compare `predict` on one batch with `size` and `classes`, the results in float64 and float32.

    None if the model has no `predict`. Keras's own graph runs only if its eager execution differs. `casts` are casts
    of this batch that do not fit: they explain outputs that differ on it and agree on smaller inputs.
    """
    own = model.own
    if own is None:
        return None
    if own.assigns:
        return ReferenceCheck(own.title, "skipped", reason="the model changes its own variables when it predicts")
    if model.random_operations and (differ := _failing(model.predict(tensors), classes, classes)):
        reason = f"the model draws random numbers ({', '.join(model.random_operations)})"
        return ReferenceCheck(own.title, "random", reason=reason, tensors=_names(differ))
    try:
        outputs, found = _held_against(own, model, tensors, size, classes)
        if found and (differ := _failing(own(tensors, eagerly=False), outputs, outputs)):
            reason = "two calls on the same inputs differ"
            return ReferenceCheck(own.title, "random", reason=reason, tensors=_names(differ))
        if found and (by_casts := _by_casts(own, model, tensors, casts, _names(found))):
            others = [c for c in found if c.tensor not in by_casts]
            if not others:
                return _differing(own.title, "undefined", found)
            found = others
    except Exception as error:  # the model may raise any error; the reference ran without it
        _fail_if_refused(own, model, tensors, error)
        return ReferenceCheck(own.title, "skipped", reason=f"{own.title} fails on these inputs: {_first_line(error)}")
    return _explained(own, model, tensors, outputs, found) if found else ReferenceCheck(own.title, "agrees")


def _differing(title: str, outcome: str, found: Sequence[Comparison], **more: Any) -> ReferenceCheck:
    """Return the check of the output that differs most."""
    worst = found[0]
    return ReferenceCheck(
        title,
        outcome,
        tensor=worst.tensor,
        max_abs_error=worst.max_abs_error,
        reference_scale=worst.reference_scale,
        reason=worst.shape_mismatch or "",
        tensors=_names(found),
        **more,
    )


def _names(found: Sequence[Comparison]) -> tuple[str, ...]:
    return tuple(c.tensor for c in found)


def _by_casts(
    own: OwnPredict, model: Model, tensors: Tensors, casts: Sequence[OutOfRangeCast], differing: Sequence[str]
) -> set[str]:
    """Return outputs that differ, depend on casts that do not fit, and agree on inputs so small that all casts fit."""
    concerned = {name for name in differing if any(name in cast.outputs and cast.undefined for cast in casts)}
    if not concerned:
        return set()
    for halvings in _HALVINGS:
        smaller = {n: (v * 2.0**-halvings).astype(v.dtype) if v.dtype.kind == "f" else v for n, v in tensors.items()}
        if not any(cast.undefined for cast in out_of_range_casts(model, smaller, tried=False)):
            traced = model.predict(smaller)
            return concerned - set(_names(_held_against(own, model, smaller, traced, traced)[1]))
    return set()


def _fail_if_refused(own: OwnPredict, model: Model, tensors: Tensors, error: Exception) -> None:
    """Raise RuntimeFailedError if Keras itself rejects these sizes: then there is nothing to compare with.

    A function that was traced with free sizes still gives a result, because a kernel treats a size below 0 as empty.
    """
    from ..model.attempt import attempt

    if not own.is_keras or own.is_overridden:
        return
    refused = attempt(model, tensors)
    if not refused.ran:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in tensors.items())
        place = f"{refused.place}: " if refused.place else ""
        raise RuntimeFailedError(
            f"{own.title} fails on {shapes}: {place}{refused.failure}",
            "The model fails in Python on inputs of this size. Give a different --size, or give INPUTS.",
        ) from error


def check_failure(model: Model, tensors: Tensors) -> ReferenceCheck | None:
    """Check a batch on which the traced function fails; None if the model's own predict fails too."""
    own = model.own
    if own is None or not own.is_keras or own.assigns:
        return None
    try:
        again = model.in_shapes(tensors).predict(tensors)
        outputs, found = _held_against(own, model, tensors, again, again)
    except Exception:  # the model fails too, or cannot be traced for this batch: the first error stands
        return None
    if found:
        return None
    return ReferenceCheck(
        own.title,
        "retraced",
        reason="the function traced in these sizes fails on the first batch",
        shape=_fixed(model, tensors, outputs),
    )


def told(check: ReferenceCheck) -> str:
    """Describe the check in one line."""
    match check.outcome:
        case "agrees":
            return f"{check.against} gives the same results on the first batch, up to roundoff"
        case "retraced":
            return (
                f"traced again in the sizes of the run, where {check.against} gives the same results on the first batch"
            )
        case "undefined":
            return f"{check.against} gives different values on the first batch, because of a cast to a type that "
            "cannot hold a number"
        case "random" | "skipped":
            return f"not compared with {check.against}: {check.reason}"
        case _:
            return f"{check.against} gives different values on the first batch"


def _held_against(
    own: OwnPredict, model: Model, tensors: Tensors, size: Tensors, classes: Tensors
) -> tuple[Mapping[str, Array], list[Comparison]]:
    """Return the results of `predict` and the outputs that differ, from Keras's graph if eager execution differs.

    Eager execution may pass fewer samples at a time, which the model may reject.
    """
    if own.is_keras:
        try:
            outputs = own(tensors)
            if not _failing(outputs, size, classes, model.precision):
                return outputs, []
        except Exception:  # the user runs the graph, whose error counts
            pass
    outputs = own(tensors, eagerly=False)
    return outputs, _failing(outputs, size, classes, model.precision)


def _explained(
    own: OwnPredict, model: Model, tensors: Tensors, outputs: Mapping[str, Array], found: Sequence[Comparison]
) -> ReferenceCheck:
    """Find whether a difference comes from the sizes that were free when the model was traced."""
    own_outputs = {c.tensor: outputs[c.tensor] for c in found if c.tensor in outputs}
    outcome, shape = "differs", tuple[int | None, ...]()
    if own.is_overridden:
        traced = model.predict(tensors)
        called = _failing(own.called(tensors), traced, traced, model.precision)
        outcome = "overridden" if not set(_names(called)).intersection(_names(found)) else "differs"
    elif own.is_keras:
        again = _only(model.in_shapes(tensors).predict(tensors), own_outputs)
        if again and not _failing(own_outputs, again, again, model.precision):
            outcome, shape = "retraced", _fixed(model, tensors, own_outputs)
    return _differing(own.title, outcome, found, layer=_first_layer(own, model, tensors), shape=shape)


def _only(outputs: Mapping[str, Array], names: Collection[str]) -> dict[str, Array]:
    return {name: value for name, value in outputs.items() if name in names}


def _fixed(model: Model, tensors: Tensors, outputs: Mapping[str, Array]) -> tuple[int | None, ...]:
    """Return the shape of the first input with which the traced function is right, without the batch if possible."""
    shape: tuple[int, ...] = tensors[model.info.signature.inputs[0].name].shape
    if all(None not in spec.shape[1:] for spec in model.info.signature.inputs):
        return shape
    try:
        again = _only(model.in_shapes(tensors, free_samples=True).predict(tensors), outputs)
    except Exception:  # the batch size is needed too
        return shape
    return shape if _failing(outputs, again, again, model.precision) else (None, *shape[1:])


def _failing(own: Mapping[str, Array], size: Tensors, classes: Tensors, half: str | None = None) -> list[Comparison]:
    """Return the outputs that differ by more than roundoff, including that of `half`; the largest difference first."""
    failed = []
    for name, single in classes.items():
        if name not in own:
            failed.append(_compared(name, np.zeros(0), single, single))
            continue
        double = size[name] if size[name].shape == single.shape else single
        comparison = _compared(name, own[name], double, single)
        if comparison.passed is False and not _is_decided(comparison) and not _is_rounding(comparison, half):
            failed.append(comparison)
    return sorted(failed, key=lambda c: (c.shape_mismatch is not None, _share(c)), reverse=True)


def agreeing(outputs: Mapping[str, Array], size: Tensors, classes: Tensors) -> set[str]:
    """Return the outputs that differ from the reference by at most roundoff."""
    return set(classes) - set(_names(_failing(outputs, size, classes)))


def _compared(name: str, own: Array, size: Array, classes: Array) -> Comparison:
    own = parts(own)
    floor = None if size is classes else measure(classes, size, size, start=0, drawn=False, has_sample_axis=False)
    summary = summarize(
        measure(own, size, classes, start=0, drawn=False, has_sample_axis=False),
        tensor=name,
        reference=NATIVE_FLOAT64,
        candidate=_OWN,
        class_reference=NATIVE_FLOAT32,
        noise_floor=floor,
    )
    (assessed,) = assess([summary])
    return assessed


def _share(comparison: Comparison) -> float:
    return (comparison.max_abs_error or 0.0) / (comparison.reference_scale or 1.0)


def _is_decided(comparison: Comparison) -> bool:
    """Tell whether the values are integers of which only a few differ."""
    count = comparison.outside_count
    if comparison.shape_mismatch or count is None:
        return False
    return count <= max(1.0, _MOST_DECIDED * comparison.element_count)


def _is_rounding(comparison: Comparison, half: str | None) -> bool:
    """Tell whether a difference is rounding in half floats, because two executions may fuse different operations."""
    c = comparison
    if half is None or c.shape_mismatch or c.nonfinite.changed or c.max_abs_error is None:
        return False
    return c.max_abs_error <= _ROUNDOFFS * UNIT_ROUNDOFF[half] * (c.reference_scale or 0.0)


def _first_layer(own: OwnPredict, model: Model, tensors: Tensors) -> str | None:
    """Return the first layer whose result in the traced function differs from its result in a call of the model."""
    if not own.is_keras:
        return None
    from ..graphdef.function import GraphFunction

    try:
        frozen, names = model.frozen(), model.layer_tensors
        traced = GraphFunction(frozen.graph_def, frozen.inputs, names)(tensors)
        called = own.layer_values(tensors)
    except Exception:  # without the layer's name, the finding names the output
        return None
    for name, value in traced.items():
        if name in called and _layer_differs(np.asarray(called[name]), value):
            return name.split(":")[0]
    return None


def _layer_differs(called: Array, traced: Array) -> bool:
    if called.shape != traced.shape:
        return True
    if called.dtype.kind not in "fc" or not called.size:
        return False
    finite = np.isfinite(called) & np.isfinite(traced)
    if not np.array_equal(called[~finite], traced[~finite], equal_nan=True):
        return True
    wide = np.result_type(called, np.float64)
    called, traced = called[finite].astype(wide), traced[finite].astype(wide)
    return bool(np.abs(called - traced).max(initial=0.0) > _LAYER_DIFFERS * np.abs(called).max(initial=0.0))


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
