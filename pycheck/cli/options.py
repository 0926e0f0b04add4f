"""The arguments of commands on the command line: the options of the table, and those only for a terminal.

A command lists its groups of terminal options, and `takes` adds all options to its signature, which typer reads.
"""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_type_hints

import typer
from typer.core import TyperCommand

from ..options.by_name import without_account
from ..options.kinds import Kind, Number, Switch, Whole
from ..options.table import BY_NAME, Option, of_command

if TYPE_CHECKING:
    from ..options.values import Options
    from ..types import CheckReport
    from .console import Console

#: The given options of the table, by name; other options are left out.
Given = dict[str, Any]

JsonPath = Annotated[
    str | None, typer.Option("--json", metavar="PATH", help="Write the report as JSON; - is standard output.")
]
JsonFile = Annotated[str | None, typer.Option("--json", metavar="PATH", help="Write the report as JSON.")]
HtmlPath = Annotated[str | None, typer.Option("--html", metavar="PATH", help="Write the report as one HTML page.")]
JunitPath = Annotated[str | None, typer.Option("--junit", metavar="PATH", help="Write the report as JUnit XML.")]
MarkdownPath = Annotated[str | None, typer.Option("--markdown", metavar="PATH", help="Write the report as Markdown.")]
Github = Annotated[
    bool | None,
    typer.Option(
        "--github/--no-github",
        help="Write annotations and a step summary for GitHub Actions (default: yes in GitHub Actions).",
    ),
]
Serve = Annotated[
    bool, typer.Option("--serve", help="Show the HTML report at an address of this machine; the page renews itself.")
]
Port = Annotated[
    int | None,
    typer.Option("--port", metavar="N", min=1, max=65535, help="Port of that address (default: a free one)."),
]
Verbose = Annotated[
    int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Print more; -vv prints tracebacks.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print only the verdict.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Print without colours, as NO_COLOR does.")]
HistoryPath = Annotated[
    Path | None,
    typer.Option("--history", metavar="FILE", help="Add the figures of this check to this file: pycheck history."),
]
HistoryLabel = Annotated[
    str | None,
    typer.Option(
        "--label", metavar="TEXT", help="Name of this check in the history (default: the tag or branch of CI)."
    ),
]
InputsPaths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="INPUTS",
        help="Inputs: a .npy, .npz, .safetensors or .json file; or files that are one sample each, with --preprocess: "
        "a folder, a pattern or files (default: generated from a seed).",
    ),
]
ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="Configuration (default: the nearest pycheck.toml or pyproject.toml, here or above).",
    ),
]
TfjsVersions = Annotated[
    list[str] | None,
    typer.Option(
        "--tfjs-version",
        metavar="X.Y.Z|DIR",
        help="Run with this release of TF.js, from npm or from a folder with its node_modules. Repeatable.",
    ),
]
LitertVersions = Annotated[
    list[str] | None,
    typer.Option(
        "--litert-version",
        metavar="X.Y.Z|DIR",
        help="Run with this release of LiteRT.js, from npm or from a folder with its node_modules. Repeatable.",
    ),
]
VariantNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="MODEL", help="Names of models or variants, with * as a wildcard (default: all)."),
]
ModelPath = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Model: .h5, .hdf5, .keras, a SavedModel folder or a TF.js model.json.")
]
TargetsPath = Annotated[Path, typer.Argument(metavar="TARGETS", help="Target outputs: .npy, .npz or .safetensors.")]
TrainInputsPath = Annotated[
    Path, typer.Argument(metavar="INPUTS", help="Inputs: .npy, .npz or .safetensors; the first axis is the sample.")
]


@dataclass(frozen=True, slots=True)
class Group:
    """Terminal options that belong together."""

    title: ClassVar[str]
    rare: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Reports(Group):
    """The paths of reports."""

    title = "Reports"
    rare = ("junit", "markdown", "github")
    json: JsonPath = None
    html: HtmlPath = None
    junit: JunitPath = None
    markdown: MarkdownPath = None
    github: Github = None


@dataclass(frozen=True, slots=True)
class Pages(Group):
    """The paths of the reports of a migration."""

    title = "Reports"
    rare = ("markdown",)
    json: JsonPath = None
    html: HtmlPath = None
    markdown: MarkdownPath = None


@dataclass(frozen=True, slots=True)
class Answers(Group):
    """Where the answers of a watch go, besides the terminal."""

    title = "Reports"
    rare = ("junit", "markdown")
    serve: Serve = False
    port: Port = None
    json: JsonFile = None
    html: HtmlPath = None
    junit: JunitPath = None
    markdown: MarkdownPath = None


@dataclass(frozen=True, slots=True)
class Past(Group):
    """The file that keeps the figures of each check."""

    title = "History"
    history: HistoryPath = None
    label: HistoryLabel = None

    def begin(self, *, of_shard: bool = False) -> Callable[[CheckReport], None]:
        """Return what adds a check to the history. UsageError or InputError if it cannot be written."""
        from ..history import begin

        return begin(self.history, self.label, of_shard=of_shard)


@dataclass(frozen=True, slots=True)
class Screen(Group):
    """The amount of terminal output."""

    title = "Terminal"
    verbose: Verbose = 0
    quiet: Quiet = False
    no_color: NoColor = False


_ALL = "pycheck.help-all"
_RARE = {*Reports.rare, *(option.name for option in BY_NAME.values() if not option.common)}
#: Commands with so many options that help shows the common ones first.
_LONG = ("compare", "migrate", "trace", "train", "gradients", "convert", "preprocess")


def takes(name: str, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command for typer: `given` stands for the table's options of the command `name`, `without` some.

    A parameter that is a group stands for the options of that group.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        groups: dict[str, type[Group]] = {
            parameter.name: parameter.annotation
            for parameter in signature.parameters.values()
            if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, Group)
        }
        table = [option for option in of_command(name) if option.name not in without]
        single: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.name in groups:
                single += _of_group(groups[parameter.name])
            elif parameter.name == "given":
                single += [_of_table(option) for option in table]
            else:
                single.append(parameter)
        if name in _LONG:
            single.append(_HELP_ALL)

        @functools.wraps(command)
        def flat(**values: Any) -> None:
            values.pop(_HELP_ALL.name, None)
            for parameter, group in groups.items():
                values[parameter] = group(**{field.name: values.pop(field.name) for field in fields(group)})
            if "given" in signature.parameters:
                said = {option.name: values.pop(option.name) for option in table}
                values["given"] = {option: value for option, value in said.items() if value not in (None, [])}
            command(**values)

        flat.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in single]
        )
        return flat

    return decorate


class LongCommand(TyperCommand):
    """A command whose help shows the common options; with --help-all, all of them."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        rare = [] if ctx.meta.get(_ALL) else [option for option in self.params if option.name in _RARE]
        for option in rare:
            vars(option)["hidden"] = True
        try:
            super().format_help(ctx, formatter)
        finally:
            for option in rare:  # a shell can still complete it
                vars(option)["hidden"] = False


def _show_all(context: typer.Context, value: bool) -> None:
    if value and not context.resilient_parsing:
        context.meta[_ALL] = True
        typer.echo(context.get_help())
        raise typer.Exit


HelpAll = Annotated[
    bool, typer.Option("--help-all", is_eager=True, callback=_show_all, help="Show all options and exit.")
]
_HELP_ALL = inspect.Parameter("help_all", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=HelpAll)


def _of_table(option: Option) -> inspect.Parameter:
    kind = option.kind
    plain: Any = str
    if isinstance(kind, Switch):
        plain = bool
    elif isinstance(kind, Whole):
        plain = int
    elif isinstance(kind, Number):
        plain = float
    elif kind.repeatable:
        plain = list[str]
    names = [f"{option.option}/--no-{option.option[2:]}"] if plain is bool else [option.option]
    boxed = typer.Option(
        *names,
        metavar=option.metavar or "|".join(kind.known()) or None,
        help=option.explained,
        rich_help_panel=option.group,
        autocompletion=_completed(kind) if kind.completes else None,
        show_default=False,
    )
    annotation = Annotated[plain | None, boxed]
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _completed(kind: Kind) -> Callable[[str], list[str]]:
    return lambda incomplete: [word for word in kind.known() if word.startswith(incomplete)]


def _of_group(group: type[Group]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    options = []
    for field in fields(group):
        kind, option = get_args(hints[field.name])
        boxed = copy(option)
        boxed.rich_help_panel = group.title
        annotation = Annotated[kind, boxed]  # type: ignore[valid-type]
        options.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation)
        )
    return options


def command_line() -> str:
    """Return the command that was typed; of a watch, that which does the same once.

    Accounts in addresses are left out, because reports show the command.
    """
    typed = [without_account(word) for word in sys.argv[1:]]
    return shlex.join(["pycheck", *(typed[1:] if typed[:1] == ["watch"] else typed)])


def build_options(given: Mapping[str, Any], inputs: object = None) -> Options:
    """Build the options of a run from those that were given; UsageError names an invalid one."""
    from ..options.reading import build

    return build(given, has_inputs=inputs is not None, command=command_line())


def one_or_all(inputs: list[Path] | None) -> Path | list[Path] | None:
    """Return INPUTS: a path, several, or None for none."""
    return inputs[0] if inputs and len(inputs) == 1 else inputs or None


def open_console(screen: Screen) -> Console:
    """Make the console on which a command prints."""
    from .console import Console

    return Console(verbosity=-1 if screen.quiet else screen.verbose, no_color=screen.no_color)
