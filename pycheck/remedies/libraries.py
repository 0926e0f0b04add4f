"""Fix: the model in TF.js instead of LiteRT.js, on the same hardware."""

from __future__ import annotations

from ..options.values import quantizes
from ..types import ArtifactInfo, Outcome, Remedy, RuntimeId, Verdict
from .backends import known_outcomes
from .failure import Failure
from .trial import Trial
from .trials import Trials

#: Kinds of TF.js on the hardware of each kind of LiteRT.js, usually the fastest first.
_SAME_HARDWARE = {"litert-webgpu": ("webgpu", "webgl"), "litert-wasm": ("wasm", "cpu")}
_LOADERS = {"layers": "loadLayersModel", "graph": "loadGraphModel"}


def fits(failure: Failure) -> bool:
    """Accept a runtime of LiteRT.js, if TF.js can load the model."""
    return failure.runtime.is_litert and failure.has_model


async def cure(failure: Failure, trials: Trials) -> Remedy:
    """Return the first runtime of TF.js that passes; one that already ran is not run again."""
    runtimes = [RuntimeId(failure.runtime.engine, kind) for kind in _SAME_HARDWARE[failure.runtime.kind]]
    known = known_outcomes(failure, runtimes)
    last: Remedy | None = None
    for runtime in sorted(runtimes, key=lambda runtime: runtime not in known):
        trial = _trial(failure, runtime)
        gave, artifact = known.get(runtime), failure.report.artifact
        if gave is None:
            gave, artifact = await trials.outcome(trial, runtime), await trials.artifact(trial)
        remedy = _remedy(failure, trial, gave, artifact, trials.count)
        if gave.verdict is Verdict.PASS:
            return remedy
        last = last or remedy
    assert last is not None  # each kind of LiteRT.js has two of TF.js
    return last


def _trial(failure: Failure, runtime: RuntimeId) -> Trial:
    """Make the trial, in a format and a quantization that TF.js has."""
    options = failure.options
    return Trial(
        (runtime,),
        format="auto" if options.format == "tflite" else None,
        quantize=None if quantizes(runtime, options.quantize) else "none",
    )


def _remedy(failure: Failure, trial: Trial, gave: Outcome, artifact: ArtifactInfo | None, trial_count: int) -> Remedy:
    (runtime,) = trial.runtimes
    backend = runtime.kind
    changed = (("--format", trial.format), ("--quantize", trial.quantize))
    loader = _LOADERS[artifact.format] if artifact else "loadGraphModel"
    return failure.remedy(
        "library",
        f"TF.js instead of LiteRT.js: {backend}",
        gave,
        trial_count=trial_count,
        options=("--runtime", str(runtime), *(word for name, value in changed if value for word in (name, value))),
        code=f"await tf.setBackend('{backend}');\nconst model = await tf.{loader}('model.json');",
        note="load the artifact that pycheck convert writes",
    )
