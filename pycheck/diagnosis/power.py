"""Finds faults that the comparison cannot notice: unreached weights, constant outputs, wide limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..types import (
    UNIT_ROUNDOFF,
    Comparison,
    DeadChannels,
    Finding,
    Power,
    Severity,
    TableReach,
    WeightPower,
    is_exact,
)
from .case import Case, Rule, listed, number
from .codes import finding

#: Samples that differ by less, in relation to the output's scale, are equal in float32.
_EQUAL = 32 * UNIT_ROUNDOFF["float32"]
_WIDE = 4.0
_MOST_NAMED = 5
_MOST_CHANNELS = 12
_MORE_SAMPLES = "as INPUTS or, if inputs are generated, with --samples N"


def weak_comparison(case: Case) -> Iterator[Finding]:
    """Find weak-comparison: all outputs pass, but the limits would notice few faults."""
    power = case.power
    weak = [share for share in power.shares if share.is_weak] if power else []
    if not power or not weak or not _passed(case):
        return
    least = min(weak, key=lambda share: share.noticed_count)
    runtimes = [share.runtime for share in weak]
    given = any(c.tolerance and c.tolerance.mode == "explicit" for c in case.candidates)
    yield finding(
        "weak-comparison",
        Severity.WARNING,
        runtimes=runtimes,
        summary=f"A fault of {100 * power.fault:.3g} % would be noticed in "
        f"{f'only {least.noticed_count:,}' if least.noticed_count else 'none'} of the {least.weight_count:,} weight "
        f"tensor{'' if least.weight_count == 1 else 's'} of the artifact, on {listed(runtimes)}.",
        advice=_weak_advice(case, power, given=given),
        evidence={
            "noticed": {str(share.runtime): share.noticed_count for share in weak},
            "weights": least.weight_count,
            "unnoticed": [w.name for w in power.weights if w.method != "unknown" and least.runtime not in w.noticed_by],
        },
    )


def _weak_advice(case: Case, power: Power, *, given: bool) -> str:
    if any(weight.reached is False for weight in power.weights):
        return "Some weights are not reached (see blind-inputs): give inputs like those of your application as INPUTS."
    if all(is_exact(c.dtype) for c in case.candidates):
        return (
            "The outputs are integers or booleans, which small faults rarely change. Make the numbers before the "
            "decision an output of the model, and compare them too."
        )
    if (half := case.evidence.precision) and not given:
        return (
            f"The limits are wide because the model computes in {half} in Python. Save it with the dtype policy "
            "float32 and compare that file: the browser always computes in float32."
        )
    if any(c.tolerance and c.tolerance.quantization for c in case.candidates):
        return (
            "The limits allow for the error that quantization makes, which hides small faults. Compare without "
            "--quantize, too: the browser runs the same kernels."
        )
    if given:
        return "The given limits are wide: omit --rtol, --atol and --max-ulp, or set smaller ones."
    weak = {share.runtime for share in power.shares if share.is_weak}
    halves = [r for r in dict.fromkeys(c.candidate for c in case.candidates if c.precision_bits == 16) if r in weak]
    wide = f" The limits of {listed(halves)} are wide: compare in float32 too." if halves else ""
    return (
        "A fault in these weights changes the outputs by less than the limits. Give inputs like those of your "
        f"application as INPUTS.{wide}"
    )


def _passed(case: Case) -> bool:
    return bool(case.candidates) and all(c.passed for c in case.candidates)


def blind_inputs(case: Case) -> Iterator[Finding]:
    """Find blind-inputs: layers without effect on an output, rows that no input selects, channels that are 0."""
    power = case.power
    if power is None:
        return
    unreached = [weight for weight in power.weights if weight.reached is False]
    tables = [table for table in power.tables if table.reached_count < table.row_count]
    channels = _beside(power.channels, unreached, power)
    if not unreached and not tables and not channels:
        return
    poor = bool(unreached) or any(table.is_poor for table in tables) or any(found.is_poor for found in channels)
    parts = [*([_weights(unreached, power)] if unreached else []), *map(_rows, tables[:_MOST_NAMED])]
    if len(tables) > _MOST_NAMED:
        parts.append(f"rows of {len(tables) - _MOST_NAMED} more tables")
    shared = {layer for layer, count in Counter(item.layer for item in channels).items() if count > 1}
    parts += [_channels(item, item.name if item.layer in shared else item.layer) for item in channels[:_MOST_NAMED]]
    if len(channels) > _MOST_NAMED:
        parts.append(f"channels of {len(channels) - _MOST_NAMED} more ReLUs")
    yield finding(
        "blind-inputs",
        Severity.WARNING if poor and _passed(case) else Severity.INFO,
        layer=_only([*(w.layer for w in unreached), *(t.layer for t in tables), *(c.layer for c in channels)]),
        summary=f"The inputs do not reach {listed(parts)}. Faults there are not noticed.",
        advice=_advice(unreached, tables, channels, has_samples=case.model is None or case.model.signature.has_samples),
        evidence={
            "weights": [weight.name for weight in unreached],
            "tables": {table.name: {"rows": table.row_count, "reached": table.reached_count} for table in tables},
            "channels": {
                found.name: {"layer": found.layer, "channels": found.channel_count, "dead": list(found.dead)}
                for found in channels
            },
            "samples": power.sample_count,
        },
    )


def _beside(channels: Sequence[DeadChannels], unreached: Sequence[WeightPower], power: Power) -> Sequence[DeadChannels]:
    """Return the dead channels of layers that are not named as a whole, the largest share first."""
    if unreached and len(unreached) == len(power.weights):
        return ()
    named = set(_whole_layers(unreached, power))
    found = [item for item in channels if not item.layer or item.layer not in named]
    return sorted(found, key=lambda item: len(item.dead) / item.channel_count, reverse=True)


def _whole_layers(unreached: Sequence[WeightPower], power: Power) -> list[str]:
    """Return the layers of which no weight is reached."""
    reached = {weight.layer for weight in power.weights if weight.reached is not False}
    return list(dict.fromkeys(w.layer for w in unreached if w.layer and w.layer not in reached))


def _channels(found: DeadChannels, layer: str | None) -> str:
    """Name dead channels: ``3 of the 8 channels of relu (channels 1, 3 and 5 are 0 in all 32 samples)``."""
    count, where, samples = len(found.dead), layer or found.name, found.sample_count
    zero = f"0 in all {samples:,} samples" if samples > 1 else "0 in 1 sample"
    if count == found.channel_count:
        return f"any of the {count:,} channels of {where} ({zero})"
    more = count - _MOST_CHANNELS
    shown = listed([*found.dead[:_MOST_CHANNELS], *([f"{more:,} more"] if more > 0 else [])])
    those = f"channels {shown} are" if count > 1 else f"channel {shown} is"
    return f"{count:,} of the {found.channel_count:,} channels of {where} ({those} {zero})"


def _weights(unreached: Sequence[WeightPower], power: Power) -> str:
    """Name the layers of which no weight is reached, and single weights of further layers."""
    layers = _whole_layers(unreached, power)
    weights = [w.name for w in unreached if w.layer not in layers]
    if len(unreached) == len(power.weights):
        return f"any of the {len(power.weights):,} weight tensors"
    kinds = (("the layer", "the layers", layers), ("the weight tensor", "the weight tensors", weights))
    return listed([f"{one if len(names) == 1 else many} {_named(names)}" for one, many, names in kinds if names])


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return listed([*names[:_MOST_NAMED], *([f"{more:,} more"] if more > 0 else [])])


def _rows(table: TableReach) -> str:
    missing = table.row_count - table.reached_count
    samples = f"{table.sample_count:,} sample{'' if table.sample_count == 1 else 's'}"
    return f"{missing:,} of the {table.row_count:,} rows of {table.layer or f'the weight {table.name}'} (in {samples})"


def _only(layers: Sequence[str | None]) -> str | None:
    """Return the layer that all of them belong to."""
    return layers[0] if len(set(layers)) == 1 else None


def _advice(
    unreached: Sequence[WeightPower],
    tables: Sequence[TableReach],
    channels: Sequence[DeadChannels],
    *,
    has_samples: bool,
) -> str:
    if unreached:
        return (
            "Give inputs like those of your application as INPUTS. If they do not reach these weights either, the "
            "model does not use them: a later ReLU is 0 for every input, an activation is saturated, or a "
            "recurrent layer runs a single step."
        )
    if any(table.is_poor for table in tables):
        return "Give inputs like those of your application as INPUTS: these select few rows."
    if channels:
        return "Give inputs like those of your application as INPUTS. A channel that is 0 for these too is a dead ReLU."
    if not has_samples:
        return "To reach more rows, run a second comparison with INPUTS that select different rows."
    return f"To reach more rows, compare more samples, {_MORE_SAMPLES}."


def equal_outputs(case: Case) -> Iterator[Finding]:
    """Find equal-outputs: an output has the same value for every sample."""
    specs = {spec.name: spec for spec in case.model.signature.outputs} if case.model else {}
    known = [spread for spread in case.spreads if spread.tensor not in specs or specs[spread.tensor].has_sample_axis]
    equal = [spread for spread in known if spread.largest_difference <= _EQUAL * spread.scale]
    for spread in equal:
        yield finding(
            "equal-outputs",
            Severity.WARNING if len(equal) == len(known) else Severity.INFO,
            tensor=spread.tensor,
            summary=f"{spread.tensor}: the output is the same for all {spread.sample_count:,} samples in Python "
            f"itself. Samples differ by at most {number(spread.largest_difference)} at a scale of "
            f"{number(spread.scale)}.",
            advice="A comparison of constants proves little. Give inputs like those of your application as INPUTS. If "
            "they give a constant too, an activation is saturated, or the model does not use its inputs.",
            evidence={
                "samples": spread.sample_count,
                "largest_difference": spread.largest_difference,
                "scale": spread.scale,
            },
        )


def loose_limit(case: Case) -> Iterator[Finding]:
    """Find loose-limit: the automatic limit is much wider because the noise floor comes from few values."""
    widest: dict[str, Comparison] = {}
    for c in case.candidates:
        if c.passed and c.tolerance and c.tolerance.small_count_factor > _WIDE:
            widest.setdefault(c.tensor, c)
    outputs = case.model.signature.outputs if case.model else ()
    without_samples = {spec.name for spec in outputs if not spec.has_sample_axis}
    for tensor, c in widest.items():
        factor = c.tolerance.small_count_factor if c.tolerance else 1.0
        count = c.noise_floor_count or c.element_count
        values = f"{c.element_count:,} value{'' if c.element_count == 1 else 's'}"
        more = "Set" if tensor in without_samples else f"Compare more samples, {_MORE_SAMPLES}, or set"
        worth = "" if count >= c.element_count else f" (an effective count of {number(count)})"
        yield finding(
            "loose-limit",
            Severity.INFO,
            tensor=tensor,
            summary=f"{tensor}: the automatic limit is {number(factor)} times as wide as for many values. The "
            f"noise floor comes from {values}{worth} and may be low by chance.",
            advice=f"{more} a limit: --atol {tensor}:X.",
            evidence={"factor": factor, "count": count, "elements": c.element_count},
        )


RULES: tuple[Rule, ...] = (weak_comparison, blind_inputs, equal_outputs, loose_limit)
