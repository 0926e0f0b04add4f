"""The progress bars of a check: one for each variant, with its current step."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

#: How a runtime's work ends; "done" and "failed" without a runtime are of the whole variant.
_ENDS = ("ok", "unavailable", "failed", "timed_out")


class MatrixProgress:
    """One progress bar for each variant, as a context manager; `runtimes` is the number of runtimes of each."""

    def __init__(self, runtimes: Mapping[str, int], console: Console) -> None:
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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
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
