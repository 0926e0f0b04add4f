"""What fake runtimes can be told to do, and that nobody comes to one by accident."""

from __future__ import annotations

import numpy as np
import pytest

import pycheck
from pycheck.errors import RuntimeFailedError, RuntimeUnavailableError
from pycheck.options.table import OPTIONS
from pycheck.runtimes.fake import Fault, drifting, giving
from pycheck.types import NATIVE_FLOAT32, NATIVE_FLOAT64, Report, RuntimeStatus, Verdict

from .fakes import Fakes, dense

WEBGL = "chromium:webgl"
X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def _compare(**options: object) -> Report:
    return pycheck.compare(dense(), X, runtimes=["chromium:cpu", WEBGL], **options)  # type: ignore[arg-type]


def test_a_sound_one_passes_with_the_noise_floor_of_float32(fakes: Fakes) -> None:
    report = _compare()
    assert report.verdict is Verdict.PASS
    floor = next(c for c in report.comparisons if c.is_noise_floor)
    assert floor.max_abs_error is not None and 0 < floor.max_abs_error < 1e-6
    assert {record.environment.library for record in report.runtimes if record.environment} == {"fake 1"}


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (drifting(0.5), Verdict.DRIFT),
        (giving(np.nan), Verdict.NAN_DIVERGENCE),
        (Fault(error=RuntimeUnavailableError("no GPU"), at="start"), Verdict.ERROR),
        (Fault(error=RuntimeFailedError("no kernel")), Verdict.ERROR),
    ],
    ids=["drift", "nan", "unavailable", "failed"],
)
def test_a_fault_makes_the_verdict(fault: Fault, verdict: Verdict, fakes: Fakes) -> None:
    fakes.break_(WEBGL, fault)
    assert _compare().verdict is verdict


@pytest.mark.parametrize("at", ["start", "predict"])
def test_one_that_hangs_times_out_as_a_page_does(at: str, fakes: Fakes) -> None:
    fakes.break_(WEBGL, Fault(hangs=True, at=at))  # type: ignore[arg-type]
    record = next(record for record in _compare(timeout_s=0.05).runtimes if str(record.id) == WEBGL)
    assert record.status is RuntimeStatus.TIMED_OUT
    assert record.error is not None and record.error.startswith("chromium:webgl: no answer within 0.05 s")


def test_python_has_faults_too(fakes: Fakes) -> None:
    fakes.faults[NATIVE_FLOAT64] = Fault(error=RuntimeFailedError("no float64 kernel"))
    assert [c.reference for c in _compare().comparisons if not c.is_noise_floor] == [NATIVE_FLOAT32] * 2
    fakes.faults[NATIVE_FLOAT32] = Fault(error=RuntimeFailedError("out of memory"))
    with pytest.raises(RuntimeFailedError, match="out of memory"):
        pycheck.compare(dense(seed=1), X, runtimes=[WEBGL])


def test_half_floats_cost_what_half_floats_cost(fakes: Fakes) -> None:
    report = pycheck.compare(dense(), X, runtimes=["chromium:webgl-f16"])
    (row,) = [c for c in report.comparisons if not c.is_noise_floor]
    assert row.passed and row.max_abs_error is not None and row.max_abs_error > 1e-4


def test_no_option_leads_to_one() -> None:
    assert not any("fake" in f"{option}".lower() for option in OPTIONS)
    with pytest.raises(pycheck.UsageError, match="unknown engine 'fake'"):
        pycheck.compare("m.keras", runtimes=["fake:cpu"])
