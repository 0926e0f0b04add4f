"""Models that cannot be used, and what only TensorFlow or TF.js can tell: refused with one message that names it."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ..conftest import Cli, more
from .conftest import CPU, Files
from .refusals import NO_BROWSER, is_one_clean_message, refusing

pytestmark = pytest.mark.real


@pytest.fixture
def refused(run: Cli, work: Path, temporary: Path, cache_dir: Path) -> Callable[..., str]:
    return refusing(run, cache_dir, work, temporary)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (None, "m.keras", "There is no model at"),
        (b"", "m.keras", "is empty (0 bytes)"),
        (b"", "m.h5", "is empty (0 bytes)"),
        (b"Dear Sir,", "m.keras", "is not a .keras archive: it starts with 'Dear Sir,'"),
        (b"Dear Sir,", "m.h5", "is not an HDF5 file: it starts with 'Dear Sir,'"),
        (b"Dear Sir,", "m.txt", "is not a model: it starts with 'Dear Sir,'"),
        (b'{"a": 1}', "model.json", "is JSON, but not a TF.js model"),
    ],
)
def test_what_is_no_model_is_refused(
    content: bytes | None, name: str, message: str, files: Files, refused: Callable[..., str], work: Path
) -> None:
    if content is not None:
        (work / name).write_bytes(content)
    said = refused(name, files("x.npy"), *CPU)
    assert message in said
    assert name in said


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "keras2.h5"])
def test_a_truncated_model_is_refused(name: str, files: Files, refused: Callable[..., str], work: Path) -> None:
    size = files(name).stat().st_size
    for kept in (7, 100, size // 2, size - 9, size - 1):
        said = refused(files.damaged(name, work, lambda data, n=kept: data[:n]), files("x.npy"), *CPU)
        assert name in said


@pytest.mark.parametrize("count", [2, pytest.param(15, marks=pytest.mark.exhaustive)])
def test_a_model_with_flipped_bytes_is_refused_or_loads(files: Files, run: Cli, work: Path, count: int) -> None:
    """Nothing checks every byte of an HDF5 file, so a changed weight may load; what does not load is told."""
    generator, codes = random.Random(0), set()

    def flip(data: bytes) -> bytes:
        position = generator.randrange(len(data))
        return data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]

    for name in ("m.keras", "m.h5"):
        for _ in range(count):
            model = files.damaged(name, work, flip)
            said = run("compare", model, files("x.npy"), *CPU, "--no-cache", *NO_BROWSER, "-q")
            assert said.code in (2, 3, 4), said.err  # 3: it loads, and then there is no browser
            assert "Traceback" not in said.err
            codes.add(said.code)
    assert 2 in codes


@pytest.mark.parametrize("name", ["weights.h5", "only.weights.h5", "weights2.h5"])
def test_weights_without_a_model_are_called_that(name: str, files: Files, refused: Callable[..., str]) -> None:
    said = refused(files(name), files("x.npy"), *CPU)
    assert name in said and "only weights" in said
    assert "model.save(" in said


@pytest.mark.parametrize("name", ["custom.keras", "custom.h5"])
def test_a_custom_layer_that_nobody_defines_is_named(name: str, files: Files, refused: Callable[..., str]) -> None:
    said = refused(files(name), files("x.npy"), *CPU)
    assert "uses 'Twice', which keras" in said
    assert "--custom-objects your_module:Twice" in said


@pytest.mark.parametrize("reference", ["nowhere:Twice", *more("json:Twice", "Twice")])
def test_a_custom_object_that_is_not_there_is_named(reference: str, files: Files, refused: Callable[..., str]) -> None:
    assert repr(reference) in refused(files("custom.keras"), files("x.npy"), "--custom-objects", reference, *CPU)


@pytest.mark.parametrize("name", ["lambda.keras", "lambda2.h5", *more("lambda.h5", "lambda2.keras")])
def test_a_lambda_layer_is_refused_without_trust(name: str, files: Files, refused: Callable[..., str]) -> None:
    said = refused(files(name), files("x.npy"), *CPU, starts_browser=name == "lambda.keras")
    assert "the layer 'code' is a Lambda, which would run code from the file" in said
    assert "--trust-model" in said


@pytest.mark.parametrize("name", ["lambda.keras", "lambda2.h5"])
def test_a_lambda_layer_runs_with_trust(name: str, files: Files, run: Cli, work: Path) -> None:
    assert run("convert", files(name), work / "out", "--trust-model", "--format", "graph").code == 0


@pytest.mark.parametrize("artifact_format", ["layers", "graph"])
def test_a_damage_that_only_tfjs_can_see_is_the_failure_of_the_runtime(
    artifact_format: str, files: Files, artifacts: Path, run: Cli, work: Path
) -> None:
    shutil.copytree(artifacts / artifact_format, work / "web")
    text = (work / "web" / "model.json").read_text()
    damaged = (
        text.replace('"Dense"', '"Dence"') if artifact_format == "layers" else text.replace('"MatMul"', '"MatMal"')
    )
    damaged = damaged.replace('"_FusedMatMul"', '"_FusedMatMal"')
    assert damaged != text
    (work / "web" / "model.json").write_text(damaged)
    said = run("compare", files("m.keras"), files("x.npy"), "--tfjs-model", "web", *CPU)
    assert said.code == 3, said.err
    assert "chromium:cpu" in said.out
    assert "Dence" in said.out or "MatMal" in said.out


def test_a_layer_that_is_not_there_ends_a_trace_before_its_comparison(files: Files, run: Cli) -> None:
    """The many samples would take minutes."""
    started = time.perf_counter()
    said = run("trace", files("m.keras"), "--samples", "200000", "--batch-size", "4", "--layer", "dens", *CPU)
    assert (said.code, said.out) == (2, "")
    assert is_one_clean_message(said)
    assert "--layer dens: the artifact has no layer and no node of that name" in said.messages
    assert time.perf_counter() - started < 60


def test_a_flag_that_tfjs_does_not_have_is_refused(files: Files, refused: Callable[..., str]) -> None:
    said = refused(files("m.keras"), files("x.npy"), "--flag", "WEBGL_PAK=1", *CPU, starts_browser=True)
    assert "TF.js has no flag 'WEBGL_PAK'" in said
