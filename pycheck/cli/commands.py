"""The commands: each reads its options, calls the function that does the work, and prints the result."""

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
from . import examples
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

app = typer.Typer(
    name="pycheck",
    help="Check that a Keras model gives the same results in the browser as in Python.\n\n"
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
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(epilog=examples.COMPARE, cls=LongCommand)
@takes("compare")
def compare(model: ModelPath, inputs: InputsPath = None, *, given: Given, reports: Reports, screen: Screen) -> None:
    """Run MODEL in Python and in real browsers on the same inputs, and compare the outputs."""
    from ..workflow import pipeline

    options = _options(given, inputs)
    _publish(lambda observe: pipeline.compare(model, inputs, options, observe), reports, screen)


@app.command(epilog=examples.TRACE, cls=LongCommand)
@takes("trace")
def trace(model: ModelPath, inputs: InputsPath = None, *, given: Given, reports: Reports, screen: Screen) -> None:
    """Compare, and find the operation in MODEL that introduces a difference, and its cause."""
    from ..workflow import pipeline

    options = _options({**given, "trace": True}, inputs)
    _publish(lambda observe: pipeline.trace(model, inputs, options, observe), reports, screen)


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder with the models (default: the current one).")
    ] = Path(),
) -> None:
    """Write a commented pycheck.toml for the models in a folder."""
    from ..checks import begin
    from .publishing import standard_output

    begun = begin(folder)
    with standard_output():
        print(begun.text)


@app.command(epilog=examples.CHECK)
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
    """Run all models and variants of pycheck.toml, and check them against their budgets and the baseline."""
    from .publishing import destinations, publish_check

    console = _console(screen)
    outputs = destinations(reports)
    _, report = _check(config, models, given, console, releases=tfjs_versions or ())
    raise typer.Exit(publish_check(report, outputs, console, github=reports.github))


baseline = typer.Typer(
    help="Manage the baseline: the accepted results that pycheck check compares with.", no_args_is_help=True
)
app.add_typer(baseline, name="baseline")


@baseline.command("update")
@takes("baseline")
def baseline_update(models: VariantNames = None, *, config: ConfigPath = None, given: Given, screen: Screen) -> None:
    """Run all models and variants and, if all pass, save their results as the baseline."""
    from ..checks import accept
    from .publishing import publish_check

    console = _console(screen)
    plan, report = _check(config, models, given, console, against_baseline=False)
    code = publish_check(report, {}, console, github=False)
    console.note(
        accept(report, plan) if code == 0 else "The baseline is unchanged: pycheck only accepts a run that passes."
    )
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


@app.command(epilog=examples.TRAIN, cls=LongCommand)
@takes("train")
def train(
    model: ModelPath, inputs: TrainInputsPath, targets: TargetsPath, *, given: Given, reports: Reports, screen: Screen
) -> None:
    """Train MODEL in Python and in real browsers on the same batches, and compare losses, gradients and weights."""
    from ..training.recipe import asked_recipe
    from ..workflow import pipeline

    recipe, options = asked_recipe(given, _options)
    _publish(lambda observe: pipeline.train(model, inputs, targets, recipe, options, observe), reports, screen)


@app.command(cls=LongCommand)
@takes("gradients")
def gradients(
    model: ModelPath, inputs: TrainInputsPath, targets: TargetsPath, *, given: Given, reports: Reports, screen: Screen
) -> None:
    """Compare MODEL's gradients on the first batch, and check each operation's forward and backward pass in Python."""
    from ..training.recipe import asked_recipe
    from ..workflow import pipeline

    recipe, options = asked_recipe(given, _options, gradients_only=True)
    _publish(lambda observe: pipeline.train(model, inputs, targets, recipe, options, observe), reports, screen)


@app.command("inputs")
def inputs_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Data file: .npy, .npz or .safetensors.")],
    json: JsonPath = None,
    no_color: NoColor = False,
) -> None:
    """Check a data file for NaN, outliers, scale, constant columns, types and float16 range."""
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
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that pycheck compare --save-run wrote.")],
    *,
    given: Given,
    reports: Reports,
    screen: Screen,
) -> None:
    """Judge and report a saved run again, without TensorFlow and browsers."""
    from ..workflow import pipeline
    from .publishing import destinations, publish

    console, outputs = _console(screen), destinations(reports)
    report = pipeline.rejudge(folder, _options(given))
    raise typer.Exit(publish(report, outputs, console, github=reports.github))


@app.command(cls=LongCommand)
@takes("convert")
def convert(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model: .h5, .hdf5, .keras or a SavedModel folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New or empty folder for model.json and its shards.")],
    *,
    inputs: Annotated[
        Path | None, typer.Option("--inputs", metavar="PATH", help="Verify on these inputs (default: generated ones).")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Run the artifact once in TF.js and judge it as compare does.")
    ] = True,
    given: Given,
    screen: Screen,
) -> None:
    """Convert MODEL to a TF.js artifact, verify it by one run in a browser, and write it.

    Exit code: 1 if the artifact fails the check; 3 if no browser can run it; 4 if TF.js cannot run it.
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
        str | None, typer.Argument(metavar="[CODE]", help="Code of a finding (default: list all codes).")
    ] = None,
    no_color: NoColor = False,
) -> None:
    """Explain the CODE of a finding: its meaning, its causes, how to reproduce it and how to fix it."""
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
            help="Schema of a report, of a check, or of pycheck.toml (default: report).",
            autocompletion=lambda: ["report", "check", "config"],
        ),
    ] = "report",
) -> None:
    """Print the JSON Schema of the reports that --json writes, or of pycheck.toml for editors.

    The schema_version of a report changes when its fields change.
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
        typer.Argument(metavar="[tensorflowjs]", help="Install the published converter instead of browsers."),
    ] = None,
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            help="Install missing browsers; with tensorflowjs, the published converter in a separate environment.",
        ),
    ] = False,
    *,
    given: Given,
    no_color: NoColor = False,
) -> None:
    """Show the runtimes that start here, their hardware, and why the others do not start."""
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
            f"pycheck doctor does not accept {' '.join(what)!r} here.",
            "To install the published converter, run: pycheck doctor --install tensorflowjs",
        )
    found = install_published(Cache(options.cache_dir), console.note)
    with standard_output():
        print(f"{found}: {found.python}")


cache = typer.Typer(help="Manage the cache of artifacts and Python results.", no_args_is_help=True)
app.add_typer(cache, name="cache")


@cache.command("dir")
def cache_dir() -> None:
    """Print the folder: PYCHECK_CACHE_DIR, cache_dir of pycheck.toml, or the system's default."""
    _say(str(_cache().root))


@cache.command("size")
def cache_size() -> None:
    """Print the size of the cache, by kind."""
    from ..report.wording import size

    sizes = _cache().sizes()
    rows = [*sizes.items(), ("together", sum(sizes.values()))]
    width = max(len(kind) for kind, _ in rows)
    _say("\n".join(f"{kind:{width}}  {size(size_bytes):>9}" for kind, size_bytes in rows))


@cache.command("clean")
def cache_clean(
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Also remove the published converter's environment, which takes minutes to install."
        ),
    ] = False,
) -> None:
    """Empty the cache, except for entries that current runs use."""
    from ..report.wording import size

    removed, kept = _cache().clean(environments=everything)
    _say(f"Removed {size(removed)}." + (f" {size(kept)} remain, see pycheck cache size." if kept else ""))


def _cache() -> Cache:
    from ..system.cache import Cache

    return Cache(_options({}).cache_dir)


def _say(text: str) -> None:
    from .publishing import standard_output

    with standard_output():
        print(text)


@app.command(epilog=examples.DEVICES)
def devices(
    listen: Annotated[bool, typer.Option("--listen", help="Accept devices until Ctrl-C.")] = False,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address to listen on (default: that of this machine in its network)."),
    ] = None,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 selects a free one.")
    ] = 8477,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name of the next device (default: read from its browser). Repeatable."),
    ] = None,
    no_color: NoColor = False,
) -> None:
    """List connected phones and computers; with --listen, accept them as runtimes while their page is open."""
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
    """Do the work, publish its report, and exit with its exit code."""
    from .publishing import destinations, publish

    console, outputs = _console(screen), destinations(reports)
    with console.progress() as observe:
        report = interrupts.run(work(observe))
    raise typer.Exit(publish(report, outputs, console, github=reports.github))
