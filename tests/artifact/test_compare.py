"""`pycheck compare model.json`: the artifact's own execution in Python is the reference."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..conftest import more

pytestmark = pytest.mark.real


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "artifact_format"), [("cnn.keras", "layers"), *more(("recurrent.keras", "graph"))])
def test_a_tfjs_model_is_checked_against_itself_in_python(
    name: str, artifact_format: str, converted: Any, tmp_path: Path
) -> None:
    folder = converted(name, artifact_format).artifact.folder
    report = tmp_path / "report.json"
    command = [sys.executable, "-c", "from pycheck.cli.main import main; main()", "compare", str(folder / "model.json")]
    options = ["--runtime", "chromium:cpu", "--samples", "4", "--json", str(report)]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    content = json.loads(report.read_text())
    assert content["model"]["format"] == "tfjs"
    assert content["artifact"]["format"] == artifact_format
    assert [runtime["id"] for runtime in content["runtimes"]] == [
        "artifact:float32",
        "artifact:float64",
        "chromium:cpu",
    ]
    assert {comparison["reference"] for comparison in content["comparisons"]} == {"artifact:float64"}
