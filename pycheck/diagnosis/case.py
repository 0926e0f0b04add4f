"""Holds the input of the rules, and formats numbers, places and names for their sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..types import (
    AnswerLimits,
    ArtifactInfo,
    Comparison,
    Evidence,
    FaultyPart,
    Finding,
    ModelInfo,
    NanPolicy,
    NonfiniteInput,
    PairingHint,
    PointResult,
    Power,
    RuntimeId,
    RuntimeRecord,
    SampleSpread,
    Severity,
    TracePoint,
    WorstElement,
)

#: The advice of a finding that is an effect of reference-differs.
SEE_REFERENCE = "The cause is in Python: see reference-differs."


#: What TensorFlow Lite in Python gives for an output that failed on LiteRT.js.
_BESIDE_PYTHON = {
    FaultyPart.FILE: "TensorFlow Lite in Python gives this error too, so the file is wrong, not the browser.",
    FaultyPart.XNNPACK: "TensorFlow Lite in Python gives this error only with XNNPACK, so the file is right.",
    FaultyPart.BUILTIN: "TensorFlow Lite in Python gives this error only without XNNPACK, its default, so the file is "
    "right.",
    FaultyPart.BROWSER: "TensorFlow Lite in Python runs this file without the error, so the file is right.",
    FaultyPart.MOSTLY_BROWSER: "TensorFlow Lite in Python gives less than half of this error with the same file, so "
    "most of it is LiteRT.js's.",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One run with its assessed comparisons."""

    comparisons: tuple[Comparison, ...]
    runtimes: tuple[RuntimeRecord, ...] = ()
    model: ModelInfo | None = None
    artifact: ArtifactInfo | None = None
    nonfinite_inputs: tuple[NonfiniteInput, ...] = ()
    input_elements: Mapping[str, int] = field(default_factory=dict)
    pairing_hints: tuple[PairingHint, ...] = ()
    nan: NanPolicy = NanPolicy.FAIL
    evidence: Evidence = field(default_factory=Evidence)
    power: Power | None = None
    spreads: tuple[SampleSpread, ...] = ()
    answer_limits: Mapping[tuple[RuntimeId, str], AnswerLimits] = field(default_factory=dict)

    @property
    def is_traced_wrongly(self) -> bool:
        """Tell whether a graph artifact contains a function whose values differ from those of predict."""
        check, artifact = self.evidence.reference, self.artifact
        return check is not None and check.outcome == "retraced" and artifact is not None and artifact.format == "graph"

    def reference_explains(self, tensor: str) -> bool:
        """Tell whether predict, or the function that a graph artifact contains, differs from the reference."""
        check = self.evidence.reference
        if check is None or (check.tensors and tensor not in check.tensors):
            return False
        return check.outcome in ("differs", "random") or self.is_traced_wrongly

    def possible_cast(self, tensor: str) -> str | None:
        """Return a sentence about casts in loops and branches before an output that may be out of range."""
        if not (types := self.evidence.casts_inside.get(tensor)):
            return None
        return (
            f"A loop or a branch of the model casts floats to {listed(types)}. If a number does not fit that type, the "
            "result is undefined, and executions in Python differ. This is a possible cause, not an "
            "established one. Clip the values before the cast and compare again."
        )

    @property
    def has_no_artifact(self) -> bool:
        """Tell whether the library of these runtimes cannot have the model, in a run of both libraries."""
        return self.model is not None and self.artifact is None

    @property
    def is_artifact_alone(self) -> bool:
        """Tell whether MODEL is itself the artifact: Python then runs the same weights, without a conversion."""
        return self.model is not None and self.model.is_artifact

    def faulty_part(self, c: Comparison) -> FaultyPart | None:
        """Return where the error of an output on LiteRT.js begins; None if that is not measured."""
        return self.evidence.faulty_parts.get(c.tensor, {}).get(str(c.candidate))

    def beside_python(self, c: Comparison) -> str:
        """Return a sentence on an output that failed on LiteRT.js, if the same file ran in Python; else nothing."""
        part = self.faulty_part(c)
        return f" {_BESIDE_PYTHON[part]}" if part else ""

    @property
    def is_foreign(self) -> bool:
        """Tell whether a different converter made the artifact: it was given, or tensorflowjs_converter made it."""
        artifact = self.artifact
        return artifact is not None and (
            artifact.reason.startswith("given") or artifact.converter.startswith("tensorflowjs ")
        )

    @property
    def quantization(self) -> str:
        """Return the quantization by which the weights differ from those that Python runs."""
        return "none" if self.artifact is None or self.is_artifact_alone else self.artifact.quantization

    @property
    def candidates(self) -> tuple[Comparison, ...]:
        """Return the comparisons that are judged."""
        return tuple(c for c in self.comparisons if not c.is_noise_floor)

    @property
    def floors(self) -> tuple[Comparison, ...]:
        """Return the comparisons of native:float32 with native:float64."""
        return tuple(c for c in self.comparisons if c.is_noise_floor)

    def outputs_of(self, input: str) -> list[str]:
        """Return the outputs that may depend on an input."""
        known = self.evidence.inputs_of_outputs
        return [
            name for name in dict.fromkeys(c.tensor for c in self.comparisons) if input in known.get(name, (input,))
        ]

    @property
    def is_of_litert(self) -> bool:
        """Tell whether its runtimes are those of LiteRT.js; a case has the runtimes of one library."""
        return any(runtime.is_litert for runtime in self.browsers)

    @property
    def browsers(self) -> list[RuntimeId]:
        """Return the runtimes that are neither the model nor the artifact in Python."""
        return [record.id for record in self.runtimes if record.id.engine not in ("native", "artifact")]

    @property
    def nan_severity(self) -> Severity:
        """Return the severity of a non-finite divergence that is not ignored."""
        return Severity.ERROR if self.nan is NanPolicy.FAIL else Severity.WARNING


Rule = Callable[[Case], Iterable[Finding]]


#: From so many times on three digits are fewer than those of the whole number.
_MANY = 9.995
#: A float64 holds every integer below.
_EXACT_INTEGERS = 2.0**53


def number(value: float) -> str:
    """Format a number with at least three significant digits: ``0.00229``, ``65,504``, ``2.16e-7``, ``+Inf``."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if 1000 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    mantissa, exponent, power = f"{value:.3g}".partition("e")
    return f"{mantissa}e{int(power)}" if exponent else mantissa


def percent(share: float) -> str:
    """Format a share: ``5.21 %``, ``304 %``, ``209,715,200 %``."""
    return f"{100 * share:.3g} %" if share < _MANY else f"{100 * share:,.0f} %"


def unlike(first: float, second: float) -> tuple[str, str]:
    """Format two numbers so that they differ: with more digits if three are not enough."""
    texts = number(first), number(second)
    if texts[0] != texts[1] or first == second:
        return texts
    if first.is_integer() and second.is_integer() and abs(first) < _EXACT_INTEGERS:
        return f"{first:,.0f}", f"{second:,.0f}"
    return next(
        (pair for digits in range(4, 18) if (pair := (f"{first:.{digits}g}", f"{second:.{digits}g}"))[0] != pair[1]),
        texts,
    )


def times(share: float) -> str:
    """Format a share of a limit, so that it differs from 1: ``1.0003``."""
    return unlike(share, 1.0)[0]


def place(element: WorstElement, dtype: str | None = None) -> str:
    """Format the position of an element: ``sample 3 [0, 7]``; of a complex one ``sample 3 [0], imaginary part``."""
    if not element.index or not (dtype or "").startswith("complex"):
        return element.place
    *index, part = element.index
    return f"{replace(element, index=tuple(index)).place}, {'imaginary' if part else 'real'} part"


def named(point: TracePoint) -> str:
    """Format a point with operation and layers: ``model/relu/Relu (_FusedConv2D, layers conv, norm and relu)``."""
    layers = [layer for layer in (*point.merged, point.layer) if layer and layer != point.name]
    of = f", layer{'s' if len(layers) > 1 else ''} {listed(layers)}" if layers else ""
    return f"{point.name} ({point.operation}{of})"


def effect_of(result: PointResult) -> str:
    """Return a sentence on how the error of a source alone changes the outputs; empty if that is not known."""
    effect = result.effect
    if effect is None:
        return ""
    if effect.reshapes:
        return f" This error alone changes the shape of {effect.tensor}."
    if effect.flips:
        return f" This error alone changes integers or booleans in {effect.tensor}, which must be equal."
    if math.isinf(effect.share):
        return f" This error alone changes which elements of {effect.tensor} are finite."
    by = f"{percent(effect.share)} of" if effect.share < 1.0 else f"{times(effect.share)} times"
    return f" This error alone changes {effect.tensor} by {by} its limit."


def lighter(quantization: str) -> str:
    """Return the values of --quantize that cost less accuracy."""
    if quantization == "int8":
        return "dynamic, float16 or none"
    return "float16 or none" if "uint8" in quantization or quantization == "dynamic" else "none"


CLOSER_LOOK = "pycheck trace names the operation that introduces the error."


def elements(count: int, total: int | None = None) -> str:
    """Format a count: ``1 element``, ``3 of 640 elements``."""
    of = "" if total is None else f" of {total:,}"
    return f"{count:,}{of} element{'' if (total or count) == 1 else 's'}"


def are(count: int) -> str:
    """Return the verb after a count of elements: ``1 of 640 elements is``."""
    return "is" if count == 1 else "are"


def listed(names: Sequence[object]) -> str:
    """Join names: ``a``, ``a and b``, ``a, b and c``."""
    texts = [str(name) for name in names]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
