"""Finds possible causes: unscaled inputs, NaN in weights, a different epsilon, casts out of range, resizing.

Most of these are harmless by themselves, so they are warnings only if an output fails or is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..types import Epsilon, Finding, InputScale, NonfiniteWeight, OutOfRangeCast, RuntimeId, Severity
from .case import Case, Rule, are, elements, listed, number, unlike
from .codes import finding
from .counterparts import artifact_differs

#: The square of a larger value overflows float16; 8-bit pixels are below.
_LARGE = 256.0
#: Columns whose magnitudes differ by more than this factor have different scales.
_UNLIKE = 1e3
#: Robust standard deviations; 3.5 is usual for a suspicion (Iglewicz and Hoaglin), heavy tails reach 30.
_FAR = 50.0
_SMALLEST_HALF = 2.0**-24
_MOST_NAMED = 5
_NARROW = ("int8", "uint8", "int16", "uint16")
_NO_EFFECT = "In Python, no output depends on these elements by more than roundoff."
_DIVERGED = (
    "Training diverged, or the file is damaged. Restore an earlier checkpoint, then train with scaled inputs, a lower "
    "learning rate or gradient clipping."
)
_CLIP = "Correct or clip the outlier, here and in your application, then compare again."
_BOTH = ("model", "artifact")
_EPSILON_OF_HALF = (
    "An epsilon below 6e-8 underflows in float16 weights: use --quantize uint16 or none, or a larger epsilon in the "
    "model."
)
_EPSILON_OF_OTHER = (
    "Convert the model again: the artifact was made from a different version of it, or with different defaults."
)
_SCALE = "Scale each feature to about -1 to 1 before the model, with the same numbers in Python and in JavaScript."


def went_wrong(case: Case) -> bool:
    """Tell whether an output fails or is not finite."""
    return _has_nonfinite(case) or any(c.passed is False for c in case.comparisons)


def _has_nonfinite(case: Case) -> bool:
    """Tell whether an output has NaN or infinity, in Python or in a browser."""
    return any(sum(map(sum, c.nonfinite.counts)) > c.nonfinite.counts[0][0] for c in case.comparisons)


def severity_of_cause(case: Case) -> Severity:
    """Return a warning if an output fails or is not finite, otherwise information."""
    return Severity.WARNING if went_wrong(case) else Severity.INFO


def input_scale(case: Case) -> Iterator[Finding]:
    """Find input-scale: unscaled features, features of different scales, outliers, constant columns."""
    for scale in case.evidence.scales:
        remarks = list(_remarks(scale))
        if scale.constant_columns and _has_nonfinite(case):
            remarks.append(
                f"{_columns(scale.constant_columns)} the same value in every sample: a standard deviation of 0"
            )
        if not remarks:
            continue
        outlier = scale.outlier if scale.outlier and scale.outlier.robust_z > _FAR else None
        yield finding(
            "input-scale",
            severity_of_cause(case),
            tensor=scale.name,
            summary=f"The input {scale.name}: {'; '.join(remarks)}.",
            advice=_CLIP if outlier else _SCALE,
            evidence={
                "largest": scale.largest.magnitude,
                "largest_column": scale.largest.index,
                "smallest": scale.smallest.magnitude,
                "smallest_column": scale.smallest.index,
                "constant_columns": list(scale.constant_columns),
                "outlier": outlier
                and {
                    "column": outlier.column,
                    "sample": outlier.sample,
                    "value": outlier.value,
                    "median": outlier.median,
                    "robust_z": outlier.robust_z,
                },
            },
        )


def _remarks(scale: InputScale) -> Iterator[str]:
    largest, smallest, outlier = scale.largest, scale.smallest, scale.outlier
    if outlier and outlier.robust_z > _FAR:
        sample = f"sample {outlier.sample}, " if scale.has_sample_axis else ""
        yield (
            f"{number(outlier.value)} at {sample}column {outlier.column} is "
            f"{number(outlier.robust_z)} robust standard deviations from the median {number(outlier.median)}"
        )
    elif largest.magnitude > _LARGE:
        yield f"values reach {number(largest.magnitude)} (column {largest.index}); their square overflows float16"
    if smallest.magnitude and largest.magnitude > _UNLIKE * smallest.magnitude:
        yield (
            f"column {largest.index} reaches {number(largest.magnitude)}, column {smallest.index} only "
            f"{number(smallest.magnitude)}"
        )


def _columns(columns: tuple[int, ...]) -> str:
    if len(columns) == 1:
        return f"column {columns[0]} holds"
    named = [*columns[:_MOST_NAMED], *([f"{len(columns) - _MOST_NAMED} more"] if len(columns) > _MOST_NAMED else [])]
    return f"columns {listed(named)} each hold"


def weight_nonfinite(case: Case) -> Iterator[Finding]:
    """Find weight-nonfinite: in the model's weights, and in the artifact's if the model's are finite."""
    in_model = [weight for weight in case.evidence.weights if weight.place == "model"]
    for weight in in_model or case.evidence.weights:
        yield finding(
            "weight-nonfinite",
            Severity.WARNING,
            tensor=weight.name,
            layer=weight.layer,
            summary=f"The {weight.place}'s weight {weight.name}{_of_layer(weight)} {_holds(weight)}.",
            advice=_weight_advice(case, weight),
            evidence={
                "place": weight.place,
                "of_python": weight.place == "model" or _is_artifact(case),
                "shape": list(weight.shape),
                "nan_count": weight.nan_count,
                "infinity_count": weight.infinity_count,
                "index": list(weight.index),
            },
        )


def _is_artifact(case: Case) -> bool:
    """Tell whether Python runs the artifact itself."""
    return case.model is not None and case.model.is_artifact


def _of_layer(weight: NonfiniteWeight) -> str:
    return f" (layer {weight.layer})" if weight.layer and weight.layer not in weight.name.split("/") else ""


def _holds(weight: NonfiniteWeight) -> str:
    size = math.prod(weight.shape)
    if size == 1:
        return "is NaN" if weight.nan_count else "is infinite"
    return f"holds {_kinds(weight)} among its {size:,} values, first at {list(weight.index)}"


def _kinds(weight: NonfiniteWeight) -> str:
    kinds = ((weight.nan_count, "NaN"), (weight.infinity_count, "infinite"))
    return listed([f"{count:,} {name}" for count, name in kinds if count])


def _weight_advice(case: Case, weight: NonfiniteWeight) -> str:
    quantization = case.artifact.quantization if case.artifact else "none"
    if weight.place == "model":
        return _DIVERGED
    if "float16" in quantization:
        return (
            "Values beyond 65504 overflow in float16: use --quantize uint16 or none, or scale this layer's weights "
            "down."
        )
    if weight.layer is None and not weight.nan_count:
        return (
            "The weight is a constant in the model's code, such as a mask of -Inf. Backends treat infinity "
            "differently: use a large finite number, such as -1e9."
        )
    if _is_artifact(case):
        return _DIVERGED
    return "The model's own weights are finite: convert the model again."


def epsilon_mismatch(case: Case) -> Iterator[Finding]:
    """Find epsilon-mismatch: an epsilon that differs from the model's, or underflows in float16."""
    halves = [record.id for record in case.runtimes if record.environment and record.environment.float_bits == 16]
    for epsilon in case.evidence.epsilons:
        given, wanted = epsilon.artifact, epsilon.model
        if epsilon.differs and given is not None and wanted is not None:
            mended = case.evidence.mended_by_epsilons
            cause = f" With the model's epsilon, {listed(mended)} of the artifact passes." if mended else ""
            shown = " and ".join(f"{text} in the {of}" for text, of in zip(unlike(wanted, given), _BOTH, strict=True))
            yield _epsilon(
                case,
                epsilon,
                f"{epsilon.layer}: the epsilon is {shown}.{cause}",
                _EPSILON_OF_HALF if case.artifact and "float16" in case.artifact.quantization else _EPSILON_OF_OTHER,
                case.browsers,
                outputs=list(mended),
            )
        elif halves and epsilon.in_tensors and given is not None and 0.0 < given < _SMALLEST_HALF:
            yield _epsilon(
                case,
                epsilon,
                f"{epsilon.layer}: the epsilon {number(given)} underflows in float16 (below 6e-8). If the variance or "
                f"norm is 0, {listed(halves)} {'divides' if len(halves) == 1 else 'divide'} by 0.",
                "Use an epsilon of at least 1e-3 in this layer, or 1e-5 if its inputs are scaled.",
                halves,
            )


def _epsilon(
    case: Case, epsilon: Epsilon, summary: str, advice: str, runtimes: Sequence[RuntimeId], **more: object
) -> Finding:
    evidence = {"model": epsilon.model, "artifact": epsilon.artifact, "in_tensors": epsilon.in_tensors, **more}
    return finding(
        "epsilon-mismatch",
        severity_of_cause(case),
        runtimes=runtimes,
        layer=epsilon.layer,
        summary=summary,
        advice=advice,
        evidence=evidence,
    )


def resize_alignment(case: Case) -> Iterator[Finding]:
    """Find resize-alignment: tfjs-layers aligns the corners of pixels, Keras their centers."""
    if case.model is None or case.model.is_artifact or not any(c.drifted for c in case.candidates):
        return
    for layer in case.evidence.bilinear_layers:
        yield finding(
            "resize-alignment",
            Severity.WARNING,
            layer=layer,
            summary=f"{layer}: bilinear UpSampling2D samples pixel i at i / factor in tfjs-layers, and at "
            "(i + 0.5) / factor - 0.5 in Keras. Every runtime is up to half a pixel off.",
            advice="Convert with --format graph, which keeps half-pixel centers, or use interpolation='nearest' in "
            "the model.",
            evidence={"half_pixel_centers": {"model": True, "artifact": False}},
        )


def cast_out_of_range(case: Case) -> Iterator[Finding]:
    """Find cast-out-of-range: numbers that TensorFlow and TF.js cast to different integers."""
    for cast in case.evidence.casts:
        of = f", layer {cast.layer}" if cast.layer else ""
        nan = "Replace NaN and clip" if math.isnan(cast.value) else "Clip"
        advice = f"{nan} the values to the range {cast.low} to {cast.high} before the cast."
        yield finding(
            "cast-out-of-range",
            severity_of_cause(case) if cast.outputs else Severity.INFO,
            layer=cast.layer,
            summary=f"{cast.name} (Cast to {cast.dtype}{of}): {elements(cast.count, cast.element_count)} on the first "
            f"batch {are(cast.count)} outside the range {cast.low} to {cast.high}, such as {number(cast.value)}. "
            f"{_of_cast(cast, case.is_of_litert)}",
            advice=advice if cast.outputs else "No change is needed for these inputs.",
            evidence={
                "node": cast.name,
                "dtype": cast.dtype,
                "count": cast.count,
                "element_count": cast.element_count,
                "value": cast.value,
                "undefined": cast.undefined,
                "outputs": list(cast.outputs),
                "agreed": [name for name in cast.outputs if _is_agreed(case, cast, name)],
            },
        )


def _is_agreed(case: Case, cast: OutOfRangeCast, output: str) -> bool:
    """Tell whether a float32 backend gives Python's output although it does not cast the number."""
    rows = (c for c in case.candidates if c.tensor == output and c.precision_bits == 32)
    return cast.dtype in _NARROW and any(c.passed for c in rows)


def _of_cast(cast: OutOfRangeCast, is_of_litert: bool) -> str:
    result = _IN_LITERT if is_of_litert else _result(cast)
    return result if cast.outputs else f"{result} {_NO_EFFECT}"


_IN_LITERT = "TensorFlow, and LiteRT.js's kernels, may give different results for such a cast."


def _result(cast: OutOfRangeCast) -> str:
    narrow = cast.dtype in _NARROW
    if cast.undefined:
        tfjs = f"TF.js has no {cast.dtype} and keeps the number" if narrow else "TF.js's backends differ too"
        return (
            "The result of such a cast is undefined: TensorFlow may give different results in eager mode and in a "
            f"graph. {tfjs}."
        )
    if narrow:
        return f"TensorFlow keeps the lowest bits; TF.js has no {cast.dtype} and keeps the number."
    return f"TF.js uses int32 instead of {cast.dtype}, which cannot hold these numbers."


RULES: tuple[Rule, ...] = (
    artifact_differs,
    weight_nonfinite,
    input_scale,
    epsilon_mismatch,
    cast_out_of_range,
    resize_alignment,
)
