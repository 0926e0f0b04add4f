"""Tries pycheck beside TensorFlows of several versions, each in an environment made for it.

``make environments`` builds the wheel. For each environment it installs a TensorFlow as a user has it, checks with the
report of pip that the wheel moves none of what is installed, installs it, and runs the quick tests. Then it saves the
samples with the Keras of the environment, and compares and trains them in a browser. An interpreter that this machine
lacks leaves its environment out. Exit code: 0 if everything passed, and something was tried.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".setup" / "environments"
#: At most so much comes beside TensorFlow; in megabytes, beside Playwright too, whose size changes with its releases.
MOST_PACKAGES, MOST_MEGABYTES = 35, 40
#: What the tests hold weight files against; its dependencies would move TensorFlow.
PUBLISHED_CONVERTER = "tensorflowjs==4.22.0"
TEST_TOOLS = (
    "hypothesis>=6.100", "pytest>=8.3", "pytest-timeout>=2.3", "pytest-xdist>=3.6", "pyyaml>=6", "syrupy>=4.8",
    "pillow>=10", "scipy>=1.11", "soundfile>=0.12",  # the extra "files"
    "distributed>=2024.8",  # of the extra "dask"
)  # fmt: skip
#: In a process each: TensorFlow 2.16 flushes denormals, of which quick tests make some.
TESTS = {
    "quick tests": ("--quick",),
    "tests beside TensorFlow": (
        "tests/graphdef/test_internals.py", "tests/system/test_installed.py", "tests/test_package.py",
        "tests/artifact/test_operations.py", "tests/conversion_graph/test_weight_files.py", "tests/model/test_load.py",
    ),
}  # fmt: skip
#: Saved by the Keras of the environment: an older one does not read what a newer one wrote.
SAMPLES = ("cnn", "attention", "keras2")
RUNTIME = ("--runtime", "chromium:cpu", "--no-color", "-q")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An environment of a user: a Python, and what is installed there before pycheck comes."""

    python: str
    packages: tuple[str, ...]
    without_dependencies: tuple[str, ...] = ()  # tf-keras requires the distribution tensorflow by its name


ENVIRONMENTS = {
    "oldest": Wanted(
        "3.11", ("tensorflow==2.16.*", "tf-keras==2.16.*", "keras==3.3.*", "numpy==1.26.*", "protobuf==4.*")
    ),
    # Python 3.11: tf-keras 2.18 draws seeds with random.randint(1, 1e9), which Python 3.12 refuses.
    "cpu": Wanted("3.11", ("tensorflow-cpu==2.18.*", "keras==3.6.*"), ("tf-keras==2.18.*",)),
    "middle": Wanted("3.12", ("tensorflow==2.19.*", "tf-keras==2.19.*", "keras==3.10.*")),
    "newest": Wanted("3.13", ("tensorflow==2.21.*", "tf-keras==2.21.*", "keras", "protobuf")),
}


@dataclass(slots=True)
class Outcome:
    """What was found in one environment."""

    name: str
    versions: str = ""
    new_packages: int = 0
    megabytes: float = 0.0
    verdicts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """A row of the table."""
        said = ", ".join(f"{name} {verdict}" for name, verdict in self.verdicts.items())
        return f"{self.name:<8} {self.versions:<78} {self.new_packages:>3} packages {self.megabytes:>6.1f} MB  {said}"


def main() -> int:
    """Try the environments that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(ENVIRONMENTS)}; none means all")
    names = parser.parse_args().names or list(ENVIRONMENTS)
    if unknown := set(names) - set(ENVIRONMENTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(ENVIRONMENTS)}")
    wheel = _wheel()
    outcomes = []
    for name in names:
        python = find_python(ENVIRONMENTS[name].python)
        if python is None:
            print(f"{name}: left out, there is no Python {ENVIRONMENTS[name].python} here", flush=True)
            continue
        outcomes.append(_try(name, ENVIRONMENTS[name], python, wheel))
    print(*(outcome.line() for outcome in outcomes), sep="\n")
    problems = [f"{outcome.name}: {problem}" for outcome in outcomes for problem in outcome.problems]
    print(*problems, sep="\n", file=sys.stderr)
    print(f"{len(outcomes)} environments, {len(problems)} problems")
    return 1 if problems or not outcomes else 0


def find_python(version: str) -> str | None:
    """An interpreter of this version: on the path, or one that pyenv keeps."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    kept = [str(path / "bin" / "python") for path in sorted(root.glob(f"{version}.*"), reverse=True)]
    for candidate in (f"python{version}", *kept):
        if path := shutil.which(candidate):
            said = subprocess.run(
                [path, "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if said.stdout.strip() == version:
                return path
    return None


def _wheel() -> Path:
    target = FOLDER / "dist"
    shutil.rmtree(target, ignore_errors=True)
    _run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)])
    (wheel,) = target.glob("*.whl")
    return wheel


def _try(name: str, wanted: Wanted, python: str, wheel: Path) -> Outcome:
    began = time.monotonic()
    outcome = Outcome(name)
    place = FOLDER / name
    _say(name, f"virtual environment, Python {wanted.python}; {' '.join(wanted.packages)}")
    _run([python, "-m", "venv", "--clear", str(place)])
    pip = (str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check")
    _run([*pip, "install", "-qq", "--upgrade", "pip"])
    _run([*pip, "install", "-qq", *wanted.packages])
    for package in wanted.without_dependencies:
        _run([*pip, "install", "-qq", "--no-deps", package])
    _install(outcome, pip, place, wheel)
    _run([*pip, "install", "-qq", *TEST_TOOLS])
    _run([*pip, "install", "-qq", "--no-deps", PUBLISHED_CONVERTER])
    environment = {**os.environ, "PYCHECK_CACHE_DIR": str(place / "cache")}
    for group, tests in TESTS.items():
        _say(name, group)
        words = [str(place / "bin" / "pytest"), "-q", "-p", "no:cacheprovider", *tests]
        _judge(outcome, group, subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode)
    _samples(outcome, place, environment)
    _say(name, f"done in {time.monotonic() - began:.0f} s")
    return outcome


def _install(outcome: Outcome, pip: Sequence[str], place: Path, wheel: Path) -> None:
    """Install the wheel; what it would change of what is there already is a problem."""
    before = _installed(pip)
    report = place / "report.json"
    _run([*pip, "install", "-qq", "--dry-run", "--report", str(report), str(wheel)])
    coming = {item["metadata"]["name"].lower().replace("_", "-") for item in json.loads(report.read_text())["install"]}
    _run([*pip, "install", "-qq", str(wheel)])
    after = _installed(pip)
    moved = {name for name, version in before.items() if after.get(name) != version} | (coming & set(before))
    outcome.problems += [f"installing pycheck changes {name}" for name in sorted(moved)]
    outcome.new_packages = len(set(after) - set(before))
    outcome.megabytes = _megabytes(place, sorted(set(after) - set(before) - {"playwright"}))
    if outcome.new_packages > MOST_PACKAGES or outcome.megabytes > MOST_MEGABYTES:
        outcome.problems.append(f"{outcome.new_packages} new packages, {outcome.megabytes:.1f} MB")
    python = subprocess.run([pip[0], "--version"], capture_output=True, text=True, check=True).stdout.strip()
    named = ("tensorflow", "tensorflow-cpu", "keras", "tf-keras", "numpy", "protobuf")
    outcome.versions = ", ".join([python, *(f"{name} {after[name]}" for name in named if name in after)])


def _installed(pip: Sequence[str]) -> dict[str, str]:
    listed = subprocess.run([*pip, "list", "--format", "json"], capture_output=True, text=True, check=True)
    return {item["name"].lower().replace("_", "-"): item["version"] for item in json.loads(listed.stdout)}


def _megabytes(place: Path, names: Sequence[str]) -> float:
    """Size of the files that these distributions brought, without the bytecode that Python makes of them."""
    code = """
import sys
from importlib.metadata import files
paths = [path.locate() for name in sys.argv[1:] for path in files(name) or () if path.suffix != ".pyc"]
print(sum(path.stat().st_size for path in paths if path.is_file()))
"""
    said = subprocess.run(
        [str(place / "bin" / "python"), "-c", code, *names], capture_output=True, text=True, check=True
    )
    return int(said.stdout) / 1e6


def _samples(outcome: Outcome, place: Path, environment: dict[str, str]) -> None:
    models = place / "models"
    models.mkdir()
    pycheck = str(place / "bin" / "pycheck")
    for sample in SAMPLES:
        _say(outcome.name, f"compare {sample}")
        made = [str(place / "bin" / "python"), str(ROOT / "models" / "make_models.py")]
        _run([*made, "--folder", str(models), "--only", sample])
        model = next(path for path in sorted(models.glob(f"{sample}.*")) if path.suffix in (".keras", ".h5"))
        compare = [pycheck, "compare", str(model), str(models / f"{sample}_inputs.npy"), *RUNTIME]
        _judge(outcome, sample, subprocess.run(compare, cwd=models, env=environment, check=False).returncode)
    _say(outcome.name, "train cnn")
    _run([str(place / "bin" / "python"), "-c", _TARGETS], cwd=models)
    train = [pycheck, "train", "cnn.keras", "cnn_inputs.npy", "targets.npy", "--optimizer", "sgd:0.01", *RUNTIME]
    train += ["--loss", "mse", "--steps", "5"]
    _judge(outcome, "train", subprocess.run(train, cwd=models, env=environment, check=False).returncode)


_TARGETS = """
import numpy as np
classes = np.random.default_rng(0).integers(0, 10, len(np.load("cnn_inputs.npy")))
np.save("targets.npy", np.eye(10, dtype="float32")[classes])
"""


def _judge(outcome: Outcome, name: str, code: int) -> None:
    outcome.verdicts[name] = "pass" if code == 0 else f"exit {code}"
    if code:
        outcome.problems.append(f"{name} ended with {code}")


def _run(words: Sequence[str], cwd: Path = ROOT) -> None:
    """Run a command whose failure ends everything."""
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-4000:], file=sys.stderr)
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}")


def _say(name: str, text: str) -> None:
    print(f"{name}: {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
