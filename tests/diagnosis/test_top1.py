from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pycheck.gate import ToleranceOptions
from pycheck.types import ArtifactInfo, Finding, Severity

Find = Callable[..., dict[str, list[Finding]]]


def test_a_flip_beyond_the_noise_is_a_warning_with_both_classes(find: Find) -> None:
    reference = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
    candidate = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]], np.float32)
    findings = find(reference, {"chromium:cpu": candidate})
    assert set(findings) == {"drift", "top1-flip"}
    finding = findings["top1-flip"][0]
    assert finding.severity is Severity.WARNING
    assert "1 of 2 rows, in sample 1 from 1 to 2 (0.2 apart" in finding.summary


def test_the_advice_on_a_flip_is_about_what_may_have_caused_it(find: Find) -> None:
    reference, candidate = np.array([[0.2, 0.5]]), np.array([[0.5, 0.2]], np.float32)
    quantized = ArtifactInfo(Path("a"), "layers", "uint8", 1, "", "", (), (), {}, {})
    (of_weights,) = find(reference, {"chromium:cpu": candidate}, artifact=quantized)["top1-flip"]
    (unknown,) = find(reference, {"chromium:cpu": candidate})["top1-flip"]
    assert of_weights.explained_by == ("quantization-drift", "drift")
    assert (unknown.explained_by, unknown.advice) == (("drift",), "")
    loose = ToleranceOptions(atol={None: 1.0})
    (of_halves,) = find(reference, {"chromium:webgl-f16": candidate}, tolerance=loose)["top1-flip"]
    (of_weights,) = find(reference, {"chromium:cpu": candidate}, artifact=quantized, tolerance=loose)["top1-flip"]
    assert "float16" in of_halves.advice
    assert "--quantize float16" in of_weights.advice


def test_a_flip_within_the_noise_is_a_tie(find: Find) -> None:
    reference = np.array([[0.4, 0.4 - 1e-8, 0.2]])
    candidate = np.array([[0.4, 0.4 + 3e-8, 0.2]], np.float32)
    single = np.array([[0.4, 0.4, 0.2]], np.float32)
    findings = find(reference, {"chromium:cpu": candidate}, single=single)
    assert set(findings) == {"argmax-tie", "loose-limit"}
    assert findings["argmax-tie"][0].severity is Severity.INFO


def test_rows_that_only_became_nan_are_left_to_the_finding_about_nan(find: Find) -> None:
    findings = find(np.array([[0.6, 0.4]]), {"chromium:cpu": np.array([[np.nan, 0.4]], np.float32)})
    assert set(findings) == {"nan-introduced"}


def test_rows_that_became_nan_beside_a_near_tie_are_told_as_such(find: Find) -> None:
    reference = np.array([[0.4, 0.4 - 1e-8, 0.2], [0.6, 0.3, 0.1]])
    candidate = np.array([[0.4, 0.4 + 3e-8, 0.2], [np.nan, 0.3, 0.1]], np.float32)
    finding = find(reference, {"chromium:cpu": candidate})["argmax-tie"][0]
    assert "2 of 2 rows (including rows that became NaN)" in finding.summary


def test_an_embedding_or_a_regression_is_not_said_to_have_classes(find: Find) -> None:
    reference = np.array([[6.0, -3.0, 1.0], [-2.0, 5.0, 3.0]])
    loose = ToleranceOptions(atol={None: 100.0})  # or drift would explain it
    given = {"chromium:cpu": reference[:, ::-1].astype(np.float32)}
    (flip,) = find(reference, given, tolerance=loose)["top1-flip"]
    assert flip.severity is Severity.INFO
    assert "largest entry changed" in flip.summary
    assert flip.advice.startswith("If the entries are class scores, ")
    near = np.array([[6.0, 6.0 - 1e-7, 1.0]])
    assert "argmax-tie" not in find(near, {"chromium:cpu": near[:, [1, 0, 2]].astype(np.float32)})
