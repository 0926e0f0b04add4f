"""What is found out about the difference between two inputs of the same files."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import PipelineCause


@dataclass(frozen=True, slots=True)
class Explained:
    """The proven causes, and the RMS error of the input after all are undone."""

    causes: tuple[PipelineCause, ...]
    unexplained_rms: float
