"""Keeps the answers of runtimes, so that what did not change does not run again.

That a library cannot run a model is an answer too. Every other failure may have a cause that is not in the key.

An answer is determined by the artifact, the inputs and their batches, the runtime with its flags, pycheck with its
page, the browser and the machine. All of these are in the key of an entry.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from ..artifact.content import artifact_digest, files_digest
from ..errors import InputError, RuntimeUnavailableError
from ..inputs import Inputs
from ..options.values import Options
from ..runtimes.browser.harness import Harness
from ..system.cache import Cache, Pending, content_key
from ..types import (
    ArtifactInfo,
    Batch,
    ChangedAnswer,
    Environment,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Signature,
    Tensors,
)
from .browsers import Hosts
from .repeating import changes
from .store import OutputStore
from .versions import own_code

#: More bytes of one runtime are not kept: to read them takes as long as a browser.
_MOST_BYTES = 1 << 28
_KIND = "answers"


@dataclass(frozen=True, slots=True)
class _Entry:
    """Everything about a run of a runtime besides its outputs. `at` is the time of the run, in UTC.

    `refusal` is the error of a library that cannot run the model.
    """

    at: str
    environment: Environment
    timings_s: Mapping[str, float]
    changed: tuple[ChangedAnswer, ...]
    batch_count: int
    refusal: str | None = None


_ENTRY = TypeAdapter(_Entry)


class KeptAnswers:
    """What a runtime answered earlier: `read` gives its outputs by the number of the batch.

    The later answers to the first batch, if these changed, follow the last batch.
    """

    def __init__(self, id: RuntimeId, entry: _Entry, folder: Path) -> None:
        self.id = id
        self.environment = entry.environment
        self.changed = entry.changed
        self.at = entry.at
        self.refusal = entry.refusal
        self._entry = entry
        self._store = OutputStore(folder)

    @property
    def record(self) -> RuntimeRecord:
        """Return the record of the runtime, which says when it ran."""
        timings = dict(self._entry.timings_s)
        status = RuntimeStatus.FAILED if self.refusal else RuntimeStatus.OK
        return RuntimeRecord(self.id, status, self.environment, timings, self.refusal, kept_at=self.at)

    def read(self, index: int) -> Tensors:
        """Read one answer; InputError if it cannot be read."""
        return self._store.read(self.id, index)

    def unlike(self, signature: Signature, batch: Batch, outputs: Tensors) -> dict[str, ChangedAnswer]:
        """Compare new outputs of a batch with those that are kept, in every bit; return those that differ, by name."""
        found = changes(signature, batch, self.read(batch.index), outputs)
        return {
            name: replace(
                change,
                element=change.element and replace(change.element, sample=change.element.sample + batch.start),
                runtime=self.id,
                iteration=batch.index + 1,
                after="kept",
                is_repeatable=False,
                kept_at=self.at,
            )
            for name, change in found.items()
        }


class AnswersInMaking:
    """The answers of a runtime that runs; `finish` keeps them, and without it nothing is kept."""

    def __init__(self, id: RuntimeId, pending: Pending, forget: Callable[[], None]) -> None:
        self._id = id
        self._pending = pending
        self._forget = forget
        self._store = OutputStore(pending.folder)
        self._bytes = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no answer so far."""
        return not self._bytes

    def write(self, index: int, outputs: Tensors) -> None:
        """Add an answer, unless they become too many bytes."""
        self._bytes += sum(value.nbytes for value in outputs.values())
        if self._bytes <= _MOST_BYTES:
            self._store.write(self._id, index, outputs)

    def finish(self, record: RuntimeRecord, changed: tuple[ChangedAnswer, ...], batch_count: int) -> None:
        """Keep them."""
        if record.environment is None or self._bytes > _MOST_BYTES:
            self._pending.discard()
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = _Entry(now, record.environment, record.timings_s, changed, batch_count, record.error)
        (self._pending.folder / "answers.json").write_bytes(_ENTRY.dump_json(entry))
        self._forget()
        self._pending.publish()


class Answers:
    """The kept answers for one run."""

    def __init__(self, cache: Cache, hosts: Hosts, options: Options) -> None:
        self._cache = cache
        self._hosts = hosts
        self._options = options
        self._keys: dict[RuntimeId, str | None] = {}

    async def find(
        self, runtime: RuntimeId, artifact: ArtifactInfo, signature: Signature, inputs: Inputs, batch_size: int
    ) -> KeptAnswers | None:
        """Return what this runtime answered earlier; None if it did not run, or has to run again."""
        key = await self._key(runtime, artifact, signature, inputs, batch_size)
        if key is None or self._options.fresh:
            return None
        count = -(-inputs.sample_count // batch_size)
        return await asyncio.to_thread(self._cache.read, _KIND, key, lambda entry: _stored(runtime, entry, count))

    def is_to_be_checked(self) -> bool:
        """Draw whether to run once more what has an answer."""
        return random.random() < self._options.recheck

    async def begin(
        self, runtime: RuntimeId, artifact: ArtifactInfo, signature: Signature, inputs: Inputs, batch_size: int
    ) -> AnswersInMaking | None:
        """Begin to keep new answers, instead of those that there are; None if this runtime's are not kept."""
        key = await self._key(runtime, artifact, signature, inputs, batch_size)
        if key is None:
            return None
        return AnswersInMaking(runtime, self._cache.reserve(_KIND, key), lambda: self._cache.drop(_KIND, key))

    async def _key(
        self, runtime: RuntimeId, artifact: ArtifactInfo, signature: Signature, inputs: Inputs, batch_size: int
    ) -> str | None:
        if runtime not in self._keys:
            self._keys[runtime] = await asyncio.to_thread(
                self._make_key, runtime, artifact, signature, inputs, batch_size
            )
        return self._keys[runtime]

    def _make_key(
        self, runtime: RuntimeId, artifact: ArtifactInfo, signature: Signature, inputs: Inputs, batch_size: int
    ) -> str | None:
        options = self._options
        browser = self._hosts.identity(options, runtime.engine) if self._cache.enabled else None
        if browser is None:
            return None
        try:
            page = page_digest(Harness.read(options.page) if options.page else Harness.read())
            content = artifact_digest(artifact)
        except (RuntimeUnavailableError, OSError, ValueError, LookupError, TypeError, AttributeError):
            return None  # the run says what is missing or damaged
        return content_key(
            browser,
            page,
            own_code(),
            content,
            repr(signature.inputs),  # inputs are cast and paired by it
            np.__version__,
            inputs.info.sha256,
            inputs.sample_count,
            batch_size,
            str(runtime),
            options.flags,
            options.cpu_kernels,
            options.isolated,
        )


def _stored(runtime: RuntimeId, folder: Path, batch_count: int) -> KeptAnswers:
    """Open an entry; ValueError if it is not whole."""
    entry = _ENTRY.validate_json((folder / "answers.json").read_bytes())
    kept = KeptAnswers(runtime, entry, folder)
    if kept.refusal:
        return kept
    if entry.batch_count != batch_count:
        raise ValueError("the entry has another number of batches")
    try:
        kept.read(0)
    except InputError as error:
        raise ValueError(error.message) from None
    return kept


def page_digest(harness: Harness) -> str:
    """Return a digest of a page with its libraries."""
    return files_digest([harness.folder / name for name in sorted({"manifest.json", *harness.files.values()})])
