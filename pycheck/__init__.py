"""Does a Keras model answer in the browser as it answers in Python?

>>> import pycheck
>>> report = pycheck.compare("model.keras", "inputs.npy")  # doctest: +SKIP
>>> report.verdict, report.passed  # doctest: +SKIP
(<Verdict.PASS: 'pass'>, True)
"""

from __future__ import annotations

# Two functions have the names of the packages below them. Python sets a package's name here when it is first
# imported, so those come first, or they would take the functions' places later.
from . import compare as _compare_stage  # noqa: F401
from . import convert as _convert_stage  # noqa: F401
from .api import compare, convert, gradients, rejudge, trace, train
from .errors import (
    ArtifactFileError,
    ConversionError,
    InputError,
    InputsFileError,
    ModelFileError,
    PycheckError,
    RuntimeFailedError,
    RuntimeTimeoutError,
    RuntimeUnavailableError,
    UsageError,
)
from .types import ArtifactInfo, Comparison, Environment, Finding, Report, RuntimeId, RuntimeRecord, Verdict
from .version import __version__

__all__ = [
    "ArtifactFileError",
    "ArtifactInfo",
    "Comparison",
    "ConversionError",
    "Environment",
    "Finding",
    "InputError",
    "InputsFileError",
    "ModelFileError",
    "PycheckError",
    "Report",
    "RuntimeFailedError",
    "RuntimeId",
    "RuntimeRecord",
    "RuntimeTimeoutError",
    "RuntimeUnavailableError",
    "UsageError",
    "Verdict",
    "__version__",
    "compare",
    "convert",
    "gradients",
    "rejudge",
    "trace",
    "train",
]
