"""Files of pycheck's own that are damaged: a cache is filled again, a saved run is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from pycheck import compare

from ..conftest import Cli
from ..fakes import Fakes


@pytest.fixture
def model(fakes: Fakes, work: Path) -> Path:
    """m.keras, x.npy beside it."""
    np.save("x.npy", np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32))
    return fakes.save(work / "m.keras")


@pytest.fixture
def saved(model: Path, tmp_path: Path) -> Path:
    """A run that passed, saved."""
    folder = tmp_path / "saved"
    assert compare(model, "x.npy", runtimes=["chromium:cpu"], batch_size=2, save_run=folder).passed
    return folder


def test_a_damaged_cache_is_computed_again(
    model: Path, command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(cache))

    def compare(json_path: str) -> dict[str, Any]:
        said = command("compare", model, "x.npy", "--runtime", "chromium:cpu", "--json", json_path)
        assert said.code == 0, said.err
        return {runtime["id"]: runtime["timings_s"] for runtime in json.loads(Path(json_path).read_bytes())["runtimes"]}

    compare("first.json")
    entries = [path for path in cache.rglob("*") if path.is_file()]
    assert len(entries) > 5
    for number, path in enumerate(sorted(entries)):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if number % 2 else bytes(byte ^ 1 for byte in whole))
    assert "from_cache" not in compare("damaged.json")["native:float32"]
    assert "from_cache" in compare("healed.json")["native:float32"]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("version", 99, "version 99"),
        ("batch_sizes", [2, 2], "do not add up to 5 samples"),
        ("batch_sizes", [], "do not add up to 5 samples"),
        ("batch_sizes", [2, 1, 2], "samples"),
        ("candidates", [], "its candidates are not among its runtimes"),
        ("candidates", [{"engine": "chromium", "kind": "wasm"}], "its candidates are not among its runtimes"),
        ("runtimes", [], "its candidates are not among its runtimes"),
        ("model", {}, "is damaged"),
        ("inputs", None, "is damaged"),
    ],
)
def test_a_run_that_does_not_add_up_is_refused(
    place: str, value: Any, message: str, saved: Path, command: Cli, work: Path
) -> None:
    shutil.copytree(saved, work / "run")
    document = json.loads((work / "run" / "run.json").read_bytes())
    document[place] = value
    (work / "run" / "run.json").write_text(json.dumps(document))
    said = command("report", "run")
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("runtime", ["native-float32", "native-float64", "chromium-cpu"])
@pytest.mark.parametrize("harm", ["missing", "cut", "other"])
def test_a_run_whose_outputs_are_damaged_is_refused(
    runtime: str, harm: str, saved: Path, command: Cli, work: Path
) -> None:
    shutil.copytree(saved, work / "run")
    file = work / "run" / "outputs" / runtime / "000001.safetensors"
    if harm == "missing":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:-5])
    else:
        safetensors.numpy.save_file({"z": np.zeros((2, 3), np.float32)}, file)
    said = command("report", "run")
    assert (said.code, said.out) == (2, "")
    assert "saved outputs of" in said.err
    assert "Traceback" not in said.err


def test_what_is_no_saved_run_is_refused(command: Cli, work: Path) -> None:
    said = command("report", "nothing")
    assert said.code == 2
    assert "nothing is not a saved run" in said.err
    assert "--save-run DIR" in said.err
