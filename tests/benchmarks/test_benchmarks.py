"""The benchmark still runs, and what it is there to show is so: at the smallest sizes, with one backend."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
MODEL = ROOT / "models" / "cnn.keras"
INPUTS = ROOT / "models" / "cnn_inputs.npy"

sys.path.insert(0, str(BENCHMARKS))

import run as benchmark  # noqa: E402
from page import Task, build_bundle  # noqa: E402
from processes import run  # noqa: E402

pytestmark = pytest.mark.real

CASE = benchmark.Case("small CNN", MODEL, INPUTS)
#: Memory that Python and the browser may take more or less of from run to run, in MB.
SLACK_MB = 24.0


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache after a first compare."""
    folder = tmp_path_factory.mktemp("cache")
    benchmark.compare(CASE, folder, backends=("wasm",))
    return folder


@pytest.fixture(scope="module")
def task(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Task:
    """What the floor is asked to do."""
    bundle = tmp_path_factory.mktemp("bundle")
    build_bundle(bundle)
    _, report = benchmark.compare(CASE, cache, backends=("wasm",))
    return benchmark.make_task(CASE, report, cache, bundle)


@pytest.mark.exhaustive
def test_a_second_compare_does_not_import_tensorflow(cache: Path) -> None:
    arguments = ("compare", MODEL, INPUTS, "-q", "--runtime=chromium:wasm")
    told = benchmark.pycheck(arguments, cache, code=benchmark.TELL_IMPORTS).stdout.splitlines()
    assert told[-1] == "imported"


@pytest.mark.exhaustive
def test_a_first_compare_is_told_to_import_tensorflow(tmp_path: Path) -> None:
    arguments = ("convert", MODEL, tmp_path / "out", "-q")
    told = benchmark.pycheck(arguments, tmp_path / "cache", code=benchmark.TELL_IMPORTS).stdout.splitlines()
    assert told[-1].split()[:2] == ["imported", "tensorflow"]


def _imported_by(code: str) -> set[str]:
    code = f"import sys; {code}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_neither_tensorflow_nor_playwright() -> None:
    imported = _imported_by("from pycheck.cli.main import run; run(['compare', '--help'])")
    assert "pycheck.cli.commands" in imported
    assert not {"tensorflow", "keras", "playwright", "aiohttp"} & imported


def test_a_run_imports_the_descriptions_of_preprocessing_only_for_files() -> None:
    imported = _imported_by("import pycheck.workflow.pipeline")
    assert "pycheck.workflow.files.comparing" in imported
    assert not {"pycheck.preprocessing", "tensorflow", "keras", "playwright"} & imported


@pytest.mark.exhaustive
def test_the_floor_predicts_the_same_inputs_on_the_backends_it_was_asked_for(task: Task) -> None:
    done = run([sys.executable, str(BENCHMARKS / "floor.py"), task.to_json(), "--no-native"])
    assert {"browser", *(f"{backend}.predict" for backend in benchmark.BACKENDS)} <= set(json.loads(done.stdout))


@pytest.mark.exhaustive
def test_memory_does_not_grow_with_the_number_of_samples(cache: Path, tmp_path: Path) -> None:
    few, many = (_peaks(cache, tmp_path, count) for count in (200, 2000))
    assert many["python"] < few["python"] + SLACK_MB
    assert many["renderer"] < few["renderer"] + SLACK_MB


def _peaks(cache: Path, folder: Path, count: int) -> dict[str, float]:
    """Peak memory in MB by kind of process, where the model and its artifact come from the cache."""
    wide = np.random.default_rng(0).normal(size=(count, *np.load(INPUTS).shape[1:])).astype(np.float32)
    inputs = folder / f"{count}.npy"
    np.save(inputs, wide)
    case = benchmark.Case("memory", MODEL, inputs)
    benchmark.compare(case, cache, backends=("wasm",))
    measured, _ = benchmark.compare(case, cache, backends=("wasm",), watch_memory=True)
    return dict(measured.peak_mb)


@pytest.mark.exhaustive
def test_a_trace_is_measured_beside_the_compare_of_the_same_inputs() -> None:
    import trace_cost

    done = trace_cost.one_round(CASE)
    (ratio,) = trace_cost.ratios([done])
    assert ratio > 0
    points = done["trace"][1]["trace"]["points"]
    text = trace_cost.coverage(done["trace"][1])
    of = f"{len(points)} of {len(points)}"
    assert text.startswith(f"{of} points on every backend, 8 samples, 1 groups within 400 MiB")


def test_the_matrix_is_held_against_each_engine_by_its_wall_time_and_by_its_processor_time() -> None:
    import matrix_cost
    from processes import Measured

    done = {"all": (Measured(12.0, 0.0, ""), 24.0), "firefox": (Measured(8.0, 0.0, ""), 10.0)}
    cells = [list(column.cells) for column in matrix_cost.cost_table(done).columns]
    assert cells[3:] == [["2.00", "1.25"], ["-", "1.50"], ["-", "1.20"]]
    measured, busy = matrix_cost.with_processor_time(lambda: run([sys.executable, "-c", "sum(range(10**7))"]))
    assert busy is None or busy >= 0.5 * measured.cpu_s > 0


def test_shards_of_many_variants_are_saved_and_merged(tmp_path: Path) -> None:
    import shards

    count, *numbers = shards.line(20, tmp_path).replace(",", "").split()
    assert int(count) == 20
    assert all(float(number) >= 0 for number in numbers if number not in ("s", "MB"))
    assert len(list(tmp_path.glob("*/part.jsonl"))) == shards.SHARDS
