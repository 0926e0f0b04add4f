"""The commands that run no model: they explain, set up, clean up, look back, and connect devices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..system import interrupts
from .options import (
    Given,
    HtmlPath,
    JsonPath,
    NoColor,
    Pages,
    Screen,
    VariantNames,
    build_options,
    open_console,
    takes,
)

if TYPE_CHECKING:
    from ..options.values import Options
    from ..system.cache import Cache
    from ..types import PastRun
    from .console import Console

#: The port for devices.
_PORT = 8477


def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="Code of a finding (default: list all codes).")
    ] = None,
    no_color: NoColor = False,
) -> None:
    """Explain the CODE of a finding: its meaning, its causes, how to reproduce it and how to fix it."""
    from .publishing import standard_output

    text = page(code) if code else index()
    with standard_output():
        open_console(Screen(no_color=no_color)).markdown(text)


def page(code: str) -> str:
    """Return the page of a code, as Markdown. UsageError for an unknown code names the nearest."""
    from ..diagnosis.codes import CODES, nearest
    from ..report.pages import read_page

    if code not in CODES:
        near = nearest(code)
        raise UsageError(
            f"No finding has the code {code!r}.",
            f"Did you mean {' or '.join(near)}?" if near else "To list all codes, run: pycheck explain",
        )
    try:
        return read_page(code)
    except OSError as error:
        raise UsageError(
            f"Cannot read the page of {code}: {error}.", "Reinstall pycheck: pip install --force-reinstall pycheck"
        ) from error


def index() -> str:
    """Return the list of all codes with their meanings, as Markdown."""
    from ..diagnosis.codes import CODES

    rows = [f"| `{code}` | {kind.title} |" for code, kind in sorted(CODES.items())]
    return "\n".join(["| code | meaning |", "| --- | --- |", *rows, "", "For details, run `pycheck explain CODE`.", ""])


def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="report|check|migration|config",
            help="Schema of a report, of a check, of a migration, or of pycheck.toml (default: report).",
            autocompletion=lambda: ["report", "check", "migration", "config"],
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

    options = build_options(given)
    console = open_console(Screen(no_color=no_color))
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

    return Cache(build_options({}).cache_dir)


def _say(text: str) -> None:
    from .publishing import standard_output

    with standard_output():
        print(text)


def history(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="History that pycheck check --history wrote.")],
    models: VariantNames = None,
    *,
    merge: Annotated[
        list[Path] | None,
        typer.Option("--merge", metavar="PATH", help="First add the runs of this history to FILE. Repeatable."),
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", min=1, help="Show only the last N runs (default: all).")
    ] = None,
    json: JsonPath = None,
    html: HtmlPath = None,
    screen: Screen,
) -> None:
    """Show errors, sizes and times of past checks, and what changed from one to the next."""
    from .. import history as past
    from .publishing import destinations, put

    console, outputs = open_console(screen), destinations(Pages(json=json, html=html))
    if merge:
        added = past.merge(file, merge)
        console.note(f"{file}: {added} run{'' if added == 1 else 's'} added")
    runs = past.select(past.read(file), models or (), last)
    put({kind: render_history(runs, kind) for kind in outputs}, outputs, lambda: console.history(runs))


def render_history(runs: Sequence[PastRun], kind: str) -> str:
    """Render a history as JSON or as an HTML page."""
    if kind == "json":
        import json

        from ..report.codec import encode

        return json.dumps({"runs": encode(runs)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    from ..history import changes
    from ..report.html.history import render_history_html

    return render_history_html(runs, changes)


def devices(
    listen: Annotated[bool, typer.Option("--listen", help="Accept devices until Ctrl-C.")] = False,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address to listen on (default: that of this machine in its network)."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 selects a free one (default: 8477)."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name of the next device (default: read from its browser). Repeatable."),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address of a tunnel or a proxy that leads to --port of this machine."),
    ] = None,
    isolated: Annotated[
        bool,
        typer.Option(
            "--isolated",
            help="Make the pages cross-origin isolated, which gives WebAssembly threads; needs https.",
        ),
    ] = False,
    no_color: NoColor = False,
) -> None:
    """List connected phones and computers; with --listen, accept them as runtimes while their page is open."""
    from ..workflow import devices as phones
    from .publishing import standard_output

    console = open_console(Screen(no_color=no_color))
    if not listen:
        for option, given in (
            ("--host", host),
            ("--port", port),
            ("--name", name),
            ("--public-url", public_url),
            ("--isolated", isolated or None),
        ):
            if given is not None:
                raise UsageError(f"{option} has no effect without --listen.", f"Add --listen, or remove {option}.")
        found = interrupts.run(phones.connected())
        with standard_output():
            console.devices(found)
    else:
        with standard_output():
            interrupts.run(
                phones.listen(
                    host,
                    _PORT if port is None else port,
                    name or (),
                    console.device_event,
                    public_url,
                    isolated=isolated,
                )
            )
