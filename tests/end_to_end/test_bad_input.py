"""Inputs, artifacts, options and settings that cannot be used: exit code 2, and one message that names it."""

from __future__ import annotations

import json
import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import pycheck
from pycheck.conversion.existing import open_artifact
from pycheck.errors import ArtifactFileError
from pycheck.types import Signature, TensorSpec

from ..conftest import Cli
from ..fakes import Fakes, dense, faking
from .conftest import CPU, Files
from .refusals import refusing


@pytest.fixture(scope="module", autouse=True)
def module_fakes(cache_dir: Path) -> Iterator[Fakes]:
    with faking(cache_dir) as fakes:
        yield fakes


@pytest.fixture(scope="module")
def files(module_fakes: Fakes, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """m.keras takes x (4) and gives y (3), two.keras takes a (4) and b (2)."""
    folder = tmp_path_factory.mktemp("files")
    module_fakes.save(folder / "m.keras")
    module_fakes.save(folder / "two.keras", dense({"a": 4, "b": 2}))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.savez(folder / "x.npz", x=x)
    safetensors.numpy.save_file({"x": x}, folder / "x.safetensors")
    return Files(folder)


@pytest.fixture(scope="module")
def artifacts(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """m.keras as a TF.js model of both formats: layers/model.json and graph/model.json."""
    folder = tmp_path_factory.mktemp("artifacts")
    for artifact_format in ("layers", "graph"):
        pycheck.convert(files("m.keras"), folder / artifact_format, format=artifact_format)
    return folder


@pytest.fixture
def refused(run: Cli, work: Path, temporary: Path, cache_dir: Path) -> Callable[..., str]:
    return refusing(run, cache_dir, work, temporary)


X = np.zeros((5, 4), np.float32)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4, np.float32), "has shape (4,), but the model takes (samples, 4)"),
        (np.zeros((5, 4, 1), np.float32), "has shape (5, 4, 1), but the model takes (samples, 4)"),
        (np.zeros((5, 3), np.float32), "size 3 on axis 1, but the model takes 4"),
        (np.zeros((5, 4), np.complex64), "is complex64, but the model takes float32"),
        (np.full((5, 4), "text"), "but the model takes float32"),
        (np.zeros((5, 4), "datetime64[s]"), "is datetime64[s], but the model takes float32"),
        (np.full((5, 4), 1e300), "which float32 cannot hold"),
        (np.full((5, 4), 2**53 + 1), "which float32 cannot hold"),
        (np.zeros((0, 4), np.float32), "has no samples"),
        (np.array([[1, None, 2, 3]], object), "bad.npy"),
        (np.zeros(5, [("p", "f4"), ("q", "f4")]), "bad.npy"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(
    array: Any, message: str, files: Files, refused: Callable[..., str], work: Path
) -> None:
    np.save(work / "bad.npy", array)
    assert message in refused(files("m.keras"), "bad.npy", *CPU)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (None, "x.npy", "x.npy"),
        (b"", "x.npy", "x.npy is empty"),
        (b"hello", "x.npy", "'hello'"),
        (pickle.dumps(X), "x.npy", "pickle"),
        (b"hello", "x.npz", "x.npz"),
    ],
)
def test_what_is_no_inputs_is_refused(
    content: bytes | None, name: str, message: str, files: Files, refused: Callable[..., str], work: Path
) -> None:
    if content is not None:
        (work / name).write_bytes(content)
    assert message in refused(files("m.keras"), name, *CPU)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.safetensors"])
def test_truncated_inputs_are_refused(name: str, files: Files, refused: Callable[..., str], work: Path) -> None:
    size = files(name).stat().st_size
    for kept in (7, size // 2, size - 1):
        said = refused(files("m.keras"), files.damaged(name, work, lambda data, n=kept: data[:n]), *CPU)
        assert name in said and "truncated" in said


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"a": (5, 4)}, "'b'"),
        ({"a": (5, 4), "b": (5, 2), "c": (5, 1)}, "'c'"),
        ({"a": (5, 4), "bb": (5, 2)}, "'bb'"),
        ({"a": (5, 4), "b": (4, 2)}, "a 5, b 4"),
    ],
)
def test_inputs_by_wrong_names_are_refused(
    names: dict[str, tuple[int, ...]], message: str, files: Files, refused: Callable[..., str], work: Path
) -> None:
    np.savez(work / "inputs.npz", **{name: np.zeros(shape, np.float32) for name, shape in names.items()})
    assert message in refused(files("two.keras"), "inputs.npz", *CPU)


def test_one_array_for_two_inputs_is_refused(files: Files, refused: Callable[..., str]) -> None:
    said = refused(files("two.keras"), files("x.npy"), *CPU)
    assert "(a, b)" in said
    assert "numpy.savez(path, a=..., b=...)" in said


def test_damaged_headers_of_inputs_never_surprise(files: Files, work: Path) -> None:
    from pycheck.errors import InputsFileError
    from pycheck.inputs import open_inputs

    signature = Signature((TensorSpec("x", "float32", (None, 4)),), (TensorSpec("y", "float32", (None, 3)),))
    generator, refusals = random.Random(1), 0
    for name in ("x.npy", "x.npz", "x.safetensors"):
        whole = files(name).read_bytes()
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(generator.randint(1, 3)):
                data[generator.randrange(min(len(data), 130))] = generator.randrange(256)
            (work / name).write_bytes(data)
            try:
                for batch in open_inputs(work / name, signature).batches(2):
                    assert batch.tensors["x"].shape == (batch.size, 4)
            except InputsFileError:
                refusals += 1
    assert refusals > 300


# --------------------------------------------------------------------- existing artifacts


def _document(folder: Path) -> Any:
    return json.loads((folder / "model.json").read_bytes())


@pytest.mark.parametrize("artifact_format", ["layers", "graph"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../secret.bin", "folder"),
        ("/etc/hostname", "folder"),
        ("https://example.com/x.bin", "folder"),
        ("nothing.bin", "'nothing.bin'"),
        (7, "'7'"),
    ],
)
def test_a_shard_that_is_elsewhere_is_refused(
    artifact_format: str,
    path: Any,
    message: str,
    files: Files,
    artifacts: Path,
    refused: Callable[..., str],
    work: Path,
) -> None:
    shutil.copytree(artifacts / artifact_format, work / "web")
    (work / "secret.bin").write_bytes(b"x" * 60)
    document = _document(work / "web")
    document["weightsManifest"][0]["paths"] = [path]
    (work / "web" / "model.json").write_text(json.dumps(document))
    assert message in refused(files("m.keras"), files("x.npy"), "--tfjs-model", "web/model.json", *CPU)


def test_a_shard_that_is_a_link_out_of_its_folder_is_refused(
    files: Files, artifacts: Path, refused: Callable[..., str], work: Path
) -> None:
    shutil.copytree(artifacts / "graph", work / "web")
    shard = next((work / "web").glob("*.bin"))
    shard.rename(work / "secret.bin")
    shard.symlink_to(work / "secret.bin")
    said = refused(files("m.keras"), files("x.npy"), "--tfjs-model", "web", *CPU)
    assert shard.name in said and "folder" in said


def test_a_shard_that_is_short_is_refused(
    files: Files, artifacts: Path, refused: Callable[..., str], work: Path
) -> None:
    shutil.copytree(artifacts / "graph", work / "web")
    shard = next((work / "web").glob("*.bin"))
    shard.write_bytes(shard.read_bytes()[:-4])
    said = refused(files("m.keras"), files("x.npy"), "--tfjs-model", "web", *CPU)
    assert shard.name in said and "56" in said and "60" in said


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"modelTopology": {}}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_tfjs_model_is_refused(
    content: bytes, files: Files, refused: Callable[..., str], work: Path
) -> None:
    (work / "model.json").write_bytes(content)
    said = refused(files("m.keras"), files("x.npy"), "--tfjs-model", "model.json", *CPU)
    assert "model.json" in said


def _places(document: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key and index within a JSON document."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [found for key, value in items for found in ((*place, key), *_places(value, (*place, key)))]


_JUNK: tuple[Any, ...] = (None, 0, -1, 1e99, True, "", "zzz", [], {}, [[]], {"a": 1}, ["x"])


def _damage(document: Any, generator: random.Random) -> Any:
    """A copy in which one thing is gone or something else."""
    document = json.loads(json.dumps(document))
    *way, last = generator.choice(_places(document))
    parent = document
    for key in way:
        parent = parent[key]
    if generator.random() < 0.35:
        del parent[last]
    else:
        parent[last] = generator.choice(_JUNK)
    return document


@pytest.mark.parametrize("artifact_format", ["layers", "graph"])
def test_a_damaged_model_json_never_surprises(artifact_format: str, artifacts: Path, work: Path) -> None:
    signature = Signature((TensorSpec("x", "float32", (None, 4)),), (TensorSpec("y", "float32", (None, 3)),))
    shutil.copytree(artifacts / artifact_format, work / "web")
    document, generator, refusals = _document(work / "web"), random.Random(2), 0
    for _ in range(600):
        (work / "web" / "model.json").write_text(json.dumps(_damage(document, generator)))
        try:
            assert open_artifact(work / "web", signature).folder == (work / "web").resolve()
        except ArtifactFileError as error:
            assert "model.json" in error.message
            refusals += 1
    assert refusals > 60


# ------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runtime", "chromium:gpu"], "'chromium:gpu'"),
        (["--runtime", "netscape:cpu"], "'netscape'"),
        (["--runtime", "native:float32"], "chromium:webgl"),
        (["--flag", "WEBGL_PACK", *CPU], "--flag WEBGL_PACK"),
        (["--atol", "z:1e-3", *CPU], "'z'"),
        (["--atol", "small"], "'small'"),
        (["--rtol", "-1"], "--rtol -1"),
        (["--max-ulp", "nan"], "--max-ulp nan"),
        (["--json", "-", "--html", "-"], "standard output"),
        (["--json", "r", "--junit", "r"], "--json and --junit"),
        (["--map-output", "a=y"], "Add --tfjs-model PATH"),
        (["--tfjs-model", "nothing", *CPU], "No such file or directory"),
        (["--timeout", "0"], "--timeout 0.0"),
        (["--timeout", "nan"], "--timeout nan"),
        (["--timeout", "inf"], "--timeout inf"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--format", "graf"], "Did you mean graph?"),
        (["--quantize", "int4"], "one of none, float16, uint16, uint8"),
        (["--nan", "perhaps"], "fail, warn, ignore"),
        (["--save-run", "/proc/nowhere"], "--save-run /proc/nowhere"),
    ],
)
def test_a_wrong_option_is_refused(options: list[str], message: str, files: Files, refused: Callable[..., str]) -> None:
    assert message in refused(files("m.keras"), files("x.npy"), *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "-1"),
        (["--samples", "0"], "--samples 0"),
        (["--range", "1:0"], "--range 1:0"),
        (["--range", "0:inf"], "0:inf"),
        (["--range", "0:1e300"], "float32"),
    ],
)
def test_inputs_that_cannot_be_made_are_refused(
    options: list[str], message: str, files: Files, refused: Callable[..., str]
) -> None:
    assert message in refused(files("m.keras"), *options, *CPU)


@pytest.mark.parametrize("option", ["--json", "--html", "--junit"])
@pytest.mark.parametrize("path", ["nowhere/report", "/proc/nowhere/report", "."])
def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(
    option: str, path: str, files: Files, refused: Callable[..., str]
) -> None:
    said = refused(files("m.keras"), files("x.npy"), option, path)
    assert f"{option} {path}" in said


def test_a_folder_of_someone_else_is_no_place_for_a_run(files: Files, refused: Callable[..., str], work: Path) -> None:
    (work / "letters").mkdir()
    (work / "letters" / "dear.txt").write_text("Sir")
    said = refused(files("m.keras"), files("x.npy"), "--save-run", "letters", *CPU)
    assert "--save-run letters" in said


def test_an_earlier_run_survives_one_that_is_refused(files: Files, refused: Callable[..., str], work: Path) -> None:
    (work / "run").mkdir()
    (work / "run" / "run.json").write_text("{}")
    refused(files("m.keras"), files("x.npy"), "--save-run", "run", "--atol", "z:1", *CPU)
    assert (work / "run" / "run.json").read_text() == "{}"


def test_the_folders_made_for_a_run_that_is_refused_are_gone(
    files: Files, refused: Callable[..., str], work: Path
) -> None:
    refused(files("m.keras"), files("x.npy"), "--save-run", "a/b/run", "--atol", "z:1", *CPU)
    assert not (work / "a").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pycheck.toml", "formt = 'graph'", "Did you mean format?"),
        ("pycheck.toml", "samples = 'many'", "the value is 'many'"),
        ("pycheck.toml", "samples = ", "pycheck.toml: "),
        ("pyproject.toml", "tool = 3  # pycheck", "[tool.pycheck]"),
    ],
)
def test_a_wrong_configuration_is_refused(
    name: str, text: str, message: str, files: Files, refused: Callable[..., str], work: Path
) -> None:
    (work / name).write_text(text)
    said = refused(files("m.keras"), files("x.npy"))
    assert message in said
    assert name in said
