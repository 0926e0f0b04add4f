"""Check that a Keras model gives the same results in the browser as in Python.

>>> import pycheck
>>> report = pycheck.compare("model.keras", "inputs.npy")  # doctest: +SKIP
>>> report.verdict, report.passed  # doctest: +SKIP
(<Verdict.PASS: 'pass'>, True)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .api import check, compare, convert, gradients, merge, migrate, rejudge, trace, train, update_baseline
    from .errors import (
        ArtifactFileError,
        ConversionError,
        InputError,
        InputsFileError,
        InstallationError,
        ModelFileError,
        PycheckError,
        RuntimeFailedError,
        RuntimeTimeoutError,
        RuntimeUnavailableError,
        UsageError,
    )
    from .results import CheckReport, Migration, Report
    from .session import Session
    from .types import (
        ArtifactInfo,
        Comparison,
        Environment,
        Finding,
        RuntimeId,
        RuntimeRecord,
        Verdict,
    )

__all__ = [
    "ArtifactFileError",
    "ArtifactInfo",
    "CheckReport",
    "Comparison",
    "ConversionError",
    "Environment",
    "Finding",
    "InputError",
    "InputsFileError",
    "InstallationError",
    "Migration",
    "ModelFileError",
    "PycheckError",
    "Report",
    "RuntimeFailedError",
    "RuntimeId",
    "RuntimeRecord",
    "RuntimeTimeoutError",
    "RuntimeUnavailableError",
    "Session",
    "UsageError",
    "Verdict",
    "__version__",
    "check",
    "compare",
    "convert",
    "gradients",
    "merge",
    "migrate",
    "rejudge",
    "trace",
    "train",
    "update_baseline",
]

#: The modules of these names. They are imported on first use, so that a test run with pycheck's plugin installed, and
#: `pycheck --help`, need not import NumPy.
_HOMES = ("errors", "results", "types", "api", "session")


if not TYPE_CHECKING:  # for a type checker, every name would exist

    def __getattr__(name: str) -> Any:
        if name in __all__:
            for home in _HOMES:
                found = vars(import_module(f".{home}", __name__))
                if name in found:
                    return globals().setdefault(name, found[name])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
