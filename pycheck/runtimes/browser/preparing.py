"""Prepares files in a page: calls a function of the user's app for each, and receives its samples or decisions."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ... import protocol
from ...errors import AppCodeError, RuntimeTimeoutError
from ...types import AppCode, AppFile, Array, FileFailure, Prepared, PreparedFile
from .imports import Refusal
from .session import Session

if TYPE_CHECKING:
    from .page import BrowserRuntime

_UPLOAD_STREAMS = 2
#: The most files of one message. A page answers earlier, after the first file that ends so many bytes of tensors.
_BATCH_FILES = 64
_BATCH_BYTES = 32 << 20
#: The same for decisions, which come as text in one message of at most 4 MiB.
_BATCH_DECISIONS = 1 << 20
#: A page that has no result is blocked if it is silent for so much longer than the time of a file.
_GRACE_SHARE, _LEAST_GRACE_S = 0.5, 2.0
#: After so many files in sequence without a result, the others would hardly have one.
_TIMEOUTS = 3
#: Types that Python does not know everywhere, since it reads the system's tables.
_MEDIA_TYPES = {
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".json": "application/json",
    ".txt": "text/plain",
}


class _BlockedError(Exception):
    """The function blocks the page at the file with this number in its message."""

    def __init__(self, file: int, waited_s: float) -> None:
        super().__init__(file)
        self.file = file
        self.waited_s = waited_s
        self.failure = FileFailure("timeout", f"the function blocked the page for {waited_s:g} s")


class PagePreparer:
    """Prepares files with one function of the user's app; all samples must have the shapes of the first.

    If it `makes` decisions, the files are the outputs of samples.
    """

    _session: Session  # of the last message

    def __init__(self, runtime: BrowserRuntime, code: AppCode, makes: Literal["sample", "decision"] = "sample") -> None:
        self._runtime = runtime
        self._code = code
        self._makes = makes
        self._first: dict[str, tuple[str, str]] = {}  # dtype and shape of the first sample by name, and its file

    async def prepare(self, files: Sequence[Path | AppFile], names: Sequence[str], file_timeout_s: float) -> Prepared:
        """Prepare all files, in as many messages as they need; see `BrowserRuntime.prepare`."""
        given = [file if isinstance(file, AppFile) else AppFile(file.name, file) for file in files]
        done: list[PreparedFile] = []
        sent = names if self._makes == "sample" else ()
        samples: dict[str, list[Array]] = {name: [] for name in sent}
        blocking: dict[int, PreparedFile] = {}  # by their positions
        download_s = upload_s = 0.0
        while (at := len(done)) < len(given):
            self._check_timeouts(done)
            if at in blocking:
                done.append(blocking[at])
                continue
            end = min([at + _BATCH_FILES, *(position for position in blocking if position > at)])
            try:
                reply, tensors = await self._batch(given[at:end], names, file_timeout_s)
            except _BlockedError as error:  # the samples of the files before it are lost with the page
                blocking[at + error.file] = PreparedFile(given[at + error.file].name, error.waited_s, 0, error.failure)
                await self._open_again()
                continue
            download_s, upload_s = download_s + reply.download_s, upload_s + reply.upload_s
            for number, result in enumerate(reply.files):
                name = given[at + number].name
                made = {key: tensors[f"{number}/{key}"] for key in sent} if result.failure is None else {}
                failure = FileFailure(result.failure, result.message) if result.failure else self._differs(name, made)
                done.append(PreparedFile(name, result.compute_s, result.leaked_tensors, failure, result.decision))
                if failure is None:
                    for key, array in made.items():
                        samples[key].append(array.copy())  # a view would keep the message with all others
            self._note(reply)
        self._check_timeouts(done)
        stacked = {name: np.stack(arrays) for name, arrays in samples.items() if arrays}
        return Prepared(tuple(done), stacked, download_s, upload_s)

    async def _batch(
        self, files: Sequence[AppFile], names: Sequence[str], file_timeout_s: float
    ) -> tuple[protocol.Prepared, dict[str, Array]]:
        waited_s = file_timeout_s + max(_LEAST_GRACE_S, file_timeout_s * _GRACE_SHARE)
        try:
            async with asyncio.timeout(None) as patience:

                def make(session: Session) -> protocol.Command:
                    self._session = session
                    session.on_progress = lambda: patience.reschedule(asyncio.get_running_loop().time() + waited_s)
                    session.on_progress()
                    return self._command(session, files, names, file_timeout_s)

                return await self._runtime.exchange("prepare", "preparing files", make, protocol.Prepared)
        except AppCodeError as error:
            raise self._unusable(error) from None
        except TimeoutError:
            if self._session.last_file is not None:
                raise _BlockedError(self._session.last_file, waited_s) from None
            blocked = RuntimeTimeoutError(
                f"{self._runtime.id}: {self._code.module} blocks the page while it loads: no answer within "
                f"{waited_s:g} s.",
                "Look for a loop without an end outside of its functions.",
            )
            self._session.fail(blocked)
            raise blocked from None
        finally:
            self._session.on_progress = lambda: None

    def _command(
        self, session: Session, files: Sequence[AppFile], names: Sequence[str], file_timeout_s: float
    ) -> protocol.Prepare:
        if session.app is None:
            raise ValueError(f"{self._runtime.id} was made without {self._code.module}.")
        session.app.refused.clear()
        id = session.next_id()
        urls = session.offer_files([file.content for file in files])
        return protocol.Prepare(
            id=id,
            module_url=session.app.url(self._code),
            export=self._code.export,
            names=tuple(names),
            files=tuple(
                protocol.FileOffer(file.name, _media_type(file.name), url)
                for file, url in zip(files, urls, strict=True)
            ),
            file_timeout_s=file_timeout_s,
            batch_s=file_timeout_s,  # to load the module, these seconds and the last file take less than a step
            batch_bytes=_BATCH_BYTES if self._makes == "sample" else _BATCH_DECISIONS,
            outputs_url=session.expect_outputs(),
            upload_streams=_UPLOAD_STREAMS,
            makes=self._makes,
        )

    @property
    def _refused(self) -> Sequence[Refusal]:
        return self._session.app.refused if self._session.app else []

    def _unusable(self, error: AppCodeError) -> AppCodeError:
        reasons = " ".join(refusal.message for refusal in self._refused) or f"{error.message.removesuffix('.')}."
        advice = "\n".join(dict.fromkeys(refusal.advice for refusal in self._refused if refusal.advice))
        return AppCodeError(f"{self._code.module} cannot be used in the browser: {reasons}", advice)

    async def _open_again(self) -> None:
        """Open a new page, because the present one is blocked and can do nothing else; the notes stay."""
        runtime = self._runtime
        notes = runtime.environment.notes
        self._session.fail(RuntimeTimeoutError(f"{runtime.id}: {self._code.module} blocks the page.", ""))
        await runtime.close()  # at once: a page that has failed is not asked for anything
        await runtime.start()
        for note in (*notes, f"{self._code.module.name} blocked the page, which was opened again"):
            runtime.note(note)

    def _differs(self, name: str, made: dict[str, Array]) -> FileFailure | None:
        """Return the failure of a sample whose shapes or dtypes differ from the first file's."""
        shapes = {key: f"{array.dtype.name}{list(array.shape)}" for key, array in made.items()}
        firsts = {key: self._first.get(key, (shape, name)) for key, shape in shapes.items()}
        differing = [
            f"{key!r} is {shape}, but {firsts[key][0]} for {firsts[key][1]}"
            for key, shape in shapes.items()
            if shape != firsts[key][0]
        ]
        if differing:
            return FileFailure("differs", "; ".join(differing))
        self._first |= firsts
        return None

    def _note(self, reply: protocol.Prepared) -> None:
        runtime, module = self._runtime, self._code.module.name
        if runtime.id.is_litert:
            runtime.note(f"{module}: TF.js on its {reply.backend} backend")
        elif reply.backend != runtime.environment.backend:
            runtime.note(f"{module} chose TF.js's {reply.backend} backend")
        for address in reply.requested:
            runtime.note(f"{module} requested {address}; the page has no network")
        for refusal in self._refused:
            runtime.note(refusal.message)

    def _check_timeouts(self, done: Sequence[PreparedFile]) -> None:
        last = done[-_TIMEOUTS:]
        if len(last) == _TIMEOUTS and all(file.failure and file.failure.code == "timeout" for file in last):
            raise RuntimeTimeoutError(
                f"{self._runtime.id}: {self._code.module} gave no result for {_TIMEOUTS} files in sequence: "
                f"{', '.join(file.name for file in last)}.",
                "Look for a loop without an end, or a promise that never resolves. If it needs more time, set a longer "
                "--timeout.",
            )


def _media_type(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return _MEDIA_TYPES.get(suffix) or mimetypes.guess_type(f"x{suffix}")[0] or "application/octet-stream"
