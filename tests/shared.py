"""One session for the tests of a process, so that a browser starts once and not with every comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pycheck import Session
from pycheck.workflow.lazy_model import Source
from pycheck.workflow.pipeline import Workbench

T = TypeVar("T")

session = Session()


async def in_session(work: Callable[[Workbench], Coroutine[Any, Any, T]]) -> T:
    """Do the work as `pycheck.workflow.pipeline.alone` does, in the browsers of the session; fakes stay out of them."""
    if Workbench.make_source is not Source:
        async with Workbench() as bench:
            return await work(bench)
    return await asyncio.to_thread(session.run, work)
