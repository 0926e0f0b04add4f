"""The errors that pycheck raises on purpose.

PycheckError                      exit code
├── UsageError                    2   an option or a configuration value
├── InstallationError             2   a package that is missing, does not fit or cannot be imported
├── InputError                    2   a file or an array that cannot be used
│   ├── ModelFileError            2   not a model, truncated, weights only, custom layer unknown
│   ├── InputsFileError           2   not inputs, truncated, wrong shape, dtype or name
│   ├── ArtifactFileError         2   a TF.js model.json or its shards
│   │   └── NotExecutableError    2   a valid artifact that TensorFlow cannot run
│   └── AppCodeError              2   the user's own code does not load, or has no such function
├── RuntimeFailedError            3   a runtime started and then failed
│   ├── UnsupportedModelError     3   its library cannot run this model, on any machine
│   │   └── NoKernelError         3   its backend lacks a kernel that the model needs
│   ├── RuntimeUnavailableError   3   a runtime could not be started here
│   └── RuntimeTimeoutError       3   no answer within --timeout
├── NoCodeError                   1   no code was found that preprocesses as the other side does
├── ConversionError               4   the model cannot become an artifact
└── InternalError                70   a bug in pycheck, in one model of several

A message says what failed and the value seen; `advice` is the fix, as an instruction. Both are whole sentences with a
full stop, unless they end with a command to copy.
"""

from __future__ import annotations


class PycheckError(Exception):
    """The base class; `exit_code` is that of the command line."""

    exit_code = 70

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}\n{self.advice}" if self.advice else self.message

    def told(self) -> str:
        """Format the error for the command line: the message, and the advice below it."""
        return "\n".join([f"pycheck: {self.message}", *(f"  {line}" for line in self.advice.splitlines())])


class UsageError(PycheckError):
    """An option or a configuration value is wrong."""

    exit_code = 2


class InstallationError(PycheckError):
    """A package that pycheck needs is missing, has a version that does not fit, or cannot be imported."""

    exit_code = 2


class InputError(PycheckError):
    """A file or an array that the user gave cannot be used."""

    exit_code = 2


class ModelFileError(InputError):
    """The model cannot be read or needs something that was not given."""


class InputsFileError(InputError):
    """The inputs cannot be read or do not fit the model."""


class ArtifactFileError(InputError):
    """A model.json or its weight shards cannot be used."""


class NotExecutableError(ArtifactFileError):
    """TensorFlow in Python cannot run the artifact; TF.js may."""


class AppCodeError(InputError):
    """The user's own code, which makes inputs of files, does not load, or has no such function."""


class NoCodeError(PycheckError):
    """No code was found that preprocesses as the other side does."""

    exit_code = 1


class RuntimeFailedError(PycheckError):
    """A runtime started and then failed."""

    exit_code = 3


class UnsupportedModelError(RuntimeFailedError):
    """The library of the runtime cannot run this model, on any machine."""


class NoKernelError(UnsupportedModelError):
    """TF.js's backend has no kernel for an operation that the model, or its gradient, needs."""


class RuntimeUnavailableError(RuntimeFailedError):
    """A runtime cannot be started here."""


class RuntimeTimeoutError(RuntimeFailedError):
    """A runtime gave no answer within the timeout."""


class ConversionError(PycheckError):
    """The model cannot become an artifact."""

    exit_code = 4


def of_run(error: Exception) -> PycheckError:
    """Return the error with which one of several runs ends; one of the system may be that of a full disk."""
    if isinstance(error, PycheckError):
        return error
    if isinstance(error, OSError):
        return UsageError(f"{error.strerror or error}: {error.filename or 'while writing'}")
    return InternalError(error)


class InternalError(PycheckError):
    """A bug in pycheck met one model of several."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"This is a bug in pycheck: {type(error).__name__}: {error}",
            "Run pycheck compare on only this model with -vv, and report its output.",
        )
