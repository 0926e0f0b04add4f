"""`--converter tensorflowjs`: which command converts which model, where it runs, and what is told if it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pycheck
from pycheck.conversion import published_environment
from pycheck.conversion.published import convert_published
from pycheck.conversion.published_environment import PublishedConverter, find_published, install_published
from pycheck.errors import ConversionError, InstallationError, UsageError
from pycheck.model import identify, load
from pycheck.model.tensorflow_import import import_tensorflow
from pycheck.options.reading import build
from pycheck.system.cache import ENVIRONMENTS, Cache
from pycheck.workflow import versions

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "models"
#: Where `pycheck doctor --install tensorflowjs` made its environment; read before the tests have a cache of their own.
CONVERTER_CACHE = os.environ.get("PYCHECK_TEST_CONVERTER_CACHE")


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> tuple[PublishedConverter, Path]:
    """A converter that writes down its words and fails, as the published one does: with a traceback."""
    folder = tmp_path_factory.mktemp("fake")
    program, words = folder / "python", folder / "words"
    program.write_text(
        f'#!/bin/sh\nshift 2\nprintf "%s\\n" "$@" > {words}\n'
        'echo "Traceback (most recent call last):" >&2\necho "ValueError: Unsupported Ops in the model" >&2\n'
        "echo Erfc >&2\nexit 1\n"
    )
    program.chmod(0o755)
    return PublishedConverter(str(program), "4.22.0", "2.19.0"), words


def _words(recorder: tuple[PublishedConverter, Path], model: Any, folder: Path, **options: Any) -> list[str]:
    converter, words = recorder
    with pytest.raises(ConversionError) as caught:
        convert_published(model, folder / "web", converter, **options)
    assert caught.value.message == (
        "tensorflowjs 4.22.0, tensorflow 2.19.0 cannot convert the model: ValueError: Unsupported Ops in the model Erfc"
    )
    assert "--converter" in caught.value.advice
    return words.read_text().splitlines()


def test_a_file_of_keras_2_becomes_a_layers_model_by_the_documented_command(recorder: Any, tmp_path: Path) -> None:
    path = SAMPLES / "keras2.h5"
    words = _words(recorder, load(identify(path)), tmp_path)
    assert words == ["--input_format=keras", "--output_format=tfjs_layers_model", str(path), str(tmp_path / "web")]


def test_a_model_of_keras_3_is_exported_and_becomes_a_graph_model(recorder: Any, tmp_path: Path, capfd: Any) -> None:
    import_tensorflow()
    import keras

    x = keras.Input((3,))
    words = _words(recorder, load(keras.Model(x, keras.layers.Dense(2)(x))), tmp_path, quantize="uint8")
    assert words[:3] == ["--input_format=tf_saved_model", "--output_format=tfjs_graph_model", "--quantize_uint8=*"]
    assert capfd.readouterr().out == ""


def test_layers_are_made_of_a_copy_of_a_keras_file(recorder: Any, tmp_path: Path) -> None:
    """The converter unzips the file beside it."""
    import_tensorflow()
    import keras

    x = keras.Input((3,))
    words = _words(recorder, load(keras.Model(x, keras.layers.Dense(2)(x))), tmp_path, format="layers")
    assert words[:2] == ["--input_format=keras_keras", "--output_format=tfjs_layers_model"]
    assert not words[2].startswith(str(SAMPLES))


def test_a_saved_model_is_given_as_it_is_with_its_signature(recorder: Any, tmp_path: Path) -> None:
    tf = import_tensorflow()
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": x + 1.0}, input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"other": module.f})
    model = load(identify(tmp_path / "saved"), signature="other")
    words = _words(recorder, model, tmp_path, signature="other")
    assert words[2:] == ["--signature_name=other", str(tmp_path / "saved"), str(tmp_path / "web")]
    with pytest.raises(ConversionError, match="no Keras layers"):
        convert_published(model, tmp_path / "web", recorder[0], format="layers")


def test_options_that_the_published_converter_has_not_are_refused() -> None:
    with pytest.raises(UsageError, match="--keep-float"):
        build({"converter": "tensorflowjs", "quantize": "uint8", "keep_float": ("bn",)}, environ={})
    with pytest.raises(UsageError, match="--tfjs-model"):
        build({"converter": "tensorflowjs", "tfjs_model": "web"}, environ={})
    with pytest.raises(UsageError, match="one of pycheck, tensorflowjs"):
        build({"converter": "tfjs"}, environ={})


def test_where_it_is_not_installed_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_environment, "_TENSORFLOW", (2, 15))  # the one that is here is newer
    with pytest.raises(InstallationError, match="pycheck doctor --install tensorflowjs"):
        find_published(Cache(tmp_path))
    with pytest.raises(InstallationError, match="pycheck doctor --install tensorflowjs"):
        pycheck.compare(SAMPLES / "keras2.h5", converter="tensorflowjs", samples=2, cache=False)


def _pretend_to_install(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Environments are made, without packages but for what says that they are there. Returns what is run."""
    ran: list[list[str]] = []

    def run(words: list[str]) -> None:
        ran.append(words)
        if "venv" in words:
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", words[-1]], check=True)
            (packages,) = Path(words[-1]).glob("lib/python*/site-packages")
            for name, version in (("tensorflowjs", "4.22.0"), ("tensorflow", "2.19.1")):
                (packages / f"{name}-{version}.dist-info").mkdir()
                (packages / f"{name}-{version}.dist-info" / "METADATA").write_text(
                    f"Name: {name}\nVersion: {version}\n"
                )

    monkeypatch.setattr(published_environment, "_run", run)
    monkeypatch.setattr(published_environment, "_TENSORFLOW", (2, 15))
    monkeypatch.setattr(published_environment, "_find_python", lambda: sys.executable)
    return ran


@pytest.mark.parametrize("stale", ["python", "packages"])
def test_an_environment_that_no_longer_answers_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stale: str
) -> None:
    ran = _pretend_to_install(monkeypatch)
    made = install_published(Cache(tmp_path), lambda _: None)
    count = len(ran)
    if stale == "python":
        Path(made.python).unlink()
        Path(made.python).symlink_to(tmp_path / "gone")
    else:
        (packages,) = (tmp_path / ENVIRONMENTS).glob("*/lib/python*/site-packages/tensorflowjs-*")
        shutil.rmtree(packages)
    with pytest.raises(InstallationError, match="pycheck doctor --install tensorflowjs"):
        find_published(Cache(tmp_path))
    assert install_published(Cache(tmp_path), lambda _: None) == made
    assert len(ran) == 2 * count
    assert [folder.name for folder in (tmp_path / ENVIRONMENTS).iterdir()] == ["tensorflowjs-4.22.0"]


def test_what_it_made_before_is_found_when_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_to_install(monkeypatch)
    with pytest.raises(InstallationError):
        versions.published_converter(Cache(tmp_path))
    made = install_published(Cache(tmp_path), lambda _: None)
    assert versions.published_converter(Cache(tmp_path)) == made
    shutil.rmtree(tmp_path / ENVIRONMENTS)
    assert versions.published_converter(Cache(tmp_path)) == made
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path))
    with pytest.raises(InstallationError, match="pycheck doctor --install tensorflowjs"):
        pycheck.compare(SAMPLES / "keras2.h5", converter="tensorflowjs", samples=2)


def test_of_two_that_are_made_at_once_the_first_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_to_install(monkeypatch)
    fill = published_environment._fill

    def slow(python: str, folder: Path) -> None:
        fill(python, folder)
        monkeypatch.setattr(published_environment, "_fill", fill)
        first.append(install_published(Cache(tmp_path), lambda _: None))

    first: list[PublishedConverter] = []
    monkeypatch.setattr(published_environment, "_fill", slow)
    assert [install_published(Cache(tmp_path), lambda _: None)] == first
    assert [folder.name for folder in (tmp_path / ENVIRONMENTS).iterdir()] == ["tensorflowjs-4.22.0"]


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_to_install(monkeypatch)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InstallationError, match=r"Cannot install .*\n.*PYCHECK_CACHE_DIR"):
        install_published(Cache(tmp_path / "file"), lambda _: None)


def test_its_own_environment_goes_before_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_to_install(monkeypatch)
    monkeypatch.setattr(published_environment, "_TENSORFLOW", (2, 99))
    assert find_published(Cache(tmp_path)).python == sys.executable
    made = install_published(Cache(tmp_path), lambda _: None)
    assert find_published(Cache(tmp_path)) == made
    assert str(made) == "tensorflowjs 4.22.0, tensorflow 2.19.1"


def test_its_python_imports_nothing_of_the_working_folder_or_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend_to_install(monkeypatch)
    made = install_published(Cache(tmp_path), lambda _: None)
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    assert published_environment._answers(sys.executable, "import json; print('right')") == "right"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert published_environment._answers(made.python, "import json; print('right')") == "right"


def test_its_environment_is_made_once_and_found_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = _pretend_to_install(monkeypatch)
    notes: list[str] = []
    found = install_published(Cache(tmp_path), notes.append)
    assert found.python.startswith(str(tmp_path / ENVIRONMENTS / "tensorflowjs-4.22.0"))
    assert ran[-1][-2:] == ["--no-deps", "tensorflowjs==4.22.0"]
    assert len(notes) == 1 and "about 2 GB" in notes[0]
    count = len(ran)
    assert install_published(Cache(tmp_path), notes.append) == found
    assert len(ran) == count
    Cache(tmp_path, limit_bytes=0).close()
    assert Path(found.python).is_file(), "the limit of the cache is for its entries"


def test_an_installation_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_environment, "_TENSORFLOW", (2, 15))
    monkeypatch.setattr(published_environment, "_find_python", lambda: sys.executable)
    monkeypatch.setattr(published_environment, "_PACKAGES", ("--no-index", "no-such-package"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(InstallationError, match="Cannot install"):
        install_published(Cache(tmp_path), lambda _: None)
    assert list((tmp_path / ENVIRONMENTS).iterdir()) == []


def test_without_a_python_that_fits_the_ones_that_do_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_environment, "_PYTHONS", ("3.99",))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    with pytest.raises(InstallationError, match=r"Python 3\.99.*\n.*uv python install"):
        install_published(Cache(tmp_path), lambda _: None)


def _compare_published(sample: str, artifact_format: str) -> None:
    report = pycheck.compare(
        SAMPLES / sample, samples=2, runtimes=["chromium:cpu"], converter="tensorflowjs", power=False
    )
    assert report.passed
    assert report.artifact is not None
    assert report.artifact.format == artifact_format
    assert report.artifact.converter.startswith("tensorflowjs 4.22.0, tensorflow 2.")
    assert "--converter tensorflowjs" in report.command


_CONVERTED = pytest.mark.parametrize(("sample", "artifact_format"), [("keras2.h5", "layers"), ("cnn.keras", "graph")])


@_CONVERTED
def test_an_artifact_of_the_converter_beside_this_tensorflow_is_compared(
    sample: str, artifact_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path))
    try:
        find_published(Cache(tmp_path))
    except InstallationError:
        pytest.skip("the published converter is not beside a TensorFlow that it was made for: see the exhaustive tests")
    _compare_published(sample, artifact_format)


@pytest.fixture(scope="module")
def converter_environment() -> Path:
    """A cache with the environment of the converter, which `pycheck doctor` makes once; nothing else is kept there."""
    cache = Path(CONVERTER_CACHE or ROOT / ".setup" / "converter").resolve()
    done = subprocess.run(
        [sys.executable, "-m", "pycheck", "doctor", "--install", "tensorflowjs"],
        env={**os.environ, "PYCHECK_CACHE_DIR": str(cache)}, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tensorflowjs 4.22.0, tensorflow 2.19.")
    return cache / ENVIRONMENTS


@pytest.mark.exhaustive
@pytest.mark.timeout(2000)  # the first time it installs about 2 GB
@_CONVERTED
def test_an_artifact_of_the_converter_in_its_own_environment_is_compared(
    converter_environment: Path, sample: str, artifact_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ENVIRONMENTS).symlink_to(converter_environment)
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path))
    _compare_published(sample, artifact_format)
