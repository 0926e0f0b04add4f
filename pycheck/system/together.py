"""Work side by side, of which the first error ends the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any


async def together(works: Iterable[Awaitable[Any]]) -> None:
    """Wait for all of them; the first error cancels the others, lets them end, and is raised as it is.

    asyncio.TaskGroup would raise it inside an ExceptionGroup, for everybody who catches an error of ours to open.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
