"""Runs the variants of a check on the workers of a Dask cluster.

The scheduler imports `tasks`, and so this module: it is quick to import.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..checks import Plan
    from ..checks.matrix import Runner


def runner_of(plan: Plan, note: Callable[[str], None] = lambda text: None) -> Runner:
    """Return what runs the variants of a plan: this process, or the cluster that it names.

    `note` receives what the user should know about the cluster, such as the address of its dashboard.
    """
    if plan.dask is None:
        from ..checks.running import run

        return run
    from .spreading import spread

    return partial(spread, plan.dask, note=note)
