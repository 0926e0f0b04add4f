"""The end of a session: prints the matrix of models by runtimes, and writes the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .results import Cell

_TITLE = "pycheck"


class Summary:
    """Collects the test reports, also from workers of xdist, and prints a summary if any test compared a model."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._cells: dict[tuple[str, str], Cell] = {}
        self._accepted: list[dict[str, Any]] = []
        self._said = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Store the cells; a model that was compared twice on a runtime failed if it failed once."""
        self._accepted += getattr(report, "pycheck_accepted", ())
        cell: Cell
        for cell in getattr(report, "pycheck_cells", ()):
            place = (cell["model"], cell["runtime"])
            if place not in self._cells or cell["failed"] or not self._cells[place]["failed"]:
                self._cells[place] = cell

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the baseline if requested; a worker of xdist leaves that to its controller."""
        if not self._accepted or hasattr(self._config, "workerinput"):
            return
        from ..errors import PycheckError
        from . import accepted, settings

        file = settings.baseline(self._config)
        assert file is not None  # pytest_configure has checked it
        try:
            self._said = accepted.accept(file, self._accepted)
        except PycheckError as error:
            self._said = f"The baseline is unchanged: {error}"
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print one line for each model, with one column for each runtime."""
        if not self._cells or self._config.getoption("verbose") < 0:
            return
        models = sorted({model for model, _ in self._cells})  # tests may finish in any order
        runtimes = sorted({runtime for _, runtime in self._cells}, key=_by_engine_and_library)
        columns = [["model", *models]]
        for runtime in runtimes:
            found = (self._cells.get((model, runtime)) for model in models)
            columns.append([runtime, *(cell["text"] if cell else "" for cell in found)])
        widths = [max(map(len, column)) for column in columns]
        terminalreporter.write_sep("=", _TITLE)
        for rank, row in enumerate(zip(*columns, strict=True)):
            failed = rank > 0 and any(
                cell["failed"] for (model, _), cell in self._cells.items() if model == models[rank - 1]
            )
            line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            terminalreporter.write_line(line, **({} if rank == 0 else {"red" if failed else "green": True}))
        if self._said:
            terminalreporter.write_line(self._said)


def _by_engine_and_library(runtime: str) -> tuple[str, bool, str]:
    engine, _, kind = runtime.rpartition(":")
    return engine, kind.startswith("litert-"), kind
