"""A check on a cluster gives the report of a check on one machine."""

from __future__ import annotations

from pathlib import Path

from ..checks.sharded import BROKEN, CONFIGURATION
from ..conftest import Cli
from .reports import report_of


def test_the_report_is_that_of_one_machine(work: Path, command: Cli, address: str) -> None:
    Path("pycheck.toml").write_text(CONFIGURATION + BROKEN)
    one = report_of(command)
    assert report_of(command, "--dask", address) == one
