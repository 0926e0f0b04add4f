"""Fix: the fewest weights to keep in float32 while the rest is quantized."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..artifact.document import read_document
from ..artifact.weights import decode_weights
from ..types import Array, ArtifactInfo, Remedy, Verdict
from .conversion import JUDGED, allowance, fits_quantization, in_place_of, options_of, within
from .failure import Failure
from .searching import Found, smallest
from .trial import Trial
from .trials import Trials

#: If more weights than this must be left out, a different quantization is better.
_MOST = 8


def fits(failure: Failure) -> bool:
    """Accept quantized weights of a model that pycheck can convert again, if their error exceeds `allowance`."""
    largest, error = max((limit for _, limit in allowance(failure)), default=0.0), failure.before.max_abs_error
    return fits_quantization(failure) and (error is None or error > largest)


async def cure(failure: Failure, trials: Trials) -> Remedy | None:
    """Find the fewest weights to leave out, those that quantization changes most first; None if none is quantized.

    A given artifact is replaced by pycheck's conversion, because only that can leave single weights out.
    """
    anew = failure.is_foreign
    whole = await trials.artifact(Trial(failure.together, quantize="none", anew=anew))
    quantized = failure.report.artifact
    if anew:
        quantized = await trials.artifact(Trial(failure.together, quantize=failure.quantization, anew=True))
    if whole is None or quantized is None:
        return None
    ranked = await asyncio.to_thread(_by_damage, quantized, whole)
    if not ranked:
        return None

    def trial(names: Sequence[str]) -> Trial:
        kept = tuple(sorted(names))
        if anew:
            return Trial(failure.together, keep_float=kept, quantize=failure.quantization, anew=True)
        return Trial(failure.together, keep_float=kept)

    async def passes(names: tuple[str, ...]) -> bool:
        gave, _ = await within(failure, trials, trial(names))
        return gave.verdict is Verdict.PASS

    found: Found[tuple[str, ...]] | None = None
    count = 1
    while found is None and count <= _MOST:
        names = tuple(ranked[:count])
        if await passes(names):
            found = await smallest(names, passes)
        count = len(ranked) if count < len(ranked) < 2 * count <= _MOST else 2 * count
    names = found.value if found else tuple(ranked[:_MOST])
    gave, allowed = await within(failure, trials, trial(names))
    notes = [in_place_of(failure)] if anew else []
    notes += [JUDGED] if allowed else []
    notes += ["fewer may suffice: the trials ended first"] if found and not found.complete else []
    return failure.remedy(
        "tensors",
        f"{', '.join(sorted(names))} in float32, the other weights in {failure.quantization}"
        f"{', converted with pycheck' if anew else ''}",
        gave,
        trial_count=trials.count,
        options=(
            *(("--quantize", failure.quantization) if anew else ()),
            *(text for name in sorted(names) for text in ("--keep-float", name)),
            *options_of(allowed),
        ),
        note="; ".join(notes),
    )


def _by_damage(quantized: ArtifactInfo, whole: ArtifactInfo) -> list[str]:
    """Return the names of the quantized weights, the most damaged first."""
    kept = read_document(_file(quantized))
    names = kept.quantized_weights()
    before, after = decode_weights(read_document(_file(whole))), decode_weights(kept)
    damage = {name: _damage(before[name], after[name]) for name in after if name in names and name in before}
    return sorted(damage, key=lambda name: damage[name], reverse=True)


def _file(artifact: ArtifactInfo) -> Path:
    return artifact.folder / artifact.model_file


def _damage(before: Array, after: Array) -> float:
    """Return the median relative change of the finite values; a mean would be dominated by the few large values."""
    known = np.isfinite(before) & (before != 0)
    values = before[known].astype(np.float64)
    errors = np.abs(after[known].astype(np.float64) - values)
    return float(np.median(errors / np.abs(values))) if values.size else 0.0
