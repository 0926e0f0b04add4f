"""The public functions: the same work as the commands, for Python."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import numpy.typing as npt

from .errors import ConversionError, RuntimeUnavailableError
from .options.keywords import accepts
from .results import CheckReport, Migration, Report
from .types import ArtifactInfo

if TYPE_CHECKING:
    from . import types
    from .options.settings import (
        BaselineKeywords,
        CheckKeywords,
        CompareKeywords,
        ConvertKeywords,
        GradientsKeywords,
        MigrateKeywords,
        RejudgeKeywords,
        TraceKeywords,
        TrainKeywords,
    )
    from .options.values import Options
    from .workflow.pipeline import Workbench

T = TypeVar("T")

#: One array for a model with one input, a sequence in the model's order, or a mapping by input name.
Arrays = npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]


@accepts("compare")
def compare(
    model: str | os.PathLike[str] | Any,
    inputs: str | os.PathLike[str] | Arrays | None = None,
    **options: Unpack[CompareKeywords],
) -> Report:
    """Run a model in Python and in real browsers on the same inputs.

    Args:
        model: Path of a ``.h5``, ``.hdf5`` or ``.keras`` file, a SavedModel folder or a TF.js ``model.json``; or a
            live ``keras.Model``.
        inputs: Path of a ``.npy``, ``.npz``, ``.safetensors`` or ``.json`` file, or arrays, of str for text. The first
            axis of every array is the sample. None generates them from a seed.

    Returns:
        The report. A candidate that failed is in it, with its error; drift and non-finite
        divergence are verdicts, never exceptions.

    Raises:
        UsageError: An option is wrong.
        ModelFileError, InputsFileError, ArtifactFileError: A file or an array cannot be used.
        ConversionError: The model cannot be converted.
        RuntimeFailedError: native:float32 failed, so that there is no reference.
    """

    asked = asked_options(options, inputs)
    return _report(lambda bench: bench.compare(path_or(model), path_or(inputs), asked))


@accepts("migrate")
def migrate(
    model: str | os.PathLike[str] | Any,
    inputs: str | os.PathLike[str] | Arrays | None = None,
    **options: Unpack[MigrateKeywords],
) -> Migration:
    """Run a model on TF.js and on LiteRT.js with the same inputs, and decide whether it can move.

    Args:
        model, inputs: As in `compare`.

    Returns:
        The decision with its reasons: each runtime of TF.js beside its counterpart of LiteRT.js, and LiteRT.js with
        quantized weights. A library that cannot convert the model is in `unsupported`.

    Raises:
        What `compare` raises, except ConversionError.
    """
    from .workflow import migrating
    from .workflow.pipeline import alone

    asked = asked_options(options, inputs)
    work = alone(lambda bench: migrating.migrate(bench, path_or(model), path_or(inputs), asked))
    return Migration.of(_run(work))


@accepts("trace")
def trace(
    model: str | os.PathLike[str] | Any,
    inputs: str | os.PathLike[str] | Arrays | None = None,
    **options: Unpack[TraceKeywords],
) -> Report:
    """Compare, and find the operation of the artifact that introduces a difference.

    The report is that of `compare` with a `trace`: for every point of the artifact and every runtime the error
    that it has in the whole run, and the error of its operation alone, on the values that Python has there.
    ``report.trace.table()`` gives all of that as flat rows.

    Args:
        model, inputs: As in `compare`.

    Raises:
        What `compare` raises; ArtifactFileError and RuntimeFailedError where the artifact cannot be executed in
        Python.
    """

    asked = asked_options({**options, "trace": True}, inputs)
    return _report(lambda bench: bench.trace(path_or(model), path_or(inputs), asked))


@accepts("train")
def train(
    model: str | os.PathLike[str] | Any,
    inputs: str | os.PathLike[str] | Arrays,
    targets: str | os.PathLike[str] | Arrays,
    **options: Unpack[TrainKeywords],
) -> Report:
    """Train a model in Python and in real browsers: the same weights, batches, optimizer and loss.

    The report has a `training`: for every runtime and step the loss, the norm of the gradient, the largest
    gradient and weight of each variable, what is not finite, and how far it is from Python in float64.

    Args:
        model: As in `compare`, a Keras model; it is left as it is.
        inputs, targets: Paths of ``.npy``, ``.npz`` or ``.safetensors`` files, or arrays. Samples are taken in
            order, `batch_size` a step, again and again.

    Raises:
        What `compare` raises for bad input; UsageError for a model, an optimizer or a loss that one side lacks.
    """
    from .training.recipe import asked_recipe

    recipe, asked = asked_recipe(options, asked_options)
    return _report(lambda bench: bench.train(path_or(model), path_or(inputs), path_or(targets), recipe, asked))


@accepts("gradients")
def gradients(
    model: str | os.PathLike[str] | Any,
    inputs: str | os.PathLike[str] | Arrays,
    targets: str | os.PathLike[str] | Arrays,
    **options: Unpack[GradientsKeywords],
) -> Report:
    """Compare the gradient of the first batch, and check both passes in Python operation by operation.

    The report's `training` has one step: `gradients` has every variable on every runtime, `passes` the operations
    that give what is not finite. Errors are those of `train`.

    Args:
        model, inputs, targets: As in `train`.
    """
    from .training.recipe import asked_recipe

    recipe, asked = asked_recipe(options, asked_options, gradients_only=True)
    return _report(lambda bench: bench.train(path_or(model), path_or(inputs), path_or(targets), recipe, asked))


@accepts("report")
def rejudge(run: str | os.PathLike[str], **options: Unpack[RejudgeKeywords]) -> Report:
    """Compare and judge a run that `compare` saved; needs neither TensorFlow nor a browser.

    Args:
        run: The folder.

    Raises:
        InputError: The folder is not a saved run, or is damaged.
    """
    from .workflow import pipeline

    return Report.of(pipeline.rejudge(Path(run), asked_options(options, run)))


@accepts("check")
def check(
    config: str | os.PathLike[str] | None = None,
    models: Sequence[str] = (),
    *,
    history: str | os.PathLike[str] | None = None,
    label: str | None = None,
    **options: Unpack[CheckKeywords],
) -> CheckReport:
    """Run all models and variants of a configuration, and check them against their budgets and the baseline.

    Args:
        config: A ``pycheck.toml``, or a ``pyproject.toml`` with ``[tool.pycheck]``; None takes the nearest one of the
            current folder and those above it.
        models: Names of models or variants, ``*`` as a wildcard; empty for all of them.
        history: File to which the figures of this check are added, which ``pycheck history`` shows.
        label: Name of this check in the history; None takes the tag or branch that a CI server names.

    Returns:
        The reports of all variants, or of those of a shard. A variant that could not be judged is in its `failures`;
        what fails is a verdict, never an exception.

    Raises:
        UsageError: The configuration is wrong; the message names the line. Or `save_run` cannot be written.
        InputError: The baseline cannot be read, or `history` is another file.
    """
    from . import checks
    from .cluster import runner_of
    from .history import begin

    plan = checks.plan(None if config is None else Path(config), options, _names(models))
    keep = begin(None if history is None else Path(history), label, of_shard=plan.shard is not None)
    with checks.saving(plan) as part:
        report = _run(checks.check(plan, part=part, runner=runner_of(plan)))
        if part:
            part.publish(report.wall_s)
    keep(report)
    return CheckReport.of(report)


@accepts("merge")
def merge(
    parts: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    config: str | os.PathLike[str] | None = None,
    *,
    history: str | os.PathLike[str] | None = None,
    label: str | None = None,
) -> CheckReport:
    """Judge the saved parts of a check as one check; needs neither TensorFlow nor a browser.

    Args:
        parts: The folders that `check` saved, one for each shard.
        config: As in `check`. Budgets, severities, known divergences and the baseline are those of now; all else must
            be as it was in the run.
        history, label: As in `check`.

    Raises:
        InputError: A part is missing, is there twice, is damaged, or is of a different check or version.
        UsageError: The configuration is wrong, or is different from that of the parts.
    """
    from . import checks
    from .history import begin

    folders = [parts] if isinstance(parts, str | os.PathLike) else parts
    keep = begin(None if history is None else Path(history), label)
    report = checks.merge(list(map(Path, folders)), None if config is None else Path(config))
    keep(report)
    return CheckReport.of(report)


@accepts("baseline")
def update_baseline(
    config: str | os.PathLike[str] | None = None,
    models: Sequence[str] = (),
    **options: Unpack[BaselineKeywords],
) -> CheckReport:
    """Run all models and variants without the baseline and, if all pass, save their results as the baseline.

    Models that are not run keep their results in the baseline.

    Args:
        config, models: As in `check`.

    Raises:
        UsageError: The configuration is wrong, or the baseline cannot be written.
    """
    from . import checks
    from .cluster import runner_of

    plan = checks.plan(None if config is None else Path(config), options, _names(models))
    report = CheckReport.of(_run(checks.check(plan, against_baseline=False, runner=runner_of(plan))))
    if report.passed:
        checks.accept(report, plan)
    return report


def _names(models: Sequence[str]) -> Sequence[str]:
    return (models,) if isinstance(models, str) else models


@accepts("convert")
def convert(
    model: str | os.PathLike[str] | Any,
    folder: str | os.PathLike[str],
    *,
    inputs: str | os.PathLike[str] | Arrays | None = None,
    verify: bool = True,
    **options: Unpack[ConvertKeywords],
) -> ArtifactInfo:
    """Convert a model to a TF.js artifact, in a new or empty folder.

    One run in a browser verifies the artifact, on `inputs` or on generated ones, judged as `compare` judges.

    Args:
        model: As in `compare`.
        folder: Folder for the ``model.json`` and its weight files.
        inputs: As in `compare`. By default 2 samples, or `samples`, are generated.
        verify: False converts without a browser.

    Raises:
        ModelFileError: The model cannot be read.
        ConversionError: The model cannot be converted, TF.js cannot run the artifact, or the artifact fails the
            check. Only in the last case the folder is written, so that the error can be examined.
        RuntimeUnavailableError: No browser could run the artifact. The folder is written.
    """
    from .workflow import converting

    asked = converting.few_samples(asked_options(options, inputs), options)
    work = converting.convert(path_or(model), Path(folder), asked, inputs=path_or(inputs), verify=verify)
    converted = _run(work)
    if converted.exit_code == 3:
        raise RuntimeUnavailableError(
            f"The artifact in {folder} is not verified: {converted.failure}", converted.advice
        )
    if converted.failure:
        raise ConversionError(f"The artifact in {folder} is not verified: {converted.failure}", converted.advice)
    return converted.artifact


def asked_options(given: Mapping[str, Any], inputs: Any = None) -> Options:
    """Build options from the keywords of a function; UsageError names an invalid value."""
    from .options.reading import build

    return build(given, has_inputs=inputs is not None)


def path_or(value: Any) -> Any:
    """Convert a text to a path, and a list of texts to paths; return other values unchanged."""
    if isinstance(value, list | tuple) and value and all(isinstance(item, str | os.PathLike) for item in value):
        return [Path(item) for item in value]
    return Path(value) if isinstance(value, str | os.PathLike) else value


def _report(work: Callable[[Workbench], Coroutine[Any, Any, types.Report]]) -> Report:
    from .workflow.pipeline import alone

    return Report.of(_run(alone(work)))


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, even if an event loop is already running, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    result: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            result.append(asyncio.run(work))
        except BaseException as error:  # handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=target, name="pycheck")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return result[0]
