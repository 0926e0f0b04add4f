"""The results of the public functions: the data of a report, which prints itself and asserts that it passed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Self

from . import types
from .report.check_terminal import render_check
from .report.failure import failure_text
from .report.json import check_to_dict, migration_to_dict, report_to_dict
from .report.migration_terminal import render_migration_terminal
from .report.terminal import render_terminal


class Report(types.Report):
    """The data of a run; `print` shows the terminal report."""

    __slots__ = ()

    @classmethod
    def of(cls, report: types.Report) -> Self:
        """Make it from the same data."""
        return cls(**{field.name: getattr(report, field.name) for field in fields(report)})

    def __str__(self) -> str:
        """Return the terminal report, without colours and 80 columns wide."""
        return render_terminal(self).rstrip()

    def assert_ok(self) -> None:
        """Raise AssertionError unless it passed; the text has the differences, their places, causes and next steps."""
        __tracebackhide__ = True  # pytest shows the test instead of this frame
        if not self.passed:
            raise AssertionError(failure_text(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready data, `schema_version` 1."""
        return report_to_dict(self)


class CheckReport(types.CheckReport):
    """A whole matrix: one report for each variant, which is a model in one format and quantization, on its runtimes.

    `reports` have the names of their variants, in the order of the configuration; the findings and the verdict of each
    take budgets, known divergences and the baseline into account. `failures` are variants without a report, and those
    whose report could not be compared with the baseline. `findings` are about the configuration or the check as a
    whole; an error among them fails the check. `shard` is the part of the matrix that this report is of; None is all.
    """

    __slots__ = ()

    @classmethod
    def of(cls, check: types.CheckReport) -> Self:
        """Make it from the same data, with its reports as `Report`."""
        values = {field.name: getattr(check, field.name) for field in fields(check)}
        return cls(**{**values, "reports": tuple(map(Report.of, check.reports))})

    def __str__(self) -> str:
        """Return the terminal report, without colours and 80 columns wide."""
        return render_check(self).rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready data, `schema_version` 1."""
        return check_to_dict(self)


class Migration(types.Migration):
    """The result of `migrate`: whether the model can move from TF.js to LiteRT.js, and the reasons.

    `report` is the run of both libraries with float32 weights; `pairs` has the decision for each TF.js runtime and its
    counterpart; `unsupported` has the libraries into whose format the model cannot be converted; `variants` are the
    quantized files for LiteRT.js, and `smallest` is the quantization of the smallest file that passes.
    """

    __slots__ = ()

    @classmethod
    def of(cls, migration: types.Migration) -> Self:
        """Make it from the same data, with its report as `Report`."""
        values = {field.name: getattr(migration, field.name) for field in fields(migration)}
        return cls(**{**values, "report": Report.of(migration.report)})

    def __str__(self) -> str:
        """Return the terminal report, without colours and 80 columns wide."""
        return render_migration_terminal(self).rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return the migration as JSON-ready data, `schema_version` 1."""
        return migration_to_dict(self)
