"""Describes the workers of a cluster, and decides which of them can be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..report.wording import names
from ..types import RuntimeId

#: The resource of Dask that a worker with TensorFlow has, and the beginning of that of an engine.
PYTHON = "pycheck:python"
_ENGINE = "pycheck:"
_TENSORFLOW = ("tensorflow", "tf-nightly", "tf_nightly", "intel-tensorflow")
_MOST = 6


@dataclass(frozen=True, slots=True)
class Member:
    """A worker: what determines its results, and what it can run.

    `code` and `page` are digests of pycheck's code and of the page. `packages` are versions by name. `engines` are the
    engines of which it has a browser.
    """

    pycheck: str
    python: str
    code: str
    page: str
    packages: Mapping[str, str]
    engines: tuple[str, ...] = ()

    @property
    def has_tensorflow(self) -> bool:
        """Tell whether it can compute the part of Python."""
        return any(name.startswith(_TENSORFLOW) for name in self.packages)

    @property
    def resources(self) -> dict[str, float]:
        """Return its resources for Dask: each is a fact, of which no task takes anything away from others."""
        held = [*([PYTHON] if self.has_tensorflow else []), *map(engine_resource, self.engines)]
        return dict.fromkeys(held, 1e6)


def engine_resource(engine: str) -> str:
    """Return the resource of Dask that a worker with this engine has."""
    return f"{_ENGINE}{engine}"


def share_of(engines: Sequence[str], number: int, count: int) -> tuple[str, ...]:
    """Return the engines of worker `number` (from 0) of `count` on one machine.

    Each engine is with as few of them as possible, since every worker starts its own browser of an engine.
    """
    of = len(engines)
    if count >= of:
        at = number * of // count
        return tuple(engines[at : at + 1])
    return tuple(engine for at, engine in enumerate(engines) if (of - 1 - at) * count // of == number)


def packages_of(own: Member, members: Mapping[str, Member | BaseException]) -> Mapping[str, str]:
    """Return the packages that all workers with TensorFlow should have: those of this process if it has TensorFlow."""
    those = [own, *(member for member in members.values() if isinstance(member, Member))]
    return next((member.packages for member in those if member.has_tensorflow), {})


def fits(own: Member, packages: Mapping[str, str], member: Member) -> bool:
    """Tell whether a worker gives the results of this process."""
    return not _difference(own, packages, member)


def check_members(own: Member, members: Mapping[str, Member | BaseException]) -> dict[str, Member]:
    """Return the workers by address. UsageError names each that would compute something else, and says why.

    All have the code and the page of this process, and those with TensorFlow the same packages. A worker whose
    connection was lost is none any more.
    """
    members = {address: member for address, member in members.items() if not isinstance(member, OSError)}
    packages = packages_of(own, members)
    wrong: dict[str, list[str]] = {}
    for address, member in members.items():
        if why := _difference(own, packages, member):
            wrong.setdefault(why, []).append(address)
    if wrong:
        told = "; ".join(f"{names(addresses, _MOST)}: {why}" for why, addresses in wrong.items())
        raise UsageError(
            f"The cluster has workers that would not give the results of this machine. {told}.",
            "Install the same versions on all of them, such as one container image, and start the workers again.",
        )
    if not any(isinstance(member, Member) and member.has_tensorflow for member in members.values()):
        raise UsageError(
            f"No worker of the cluster has TensorFlow: {names(list(members), _MOST)}.",
            'Install it there, pip install "pycheck[tensorflow,dask]", and start the workers again.',
        )
    return {address: member for address, member in members.items() if isinstance(member, Member)}


def _difference(own: Member, packages: Mapping[str, str], member: Member | BaseException) -> str:
    """Say how a worker differs from this process; empty if it does not."""
    if isinstance(member, BaseException):
        text = str(member)  # Dask puts some errors into a plain one, as a text
        if "No module named 'pycheck'" in text:
            return "pycheck is not installed there"
        return f"it has a different pycheck, which answers {text or type(member).__name__!r}"
    if (own.pycheck, own.code) != (member.pycheck, member.code):
        what = f"pycheck {member.pycheck}" if own.pycheck != member.pycheck else f"other code of pycheck {own.pycheck}"
        return f"{what}, and this is pycheck {own.pycheck}"
    if own.page != member.page:
        return "a page with other releases of TF.js or LiteRT.js"
    if own.python != member.python:
        return f"Python {member.python}, and this is Python {own.python}"
    for name in sorted(packages.keys() | member.packages.keys()) if member.has_tensorflow else ():
        one, other = packages.get(name), member.packages.get(name)
        if one != other:
            return f"{name} {other or 'is missing'} instead of {one or 'none'}"
    return ""


def without_browser(runtimes: Iterable[RuntimeId], members: Mapping[str, Member]) -> str:
    """Say which engines of the runtimes no worker has, and which they have; empty if none is missing."""
    there = {engine for member in members.values() for engine in member.engines}
    asked = dict.fromkeys(runtime.engine for runtime in runtimes)
    if not (missing := [engine for engine in asked if engine not in there]):
        return ""
    known = f"they have {names(sorted(there), _MOST)}" if there else "none has a browser"
    return f"No worker has {names(missing, _MOST)}, {known}. On a worker, pycheck doctor says what to install."


def fitting_worker(needed: Sequence[str], members: Mapping[str, Member]) -> dict[str, float]:
    """Return the resources for work that one worker does as a whole: TensorFlow, and all engines that one has."""
    able = [member for member in members.values() if member.has_tensorflow]
    most = max(able, key=lambda member: len(set(needed) & set(member.engines)))
    return {PYTHON: 1, **{engine_resource(e): 1 for e in dict.fromkeys(needed) if e in most.engines}}
