"""Writes the first configuration: the models in a folder, with comments on all further settings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import PycheckError, UsageError
from ..model import identify
from ..model.kind import TFJS
from ..options.file import NAME, find
from ..options.values import DEFAULT_RUNTIMES

_INPUT_ENDINGS = (".npy", ".npz", ".safetensors")
_MODEL_ENDINGS = (".keras", ".h5", ".hdf5")
_SKIPPED = {"node_modules", "__pycache__", "venv", "dist", "build"}
_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Found:
    """One model, its inputs, and the artifact that was converted from it, if these are clear."""

    name: str
    path: Path
    inputs: Path | None = None
    artifact: Path | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """The written file and its models; `skipped` are files that look like models but are not, with the reason."""

    file: Path
    models: tuple[Found, ...]
    skipped: tuple[tuple[Path, str], ...]

    @property
    def text(self) -> str:
        """Say which models were found, and what to do next."""
        lines = [f"{self.file} names {len(self.models)} model{'' if len(self.models) == 1 else 's'}:"]
        for model in self.models:
            inputs = f"inputs {model.inputs}" if model.inputs else "generated inputs"
            artifact = f", artifact {model.artifact}" if model.artifact else ""
            lines.append(f"  {model.name}  {model.path}, {inputs}{artifact}")
        lines += [f"  not {path}: {reason}" for path, reason in self.skipped]
        return "\n".join([*lines, "Next: pycheck check. If it passes: pycheck baseline update"])


def begin(folder: Path) -> Begun:
    """Write pycheck.toml into a folder. UsageError if a configuration already exists, or if there is no model."""
    file = folder / NAME
    existing = find(folder)
    if file.exists() or (existing and "models" in existing.table):
        raise UsageError(
            f"{existing.path if existing else file} exists already. pycheck init does not overwrite it.",
            "Run pycheck check, or edit the file.",
        )
    models, artifacts, skipped = _models(folder)
    if not models and not artifacts:
        looked = ", ".join(f"*{ending}" for ending in _MODEL_ENDINGS)
        raise UsageError(
            f"There is no model in {folder.resolve()}.",
            f"Looked for {looked}, SavedModel folders and model.json. {_said(skipped)}",
        )
    found = tuple(_described(folder, models, artifacts))
    try:
        file.write_text(_text(found), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Cannot write {file}: {error.strerror}.") from error
    return Begun(file, found, tuple(skipped))


def _said(skipped: Sequence[tuple[Path, str]]) -> str:
    return "\n".join(f"{path}: {reason}" for path, reason in skipped)


def _models(folder: Path) -> tuple[list[Path], list[Path], list[tuple[Path, str]]]:
    """Find models and artifacts, relative to the folder, and files that look like one but are not."""
    models: list[Path] = []
    artifacts: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    for path in _candidates(folder):
        relative = path.relative_to(folder)
        try:
            source = identify(path)
        except PycheckError as error:
            skipped.append((relative, error.message))
            continue
        (artifacts if source.format == TFJS else models).append(relative)
    return models, artifacts, skipped


def _candidates(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        here = Path(root)
        depth = len(here.relative_to(folder).parts)
        if "saved_model.pb" in files and here != folder:
            yield here
            folders.clear()
            continue
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith(".") and depth < _DEPTH)
        for name in sorted(files):
            if name == "model.json" or name.endswith(_MODEL_ENDINGS):
                yield here / name


def _described(folder: Path, models: Sequence[Path], artifacts: Sequence[Path]) -> Iterator[Found]:
    """Assign artifacts to models: by the folder's name, or one to one if there is only one of each."""
    left = list(artifacts)
    taken: set[str] = set()
    for model in models:
        mine = [a for a in left if model.stem in (a.parent.name, a.parent.name.removesuffix("_tfjs"))]
        if len(models) == len(artifacts) == 1:
            mine = left[:]
        for artifact in mine[:1]:
            left.remove(artifact)
        yield Found(_name(model, taken), model, _inputs_of(folder, model, len(models)), mine[0] if mine else None)
    for artifact in left:
        yield Found(_name(artifact, taken), artifact, _inputs_of(folder, artifact, len(models) + len(left)))


def _name(path: Path, taken: set[str]) -> str:
    """Choose a name that no other model has."""
    plain = path.parent.name if path.name == "model.json" and path.parent.name else path.stem
    ending = path.suffix.removeprefix(".") or "saved_model"
    choices = [plain, f"{plain}-{ending}", *(f"{plain}-{number}" for number in range(2, 1000))]
    name = next(choice for choice in choices if choice not in taken)
    taken.add(name)
    return name


def _inputs_of(folder: Path, model: Path, count: int) -> Path | None:
    stems = [f"{model.stem}_inputs", f"{model.stem}-inputs", f"{model.stem}.inputs", model.stem]
    stems += ["inputs"] if count == 1 else []
    for stem in stems:
        for ending in _INPUT_ENDINGS:
            if (folder / model.parent / f"{stem}{ending}").is_file():
                return model.parent / f"{stem}{ending}"
    return None


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(models: Sequence[Found]) -> str:
    runtimes = ", ".join(_quoted(str(runtime)) for runtime in DEFAULT_RUNTIMES)
    return _HEAD.format(runtimes=runtimes) + "".join(map(_model, models)) + _TAIL


def _model(model: Found) -> str:
    lines = ["", "[[models]]", f"name = {_quoted(model.name)}", f"path = {_quoted(model.path.as_posix())}"]
    if model.inputs:
        lines.append(f"inputs = {_quoted(model.inputs.as_posix())}")
    else:
        lines += ["# Real inputs find more faults than generated ones:", '# inputs = "inputs.npy"']
    if model.artifact:
        lines.append(f"tfjs_model = {_quoted(model.artifact.as_posix())}  # the artifact that you ship")
    return "\n".join(lines) + "\n"


_HEAD = """\
# What pycheck check runs, and when it fails: see docs/check.md.

# Runtimes: chromium, firefox and webkit, each with cpu, wasm, webgl, webgl-f16 (float16, as on some phones) and
# webgpu of TF.js, litert-wasm and litert-webgpu of LiteRT.js. pycheck doctor lists those that start here.
runtimes = [{runtimes}]

# Formats and quantizations of the artifact, each combination: layers and graph for TF.js, tflite for LiteRT.js.
# formats = ["layers", "graph", "tflite"]
# quantizations = ["none", "float16"]

# Generated inputs, for models without inputs.
# samples = 32
# seed = 0
# range = "0:1"
"""

_TAIL = """
# A tolerance of your own, for all outputs or for some. Without it, pycheck measures one.
# [[tolerances]]
# runtime = "*:webgl-f16"
# output = "*"
# rtol = 1e-2

# Limits in addition to the tolerance.
# [[budgets]]
# max_abs_error = 1e-3
# top1_agreement = 1.0
# artifact_size = "5MB"

# The severity of a finding, by its code: off, warn or error. pycheck explain lists the codes.
# [severity]
# top1-flip = "error"

# Known divergences, accepted until a day, with a reason.
# [[known]]
# code = "nan-introduced"
# model = "*"
# runtime = "chromium:webgl"
# reason = "relu of -Infinity"
# expires = 2030-01-01

# The baseline that pycheck baseline update writes. An error above margin times the accepted one fails.
# [baseline]
# margin = 2.0
"""
