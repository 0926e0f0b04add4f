"""What every test has: a cache of this session's own, no settings from outside, and the command line at hand.

With `--quick` only those tests run that need neither TensorFlow nor a browser nor another process, and that they need
none of them is held: what a quick test must not use raises an error. All others carry the mark `real`. Those with the
mark `exhaustive` are more of a kind of which others are tried already; they run with `--exhaustive`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from .fakes import Fakes

# A busy machine makes no property false. What gates a change asks the same of every change; new examples are looked
# for where somebody is there to look into them. Exhaustive tests try more.
settings.register_profile("pycheck", deadline=None, derandomize="CI" in os.environ, max_examples=25)
settings.register_profile("exhaustive", settings.get_profile("pycheck"), max_examples=100)
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


#: What starts a process, or makes this one another.
_PROCESSES = frozenset(
    {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system"}
)

#: Of Python's own platform; of numpy.testing, as older NumPys import it.
_OF_OTHERS = (("uname",), ("lscpu",))


class Quick:
    """The audit hook that holds quick tests; it keeps what it refused, since the product may catch what it raises."""

    def __init__(self) -> None:
        self._refused: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _PROCESSES and arguments[:1] not in _OF_OTHERS:
            self._refuse(f"starts a process ({event}{''.join(f' {value!r}' for value in arguments[:2])})")
        if event == "import" and arguments[0].partition(".")[0] in _HEAVY:
            self._refuse(f"imports {arguments[0]}")

    def _refuse(self, what: str) -> None:
        told = f"a quick test {what}: mark it with pytest.mark.real"
        self._refused.append(told)
        raise AssertionError(told)

    def check(self) -> None:
        """AssertionError if something was refused since the last call."""
        told, self._refused = self._refused, []
        if told:
            raise AssertionError("\n".join(dict.fromkeys(told)))


_QUICK = Quick()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only tests without TensorFlow, browser and other processes")
    parser.addoption("--exhaustive", action="store_true", help="also more of a kind: each fault, sample, engine, page")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--exhaustive"):
        settings.load_profile("exhaustive")
    if config.getoption("--quick") and config.getoption("dist", "no") == "no":  # what starts workers runs no test
        sys.addaudithook(_QUICK)


def pytest_sessionfinish() -> None:
    if shared := sys.modules.get("tests.shared"):
        shared.session.close()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    _QUICK.check()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Not even imported: a module whose tests all are real may import TensorFlow at its top."""
    quick = config.getoption("--quick") and collection_path.suffix == ".py"
    return True if quick and "\npytestmark = pytest.mark.real\n" in collection_path.read_text("utf-8") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = ["real"] if config.getoption("--quick") else []
    left_out += [] if config.getoption("--exhaustive") else ["exhaustive"]
    gone = [item for item in items if any(map(item.get_closest_marker, left_out))]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in set(gone)]


def more(*cases: Any) -> list[Any]:
    """Parameters of a test that are more of a kind: they run with `--exhaustive`. A tuple has several parameters."""
    return [pytest.param(*(c if isinstance(c, tuple) else (c,)), marks=pytest.mark.exhaustive) for c in cases]


@pytest.fixture(autouse=True)
def _shared_browsers(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Real tests share browsers, except one that has fake runtimes, or looks at the temporary files of a browser."""
    if request.node.get_closest_marker("real") and not {"fakes", "temporary"} & set(request.fixturenames):
        from pycheck.workflow import pipeline

        from .shared import in_session

        monkeypatch.setattr(pipeline, "alone", in_session)
        # A test is about runtimes that run.
        monkeypatch.setattr(pipeline.Workbench, "identify", staticmethod(lambda *_, **__: None))


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs one command line, word by word, in this process, where TensorFlow is imported already."""

    def run(*arguments: object) -> Said:
        from pycheck.cli import main as cli

        capfd.readouterr()
        argv = [str(argument) for argument in arguments]
        monkeypatch.setattr("sys.argv", ["pycheck", *argv])
        code = cli.run(argv)
        return Said(code, *capfd.readouterr())

    return run


@pytest.fixture
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fakes]:
    """Runs of this test have fake runtimes, without TensorFlow and browsers."""
    from .fakes import faking

    with faking(tmp_path_factory.mktemp("cache")) as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither read nor fill the user's cache, and no variable of ours or of a CI server decides their outcome."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PYCHECK_", "GITHUB_"))]:
            patch.delenv(name)
        patch.setenv("PYCHECK_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
