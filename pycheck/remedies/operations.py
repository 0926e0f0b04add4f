"""Fix: the smallest set of operations to run on TF.js's CPU kernels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..types import Remedy, Verdict
from .failure import Failure
from .searching import Found, smallest
from .trial import Trial
from .trials import Trials

#: Backends whose tensors TF.js can read synchronously.
_READABLE = frozenset({"webgl", "webgl-f16", "wasm"})
#: Kernels with a different name than the operation of a graph or the layer.
_KERNELS = {
    "biasadd": "add", "mul": "multiply", "div": "realdiv", "matmul": "batchmatmul", "subtract": "sub",
    "fuseddepthwiseconv2dnative": "fuseddepthwiseconv2d", "depthwiseconv2d": "depthwiseconv2dnative",
    "batchnormalization": "fusedbatchnorm", "rescaling": "multiply",
}  # fmt: skip
_EVERY = "*"


def fits(failure: Failure) -> bool:
    """Accept a backend whose tensors can be moved to the CPU."""
    return failure.runtime.kind in _READABLE and failure.environment is not None


async def cure(failure: Failure, trials: Trials) -> Remedy:
    """Try all kernels, which also shows the kernels that the model uses; then find the smallest set of them."""
    runtime = failure.runtime

    def trial(kernels: Sequence[str]) -> Trial:
        return Trial((runtime,), cpu_kernels=tuple(kernels))

    every = trial([_EVERY])
    whole, environment = await trials.outcome(every, runtime), await trials.environment(every, runtime)
    used = environment.cpu_kernels if environment else ()

    async def passes(kernels: tuple[str, ...]) -> bool:
        return len(kernels) == len(used) or await trials.passes(trial(kernels), runtime)

    found = await smallest(used, passes, _likely(failure, used)) if whole.verdict is Verdict.PASS else None
    if found is None:
        return failure.remedy("operations", "every operation on the CPU", whole, trial_count=trials.count)
    names = ", ".join(found.value)
    plural = "s" if len(found.value) > 1 else ""
    return failure.remedy(
        "operations",
        f"kernel{plural} {names} on the CPU",
        await trials.outcome(trial(found.value), runtime),
        trial_count=trials.count,
        options=tuple(text for name in found.value for text in ("--cpu-kernel", name)),
        code=code(failure.runtime.kind.removesuffix("-f16"), found.value),
        note=_note(failure, found),
    )


def _note(failure: Failure, found: Found[tuple[str, ...]]) -> str:
    notes = [] if found.complete else ["fewer may suffice: the trials ended first"]
    if failure.environment and failure.environment.flags.get("WEBGL_CPU_FORWARD"):
        notes.append("small results stay on the CPU, and so do the operations that read them")
    return "; ".join(notes)


def _likely(failure: Failure, used: Sequence[str]) -> list[str]:
    """Return the kernels of the operations that a trace found to be the sources."""
    wanted = {_plain(op) for op in failure.source_ops}
    wanted |= {_KERNELS[op] for op in wanted if op in _KERNELS}
    return [name for name in used if _plain(name) in wanted]


def _plain(name: str) -> str:
    return re.sub(r"V\d+$", "", name.lstrip("_")).lower()


def code(backend: str, kernels: Sequence[str]) -> str:
    """Return the JavaScript that applies the fix to a page: the same function that the trial ran, and its call."""
    listed = ", ".join(f"'{name}'" for name in kernels)
    return f"{_function()}\nawait tf.setBackend('{backend}');\nrunOnCpu(tf, '{backend}', [{listed}]);"


@cache
def _function() -> str:
    text = (Path(__file__).parent / "run_on_cpu.js").read_text(encoding="utf-8")
    return text.replace("export function", "function", 1)
