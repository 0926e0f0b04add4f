"""Every code that a finding may have: the one list, which rules, pages and `pycheck explain` are held against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ..types import Finding, RuntimeId, Severity


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding.

    `title` says in a few words what it means. `severity` is what it has, and when another.
    `trace` is whether only a trace can find it, `check` whether only a check can, `train` whether only a training
    (and `pycheck inputs`) can: both `compare` and `trace` print all the others.
    """

    title: str
    severity: str
    trace: bool = field(default=False, kw_only=True)
    check: bool = field(default=False, kw_only=True)
    train: bool = field(default=False, kw_only=True)


_ERROR, _WARNING, _INFO = "error", "warning", "info"
_OF_NAN = "error; warning under --nan warn"
_OF_SOURCE = "error where an output of that runtime fails, else warning"
_OF_CAUSE = "warning where an output fails or is not finite, else info"

CODES: Mapping[str, Code] = {
    # The runtimes themselves.
    "runtime-unavailable": Code("a runtime could not be started here", "error; warning for native:float64"),
    "runtime-failed": Code("a runtime started and then failed", "error; warning for native:float64"),
    "runtime-timed-out": Code("a runtime gave no answer in time", "error"),
    "artifact-unsupported": Code(
        "the artifact has what TF.js lacks, ignores or misreads", "error where a runtime fails, else warning"
    ),
    "artifact-differs": Code("the artifact has other layers or arguments than the model", _OF_CAUSE),
    "reference-differs": Code(
        "predict gives other values than the function that is converted", "error; warning where the cause is known"
    ),
    "training-mode": Code("a layer is called with training=True", _WARNING),
    "software-renderer": Code("a GPU backend ran without a GPU", _INFO),
    "cpu-forwarded": Code("inputs so small that TF.js leaves them to the CPU", _INFO),
    # What goes in.
    "input-nonfinite": Code("the inputs hold NaN or infinity", _WARNING),
    "ids-out-of-table": Code("an input names an entry that a table does not have", _OF_CAUSE),
    "cast-out-of-range": Code("numbers are cast to an integer type that cannot hold them", _OF_CAUSE),
    "input-scale": Code("the inputs are not scaled, or one lies far off", _OF_CAUSE),
    "weight-nonfinite": Code("a weight is NaN or infinite", _WARNING),
    "epsilon-mismatch": Code("a normalization's epsilon differs, or underflows in half floats", _OF_CAUSE),
    # NaN and infinity.
    "nan-masked": Code("Python gives NaN or infinity, the browser hides it", _OF_NAN),
    "nan-introduced": Code("Python gives a number, the browser NaN or infinity", _OF_NAN),
    "nonfinite-changed": Code("NaN or infinity on both sides, and not the same", _OF_NAN),
    "f16-overflow": Code("a value is beyond 65504, the largest half float", _OF_NAN),
    "native-overflow": Code("float32 leaves its range where float64 does not, in Python itself", _WARNING),
    "native-nan": Code("Python itself gives NaN or infinity", _OF_CAUSE),
    # Finite values that differ.
    "shape-mismatch": Code("a value has another shape than in Python", _ERROR),
    "output-pairing": Code("two outputs look swapped", _ERROR),
    "drift": Code("finite values differ by more than the tolerance", _ERROR),
    "conversion-drift": Code("every runtime errs alike: the artifact is wrong", _ERROR),
    "quantization-drift": Code("every runtime errs alike: the weights were quantized", _ERROR),
    "resize-alignment": Code("an image is resized from other pixels", _OF_SOURCE),
    "noise-floor-high": Code("float32 itself costs this output more than 1 %", _WARNING),
    "top1-flip": Code("the largest class is another one", _WARNING),
    "argmax-tie": Code("the largest class changed between near ties", _INFO),
    # What the comparison cannot see.
    "weak-comparison": Code("a pass that would notice less than half of small faults", _WARNING),
    "blind-inputs": Code(
        "the inputs do not reach a layer, rows of a table, or channels of a ReLU",
        "warning on a pass, info for rare rows, for few channels and on a failure",
    ),
    "equal-outputs": Code("an output is the same for all samples", "warning if no output varies, else info"),
    "empty-output": Code("an output has no values", "error if no output has any, else warning"),
    "loose-limit": Code("a limit is wide because the output has few values", _INFO),
    # Single operations.
    "f16-underflow": Code("a value is too small for half floats", _OF_SOURCE, trace=True),
    "log-of-zero": Code("a logarithm of 0 or less", _OF_SOURCE, trace=True),
    "division-by-zero": Code("a division by 0", _OF_SOURCE, trace=True),
    "sqrt-of-negative": Code("a root of a negative number", _OF_SOURCE, trace=True),
    "exp-overflow": Code("an exponential beyond the largest float32", _OF_SOURCE, trace=True),
    "inf-minus-inf": Code("infinities are added or subtracted", _OF_SOURCE, trace=True),
    "infinity-mishandled": Code("a backend mishandles infinite input", _OF_SOURCE, trace=True),
    "nan-spread": Code("a NaN spoils finite neighbours", _OF_SOURCE, trace=True),
    "int32-precision": Code("an integer beyond what a float holds", _OF_SOURCE, trace=True),
    "denormal-flush": Code("numbers below 1.2e-38 become 0", _OF_SOURCE, trace=True),
    "broken-kernel": Code("a kernel returns only zeros, or a different result", _OF_SOURCE, trace=True),
    "own-drift": Code("an operation is less exact by itself", _OF_SOURCE, trace=True),
    "accumulated-drift": Code("an output fails, and no operation does by itself", _ERROR, trace=True),
    "activation-saturated": Code("an activation is all but constant at its bounds", _OF_CAUSE, trace=True),
    "nondeterministic": Code(
        "random numbers, or two runs on one runtime that differ", f"{_WARNING}; as a source {_OF_SOURCE}", trace=True
    ),
    # What the configuration of a check and the accepted release ask for.
    "budget-exceeded": Code("a budget of the configuration is exceeded", _ERROR, check=True),
    "baseline-worse": Code("an output is worse than in the accepted release", _ERROR, check=True),
    "baseline-better": Code("an output is better than in the accepted release", _INFO, check=True),
    "baseline-changed": Code("the accepted release ran on something else", _INFO, check=True),
    "baseline-missing": Code("the baseline does not have this", _WARNING, check=True),
    "model-changed": Code("the model is not the accepted one", _ERROR, check=True),
    "setting-unused": Code("an entry of the configuration had nothing to say", _WARNING, check=True),
    # Training.
    "nan-in-data": Code("the training data hold NaN or infinity", _OF_NAN, train=True),
    "target-range": Code("targets that the loss is not made for", _WARNING, train=True),
    "data-columns": Code("a column of the data is constant, or the same as another", _INFO, train=True),
    "data-type": Code("the data are of a type that TF.js lacks", _INFO, train=True),
    "data-range": Code("half floats cannot hold some of the data", _INFO, train=True),
    "float32-overflow-in-loss": Code("the loss leaves float32's range", _OF_NAN, train=True),
    "loss-of-zero-probability": Code("the loss takes the logarithm of a probability of 0", _WARNING, train=True),
    "nan-gradient-origin": Code("the backward pass makes NaN of finite numbers", _OF_NAN, train=True),
    "learning-rate-too-high": Code("the learning rate is above what the curvature allows", _WARNING, train=True),
    "exploding-gradient": Code("the gradient grows from step to step", _WARNING, train=True),
    "vanishing-gradient": Code("a variable has no gradient beside others", _WARNING, train=True),
    "saturated-activation": Code("an activation lies at its bounds and lets no gradient through", _WARNING, train=True),
    "optimizer-formula": Code("TF.js computes an optimizer by a different formula", _WARNING, train=True),
    "loss-formula": Code("TF.js computes a loss by a different formula", _WARNING, train=True),
    "clip-cannot-help": Code("clipping is set, and the NaN is there before it", _WARNING, train=True),
}  # fmt: skip


def finding(
    code: str,
    severity: Severity,
    *,
    summary: str,
    advice: str,
    runtimes: Iterable[RuntimeId] = (),
    tensor: str | None = None,
    layer: str | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Finding:
    """A finding whose code is known; every rule makes its findings with this.

    ValueError for a code that is not in `CODES`: one that nobody could look up.
    """
    if code not in CODES:
        raise ValueError(f"unknown finding code {code!r}: add it to CODES and write docs/findings/{code}.md")
    return Finding(code, severity, summary, advice, tuple(runtimes), tensor, layer, evidence or {})


def nearest(code: str) -> tuple[str, ...]:
    """Up to three known codes that look most like this one, the likeliest first; prefixes count as alike."""
    starting = [known for known in CODES if code and known.startswith(code.lower())]
    return tuple(dict.fromkeys([*starting, *get_close_matches(code.lower(), CODES, n=3, cutoff=0.4)]))[:3]
