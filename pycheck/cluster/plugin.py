"""Tells the scheduler what each worker can run, also a worker that comes later, and ends the work of a check."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from distributed import Status, Worker, WorkerPlugin

from .members import PYTHON, Member, engine_resource, fits
from .working import look
from .workplace import here


class CheckPlugin(WorkerPlugin):  # type: ignore[misc] # Dask has no types
    """Belongs to the check `token`, while it runs. A worker that does not fit it gets none of its parts."""

    def __init__(
        self, token: str, asked: bytes, own: Member, packages: Mapping[str, str], engines: Iterable[str]
    ) -> None:
        self.name = f"pycheck-{token}"
        self.token = token
        self._asked = asked
        self._own = own
        self._packages = packages
        self._resources = (PYTHON, *map(engine_resource, engines))

    async def setup(self, worker: Worker) -> None:
        """Set the resources of a worker, also those that it has no longer."""
        member = await asyncio.to_thread(look, self._asked, worker.name)
        held = member.resources if fits(self._own, self._packages, member) else {}
        await worker.set_resources(**(dict.fromkeys(self._resources, 0.0) | held))
        if worker.status is Status.running:
            # Parts that no worker could run wait until the scheduler is told that one runs.
            worker.status = Status.paused
            worker.status = Status.running

    async def teardown(self, worker: Worker) -> None:
        """End what still runs for the check."""
        await asyncio.to_thread(here().forget, self.token)
