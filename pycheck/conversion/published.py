"""Converts with the published converter, the Python package tensorflowjs, as most pipelines do.

It runs in a separate process, with its own command line; its files are not changed.
"""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArtifactFileError, ConversionError
from ..system.quiet import without_native_noise
from ..types import ArtifactInfo
from .existing import open_artifact
from .published_environment import PublishedConverter, isolated

if TYPE_CHECKING:
    from ..model import Model

_RUNNER = Path(__file__).with_name("published_runner.py")
_KERAS_H5, _SAVED_MODEL = "keras-h5", "saved-model"  # the formats of a model file
_TIMEOUT_S = 1800.0
_WITHOUT_PYCHECK = "Remove --converter to convert with pycheck."
#: The last line of a traceback, which names the error.
_RAISED = re.compile(r"[\w.]*(Error|Exception)\b")
#: Lines of standard error that do not explain a failure.
_NOISE = ("WARNING", "I0000", "E0000", "W0000", "Traceback")


def convert_published(
    model: Model, folder: Path, converter: PublishedConverter, *, format: str = "auto", quantize: str = "none",
    signature: str | None = None,
) -> ArtifactInfo:  # fmt: skip
    """Convert `model` into `folder`, which is absent.

    ``auto`` makes a layers model of an HDF5 file of Keras 2, as the converter's own command line does, and a graph
    model of all other files: TF.js cannot load the converter's layers models of Keras 3 files.

    Raises:
        ConversionError: the converter fails; the message is its own. Or its files are not an artifact of the model.
    """
    chosen, reason = _format(model, format)
    with tempfile.TemporaryDirectory(prefix="pycheck-") as scratch:
        words = [*_source(model, chosen, Path(scratch), signature), *_quantization(quantize)]
        _run(converter, words, folder)
    try:
        artifact = open_artifact(folder, model.info.signature, reason=reason)
    except ArtifactFileError as error:
        raise ConversionError(f"Cannot use the artifact of {converter}: {error.message}", _WITHOUT_PYCHECK) from error
    return replace(artifact, quantization=quantize, converter=str(converter))


def _format(model: Model, format: str) -> tuple[str, str]:
    """Choose layers or graph, with the reason."""
    if model.keras_model is None:
        if format == "layers":
            raise ConversionError(
                "A SavedModel has no Keras layers, so it cannot become a layers model.", "Use --format graph"
            )
        return "graph", "the published converter converts SavedModels to graph models"
    if format != "auto":
        return format, ""
    if model.info.format == _KERAS_H5 and _is_keras2(model):
        return "layers", "the published converter converts Keras 2 files to layers models"
    return "graph", "exported as a SavedModel, because TF.js cannot load the converter's layers models of Keras 3 files"


def _is_keras2(model: Model) -> bool:
    return type(model.keras_model).__module__.startswith("tf_keras.")


def _source(model: Model, format: str, scratch: Path, signature: str | None) -> list[str]:
    """Return the converter's arguments for the model: its own file if the converter can read it, else a saved copy."""
    if format == "layers":
        if model.info.format == _KERAS_H5:
            return ["--input_format=keras", "--output_format=tfjs_layers_model", model.info.path]
        # The converter unzips a .keras file into its folder, and a model in memory has no file.
        file = scratch / "model.h5" if _is_keras2(model) else scratch / "model.keras"
        model.keras_model.save(file)
        kind = "keras" if file.suffix == ".h5" else "keras_keras"
        return [f"--input_format={kind}", "--output_format=tfjs_layers_model", str(file)]
    words = ["--input_format=tf_saved_model", "--output_format=tfjs_graph_model"]
    if model.info.format == _SAVED_MODEL:
        return [*words, *([f"--signature_name={signature}"] if signature else []), model.info.path]
    exported = scratch / "saved_model"
    with without_native_noise(), contextlib.redirect_stdout(io.StringIO()):  # Keras prints a description of the export
        model.keras_model.export(str(exported))
    return [*words, str(exported)]


def _quantization(quantize: str) -> list[str]:
    return [] if quantize == "none" else [f"--quantize_{quantize}=*"]


def _run(converter: PublishedConverter, words: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            [*isolated(converter.python), str(_RUNNER), *_ordered(words), str(folder)],
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConversionError(f"Cannot run {converter}: {error}.", _WITHOUT_PYCHECK) from error
    if done.returncode or not (folder / "model.json").is_file():
        raise ConversionError(f"{converter} cannot convert the model: {_said(done)}", _WITHOUT_PYCHECK)


def _ordered(words: Sequence[str]) -> list[str]:
    """Put options first, because the converter reads the argument after the input as its output."""
    return sorted(words, key=lambda word: not word.startswith("--"))


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """Return the error at the end of the traceback, in one line."""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines()]
    plain = [line for line in lines if line and not line.startswith(_NOISE)]
    raised = next((index for index in reversed(range(len(plain))) if _RAISED.match(plain[index])), len(plain) - 1)
    return " ".join(plain[max(raised, 0) :]) or f"it exited with {done.returncode} and printed nothing"
