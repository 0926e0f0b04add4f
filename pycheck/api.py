"""The public functions: the same work as the commands, for Python."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from .by_input import refuse_beside
from .errors import ConversionError, RuntimeUnavailableError
from .types import ArtifactInfo, CheckReport, Report, RuntimeId

if TYPE_CHECKING:
    from .config import Options
    from .matrix import Plan

T = TypeVar("T")

#: One array for a model with one input, a sequence in the model's order, or a mapping by input name.
Arrays = npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]
#: One number for every output, or a number by output name.
ByOutput = float | Mapping[str, float]


def compare(
    model: str | os.PathLike[str] | Any,
    inputs: str | os.PathLike[str] | Arrays | None = None,
    *,
    runtimes: Sequence[str | RuntimeId] | None = None,
    format: str | None = None,
    converter: str | None = None,
    quantize: str | None = None,
    keep_float: Sequence[str] | None = None,
    tfjs_model: str | os.PathLike[str] | None = None,
    map_output: Mapping[str, str] | None = None,
    samples: int | None = None,
    seed: int | None = None,
    range: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
    size: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None = None,
    rtol: ByOutput | None = None,
    atol: ByOutput | None = None,
    max_ulp: ByOutput | None = None,
    nan: str | None = None,
    save_run: str | os.PathLike[str] | None = None,
    trace: bool | None = None,
    layers: Sequence[str] | None = None,
    trace_samples: int | None = None,
    trace_memory: int | str | None = None,
    try_remedies: bool | None = None,
    power: bool | None = None,
    batch_size: int | None = None,
    timeout_s: float | None = None,
    headed: bool | None = None,
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None = None,
    browser_args: Sequence[str] | None = None,
    connect: Mapping[str, str] | None = None,
    flags: Mapping[str, str | int | float | bool] | None = None,
    cpu_kernels: Sequence[str] | None = None,
    signature: str | None = None,
    custom_objects: Sequence[str] | None = None,
    trust_model: bool | None = None,
    cache: bool | None = None,
) -> Report:
    """Run a model in Python and in real browsers on the same inputs.

    Args:
        model: Path of a ``.h5``, ``.hdf5`` or ``.keras`` file or a SavedModel folder, or a live ``keras.Model``.
        inputs: Path of a ``.npy``, ``.npz``, ``.safetensors`` or ``.json`` file, or arrays, of str for text. The first
            axis of every array is the sample. None makes seeded inputs from the model's signature.
        runtimes: Candidates such as ``"chromium:webgl"``; default cpu, webgl and wasm in Chromium.
        format: Artifact format: "auto", "layers" or "graph".
        converter: "pycheck", or "tensorflowjs" for the published Python package of that name.
        quantize: Weight quantization: "none", "float16", "uint16" or "uint8".
        keep_float: Layers, weights or patterns of weights ("*/moving_variance") that stay float32 all the same.
        tfjs_model: An existing ``model.json`` to check instead of converting.
        map_output: Artifact output name to model output name, for `tfjs_model`.
        samples: How many inputs to make, where `inputs` is None.
        seed: Seed of made inputs.
        range: Lowest and highest value of made inputs: of all, or by input name, ``{"kinds": (0, 12)}``.
        size: Free dimensions of made inputs: of all, or by input name, ``{"audio": 16000, "image": (224, 224)}``.
            None makes them as long as the model needs.
        rtol: Relative tolerance with NumPy's meaning, ``|c - r| <= atol + rtol * |r|``; replaces the automatic one.
        atol: Absolute tolerance, likewise.
        max_ulp: Largest error in units in the last place of the candidate's own precision.
        nan: What a non-finite divergence does: "fail", "warn" or "ignore".
        save_run: Folder to keep the raw outputs in, for `rejudge`.
        trace: Whether to trace, in the same browser, the runtimes that fail: see `trace`. The report of a run that
            passes has none.
        layers, trace_samples, trace_memory: As in `trace`.
        try_remedies: Whether to try, on the runtimes that fail, what may cure them: `Report.remedies` says what
            was changed, and what that gave. The verdict stays that of the run without them.
        power: Whether to measure how many faults of 1 % in the weights the comparison would notice: `Report.power`.
        batch_size: Samples at a time; default 32, or fewer if one takes much memory.
        timeout_s: Seconds to wait for any one answer of a browser.
        headed: Whether to show the browser's window.
        browser_path: Chromium's executable, or executables by engine: ``{"firefox": "/usr/bin/firefox"}``.
        browser_args: Arguments for the browser: Chromium's, or ``"firefox=--width=800"``.
        connect: Addresses of browsers that run already, by engine: a Playwright server's (``ws://``), Chromium's
            DevTools (``http://``), or "by-hand" for a page that a person opens.
        flags: TF.js flags that replace its defaults.
        cpu_kernels: Kernels of TF.js, such as "Relu", that its CPU backend runs instead of webgl or wasm.
        signature: Which signature of a SavedModel; default ``serving_default``, or the only one.
        custom_objects: ``module:attr`` of custom layers and functions.
        trust_model: Whether Lambda layers, which run code from the model file, are allowed.
        cache: Whether artifacts and native results may come from and go to the cache.

    Returns:
        The report. A candidate that failed is in it, with its error; drift and non-finite
        divergence are verdicts, never exceptions.

    Raises:
        UsageError: An option is wrong.
        ModelFileError, InputsFileError, ArtifactFileError: A file or an array cannot be used.
        ConversionError: The model cannot become an artifact.
        RuntimeFailedError: Native float32 itself failed, so that there is no reference.
    """
    given = locals()
    from . import pipeline

    refuse_beside(inputs, given)
    options = _options(given)
    return _run(pipeline.compare(path_or(model), path_or(inputs), options))


def trace(
    model: str | os.PathLike[str] | Any,
    inputs: str | os.PathLike[str] | Arrays | None = None,
    *,
    runtimes: Sequence[str | RuntimeId] | None = None,
    format: str | None = None,
    converter: str | None = None,
    quantize: str | None = None,
    keep_float: Sequence[str] | None = None,
    tfjs_model: str | os.PathLike[str] | None = None,
    map_output: Mapping[str, str] | None = None,
    samples: int | None = None,
    seed: int | None = None,
    range: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
    size: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None = None,
    rtol: ByOutput | None = None,
    atol: ByOutput | None = None,
    max_ulp: ByOutput | None = None,
    nan: str | None = None,
    save_run: str | os.PathLike[str] | None = None,
    layers: Sequence[str] | None = None,
    trace_samples: int | None = None,
    trace_memory: int | str | None = None,
    try_remedies: bool | None = None,
    power: bool | None = None,
    bundle: str | os.PathLike[str] | None = None,
    bundle_point: str | None = None,
    model_explorer: str | os.PathLike[str] | None = None,
    batch_size: int | None = None,
    timeout_s: float | None = None,
    headed: bool | None = None,
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None = None,
    browser_args: Sequence[str] | None = None,
    connect: Mapping[str, str] | None = None,
    flags: Mapping[str, str | int | float | bool] | None = None,
    cpu_kernels: Sequence[str] | None = None,
    signature: str | None = None,
    custom_objects: Sequence[str] | None = None,
    trust_model: bool | None = None,
    cache: bool | None = None,
) -> Report:
    """Compare, and find the operation inside of the artifact where a difference starts.

    The report is that of `compare` with a `trace`: for every point of the artifact and every runtime the error
    that it has in the whole run, and the error of its operation alone, on the values that Python has there.
    ``report.trace.table()`` gives all of that as flat rows.

    Args:
        model, inputs: As in `compare`, and so are the options that are not named here.
        layers: Names of layers or nodes; these alone are traced, and what they read.
        trace_samples: How many samples to trace, those that failed first; default 8, fewer where they are large,
            and more where TF.js would compute so few elements elsewhere.
        trace_memory: Memory for traced values, in bytes or as text such as "512MiB"; default 400 MiB, and up to
            1 GiB if one value needs it. The page of every runtime holds half as much.
        bundle: New or empty folder for the first source operation, cut out with the inputs on which it errs: a page
            that needs TF.js alone, the tensors, and a text for an issue. `trace.bundle` of the report tells of it.
        bundle_point: Node or layer that is to be in the bundle, instead of the first.
        model_explorer: New or empty folder for the graph and the errors of its nodes, for Google's Model Explorer.

    Raises:
        What `compare` raises; ArtifactFileError and RuntimeFailedError where the artifact cannot be executed in
        Python.
    """
    given = locals()
    from . import pipeline

    refuse_beside(inputs, given)
    options = _options(given | {"trace": True})
    return _run(pipeline.trace(path_or(model), path_or(inputs), options))


def train(
    model: str | os.PathLike[str] | Any,
    inputs: str | os.PathLike[str] | Arrays,
    targets: str | os.PathLike[str] | Arrays,
    *,
    optimizer: str | None = None,
    loss: str | None = None,
    steps: int = 50,
    batch_size: int | None = None,
    clipnorm: float | None = None,
    global_clipnorm: float | None = None,
    clipvalue: float | None = None,
    regularize: str | None = None,
    try_remedies: bool = False,
    runtimes: Sequence[str | RuntimeId] | None = None,
    nan: str | None = None,
    timeout_s: float | None = None,
    headed: bool | None = None,
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None = None,
    browser_args: Sequence[str] | None = None,
    connect: Mapping[str, str] | None = None,
    flags: Mapping[str, str | int | float | bool] | None = None,
    signature: str | None = None,
    custom_objects: Sequence[str] | None = None,
    trust_model: bool | None = None,
    cache: bool | None = None,
) -> Report:
    """Train a model in Python and in real browsers: the same weights, batches, optimizer and loss.

    The report has a `training`: for every runtime and step the loss, the norm of the gradient, the largest
    gradient and weight of each variable, what is not finite, and how far it is from Python in float64.

    Args:
        model: As in `compare`, a Keras model; it is left as it is.
        inputs, targets: Paths of ``.npy``, ``.npz`` or ``.safetensors`` files, or arrays. Samples are taken in
            order, `batch_size` a step, again and again.
        optimizer: Such as ``"adam:0.001"`` or ``"adam:0.001,epsilon=1e-7"``; None for the model's own.
        loss: Such as ``"mse"``, or a formula of the targets ``y`` and the output ``p``; None for the model's own.
        steps: How many batches.
        clipnorm, global_clipnorm, clipvalue: As in Keras, at most one.
        regularize: A penalty on all kernels, such as ``"l2:0.01"``.
        try_remedies: Whether to train again with each cure that fits; `training.cures` says which worked.

    The options that are not named here are those of `compare`.

    Raises:
        What `compare` raises for bad input; UsageError for a model, an optimizer or a loss that one side lacks.
    """
    given = locals()
    from . import pipeline
    from .training.recipe import RecipeText

    options = _options(given, without=_RECIPE)
    recipe = RecipeText(batch_size=options.batch_size, **{name: given[name] for name in _RECIPE})
    return _run(pipeline.train(path_or(model), path_or(inputs), path_or(targets), recipe, options))


def gradients(
    model: str | os.PathLike[str] | Any,
    inputs: str | os.PathLike[str] | Arrays,
    targets: str | os.PathLike[str] | Arrays,
    *,
    loss: str | None = None,
    batch_size: int | None = None,
    regularize: str | None = None,
    runtimes: Sequence[str | RuntimeId] | None = None,
    nan: str | None = None,
    timeout_s: float | None = None,
    signature: str | None = None,
    custom_objects: Sequence[str] | None = None,
    trust_model: bool | None = None,
) -> Report:
    """Compare the gradient of the first batch, and check both passes in Python operation by operation.

    The report's `training` has one step: `gradients` has every variable on every runtime, `passes` the operations
    that give what is not finite. Options and errors are those of `train`.
    """
    given = locals()
    from . import pipeline
    from .training.recipe import RecipeText

    options = _options(given, without=_RECIPE)
    recipe = RecipeText("sgd:0.01", loss, 1, options.batch_size, regularize=regularize, gradients_only=True)
    return _run(pipeline.train(path_or(model), path_or(inputs), path_or(targets), recipe, options))


def rejudge(
    run: str | os.PathLike[str],
    *,
    rtol: ByOutput | None = None,
    atol: ByOutput | None = None,
    max_ulp: ByOutput | None = None,
    nan: str | None = None,
) -> Report:
    """Compare and judge a run that `compare` saved; needs neither TensorFlow nor a browser.

    Raises:
        InputError: The folder is no saved run, or is damaged.
    """
    given = locals()
    from . import pipeline

    return pipeline.rejudge(Path(run), _options(given))


def check(
    config: str | os.PathLike[str] | None = None,
    models: Sequence[str] = (),
    *,
    runtimes: Sequence[str | RuntimeId] | None = None,
    timeout_s: float | None = None,
    headed: bool | None = None,
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None = None,
    browser_args: Sequence[str] | None = None,
    connect: Mapping[str, str] | None = None,
    cache: bool | None = None,
) -> CheckReport:
    """Run the matrix of a configuration, and hold it against its budgets and the accepted release.

    Args:
        config: A ``pycheck.toml``, or a ``pyproject.toml`` with ``[tool.pycheck]``; None takes that of the current
            folder.
        models: Names of models or variants, ``*`` for anything; empty for all of them.
        runtimes: Candidates, instead of those of the configuration.
        timeout_s, headed, browser_path, browser_args, connect, cache: As in `compare`.

    Returns:
        The reports of all variants. A variant that could not be judged is in its `failures`; what fails is a verdict,
        never an exception.

    Raises:
        UsageError: The configuration is wrong; the message names the line.
        InputError: The baseline cannot be read.
    """
    return _check(config, models, True, runtimes, timeout_s, headed, browser_path, browser_args, connect, cache)[1]


def update_baseline(
    config: str | os.PathLike[str] | None = None,
    models: Sequence[str] = (),
    *,
    runtimes: Sequence[str | RuntimeId] | None = None,
    timeout_s: float | None = None,
    headed: bool | None = None,
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None = None,
    browser_args: Sequence[str] | None = None,
    connect: Mapping[str, str] | None = None,
    cache: bool | None = None,
) -> CheckReport:
    """Run the matrix without its baseline and, where all of it passes, write it down as the accepted release.

    Args are those of `check`; what they leave out stays in the baseline as it was.

    Raises:
        UsageError: The configuration is wrong, or the baseline cannot be written.
    """
    from . import matrix

    plan, report = _check(
        config, models, False, runtimes, timeout_s, headed, browser_path, browser_args, connect, cache
    )
    if report.passed:
        matrix.accept(report, plan)
    return report


def _check(
    config: str | os.PathLike[str] | None,
    models: Sequence[str],
    against_baseline: bool,
    runtimes: Sequence[str | RuntimeId] | None,
    timeout_s: float | None,
    headed: bool | None,
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None,
    browser_args: Sequence[str] | None,
    connect: Mapping[str, str] | None,
    cache: bool | None,
) -> tuple[Plan, CheckReport]:
    from . import matrix

    given = {
        "runtimes": None if runtimes is None else tuple(str(runtime) for runtime in runtimes), "timeout": timeout_s,
        "headed": headed, "browser_path": browser_path, "browser_args": browser_args, "connect": connect,
        "cache": cache,
    }  # fmt: skip
    plan = matrix.plan(None if config is None else Path(config), given, models)
    return plan, _run(matrix.check(plan, against_baseline=against_baseline))


def convert(
    model: str | os.PathLike[str] | Any,
    folder: str | os.PathLike[str],
    *,
    format: str | None = None,
    converter: str | None = None,
    quantize: str | None = None,
    keep_float: Sequence[str] | None = None,
    signature: str | None = None,
    inputs: str | os.PathLike[str] | Arrays | None = None,
    verify: bool = True,
    samples: int | None = None,
    seed: int | None = None,
    range: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
    size: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None = None,
    rtol: ByOutput | None = None,
    atol: ByOutput | None = None,
    max_ulp: ByOutput | None = None,
    nan: str | None = None,
    custom_objects: Sequence[str] | None = None,
    trust_model: bool | None = None,
    timeout_s: float | None = None,
) -> ArtifactInfo:
    """Convert a model to what plain TF.js loads, into a new or empty folder.

    The artifact is run once in a browser and judged as `compare` judges, on `inputs` or on made ones.

    Args:
        inputs: As of `compare`. Left out, 2 samples are made.
        verify: False converts without a browser.

    Raises:
        ModelFileError: The model cannot be read.
        ConversionError: It cannot become an artifact, TF.js does not run the artifact, or the artifact fails the
            check. Only in the last case it has been written, so that its error can be examined.
        RuntimeUnavailableError: No browser could run the artifact, which has been written.
    """
    given = dict(locals())
    from . import converting

    refuse_beside(inputs, given)
    given["samples"] = converting.VERIFYING_SAMPLES if samples is None else samples
    options = _options(given, without=("verify",))
    work = converting.convert(path_or(model), Path(folder), options, inputs=path_or(inputs), verify=verify)
    converted = _run(work)
    if converted.exit_code == 3:
        raise RuntimeUnavailableError(f"{folder} is not verified: {converted.failure}", converted.advice)
    if converted.failure:
        raise ConversionError(f"{folder} is not verified: {converted.failure}", converted.advice)
    return converted.artifact


def keyword_options(given: Mapping[str, Any], *, folder: Path | None = None) -> Options:
    """Options from keywords of `compare`, for whoever takes the same; settings come from a file in `folder`.

    UsageError names a value that is wrong.
    """
    from .config import build

    values = dict(given)
    for name in _LISTS:  # a text is a sequence of letters to Python, and one item to whoever writes it
        if isinstance(values.get(name), str):
            values[name] = (values[name],)
    if values.get("runtimes") is not None:
        values["runtimes"] = tuple(str(runtime) for runtime in values["runtimes"])
    if values.get("map_output") is not None:
        values["map_output"] = tuple(values["map_output"].items())
    for name in ("rtol", "atol", "max_ulp"):
        values[name] = _by_output(values.get(name))
    values["timeout"] = values.pop("timeout_s", None)
    return build(values, folder=folder)


#: Those of which one may come alone.
_LISTS = ("runtimes", "custom_objects", "layers", "cpu_kernels", "keep_float")
#: Arguments that are no options of a run.
_NO_OPTIONS = frozenset({"model", "inputs", "targets", "run", "folder"})
#: Those that say how to train.
_RECIPE = ("optimizer", "loss", "steps", "clipnorm", "global_clipnorm", "clipvalue", "regularize", "try_remedies")


def _options(arguments: Mapping[str, Any], without: Sequence[str] = ()) -> Options:
    """Options from all arguments of a function here."""
    return keyword_options({n: value for n, value in arguments.items() if n not in _NO_OPTIONS and n not in without})


def path_or(value: Any) -> Any:
    """A path for what names one; anything else as it is."""
    return Path(value) if isinstance(value, str | os.PathLike) else value


def _by_output(value: ByOutput | None) -> list[str] | None:
    if value is None:
        return None
    return [f"{name}:{number}" for name, number in value.items()] if isinstance(value, Mapping) else [str(value)]


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, also where an event loop is running already, as in a notebook."""
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
