"""Finds outputs that are paired with the wrong ones, and the options that pair them correctly."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from ..types import Finding, PairingHint, RuntimeId, Severity
from .case import Case, Rule, listed, number
from .codes import finding

_Permutation = tuple[tuple[str, str], ...]


def output_pairing(case: Case) -> Iterator[Finding]:
    """Find output-pairing: swapped outputs, as one finding for all runtimes; then single outputs."""
    by_runtime: dict[RuntimeId, dict[str, PairingHint]] = {}
    for hint in case.pairing_hints:
        by_runtime.setdefault(hint.candidate, {})[hint.tensor] = hint
    permutations: dict[_Permutation, list[RuntimeId]] = {}
    for runtime, hints in by_runtime.items():
        found = permutation(hints)
        if found:
            permutations.setdefault(tuple(found.items()), []).append(runtime)
        for tensor, hint in hints.items():
            if tensor not in found:
                yield _single(hint)
    for pairs, runtimes in permutations.items():
        yield _rotated(case, dict(pairs), runtimes, by_runtime)


def permutation(hints: Mapping[str, PairingHint]) -> dict[str, str]:
    """Return the outputs that are swapped among themselves, each with the output under whose name it comes."""
    fits = {tensor: hint.fits for tensor, hint in hints.items()}
    while open_ends := [t for t, other in fits.items() if other not in fits or t not in fits.values()]:
        for tensor in open_ends:
            del fits[tensor]
    return fits


def _rotated(
    case: Case,
    pairs: Mapping[str, str],
    runtimes: list[RuntimeId],
    hints: Mapping[RuntimeId, Mapping[str, PairingHint]],
) -> Finding:
    names = case.artifact.output_names if case.artifact else {}
    given = {tensor: names.get(other, other) for tensor, other in pairs.items()}
    told = [hints[runtime][tensor] for runtime in runtimes for tensor in pairs]
    options = " ".join(f"--map-output {shlex.quote(f'{artifact}={tensor}')}" for tensor, artifact in given.items())
    meant = listed([f"{artifact} is {tensor}" for tensor, artifact in given.items()])
    return finding(
        "output-pairing",
        Severity.ERROR,
        runtimes=runtimes,
        summary=f"{len(pairs)} outputs of the artifact are paired with the wrong outputs of the model: {meant}. "
        f"With these pairs, the largest RMS error on {listed(runtimes)} is "
        f"{number(max(h.fitting_rms_error for h in told))} instead of {number(max(h.rms_error for h in told))}.",
        advice=f"{_how(case)}\n{options}",
        evidence={
            "outputs": list(pairs),
            "pairs": {artifact: tensor for tensor, artifact in given.items()},
            "fits": dict(pairs),
            "rms_error": max(h.rms_error for h in told),
            "fitting_rms_error": max(h.fitting_rms_error for h in told),
        },
    )


def _how(case: Case) -> str:
    artifact = case.artifact
    if artifact is None or not case.is_foreign or artifact.reason.startswith("given"):
        return "Set the pairs with these options:"
    return (
        f"{artifact.converter.partition(',')[0]} changed the order of the outputs: omit --converter to convert with "
        "pycheck. To check its artifact, use --tfjs-model and these options:"
    )


def _single(hint: PairingHint) -> Finding:
    return finding(
        "output-pairing",
        Severity.ERROR,
        runtimes=(hint.candidate,),
        tensor=hint.tensor,
        summary=f"{hint.candidate} gives {hint.tensor} under the name {hint.fits}: its RMS error is "
        f"{number(hint.fitting_rms_error)} there, and {number(hint.rms_error)} under its own name.",
        advice="The artifact does not contain each output of the model once: convert the model again.",
        evidence={
            "outputs": [hint.tensor],
            "fits": {hint.tensor: hint.fits},
            "rms_error": hint.rms_error,
            "fitting_rms_error": hint.fitting_rms_error,
        },
    )


RULES: tuple[Rule, ...] = (output_pairing,)
