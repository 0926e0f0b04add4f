"""Decides which difference is too large: the auto tolerance, explicit limits, and the limits of a training.

The auto tolerance
------------------
The error of native:float32 against native:float64 on the same inputs is the noise floor: the rounding error of this
model in float32. A correct kernel that sums in a different order, or approximates exp differently, has an error of a
few times the noise floor. The error of a wrong kernel does not depend on it. Two statistics are compared with the noise
floor, each with its own factor (`AUTO`):

- the **RMS error** averages over elements, and so hardly varies between correct kernels: a sharp test with a small
  factor;
- the **largest error** is an extreme value with a heavy tail: a test for single wrong elements, which an average hides,
  with a large factor.

Each limit is the larger of two numbers: the factor times the noise floor, and a few unit roundoffs of the output
itself (of its RMS, or of its largest magnitude). Without the second, a model that happens to be exact in float32
would allow no error, although exp, tanh and division of a GPU are accurate to several ULP rather than to half of one.
The noise floor is scaled by the candidate's unit roundoff: by 2**13 for half floats.

The noise floor of few elements may be small by chance. The ratio of two RMS of n Gaussian errors exceeds t with a
probability that falls as t**-n (F distribution). The factors are therefore multiplied by ``10**(2/n)``: 100 for one
element, 1.6 for ten, about 1 for many. n is the *effective* number: a few dominating elements count as few
(`Comparison.noise_floor_count`).

The upper bound is 1 % of the output's largest magnitude, for any noise floor. An output behind an operation that ran in
float32 within the float64 reference has no measured noise floor. One is assumed, as if float64 could not run at all.

A quantized artifact has a second noise: the error that rounding its weights, and its values inside the model, makes.
pycheck measures it in Python (pycheck/workflow/quantization.py). A multiple of it (`AUTO`) is added to both limits,
because a correct runtime cannot be more exact than the artifact. The upper bound is then 10 %: an artifact with larger
errors does not answer as the model does, even if rounding explains them. If the noise cannot be measured, 1 % is the
limit.

A model with long sums has a third: browsers add thousands of terms in sequence, and Python in blocks, with an error
that is up to 100 times smaller. If an output exceeds the limits, pycheck simulates the error of sums in sequence in
Python (pycheck/artifact/long_sums.py). A multiple of it is a limit too.

No limit is below the candidate's smallest normal number in float32 (the spacing of subnormal numbers in half floats),
because GPUs may flush smaller numbers to 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ..errors import UsageError
from ..types import (
    UNIT_ROUNDOFF,
    Comparison,
    Environment,
    LimitUse,
    QuantizationNoise,
    RuntimeId,
    SummationNoise,
    Tolerance,
    is_exact,
)


@dataclass(frozen=True, slots=True)
class AutoConstants:
    """The numbers of the auto tolerance.

    Measured by benchmarks/calibrate.py on the samples and on MobileNetV2 with settled batch statistics, in both
    formats on cpu, wasm, webgl and webgpu, on two machines (docs/numbers.md). Correct artifacts have errors of at most
    2.8 times the noise floor (largest error) and 2.6 times (RMS), which is at most 8 and 5 unit roundoffs. If one
    kernel is multiplied by 1.001, the smallest observed errors are 32 and 16 times the noise floor, before a saturated
    ReLU6; most reach hundreds to thousands. The factors lie between the two.
    """

    rms_factor: float = 6.0
    max_factor: float = 24.0
    rms_roundoffs: float = 8.0  # of the reference's RMS
    max_roundoffs: float = 32.0  # of the reference's largest magnitude
    small_count_exponent: float = 2.0  # factors grow by 10**(this / effective count)
    unknown_floor_roundoffs: float = 32.0  # of RMS and scale, if no noise floor was measured
    upper_bound: float = 0.01  # of the reference's largest magnitude
    summation_factor: float = 3.0  # times the error of long sums in sequence: three standard deviations
    quantization_factor: float = 3.0  # times the noise of quantization: three standard deviations
    quantization_bound: float = 0.1  # of the reference's largest magnitude, for quantized artifacts
    training_floors: float = 3.0  # times the noise floor of a training, beyond the upper bound as well
    summation_deviations: float = 5.0  # of the error of a sequential sum: the largest of a million elements


AUTO = AutoConstants()

#: A derivation mentions the few values if they make the limit more than so many times larger.
LARGE_SMALL_COUNT_FACTOR = 4.0

#: Errors below this are not drift: the smallest normal float32, the spacing of subnormal half floats.
_UNDERFLOW = {16: 2.0**-24, 32: 2.0**-126}


@dataclass(frozen=True, slots=True)
class OutputLimits:
    """The explicit limits of one output. `rtol` and `atol` are checked element by element during the measurement."""

    rtol: float | None = None
    atol: float | None = None
    max_ulp: float | None = None

    @property
    def elementwise(self) -> bool:
        """Tell whether a limit of single elements is given."""
        return self.rtol is not None or self.atol is not None

    def tolerance(self) -> Tolerance | None:
        """Return the explicit tolerance, or None for auto."""
        given = {"rtol": self.rtol, "atol": self.atol, "max_ulp": self.max_ulp}
        text = ", ".join(f"{name} {value:g}".replace("e-0", "e-") for name, value in given.items() if value is not None)
        if not text:
            return None
        return Tolerance("explicit", rtol=self.rtol, atol=self.atol, max_ulp=self.max_ulp, derivation=f"given: {text}")


@dataclass(frozen=True, slots=True)
class ToleranceRule:
    """Limits for the outputs and runtimes whose names match two patterns; * matches everything."""

    runtime: str
    output: str
    limits: OutputLimits

    def fits(self, tensor: str, runtime: RuntimeId) -> bool:
        """Tell whether the rule applies to this output of this runtime."""
        return fnmatchcase(tensor, self.output) and fnmatchcase(str(runtime), self.runtime)


@dataclass(frozen=True, slots=True)
class ToleranceOptions:
    """Explicit limits by output name; the key None applies to every output; empty means *auto*.

    `rtol` and `atol` have NumPy's meaning, ``|c - r| <= atol + rtol * |r|`` for every element; if one is not given, it
    is 0. `max_ulp` counts in the candidate's own precision. The last of the `rules` that matches decides alone; a rule
    without limits means *auto*.
    """

    rtol: Mapping[str | None, float] = field(default_factory=dict)
    atol: Mapping[str | None, float] = field(default_factory=dict)
    max_ulp: Mapping[str | None, float] = field(default_factory=dict)
    rules: tuple[ToleranceRule, ...] = ()

    def of(self, tensor: str, runtime: RuntimeId | None = None) -> OutputLimits:
        """Return the limits of one output: from a rule that matches, else its own, else those of every output."""
        for rule in reversed(self.rules) if runtime else ():
            if runtime and rule.fits(tensor, runtime):
                return rule.limits
        return OutputLimits(*(limits.get(tensor, limits.get(None)) for limits in (self.rtol, self.atol, self.max_ulp)))

    def check_outputs(self, outputs: Sequence[str]) -> None:
        """Raise UsageError if a limit is given for an output that the model does not have."""
        for option, limits in (("--rtol", self.rtol), ("--atol", self.atol), ("--max-ulp", self.max_ulp)):
            for name, value in limits.items():
                if name is not None and name not in outputs:
                    raise UsageError(
                        f"Cannot apply {option} {name}:{value:g}: the model has no output {name!r}.",
                        f"Its outputs: {', '.join(outputs)}.",
                    )


def precision_bits(runtime: RuntimeId, environment: Environment | None) -> int:
    """Return the float bits of a candidate: 16 if it stores or computes in half floats, else 32."""
    half = runtime.kind == "webgl-f16" or (environment is not None and environment.float_bits == 16)
    return 16 if half else 32


def auto_tolerance(comparison: Comparison, constants: AutoConstants = AUTO) -> Tolerance:
    """Compute the tolerance from the noise floor, the output's magnitude and the precision."""
    c = comparison
    bits = 16 if c.precision_bits == 16 else 32
    roundoff = UNIT_ROUNDOFF[f"float{bits}"]
    coarser = roundoff / UNIT_ROUNDOFF["float32"]
    scale, rms = c.reference_scale or 0.0, c.reference_rms or 0.0
    if c.noise_floor is None or c.noise_floor_rms is None:
        assumed = constants.unknown_floor_roundoffs * UNIT_ROUNDOFF["float32"]
        floor, floor_rms, luck, source = assumed * scale, assumed * rms, 1.0, "an assumed noise floor"
        if c.floor_assumed_for:
            source += f", because {' and '.join(c.floor_assumed_for)} ran in float32 in the reference"
    else:
        floor, floor_rms, source = c.noise_floor, c.noise_floor_rms, "the noise floor"
        luck = 10.0 ** (constants.small_count_exponent / max(c.noise_floor_count or c.element_count, 1.0))
    by_floor = constants.max_factor * luck * coarser * floor
    by_size = constants.max_roundoffs * roundoff * scale
    rms_limit = max(constants.rms_factor * luck * coarser * floor_rms, constants.rms_roundoffs * roundoff * rms)
    sums = c.summation_noise or SummationNoise(c.tensor, 0.0, 0.0)
    factor = constants.summation_factor * coarser * 10.0 ** (constants.small_count_exponent / max(sums.count, 1.0))
    by_sums, rms_limit = factor * sums.largest, max(rms_limit, factor * sums.rms)
    limit, upper = max(by_floor, by_size, by_sums), constants.upper_bound * scale
    widened = 1.0
    if limit > upper:
        derivation = f"upper bound, {100 * constants.upper_bound:g} % of the output's largest value"
    elif by_sums > max(by_floor, by_size):
        derivation = f"{_number(factor)} times the error of long sums in sequence"
    elif by_floor >= by_size:
        derivation = f"{_number(constants.max_factor * luck * coarser)} times {source}"
        if luck > LARGE_SMALL_COUNT_FACTOR:
            derivation += f", including a factor of {luck:.3g} because it comes from few values"
        widened = luck
    else:
        derivation = f"{constants.max_roundoffs:g} unit roundoffs of float{bits} at the output's largest value"
    least = _UNDERFLOW[bits]
    tolerance = Tolerance(
        "auto",
        max_abs=max(min(limit, upper), least),
        rms=max(min(rms_limit, upper), least),
        derivation=derivation,
        small_count_factor=widened,
    )
    return _with_quantization(tolerance, c.quantization_noise, scale, constants) if c.quantization_noise else tolerance


def _with_quantization(
    tolerance: Tolerance, noise: QuantizationNoise, scale: float, constants: AutoConstants
) -> Tolerance:
    """Return the tolerance of a quantized artifact; `scale` is the output's largest magnitude."""
    if noise.largest is None or noise.rms is None:
        upper = constants.upper_bound * scale
        bound = f"{100 * constants.upper_bound:g} % of the output's largest value"
        why = "because the error that quantization makes could not be measured"
        return replace(tolerance, max_abs=upper, rms=upper, derivation=f"{bound}, {why}", quantization=upper)
    factor = constants.quantization_factor * 10.0 ** (constants.small_count_exponent / max(noise.count, 1.0))
    by_rounding, upper = factor * noise.largest, constants.quantization_bound * scale
    max_abs, rms = tolerance.max_abs or 0.0, tolerance.rms or 0.0
    derivation = f"{tolerance.derivation}, and {_number(factor)} times the error that quantization makes"
    if max_abs + by_rounding > upper:
        derivation = f"upper bound, {100 * constants.quantization_bound:g} % of the output's largest value"
    return replace(
        tolerance,
        max_abs=max(min(max_abs + by_rounding, upper), max_abs),
        rms=max(min(rms + factor * noise.rms, upper), rms),
        derivation=derivation,
        quantization=by_rounding,
    )


def _number(factor: float) -> str:
    """Format a factor: ``24``, ``2,400``."""
    return f"{factor:.3g}" if factor < 1000.0 else f"{factor:,.0f}"


def training_limit(*, floor: float, scale: float, count: int, steps: int, half: bool, summation: float = 0.0) -> float:
    """Compute the largest error allowed for one tensor of a training after so many steps.

    `floor` and `scale` are the largest so far, of `count` values; `half` is for half floats; `summation` is the
    standard deviation of the error of a sequential sum, in unit roundoffs of the scale. See
    pycheck/training/measure.py for the formula.
    """
    bits = 16 if half else 32
    coarser = UNIT_ROUNDOFF[f"float{bits}"] / UNIT_ROUNDOFF["float32"]
    luck = math.pow(10.0, AUTO.small_count_exponent / max(count, 1))
    by_floor = min(AUTO.max_factor * luck * coarser * floor, AUTO.upper_bound * scale)
    roundoffs = AUTO.max_roundoffs * coarser * UNIT_ROUNDOFF["float32"]
    by_size = roundoffs * math.sqrt(max(steps, 1)) * scale
    by_sum = AUTO.summation_deviations * coarser * UNIT_ROUNDOFF["float32"] * summation * scale
    return max(by_floor, AUTO.training_floors * coarser * floor, by_size, by_sum, _UNDERFLOW[32])


def tolerance_of(comparison: Comparison, options: ToleranceOptions) -> Tolerance:
    """Return the tolerance of one output: the explicit one if given, else *exact* for integers, else *auto*."""
    exact = is_exact(comparison.dtype)
    limits = options.of(comparison.tensor, comparison.candidate)
    if exact and not limits.elementwise:  # max_ulp does not apply to integers, which have no ULP
        return Tolerance("exact", max_abs=0.0, derivation="integers and booleans must be equal")
    if limits.elementwise and comparison.finite_count and comparison.outside_count is None:
        raise ValueError(f"{comparison.tensor} of {comparison.candidate} was measured without its rtol and atol")
    return limits.tolerance() or auto_tolerance(comparison)


def quantized_limits(comparisons: Iterable[Comparison], options: ToleranceOptions) -> tuple[tuple[str, float], ...]:
    """Return the absolute limit of each output for quantized weights: the upper bound, 1 % of its largest magnitude.

    The automatic limits are multiples of float32's rounding error, which any quantization exceeds. Empty if limits are
    given, which then apply.
    """
    if options.rtol or options.atol or options.max_ulp or options.rules:
        return ()
    scales = {c.tensor: c.reference_scale for c in comparisons if c.reference_scale}
    return tuple((tensor, float(f"{AUTO.upper_bound * scale:.2g}")) for tensor, scale in scales.items())


def share(error: float, limit: float) -> float:
    """Compute the share of a limit that an error uses: 1 is the limit itself.

    Infinity for an error above a limit of 0.
    """
    return error / limit if limit else math.inf if error else 0.0


def uses(comparison: Comparison, tolerance: Tolerance) -> tuple[LimitUse, ...]:
    """Compute the share of each limit of an output. Elements under `rtol` have their own limits.

    Their largest share counts.
    """
    c, atol = comparison, tolerance.atol if tolerance.mode == "explicit" and not tolerance.rtol else None
    found = (
        ("max_abs", c.max_abs_error, tolerance.max_abs if atol is None else atol),
        ("rms", c.rms_error, tolerance.rms),
        ("max_ulp", c.max_ulp_error, tolerance.max_ulp),
        ("rtol", c.element_share, 1.0 if tolerance.rtol else None),
    )
    return tuple(
        LimitUse(of, error, limit, share(error, limit))
        for of, error, limit in found
        if error is not None and limit is not None
    )
