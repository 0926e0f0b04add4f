"""Plans a check, runs the variants of one machine, and judges their results."""

from __future__ import annotations

import datetime
import shlex
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..options.reading import read
from ..options.table import BY_NAME
from ..setup.releases import Release
from ..types import CheckReport, Shard
from ..version import __version__
from . import accepting, baseline_file
from .configuration import Configuration
from .judging import judge
from .parts import Part, PendingPart
from .reading import load
from .running import Observer, keep_nothing, run, silent
from .scope import Outcome, Scope, scope_of
from .sharding import divide, runtime_count, weights
from .variants import Variant, expand

#: A function that runs variants and returns their results by name; the last argument receives each as it comes.
Runner = Callable[
    [Configuration, Sequence[Variant], Observer, Callable[[Outcome], None]], Awaitable[Mapping[str, Outcome]]
]


@dataclass(frozen=True, slots=True)
class Plan:
    """The variants to check here: all those of `scope`, or those of a shard. `save_run` is the folder of the part."""

    config: Configuration
    scope: Scope
    variants: tuple[Variant, ...]
    shard: Shard | None = None
    save_run: Path | None = None

    @property
    def dask(self) -> str | None:
        """Return the address of the cluster to run on, "local" for a new one here, or None for this process."""
        return self.variants[0].options.dask if self.variants else None

    @property
    def runtime_counts(self) -> dict[str, int]:
        """Count the runtimes of each variant, including those in Python."""
        return {variant.name: runtime_count(variant) for variant in self.variants}


def plan(
    path: Path | None, given: Mapping[str, Any], only: Sequence[str] = (), *, releases: Sequence[Release] = ()
) -> Plan:
    """Read the configuration in `path`, by default the nearest one above the current folder, and plan the variants.

    `given` and `releases` are those of the call; they override the file. UsageError names the wrong entry
    and its line.
    """
    asked = {name: read(BY_NAME[name], value) for name, value in given.items() if value is not None}
    given = {name: value for name, value in given.items() if name not in ("shard", "save_run")}
    shard, save_run = asked.pop("shard", None), asked.pop("save_run", None)
    if shard and not save_run:
        raise UsageError(
            f"--shard {shard} has no effect: without --save-run its results cannot be put together with the others.",
            "Add --save-run DIR, and merge the folders of all shards with pycheck merge.",
        )
    config = load(path)
    variants = expand(config, given, only, releases=releases)
    whole = not only and not asked.get("runtimes") and not releases
    scope = scope_of(config, variants, whole=whole, command=_command(path, asked, only, releases))
    if shard:
        accepted = baseline_file.of_settings(config.baseline)
        variants = divide(variants, weights(variants, accepted), shard.count)[shard.number - 1]
    return Plan(config, scope, variants, shard, save_run)


def _command(path: Path | None, asked: Mapping[str, Any], only: Sequence[str], releases: Sequence[Release]) -> str:
    """Return the command that repeats a check, on one machine."""
    words = ["pycheck", "check", *only, *(["--config", str(path)] if path else [])]
    words += [word for release in releases for word in (release.library.option, release.text)]
    for option in (BY_NAME[name] for name in asked):
        words += option.kind.words(option.option, asked[option.name]) if option.replayed else []
    return shlex.join(words)


@contextmanager
def saving(plan: Plan) -> Iterator[PendingPart | None]:
    """Open the folder for the results of a plan, if there is one; without `publish` it stays as it was."""
    if plan.save_run is None:
        yield None
        return
    shard = plan.shard or Shard()
    pending = PendingPart(plan.save_run, Part(plan.scope, shard, tuple(v.name for v in plan.variants)))
    try:
        yield pending
    finally:
        pending.discard()


async def check(
    plan: Plan,
    observe: Observer = silent,
    *,
    part: PendingPart | None = None,
    today: datetime.date | None = None,
    against_baseline: bool = True,
    runner: Runner = run,
) -> CheckReport:
    """Run and judge every variant. An error of one variant is a failure in the report, and the others still run.

    `part` receives each result before it is judged. `runner` runs the variants, by default in this process, with
    browsers of its own. InputError if the baseline cannot be read.
    """
    started = time.perf_counter()
    accepted = baseline_file.of_settings(plan.config.baseline) if against_baseline else None
    outcomes = await runner(plan.config, plan.variants, observe, part.add if part else keep_nothing)
    wall_s = time.perf_counter() - started
    return judge(plan.config, plan.scope, outcomes, accepted, wall_s=wall_s, shard=plan.shard, today=today)


def accept(report: CheckReport, plan: Plan) -> str:
    """Write the results of a check to the baseline; return a line that says so.

    If the plan is a part of the matrix, the entries of other variants stay unchanged.
    """
    file = plan.config.baseline.file
    own = {variant.name for variant in plan.variants if not variant.release}
    reports = [r for r in report.reports if r.name in own]
    if not reports:
        raise UsageError(
            "Cannot update the baseline: it is of TF.js and LiteRT.js as pycheck contains them, and no variant ran "
            "with these."
        )
    old = baseline_file.read(file) if not plan.scope.whole and file.exists() else None
    baseline_file.write(file, accepting.accept(old, reports, pycheck=__version__))
    outputs = sum(not c.is_noise_floor for r in reports for c in r.comparisons)
    counted = (f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((outputs, "output"), (len(reports), "variant")))
    excused = sum(c.excused is not None for r in reports for c in r.comparisons)
    return f"{file}: {' of '.join(counted)} accepted{f', including {excused} excused' if excused else ''}"
