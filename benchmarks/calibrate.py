"""Prints what the factors of the auto tolerance rest on: sound artifacts, and some off by a tenth of a percent.

    python benchmarks/calibrate.py [--quick] [--runtime PATTERN]... [--model PATTERN]...

Every sample that passes, and MobileNetV2 with random weights, in every format that it can take, on every backend of
TF.js, and as a .tflite file on LiteRT.js: its largest and its RMS error as multiples of the noise floor. Then the same
with one kernel of the artifact multiplied by 1.001, for the first, the middle and the last kernel. The limits (24 and 6
times the noise floor, see pycheck/gate/limits.py) have to lie above every row of the first table and below every row of
the second.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

import pycheck
from pycheck.artifact.tflite import TfliteModel, read_tflite
from pycheck.gate import AUTO

MODELS = Path(__file__).parents[1] / "models"
SAMPLES = ("cnn.keras", "keras2.h5", "two_io.keras", "recurrent.keras", "attention.keras", "half_overflow.keras")
MOBILENET = "mobilenet_v2.keras"
TFJS = tuple(f"chromium:{kind}" for kind in ("cpu", "wasm", "webgl", "webgpu"))
LITERT = ("chromium:litert-wasm", "chromium:litert-webgpu")
QUICK = ("chromium:cpu", "chromium:wasm", "chromium:litert-wasm")
FACTOR = np.float32(1.001)
BYTES = {"float32": 4, "int32": 4, "bool": 1}


@dataclass(frozen=True)
class Case:
    """One model with inputs, in one format, as an artifact on disk: a folder, or a .tflite file."""

    name: str
    model: Path
    inputs: Path
    artifact: Path

    @property
    def is_tflite(self) -> bool:
        """Tell whether LiteRT.js runs it."""
        return self.artifact.suffix == ".tflite"


@dataclass(frozen=True)
class Row:
    """Errors of one output on one backend as multiples of the noise floor."""

    name: str
    backend: str
    largest: float
    rms: float
    passed: bool


def main() -> int:
    """Print both tables; exit 1 when a limit does not part them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the image classifier on cpu, wasm and litert-wasm alone")
    parser.add_argument(
        "--runtime", action="append", metavar="PATTERN", help="these backends alone, such as '*:litert-*'"
    )
    parser.add_argument("--model", action="append", metavar="PATTERN", help="these models alone, such as cnn.keras")
    given = parser.parse_args()
    backends = chosen(QUICK if given.quick else (*TFJS, *LITERT), given.runtime)
    models = chosen(SAMPLES[:1] if given.quick else (*SAMPLES, MOBILENET), given.model)
    if not backends or not models:
        parser.error("no backend or no model has such a name")
    with tempfile.TemporaryDirectory(prefix="pycheck-calibrate-") as scratch, pycheck.Session() as session:
        cases = _cases(Path(scratch), models, backends)
        sound = [row for case in cases for row in _rows(session, case, backends)]
        _print("sound artifacts", sound)
        faulty = [row for case in cases for copy in _faults(case) for row in _worst(_rows(session, copy, backends))]
        _print("one kernel multiplied by 1.001", faulty)
    print(
        f"limits: largest {AUTO.max_factor:g}, RMS {AUTO.rms_factor:g} times the noise floor\n"
        f"sound:  largest at most {max(r.largest for r in sound):.2f}, RMS at most {max(r.rms for r in sound):.2f}\n"
        f"faulty: largest at least {min(r.largest for r in faulty):.0f}, RMS at least {min(r.rms for r in faulty):.0f}"
    )
    wrong = [row for row in sound if not row.passed] + [row for row in faulty if row.passed]
    for row in wrong:
        print(f"misjudged: {row}", file=sys.stderr)
    return bool(wrong)


def chosen(names: Sequence[str], patterns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names that one of the patterns matches; all without patterns."""
    return tuple(name for name in names if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns))


def _cases(scratch: Path, models: Sequence[str], backends: Sequence[str]) -> list[Case]:
    cases = []
    formats = ("layers", "graph") if set(backends) & set(TFJS) else ()
    formats += ("tflite",) if set(backends) & set(LITERT) else ()
    for name in models:
        stem = Path(name).stem
        model, inputs = of_name(scratch, name)
        for form in formats:
            folder = scratch / f"{stem}-{form}"
            try:
                pycheck.convert(model, folder, format=form, verify=False)
            except pycheck.ConversionError:
                continue  # tfjs-layers lacks a layer of it
            artifact = folder / "model.tflite" if form == "tflite" else folder
            cases.append(Case(f"{stem} {form}", model, inputs, artifact))
    return cases


def of_name(scratch: Path, name: str) -> tuple[Path, Path]:
    """Return a model and its inputs; MobileNetV2 is made in `scratch`."""
    if name == MOBILENET:
        return _mobilenet(scratch)
    return MODELS / name, next(MODELS.glob(f"{Path(name).stem}_inputs.*"))


def _mobilenet(scratch: Path) -> tuple[Path, Path]:
    sys.path.insert(0, str(MODELS))
    import make_models

    path = scratch / MOBILENET
    make_models.mobilenet_v2().save(path)
    inputs = scratch / "mobilenet_v2_inputs.npy"
    np.save(inputs, make_models.photographs(0, 2))
    return path, inputs


def _faults(case: Case) -> list[Case]:
    """Return copies of an artifact, each with one kernel scaled."""
    return _faulty_files(case) if case.is_tflite else _faulty_folders(case)


def places(kernels: Sequence[Any]) -> list[Any]:
    """Return the first, the middle and the last."""
    return list(dict.fromkeys(kernels[place] for place in (0, len(kernels) // 2, -1)))


def _faulty_files(case: Case) -> list[Case]:
    model = read_tflite(case.artifact)
    kernels = [
        (graph, tensor.index)
        for graph in range(model.subgraph_count)
        for tensor in model.tensors(graph)
        if tensor.is_constant and tensor.dtype == "float32"
        and len(tensor.shape) > 1 and prod(size or 0 for size in tensor.shape) > 8
    ]  # fmt: skip
    copies = []
    for place, (graph, tensor) in enumerate(places(kernels)):
        file = case.artifact.with_name(f"scaled-{place}.tflite")
        file.write_bytes(_scaled_tensor(model, graph, tensor).to_bytes())
        copies.append(replace(case, name=f"{case.name} {model.tensors(graph)[tensor].name}", artifact=file))
    return copies


def _scaled_tensor(model: TfliteModel, graph: int, tensor: int) -> TfliteModel:
    copy = model.copy()
    values = copy.constant(tensor, graph)
    assert values is not None
    buffer = copy.root.buffers[copy.root.subgraphs[graph].tensors[tensor].buffer]
    buffer.data = np.frombuffer((values * FACTOR).tobytes(), np.uint8)
    return copy


def _faulty_folders(case: Case) -> list[Case]:
    document = json.loads((case.artifact / "model.json").read_text())
    weights = [entry for group in document["weightsManifest"] for entry in group["weights"]]
    kernels = [e["name"] for e in weights if len(e["shape"]) > 1 and e["dtype"] == "float32" and prod(e["shape"]) > 8]
    return [_scaled_folder(case, document, name, place) for place, name in enumerate(places(kernels))]


def _scaled_folder(case: Case, document: dict[str, Any], name: str, place: int) -> Case:
    folder = case.artifact.with_name(f"{case.artifact.name}-{place}")
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(document))
    for group in document["weightsManifest"]:
        data = bytearray(b"".join((case.artifact / path).read_bytes() for path in group["paths"]))
        offset = 0
        for entry in group["weights"]:
            size = prod(entry["shape"]) * BYTES[entry["dtype"]]
            if entry["name"] == name:
                values = np.frombuffer(data, np.float32, size // 4, offset)
                values *= FACTOR
            offset += size
        start = 0
        for path in group["paths"]:
            end = start + (case.artifact / path).stat().st_size
            (folder / path).write_bytes(data[start:end])
            start = end
    return replace(case, name=f"{case.name} {name}", artifact=folder)


def _rows(session: pycheck.Session, case: Case, backends: Sequence[str]) -> list[Row]:
    runtimes = [backend for backend in backends if (backend in LITERT) is case.is_tflite]
    if not runtimes:
        return []
    artifact: dict[str, Any] = {"tflite_model" if case.is_tflite else "tfjs_model": case.artifact}
    report = session.compare(case.model, case.inputs, runtimes=runtimes, power=False, fresh=True, **artifact)
    for record in report.runtimes:
        if record.failed:
            print(f"{case.name} does not run on {record.id}: {str(record.error).splitlines()[0]}", file=sys.stderr)
    rows = []
    for c in report.comparisons:
        if c.passed is None or not c.noise_floor or not c.noise_floor_rms:
            continue
        assert c.max_abs_error is not None and c.rms_error is not None
        label = f"{case.name} {c.tensor}" if len(report.model.signature.outputs) > 1 else case.name
        rows.append(
            Row(label, str(c.candidate), c.max_abs_error / c.noise_floor, c.rms_error / c.noise_floor_rms, c.passed)
        )
    return rows


def _worst(rows: list[Row]) -> list[Row]:
    """The worst output on each backend: a kernel of one head does not move the others."""
    backends = dict.fromkeys(row.backend for row in rows)
    return [max((row for row in rows if row.backend == backend), key=lambda row: row.rms) for backend in backends]


def _print(title: str, rows: list[Row]) -> None:
    print(f"\n{title}\n{'':69} {'largest':>10} {'RMS':>10}  (times the noise floor)")
    for row in rows:
        print(f"{row.name[:46]:46} {row.backend:22} {row.largest:10.2f} {row.rms:10.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
