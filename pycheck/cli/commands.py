"""The commands: each reads its options, calls the function that does the work, and prints the result."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from ..system import interrupts
from ..version import __version__
from . import emitted, examples, tools, watching
from .options import (
    ConfigPath,
    Given,
    InputsPaths,
    JsonPath,
    LitertVersions,
    LongCommand,
    ModelPath,
    NoColor,
    Pages,
    Past,
    Reports,
    Screen,
    TargetsPath,
    TfjsVersions,
    TrainInputsPath,
    VariantNames,
    build_options,
    one_or_all,
    open_console,
    takes,
)

if TYPE_CHECKING:
    from ..checks import Plan
    from ..types import CheckReport, Report
    from ..workflow.pipeline import Workbench
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
def compare(model: ModelPath, inputs: InputsPaths = None, *, given: Given, reports: Reports, screen: Screen) -> None:
    """Run MODEL in Python and in real browsers on the same inputs, and compare the outputs."""

    options = build_options(given, inputs or None)
    _publish(lambda bench, observe: bench.compare(model, one_or_all(inputs), options, observe), reports, screen)


@app.command(epilog=examples.MIGRATE, cls=LongCommand)
@takes("migrate")
def migrate(model: ModelPath, inputs: InputsPaths = None, *, given: Given, pages: Pages, screen: Screen) -> None:
    """Run MODEL on TF.js and on LiteRT.js, and report whether it can move: answers, sizes, times, obstacles."""
    from ..workflow import migrating
    from ..workflow.pipeline import alone
    from .publishing import destinations, publish_migration

    options, outputs, console = build_options(given, inputs or None), destinations(pages), open_console(screen)
    with console.progress() as observe:
        work = alone(lambda bench: migrating.migrate(bench, model, one_or_all(inputs), options, observe))
        migration = interrupts.run(work)
    raise typer.Exit(publish_migration(migration, outputs, console))


@app.command(epilog=examples.TRACE, cls=LongCommand)
@takes("trace")
def trace(model: ModelPath, inputs: InputsPaths = None, *, given: Given, reports: Reports, screen: Screen) -> None:
    """Compare, and find the operation in MODEL that introduces a difference, and its cause."""

    options = build_options({**given, "trace": True}, inputs or None)
    _publish(lambda bench, observe: bench.trace(model, one_or_all(inputs), options, observe), reports, screen)


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
    litert_versions: LitertVersions = None,
    past: Past,
    given: Given,
    reports: Reports,
    screen: Screen,
) -> None:
    """Run all models and variants of pycheck.toml, and check them against their budgets and the baseline."""
    from .. import checks
    from ..setup.releases import LITERT, TFJS, Release
    from .publishing import destinations, publish_check

    console = open_console(screen)
    releases = [Release(TFJS, text) for text in tfjs_versions or ()]
    releases += [Release(LITERT, text) for text in litert_versions or ()]
    outputs = destinations(reports)
    plan = checks.plan(config, given, models or (), releases=releases)
    keep = past.begin(of_shard=plan.shard is not None)
    if plan.shard:
        console.shard(plan.shard, [variant.name for variant in plan.variants], len(plan.scope.rows))
    with checks.saving(plan) as part:
        report = _check(plan, console, part=part)
        try:  # a full disk loses neither the reports nor the part
            code = publish_check(report, outputs, console, github=reports.github)
        finally:
            if part:
                part.publish(report.wall_s)
    keep(report)
    raise typer.Exit(code)


@app.command(epilog=examples.MERGE)
@takes("merge")
def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="Folders that pycheck check --save-run wrote, of all shards.")
    ],
    *,
    config: ConfigPath = None,
    past: Past,
    reports: Reports,
    screen: Screen,
) -> None:
    """Put the saved parts of a check together and judge them as one check, without TensorFlow and browsers."""
    from .. import checks
    from .publishing import destinations, publish_check

    console, outputs = open_console(screen), destinations(reports)
    keep = past.begin()
    report = checks.merge(folders, config)
    code = publish_check(report, outputs, console, github=reports.github)
    keep(report)
    raise typer.Exit(code)


baseline = typer.Typer(
    help="Manage the baseline: the accepted results that pycheck check compares with.", no_args_is_help=True
)
app.add_typer(baseline, name="baseline")


@baseline.command("update")
@takes("baseline")
def baseline_update(models: VariantNames = None, *, config: ConfigPath = None, given: Given, screen: Screen) -> None:
    """Run all models and variants and, if all pass, save their results as the baseline."""
    from .. import checks
    from .publishing import publish_check

    console = open_console(screen)
    plan = checks.plan(config, given, models or ())
    report = _check(plan, console, against_baseline=False)
    code = publish_check(report, {}, console, github=False)
    console.note(
        checks.accept(report, plan)
        if code == 0
        else "The baseline is unchanged: pycheck only accepts a run that passes."
    )
    raise typer.Exit(code)


def _check(plan: Plan, console: Console, **more: Any) -> CheckReport:
    from .. import checks
    from ..cluster import runner_of

    runner = runner_of(plan, console.note)
    with console.check_progress(plan.runtime_counts) as observe:
        return interrupts.run(checks.check(plan, observe, runner=runner, **more))


@app.command(epilog=examples.TRAIN, cls=LongCommand)
@takes("train")
def train(
    model: ModelPath, inputs: TrainInputsPath, targets: TargetsPath, *, given: Given, reports: Reports, screen: Screen
) -> None:
    """Train MODEL in Python and in real browsers on the same batches, and compare losses, gradients and weights."""
    from ..training.recipe import asked_recipe

    recipe, options = asked_recipe(given, build_options)
    _publish(lambda bench, observe: bench.train(model, inputs, targets, recipe, options, observe), reports, screen)


@app.command(cls=LongCommand)
@takes("gradients")
def gradients(
    model: ModelPath, inputs: TrainInputsPath, targets: TargetsPath, *, given: Given, reports: Reports, screen: Screen
) -> None:
    """Compare MODEL's gradients on the first batch, and check each operation's forward and backward pass in Python."""
    from ..training.recipe import asked_recipe

    recipe, options = asked_recipe(given, build_options, gradients_only=True)
    _publish(lambda bench, observe: bench.train(model, inputs, targets, recipe, options, observe), reports, screen)


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
        open_console(Screen(no_color=no_color)).hygiene(found, outputs.get("json"))
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

    console, outputs = open_console(screen), destinations(reports)
    report = pipeline.rejudge(folder, build_options(given, folder))
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

    options = converting.few_samples(build_options(given, inputs), given)
    console = open_console(screen)
    with console.progress() as observe:
        work = converting.convert(model, out, options, observe, inputs=inputs, verify=verify)
        converted = interrupts.run(work)
    with standard_output():
        console.artifact(converted)
    raise typer.Exit(converted.exit_code)


app.command("preprocess", epilog=examples.PREPROCESS, cls=LongCommand)(emitted.preprocess)
app.command("decoders")(emitted.decoders)
for command in (tools.explain, tools.schema, tools.doctor):
    app.command()(command)
app.add_typer(tools.cache, name="cache")
app.add_typer(watching.watch, name="watch")
app.command("history", epilog=examples.HISTORY)(takes("history")(tools.history))
app.command(epilog=examples.DEVICES)(tools.devices)


def _publish(
    work: Callable[[Workbench, Observer], Coroutine[Any, Any, Report]], reports: Reports, screen: Screen
) -> NoReturn:
    """Do the work, publish its report, and exit with its exit code."""
    from ..workflow.pipeline import alone
    from .publishing import destinations, publish

    console, outputs = open_console(screen), destinations(reports)
    with console.progress() as observe:
        report = interrupts.run(alone(lambda bench: work(bench, observe)))
    raise typer.Exit(publish(report, outputs, console, github=reports.github))
