"""Checks which TensorFlow and Keras are installed, and gives the command that installs a supported version.

Nothing is imported: versions are found by the names of TensorFlow's distributions.
"""

from __future__ import annotations

import importlib.util
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from ..errors import InstallationError, PycheckError

#: The distributions of each module, the most common first.
_PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "tensorflow": (
        "tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu", "tensorflow-macos", "tensorflow-intel",
        "intel-tensorflow", "tensorflow-rocm", "tensorflow-cpu-aws", "tensorflow-aarch64",
    ),
    "keras": ("keras", "keras-nightly"),
    "tf_keras": ("tf-keras", "tf-keras-nightly"),
}  # fmt: skip
#: Further packages that determine the results, and so are part of every cache key.
_OTHERS = ("numpy",)

TENSORFLOW_OLDEST, TENSORFLOW_NEWEST = (2, 16), (2, 21)
KERAS_OLDEST = (3, 3)
_WITH_TENSORFLOW = 'pip install "pycheck[tensorflow]"'


@dataclass(frozen=True, slots=True)
class Package:
    """An installed distribution."""

    name: str
    version: str

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version; (0, 0) if the version is not of that form."""
        found = re.match(r"(\d+)\.(\d+)", self.version)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def find(module: str) -> Package | None:
    """Return the distribution of the module ``tensorflow``, ``keras`` or ``tf_keras``; None if it is not installed."""
    for name in _PUBLISHED[module]:
        if (number := _version(name)) is not None and _is_there(module):
            return Package(name, number)
    if not _is_there(module):
        return None
    other = next(iter(packages_distributions().get(module, ())), None)  # slow, and rarely needed
    return Package(other or module, (other and _version(other)) or "unknown")


def versions() -> dict[str, str]:
    """Return the versions of all installed packages that determine the results, by name."""
    found = [package for module in _PUBLISHED if (package := find(module))]
    others = [Package(name, number) for name in _OTHERS if (number := _version(name)) is not None]
    return {package.name: package.version for package in (*found, *others)}


def tensorflow_problem() -> InstallationError | None:
    """Return why the installed TensorFlow and Keras cannot be used; None if their versions are supported.

    A TensorFlow newer than those that pycheck is tested with is accepted.
    """
    tensorflow, keras = find("tensorflow"), find("keras")
    if tensorflow is None:
        return InstallationError(
            f"TensorFlow is not installed for {sys.executable}.",
            f"Install a supported version ({_range()}): {_WITH_TENSORFLOW}",
        )
    if (0, 0) < tensorflow.release < TENSORFLOW_OLDEST:
        return InstallationError(
            f"{tensorflow} is too old: pycheck supports TensorFlow {_range()}.",
            f'Install a newer one: pip install --upgrade "{tensorflow.name}>={_dotted(TENSORFLOW_OLDEST)}"',
        )
    if keras is None:
        return InstallationError(
            f"Keras is not installed for {sys.executable}, and TensorFlow {tensorflow.version} needs it.",
            f'Install it: pip install "keras>={_dotted(KERAS_OLDEST)}"',
        )
    if (0, 0) < keras.release < KERAS_OLDEST:
        return InstallationError(
            f"{keras} is too old: pycheck supports Keras {_dotted(KERAS_OLDEST)} and later.",
            f'Install a newer one: pip install --upgrade "{keras.name}>={_dotted(KERAS_OLDEST)}"',
        )
    return None


def tf_keras_problem() -> InstallationError | None:
    """Return why Keras 2 (the package tf-keras) cannot be used with the installed TensorFlow; None if it can."""
    tensorflow, tf_keras = find("tensorflow"), find("tf_keras")
    if tensorflow is None:
        return tensorflow_problem()
    fitting = _pip_install_tf_keras(tensorflow)
    if tf_keras is None:
        return InstallationError(
            "The package tf-keras (Keras 2) is not installed.",
            f"Install the version for {tensorflow}: {fitting}",
        )
    if (0, 0) not in (tensorflow.release, tf_keras.release) and tf_keras.release != tensorflow.release:
        return InstallationError(
            f"{tf_keras} does not work with {tensorflow}: the versions must be equal.",
            f"Install the same version: {fitting}",
        )
    return None


def broken(module: str, error: BaseException) -> InstallationError:
    """Make the error for a package that is installed but cannot be imported."""
    first = str(error).strip().partition("\n")[0]
    return _unimportable(module, f"{type(error).__name__}: {first}")


def killed(module: str, number: int, last_line: str = "") -> InstallationError:
    """Make the error for a package whose import is killed by a signal, after it printed its last line."""
    name = signal.Signals(number).name
    if number != signal.SIGILL:
        return _unimportable(module, f"{name} killed the process{f': {last_line}' if last_line else ''}")
    package = find(module) or Package(module, "")
    return InstallationError(
        f"Cannot import {package}: {name} killed the process, because this processor lacks instructions that "
        f"{package.name} needs.",
        "The x86 packages of TensorFlow need AVX, which some virtual machines hide. Run pycheck on a machine that "
        "prints "
        "avx here: grep -m1 -ow avx /proc/cpuinfo",
    )


def _unimportable(module: str, why: str) -> InstallationError:
    package = find(module) or Package(module, "")
    exact = package.name
    if package.release > (0, 0):
        exact = f'"{package.name}=={package.version.partition("+")[0]}"'  # a package index has no local versions
    return InstallationError(
        f"Cannot import {package}: {why.rstrip('.')}.",
        f"Reinstall it with its dependencies: pip install --force-reinstall {exact}",
    )


@contextmanager
def importing(module: str) -> Iterator[None]:
    """Convert any error of an import in this context to the error for a broken package."""
    try:
        yield
    except PycheckError:
        raise
    except Exception as error:  # a package may raise any error
        raise broken(module, error) from error


def unusable_internals(error: BaseException) -> InstallationError:
    """Make the error for a TensorFlow that lacks a private module that pycheck uses."""
    package = find("tensorflow") or Package("tensorflow", "")
    if package.release <= TENSORFLOW_NEWEST and package.release >= TENSORFLOW_OLDEST:
        return broken("tensorflow", error)
    return InstallationError(
        f"{package} does not work with pycheck: {error}.",
        f'Install a supported version ({_range()}): pip install "{package.name}=={_dotted(TENSORFLOW_NEWEST)}.*"',
    )


def _pip_install_tf_keras(tensorflow: Package) -> str:
    """Return the command that installs the matching tf-keras.

    Each release of tf-keras requires ``tensorflow`` or ``tf-nightly`` by name.
    """
    known = tensorflow.release > (0, 0)
    pip = "pip install" if known and tensorflow.name in ("tensorflow", "tf-nightly") else "pip install --no-deps"
    if "nightly" in tensorflow.name:
        return f"{pip} tf-keras-nightly"
    return f'{pip} "tf-keras=={_dotted(tensorflow.release)}.*"' if known else f"{pip} tf-keras"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _is_there(module: str) -> bool:
    """Tell whether Python finds the module; a distribution without it is damaged, or a placeholder.

    A folder of that name without code is not the module, because uninstalling may leave it behind.
    """
    if module in sys.modules:
        return sys.modules[module] is not None
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None


def _range() -> str:
    return f"{_dotted(TENSORFLOW_OLDEST)} to {_dotted(TENSORFLOW_NEWEST)}"


def _dotted(release: tuple[int, int]) -> str:
    return f"{release[0]}.{release[1]}"
