"""Runs tasks in parallel; the first error ends the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any


async def together(works: Iterable[Awaitable[Any]]) -> None:
    """Wait for all tasks; the first error cancels the others, waits for their end, and is raised unchanged.

    asyncio.TaskGroup would raise it within an ExceptionGroup, which every caller would have to unpack.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
