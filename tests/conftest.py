"""What every test has: a cache of this session's own, no settings from outside, and the command line at hand.

With `--quick` only those tests run that need neither TensorFlow nor a browser nor another process, and that they need
none of them is held: what a quick test must not use raises an error. All others carry the mark `real`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

# A busy machine makes no property false. What gates a change asks the same of every change; new examples are looked
# for where somebody is there to look into them.
settings.register_profile("pycheck", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("pycheck")

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as pycheck does, for tests that import Keras themselves

_PROGRESS = re.compile(r"^(convert|(native|chromium):[\w-]+): [\w ]+$")


class Said(NamedTuple):
    """How a command ended; `messages` is standard error without the lines of progress."""

    code: int
    out: str
    err: str

    @property
    def messages(self) -> str:
        return "\n".join(line for line in self.err.splitlines() if not _PROGRESS.match(line))


Cli = Callable[..., Said]


#: Packages that take seconds to import.
_HEAVY = ("tensorflow", "keras", "tf_keras", "tensorflowjs")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only tests without TensorFlow, browser and other processes")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick") and config.getoption("dist", "no") == "no":  # what starts workers runs no test
        sys.addaudithook(_hold_quick)


def _hold_quick(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("subprocess.Popen", "os.posix_spawn") and arguments[0] != "uname":  # of Python's own platform
        raise AssertionError(f"a quick test starts {arguments[0]}: mark it with pytest.mark.real")
    if event == "import" and arguments[0].partition(".")[0] in _HEAVY:
        raise AssertionError(f"a quick test imports {arguments[0]}: mark it with pytest.mark.real")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Not even imported: a module whose tests all are real may import TensorFlow at its top."""
    quick = config.getoption("--quick") and collection_path.suffix == ".py"
    return True if quick and "\npytestmark = pytest.mark.real\n" in collection_path.read_text("utf-8") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("real")])
        items[:] = [item for item in items if not item.get_closest_marker("real")]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs one command line, word by word, in this process, where TensorFlow is imported already."""

    def run(*arguments: object) -> Said:
        from pycheck import cli

        capfd.readouterr()
        argv = [str(argument) for argument in arguments]
        monkeypatch.setattr("sys.argv", ["pycheck", *argv])
        code = cli.run(argv)
        return Said(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither read nor fill the user's cache, and no variable of ours or of a CI server decides their outcome."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PYCHECK_", "GITHUB_"))]:
            patch.delenv(name)
        patch.setenv("PYCHECK_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
