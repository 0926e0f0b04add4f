"""The commands: each reads its options, calls the function that does the work, and hands its result on."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from ..errors import UsageError
from ..system import interrupts
from ..version import __version__
from .options import (
    ConfigPath,
    Given,
    InputsPath,
    JsonPath,
    LongCommand,
    ModelPath,
    NoColor,
    Reports,
    Screen,
    TargetsPath,
    TfjsVersions,
    TrainInputsPath,
    VariantNames,
    takes,
)

if TYPE_CHECKING:
    from ..checks import Plan
    from ..options.values import Options
    from ..system.cache import Cache
    from ..types import CheckReport, Report
    from .console import Console, Observer

T = TypeVar("T")

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

_EPILOG_DEVICES = """
Examples:

  pycheck devices --listen --name pixel

  pycheck compare model.keras inputs.npy --runtime device:pixel:webgl

Exit code: 0; 2 usage error; 3 where nothing listens for devices.
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


@app.command(epilog=_EPILOG_COMPARE, cls=LongCommand)
@takes("compare")
def compare(model: ModelPath, inputs: InputsPath = None, *, given: Given, reports: Reports, screen: Screen) -> None:
    """Run MODEL in Python and in real browsers on the same inputs, and say whether they answer alike."""
    from ..workflow import pipeline

    options = _options(given, inputs)
    _publish(lambda observe: pipeline.compare(model, inputs, options, observe), reports, screen)


@app.command(epilog=_EPILOG_TRACE, cls=LongCommand)
@takes("trace")
def trace(model: ModelPath, inputs: InputsPath = None, *, given: Given, reports: Reports, screen: Screen) -> None:
    """Compare, and say at which operation inside of MODEL a difference starts, and why."""
    from ..workflow import pipeline

    options = _options({**given, "trace": True}, inputs)
    _publish(lambda observe: pipeline.trace(model, inputs, options, observe), reports, screen)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where the models lie (default: here).")] = Path(),
) -> None:
    """Write a commented pycheck.toml for the models in a folder."""
    from ..checks import begin
    from .publishing import standard_output

    begun = begin(folder)
    with standard_output():
        print(begun.text)


@app.command(epilog=_EPILOG_CHECK)
@takes("check")
def check(
    models: VariantNames = None,
    *,
    config: ConfigPath = None,
    tfjs_versions: TfjsVersions = None,
    given: Given,
    reports: Reports,
    screen: Screen,
) -> None:
    """Run the whole matrix of pycheck.toml, and hold it against its budgets and the accepted release."""
    from .publishing import destinations, publish_check

    console = _console(screen)
    outputs = destinations(reports)
    _, report = _check(config, models, given, console, releases=tfjs_versions or ())
    raise typer.Exit(publish_check(report, outputs, console, github=reports.github))


baseline = typer.Typer(help="The accepted release, which pycheck check holds others against.", no_args_is_help=True)
app.add_typer(baseline, name="baseline")


@baseline.command("update")
@takes("baseline")
def baseline_update(models: VariantNames = None, *, config: ConfigPath = None, given: Given, screen: Screen) -> None:
    """Run the matrix and, where all passes, accept it: write down how each output did, and on what."""
    from ..checks import accept
    from .publishing import publish_check

    console = _console(screen)
    plan, report = _check(config, models, given, console, against_baseline=False)
    code = publish_check(report, {}, console, github=False)
    console.note(accept(report, plan) if code == 0 else "The baseline stays as it was: only what passes is accepted.")
    raise typer.Exit(code)


def _check(
    config: Path | None,
    models: list[str] | None,
    given: Given,
    console: Console,
    *,
    releases: Sequence[str] = (),
    against_baseline: bool = True,
) -> tuple[Plan, CheckReport]:
    from .. import checks

    plan = checks.plan(config, given, models or (), releases=releases, command=_command())
    with console.check_progress(plan.runtime_counts) as observe:
        return plan, interrupts.run(checks.check(plan, observe, against_baseline=against_baseline))


@app.command(epilog=_EPILOG_TRAIN, cls=LongCommand)
@takes("train")
def train(
    model: ModelPath, inputs: TrainInputsPath, targets: TargetsPath, *, given: Given, reports: Reports, screen: Screen
) -> None:
    """Train MODEL in Python and in real browsers on the same batches, and say whether they learn alike."""
    from ..training.recipe import asked_recipe
    from ..workflow import pipeline

    recipe, options = asked_recipe(given, _options)
    _publish(lambda observe: pipeline.train(model, inputs, targets, recipe, options, observe), reports, screen)


@app.command(cls=LongCommand)
@takes("gradients")
def gradients(
    model: ModelPath, inputs: TrainInputsPath, targets: TargetsPath, *, given: Given, reports: Reports, screen: Screen
) -> None:
    """Compare MODEL's gradient on its first batch, and check both passes in Python operation by operation."""
    from ..training.recipe import asked_recipe
    from ..workflow import pipeline

    recipe, options = asked_recipe(given, _options, gradients_only=True)
    _publish(lambda observe: pipeline.train(model, inputs, targets, recipe, options, observe), reports, screen)


@app.command("inputs")
def inputs_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".npy, .npz or .safetensors.")],
    json: JsonPath = None,
    no_color: NoColor = False,
) -> None:
    """Look at the hygiene of a data file by itself: NaN, outliers, scale, columns, types, half floats."""
    from ..workflow import hygiene
    from .publishing import destinations, standard_output

    outputs = destinations(Reports(json=json))
    found = hygiene.examine(file)
    with standard_output():
        _console(Screen(no_color=no_color)).hygiene(found, outputs.get("json"))
    raise typer.Exit(0 if found.clean else 1)


@app.command("report")
@takes("report")
def report_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What pycheck compare --save-run kept.")],
    *,
    given: Given,
    reports: Reports,
    screen: Screen,
) -> None:
    """Judge and report a saved run again; needs neither TensorFlow nor a browser."""
    from ..workflow import pipeline
    from .publishing import destinations, publish

    console, outputs = _console(screen), destinations(reports)
    report = pipeline.rejudge(folder, _options(given))
    raise typer.Exit(publish(report, outputs, console, github=reports.github))


@app.command(cls=LongCommand)
@takes("convert")
def convert(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help=".h5, .hdf5, .keras or a SavedModel folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder for model.json and its shards.")],
    *,
    inputs: Annotated[
        Path | None, typer.Option("--inputs", metavar="PATH", help="Verify on these inputs (default: made ones).")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Run the artifact once in TF.js and judge it as compare does.")
    ] = True,
    given: Given,
    screen: Screen,
) -> None:
    """Convert MODEL to what plain TF.js loads, verify it by one run in a browser, and write it.

    It ends with 1 if the artifact fails the check, with 3 if no browser could run it, with 4 if TF.js does not run it.
    """
    from ..workflow import converting
    from .publishing import standard_output

    options = converting.few_samples(_options(given, inputs), given)
    console = _console(screen)
    with console.progress() as observe:
        work = converting.convert(model, out, options, observe, inputs=inputs, verify=verify)
        converted = interrupts.run(work)
    with standard_output():
        console.artifact(converted)
    raise typer.Exit(converted.exit_code)


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
    name: Annotated[
        str,
        typer.Argument(
            metavar="report|check|config",
            help="Of what: one model, a check, or pycheck.toml.",
            autocompletion=lambda: ["report", "check", "config"],
        ),
    ] = "report",
) -> None:
    """Print the JSON Schema of what --json writes, or of pycheck.toml, which an editor completes and checks by it.

    The schema_version of a report changes when what is there does.
    """
    import json

    from ..report.json import schema_of

    if name == "config":
        from ..checks.schema import configuration_schema

        _say(json.dumps(configuration_schema(), indent=2))
    else:
        _say(json.dumps(schema_of(name), indent=2))


@app.command()
@takes("doctor")
def doctor(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[tensorflowjs]", help="What --install installs in the place of browsers."),
    ] = None,
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            help="Install the browsers that are missing; or tensorflowjs, the published converter, into an environment "
            "of its own.",
        ),
    ] = False,
    *,
    given: Given,
    no_color: NoColor = False,
) -> None:
    """Say which runtimes can start here, on what they run, and why the others cannot."""
    from ..setup import doctor as examination
    from .publishing import standard_output

    options = _options(given)
    console = _console(Screen(no_color=no_color))
    if what:
        _install_converter(what, install, options, console)
        return
    if install:
        from ..setup.provision import ensure_browsers

        ensure_browsers(console.note)
    with console.progress() as observe:
        diagnosis = interrupts.run(examination.examine(options, observe))
    with standard_output():
        console.diagnosis(diagnosis)
    raise typer.Exit(0 if diagnosis.healthy else 3)


def _install_converter(what: list[str], install: bool, options: Options, console: Console) -> None:
    from ..conversion.published_environment import install_published
    from ..system.cache import Cache
    from .publishing import standard_output

    if what != ["tensorflowjs"] or not install:
        raise UsageError(
            f"pycheck doctor {' '.join(what)}: it takes no such argument",
            "Write pycheck doctor --install tensorflowjs for the published converter.",
        )
    found = install_published(Cache(options.cache_dir), console.note)
    with standard_output():
        print(f"{found}: {found.python}")


cache = typer.Typer(help="What was computed before, and is kept for the next run.", no_args_is_help=True)
app.add_typer(cache, name="cache")


@cache.command("dir")
def cache_dir() -> None:
    """Print the folder: PYCHECK_CACHE_DIR, cache_dir of pycheck.toml, or the system's own place."""
    _say(str(_cache().root))


@cache.command("size")
def cache_size() -> None:
    """Print how much is kept, by kind."""
    from ..report.wording import size

    sizes = _cache().sizes()
    rows = [*sizes.items(), ("together", sum(sizes.values()))]
    width = max(len(kind) for kind, _ in rows)
    _say("\n".join(f"{kind:{width}}  {size(size_bytes):>9}" for kind, size_bytes in rows))


@cache.command("clean")
def cache_clean(
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also the published converter's environment, which takes minutes to make."),
    ] = False,
) -> None:
    """Remove what is kept, but for what runs at this moment use."""
    from ..report.wording import size

    removed, kept = _cache().clean(environments=everything)
    _say(f"removed {size(removed)}" + (f"; {size(kept)} are left, see pycheck cache size" if kept else ""))


def _cache() -> Cache:
    from ..system.cache import Cache

    return Cache(_options({}).cache_dir)


def _say(text: str) -> None:
    from .publishing import standard_output

    with standard_output():
        print(text)


@app.command(epilog=_EPILOG_DEVICES)
def devices(
    listen: Annotated[bool, typer.Option("--listen", help="Let devices in, until Ctrl-C.")] = False,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of this machine, to listen on (default: in its network).")
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0 takes a free one.")] = 8477,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What the next device is called; left out: as its browser says. Repeatable."),
    ] = None,
    no_color: NoColor = False,
) -> None:
    """Make phones and other computers into runtimes, while they have a page open; list those that are there."""
    from ..workflow import devices as phones
    from .publishing import standard_output

    console = _console(Screen(no_color=no_color))
    if not listen:
        found = interrupts.run(phones.connected())
        with standard_output():
            console.devices(found)
    else:
        with standard_output():
            interrupts.run(phones.listen(host, port, name or (), console.device_event))


def _command() -> str:
    return shlex.join(["pycheck", *sys.argv[1:]])


def _options(given: Mapping[str, Any], inputs: Path | None = None) -> Options:
    from ..options.reading import build

    return build(given, has_inputs=inputs is not None, command=_command())


def _console(screen: Screen) -> Console:
    from .console import Console

    return Console(verbosity=-1 if screen.quiet else screen.verbose, no_color=screen.no_color)


def _publish(work: Callable[[Observer], Coroutine[Any, Any, Report]], reports: Reports, screen: Screen) -> NoReturn:
    """Do the work, publish its report, and end with its exit code."""
    from .publishing import destinations, publish

    console, outputs = _console(screen), destinations(reports)
    with console.progress() as observe:
        report = interrupts.run(work(observe))
    raise typer.Exit(publish(report, outputs, console, github=reports.github))
