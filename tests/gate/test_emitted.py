"""Emitted code passes if only the decoders differ, by as much as decoders do."""

from __future__ import annotations

import pytest

from pycheck.gate import judge_emitted
from pycheck.types import Emitted, EmittedFile, EmittedProof, RuntimeId

CPU = RuntimeId("chromium", "cpu")


def _file(
    *, own: bool = False, lossy: bool = False, decoder: float | None = 0.0, rest: float | None = 0.0
) -> EmittedFile:
    return EmittedFile("a", own, lossy, 0.1, 0.1, decoder, decoder, rest, rest)


def _passes(*files: EmittedFile, failed: tuple[str, ...] = (), missing: str = "") -> bool:
    proof = EmittedProof(CPU, files, failed=failed, missing=missing)
    return judge_emitted(Emitted("js", "prep.py:load", "", 0.0, "", 1, (proof,))).passed


@pytest.mark.parametrize(
    ("file", "passed"),
    [
        (_file(), True),
        (_file(rest=0.2), False),
        (_file(rest=None), False),
        (_file(decoder=None), False),
        (_file(lossy=True, decoder=3.0), True),
        (_file(lossy=False, decoder=3.0), False),
        (_file(lossy=True, decoder=30.0), False),
    ],
)
def test_only_the_decoder_of_lossy_files_may_differ(file: EmittedFile, passed: bool) -> None:
    assert _passes(file) is passed


def test_pycheck_s_own_files_are_told_and_fail_nothing() -> None:
    assert _passes(_file(), _file(own=True, rest=9.0))
    assert not _passes(_file(own=True))


def test_a_file_that_fails_and_a_browser_that_is_missing_are_no_proof() -> None:
    assert not _passes(_file(), failed=("b.jpg: it threw",))
    assert not _passes(missing="no browser")
