"""The result of `migrate`: each runtime of TF.js beside its counterpart of LiteRT.js, and whether to move."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .names import RuntimeId
from .reports import Report
from .runs import ArtifactInfo


class Decision(StrEnum):
    """The answer to the question: can this model move from TF.js to LiteRT.js?"""

    MOVE = "move"
    PARTLY = "partly"  # some runtimes can move, others cannot or are not known
    STAY = "stay"
    UNKNOWN = "unknown"  # no LiteRT.js runtime gave an answer here


@dataclass(frozen=True, slots=True)
class RuntimePair:
    """A runtime of TF.js and its counterpart of LiteRT.js; the decision is never `partly`.

    `codes` are those of the errors that keep it from moving, or that say why it is not known.
    """

    tfjs: RuntimeId
    litert: RuntimeId
    decision: Decision
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A library into whose format the model cannot be converted, with the obstacle and the fix."""

    library: str  # "TF.js" or "LiteRT.js"
    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class QuantizedVariant:
    """The model for LiteRT.js with quantized weights, on the LiteRT.js runtimes that ran it in float32.

    `unsupported` is set instead of `report` if it cannot be converted. `passed` are the runtimes on which every output
    is within the limit of quantized weights.
    """

    quantization: str
    report: Report | None
    unsupported: Unsupported | None = None
    passed: tuple[RuntimeId, ...] = ()

    @property
    def artifact(self) -> ArtifactInfo | None:
        """Return the .tflite file; None if the model was not converted."""
        return self.report.litert_artifact if self.report else None


@dataclass(frozen=True, slots=True)
class Migration:
    """The data of a migration; reports are rendered from this alone.

    `report` is the run of both libraries with float32 weights on the same inputs, one runtime at a time. `smallest` is
    the quantization of the smallest .tflite file that passes on every runtime that can move: "none" for float32, None
    if no runtime can move.
    """

    pycheck_version: str
    report: Report
    pairs: tuple[RuntimePair, ...]
    unsupported: tuple[Unsupported, ...]
    variants: tuple[QuantizedVariant, ...]
    smallest: str | None
    decision: Decision
    command: str = ""  # the command that reproduces this report

    @property
    def can_move(self) -> bool:
        """Tell whether every runtime can move."""
        return self.decision is Decision.MOVE

    def __repr__(self) -> str:
        return f"<Migration of {self.report.model.path}: {self.decision}>"
