from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from .lab import Lab


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The plainest backend: what Python and TF.js do alike or not does not depend on it."""
    with Lab("chromium:cpu") as opened:
        yield opened


@pytest.fixture(scope="session")
def wide_lab() -> Iterator[Lab]:
    """Three backends."""
    with Lab("chromium:cpu", "chromium:wasm", "chromium:webgl") as opened:
        yield opened


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs one command line in this process, where TensorFlow is imported already."""

    def run(*arguments: object) -> Said:
        from pycheck import cli

        capfd.readouterr()
        argv = [str(argument) for argument in arguments]
        monkeypatch.setattr("sys.argv", ["pycheck", *argv])
        code = cli.run(argv)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return run
