"""Messages that call a function of the user's module for files, or for the outputs of samples."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from .strict import STRICT


@dataclass(frozen=True, slots=True, config=STRICT)
class FileOffer:
    """A file of the user's: its own name, its media type, and its URL, which is relative to the page."""

    name: str
    media_type: str
    url: str


@dataclass(frozen=True, slots=True, config=STRICT)
class Prepare:
    """Call the function `export` of the user's module for files, one after the other: ``function(file, tf)``.

    If it makes a sample, it returns a tensor of one sample or an object of them, perhaps as a promise. One tensor gets
    the only name in `names`; the keys of an object must be these names. The page answers after the first file that ends
    `batch_s` seconds or `batch_bytes` bytes of tensors; its answer may therefore have fewer files than it was given.
    The safetensors file that is sent back names a tensor ``0/name``, with the number of its file. A file that fails
    does not end the others. A file that has no result after `file_timeout_s` seconds fails; so does a module that has
    not loaded by then.

    If it makes a decision, each file is a safetensors file with the outputs of one sample, and the call is
    ``function(outputs, tf)``: the tensor of the only name, or an object of tensors by the names. What it returns is
    sent back as JSON, and no tensor is.
    """

    id: int
    module_url: str
    export: str
    names: tuple[str, ...]
    files: tuple[FileOffer, ...]
    file_timeout_s: float
    batch_s: float
    batch_bytes: int
    outputs_url: str
    upload_streams: int
    makes: Literal["sample", "decision"] = "sample"
    type: Literal["prepare"] = "prepare"


@dataclass(frozen=True, slots=True, config=STRICT)
class FileResult:
    """What became of one file.

    `failure` is a code of pycheck.types.FileFailure, or null if the file has tensors, and `message` describes it.
    `leaked_tensors` is the number of tensors that exist in addition afterwards, without those that were returned.
    `decision` is JSON, in which numbers may be NaN, Infinity and -Infinity, as Python's json writes them.
    """

    failure: Literal["unreadable", "threw", "network", "timeout", "result"] | None
    message: str
    leaked_tensors: int
    compute_s: float
    decision: str | None = None


@dataclass(frozen=True, slots=True, config=STRICT)
class Prepared:
    """The first files of Prepare are done, and their tensors have arrived; seconds as in Predicted.

    `backend` is the backend of TF.js that the function used. `requested` lists addresses that the module requested, and
    that the page's policy refused.
    """

    id: int
    files: tuple[FileResult, ...]
    backend: str
    requested: tuple[str, ...]
    download_s: float
    upload_s: float
    tensor_count: int
    type: Literal["prepared"] = "prepared"
