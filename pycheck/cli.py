"""Commands and options; maps errors to exit codes. No logic lives here."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from . import process
from .cli_options import (
    Atol,
    BatchSize,
    BrowserArg,
    BrowserPath,
    Bundle,
    BundlePoint,
    ClipNorm,
    ClipValue,
    ConfigPath,
    Connect,
    CpuKernels,
    CustomObjects,
    Flag,
    Format,
    Github,
    GlobalClipNorm,
    Headed,
    HtmlPath,
    InputsPath,
    JsonPath,
    JunitPath,
    Layers,
    Loss,
    MapOutput,
    MarkdownPath,
    MaxUlp,
    ModelExplorer,
    ModelPath,
    Nan,
    NoCache,
    NoColor,
    Optimizer,
    Quantize,
    Quiet,
    Range,
    Regularize,
    Rtol,
    Runtimes,
    Samples,
    SaveRun,
    Seed,
    Steps,
    TargetsPath,
    TfjsModel,
    TfjsVersions,
    Timeout,
    Trace,
    TraceMemory,
    TraceSamples,
    TrainInputsPath,
    TrustModel,
    TryRemedies,
    VariantNames,
    Verbose,
)
from .errors import PycheckError
from .version import __version__

if TYPE_CHECKING:
    from .config import Options
    from .console import Console
    from .matrix import Plan
    from .types import CheckReport

T = TypeVar("T")

EXIT_USAGE = 2
EXIT_BUG = 70
EXIT_SIGNAL = 128  # and the number of the signal: 130 for Ctrl-C, 143 for SIGTERM

#: What the machine lacks, rather than pycheck.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

_EPILOG_COMPARE = """
Examples:

  pycheck compare model.keras inputs.npy

  pycheck compare model.h5 --samples 64 --range 0:255 --runtime chromium:webgpu

  pycheck compare saved_model/ inputs.npz --tfjs-model web/model.json --atol scores:1e-4

  pycheck compare model.keras inputs.npy --json - | jq .verdict

  pycheck compare model.keras inputs.npy --trace --try-remedies

Exit code: 0 pass; 1 the gate failed; 2 usage, configuration or input error;
3 a runtime was unavailable, failed or timed out; 4 conversion failed; 70 a bug in pycheck.
"""

_EPILOG_TRACE = """
Examples:

  pycheck trace model.keras inputs.npy --runtime chromium:webgl --try-remedies

  pycheck trace model.h5 --samples 8 --trace-memory 4GiB --json trace.json

  pycheck trace model.keras inputs.npy --layer conv2d_7 --layer softmax

  pycheck trace model.keras inputs.npy --runtime chromium:webgl --bundle bug/

  pycheck trace model.keras inputs.npy --model-explorer explorer/

Exit code: that of pycheck compare.
"""

_EPILOG_CHECK = """
Examples:

  pycheck init && pycheck check

  pycheck check cnn --runtime chromium:webgl

  pycheck check --config models/pycheck.toml --json check.json

Exit code: 0 all pass; 1 a gate failed; else that of what kept a model from being judged, see pycheck compare.
"""

_EPILOG_TRAIN = """
Examples:

  pycheck train model.keras inputs.npy targets.npy --optimizer sgd:0.1 --loss mse --steps 100

  pycheck train model.keras x.npy y.npy --optimizer adam:0.001 --loss binary_crossentropy --try-remedies

  pycheck train model.keras x.npy y.npy --optimizer sgd:0.01 --loss 'mean(-y * log(p))' --json training.json

Exit code: that of pycheck compare.
"""

app = typer.Typer(
    name="pycheck",
    help="Does a Keras model answer in the browser as it answers in Python?\n\n"
    "Start with: pycheck compare MODEL INPUTS. If a browser does not start: pycheck doctor.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"pycheck {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(epilog=_EPILOG_COMPARE)
def compare(
    model: ModelPath,
    inputs: InputsPath = None,
    runtime: Runtimes = None,
    format: Format = None,
    quantize: Quantize = None,
    tfjs_model: TfjsModel = None,
    map_output: MapOutput = None,
    samples: Samples = None,
    seed: Seed = None,
    range: Range = None,
    rtol: Rtol = None,
    atol: Atol = None,
    max_ulp: MaxUlp = None,
    nan: Nan = None,
    trace: Trace = None,
    layer: Layers = None,
    trace_samples: TraceSamples = None,
    trace_memory: TraceMemory = None,
    try_remedies: TryRemedies = None,
    json: JsonPath = None,
    html: HtmlPath = None,
    junit: JunitPath = None,
    markdown: MarkdownPath = None,
    github: Github = None,
    save_run: SaveRun = None,
    batch_size: BatchSize = None,
    timeout: Timeout = None,
    headed: Headed = None,
    browser_path: BrowserPath = None,
    browser_arg: BrowserArg = None,
    connect: Connect = None,
    flag: Flag = None,
    cpu_kernel: CpuKernels = None,
    custom_objects: CustomObjects = None,
    trust_model: TrustModel = None,
    no_cache: NoCache = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run MODEL in Python and in real browsers on the same inputs, and say whether they answer alike."""
    from . import pipeline
    from .console import Console
    from .publishing import destinations, publish

    options = _options(
        runtimes=runtime, format=format, quantize=quantize, tfjs_model=tfjs_model, map_output=map_output,
        samples=samples, seed=seed, range=range, rtol=rtol, atol=atol, max_ulp=max_ulp, nan=nan, save_run=save_run,
        trace=trace, layers=layer, trace_samples=trace_samples, trace_memory=trace_memory,
        batch_size=batch_size, timeout=timeout, headed=headed, browser_path=browser_path, browser_args=browser_arg,
        connect=connect, flags=flag, cpu_kernels=cpu_kernel, try_remedies=try_remedies,
        custom_objects=custom_objects, trust_model=trust_model,
        cache=False if no_cache else None,
    )  # fmt: skip
    console = Console(verbosity=-1 if quiet else verbose, no_color=no_color)
    outputs = destinations(json=json, html=html, junit=junit, markdown=markdown)
    with console.progress() as observe:
        report = _run(pipeline.compare(model, inputs, options, observe))
    raise typer.Exit(publish(report, outputs, console, github=github))


@app.command(epilog=_EPILOG_TRACE)
def trace(
    model: ModelPath,
    inputs: InputsPath = None,
    runtime: Runtimes = None,
    format: Format = None,
    quantize: Quantize = None,
    tfjs_model: TfjsModel = None,
    map_output: MapOutput = None,
    samples: Samples = None,
    seed: Seed = None,
    range: Range = None,
    rtol: Rtol = None,
    atol: Atol = None,
    max_ulp: MaxUlp = None,
    nan: Nan = None,
    layer: Layers = None,
    trace_samples: TraceSamples = None,
    trace_memory: TraceMemory = None,
    bundle: Bundle = None,
    bundle_point: BundlePoint = None,
    model_explorer: ModelExplorer = None,
    try_remedies: TryRemedies = None,
    json: JsonPath = None,
    html: HtmlPath = None,
    junit: JunitPath = None,
    markdown: MarkdownPath = None,
    github: Github = None,
    save_run: SaveRun = None,
    batch_size: BatchSize = None,
    timeout: Timeout = None,
    headed: Headed = None,
    browser_path: BrowserPath = None,
    browser_arg: BrowserArg = None,
    connect: Connect = None,
    flag: Flag = None,
    cpu_kernel: CpuKernels = None,
    custom_objects: CustomObjects = None,
    trust_model: TrustModel = None,
    no_cache: NoCache = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Compare, and say at which operation inside of MODEL a difference starts, and why."""
    from . import pipeline
    from .console import Console
    from .publishing import destinations, publish

    options = _options(
        runtimes=runtime, format=format, quantize=quantize, tfjs_model=tfjs_model, map_output=map_output,
        samples=samples, seed=seed, range=range, rtol=rtol, atol=atol, max_ulp=max_ulp, nan=nan, save_run=save_run,
        trace=True, layers=layer, trace_samples=trace_samples, trace_memory=trace_memory,
        bundle=bundle, bundle_point=bundle_point, model_explorer=model_explorer,
        batch_size=batch_size, timeout=timeout, headed=headed, browser_path=browser_path, browser_args=browser_arg,
        connect=connect, flags=flag, cpu_kernels=cpu_kernel, try_remedies=try_remedies,
        custom_objects=custom_objects, trust_model=trust_model,
        cache=False if no_cache else None,
    )  # fmt: skip
    console = Console(verbosity=-1 if quiet else verbose, no_color=no_color)
    outputs = destinations(json=json, html=html, junit=junit, markdown=markdown)
    with console.progress() as observe:
        report = _run(pipeline.trace(model, inputs, options, observe))
    raise typer.Exit(publish(report, outputs, console, github=github))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where the models lie (default: here).")] = Path(),
) -> None:
    """Write a commented pycheck.toml for the models in a folder."""
    from .matrix import begin
    from .publishing import standard_output

    begun = begin(folder)
    with standard_output():
        print(begun.text)


@app.command(epilog=_EPILOG_CHECK)
def check(
    model: VariantNames = None,
    config: ConfigPath = None,
    runtime: Runtimes = None,
    tfjs_version: TfjsVersions = None,
    json: JsonPath = None,
    html: HtmlPath = None,
    junit: JunitPath = None,
    markdown: MarkdownPath = None,
    github: Github = None,
    timeout: Timeout = None,
    headed: Headed = None,
    browser_path: BrowserPath = None,
    browser_arg: BrowserArg = None,
    connect: Connect = None,
    no_cache: NoCache = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run the whole matrix of pycheck.toml, and hold it against its budgets and the accepted release."""
    from .console import Console
    from .publishing import destinations, publish_check

    console = Console(verbosity=-1 if quiet else verbose, no_color=no_color)
    outputs = destinations(json=json, html=html, junit=junit, markdown=markdown)
    given = _given_to_check(runtime, timeout, headed, browser_path, browser_arg, connect, no_cache)
    given["tfjs_versions"] = tuple(tfjs_version or ())
    _, report = _check(config, model, given, console)
    raise typer.Exit(publish_check(report, outputs, console, github=github))


baseline = typer.Typer(help="The accepted release, which pycheck check holds others against.", no_args_is_help=True)
app.add_typer(baseline, name="baseline")


@baseline.command("update")
def baseline_update(
    model: VariantNames = None,
    config: ConfigPath = None,
    runtime: Runtimes = None,
    timeout: Timeout = None,
    headed: Headed = None,
    browser_path: BrowserPath = None,
    browser_arg: BrowserArg = None,
    connect: Connect = None,
    no_cache: NoCache = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run the matrix and, where all passes, accept it: write down how each output did, and on what."""
    from .console import Console
    from .matrix import accept
    from .publishing import publish_check

    console = Console(verbosity=-1 if quiet else verbose, no_color=no_color)
    given = _given_to_check(runtime, timeout, headed, browser_path, browser_arg, connect, no_cache)
    plan, report = _check(config, model, given, console, against_baseline=False)
    code = publish_check(report, {}, console, github=False)
    console.note(accept(report, plan) if code == 0 else "The baseline stays as it was: only what passes is accepted.")
    raise typer.Exit(code)


def _given_to_check(
    runtime: Runtimes,
    timeout: Timeout,
    headed: Headed,
    browser_path: BrowserPath,
    browser_arg: BrowserArg,
    connect: Connect,
    no_cache: NoCache,
) -> dict[str, Any]:
    return {
        "runtimes": runtime, "timeout": timeout, "headed": headed, "browser_path": browser_path,
        "browser_args": browser_arg, "connect": connect, "cache": False if no_cache else None,
    }  # fmt: skip


def _check(
    config: Path | None, models: list[str] | None, given: dict[str, Any], console: Console, **how: Any
) -> tuple[Plan, CheckReport]:
    from . import matrix

    plan = matrix.plan(config, given, models or (), command=shlex.join(["pycheck", *sys.argv[1:]]))
    with console.check_progress(plan.runtime_counts) as observe:
        return plan, _run(matrix.check(plan, observe, **how))


@app.command(epilog=_EPILOG_TRAIN)
def train(
    model: ModelPath,
    inputs: TrainInputsPath,
    targets: TargetsPath,
    optimizer: Optimizer = None,
    loss: Loss = None,
    steps: Steps = 50,
    clipnorm: ClipNorm = None,
    global_clipnorm: GlobalClipNorm = None,
    clipvalue: ClipValue = None,
    regularize: Regularize = None,
    try_remedies: TryRemedies = None,
    runtime: Runtimes = None,
    nan: Nan = None,
    json: JsonPath = None,
    html: HtmlPath = None,
    junit: JunitPath = None,
    markdown: MarkdownPath = None,
    github: Github = None,
    batch_size: BatchSize = None,
    timeout: Timeout = None,
    headed: Headed = None,
    browser_path: BrowserPath = None,
    browser_arg: BrowserArg = None,
    connect: Connect = None,
    flag: Flag = None,
    custom_objects: CustomObjects = None,
    trust_model: TrustModel = None,
    no_cache: NoCache = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Train MODEL in Python and in real browsers on the same batches, and say whether they learn alike."""
    from . import pipeline
    from .console import Console
    from .publishing import destinations, publish
    from .training.recipe import RecipeText

    options = _options(
        runtimes=runtime, nan=nan, batch_size=batch_size, timeout=timeout, headed=headed, browser_path=browser_path,
        browser_args=browser_arg, connect=connect, flags=flag, custom_objects=custom_objects, trust_model=trust_model,
        cache=False if no_cache else None,
    )  # fmt: skip
    recipe = RecipeText(
        optimizer, loss, steps, options.batch_size, clipnorm, global_clipnorm, clipvalue, regularize, bool(try_remedies)
    )
    console = Console(verbosity=-1 if quiet else verbose, no_color=no_color)
    outputs = destinations(json=json, html=html, junit=junit, markdown=markdown)
    with console.progress() as observe:
        report = _run(pipeline.train(model, inputs, targets, recipe, options, observe))
    raise typer.Exit(publish(report, outputs, console, github=github))


@app.command()
def gradients(
    model: ModelPath,
    inputs: TrainInputsPath,
    targets: TargetsPath,
    loss: Loss = None,
    regularize: Regularize = None,
    runtime: Runtimes = None,
    nan: Nan = None,
    json: JsonPath = None,
    html: HtmlPath = None,
    junit: JunitPath = None,
    markdown: MarkdownPath = None,
    github: Github = None,
    batch_size: BatchSize = None,
    timeout: Timeout = None,
    headed: Headed = None,
    browser_path: BrowserPath = None,
    browser_arg: BrowserArg = None,
    connect: Connect = None,
    flag: Flag = None,
    custom_objects: CustomObjects = None,
    trust_model: TrustModel = None,
    no_cache: NoCache = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Compare MODEL's gradient on its first batch, and check both passes in Python operation by operation."""
    from . import pipeline
    from .console import Console
    from .publishing import destinations, publish
    from .training.recipe import RecipeText

    options = _options(
        runtimes=runtime, nan=nan, batch_size=batch_size, timeout=timeout, headed=headed, browser_path=browser_path,
        browser_args=browser_arg, connect=connect, flags=flag, custom_objects=custom_objects, trust_model=trust_model,
        cache=False if no_cache else None,
    )  # fmt: skip
    recipe = RecipeText("sgd:0.01", loss, 1, options.batch_size, regularize=regularize, gradients_only=True)
    console = Console(verbosity=-1 if quiet else verbose, no_color=no_color)
    outputs = destinations(json=json, html=html, junit=junit, markdown=markdown)
    with console.progress() as observe:
        report = _run(pipeline.train(model, inputs, targets, recipe, options, observe))
    raise typer.Exit(publish(report, outputs, console, github=github))


@app.command("inputs")
def inputs_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".npy, .npz or .safetensors.")],
    json: JsonPath = None,
    no_color: NoColor = False,
) -> None:
    """Look at the hygiene of a data file by itself: NaN, outliers, scale, columns, types, half floats."""
    from . import hygiene
    from .console import Console
    from .publishing import destinations, standard_output

    outputs = destinations(json=json)
    found = hygiene.examine(file)
    with standard_output():
        Console(no_color=no_color).hygiene(found, outputs.get("json"))
    raise typer.Exit(0 if found.clean else 1)


@app.command("report")
def report_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What pycheck compare --save-run kept.")],
    rtol: Rtol = None,
    atol: Atol = None,
    max_ulp: MaxUlp = None,
    nan: Nan = None,
    json: JsonPath = None,
    html: HtmlPath = None,
    junit: JunitPath = None,
    markdown: MarkdownPath = None,
    github: Github = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Judge and report a saved run again; needs neither TensorFlow nor a browser."""
    from . import pipeline
    from .console import Console
    from .publishing import destinations, publish

    options = _options(rtol=rtol, atol=atol, max_ulp=max_ulp, nan=nan)
    console = Console(verbosity=-1 if quiet else verbose, no_color=no_color)
    outputs = destinations(json=json, html=html, junit=junit, markdown=markdown)
    raise typer.Exit(publish(pipeline.rejudge(folder, options), outputs, console, github=github))


@app.command()
def convert(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help=".h5, .hdf5, .keras or a SavedModel folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder for model.json and its shards.")],
    format: Format = None,
    quantize: Quantize = None,
    custom_objects: CustomObjects = None,
    trust_model: TrustModel = None,
    no_cache: NoCache = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Convert MODEL to what plain TF.js loads, and hand it out."""
    from . import pipeline
    from .console import Console
    from .publishing import standard_output

    options = _options(
        format=format, quantize=quantize, custom_objects=custom_objects, trust_model=trust_model,
        cache=False if no_cache else None,
    )  # fmt: skip
    console = Console(verbosity=-1 if quiet else verbose, no_color=no_color)
    with console.progress() as observe:
        artifact, report = _run(pipeline.convert(model, out, options, observe))
    with standard_output():
        console.artifact(artifact, report)


@app.command()
def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="Of a finding; left out: list all codes.")
    ] = None,
    no_color: NoColor = False,
) -> None:
    """Say what the CODE of a finding means, why it happens, how to see it and what to do."""
    from . import explain as explanations
    from .console import Console
    from .publishing import standard_output

    text = explanations.page(code) if code else explanations.index()
    with standard_output():
        Console(no_color=no_color).markdown(text)


@app.command()
def schema(
    name: Annotated[str, typer.Argument(metavar="[report|check]", help="Of what: one model, or a check.")] = "report",
) -> None:
    """Print the JSON Schema of what --json writes; its schema_version changes when what is there does."""
    import json

    from .publishing import standard_output
    from .report.json import schema_of

    text = json.dumps(schema_of(name), indent=2)
    with standard_output():
        print(text)


@app.command()
def doctor(
    install: Annotated[bool, typer.Option("--install", help="Install the browsers that are missing.")] = False,
    browser_path: BrowserPath = None,
    browser_arg: BrowserArg = None,
    connect: Connect = None,
    headed: Headed = None,
    timeout: Timeout = None,
    no_color: NoColor = False,
) -> None:
    """Say which runtimes can start here, on what they run, and why the others cannot."""
    from . import doctor as examination
    from .console import Console
    from .publishing import standard_output

    options = _options(
        browser_path=browser_path, browser_args=browser_arg, connect=connect, headed=headed, timeout=timeout
    )
    console = Console(no_color=no_color)
    if install:
        from .provision import ensure_browsers

        ensure_browsers(console.note)
    with console.progress() as observe:
        diagnosis = _run(examination.examine(options, observe))
    with standard_output():
        console.diagnosis(diagnosis)
    raise typer.Exit(0 if diagnosis.healthy else 3)


def _options(**given: Any) -> Options:
    from .config import build

    return build(given | {"command": shlex.join(["pycheck", *sys.argv[1:]])})


class _Interrupted(BaseException):
    """A signal ended the work, and everything that it had started is closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = EXIT_SIGNAL + number


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end. Ctrl-C and SIGTERM cancel the work, which closes its browsers; a second one does not wait."""
    received: list[int] = []

    async def guarded() -> T:
        task = asyncio.ensure_future(work)

        def interrupt(number: int) -> None:
            if received:
                os._exit(EXIT_SIGNAL + number)  # Playwright's driver ends the browsers when we are gone
            received.append(number)
            task.cancel()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows: asyncio.run cancels on Ctrl-C by itself
                loop.add_signal_handler(number, interrupt, number)
        return await task

    try:
        return asyncio.run(guarded())
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise _Interrupted(received[0] if received else signal.SIGINT) from None
    except Exception:
        if received:  # what broke because it was being closed
            raise _Interrupted(received[0]) from None
        raise


def run(arguments: list[str]) -> int:
    """The exit code of one command line."""
    verbose = sum(len(a) - 1 if re.fullmatch("-v+", a) else a == "--verbose" for a in arguments) > 1
    try:
        app(arguments, prog_name="pycheck")
        return 0
    except SystemExit as done:  # how typer ends, usage errors included
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except _Interrupted as interrupted:
        print("pycheck: interrupted; the browsers are closed", file=sys.stderr, flush=True)
        return interrupted.exit_code
    except PycheckError as error:
        if verbose:
            traceback.print_exc()
        lines = [f"pycheck: {error.message}", *(f"  {line}" for line in error.advice.splitlines())]
        print(*lines, sep="\n", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if verbose:
            traceback.print_exc()
        if isinstance(error, OSError) and error.errno in _FULL:
            print(f"pycheck: {error.strerror}: {error.filename or 'while writing'}", file=sys.stderr)
            return EXIT_USAGE
        print(
            f"pycheck: a bug in pycheck: {type(error).__name__}: {error}\n"
            "  Run it again with -vv and report what it prints.",
            file=sys.stderr,
        )
        return EXIT_BUG


def main() -> None:
    """The `pycheck` command."""
    process.own = True
    process.end(run(sys.argv[1:]))  # also because a TensorFlow call in its thread cannot be interrupted
