"""Describes how one output of one runtime fails: number of elements, error, place and limit.

The order is that of torch.testing, and the numbers are those of the table that every report has.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..types import Comparison, Tolerance, WorstElement
from . import wording

_KINDS = (
    ("introduced", "NaN or infinite only on this runtime"),
    ("masked", "NaN or infinite only in Python"),
    ("class", "a different kind of NaN or infinity"),
)


def kind(c: Comparison) -> str:
    """Return the worst fault: ``shape_mismatch``, ``nan_divergence`` or ``drift``."""
    return "shape_mismatch" if c.shape_mismatch else "nan_divergence" if not c.drifted else "drift"


def lines(c: Comparison) -> tuple[str, ...]:
    """Return the facts of the failure, one per line."""
    if c.shape_mismatch:
        return (f"Shapes of a sample differ: {c.shape_mismatch}",)
    return (*_mismatched(c), *_greatest(c), *_changed(c))


def _mismatched(c: Comparison) -> Iterator[str]:
    beyond, exactly = _beyond(c) if c.drifted else (0, True)
    total = min(c.nonfinite.changed + beyond, c.element_count)
    share = f"{'' if exactly else 'at least '}{total:,} / {c.element_count:,} ({100.0 * total / c.element_count:.3g} %)"
    kinds = [(count, text) for count, (_, text) in zip(_counts(c), _KINDS, strict=True) if count]
    kinds += [(beyond, "beyond the limit")] if beyond else []
    if not kinds:
        yield f"Mismatched elements: {share}; no element alone exceeds the limit"
    elif len(kinds) == 1:
        yield f"Mismatched elements: {share}, {kinds[0][1]}"
    else:
        yield f"Mismatched elements: {share}: {', '.join(f'{count:,} {text}' for count, text in kinds)}"


def _counts(c: Comparison) -> tuple[int, int, int]:
    counts = c.nonfinite
    return counts.introduced, counts.masked, counts.changed - counts.introduced - counts.masked


def _beyond(c: Comparison) -> tuple[int, bool]:
    """Return how many finite elements exceed the limit, and whether the count is exact.

    The automatic limit is known only after the measurement; then only the worst elements can be counted.
    """
    if c.outside_count is not None and c.tolerance and c.tolerance.mode != "auto":
        return c.outside_count, True
    limit = c.tolerance.max_abs if c.tolerance else None
    errors = [w for w in c.worst if w.kind == "error"]
    if limit is None or not errors:
        return 0, True
    beyond = [w for w in errors if abs(w.candidate - w.reference) > limit]
    return len(beyond), len(beyond) < len(errors) or len(errors) == c.finite_count


def _greatest(c: Comparison) -> Iterator[str]:
    tolerance = c.tolerance or Tolerance("explicit")
    if c.max_abs_error is not None:
        worst = next((w for w in c.worst if w.kind == "error"), None)
        at = f" at {place(worst)}" if worst else ""
        yield f"Greatest absolute difference: {wording.short(c.max_abs_error)}{at}{_allowed(_elementwise(tolerance))}"
    if c.max_rel_error is not None and tolerance.rtol:
        yield f"Greatest relative difference: {wording.short(c.max_rel_error)}{_allowed(wording.short(tolerance.rtol))}"
    if tolerance.rms is not None:
        yield f"RMS difference: {wording.short(c.rms_error)}{_allowed(wording.short(tolerance.rms))}"
    if c.max_ulp_error is not None and tolerance.max_ulp is not None:
        allowed = _allowed(wording.short(tolerance.max_ulp))
        yield f"Greatest difference in ULP: {wording.short(c.max_ulp_error)}{allowed}"


def _elementwise(tolerance: Tolerance) -> str:
    if tolerance.mode != "explicit":
        return wording.short(tolerance.max_abs)
    parts = [wording.short(tolerance.atol)] if tolerance.atol is not None else []
    parts += [f"{wording.short(tolerance.rtol)} of the reference"] if tolerance.rtol else []
    return " and ".join(parts)


def _allowed(limit: str) -> str:
    return f" (up to {limit} allowed)" if limit else ""


def _changed(c: Comparison) -> Iterator[str]:
    """Describe the first element of each kind of change."""
    for name, text in _KINDS:
        if first := next((w for w in c.worst if w.kind == name), None):
            expected, given = wording.unlike(first.reference, first.candidate)
            values = f"Python {expected}, browser {given}"
            yield f"First {text}: {place(first)}: {values}"


def place(w: WorstElement) -> str:
    """Format the place of an element: ``sample 3 [0, 5]``."""
    return w.place
