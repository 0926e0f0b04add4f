"""The terminal: progress on standard error, results on standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..errors import PycheckError
from ..report.wording import names, used
from ..types import CheckReport, Decoders, Migration, PastRun, Report, Shard

if TYPE_CHECKING:
    from ..setup.doctor import Diagnosis
    from ..workflow.converting import Converted
    from ..workflow.devices import DeviceInfo, Event
    from ..workflow.hygiene import Hygiene

Observer = Callable[[str, str, int, int], None]
CheckObserver = Callable[[str, str, str, int, int], None]

#: The last steps of a runtime; "done" and "failed" without a runtime are those of the whole variant.
_ENDS = ("ok", "unavailable", "failed", "timed_out")

#: The names of variants in one line.
_MOST_NAMED = 12


class _Terminal(RichConsole):
    def on_broken_pipe(self) -> None:
        """Raise the error: Rich would end the process with exit code 1."""
        raise


#: The function in JavaScript that loads each format.
_LOADED_BY = {"layers": "tf.loadLayersModel", "graph": "tf.loadGraphModel", "tflite": "LiteRT.js's loadAndCompile"}


class Console:
    """The output of commands; `verbosity` is -1 for only the verdict, 0, or higher for more."""

    def __init__(self, *, verbosity: int = 0, no_color: bool = False) -> None:
        self._verbosity = verbosity
        self._out = _Terminal(no_color=no_color or None, highlight=False, soft_wrap=False)
        self._err = RichConsole(no_color=no_color or None, highlight=False, stderr=True)

    @contextmanager
    def progress(self) -> Iterator[Observer]:
        """Yield an observer that draws a progress bar for each runtime; without a terminal it prints lines."""
        if self._verbosity < 0:
            yield lambda runtime, step, done, total: None
        elif not self._err.is_terminal:
            yield self._line_by_line()
        else:
            columns = (
                TextColumn("{task.fields[runtime]:<20}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
            )
            with Progress(*columns, console=self._err, transient=True) as bars:
                tasks: dict[str, TaskID] = {}

                def observe(runtime: str, step: str, done: int, total: int) -> None:
                    if runtime not in tasks:
                        tasks[runtime] = bars.add_task(step, runtime=runtime, total=total or None)
                    bars.update(tasks[runtime], description=step, completed=done, total=total or None)

                yield observe

    def _line_by_line(self) -> Observer:
        last: dict[str, str] = {}

        def observe(runtime: str, step: str, done: int, total: int) -> None:
            if last.get(runtime) != step:
                last[runtime] = step
                self.note(f"{runtime}: {step}")

        return observe

    def note(self, text: str) -> None:
        """Print one line of progress on standard error."""
        if self._verbosity >= 0:
            with suppress(BrokenPipeError):  # the reader of the pipe has gone
                print(text, file=sys.stderr, flush=True)

    def report(self, report: Report) -> None:
        """Print a report on standard output."""
        from ..report.terminal import print_report

        print_report(report, self._out, verbosity=self._verbosity)

    def answer(
        self,
        title: str,
        outcome: Report | CheckReport | PycheckError,
        before: Report | CheckReport | None,
    ) -> None:
        """Print an answer of `pycheck watch` on standard output."""
        from ..report.since_terminal import print_answer

        print_answer(title, outcome, before, self._out, verbosity=self._verbosity)
        self._out.file.flush()

    def power(self, before: Report | CheckReport | None, after: Report | CheckReport) -> None:
        """Print what the power adds to an answer of which all else has been printed."""
        from ..report.since_terminal import print_power

        if self._verbosity >= 0:
            print_power(before, after, self._out)
            self._out.file.flush()

    def migration(self, migration: Migration) -> None:
        """Print the report of a migration on standard output."""
        from ..report.migration_terminal import print_migration

        print_migration(migration, self._out, verbosity=self._verbosity)

    @contextmanager
    def check_progress(self, runtimes: Mapping[str, int]) -> Iterator[CheckObserver]:
        """Yield an observer that draws a progress bar for each variant; without a terminal it prints lines."""
        if self._verbosity < 0:
            yield lambda variant, runtime, step, done, total: None
        elif not self._err.is_terminal:
            say = self._line_by_line()
            yield lambda variant, runtime, step, done, total: say(f"{variant} {runtime}".strip(), step, done, total)
        else:
            with MatrixProgress(runtimes, self._err) as progress:
                yield progress.observe

    def shard(self, shard: Shard, variants: Sequence[str], count: int) -> None:
        """Print which variants a shard has, on standard error."""
        most = len(variants) if self._verbosity > 0 else _MOST_NAMED
        named = f": {names(variants, most)}" if variants else ", because there are more shards than models and variants"
        self.note(f"shard {shard}: {len(variants) or 'none'} of {count} variants{named}")

    def check(self, check: CheckReport) -> None:
        """Print the report of a check on standard output."""
        from ..report.check_terminal import print_check

        print_check(check, self._out, verbosity=self._verbosity)

    def history(self, runs: Sequence[PastRun]) -> None:
        """Print the figures of past checks on standard output."""
        from ..history import changes
        from ..report.history_terminal import print_history

        print_history(runs, changes, self._out)

    def artifact(self, converted: Converted) -> None:
        """Print an artifact: its format, folder, notes, and whether it is verified."""
        artifact = converted.artifact
        lines = [f"{artifact.format} model, {artifact.size_bytes / 1e6:.2f} MB, in {artifact.folder}"]
        lines += [f"  why {artifact.format}: {artifact.reason}"] if artifact.reason else []
        lines += [f"  {note}" for note in artifact.notes]
        lines += [f"  load it with {_LOADED_BY[artifact.format]}('{artifact.model_file}')"]
        if artifact.quantization != "none":
            lines += [f"  {'' if artifact.quantization == 'int8' else 'weights '}quantized to {artifact.quantization}"]
        lines += [f"  {line}" for line in _verification(converted)]
        print("\n".join(lines))

    def decoders(self, found: Decoders) -> None:
        """Print what the decoders of browsers make of files."""
        from ..report.decoders import print_decoders

        print_decoders(found, self._out)

    def markdown(self, text: str) -> None:
        """Print Markdown: formatted on a terminal, as plain text into a file or pipe."""
        if not self._out.is_terminal:
            print(text, end="")
            return
        from rich.markdown import Markdown

        self._out.print(Markdown(text))

    def hygiene(self, found: Hygiene, json_path: str | None = None) -> None:
        """Print the arrays of a data file and the findings; as JSON to a path, or - for standard output."""
        if json_path is not None:
            import json

            from ..report.codec import encode

            text = json.dumps(encode(found), indent=2, ensure_ascii=False, allow_nan=False)
            if json_path == "-":
                print(text)
                return
            Path(json_path).write_text(text + "\n", encoding="utf-8")
        for array in found.arrays:
            sizes = "all 0" if array.largest is None else f"magnitudes {array.smallest:.3g} to {array.largest:.3g}"
            name = f"{found.path}{f' {array.name}' if array.name else ''}"
            self._out.print(Text(f"{name}  {array.dtype} {list(array.shape)}, {sizes}"))
        for finding in found.findings:
            self._out.print(Text(f"{finding.severity.value}  {finding.code}  {finding.summary}"))
            self._out.print(Text(f"    {finding.advice}", "dim"))
        if not found.findings:
            self._out.print(Text("no problem found", "green"))

    def devices(self, devices: Sequence[DeviceInfo]) -> None:
        """Print the connected devices, one a line."""
        from ..workflow.devices import describe

        for device in devices:
            self._out.print(Text(f"device:{device.name}", "bold"), Text(describe(device)))
        if not devices:
            self._out.print(Text("no device is connected"))

    def device_event(self, event: Event) -> None:
        """Print an event of `pycheck devices --listen`; on a terminal an address has a QR code."""
        from ..workflow.devices import Invited, Joined, Published, describe, qr_code

        if isinstance(event, Invited):
            self._out.print(Text.assemble("Open on the device: ", (event.url, "bold")), soft_wrap=True)
            if self._out.is_terminal:
                self._out.print(Text(qr_code(event.url), "bright_white on black"))
        elif isinstance(event, Published):
            leads = f"The tunnel or proxy at {event.public_url} has to lead to {event.address}"
            self._out.print(Text(leads), soft_wrap=True)
        elif isinstance(event, Joined):
            name = event.device.name
            self._out.print(Text(f"device:{name} connected: {describe(event.device)}", "green"), soft_wrap=True)
            self._out.print(Text(f"  pycheck compare MODEL --runtime device:{name}:webgl"), soft_wrap=True)
        else:
            self._out.print(Text(f"device:{event.device.name} disconnected", "yellow"), soft_wrap=True)
        self._out.file.flush()

    def diagnosis(self, diagnosis: Diagnosis) -> None:
        """Print which runtimes start here as a table, and advice for the others; commands stay in one line."""
        from ..report.layout import capture, hanging, line

        widest = max((len(str(row.runtime)) for row in diagnosis.rows), default=0) + 2
        parts = [line(text) for text in diagnosis.versions]
        parts += [line(f"{'runtime':<{widest}}status   runs on", style="bold")]
        for row in diagnosis.rows:
            status = (f"{'ok' if row.ok else 'missing':<9}", "green" if row.ok else "red")
            parts.append(hanging(Text.assemble(f"{row.runtime!s:<{widest}}", status), row.detail, self._out.width))
        parts += [line(text) for text in diagnosis.advice]
        self._out.file.write(capture(parts, self._out))


def _verification(converted: Converted) -> list[str]:
    """Format the result of the run that verified a new artifact."""
    report = converted.report
    if report is None:
        return ["not verified (--no-verify)"]
    if converted.failure:
        return [f"NOT VERIFIED: {converted.failure}", *([f"  {converted.advice}"] if converted.advice else [])]
    judged = [c for c in report.comparisons if c.passed is not None]
    nearest = max((c.limit_use for c in judged if c.limit_use), key=lambda use: use.share, default=None)
    error = max((c.max_abs_error or 0.0 for c in judged), default=0.0)
    of_limit = f"largest error {error:.2g}, limit used {used(nearest)}"
    return [f"verified on {judged[0].candidate}, {_inputs(report)}: {of_limit}"]


def _inputs(report: Report) -> str:
    inputs, signature = report.inputs, report.model.signature
    if not signature.inputs:
        return "without inputs"
    origin = f"of {inputs.path}" if inputs.path else "that were generated"
    if not signature.has_samples:
        generated, of = ("", f" of {inputs.path}") if inputs.path else ("generated ", "")
        return f"with one {generated}value of each input{of}"
    return f"with {inputs.sample_count:,} sample{'' if inputs.sample_count == 1 else 's'} {origin}"


class MatrixProgress:
    """One progress bar for each variant, as a context manager; `runtimes` is the number of runtimes of each."""

    def __init__(self, runtimes: Mapping[str, int], console: RichConsole) -> None:
        columns = (
            TextColumn("{task.fields[variant]}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        self._progress = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {
            name: self._progress.add_task("waiting", variant=name, total=count, start=False)
            for name, count in runtimes.items()
        }
        self._ended: dict[str, set[str]] = {name: set() for name in runtimes}
        self._doing: dict[str, dict[str, str]] = {name: {} for name in runtimes}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._progress.stop()

    def observe(self, variant: str, runtime: str, step: str, done: int, total: int) -> None:
        """Update the step of one runtime of a variant."""
        task, doing = self._tasks[variant], self._doing[variant]
        self._progress.start_task(task)
        if not runtime:
            self._progress.update(task, description=step, completed=None)
            self._progress.stop_task(task)
            return
        doing.pop(runtime, None)
        if step in _ENDS:
            self._ended[variant].add(runtime)
        else:
            doing[runtime] = f"{runtime} {done}/{total}" if done else f"{runtime} {step}"
        description = ", ".join(doing.values()) or "judging"
        self._progress.update(task, description=description, completed=len(self._ended[variant]))
