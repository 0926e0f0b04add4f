"""The pytest plugin: options, the mark, the fixtures. It imports the rest of pycheck when a test uses it.

A test requests `pycheck_compare` or `pycheck_trace`, calls it like `pycheck.compare`, and asserts
`report.assert_ok()`. A test that also requests `pycheck_runtime` runs once for every runtime of the matrix.
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
    """Add the options, all with one prefix, and the same keys to configuration files."""
    group = parser.getgroup("pycheck", "compare models in Python and in browsers")
    group.addoption(
        "--pycheck-runtimes",
        "--pycheck-runtime",
        action="append",
        metavar="ID[,ID]",
        help="Runtimes of pycheck_runtime, such as chromium:webgl,firefox:wasm. Repeatable.",
    )
    group.addoption("--pycheck-headed", action="store_true", default=None, help="Show the browser's window.")
    group.addoption("--pycheck-report-dir", metavar="DIR", help="Write every report as HTML and JSON into DIR.")
    group.addoption(
        "--pycheck-allow-unavailable",
        action="store_true",
        default=None,
        help="Skip runtimes that cannot start here, with a warning; skip a test if none of its runtimes starts.",
    )
    group.addoption("--pycheck-baseline", metavar="FILE", help="Compare every result with the baseline in FILE.")
    group.addoption(
        "--pycheck-update-baseline", action="store_true", help="Save the results that pass as the baseline in FILE."
    )
    parser.addini("pycheck_runtimes", "Runtimes of pycheck_runtime, separated by spaces or lines.", type="args")
    parser.addini("pycheck_headed", "Show the browser's window.", type="bool", default=None)
    parser.addini("pycheck_report_dir", "Write every report as HTML and JSON into this folder.", default="")
    parser.addini("pycheck_baseline", "Compare every result with the baseline in this file.", default="")
    parser.addini("pycheck_allow_unavailable", "Skip runtimes that cannot start here.", type="bool", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark; an invalid option ends the run before any test."""
    config.addinivalue_line(
        "markers",
        "pycheck(runtimes=[...], atol=..., allow_unavailable=..., ...): options of pycheck.compare for this test, "
        "which override those of the command line.",
    )
    config.pluginmanager.register(Summary(config), "pycheck-summary")
    if any(config.getoption(f"pycheck_{name}") for name in ("runtimes", "report_dir", "update_baseline")):
        from . import settings

        settings.check(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses `pycheck_runtime` once for every runtime, unless it parametrizes them itself."""
    if "pycheck_runtime" in metafunc.fixturenames:
        from . import settings

        if not settings.parametrizes(metafunc.definition, "pycheck_runtime"):
            metafunc.parametrize("pycheck_runtime", settings.matrix(metafunc.definition), ids=str, indirect=True)


@pytest.fixture
def pycheck_runtime(request: pytest.FixtureRequest) -> RuntimeId:
    """Return one runtime of the matrix, which `pycheck_compare` and `pycheck_trace` then use by default."""
    runtime: RuntimeId = request.param
    return runtime


@pytest.fixture(scope="session")
def _pycheck_session() -> Iterator[Session]:
    from ..session import Session

    with Session() as session:
        yield session


@pytest.fixture
def pycheck_compare(request: pytest.FixtureRequest, _pycheck_session: Session) -> Callable[..., Report]:
    """Give `pycheck.compare` with the options of the mark and the session, in browsers that the session shares."""
    from .calls import Calls

    return Calls(request, _pycheck_session).compare


@pytest.fixture
def pycheck_trace(request: pytest.FixtureRequest, _pycheck_session: Session) -> Callable[..., Report]:
    """Give `pycheck.trace` with the options of the mark and the session, in browsers that the session shares."""
    from .calls import Calls

    return Calls(request, _pycheck_session).trace


# Wrappers of the old style also work in old releases of pytest, which load the plugin wherever pycheck is installed.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, None]:
    """Add the paths of the reports to the text of a failure."""
    outcome = yield
    if outcome.excinfo and isinstance(error := outcome.excinfo[1], Exception):
        for result in item.stash.get(RESULTS, ()):
            for note in result.notes:
                error.add_note(note)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Add the results to the report of the test, so that a worker of xdist sends them to its controller."""
    outcome = yield
    if call.when == "call" and (results := item.stash.get(RESULTS, ())):
        report: pytest.TestReport = outcome.get_result()
        vars(report)["pycheck_cells"] = [cell for result in results for cell in result.cells]
        if report.passed:
            vars(report)["pycheck_accepted"] = [result.accepted for result in results if result.accepted]
