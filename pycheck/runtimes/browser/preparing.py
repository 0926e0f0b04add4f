"""Prepares files in a page: calls a function of the user's app for each, and receives the tensors of its samples."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ... import protocol
from ...errors import AppCodeError, RuntimeTimeoutError
from ...types import AppCode, AppFile, Array, FileFailure, Prepared, PreparedFile
from .session import Session

if TYPE_CHECKING:
    from .page import BrowserRuntime

_UPLOAD_STREAMS = 2
#: The most files of one message. A page answers earlier, after the first file that ends so many bytes of tensors.
_BATCH_FILES = 64
_BATCH_BYTES = 32 << 20
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


class PagePreparer:
    """Prepares files with one function of the user's app; all samples must have the shapes of the first."""

    def __init__(self, runtime: BrowserRuntime, session: Session, code: AppCode) -> None:
        if session.app is None:
            raise ValueError(f"{runtime.id} was made without {code.module}.")
        self._runtime = runtime
        self._session = session
        self._app = session.app
        self._code = code
        self._first: tuple[str, dict[str, str]] | None = None  # the first file, and its tensors in words

    async def prepare(self, files: Sequence[Path | AppFile], names: Sequence[str], file_timeout_s: float) -> Prepared:
        """Prepare all files, in as many messages as they need; see `BrowserRuntime.prepare`."""
        given = [file if isinstance(file, AppFile) else AppFile(file.name, file) for file in files]
        done: list[PreparedFile] = []
        samples: dict[str, list[Array]] = {name: [] for name in names}
        download_s = upload_s = 0.0
        while len(done) < len(given):
            reply, tensors = await self._batch(given[len(done) : len(done) + _BATCH_FILES], names, file_timeout_s)
            download_s, upload_s = download_s + reply.download_s, upload_s + reply.upload_s
            for number, result in enumerate(reply.files):
                name = given[len(done)].name
                made = {key: tensors[f"{number}/{key}"] for key in names} if result.failure is None else {}
                failure = FileFailure(result.failure, result.message) if result.failure else self._differs(name, made)
                done.append(PreparedFile(name, result.compute_s, result.leaked_tensors, failure))
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
        def make(session: Session) -> protocol.Command:
            id = session.next_id()
            urls = session.offer_files([file.content for file in files])
            offers = [
                protocol.FileOffer(file.name, _media_type(file.name), url)
                for file, url in zip(files, urls, strict=True)
            ]
            return protocol.Prepare(
                id=id,
                module_url=self._app.url(self._code),
                export=self._code.export,
                names=tuple(names),
                files=tuple(offers),
                file_timeout_s=file_timeout_s,
                batch_s=file_timeout_s / 2,  # a step of the runtime has at least twice file_timeout_s
                batch_bytes=_BATCH_BYTES,
                outputs_url=session.expect_outputs(),
                upload_streams=_UPLOAD_STREAMS,
            )

        self._app.refused.clear()
        try:
            return await self._runtime.exchange("prepare", "preparing files", make, protocol.Prepared)
        except AppCodeError as error:
            raise self._not_loaded(error) from None
        except RuntimeTimeoutError as error:
            raise self._blocked(error, files) from None

    def _not_loaded(self, error: AppCodeError) -> AppCodeError:
        refused = self._app.refused
        reasons = " ".join(refusal.message for refusal in refused) or f"{error.message.removesuffix('.')}."
        advice = "\n".join(dict.fromkeys(refusal.advice for refusal in refused if refusal.advice))
        return AppCodeError(f"{self._code.module} does not load in the browser: {reasons}", advice)

    def _blocked(self, error: RuntimeTimeoutError, files: Sequence[AppFile]) -> RuntimeTimeoutError:
        """Return the error of code that blocks the page, which therefore can do nothing else; its page is dead."""
        last = self._session.last_file
        where = "before it requested a file" if last is None else f"at {files[last].name}"
        blocked = RuntimeTimeoutError(
            f"{self._runtime.id}: {self._code.module} blocks the page {where}: no answer within "
            f"{self._runtime.timeout_s:g} s.",
            "Look for a loop without an end. If the code only needs more time, set a longer --timeout.",
        )
        self._session.fail(blocked)
        return blocked

    def _differs(self, name: str, made: dict[str, Array]) -> FileFailure | None:
        """Return the failure of a sample whose shapes or dtypes differ from the first file's."""
        shapes = {key: f"{array.dtype.name}{list(array.shape)}" for key, array in made.items()}
        self._first = self._first or (name, shapes)
        first_name, first = self._first
        differing = [
            f"{key!r} is {shape}, but {first[key]} for {first_name}"
            for key, shape in shapes.items()
            if shape != first[key]
        ]
        return FileFailure("differs", "; ".join(differing)) if differing else None

    def _note(self, reply: protocol.Prepared) -> None:
        runtime, module = self._runtime, self._code.module.name
        if runtime.id.is_litert:
            runtime.note(f"{module}: TF.js on its {reply.backend} backend")
        elif reply.backend != runtime.environment.backend:
            runtime.note(f"{module} chose TF.js's {reply.backend} backend")
        for address in reply.requested:
            runtime.note(f"{module} requested {address}; the page has no network")

    def _check_timeouts(self, done: Sequence[PreparedFile]) -> None:
        last = done[-_TIMEOUTS:]
        if len(last) == _TIMEOUTS and all(file.failure and file.failure.code == "timeout" for file in last):
            raise RuntimeTimeoutError(
                f"{self._runtime.id}: {self._code.module} gave no result for {_TIMEOUTS} files in sequence: "
                f"{', '.join(file.name for file in last)}.",
                "Look for a promise that never resolves. If the code only needs more time, set a longer --timeout.",
            )


def _media_type(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return _MEDIA_TYPES.get(suffix) or mimetypes.guess_type(f"x{suffix}")[0] or "application/octet-stream"
