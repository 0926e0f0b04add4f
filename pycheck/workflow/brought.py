"""What a candidate of a run answered in a different process: its record and its outputs, in one folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..report.codec import decode, encode
from ..types import ChangedAnswer, RuntimeId, RuntimeRecord, Tensors
from .store import OutputStore

_FILE = "told.json"


@dataclass(frozen=True, slots=True)
class Told:
    """Everything about a candidate besides its outputs.

    `predictions` is the number of batches that it answered, and `later` that of its later answers to the first batch.
    """

    record: RuntimeRecord
    changed: tuple[ChangedAnswer, ...] = ()
    predictions: int = 0
    later: int = 0


class Brought:
    """A candidate that ran elsewhere; `read` gives its outputs by the number of the batch, later answers after these.

    Without `folder` it has none.
    """

    def __init__(self, told: Told, folder: Path | None = None) -> None:
        self.told = told
        self._store = OutputStore(folder) if folder else None

    @classmethod
    def of(cls, folder: Path) -> Brought:
        """Open a folder that `write` completed; DecodeError or OSError if it is none."""
        return cls(decode(json.loads((folder / _FILE).read_bytes()), Told), folder)

    @property
    def id(self) -> RuntimeId:
        """Return the name of the candidate."""
        return self.told.record.id

    def read(self, index: int) -> Tensors:
        """Read one answer; InputError if it cannot be read."""
        assert self._store  # a candidate without outputs has no predictions
        return self._store.read(self.id, index)


def write(folder: Path, told: Told) -> None:
    """Complete a folder that has the outputs."""
    (folder / _FILE).write_text(json.dumps(encode(told), allow_nan=False), encoding="ascii")
