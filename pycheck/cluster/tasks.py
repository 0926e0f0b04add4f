"""The functions that Dask calls, by name, on a worker and on the scheduler.

The scheduler imports this module too, so it imports nothing but the standard library; arguments that it need not know
are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .members import Member

#: The contents of files by name: of a parcel, or of what a part gives to the next.
Files = Mapping[str, bytes]


class NotHereError(Exception):
    """A runtime cannot start on this worker, and may on another."""


class PartFailedError(Exception):
    """A part of a variant failed. The variant then runs as a whole, which gives the error as on one machine."""


def hold(files: Files) -> Files:
    """Hold the contents of a parcel on a worker, for the parts that need them."""
    return files


def nothing() -> None:
    """Do nothing: a cluster that starts its workers on demand starts one."""


def convert(work: bytes, contents: Sequence[Files]) -> Files:
    """Convert the model of a variant; return the entries of the cache that it made."""
    from . import working

    return working.convert(work, contents)


def refer(work: bytes, contents: Sequence[Files]) -> Files:
    """Compute the results of a variant in Python; return the entries of the cache that they are in."""
    from . import working

    return working.refer(work, contents)


def answer(work: bytes, contents: Sequence[Files], converted: Files, runtime: str, *, is_last: bool) -> Files:
    """Run one runtime of a variant; return its answers. NotHereError if it is unavailable, unless this `is_last`."""
    from . import working

    return working.answer(work, contents, converted, runtime, is_last=is_last)


def conclude(
    work: bytes,
    contents: Sequence[Files],
    parts: Sequence[Files],
    answers: Sequence[Files],
    ended: Mapping[str, str],
    spent_s: float,
) -> bytes:
    """Judge a variant by the results of its parts; return its outcome as JSON."""
    from . import working

    return working.conclude(work, contents, parts, answers, ended, spent_s)


def whole(work: bytes, contents: Sequence[Files], *, is_timed: bool) -> bytes:
    """Run a variant as a whole; return its outcome as JSON."""
    from . import working

    return working.whole(work, contents, is_timed=is_timed)


def look(asked: bytes, dask_worker: Any = None) -> Member:
    """Describe this worker."""
    from . import working

    return working.look(asked, dask_worker.name)


def own_code() -> str:
    """Return the digest of pycheck's code on the scheduler."""
    from ..workflow.versions import own_code

    return own_code()


def census(dask_scheduler: Any = None) -> dict[str, dict[str, float]]:
    """Return the resources of each worker by its address; runs on the scheduler."""
    return {address: dict(state.resources) for address, state in dask_scheduler.workers.items()}
