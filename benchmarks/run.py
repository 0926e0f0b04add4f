"""What a compare costs, against the floor and against the way by hand, as tables.

    python benchmarks/run.py [--quick | --full] [--only SECTION,...] [--against CHECKOUT]

Everything is measured as whole processes that take turns within a round, so that a busy moment hits them
alike; a ratio is taken within each round, and medians over rounds count. docs/benchmarks.md explains the columns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import BACKENDS, DEFAULT, FULL, QUICK, TELL_IMPORTS, Case, Sizes, cases, median, new_table, number, pycheck
from matrix_cost import section_matrix
from model_memory import model_table
from page import ROOT, Task, build_bundle
from processes import Measured, run
from rich.console import Console
from rich.table import Table
from runtime_cost import section_runtimes
from trace_cost import section_trace

SECTIONS = ("compare", "runtimes", "trace", "imports", "memory", "transfer", "matrix")


def compare(
    case: Case, cache: Path, *, backends: Iterable[str] = BACKENDS, watch_memory: bool = False, **options: Any
) -> tuple[Measured, dict[str, Any]]:
    """`pycheck compare`, and its report."""
    runtimes = [f"--runtime=chromium:{backend}" for backend in backends]
    arguments = ["compare", case.model, case.inputs, "-q", "--json", "-", f"--batch-size={case.batch_size}", *runtimes]
    measured = pycheck(arguments, cache, watch_memory=watch_memory, **options)
    return measured, json.loads(measured.stdout)


def measure_rounds(task: Task, case: Case, rounds: int, against: Path | None) -> list[dict[str, tuple[Measured, Any]]]:
    """Each round runs everything once; what each gave, by name, with its own account of its stages."""
    done = []
    for turn in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            results: dict[str, tuple[Measured, Any]] = {}
            for name, checkout in (("compare", ROOT), ("against", against)):
                if checkout is not None:
                    cache = Path(folder, name)
                    results[f"{name}, cold"] = compare(case, cache, checkout=checkout)
                    results[f"{name}, warm"] = warm = compare(case, cache, checkout=checkout)
                    if any("import_tensorflow" in runtime["timings_s"] for runtime in warm[1]["runtimes"]):
                        raise SystemExit(f"the second compare imported TensorFlow; did {checkout} change meanwhile?")
            for name, script, extra in (
                ("floor", "floor.py", ()),
                ("floor, page only", "floor.py", ("--no-native",)),
                ("by hand", "by_hand.py", ()),
            ):
                measured = run([sys.executable, str(ROOT / "benchmarks" / script), task.to_json(), *extra])
                results[name] = measured, json.loads(measured.stdout.splitlines()[-1])
        done.append(results)
        print(f"{case.title}: round {turn + 1} of {rounds} done", file=sys.stderr, flush=True)
    return done


def whole_table(case: Case, rounds: list[dict[str, tuple[Measured, Any]]]) -> Table:
    """Whole processes: seconds and ratios to the floors and to the way by hand."""
    title = f"{case.title}, {case.sample_count} samples, {', '.join(BACKENDS)}, median of {len(rounds)}"
    table = new_table(title, "whole process", "wall s", "range", "cpu s", "x floor", "x page only", "x by hand")
    for name in rounds[0]:
        walls = [results[name][0].wall_s for results in rounds]
        ratios = (
            median(results[name][0].wall_s / results[base][0].wall_s for results in rounds)
            for base in ("floor", "floor, page only", "by hand")
        )
        cpu = median(results[name][0].cpu_s for results in rounds)
        spread = f"{min(walls):.1f}-{max(walls):.1f}"
        table.add_row(name, number(median(walls)), spread, number(cpu), *map(number, ratios))
    return table


def stages_table(case: Case, rounds: list[dict[str, tuple[Measured, Any]]]) -> Table:
    """The stages that each of them tells of itself; those of compare overlap."""
    names = ("compare, cold", "compare, warm", "floor", "by hand")
    table = new_table(f"{case.title}, stages, s", "stage", *names)
    told = {name: [dict(_stages(results[name][1])) for results in rounds] for name in names}
    stages = dict.fromkeys(stage for name in names for one in told[name] for stage in one)
    for stage in stages:
        table.add_row(stage, *(number(median(one.get(stage) for one in told[name])) for name in names))
    return table


def _stages(told: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    if "runtimes" not in told:
        renamed = {"native_predict": "native:float32 predict", "browser": "browser and page"}
        for name, seconds in told.items():
            backend, _, step = name.partition(".")
            if step:
                yield f"chromium:{backend} {step}", seconds
            elif name not in BACKENDS:
                yield renamed.get(name, name).replace("_", " "), seconds
        return
    for runtime in told["runtimes"]:
        timings = dict(runtime["timings_s"])
        for shared in ("import_tensorflow", "load_model"):
            if shared in timings:
                yield shared.replace("_", " "), timings.pop(shared)
        if runtime["id"].startswith("native:"):
            timings["predict"] = timings.get("predict", 0.0) + timings.pop("first_predict", 0.0)
        for step, seconds in timings.items():
            if step != "from_cache" and not (step == "predict" and seconds == 0.0):
                yield f"{runtime['id']} {step.replace('_', ' ')}", seconds


def section_compare(console: Console, sizes: Sizes, work: Path, against: Path | None) -> None:
    """`pycheck compare`, cold and warm, beside the floor and the way by hand."""
    build_bundle(work / "bundle")
    for case in cases(sizes, work):
        cache = work / "cache"
        _, report = compare(case, cache)  # not measured: the machine's file cache, and the floor's artifact
        task = make_task(case, report, cache, work / "bundle")
        rounds = measure_rounds(task, case, sizes.rounds, against)
        console.print(whole_table(case, rounds), stages_table(case, rounds), sep="\n")


def make_task(case: Case, report: Mapping[str, Any], cache: Path, bundle: Path) -> Task:
    """The same work for the floor: the artifact that pycheck converted, the browser and flags that it starts with."""
    from pycheck.runtimes.launching.finding import find_browser
    from pycheck.runtimes.launching.playwright import HEADLESS_ARGS, QUIET_ARGS

    newest = max((cache / "artifact").iterdir(), key=lambda folder: folder.stat().st_mtime)
    environments = [runtime["environment"] for runtime in report["runtimes"] if runtime["id"].startswith("chromium:")]
    return Task(
        model=str(case.model),
        inputs=str(case.inputs),
        batch_size=case.batch_size,
        backends=BACKENDS,
        artifact=str(newest / "artifact"),
        format=report["artifact"]["format"],
        bundle=str(bundle),
        browser=str(find_browser().path),
        browser_args=(*QUIET_ARGS, *HEADLESS_ARGS),
        sandbox=bool(environments[0].get("sandbox", os.name != "posix" or os.geteuid() != 0)),
    )


def section_imports(console: Console, sizes: Sizes, work: Path, against: Path | None) -> None:
    """What is imported when, and what the smallest commands cost."""
    del against
    table = new_table(
        f"Imports, median of {2 * sizes.rounds + 1}", "command", "wall s", "cpu s", "imports of TensorFlow"
    )
    for title, code, arguments in (
        ("python -c pass", "pass", ()),
        ("pycheck --help", TELL_IMPORTS, ("--help",)),
        ("pycheck compare --help", TELL_IMPORTS, ("compare", "--help")),
    ):
        runs = [pycheck(arguments, work / "cache", code=code) for _ in range(2 * sizes.rounds + 1)]
        add_imports(table, title, runs)
    case = next(cases(QUICK, work))
    cache = work / "imports-cache"
    arguments = ("compare", case.model, case.inputs, "-q", "--runtime=chromium:cpu")
    add_imports(table, "pycheck compare, first", [pycheck(arguments, cache, code=TELL_IMPORTS)])
    runs = [pycheck(arguments, cache, code=TELL_IMPORTS) for _ in range(2 * sizes.rounds + 1)]
    add_imports(table, "pycheck compare, second", runs)
    console.print(table)


def add_imports(table: Table, title: str, runs: Sequence[Measured]) -> None:
    """A row: medians, and the packages of TensorFlow that were imported by the end."""
    lines = [line for one in runs for line in one.stdout.splitlines() if line.startswith("imported")]
    imported = sorted({name for line in lines for name in line.split()[1:]})
    walls, cpus = (median(getattr(one, name) for one in runs) for name in ("wall_s", "cpu_s"))
    table.add_row(title, number(walls), number(cpus), ", ".join(imported) or "none")


def section_memory(console: Console, sizes: Sizes, work: Path, against: Path | None) -> None:
    """Peak memory of the same model and batch size, with few and with many samples; then of a large model."""
    del against
    counts = sizes.memory_samples
    peaks = {count: peak_memory(work, count) for count in counts}
    columns = [f"{count} samples" for count in counts]
    table = new_table("Peak resident memory, MB, batches of 32", "process", *columns, "last by the one before")
    kinds = set.intersection(*(set(peak) for peak in peaks.values())) - {"other", "utility", "zygote"}
    for kind in sorted(kinds):
        found = [peaks[count][kind] for count in counts]
        table.add_row(kind, *(f"{peak:.0f}" for peak in found), number(found[-1] / found[-2]))
    console.print(table)
    if sizes.mobilenet:
        console.print(model_table(work))


def peak_memory(work: Path, count: int) -> dict[str, float]:
    """Peak resident size by kind of process, in MB, of a cold and of a warm compare of `count` samples."""
    small = np.load(ROOT / "models" / "cnn_inputs.npy")
    inputs = work / f"inputs-{count}.npy"
    np.save(inputs, np.resize(small, (count, *small.shape[1:])))
    case = Case("memory", ROOT / "models" / "cnn.keras", inputs)
    with tempfile.TemporaryDirectory() as cache:
        measured, _ = compare(case, Path(cache), backends=("wasm", "webgl"), watch_memory=True)
        again, _ = compare(case, Path(cache), backends=("wasm", "webgl"), watch_memory=True)
    cold = {f"{kind}, cold": peak for kind, peak in measured.peak_mb.items()}
    return cold | {f"{kind}, warm": peak for kind, peak in again.peak_mb.items()}


def section_transfer(console: Console, sizes: Sizes, work: Path, against: Path | None) -> None:
    """Moving tensors to the page and back, against bare loopback methods."""
    del work, against
    rounds = ["--rounds", "1", "--megabytes", "16"] if sizes is QUICK else []
    script = ROOT / "benchmarks" / "transfer.py"
    done = subprocess.run([sys.executable, script, *rounds], env={**os.environ, "PYTHONPATH": str(ROOT)},
                          stdout=subprocess.PIPE, text=True, check=False)  # fmt: skip
    console.print(done.stdout, markup=False, highlight=False, soft_wrap=True)


def describe_machine(console: Console) -> None:
    """Whatever a reader needs to judge the numbers, and no names of machines."""
    from importlib.metadata import version

    from pycheck.runtimes.launching.finding import find_browser
    from pycheck.system import installed

    browser = subprocess.run([find_browser().path, "--version"], capture_output=True, text=True, check=False)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    console.print(f"{cores} cores of {_cpu_name()}, {platform.system()}{load}")
    console.print(
        f"{browser.stdout.strip()}; Python {platform.python_version()}; "
        + "; ".join(f"{installed.find(name) or name}" for name in ("tensorflow", "keras"))
        + f"; playwright {version('playwright')}"
    )


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
    else:
        with tempfile.TemporaryDirectory(prefix="pycheck-bench-") as folder:
            yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", const=QUICK, dest="sizes", help="one round, the small model")
    size.add_argument("--full", action="store_const", const=FULL, dest="sizes", help="seven rounds")
    parser.add_argument("--only", default=",".join(SECTIONS), metavar="NAMES", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout of pycheck, run in turns")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep what is made here")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    sys.path.insert(0, str(ROOT))
    console = Console(width=120, highlight=False)
    describe_machine(console)
    sections = {
        "compare": partial(section_compare, against=options.against and options.against.resolve()),
        "runtimes": section_runtimes,
        "trace": section_trace,
        "imports": partial(section_imports, against=None),
        "memory": partial(section_memory, against=None),
        "transfer": partial(section_transfer, against=None),
        "matrix": section_matrix,
    }
    with _folder(options.work) as work:
        for name in chosen:
            console.print()
            sections[name](console, options.sizes or DEFAULT, work)


if __name__ == "__main__":
    main()
