"""The callables of the fixtures: one comparison or trace, with the options of the test, its mark and the session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ..api import path_or
from ..errors import PycheckError
from ..options.keywords import in_python
from ..results import Report
from ..session import Session
from . import accepted, results, settings


class Calls:
    """The calls of one test."""

    def __init__(self, request: pytest.FixtureRequest, session: Session) -> None:
        self._request = request
        self._session = session

    def compare(self, model: Any, inputs: Any = None, **options: Any) -> Report:
        """Call `pycheck.compare`; options that are not given come from the mark and the session."""
        __tracebackhide__ = True
        return self._call("compare", model, inputs, options)

    def trace(self, model: Any, inputs: Any = None, **options: Any) -> Report:
        """Call `pycheck.trace`; options that are not given come from the mark and the session."""
        __tracebackhide__ = True
        return self._call("trace", model, inputs, options)

    def _call(self, what: str, model: Any, inputs: Any, given: Mapping[str, Any]) -> Report:
        __tracebackhide__ = True
        try:
            asked = settings.asked(self._request, what, given, inputs)
            report = self._session.run(
                lambda workbench: getattr(workbench, what)(path_or(model), path_or(inputs), asked.options)
            )
            if asked.allow_unavailable:
                report = results.allowing_unavailable(report, asked.options)
            node = self._request.node
            if asked.baseline and not asked.update_baseline:
                report = accepted.hold(report, results.name(node), asked.baseline, asked.options)
            results.keep(node, report, asked.report_dir, accept=asked.update_baseline)
            return Report.of(report)
        except PycheckError as error:
            # The traceback within pycheck does not help the reader of a test.
            raise in_python(error).with_traceback(None) from None
