"""What is installed is recognized by what it brings, and a problem is told with the command that mends it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from pycheck.errors import InstallationError
from pycheck.model import tensorflow_import
from pycheck.setup.tensorflow_check import tensorflow_error
from pycheck.system import installed, keras2, process, quiet

from ..conftest import more

pytestmark = pytest.mark.real

Pretend = Callable[[Mapping[str, str]], None]

_MODULES = {
    "tf-nightly": "tensorflow",
    "tf-nightly-cpu": "tensorflow",
    "tensorflow-cpu": "tensorflow",
    "tf-keras": "tf_keras",
}


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """These distributions and no other, each with its module."""

    def install(versions: Mapping[str, str]) -> None:
        def version(name: str) -> str:
            if name not in versions:
                raise PackageNotFoundError(name)
            return versions[name]

        modules = {_MODULES.get(name, name) for name in versions}
        monkeypatch.setattr(installed, "version", version)
        monkeypatch.setattr(installed, "_is_there", lambda module: module in modules)
        monkeypatch.setattr(installed, "packages_distributions", lambda: {})

    return install


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu", "tf-nightly"])
def test_a_tensorflow_is_one_under_whichever_name(pretend: Pretend, name: str) -> None:
    pretend({name: "2.19.1", "keras": "3.10.0", "numpy": "2.1.0"})
    assert str(installed.find("tensorflow")) == f"{name} 2.19.1"
    assert installed.versions() == {name: "2.19.1", "keras": "3.10.0", "numpy": "2.1.0"}
    assert installed.tensorflow_problem() is None


def test_one_that_no_package_manager_knows_is_used_too(pretend: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend({"keras": "3.10.0"})
    monkeypatch.setattr(installed, "_is_there", lambda module: True)
    assert str(installed.find("tensorflow")) == "tensorflow unknown"
    assert installed.tensorflow_problem() is None


@pytest.mark.parametrize(
    ("versions", "seen", "command"),
    [
        ({}, "TensorFlow is not installed", 'pip install "pycheck[tensorflow]"'),
        ({"tensorflow": "2.15.1", "keras": "2.15.0"}, "tensorflow 2.15.1 is too old", '"tensorflow>=2.16"'),
        ({"tensorflow-cpu": "2.9.0", "keras": "2.9.0"}, "tensorflow-cpu 2.9.0 is too old", '"tensorflow-cpu>=2.16"'),
        ({"tensorflow": "2.18.0"}, "Keras is not installed", 'pip install "keras>=3.3"'),
        ({"tensorflow": "2.18.0", "keras": "3.2.1"}, "keras 3.2.1 is too old", 'pip install --upgrade "keras>=3.3"'),
        ({"tensorflow": "2.18.0", "keras": "2.15.0"}, "keras 2.15.0 is too old", '"keras>=3.3"'),
    ],
)
def test_a_tensorflow_that_cannot_be_used(pretend: Pretend, versions: dict[str, str], seen: str, command: str) -> None:
    pretend(versions)
    problem = installed.tensorflow_problem()
    assert problem is not None and problem.exit_code == 2
    assert seen in problem.message
    assert command in problem.advice


def test_a_newer_tensorflow_than_the_tested_ones_is_not_refused_for_its_number(pretend: Pretend) -> None:
    pretend({"tensorflow": "2.31.0", "keras": "3.20.0"})
    assert installed.tensorflow_problem() is None


@pytest.mark.parametrize(
    ("versions", "seen", "command"),
    [
        ({"tensorflow": "2.21.0"}, "tf-keras (Keras 2) is not installed", '"tf-keras==2.21.*"'),
        ({"tensorflow-cpu": "2.16.2"}, "not installed", 'pip install --no-deps "tf-keras==2.16.*"'),
        (
            {"tensorflow-cpu": "2.18.1", "tf-keras": "2.19.0"},
            "tf-keras 2.19.0",
            'pip install --no-deps "tf-keras==2.18.*"',
        ),
        ({"tf-nightly": "2.22.0.dev20260101"}, "not installed", "pip install tf-keras-nightly"),
        ({"tf-nightly-cpu": "2.22.0.dev1"}, "not installed", "pip install --no-deps tf-keras-nightly"),
        ({"tensorflow": "2.21.0", "tf-keras": "2.19.0"}, "tf-keras 2.19.0", "2.21.*"),
        ({}, "TensorFlow is not installed", "pycheck[tensorflow]"),
    ],
)
def test_a_keras_2_that_cannot_be_used(pretend: Pretend, versions: dict[str, str], seen: str, command: str) -> None:
    pretend(versions)
    problem = installed.tf_keras_problem()
    assert problem is not None
    assert seen in problem.message
    assert command in problem.advice


def test_a_keras_2_that_fits(pretend: Pretend) -> None:
    pretend({"tensorflow": "2.19.1", "tf-keras": "2.19.0"})
    assert installed.tf_keras_problem() is None


def test_a_package_that_fails_while_it_is_imported_is_told_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretend: Pretend
) -> None:
    (tmp_path / "tf_keras.py").write_text("raise TypeError('Descriptors cannot be created directly.\\nIf this')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tf_keras", raising=False)
    pretend({"tensorflow": "2.18.0", "tf-keras": "2.18.0"})
    with pytest.raises(InstallationError) as caught:
        keras2.import_tf_keras()
    assert "tf-keras 2.18.0: TypeError: Descriptors cannot be created directly." in caught.value.message
    assert caught.value.advice.endswith('pip install --force-reinstall "tf-keras==2.18.0"')


@pytest.mark.parametrize(
    ("version", "command"),
    [
        ("2.19.1", 'pip install --force-reinstall "tensorflow==2.19.1"'),
        ("2.18.0+nv24.11", 'pip install --force-reinstall "tensorflow==2.18.0"'),
        ("unknown", "pip install --force-reinstall tensorflow"),
    ],
)
def test_the_command_that_installs_a_package_again_names_a_version_that_there_is(
    pretend: Pretend, version: str, command: str
) -> None:
    pretend({"tensorflow": version})
    assert installed.broken("tensorflow", ImportError("no")).advice.endswith(f": {command}")


def test_a_folder_that_was_left_behind_is_no_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorflow" / "lite").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    problem = installed.tensorflow_problem()
    assert problem is not None
    assert "TensorFlow is not installed" in problem.message


def test_a_guest_does_not_change_the_backend_that_the_user_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setattr(process, "own", False)
    with pytest.raises(InstallationError, match=r"KERAS_BACKEND=torch is set.*\n.*KERAS_BACKEND=tensorflow"):
        tensorflow_import.import_tensorflow()


def _check_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> InstallationError | None:
    (tmp_path / "tensorflow.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]))
    return asyncio.run(tensorflow_error())


@pytest.mark.exhaustive
def test_the_doctor_tells_a_tensorflow_that_imports_from_one_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asyncio.run(tensorflow_error()) is None
    broken = _check_with(tmp_path, monkeypatch, "raise ImportError('numpy.core.multiarray failed to import')")
    assert broken is not None
    assert "ImportError: numpy.core.multiarray failed to import" in broken.message
    assert "pip install --force-reinstall" in broken.advice


@pytest.mark.exhaustive
def test_the_doctor_imports_nothing_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    assert asyncio.run(tensorflow_error()) is None


@pytest.mark.exhaustive
@pytest.mark.parametrize("own", [True, False])
def test_the_doctor_answers_as_compare_does_where_keras_has_another_backend(
    monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(process, "own", own)
    error = asyncio.run(tensorflow_error())
    assert (error is None) == own
    assert error is None or "KERAS_BACKEND=jax is set" in error.message


def test_the_doctor_survives_a_tensorflow_that_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = _check_with(tmp_path, monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    assert killed is not None
    assert "SIGILL" in killed.message and "tensorflow" in killed.message
    assert "need AVX" in killed.advice


_HEADER = "import ctypes, os, signal, sys, threading\n"


@pytest.mark.parametrize(
    ("module", "seen", "advice"),
    [
        ("signal.raise_signal(signal.SIGILL)", "SIGILL", "need AVX"),
        ("os.write(2, b'F0000 compiled for AVX\\n'); os.abort()", "F0000 compiled for AVX", "pip"),
        *more(
            ("ctypes.string_at(0)", "SIGSEGV", "pip install --force-reinstall"),
            ("ctypes.CDLL(None).memset(None, 1, 64)", "SIGSEGV", "pip install --force-reinstall"),
            (
                "thread = threading.Thread(target=ctypes.string_at, args=(0,)); thread.start(); thread.join()",
                "SIGSEGV",
                "",
            ),
        ),
    ],
)
def test_a_command_tells_of_a_tensorflow_that_kills_the_process_and_ends_with_2(
    tmp_path: Path, module: str, seen: str, advice: str
) -> None:
    done = _convert_with(tmp_path, _HEADER + module)
    assert done.returncode == 2, done.stderr
    message, then = [line for line in done.stderr.splitlines() if not re.match(r"[\w:-]+: [\w ]+$", line)]
    assert message.startswith("pycheck: ") and "tensorflow" in message and seen in message
    assert then.startswith("  ") and advice in then


def test_a_numpy_of_another_abi_is_one_message_without_the_tracebacks_that_numpy_prints(tmp_path: Path) -> None:
    module = (
        "import sys\nprint('A module that was compiled using NumPy 1.x cannot be run in NumPy 2', file=sys.stderr)\n"
        "raise ImportError('numpy.core.umath failed to import')"
    )
    done = _convert_with(tmp_path, module)
    assert done.returncode == 2
    message, then = [line for line in done.stderr.splitlines() if not re.match(r"[\w:-]+: [\w ]+$", line)]
    assert "ImportError: numpy.core.umath failed to import" in message
    assert "pip install --force-reinstall" in then


def test_what_an_import_that_succeeds_writes_is_seen_and_other_threads_write_on(capsys: Any) -> None:
    with quiet.quiet_failure():
        print("a warning", file=sys.stderr)
        other = threading.Thread(target=lambda: print("progress", file=sys.stderr))
        other.start()
        other.join()
    with pytest.raises(ValueError, match="no"), quiet.quiet_failure():
        print("dropped", file=sys.stderr)
        raise ValueError("no")
    assert capsys.readouterr().err == "progress\na warning\n"


def test_what_tensorflow_prints_about_its_own_work_is_no_message(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet.without_native_noise():
        os.write(2, b"E0000 00:00:1 24565 meta_optimizer.cc:967] remapper failed: INVALID_ARGUMENT\n")
        os.write(2, b"E0000 00:00:1 24565 bfc_allocator.cc:12] out of memory\n")
    assert capfd.readouterr().err == "E0000 00:00:1 24565 bfc_allocator.cc:12] out of memory\n"


def test_who_asks_python_for_a_traceback_of_a_fatal_signal_gets_that_too(tmp_path: Path) -> None:
    done = _convert_with(tmp_path, _HEADER + "ctypes.string_at(0)", PYTHONFAULTHANDLER="1")
    assert done.returncode == 2
    assert re.search(
        r'File ".*tensorflow\.py", line 2 in <module>.*\npycheck: .*tensorflow.*SIGSEGV', done.stderr, re.DOTALL
    )


def _convert_with(tmp_path: Path, module: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`pycheck convert` where this module is tensorflow."""
    (tmp_path / "tensorflow.py").write_text(module)
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(tmp_path), str(root)])
    model = str(root / "models" / "keras2.h5")
    return subprocess.run(
        [sys.executable, "-m", "pycheck", "convert", model, str(tmp_path / "out"), "--no-verify", "--no-cache"],
        env={**os.environ, "PYTHONPATH": paths, **variables}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
