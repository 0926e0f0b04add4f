"""The pipeline around a model: from a file to the answer, in Python and in the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .names import RuntimeId

#: The name in a FailedFile if a side fails for all files.
ALL_FILES = "all files"


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A file that is one sample. `name` is its path below the folder that all files share."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """The files of INPUTS, as `given` (folders, patterns, files) and one by one."""

    given: tuple[Path, ...]
    files: tuple[SampleFile, ...]


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that one side cannot preprocess: Python (`runtime` is None), or the page of a runtime."""

    name: str
    runtime: RuntimeId | None
    message: str


@dataclass(frozen=True, slots=True)
class InputDifference:
    """The difference of an input between Python and the page, over all elements of all files.

    `scale` is the largest magnitude in Python. `identical` tells whether all bits are equal.
    """

    tensor: str
    max_abs: float
    rms: float
    scale: float
    identical: bool


@dataclass(frozen=True, slots=True)
class OutputShares:
    """What changes an output: RMS and largest error over all files, against the model in Python on Python's input.

    `preprocessing`: the model in Python on the page's input. `runtime`: the model in the browser on Python's input.
    `both`: the model in the browser on the page's input, which is what users get. `scale` is the largest magnitude.
    """

    tensor: str
    scale: float
    preprocessing_rms: float
    preprocessing_max: float
    runtime_rms: float
    runtime_max: float
    both_rms: float
    both_max: float


@dataclass(frozen=True, slots=True)
class FileShares:
    """The same for one file, of the output that changes most in relation to its scale.

    `input_rms` is the RMS difference of the first input. Decisions are the top-1 classes, None if the output has none.
    """

    name: str
    input_rms: float
    preprocessing_max: float
    runtime_max: float
    both_max: float
    decision: int | None = None
    page_decision: int | None = None

    @property
    def changed(self) -> bool:
        """Tell whether the page decides otherwise than Python."""
        return self.decision != self.page_decision


@dataclass(frozen=True, slots=True)
class PipelineCause:
    """One difference between the two preprocessings, proven by undoing it: the error of the input falls.

    `code` is that of the finding. `python` and `page` say what each side does. `before` and `after` are RMS differences
    of the input, with all other causes undone, and with this one undone too.
    """

    code: str
    python: str
    page: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class PipelineRow:
    """The page of one runtime against Python, over the files that both sides preprocess.

    `files` are those that change most, worst first; `changed_count` of `decided_count` files have another decision in
    the page, and `changed_by_preprocessing` of them by its input alone.
    """

    runtime: RuntimeId
    inputs: tuple[InputDifference, ...]
    outputs: tuple[OutputShares, ...]
    files: tuple[FileShares, ...]
    decided_count: int
    changed_count: int
    changed_by_preprocessing: int
    passed: bool | None = None  # set by the gate
    causes: tuple[PipelineCause, ...] = ()
    unexplained_rms: float | None = None  # of the input, after all causes are undone; None if none was looked for


@dataclass(frozen=True, slots=True)
class Pipeline:
    """From the files to the answers: how Python and the pages preprocess, and what that changes.

    `preprocess` and `js_preprocess` name the code. `failed` are files that a side cannot preprocess: they are left out
    on all sides. `notes` are remarks on the code of the page, such as tensors that it does not dispose.
    """

    preprocess: str
    js_preprocess: str
    file_count: int
    failed: tuple[FailedFile, ...]
    rows: tuple[PipelineRow, ...]
    notes: tuple[str, ...] = ()
