"""`convert` calls verified only what passes the check of `compare`, and ends with 0 only for what runs in TF.js."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import pycheck
from pycheck.cli.main import run
from pycheck.errors import ConversionError, InputsFileError, RuntimeFailedError, RuntimeUnavailableError
from pycheck.runtimes.browser.page import BrowserRuntime

pytestmark = pytest.mark.real

L = keras.layers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models: one that uint8 ruins (a variance of 900 beside one of 0.001), one of whole numbers below 50."""
    at = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,)), L.Dense(8), L.BatchNormalization(name="bn"), L.Dense(3, activation="softmax")]
    )
    gamma, beta, mean, variance = model.get_layer("bn").get_weights()
    variance[:] = 1e-3
    variance[0] = 900.0
    model.get_layer("bn").set_weights([gamma, beta, mean, variance])
    model.save(at / "loud.keras")
    keras.Sequential([keras.Input((4,), dtype="int32"), L.Embedding(50, 3), L.Flatten()]).save(at / "table.keras")
    np.save(at / "ids.npy", np.arange(32).reshape(8, 4))
    np.save(at / "beyond.npy", np.full((8, 4), 99))
    return at


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")


def test_an_artifact_that_fails_the_check_is_written_and_not_called_verified(
    folder: Path, tmp_path: Path, capsys: Any
) -> None:
    assert run(["convert", str(folder / "loud.keras"), str(tmp_path / "web"), "--quantize", "uint8"]) == 1
    out = capsys.readouterr().out
    assert "NOT VERIFIED: it fails the check on chromium:cpu" in out
    assert "verified on" not in out
    assert json.loads((tmp_path / "web" / "model.json").read_text())["format"] == "layers-model"
    with pytest.raises(ConversionError, match="is not verified: it fails the check"):
        pycheck.convert(folder / "loud.keras", tmp_path / "again", quantize="uint8")


def test_a_tolerance_of_ones_own_decides_as_it_does_for_compare(folder: Path, tmp_path: Path, capsys: Any) -> None:
    arguments = ["convert", str(folder / "loud.keras"), str(tmp_path / "web"), "--quantize", "uint8", "--atol", "2"]
    assert run(arguments) == 0
    assert "verified on chromium:cpu, with 2 samples that were generated" in capsys.readouterr().out


def test_whole_weights_are_verified_on_the_inputs_that_are_given(folder: Path, tmp_path: Path, capsys: Any) -> None:
    ids = str(folder / "ids.npy")
    assert run(["convert", str(folder / "table.keras"), str(tmp_path / "web"), "--inputs", ids]) == 0
    assert f"verified on chromium:cpu, with 8 samples of {ids}" in capsys.readouterr().out
    with pytest.raises(InputsFileError):
        pycheck.convert(folder / "table.keras", tmp_path / "no", inputs=np.zeros((8, 5), np.int32))
    with pytest.raises(InputsFileError, match=r"numbers from 0 to 49.*--no-verify"):
        pycheck.convert(folder / "table.keras", tmp_path / "no", inputs=folder / "beyond.npy")
    assert not (tmp_path / "no").exists()


def test_nothing_runs_where_no_verification_is_wanted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(BrowserRuntime, "start", None)  # a call of it would be an error
    assert run(["convert", str(folder / "loud.keras"), str(tmp_path / "web"), "--no-verify"]) == 0
    assert "not verified (--no-verify)" in capsys.readouterr().out
    assert pycheck.convert(folder / "loud.keras", tmp_path / "api", quantize="uint8", verify=False).format == "layers"
    assert (tmp_path / "web" / "model.json").is_file()


def test_without_a_browser_the_artifact_is_written_and_not_verified(folder: Path, tmp_path: Path, capsys: Any) -> None:
    model, none = str(folder / "table.keras"), str(tmp_path / "no-browser")
    assert run(["convert", model, str(tmp_path / "web"), "--browser-path", none]) == 3
    assert "NOT VERIFIED: no browser could run it" in capsys.readouterr().out
    assert (tmp_path / "web" / "model.json").is_file()


def test_what_tfjs_does_not_run_is_no_artifact(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    async def fail(runtime: BrowserRuntime, inputs: Any, **options: Any) -> Any:
        raise RuntimeFailedError("chromium:cpu: Cannot read properties of undefined")

    monkeypatch.setattr(BrowserRuntime, "predict", fail)
    assert run(["convert", str(folder / "table.keras"), str(tmp_path / "web")]) == 4
    captured = capsys.readouterr()
    assert (captured.out, (tmp_path / "web").exists()) == ("", False)
    assert "TF.js cannot run the layers artifact" in captured.err


def test_an_unavailable_browser_is_an_error_of_its_own_in_python(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(runtime: BrowserRuntime) -> None:
        raise RuntimeUnavailableError("chromium cannot be started")

    monkeypatch.setattr(BrowserRuntime, "start", missing)
    with pytest.raises(RuntimeUnavailableError, match="no browser could run it"):
        pycheck.convert(folder / "table.keras", tmp_path / "web")
    assert (tmp_path / "web" / "model.json").is_file()
