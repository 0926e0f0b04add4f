"""The sentence for a trace without a source names what was not traced, of every runtime."""

from __future__ import annotations

from dataclasses import replace

from pycheck.report.where import nowhere
from pycheck.types import Finding, Report, Severity, together

from .conftest import CPU, WEBGL


def test_suspects_of_runtimes_that_share_a_finding_are_all_named(reports: dict[str, Report]) -> None:
    each = [
        Finding(
            "accumulated-drift", Severity.ERROR, "Errors add up.", "", (runtime,), "y", evidence={"suspects": names}
        )
        for runtime, names in ((CPU, ["gather"]), (WEBGL, ["gather", "loop"]))
    ]
    assert (
        nowhere(replace(reports["traced"], findings=(together(each),)))
        == "In points that were not traced: gather and loop"
    )
