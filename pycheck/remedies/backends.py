"""Fix: a different backend of TF.js, or accelerator of LiteRT.js, in the same browser; preferably one that ran."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import LITERT_KINDS, Outcome, Remedy, RuntimeId, Verdict
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
    outcomes = known_outcomes(failure, [RuntimeId(failure.runtime.engine, kind) for kind in _kinds(failure)])
    ran = {runtime.kind: gave for runtime, gave in outcomes.items()}
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
    preference = LITERT_KINDS if failure.runtime.is_litert else _PREFERENCE
    return [kind for kind in preference if kind not in (own, _SAME_DEVICE.get(own))]


def known_outcomes(failure: Failure, runtimes: Sequence[RuntimeId]) -> dict[RuntimeId, Outcome]:
    """Return the results of those runtimes that ran beside the one that failed."""
    ran = {record.id for record in failure.report.runtimes}
    return {runtime: outcome(failure.report, runtime, failure.options) for runtime in runtimes if runtime in ran}


def _remedy(failure: Failure, kind: str, gave: Outcome, trial_count: int) -> Remedy:
    runtime = RuntimeId(failure.runtime.engine, kind)
    change, code = f"another backend: {kind}", f"await tf.setBackend('{kind}');"
    if runtime.is_litert:
        accelerator = kind.removeprefix("litert-")
        change = f"another accelerator: {accelerator}"
        code = f"const model = await loadAndCompile('model.tflite', {{accelerator: '{accelerator}'}});"
    return failure.remedy(
        "backend", change, gave, trial_count=trial_count, options=("--runtime", str(runtime)), code=code
    )
