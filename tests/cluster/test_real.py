"""A check on the workers of this machine, with TensorFlow and browsers of two engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..conftest import Cli
from .reports import report_of

pytestmark = pytest.mark.real
MODELS = Path(__file__).parents[2] / "models"


def test_a_check_on_the_cores_of_this_machine_gives_the_report_of_one_process(
    tmp_path: Path, command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pycheck.toml").write_text(
        'runtimes = ["chromium:cpu", "firefox:cpu"]\n'
        f'[[models]]\npath = "{MODELS}/cnn.keras"\ninputs = "{MODELS}/cnn_inputs.npy"\n'
    )
    code, one = report_of(command)
    assert code == 0
    assert report_of(command, "--dask", "local") == (code, one)
