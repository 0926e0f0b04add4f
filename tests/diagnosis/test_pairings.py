"""Outputs that are paired crosswise are told once, with the options that pair them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pycheck.diagnosis import diagnose
from pycheck.diagnosis.pairings import permutation
from pycheck.types import ArtifactInfo, Finding, PairingHint, RuntimeId

CPU, WASM = RuntimeId("chromium", "cpu"), RuntimeId("chromium", "wasm")
NAMES = {name: f"Identity_{rank}" for rank, name in enumerate(("zeta", "alpha", "mid", "beta"))}
GIVEN = ArtifactInfo(Path("a"), "graph", "none", 1, "", "", (), tuple(NAMES.values()), {}, NAMES)


def hints(fits: Mapping[str, str], *runtimes: RuntimeId) -> list[PairingHint]:
    return [PairingHint(r, tensor, other, 0.3, 1e-8) for r in runtimes for tensor, other in fits.items()]


def found(*given: PairingHint) -> list[Finding]:
    return [f for f in diagnose((), artifact=GIVEN, pairing_hints=given) if f.code == "output-pairing"]


@pytest.mark.parametrize(
    "fits",
    [
        {"alpha": "beta", "beta": "alpha"},
        {"alpha": "beta", "beta": "mid", "mid": "alpha"},
        {"zeta": "alpha", "alpha": "beta", "beta": "mid", "mid": "zeta"},
        {"zeta": "alpha", "alpha": "zeta", "beta": "mid", "mid": "beta"},
    ],
    ids=["swap", "three", "four", "two swaps"],
)
def test_a_permutation_is_one_finding_with_every_option_in_one_line(fits: dict[str, str]) -> None:
    (one,) = found(*hints(fits, CPU, WASM))
    options = one.advice.splitlines()[-1]
    assert options == " ".join(f"--map-output {NAMES[other]}={tensor}" for tensor, other in fits.items())
    assert one.evidence["pairs"] == {NAMES[other]: tensor for tensor, other in fits.items()}
    assert one.runtimes == (CPU, WASM)


def test_runtimes_that_disagree_are_told_apart() -> None:
    swap, turn = {"alpha": "beta", "beta": "alpha"}, {"alpha": "beta", "beta": "mid", "mid": "alpha"}
    told = found(*hints(swap, CPU), *hints(turn, WASM))
    assert [(f.runtimes, len(f.evidence["outputs"])) for f in told] == [((CPU,), 2), ((WASM,), 3)]


def test_an_output_that_comes_twice_has_no_pairing() -> None:
    (one,) = found(*hints({"alpha": "zeta"}, CPU))
    assert (one.tensor, one.evidence["fits"]) == ("alpha", {"alpha": "zeta"})
    assert "--map-output" not in one.advice


def test_what_does_not_lead_back_is_no_part_of_a_permutation() -> None:
    fits = {"alpha": "beta", "beta": "alpha", "zeta": "mid", "mid": "alpha"}
    assert permutation({hint.tensor: hint for hint in hints(fits, CPU)}) == {"alpha": "beta", "beta": "alpha"}


def test_of_the_published_converter_no_option_is_advised_that_it_does_not_take() -> None:
    made = replace(GIVEN, converter="tensorflowjs 4.22.0, tensorflow 2.19.0", reason="exported as a SavedModel")
    swap = hints({"alpha": "beta", "beta": "alpha"}, CPU)
    (one,) = [f for f in diagnose((), artifact=made, pairing_hints=swap) if f.code == "output-pairing"]
    assert "tensorflowjs 4.22.0" in one.advice and "omit --converter" in one.advice
    assert "--tfjs-model" in one.advice and "\n--map-output" in one.advice
    given = replace(made, reason="given with --tfjs-model")
    (one,) = [f for f in diagnose((), artifact=given, pairing_hints=swap) if f.code == "output-pairing"]
    assert "--converter" not in one.advice and ":\n--map-output" in one.advice
