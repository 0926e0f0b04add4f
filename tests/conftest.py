"""What every test has: a cache of this session's own, no settings from outside, and the command line at hand."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

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
