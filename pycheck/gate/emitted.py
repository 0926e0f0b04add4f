"""Decides whether emitted code does the same: only the decoders of Python and of the browser may differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..types import Emitted, EmittedFile, EmittedProof, FileMedium


@dataclass(frozen=True, slots=True)
class _Limits:
    """The largest `rest`, and the largest `decoder` of lossy and of other files, RMS as a file has them."""

    rest: float
    lossy: float
    lossless: float


_LIMITS: Mapping[FileMedium, _Limits] = {
    # Roundoff of float32, and of pixels that a resize rounds to bytes. Decoders of JPEG and WebP round; those of other
    # files round transparency and color profiles.
    "image": _Limits(0.05, 4.0, 1.0),
    # Roundoff of float32 under a logarithm. Decoders of MP3 and OGG round; Chromium and Firefox divide positive samples
    # of 16 bits by 32767, which is less than one of their steps.
    "sound": _Limits(1e-3, 4 * 2.0**-15, 2.0**-15),
    "text": _Limits(0.0, 0.0, 0.0),
}


def judge_emitted(emitted: Emitted) -> Emitted:
    """Set `passed` everywhere: a runtime passes if all files of the user do, and the code if a runtime ran and all do.

    A file of pycheck's own that differs is told, and fails nothing: the user may have no such file.
    """
    limits = _LIMITS[emitted.medium]
    proofs = tuple(_judged(proof, limits) for proof in emitted.proofs)
    ran = [proof for proof in proofs if not proof.missing]
    return replace(emitted, proofs=proofs, passed=bool(ran) and all(proof.passed for proof in ran))


def _judged(proof: EmittedProof, limits: _Limits) -> EmittedProof:
    files = tuple(replace(file, passed=_passes(file, limits)) for file in proof.files)
    users = [file for file in files if not file.own]
    return replace(proof, files=files, passed=bool(users) and all(file.passed for file in users) and not proof.failed)


def _passes(file: EmittedFile, limits: _Limits) -> bool:
    if file.rest_rms is None or file.decoder_rms is None:
        return False
    allowed = limits.lossy if file.lossy else limits.lossless
    return file.rest_rms <= limits.rest and file.decoder_rms <= allowed
