"""What works where TensorFlow, Keras and tf-keras are not installed, beside a cache that was filled where they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from .conftest import more

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[1]
_CONFIGURATION = """
runtimes = ["chromium:cpu"]
power = false

[[models]]
path = "m.keras"
inputs = "x.npy"
"""
#: Python finds no package of these names, as where they are not installed.
_ABSENT = """
import sys
from importlib.machinery import PathFinder
find_spec = PathFinder.find_spec
absent = ("tensorflow", "keras", "tf_keras", "tensorflowjs")
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in absent else find_spec(name, *rest)
"""
_COMMAND = f"{_ABSENT}\nfrom pycheck.cli import main as cli\nsys.exit(cli.run(sys.argv[1:]))"


@dataclass(frozen=True)
class Place:
    """A folder with models, inputs and a configuration, and the cache that their check has filled."""

    folder: Path

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A process of Python in the folder."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYCHECK_")}
        environment |= {"PYTHONPATH": str(ROOT), "PYCHECK_CACHE_DIR": str(self.folder / "cache")}
        return subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120
        )

    def without(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command line where there is no TensorFlow."""
        return self.python("-c", _COMMAND, *words)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Made with TensorFlow: the models, a saved run, and the accepted release."""
    import keras

    from pycheck.cli import main as cli
    from pycheck.workflow import pipeline

    from .shared import in_session

    made = Place(tmp_path_factory.mktemp("place"))
    (made.folder / "pycheck.toml").write_text(_CONFIGURATION)
    keras.utils.set_random_seed(0)
    x = keras.Input((4,), name="x")
    keras.Model(x, keras.layers.Dense(3, name="y")(x)).save(made.folder / "m.keras")
    keras.Model(x, keras.layers.Dense(2, name="y")(x)).save(made.folder / "other.keras")
    np.save(made.folder / "x.npy", np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.folder)
        patch.setenv("PYCHECK_CACHE_DIR", str(made.folder / "cache"))
        patch.setattr(pipeline, "alone", in_session)
        assert cli.run(["baseline", "update"]) == 0
        assert cli.run(["compare", "m.keras", "x.npy", "--runtime", "chromium:cpu", "--save-run", "run"]) == 0
    return made


def test_a_check_from_the_cache_is_held_against_the_baseline(place: Place) -> None:
    done = place.without("check", "--json", "-")
    assert done.returncode == 0, done.stderr
    check = json.loads(done.stdout)
    assert check["verdict"] == "pass"


def test_parts_are_merged_without_tensorflow_playwright_and_the_models(place: Place) -> None:
    parts = [f"parts/{number}" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        done = place.without("check", "--shard", f"{number}/2", "--save-run", part)
        assert done.returncode == 0, done.stderr
    model = (place.folder / "m.keras").rename(place.folder / "elsewhere.keras")
    try:
        without_playwright = _COMMAND.replace("absent = (", 'absent = ("playwright", ')
        done = place.python("-c", without_playwright, "merge", *parts, "--json", "-")
    finally:
        model.rename(place.folder / "m.keras")
    assert done.returncode == 0, done.stderr
    assert [report["name"] for report in json.loads(done.stdout)["reports"]] == ["m"]


@pytest.mark.exhaustive
def test_the_baseline_is_accepted_again_from_the_cache(place: Place) -> None:
    accepted = place.folder / "pycheck-baseline.toml"
    before = accepted.read_text()
    accepted.unlink()
    done = place.without("baseline", "update")
    assert done.returncode == 0, done.stderr
    assert accepted.read_text() == before


@pytest.mark.exhaustive
def test_a_comparison_comes_from_the_cache(place: Place) -> None:
    done = place.without("compare", "m.keras", "x.npy", "--runtime", "chromium:cpu", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "pass"


@pytest.mark.exhaustive
def test_a_saved_run_is_reported_and_judged_again(place: Place) -> None:
    assert place.without("report", "run").returncode == 0
    done = place.without("report", "run", "--atol", "0", "--rtol", "0", "--json", "-")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (1, "drift")
    judged = "import pycheck; print(pycheck.rejudge('run').verdict.value)"
    assert place.python("-c", f"{_ABSENT}\n{judged}").stdout == "pass\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("schema",), "schema_version"),
        (("schema", "check"), "schema_version"),
        (("schema", "migration"), "schema_version"),
        (("explain", "drift"), "drift"),
        (("inputs", "x.npy"), "float32 [6, 4]"),
        (("--version",), "pycheck "),
        (("compare", "--help"), "--runtime"),
    ],
)
def test_what_looks_at_no_model_works(place: Place, words: tuple[str, ...], told: str) -> None:
    done = place.without(*words)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout


def test_a_configuration_is_begun(place: Place, tmp_path: Path) -> None:
    shutil.copy(place.folder / "m.keras", tmp_path)
    done = place.without("init", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "m.keras" in (tmp_path / "pycheck.toml").read_text()


@pytest.mark.parametrize(
    "words",
    [("compare", "other.keras"), *more((("convert", "other.keras", "web"),), (("trace", "other.keras"),))],
)
def test_what_needs_tensorflow_says_how_to_install_one(place: Place, words: tuple[str, ...]) -> None:
    done = place.without(*words)
    assert (done.returncode, done.stdout) == (2, "")
    said = [line for line in done.stderr.splitlines() if line.startswith(("pycheck:", "  "))]
    assert said == [
        f"pycheck: TensorFlow is not installed for {sys.executable}.",
        '  Install a supported version (2.16 to 2.21): pip install "pycheck[tensorflow]"',
    ]


def test_doctor_says_that_it_is_missing_and_ends_with_3(place: Place) -> None:
    no_browser = "from pycheck.setup import doctor; doctor.BROWSER_ENGINES = ()"
    done = place.python("-c", f"{no_browser}\n{_COMMAND}", "doctor")
    assert done.returncode == 3, done.stderr
    assert "tensorflow not installed, keras not installed, tf-keras not installed" in done.stdout
    assert 'pip install "pycheck[tensorflow]"' in done.stdout
