"""Fix: a different backend of the same browser, preferably one that already ran."""

from __future__ import annotations

from ..types import Outcome, Remedy, RuntimeId, Verdict
from .failure import Failure, outcome
from .trial import Trial
from .trials import Trials

#: Backends, usually the fastest first.
_PREFERENCE = ("wasm", "webgpu", "webgl", "cpu")
#: If a device's textures are half floats, plain WebGL uses them too.
_SAME_DEVICE = {"webgl-f16": "webgl"}


def fits(failure: Failure) -> bool:
    """Accept every failure, because each browser has several backends."""
    return True


async def cure(failure: Failure, trials: Trials) -> Remedy:
    """Return the fastest backend that passes; if none of those that ran passes, try the others."""
    ran = _ran(failure)
    for kind, gave in ran.items():
        if gave.verdict is Verdict.PASS:
            return _remedy(failure, kind, gave, trials.count)
    last: tuple[str, Outcome] | None = next(iter(ran.items()), None)
    for kind in _kinds(failure):
        if kind not in ran:
            runtime = RuntimeId(failure.runtime.engine, kind)
            gave = await trials.outcome(Trial((runtime,)), runtime)
            if gave.verdict is Verdict.PASS:
                return _remedy(failure, kind, gave, trials.count)
            last = last or (kind, gave)
    assert last is not None  # each browser has several backends
    return _remedy(failure, *last, trials.count)


def _kinds(failure: Failure) -> list[str]:
    own = failure.runtime.kind
    return [kind for kind in _PREFERENCE if kind not in (own, _SAME_DEVICE.get(own))]


def _ran(failure: Failure) -> dict[str, Outcome]:
    known = {record.id for record in failure.report.runtimes}
    runtimes = [(kind, RuntimeId(failure.runtime.engine, kind)) for kind in _kinds(failure)]
    return {kind: outcome(failure.report, runtime, failure.options) for kind, runtime in runtimes if runtime in known}


def _remedy(failure: Failure, kind: str, gave: Outcome, trial_count: int) -> Remedy:
    runtime = RuntimeId(failure.runtime.engine, kind)
    return failure.remedy(
        "backend",
        f"another backend: {kind}",
        gave,
        trial_count=trial_count,
        options=("--runtime", str(runtime)),
        code=f"await tf.setBackend('{kind}');",
    )
