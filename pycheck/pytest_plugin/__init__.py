"""The pytest plugin: options, the mark, the fixtures. It imports the rest of pycheck when a test uses it.

A test asks for `pycheck_compare` or `pycheck_trace`, calls it as it would call `pycheck.compare`, and asserts
`report.assert_ok()`. One that asks for `pycheck_runtime` as well runs once for every runtime of the matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .results import RESULTS
from .summary import Summary

if TYPE_CHECKING:
    from ..results import Report
    from ..session import Session
    from ..types import RuntimeId


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all under one prefix, and the same in a configuration file."""
    group = parser.getgroup("pycheck", "models in Python and in browsers")
    group.addoption(
        "--pycheck-runtimes",
        "--pycheck-runtime",
        action="append",
        metavar="ID[,ID]",
        help="the matrix of pycheck_runtime, such as chromium:webgl,firefox:wasm; repeatable",
    )
    group.addoption("--pycheck-headed", action="store_true", default=None, help="show the browser's window")
    group.addoption("--pycheck-report-dir", metavar="DIR", help="write every report there, as a page and as JSON")
    group.addoption(
        "--pycheck-allow-unavailable",
        action="store_true",
        default=None,
        help="leave out, with a warning, a runtime that cannot start here; skip a test that has no other",
    )
    group.addoption("--pycheck-baseline", metavar="FILE", help="hold every result against the accepted ones in FILE")
    group.addoption(
        "--pycheck-update-baseline", action="store_true", help="accept what passes: write it into that FILE"
    )
    parser.addini("pycheck_runtimes", "the matrix of pycheck_runtime, separated by spaces or lines", type="args")
    parser.addini("pycheck_headed", "show the browser's window", type="bool", default=None)
    parser.addini("pycheck_report_dir", "write every report there, as a page and as JSON", default="")
    parser.addini("pycheck_baseline", "hold every result against the accepted ones in this file", default="")
    parser.addini("pycheck_allow_unavailable", "leave out a runtime that cannot start here", type="bool", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark; an option that cannot be right ends the run before any test."""
    config.addinivalue_line(
        "markers",
        "pycheck(runtimes=[...], atol=..., allow_unavailable=..., ...): options of pycheck.compare for this test, "
        "which go before those of the command line.",
    )
    config.pluginmanager.register(Summary(config), "pycheck-summary")
    if any(config.getoption(f"pycheck_{name}") for name in ("runtimes", "report_dir", "update_baseline")):
        from . import settings

        settings.check(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `pycheck_runtime` runs once for every runtime, unless it names them itself."""
    if "pycheck_runtime" in metafunc.fixturenames:
        from . import settings

        if not settings.parametrizes(metafunc.definition, "pycheck_runtime"):
            metafunc.parametrize("pycheck_runtime", settings.matrix(metafunc.definition), ids=str, indirect=True)


@pytest.fixture
def pycheck_runtime(request: pytest.FixtureRequest) -> RuntimeId:
    """One runtime of the matrix: what `pycheck_compare` and `pycheck_trace` then run, unless they are told others."""
    runtime: RuntimeId = request.param
    return runtime


@pytest.fixture(scope="session")
def _pycheck_session() -> Iterator[Session]:
    from ..session import Session

    with Session() as session:
        yield session


@pytest.fixture
def pycheck_compare(request: pytest.FixtureRequest, _pycheck_session: Session) -> Callable[..., Report]:
    """`pycheck.compare`, in browsers that the whole session shares, with the options of the mark and the session."""
    from .calls import Calls

    return Calls(request, _pycheck_session).compare


@pytest.fixture
def pycheck_trace(request: pytest.FixtureRequest, _pycheck_session: Session) -> Callable[..., Report]:
    """`pycheck.trace`, likewise."""
    from .calls import Calls

    return Calls(request, _pycheck_session).trace


# Wrappers of the old style: the plugin is loaded wherever pycheck is installed, by whatever pytest is there.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, None]:
    """Whoever reads a failure is told where the reports lie."""
    outcome = yield
    if outcome.excinfo and isinstance(error := outcome.excinfo[1], Exception):
        for result in item.stash.get(RESULTS, ()):
            for note in result.notes:
                error.add_note(note)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Let what was compared travel with the test's report, from a worker of xdist to its controller as well."""
    outcome = yield
    if call.when == "call" and (results := item.stash.get(RESULTS, ())):
        report: pytest.TestReport = outcome.get_result()
        vars(report)["pycheck_cells"] = [cell for result in results for cell in result.cells]
        if report.passed:
            vars(report)["pycheck_accepted"] = [result.accepted for result in results if result.accepted]
