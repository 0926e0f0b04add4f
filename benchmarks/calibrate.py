"""Prints what the factors of the auto tolerance rest on: sound artifacts, and some off by a tenth of a percent.

    python benchmarks/calibrate.py [--quick]

Every sample that passes, and MobileNetV2 with random weights, in every format that it can
take, on every backend: its largest and its RMS error as multiples of the noise floor. Then
the same with one kernel of the artifact multiplied by 1.001, for the first, the middle and
the last kernel. The limits (24 and 6 times the noise floor, see pycheck/gate/limits.py) have to
lie above every row of the first table and below every row of the second.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

import pycheck
from pycheck.gate import AUTO

MODELS = Path(__file__).parents[1] / "models"
SAMPLES = ("cnn.keras", "keras2.h5", "two_io.keras", "recurrent.keras", "attention.keras", "half_overflow.keras")
BACKENDS = tuple(f"chromium:{kind}" for kind in ("cpu", "wasm", "webgl", "webgpu"))
BYTES = {"float32": 4, "int32": 4, "bool": 1}


@dataclass(frozen=True)
class Case:
    """One model with inputs, in one format, as an artifact on disk."""

    name: str
    model: Path
    inputs: Path
    artifact: Path


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
    parser.add_argument("--quick", action="store_true", help="the image classifier on cpu and wasm alone")
    quick = parser.parse_args().quick
    backends = BACKENDS[:2] if quick else BACKENDS
    with tempfile.TemporaryDirectory(prefix="pycheck-calibrate-") as scratch:
        cases = _cases(Path(scratch), quick)
        sound = [row for case in cases for row in _rows(case, case.name, backends)]
        _print("sound artifacts", sound)
        faulty = [row for case in cases for name, copy in _faults(case) for row in _worst(_rows(copy, name, backends))]
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


def _cases(scratch: Path, quick: bool) -> list[Case]:
    pairs = [
        (MODELS / name, next(MODELS.glob(f"{Path(name).stem}_inputs.*"))) for name in SAMPLES[: 1 if quick else None]
    ]
    if not quick:
        pairs.append(_mobilenet(scratch))
    cases = []
    for model, inputs in pairs:
        for form in ("layers", "graph"):
            folder = scratch / f"{model.stem}-{form}"
            try:
                pycheck.convert(model, folder, format=form)
            except pycheck.ConversionError:
                continue  # tfjs-layers lacks a layer of it
            cases.append(Case(f"{model.stem} {form}", model, inputs, folder))
    return cases


def _mobilenet(scratch: Path) -> tuple[Path, Path]:
    sys.path.insert(0, str(MODELS))
    import make_models

    path = scratch / "mobilenet_v2.keras"
    make_models.mobilenet_v2().save(path)
    inputs = scratch / "mobilenet_v2_inputs.npy"
    np.save(inputs, make_models.photographs(0, 2))
    return path, inputs


def _faults(case: Case) -> list[tuple[str, Case]]:
    """Copies of an artifact, each with one kernel scaled."""
    document = json.loads((case.artifact / "model.json").read_text())
    weights = [entry for group in document["weightsManifest"] for entry in group["weights"]]
    kernels = [e["name"] for e in weights if len(e["shape"]) > 1 and e["dtype"] == "float32" and prod(e["shape"]) > 8]
    chosen = dict.fromkeys(kernels[place] for place in (0, len(kernels) // 2, -1))
    return [(f"{case.name} {name}", _scaled(case, document, name, place)) for place, name in enumerate(chosen)]


def _scaled(case: Case, document: dict[str, Any], name: str, place: int) -> Case:
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
                values *= np.float32(1.001)
            offset += size
        start = 0
        for path in group["paths"]:
            end = start + (case.artifact / path).stat().st_size
            (folder / path).write_bytes(data[start:end])
            start = end
    return Case(case.name, case.model, case.inputs, folder)


def _rows(case: Case, name: str, backends: tuple[str, ...]) -> list[Row]:
    report = pycheck.compare(case.model, case.inputs, tfjs_model=case.artifact, runtimes=backends)
    rows = []
    for c in report.comparisons:
        if c.passed is None or not c.noise_floor or not c.noise_floor_rms:
            continue
        assert c.max_abs_error is not None and c.rms_error is not None
        label = f"{name} {c.tensor}" if len(report.model.signature.outputs) > 1 else name
        rows.append(
            Row(label, str(c.candidate), c.max_abs_error / c.noise_floor, c.rms_error / c.noise_floor_rms, c.passed)
        )
    return rows


def _worst(rows: list[Row]) -> list[Row]:
    """The worst output on each backend: a kernel of one head does not move the others."""
    backends = dict.fromkeys(row.backend for row in rows)
    return [max((row for row in rows if row.backend == backend), key=lambda row: row.rms) for backend in backends]


def _print(title: str, rows: list[Row]) -> None:
    print(f"\n{title}\n{'':64} {'largest':>10} {'RMS':>10}  (times the noise floor)")
    for row in rows:
        print(f"{row.name[:46]:46} {row.backend:17} {row.largest:10.2f} {row.rms:10.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
