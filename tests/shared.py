"""One session for the tests of a process, so that a browser starts once and not with every comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pycheck import Session

session = Session()


def through_session(name: str) -> Callable[..., Any]:
    """The function of the pipeline, in the browsers of the session."""

    def run(*given: Any) -> Any:
        return asyncio.to_thread(session.run, lambda bench: getattr(bench, name)(*given))

    return run
