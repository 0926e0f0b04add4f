"""Test suites inside of tests, each in a folder and a process of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

# All that the plugin imports when it is used: a suite inside of this process forgets what it imported itself.
from pycheck.conversion.published_environment import PublishedConverter
from pycheck.pytest_plugin import accepted, calls, settings  # noqa: F401
from pycheck.report import html, view  # noqa: F401
from pycheck.workflow import versions

from ..fakes import Fakes
from .faked import faked as faking

ROOT = Path(__file__).parents[2]

Suite = Callable[..., pytest.RunResult]


def loaded() -> tuple[str, ...]:
    """How the plugin comes in: by its entry point where that is installed, else by name."""
    known = any(point.value.startswith("pycheck.pytest_plugin") for point in entry_points(group="pytest11"))
    return () if known else ("-p", "pycheck.pytest_plugin")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """Runs pytest with the plugin on a file of tests, in an empty folder."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(tests: str, *arguments: str | Path) -> pytest.RunResult:
        pytester.makepyfile(test_models=tests)
        return pytester.runpytest_subprocess(*loaded(), "-p", "no:cacheprovider", *arguments, timeout=240)

    return run


@pytest.fixture
def fakes(pytester: pytest.Pytester) -> Iterator[Fakes]:
    """Fake runtimes and models for a suite in this process: see faked.py."""
    with faking(pytester.path) as fakes:
        yield fakes


@pytest.fixture
def faked(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, fakes: Fakes) -> Suite:
    """The same in this process, where nothing is started."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setattr(versions, "find_published", lambda cache: PublishedConverter("python", "4.22.0", "2.19.0"))

    def run(tests: str, *arguments: str | Path) -> pytest.RunResult:
        pytester.makepyfile(test_models=tests)
        # The plugin is imported here already, which a suite of its own would not find.
        quiet = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
        return pytester.runpytest_inprocess(*loaded(), "-p", "no:cacheprovider", *quiet, *arguments)

    return run


@pytest.fixture
def faked_process(suite: Suite, pytester: pytest.Pytester) -> Suite:
    """The same in processes, for what has several."""
    pytester.makeconftest(
        """
        from pathlib import Path
        from tests.pytest_plugin.faked import faked

        faking = faked(Path.cwd())
        faking.__enter__()
        """
    )
    return suite


@pytest.fixture
def asked(pytester: pytest.Pytester) -> Callable[[], list[dict[str, Any]]]:
    """What the tests asked for, in turn."""

    def read() -> list[dict[str, Any]]:
        file = pytester.path / "asked.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [entry for entry in map(json.loads, lines) if "closed" not in entry]

    return read
