"""Decides whether emitted code does the same: only the decoders of Python and of the browser may differ."""

from __future__ import annotations

from dataclasses import replace

from ..types import Emitted, EmittedFile, EmittedProof

#: Roundoff of float32, and of pixels that a resize rounds to bytes (RMS, in steps of a byte).
_ROUNDOFF_BYTES = 0.05
#: Decoders of JPEG and WebP may differ by this; those of other files round transparency and color profiles (RMS).
_LOSSY_BYTES, _LOSSLESS_BYTES = 4.0, 1.0


def judge_emitted(emitted: Emitted) -> Emitted:
    """Set `passed` everywhere: a runtime passes if all files of the user do, and the code if a runtime ran and all do.

    A file of pycheck's own that differs is told, and fails nothing: the user may have no such file.
    """
    proofs = tuple(_judged(proof) for proof in emitted.proofs)
    ran = [proof for proof in proofs if not proof.missing]
    return replace(emitted, proofs=proofs, passed=bool(ran) and all(proof.passed for proof in ran))


def _judged(proof: EmittedProof) -> EmittedProof:
    files = tuple(replace(file, passed=_passes(file)) for file in proof.files)
    users = [file for file in files if not file.own]
    return replace(proof, files=files, passed=bool(users) and all(file.passed for file in users) and not proof.failed)


def _passes(file: EmittedFile) -> bool:
    if file.rest_rms is None or file.decoder_rms is None:
        return False
    allowed = _LOSSY_BYTES if file.lossy else _LOSSLESS_BYTES
    return file.rest_rms <= _ROUNDOFF_BYTES and file.decoder_rms <= allowed
