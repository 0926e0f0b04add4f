"""pycheck init: what it finds in a folder, and the file that it writes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import h5py
import pytest

from pycheck.checks import begin
from pycheck.checks.reading import load
from pycheck.errors import UsageError

pytestmark = pytest.mark.real


def _model(path: Path) -> Path:
    """As much of a Keras .h5 file as tells that it is a whole model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": []}})
        file.attrs["keras_version"] = "3.0.0"
        file.create_group("model_weights")
    return path


def _artifact(folder: Path) -> None:
    folder.mkdir()
    content = {"format": "layers-model", "modelTopology": {"model_config": {}}, "weightsManifest": []}
    (folder / "model.json").write_text(json.dumps(content))


def test_the_file_it_writes_is_one_that_check_reads(tmp_path: Path) -> None:
    _model(tmp_path / "m.h5")
    begun = begin(tmp_path)
    config = load(begun.file)
    assert [(model.name, model.path) for model in config.models] == [("m", tmp_path / "m.h5")]
    assert "1 model" in begun.text


def test_every_comment_in_it_is_a_setting_that_exists(tmp_path: Path) -> None:
    _model(tmp_path / "m.h5")
    text = begin(tmp_path).file.read_text()
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    settings = [line for line in lines if line.startswith("[") or (" = " in line and not line.endswith("."))]
    (tmp_path / "m.npy").touch()
    heads = [line for line in settings if line.startswith("inputs")]
    (tmp_path / "pycheck.toml").write_text("\n".join(line for line in settings if line not in heads))
    assert {"tolerances", "budgets", "severity", "known", "baseline"} <= tomllib.loads("\n".join(settings)).keys()
    config = load(tmp_path / "pycheck.toml")
    assert (len(config.budgets), len(config.known), config.baseline.margin) == (1, 1, 2.0)


def test_inputs_beside_a_model_are_its_inputs_and_names_are_never_taken_twice(tmp_path: Path) -> None:
    _model(tmp_path / "m.h5")
    _model(tmp_path / "deep" / "m.hdf5")
    (tmp_path / "m_inputs.npz").touch()
    begun = begin(tmp_path)
    assert [(m.name, str(m.path), m.inputs and str(m.inputs)) for m in begun.models] == [
        ("m", "m.h5", "m_inputs.npz"),
        ("m-hdf5", "deep/m.hdf5", None),
    ]


def test_the_one_artifact_beside_the_one_model_is_what_ships(tmp_path: Path) -> None:
    _model(tmp_path / "m.h5")
    _artifact(tmp_path / "web")
    (model,) = load(begin(tmp_path).file).models
    assert model.settings["tfjs_model"] == tmp_path / "web" / "model.json"


def test_what_only_looks_like_a_model_is_said_to_be_none(tmp_path: Path) -> None:
    _model(tmp_path / "m.h5")
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "node_modules").mkdir()
    _model(tmp_path / "node_modules" / "other.h5")
    begun = begin(tmp_path)
    assert len(begun.models) == 1
    assert "not text.h5" in begun.text


def test_a_folder_without_models_is_told_where_it_was_looked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no model in(.|\n)*\.keras"):
        begin(tmp_path)
    assert not (tmp_path / "pycheck.toml").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    _model(tmp_path / "m.h5")
    (tmp_path / "pycheck.toml").write_text("samples = 3\n")
    with pytest.raises(UsageError, match=r"pycheck.toml exists"):
        begin(tmp_path)
    assert (tmp_path / "pycheck.toml").read_text() == "samples = 3\n"
