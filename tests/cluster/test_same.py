"""A check on a cluster gives the report of a check on one machine."""

from __future__ import annotations

from pathlib import Path

from pycheck.errors import ConversionError

from ..checks.sharded import BROKEN, CONFIGURATION
from ..conftest import Cli
from ..fakes import Fakes
from .reports import report_of


def test_the_report_is_that_of_one_machine(work: Path, command: Cli, address: str) -> None:
    Path("pycheck.toml").write_text(CONFIGURATION + BROKEN)
    one = report_of(command)
    assert report_of(command, "--dask", address) == one


def test_the_report_is_that_of_one_machine_if_a_library_cannot_have_the_models(
    work: Path, fakes: Fakes, command: Cli, address: str
) -> None:
    fakes.refused["tflite"] = ConversionError("Cannot convert the model.", "Replace the layer.")
    both = 'runtimes = ["chromium:cpu", "chromium:litert-wasm"]'
    Path("pycheck.toml").write_text(CONFIGURATION.replace('runtimes = ["chromium:cpu", "chromium:webgl"]', both, 1))
    one = report_of(command)
    assert one[0] == 3 and "Cannot convert the model." in str(one)
    assert report_of(command, "--dask", address) == one
