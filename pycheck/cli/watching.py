"""The commands that run again when a file changes: compare and check."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import PycheckError, UsageError
from ..system import interrupts
from . import examples
from .options import (
    Answers,
    ConfigPath,
    Given,
    InputsPaths,
    LongCommand,
    ModelPath,
    Screen,
    VariantNames,
    command_line,
    one_or_all,
    open_console,
    takes,
)

if TYPE_CHECKING:
    from ..types import CheckReport, Report
    from ..watching.jobs import Job
    from ..watching.loop import Answer, Event
    from ..watching.served import ReportPage
    from ..workflow.pipeline import Workbench
    from .console import Console

watch = typer.Typer(
    help="Compare or check again when a file changes, with TensorFlow and the browsers kept running.",
    no_args_is_help=True,
)


@watch.command(epilog=examples.WATCH_COMPARE, cls=LongCommand)
@takes("compare", without=("save_run",))
def compare(model: ModelPath, inputs: InputsPaths = None, *, given: Given, answers: Answers, screen: Screen) -> None:
    """Compare MODEL as pycheck compare does, and again when a file that it reads changes."""
    from ..watching.jobs import compare_job

    console, files = open_console(screen), one_or_all(inputs)
    _watch(lambda bench: compare_job(bench, model, files, given, command_line(), console.progress), answers, console)


@watch.command(epilog=examples.WATCH_CHECK)
@takes("check", without=("save_run", "shard", "dask"))
def check(
    models: VariantNames = None, *, config: ConfigPath = None, given: Given, answers: Answers, screen: Screen
) -> None:
    """Check the models of pycheck.toml as pycheck check does, and again when a file that they need changes."""
    from ..watching.jobs import check_job

    console = open_console(screen)
    progress = console.check_progress
    _watch(
        lambda bench: check_job(bench, config, models or (), given, progress), answers, console
    )  # fmt: skip


def _watch(plan: Callable[[Workbench], Job], answers: Answers, console: Console) -> None:
    from .publishing import destinations

    outputs = destinations(answers)
    if kinds := [kind for kind, path in outputs.items() if path == "-"]:
        raise UsageError(f"--{kinds[0]} -: standard output has the answers.", f"Name a file: --{kinds[0]} PATH")
    if answers.port is not None and not answers.serve:
        raise UsageError("--port is the port of --serve, which is missing.", "Add --serve.")
    interrupts.run(_watched(plan, answers, outputs, console))


async def _watched(
    plan: Callable[[Workbench], Job], answers: Answers, outputs: dict[str, str], console: Console
) -> None:
    from ..watching.changes import Changes
    from ..watching.loop import Watch
    from ..watching.served import ReportPage
    from ..workflow.pipeline import Workbench

    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(ReportPage(answers.port or 0)) if answers.serve else None
        if page:
            print(f"report: {page.url}", file=sys.stderr, flush=True)  # also if the terminal has only verdicts
        bench = await stack.enter_async_context(Workbench())
        changes = await stack.enter_async_context(Changes([Path(path) for path in outputs.values()]))
        await Watch(partial(plan, bench), changes, _Shown(console, outputs, page).tell).run()


class _Shown:
    """Prints the events of a watch, writes the reports, and tells the page."""

    def __init__(self, console: Console, outputs: dict[str, str], page: ReportPage | None) -> None:
        self._console = console
        self._outputs = outputs
        self._page = page
        self._complete: Report | CheckReport | None = None
        self._is_printed = False  # the report that is told next, except for its power
        self._files: tuple[Path, ...] = ()

    def tell(self, event: Event) -> None:
        """Show one event."""
        from ..watching.loop import Answer, Running
        from ..watching.served import state_of

        if isinstance(event, Running):
            self._is_printed = False
            if self._page:
                self._page.tell(state_of(event, _cause(event.changed)))
        elif isinstance(event, Answer):
            self._answer(event)
        elif event.files != self._files:
            self._files = event.files
            there = tuple(file for file in event.files if file.exists()) or event.files
            self._console.note(f"watching {_names(there)}; Ctrl-C ends it")

    def _answer(self, answer: Answer) -> None:
        from ..watching.served import state_of

        outcome = answer.outcome
        title = f"{answer.at:%H:%M:%S}  {_cause(answer.changed)}, {answer.took_s:.1f} s"
        if not self._is_printed or isinstance(outcome, PycheckError):
            self._console.answer(title, outcome, answer.before)
        else:
            self._console.power(self._complete, outcome)
        self._is_printed = not answer.is_complete
        html = None if isinstance(outcome, PycheckError) else self._written(outcome)
        if answer.is_complete and not isinstance(outcome, PycheckError):
            self._complete = outcome
        if self._page:
            self._page.tell(state_of(answer, title), html)

    def _written(self, report: Report | CheckReport) -> str | None:
        """Write the reports; return that for the page, if there is one."""
        from ..report import render, render_check
        from ..types import Report
        from .publishing import put

        kinds = {*self._outputs, *(["html"] if self._page else [])}
        if isinstance(report, Report):
            texts = {kind: render(report, kind) for kind in kinds}
        else:
            texts = {kind: render_check(report, kind) for kind in kinds}
        try:
            put(texts, self._outputs, lambda: None)
        except UsageError as error:  # such as a full disk; the next answer may be written
            print(error.told(), file=sys.stderr, flush=True)
        return texts.get("html")


def _cause(changed: tuple[Path, ...]) -> str:
    return f"{_names(changed)} changed" if changed else "first answer"


def _names(files: tuple[Path, ...]) -> str:
    from ..report.wording import names, printable

    return names([printable(os.path.relpath(file)) for file in files], most=4) if files else "no file"
