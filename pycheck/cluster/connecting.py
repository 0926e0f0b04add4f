"""Connects to a Dask cluster, or starts one on this machine, and checks that its workers fit this process."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import pickle
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ..errors import InstallationError, UsageError
from ..options.values import Options
from . import tasks
from .members import Member, check_members, packages_of, without_browser

#: The word for a cluster on this machine, instead of an address.
LOCAL = "local"
#: Seconds until a scheduler has answered, until a first worker is there, and for each later question.
CONNECT_S = 10.0
WORKERS_S = 60.0
_ANSWER_S = 60.0
_POLL_S = 0.5
#: What a worker of this machine needs: TensorFlow, a model and the pages of its browsers.
_WORKER_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster during one check. `client` is Dask's; `members` are the workers by address at its begin."""

    client: Any
    address: str
    token: str
    members: Mapping[str, Member]
    packages: Mapping[str, str]
    is_here: bool
    threads: int = field(default=1)

    async def resources(self) -> dict[str, dict[str, float]]:
        """Return the resources of the workers that are there now, by address; any error if the scheduler has ended."""
        found = await asyncio.wait_for(self.client.run_on_scheduler(tasks.census), _ANSWER_S)
        return dict(found)


@asynccontextmanager
async def connected(where: str, options: Options, note: Callable[[str], None]) -> AsyncIterator[Cluster]:
    """Connect to the scheduler at `where`, or to a new cluster on this machine.

    `options` have all runtimes of the check, and `note` receives what the user should know. InstallationError without
    Dask; UsageError if no scheduler answers, if there is no worker, or if one would give different results.
    """
    if importlib.util.find_spec("distributed") is None:
        raise InstallationError("--dask needs Dask, which is not installed.", "pip install 'pycheck[dask]'")
    with _quiet():
        async with (
            _local() if where == LOCAL else _client(where) as client,
            _check(client, where, options, note) as cluster,
        ):
            yield cluster


@asynccontextmanager
async def _local() -> AsyncIterator[Any]:
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=local_workers(),
        threads_per_worker=2,  # one part waits for a browser while the other computes
        memory_limit=None,  # of a worker's memory the browsers would be no part
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
        asynchronous=True,
    )
    async with cluster, Client(cluster, asynchronous=True, set_as_default=False) as client:
        yield client


def local_workers() -> int:
    """Return the number of workers for this machine: one for each core, as far as there is memory for it."""
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    return int(max(1, min(CPU_COUNT, MEMORY_LIMIT // _WORKER_BYTES)))


@asynccontextmanager
async def _client(address: str) -> AsyncIterator[Any]:
    from distributed import Client

    client = None
    try:
        client = Client(address, asynchronous=True, set_as_default=False, timeout=CONNECT_S)
        await asyncio.wait_for(client, 2 * CONNECT_S)
    except Exception as error:  # of the network, of TLS, or of a server that speaks differently
        if client:
            await _close(client)
        raise UsageError(
            f"No Dask scheduler answers at {address}: {_first_line(error)}.",
            "Start one with dask scheduler, and workers with dask worker ADDRESS. --dask takes the address that "
            "the scheduler prints. For tls:// the configuration of Dask names the certificates.",
        ) from error
    try:
        yield client
    finally:
        await _close(client)


async def _close(client: Any) -> None:
    with suppress(Exception):  # without a scheduler, the client looks for it until its timeout
        await asyncio.wait_for(client.close(), CONNECT_S)


@asynccontextmanager
async def _check(client: Any, where: str, options: Options, note: Callable[[str], None]) -> AsyncIterator[Cluster]:
    """Check the scheduler and its workers, tell the workers of the check, and in the end that it is over."""
    from .plugin import CheckPlugin
    from .working import look

    is_here = where == LOCAL
    address = client.scheduler.address
    own = await asyncio.to_thread(look, pickle.dumps((None, 0)))
    await _check_scheduler(client, address, own)
    await _first_worker(client, address, note)
    asked = pickle.dumps((options, local_workers() if is_here else 0))
    found = await asyncio.wait_for(client.run(tasks.look, asked, on_error="return"), _ANSWER_S)
    members = check_members(own, found)
    packages = packages_of(own, members)
    engines = dict.fromkeys(runtime.engine for runtime in options.runtimes)
    plugin = CheckPlugin(secrets.token_hex(8), asked, own, packages, engines)
    threads = sum((await client.nthreads()).values())
    cluster = Cluster(client, where, plugin.token, members, packages, is_here, threads)
    count = f"{len(members)} worker{'' if len(members) == 1 else 's'}"
    note(f"Dask: {count} of {address}" + (f", dashboard {link}" if (link := client.dashboard_link) else ""))
    if missing := without_browser(options.runtimes, members):
        note(missing)
    await asyncio.wait_for(client.register_plugin(plugin), _ANSWER_S)
    try:
        yield cluster
    finally:
        if client.status == "running":  # otherwise the scheduler has ended, and the workers with it
            with suppress(Exception):
                await asyncio.wait_for(client.unregister_worker_plugin(plugin.name), CONNECT_S)


async def _check_scheduler(client: Any, address: str, own: Member) -> None:
    try:
        code = await asyncio.wait_for(client.run_on_scheduler(tasks.own_code), _ANSWER_S)
    except Exception as error:  # without pycheck, it cannot read the task
        raise UsageError(
            f"The Dask scheduler at {address} cannot run pycheck: {_first_line(error)}.",
            f"Install pycheck {own.pycheck} on the scheduler too, such as with one container image for all.",
        ) from error
    if code != own.code:
        raise UsageError(
            f"The Dask scheduler at {address} has a different pycheck than this machine.",
            f"Install pycheck {own.pycheck} on the scheduler and its workers, and start them again.",
        )


async def _first_worker(client: Any, address: str, note: Callable[[str], None]) -> None:
    """Wait for a worker: a cluster may start workers only when there is work."""
    waits_until = time.monotonic() + WORKERS_S
    asked = None
    while not await asyncio.wait_for(client.run_on_scheduler(tasks.census), _ANSWER_S):
        if asked is None:
            note(f"waiting for a worker of the Dask scheduler at {address}")
            asked = client.submit(tasks.nothing, pure=False)
        if time.monotonic() > waits_until:
            raise UsageError(
                f"The Dask scheduler at {address} has had no worker for {WORKERS_S:g} s.",
                f"Start one on each machine: dask worker {address}",
            )
        await asyncio.sleep(_POLL_S)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0].rstrip(".")
    if not text and isinstance(error, TimeoutError):
        return "no answer that Dask understands"
    return text or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Meanwhile Dask prints nothing: pycheck says what failed, and what it does about it."""
    import dask

    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio", "bokeh")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        # A model is part of the graph, so that it outlives each worker.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
