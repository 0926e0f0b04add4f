"""Prints what the limits of quantized artifacts rest on: sound artifacts, and some with one wrong kernel.

    python benchmarks/calibrate_quantized.py [--runtime PATTERN]... [--model PATTERN]...

Every sample that passes, and MobileNetV2 with random weights, with each quantization, on every backend of TF.js and
LiteRT.js: its largest and its RMS error as multiples of the noise of quantization. LiteRT.js also runs each file by
itself, with the file in Python as the reference. Then the same with one kernel scaled, for the first, the middle and
the last kernel, and the share of these faults that the limits notice. The factor of the noise (see
pycheck/gate/limits.py) has to lie above every row of the first table.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import calibrate
import numpy as np
from calibrate import LITERT, MOBILENET, SAMPLES, TFJS, Case

import pycheck
from pycheck.artifact.tflite import read_tflite
from pycheck.gate import AUTO

QUANTIZATIONS = {"tfjs": ("float16", "uint16", "uint8"), "tflite": ("float16", "dynamic", "int8")}
SCALES = (1.05, 1.2, 2.0)


@dataclass(frozen=True)
class Row:
    """Errors of one output as multiples of the noise of quantization; None if it passes by the limits of float32."""

    name: str
    backend: str
    largest: float | None
    rms: float | None
    passed: bool


def main() -> int:
    """Print the tables; exit 1 if a sound artifact fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", action="append", metavar="PATTERN", help="these backends alone")
    parser.add_argument("--model", action="append", metavar="PATTERN", help="these models alone, such as cnn.keras")
    given = parser.parse_args()
    backends = calibrate.chosen((*TFJS, *LITERT), given.runtime)
    models = calibrate.chosen((*SAMPLES, MOBILENET), given.model)
    if not backends or not models:
        parser.error("no backend or no model has such a name")
    one_of_each = [*[b for b in backends if b in LITERT][:1], *[b for b in backends if b in TFJS][:1]]
    with tempfile.TemporaryDirectory(prefix="pycheck-calibrate-") as scratch, pycheck.Session() as session:
        cases = list(_cases(Path(scratch), models, backends))
        sound = [row for case in cases for row in _rows(session, case, backends)]
        _print("sound artifacts", sound)
        noticed = {}
        for scale in SCALES:
            rows = [row for case in cases for copy in _faults(case, scale) for row in _rows(session, copy, one_of_each)]
            _print(f"one kernel multiplied by {scale:g}", rows)
            noticed[scale] = (sum(not row.passed for row in rows), len(rows))
    known = [row for row in sound if row.rms is not None and row.largest is not None]
    print(
        f"factor: {AUTO.quantization_factor:g} times the noise of quantization, beside the limits of float32\n"
        f"sound:  largest at most {max(r.largest or 0.0 for r in known):.2f}, RMS at most "
        f"{max(r.rms or 0.0 for r in known):.2f}, of {len(known)} of {len(sound)} outputs that exceed float32's limits"
    )
    for scale, (count, total) in noticed.items():
        print(f"kernel times {scale:g}: {count} of {total} noticed")
    wrong = [row for row in sound if not row.passed]
    for row in wrong:
        print(f"misjudged: {row}", file=sys.stderr)
    return bool(wrong)


def _cases(scratch: Path, models: Sequence[str], backends: Sequence[str]) -> Iterator[Case]:
    for name in models:
        model, inputs = calibrate.of_name(scratch, name)
        for form, quantizations in QUANTIZATIONS.items():
            for quantization in quantizations if set(backends) & set(LITERT if form == "tflite" else TFJS) else ():
                folder = scratch / f"{model.stem}-{quantization}-{form}"
                try:
                    form_of = {"format": "tflite"} if form == "tflite" else {}
                    pycheck.convert(model, folder, inputs=inputs, quantize=quantization, verify=False, **form_of)
                except pycheck.ConversionError as error:
                    print(f"{name} {quantization}: {error.message}", file=sys.stderr)
                    continue
                artifact = folder / "model.tflite" if form == "tflite" else folder
                case = Case(f"{model.stem} {form} {quantization}", model, inputs, artifact)
                yield case
                if quantization in ("dynamic", "int8"):
                    yield replace(case, name=f"{case.name} alone", model=artifact)


def _rows(session: pycheck.Session, case: Case, backends: Sequence[str]) -> Iterator[Row]:
    runtimes = [backend for backend in backends if (backend in LITERT) is case.is_tflite]
    if not runtimes:
        return
    artifact: dict[str, Any] = {"tflite_model" if case.is_tflite else "tfjs_model": case.artifact}
    if case.model == case.artifact:
        artifact = {}
    report = session.compare(case.model, case.inputs, runtimes=runtimes, power=False, fresh=True, **artifact)
    for c in report.comparisons:
        if c.passed is None or c.max_abs_error is None or c.rms_error is None:
            continue
        noise = c.quantization_noise
        known = noise is not None and bool(noise.largest) and bool(noise.rms)
        yield Row(
            f"{case.name} {c.tensor}",
            str(c.candidate),
            c.max_abs_error / noise.largest if known and noise and noise.largest else None,
            c.rms_error / noise.rms if known and noise and noise.rms else None,
            c.passed,
        )


def _faults(case: Case, scale: float) -> Iterator[Case]:
    """Yield copies of an artifact, each with one kernel scaled; not for files alone, which Python runs as well."""
    if case.model == case.artifact:
        return
    if case.is_tflite:
        yield from _faulty_files(case, scale)
    else:
        yield from _faulty_folders(case, scale)


def _faulty_files(case: Case, scale: float) -> Iterator[Case]:
    model = read_tflite(case.artifact)
    kernels = [
        tensor
        for tensor in model.tensors()
        if tensor.is_constant and tensor.dtype in ("int8", "float16")
        and len(tensor.shape) > 1 and prod(size or 0 for size in tensor.shape) > 8
    ]  # fmt: skip
    for place, tensor in enumerate(calibrate.places(kernels)) if kernels else ():
        copy = model.copy()
        found = copy.root.subgraphs[0].tensors[tensor.index]
        if tensor.dtype == "int8":
            found.quantization.scale = np.asarray(found.quantization.scale) * np.float32(scale)
        else:
            values = copy.constant(tensor.index)
            assert values is not None
            copy.root.buffers[found.buffer].data = np.frombuffer((values * np.float16(scale)).tobytes(), np.uint8)
        file = case.artifact.with_name(f"scaled-{place}.tflite")
        file.write_bytes(copy.to_bytes())
        yield replace(case, name=f"{case.name} {tensor.name[-20:]}", artifact=file)


def _faulty_folders(case: Case, scale: float) -> Iterator[Case]:
    document = json.loads((case.artifact / "model.json").read_text())
    entries = [entry for group in document["weightsManifest"] for entry in group["weights"]]
    kernels = [at for at, e in enumerate(entries) if len(e["shape"]) > 1 and "scale" in e.get("quantization", {})]
    for place, at in enumerate(calibrate.places(kernels)) if kernels else ():
        entry = entries[at]
        before = dict(entry["quantization"])
        entry["quantization"] |= {"scale": before["scale"] * scale, "min": before["min"] * scale}
        folder = case.artifact.with_name(f"{case.artifact.name}-{place}-{scale:g}")
        folder.mkdir()
        (folder / "model.json").write_text(json.dumps(document))
        entry["quantization"] = before
        for shard in (path for group in document["weightsManifest"] for path in group["paths"]):
            (folder / shard).write_bytes((case.artifact / shard).read_bytes())
        yield replace(case, name=f"{case.name} {entry['name'][-20:]}", artifact=folder)


def _print(title: str, rows: Sequence[Row]) -> None:
    print(f"\n{title}\n{'':69} {'largest':>10} {'RMS':>10}  (times the noise of quantization)")
    for row in rows:
        figures = "".join(f" {'-':>10}" if value is None else f" {value:10.2f}" for value in (row.largest, row.rms))
        print(f"{row.name[:46]:46} {row.backend:22}{figures}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
