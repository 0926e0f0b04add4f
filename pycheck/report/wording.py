"""Formats numbers and names for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..types import LimitUse

ABSENT = "-"


def names(ids: Sequence[object], most: int = 3) -> str:
    """Join names: ``a``, ``a and b``, ``a, b and 4 more``."""
    texts = [str(i) for i in ids]
    if len(texts) > most:
        texts = [*texts[: most - 1], f"{len(texts) - most + 1} more"]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def setting(value: object) -> str:
    """Format the value of a flag. Infinity is a text in the page and in JSON, and a number in a report read back."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value)


def short(value: float | None) -> str:
    """Format at least two significant digits, and all before the point: ``0.12``, ``3.1e-7``, ``365``, ``1.2e12``."""
    if value is None:
        return ABSENT
    if not math.isfinite(value):
        return _word(value)
    if value == 0.0:
        return "0"
    if 10.0 <= abs(value) < 99_999.5:
        return f"{value:.0f}"
    text = f"{value:.2g}"
    if "e" not in text:
        return text
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def full(value: float) -> str:
    """Format seven significant digits, nearly enough to show the last bits of a float32."""
    return f"{value:.7g}" if math.isfinite(value) else _word(value)


def unlike(first: float, second: float) -> tuple[str, str]:
    """Format two numbers with seven digits, or with as many as are needed to distinguish them if they differ."""
    texts = full(first), full(second)
    if texts[0] != texts[1] or first == second or not (math.isfinite(first) and math.isfinite(second)):
        return texts
    pairs = ((f"{first:.{digits}g}", f"{second:.{digits}g}") for digits in range(8, 18))
    return next((pair for pair in pairs if pair[0] != pair[1]), texts)


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Inf" if value > 0 else "-Inf"


#: The names of limits, by `LimitUse.of`.
LIMITS = {"max_abs": "max", "rms": "RMS", "max_ulp": "ULP", "rtol": "rtol"}


def used(use: LimitUse | None) -> str:
    """Format the used share and name of a limit: ``41 % RMS``."""
    return f"{percent(use.share)} {LIMITS[use.of]}" if use else ABSENT


def percent(share: float) -> str:
    """Format the used share of a limit: ``<1 %``, ``41 %``, ``12x``."""
    if share == 0.0:
        return "0 %"
    if math.isinf(share):
        return "over"
    if share < 0.01:
        return "<1 %"
    if share <= 1.0:
        return f"{math.floor(share * 100)} %"
    return f"{short(share)}x" if share >= 1.1 else "1.1x"


def count(value: int) -> str:
    """Format a count: ``999``, ``1.2k``, ``65k``, ``3M``."""
    for above, unit in ((10**3, ""), (10**6, "k"), (10**9, "M"), (10**12, "G")):
        if value < above:
            scaled = value * 1000 / above
            return f"{value}" if not unit else f"{scaled:.1f}{unit}" if scaled < 10 else f"{int(scaled)}{unit}"
    return f"{value:.0e}"


def size(size_bytes: int) -> str:
    """Format a size: ``712 B``, ``14.2 MB``."""
    for above, unit in ((10**3, "B"), (10**6, "kB"), (10**9, "MB")):
        if size_bytes < above:
            return f"{size_bytes} B" if unit == "B" else f"{size_bytes * 1000 / above:.1f} {unit}"
    return f"{size_bytes / 1e9:.1f} GB"


def duration(seconds: float | None) -> str:
    """Format a time: ``0.12 ms``, ``38 ms``, ``1.2 s``."""
    if seconds is None:
        return ABSENT
    return f"{short(seconds * 1e3)} ms" if seconds < 0.9995 else f"{short(seconds)} s"


def printable(text: str) -> str:
    """Remove control characters from a name: names come from files, which cannot be trusted."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
