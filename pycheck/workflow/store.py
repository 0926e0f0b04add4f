"""Keeps raw outputs on disk, one file for each batch, and all data to judge a saved run again.

DIR/run.json                             model, artifact, inputs, runtimes, batch sizes
DIR/outputs/chromium-webgl/000000.safetensors

If a runtime gave a different answer to the first batch again, its later answers have the numbers after the last batch.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from pydantic import TypeAdapter, ValidationError

from ..errors import InputError, UsageError
from ..types import (
    ArtifactInfo,
    Evidence,
    InputsInfo,
    ModelInfo,
    NonfiniteInput,
    Pipeline,
    Power,
    RuntimeId,
    RuntimeRecord,
    Tensors,
)

RUN_VERSION = 2
_SAVE = "Save the run again: pycheck compare MODEL INPUTS --save-run DIR"


class OutputStore:
    """The outputs of several runtimes in one folder, by batch index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _file(self, runtime: RuntimeId, index: int) -> Path:
        return self.folder / f"{runtime.engine.replace(':', '-')}-{runtime.kind}" / f"{index:06d}.safetensors"

    def write(self, runtime: RuntimeId, index: int, tensors: Tensors) -> None:
        """Write one batch. UsageError if the disk cannot store it."""
        file = self._file(runtime, index)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # np.ascontiguousarray would add an axis to a scalar.
            safetensors.numpy.save_file({name: np.asarray(t, order="C") for name, t in tensors.items()}, file)
        except (OSError, safetensors.SafetensorError) as error:
            raise UsageError(
                f"Cannot write the outputs of {runtime} to {file}: {error}.", "Name a folder with enough space."
            ) from error

    def read(self, runtime: RuntimeId, index: int) -> Tensors:
        """Read one batch; InputError if it is missing or damaged."""
        file = self._file(runtime, index)
        try:
            return safetensors.numpy.load_file(file)
        except (OSError, safetensors.SafetensorError, KeyError, ValueError) as error:
            raise InputError(f"Cannot read the saved outputs of {runtime} in {file}: {error}.", _SAVE) from error

    def has(self, runtime: RuntimeId, index: int = 0) -> bool:
        """Tell whether a batch of a runtime exists."""
        return self._file(runtime, index).is_file()


@dataclass(frozen=True, slots=True)
class SavedRun:
    """The results of a run besides the outputs, enough to compare, diagnose, judge and report again."""

    model: ModelInfo
    artifact: ArtifactInfo | None
    inputs: InputsInfo
    runtimes: tuple[RuntimeRecord, ...]
    candidates: tuple[RuntimeId, ...]
    batch_sizes: tuple[int, ...]
    nonfinite_inputs: tuple[NonfiniteInput, ...]  # of outputs with hints
    input_elements: dict[str, int]  # elements of one batch, by input
    command: str
    evidence: Evidence = field(default_factory=Evidence)
    power: Power | None = None  # as measured, before the gate
    litert_artifact: ArtifactInfo | None = None
    pipeline: Pipeline | None = None  # of a run from files, before the gate
    version: int = RUN_VERSION


@cache
def _saved_run() -> TypeAdapter[SavedRun]:
    """Return what reads and writes run.json. It takes long to build, and most runs are not saved."""
    return TypeAdapter(SavedRun)


class PendingRun:
    """A run that is being saved: built beside `target`, and moved there completely or not at all.

    UsageError if `target` is not a new folder, an empty one or an earlier run, or if it cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / "run.json").is_file())):
            raise UsageError(
                f"--save-run {target}: the folder exists and is not a saved run.", "Name a new or empty folder."
            )
        place = target if target.is_dir() else target.absolute().parent
        self._made = [folder for folder in (place, *place.parents) if not folder.exists()]
        try:
            place.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=".pycheck-run-", dir=place))
        except OSError as error:
            self.discard()
            raise UsageError(
                f"--save-run {target}: cannot write to this folder: {error.strerror}.", "Name a different folder."
            ) from error
        self.outputs = OutputStore(self._folder / "outputs")

    def publish(self, run: SavedRun) -> None:
        """Move the outputs and run.json into place, instead of an earlier run's; other files in the folder stay."""
        try:
            (self._folder / "run.json").write_bytes(_saved_run().dump_json(run, indent=2))
            self._target.mkdir(exist_ok=True)
            (self._target / "run.json").unlink(missing_ok=True)
            shutil.rmtree(self._target / "outputs", ignore_errors=True)
            (self._folder / "outputs").rename(self._target / "outputs")
            self.outputs.folder = self._target / "outputs"
            (self._folder / "run.json").rename(self._target / "run.json")
        except OSError as error:
            raise UsageError(
                f"--save-run {self._target}: cannot write to this folder: {error.strerror}.", "Name a different folder."
            ) from error
        self._made = []
        self._published = run

    def add_pipeline(self, pipeline: Pipeline) -> None:
        """Add what is known only after the run to run.json."""
        whole = self._folder / "run.json"
        try:
            whole.write_bytes(_saved_run().dump_json(replace(self._published, pipeline=pipeline), indent=2))
            whole.replace(self._target / "run.json")
        except OSError as error:
            raise UsageError(
                f"--save-run {self._target}: cannot write to this folder: {error.strerror}.", "Name a different folder."
            ) from error

    def discard(self) -> None:
        """Remove the files beside the target; without `publish` nothing remains."""
        if hasattr(self, "_folder"):
            shutil.rmtree(self._folder, ignore_errors=True)
        for parent in self._made:
            with suppress(OSError):
                parent.rmdir()


def open_run(folder: Path) -> tuple[SavedRun, OutputStore]:
    """Open a saved run. InputError says what is missing, damaged or from a newer version."""
    file = folder / "run.json"
    try:
        text = file.read_bytes()
    except OSError as error:
        raise InputError(f"{folder} is not a saved run: {file.name}: {error.strerror}.", _SAVE) from error
    try:
        version = _version_of(json.loads(text))
        if version != RUN_VERSION:
            raise InputError(
                f"Cannot read {file}: it has version {version}, and this pycheck reads version {RUN_VERSION}.", _SAVE
            )
        saved = _saved_run().validate_json(text)
    except (ValueError, ValidationError, RecursionError) as error:
        raise InputError(f"Cannot read {file}: it is damaged: {str(error).splitlines()[0]}.", _SAVE) from error
    _check(file, saved)
    return saved, OutputStore(folder / "outputs")


def _check(file: Path, saved: SavedRun) -> None:
    """Raise InputError if the parts do not fit together, because the report would hide missing data."""
    recorded = {record.id for record in saved.runtimes}
    if not saved.candidates or not recorded.issuperset(saved.candidates):
        raise InputError(f"Cannot read {file}: it is damaged, its candidates are not among its runtimes.", _SAVE)
    if min(saved.batch_sizes, default=0) < 1 or sum(saved.batch_sizes) != saved.inputs.sample_count:
        raise InputError(
            f"Cannot read {file}: it is damaged, its batches do not add up to {saved.inputs.sample_count} samples.",
            _SAVE,
        )
    if not saved.model.signature.outputs:
        raise InputError(f"Cannot read {file}: it is damaged, its model has no outputs.", _SAVE)


def read_outputs(saved: SavedRun, store: OutputStore, runtime: RuntimeId, index: int) -> Tensors:
    """Read one batch of a saved run.

    InputError if an output is missing, or a reference has a different number of samples.
    """
    tensors = store.read(runtime, index)
    names = {spec.name for spec in saved.model.signature.outputs}
    if missing := sorted(names - tensors.keys()):
        raise InputError(
            f"The saved outputs of {runtime} are damaged: batch {index} has no {', '.join(missing)}.", _SAVE
        )
    if runtime in saved.model.references:
        for spec in saved.model.signature.outputs:
            shape = tensors[spec.name].shape
            if spec.has_sample_axis and shape[:1] != (saved.batch_sizes[index],):
                raise InputError(
                    f"The saved outputs of {runtime} are damaged: {spec.name} has shape {shape} in batch {index}, "
                    f"which has {saved.batch_sizes[index]} samples.",
                    _SAVE,
                )
    return {name: tensors[name] for name in names}


def _version_of(document: Any) -> object:
    return document.get("version") if isinstance(document, dict) else None


def starts(batch_sizes: tuple[int, ...]) -> Iterator[int]:
    """Return the index of the first sample of each batch."""
    start = 0
    for size in batch_sizes:
        yield start
        start += size
