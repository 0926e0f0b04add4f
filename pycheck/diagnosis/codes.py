"""Lists every code that a finding may have; rules, pages and `pycheck explain` are checked against this list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ..types import Finding, RuntimeId, Severity


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding.

    `title` says in a few words what it means. `severity` is its severity, and when that differs.
    `trace`, `check` and `train` say whether only a trace, a check or a training (and `pycheck inputs`) can find it.
    Both `compare` and `trace` print all remaining codes.
    """

    title: str
    severity: str
    trace: bool = field(default=False, kw_only=True)
    check: bool = field(default=False, kw_only=True)
    train: bool = field(default=False, kw_only=True)


_ERROR, _WARNING, _INFO = "error", "warning", "info"
_OF_NAN = "error; warning under --nan warn"
_OF_SOURCE = "error if an output of that runtime fails, otherwise warning"
_OF_REPEAT = "error if the verdict depends on the run, otherwise warning"
_OF_INPUT = "error if the answer changes, otherwise info"
_OF_CAUSE = "warning if an output fails or is not finite, otherwise info"

CODES: Mapping[str, Code] = {
    # Runtimes.
    "runtime-unavailable": Code("a runtime could not be started", "error; warning for native:float64"),
    "runtime-failed": Code("a runtime started and then failed", "error; warning for native:float64"),
    "runtime-timed-out": Code("a runtime timed out", "error"),
    "artifact-unsupported": Code(
        "the artifact uses a feature that TF.js does not support, ignores or misreads",
        "error if a runtime fails, otherwise warning",
    ),
    "artifact-differs": Code("layers or arguments of the artifact differ from the model's", _OF_CAUSE),
    "reference-differs": Code(
        "the converted function and predict give different values", "error; warning if the cause is known"
    ),
    "training-mode": Code("a layer is called with training=True", _WARNING),
    "software-renderer": Code("a GPU backend ran on a software renderer", _INFO),
    "left-to-cpu": Code("LiteRT.js runs operations on the CPU instead of the GPU", _WARNING),
    "cpu-forwarded": Code("the inputs are so small that TF.js computes on the CPU instead of the GPU", _INFO),
    # The way from a file to the input.
    "preprocessing-differs": Code(
        "the page makes a different input of a file than Python", _OF_INPUT
    ),
    "channels-swapped": Code("the page has the channels in a different order", _OF_INPUT),
    "pixel-scale": Code("the page scales pixels differently", _OF_INPUT),
    "pixel-range": Code("the page rounds or clips pixels differently", _OF_INPUT),
    "resize-differs": Code("the page resizes images differently", _OF_INPUT),
    "crop-differs": Code("the page uses a different part of the image", _OF_INPUT),
    "image-orientation": Code("only one side applies the EXIF orientation", _OF_INPUT),
    "image-flipped": Code("the page flips, turns or transposes the image", _OF_INPUT),
    "channels-first": Code("the page has the channels on a different axis", _OF_INPUT),
    "alpha-differs": Code("transparent pixels have different colors", _OF_INPUT),
    "color-differs": Code("the page converts colors differently", _OF_INPUT),
    "decoder-differs": Code("the decoders give slightly different pixels", _INFO),
    "sample-rate-differs": Code("the page uses another sample rate", _OF_INPUT),
    "resampler-differs": Code("the page resamples by another method", _OF_INPUT),
    "audio-channels-differ": Code("the page mixes the channels of a sound differently", _OF_INPUT),
    "audio-position-differs": Code("the page uses a different part of the sound", _OF_INPUT),
    "audio-scale": Code("the page scales samples of a sound differently", _OF_INPUT),
    "window-differs": Code("the page weights the frames of a sound by a different window", _OF_INPUT),
    "frames-differ": Code("the page cuts a sound into different frames", _OF_INPUT),
    "mel-differs": Code("the page has different mel bands", _OF_INPUT),
    "log-differs": Code("the page takes a different logarithm of a spectrum", _OF_INPUT),
    "spectrogram-scale": Code("the page scales spectrograms differently", _OF_INPUT),
    "axes-transposed": Code("the page swaps time and frequency", _OF_INPUT),
    "tokens-shifted": Code("the page shifts the token ids", _OF_INPUT),
    "padding-differs": Code("the page pads texts differently", _OF_INPUT),
    "truncation-differs": Code("the page cuts off the other end of a text", _OF_INPUT),
    "tokens-reversed": Code("the page reverses the words", _OF_INPUT),
    "lower-case-differs": Code("the page treats capitals differently", _OF_INPUT),
    "punctuation-differs": Code("the page treats punctuation differently", _OF_INPUT),
    "unknown-words-differ": Code("the page has different ids for unknown words", _OF_INPUT),
    "decisions-differ": Code(
        "the page decides otherwise than Python", "error if users get another decision, otherwise warning"
    ),
    "file-fails": Code(
        "a file cannot be preprocessed or postprocessed", "error if only a page fails, warning if Python fails"
    ),
    # Inputs and weights.
    "tensor-leak": Code("the page's code keeps tensors that it no longer needs", _WARNING),
    "input-nonfinite": Code("the inputs hold NaN or infinity", _WARNING),
    "ids-out-of-table": Code("an input holds an index that is outside the table", _OF_CAUSE),
    "cast-out-of-range": Code("numbers are cast to an integer type that cannot hold them", _OF_CAUSE),
    "input-scale": Code("the inputs are not scaled, or hold an outlier", _OF_CAUSE),
    "weight-nonfinite": Code("a weight is NaN or infinite", _WARNING),
    "epsilon-mismatch": Code("a normalization's epsilon differs, or underflows in float16", _OF_CAUSE),
    # NaN and infinity.
    "nan-masked": Code("Python gives NaN or infinity, the browser a finite number", _OF_NAN),
    "nan-introduced": Code("Python gives a finite number, the browser NaN or infinity", _OF_NAN),
    "nonfinite-changed": Code("Python and the browser give different kinds of NaN or infinity", _OF_NAN),
    "f16-overflow": Code("a value overflows float16 (beyond 65504)", _OF_NAN),
    "native-overflow": Code("Python itself overflows in float32, but not in float64", _WARNING),
    "native-nan": Code("Python itself gives NaN or infinity", _OF_CAUSE),
    # Finite values that differ.
    "shape-mismatch": Code("the shape of a value differs from Python's", _ERROR),
    "output-pairing": Code("outputs look swapped", _ERROR),
    "drift": Code("finite values differ by more than the tolerance", _ERROR),
    "conversion-drift": Code("every runtime shows the same error: the artifact is suspect", _ERROR),
    "quantization-drift": Code(
        "quantization changes the output by more than roundoff", "error, warning or info if rounding explains it"
    ),
    "resize-alignment": Code("a resize samples different pixels", _OF_SOURCE),
    "noise-floor-high": Code("roundoff of float32 exceeds 1 % of the output in Python itself", _WARNING),
    "top1-flip": Code("the top-1 class changed", _WARNING),
    "argmax-tie": Code("the top-1 class changed between near ties", _INFO),
    # Faults that the comparison cannot notice.
    "weak-comparison": Code("the comparison would notice fewer than half of small faults", _WARNING),
    "blind-inputs": Code(
        "the inputs do not reach a layer, rows of a table, or channels of a ReLU",
        "warning on a pass, info for rare rows, for few channels and on a failure",
    ),
    "equal-outputs": Code("an output is the same for all samples", "warning if no output varies, otherwise info"),
    "empty-output": Code("an output has no values", "error if no output has any, otherwise warning"),
    "loose-limit": Code("a limit is wide because the output has few values", _INFO),
    # Single operations.
    "f16-underflow": Code("a value underflows in float16", _OF_SOURCE, trace=True),
    "log-of-zero": Code("a logarithm of 0 or less", _OF_SOURCE, trace=True),
    "division-by-zero": Code("a division by 0", _OF_SOURCE, trace=True),
    "sqrt-of-negative": Code("a square root of a negative number", _OF_SOURCE, trace=True),
    "exp-overflow": Code("an exponential overflows float32", _OF_SOURCE, trace=True),
    "inf-minus-inf": Code("infinities are added or subtracted", _OF_SOURCE, trace=True),
    "infinity-mishandled": Code("a backend mishandles infinite input", _OF_SOURCE, trace=True),
    "nan-spread": Code("a NaN propagates to neighbouring elements", _OF_SOURCE, trace=True),
    "int32-precision": Code("an integer is too large for the number that stores it", _OF_SOURCE, trace=True),
    "denormal-flush": Code("denormals (below 1.2e-38) become 0", _OF_SOURCE, trace=True),
    "broken-kernel": Code("a kernel returns zeros, NaN or a wrong result", _OF_SOURCE, trace=True),
    "own-drift": Code("an operation introduces an error beyond its tolerance", _OF_SOURCE, trace=True),
    "accumulated-drift": Code("an output fails, but no single operation does", _ERROR, trace=True),
    "activation-saturated": Code("an activation is saturated", _OF_CAUSE, trace=True),
    "nondeterministic": Code(
        "random numbers, or differences between two runs on one runtime",
        f"{_OF_REPEAT}; for an operation {_OF_SOURCE}",
    ),
    "stale-state": Code("a result depends on earlier predictions of the same page", _OF_REPEAT),
    # Checks and the baseline.
    "budget-exceeded": Code("a budget of the configuration is exceeded", _ERROR, check=True),
    "baseline-worse": Code("an output is worse than in the baseline", _ERROR, check=True),
    "baseline-better": Code("an output is better than in the baseline", _INFO, check=True),
    "baseline-changed": Code("the environment differs from the baseline's", _INFO, check=True),
    "baseline-missing": Code("the baseline has no entry for a variant, runtime or output", _WARNING, check=True),
    "model-changed": Code("the model differs from the baseline's", _ERROR, check=True),
    "setting-unused": Code("an entry of the configuration had no effect", _WARNING, check=True),
    # Training.
    "nan-in-data": Code("the training data hold NaN or infinity", _OF_NAN, train=True),
    "target-range": Code("targets are outside the loss's range", _WARNING, train=True),
    "data-columns": Code("a column of the data is constant, or a copy of another column", _INFO, train=True),
    "data-type": Code("the data have a type that TF.js does not support", _INFO, train=True),
    "data-range": Code("some of the data overflow or underflow in float16", _INFO, train=True),
    "float32-overflow-in-loss": Code("the loss overflows float32", _OF_NAN, train=True),
    "loss-of-zero-probability": Code("the loss takes the logarithm of a probability of 0", _WARNING, train=True),
    "nan-gradient-origin": Code("the backward pass introduces NaN", _OF_NAN, train=True),
    "learning-rate-too-high": Code("the learning rate is above what the curvature allows", _WARNING, train=True),
    "exploding-gradient": Code("the gradient grows from step to step", _WARNING, train=True),
    "vanishing-gradient": Code("a variable's gradient is negligible beside the others", _WARNING, train=True),
    "saturated-activation": Code("a saturated activation blocks the gradient", _WARNING, train=True),
    "optimizer-formula": Code("TF.js computes an optimizer with a different formula", _WARNING, train=True),
    "loss-formula": Code("TF.js computes a loss with a different formula", _WARNING, train=True),
    "broken-gradient": Code("a gradient kernel of TF.js gives a wrong result", _ERROR, train=True),
    "clip-cannot-help": Code("gradient clipping cannot help: the NaN appears before it", _WARNING, train=True),
}  # fmt: skip


#: Stands for the names of a finding's runtimes in a summary that is the same for each of them.
RUNTIMES = "\N{OBJECT REPLACEMENT CHARACTER}"


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
    """Make a finding of a known code; every rule makes its findings with this function.

    Findings with RUNTIMES in their summary become one finding if they differ in runtimes and evidence alone.
    ValueError if the code is not in `CODES`.
    """
    if code not in CODES:
        raise ValueError(f"unknown finding code {code!r}: add it to CODES and write docs/findings/{code}.md")
    return Finding(code, severity, summary, advice, tuple(runtimes), tensor, layer, evidence or {})


def nearest(code: str) -> tuple[str, ...]:
    """Return up to three known codes that resemble this one, the most similar first; a prefix counts as similar."""
    starting = [known for known in CODES if code and known.startswith(code.lower())]
    return tuple(dict.fromkeys([*starting, *get_close_matches(code.lower(), CODES, n=3, cutoff=0.4)]))[:3]
