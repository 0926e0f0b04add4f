"""Fix: inputs clipped or scaled to a range that passes."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping

from ..types import Outcome, Remedy, Verdict
from .failure import Failure
from .searching import SMALLEST_SHARE, Found, largest
from .trial import Trial
from .trials import Trials

_FLOATS = ("float16", "float32", "float64")
_JUDGED = "compared with Python on the same changed inputs"


def fits(failure: Failure) -> bool:
    """Accept finite floating-point inputs if the failure is about NaN or about their scale."""
    if not _floats(failure) or any(failure.findings("input-nonfinite")):
        return False
    return bool(failure.before.nonfinite_count) or any(failure.findings("input-scale", "f16-overflow"))


async def cure(failure: Failure, trials: Trials) -> Remedy:
    """Clip outliers as little as passes; if that does not help, scale all values."""
    outliers = _outliers(failure)
    if outliers:
        remedy = await _clipped(failure, trials, outliers)
        if remedy.worked:
            return remedy
    return await _scaled(failure, trials)


async def _clipped(failure: Failure, trials: Trials, outliers: Mapping[str, float]) -> Remedy:
    def trial(share: float) -> Trial:
        limits = tuple((name, _short(magnitude * share)) for name, magnitude in outliers.items())
        return Trial(failure.together, limits=limits)

    found, gave = await _largest(failure, trials, trial)
    limits = trial(found.value).limits
    return failure.remedy(
        "inputs",
        "; ".join(f"the input {name} clipped to -{limit:g}..{limit:g}" for name, limit in limits),
        gave,
        trial_count=trials.count,
        code="\n".join(_clip(name, f"{limit:g}", in_litert=failure.runtime.is_litert) for name, limit in limits),
        note=_JUDGED + _incomplete(found),
    )


def _clip(name: str, limit: str, *, in_litert: bool = False) -> str:
    """Return the lines for Python and JavaScript: for a tensor of TF.js, or the typed array of a LiteRT.js tensor."""
    name = _identifier(name)
    javascript = f"tf.clipByValue({name}, -{limit}, {limit})"
    if in_litert:
        javascript = f"{name}.map((value) => Math.min(Math.max(value, -{limit}), {limit}))"
    return _both(name, f"np.clip({name}, -{limit}, {limit})", javascript)


def _times(name: str, factor: str, *, in_litert: bool = False) -> str:
    """Return the lines for Python and JavaScript, as `_clip`."""
    name = _identifier(name)
    javascript = f"{name}.map((value) => {factor} * value)" if in_litert else f"tf.mul({name}, {factor})"
    return _both(name, f"{factor} * {name}", javascript)


def _both(name: str, python: str, javascript: str) -> str:
    return f"{name} = {python}  # Python\n{name} = {javascript};  // JavaScript"


def _identifier(name: str) -> str:
    """Make a variable's name that is valid in Python and JavaScript."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"_{plain}" if plain[:1].isdigit() or keyword.iskeyword(plain) else plain


async def _scaled(failure: Failure, trials: Trials) -> Remedy:
    large = {finding.tensor: finding.evidence.get("largest") for finding in failure.findings("input-scale")}
    names = [name for name in _floats(failure) if name in large] or _floats(failure)

    def trial(share: float) -> Trial:
        return Trial(failure.together, factors=tuple((name, _short(share)) for name in names))

    found, gave = await _largest(failure, trials, trial)
    factor = _short(found.value)
    reach = {name: f", so up to {_short(factor * value):g}" for name, value in large.items() if value}
    down_to = "" if gave.verdict is Verdict.PASS else "scaled, down to "
    return failure.remedy(
        "inputs",
        "; ".join(f"the input {name} {down_to}times {factor:g}{reach.get(name, '')}" for name in names),
        gave,
        trial_count=trials.count,
        code="\n".join(_times(name, f"{factor:g}", in_litert=failure.runtime.is_litert) for name in names),
        note=f"{_JUDGED}; train the model with the same change, or add its inverse to the next layer"
        + _incomplete(found),
    )


async def _largest(failure: Failure, trials: Trials, trial: Callable[[float], Trial]) -> tuple[Found[float], Outcome]:
    """Return the largest share that passes, and its result; if none passes, the smallest share."""

    async def passes(share: float) -> bool:
        return await trials.passes(trial(share), failure.runtime)

    found = await largest(passes) or Found(SMALLEST_SHARE)
    return found, await trials.outcome(trial(found.value), failure.runtime)


def _incomplete(found: Found[float]) -> str:
    return "" if found.complete else "; a larger number may pass too: the trials ended first"


def _outliers(failure: Failure) -> dict[str, float]:
    """Return the largest magnitude of each input that has an outlier."""
    found = {f.tensor: f.evidence["largest"] for f in failure.findings("input-scale") if f.evidence.get("outlier")}
    return {name: found[name] for name in _floats(failure) if name in found}


def _floats(failure: Failure) -> list[str]:
    ids = failure.report.inputs.ids  # scaled indices would select different entries
    return [s.name for s in failure.report.model.signature.inputs if s.dtype in _FLOATS and s.name not in ids]


def _short(value: float) -> float:
    """Format three significant digits."""
    return float(f"{value:.3g}")
