"""The pipeline around a model: from a file to the answer, in Python and in the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .decoders import DecodedFile
from .names import RuntimeId

#: The name in a FailedFile if a side fails for all files.
ALL_FILES = "all files"

#: A part of the way from a file to a decision that differs between Python and a page.
Part = Literal["preprocessing", "runtime", "postprocessing"]
PARTS: tuple[Part, ...] = ("preprocessing", "runtime", "postprocessing")


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
    """A file that one side cannot preprocess: Python (`runtime` is None), or the page of a runtime.

    If the `step` is postprocess, it cannot make a decision of the outputs.
    """

    name: str
    runtime: RuntimeId | None
    message: str
    step: Literal["preprocess", "postprocess"] = "preprocess"


@dataclass(frozen=True, slots=True)
class TensorLeak:
    """Tensors that the page's code keeps: of `file_count` files, `tensors` of the first one, `file`."""

    runtime: RuntimeId
    module: str
    file: str
    tensors: int
    file_count: int


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

    `input_rms` is the RMS difference of the first input. Decisions are the top-1 classes, or what the postprocessing
    makes of the outputs: a text as it is, other JSON as text that is cut after some length; None if there is none.
    `shown` are both in a few words.
    `change` says how the page's decision differs, and is empty if it is the same, or differs by roundoff alone. `by`
    are the parts that change the decision alone, with all others as in Python. `margin` is how much the score of
    Python's class exceeds that of the page's class in Python.
    """

    name: str
    input_rms: float
    preprocessing_max: float
    runtime_max: float
    both_max: float
    decision: int | str | None = None
    page_decision: int | str | None = None
    shown: tuple[str, str] = ("", "")
    change: str = ""
    by: tuple[Part, ...] = ()
    margin: float | None = None


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
class InputPicture:
    """The first input of one file in Python and in the page, and their difference, as small pictures.

    They are PNG in base64, at most 80 pixels on the longer side. In the first two, `low` is black and `high` is white:
    the smallest and the largest value in Python. In the third, black is no difference, and differences are `factor`
    times as bright. `kind` is ``image`` for images and spectrograms, and ``wave`` for one axis of values.
    """

    file: str
    kind: Literal["image", "wave"]
    shape: tuple[int, ...]
    low: float
    high: float
    factor: float
    largest: float
    python_png: str
    page_png: str
    difference_png: str


@dataclass(frozen=True, slots=True)
class PipelineRow:
    """The page of one runtime against Python, over the files that both sides preprocess.

    `files` are those that change most, worst first; `changed_count` of `decided_count` files have another decision in
    the page. The other counts are of files that get another decision by one part alone, with all others as in Python;
    `changed_by_postprocessing` is None if the page has no postprocessing of its own. `roundoff_count` files do not
    count: they have another decision because outputs that are equal up to the tolerance lie on both sides of a border.
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
    changed_by_runtime: int = 0
    changed_by_postprocessing: int | None = None
    roundoff_count: int = 0
    pictures: tuple[InputPicture, ...] = ()  # of the files that change most; an earlier page may have the same
    decoded: tuple[DecodedFile, ...] = ()  # the same files, as the engine decodes them

    @property
    def changed_share(self) -> float | None:
        """Return the share of files with another decision; None if no file has a decision."""
        return self.changed_count / self.decided_count if self.decided_count else None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """From the files to the answers: how Python and the pages preprocess, and what that changes.

    `preprocess` and the others name the code. Without `js_preprocess` the pages have Python's inputs, and without
    `js_postprocess` Python decides of their outputs. `failed` are files that a side cannot preprocess, which are left
    out on all sides, or cannot postprocess, which have no decision. `leaks` are tensors that the code of a page does
    not dispose. `notes` are remarks on that code. Without `preprocess`, `unit` is "sample": INPUTS are arrays.
    """

    preprocess: str
    js_preprocess: str
    file_count: int
    failed: tuple[FailedFile, ...]
    rows: tuple[PipelineRow, ...]
    notes: tuple[str, ...] = ()
    postprocess: str = ""
    js_postprocess: str = ""
    leaks: tuple[TensorLeak, ...] = ()
    unit: Literal["file", "sample"] = "file"

    def counted(self, count: int) -> str:
        """Return a number of files, or of samples."""
        return f"{count} {self.unit}{'' if count == 1 else 's'}"

    @property
    def decision(self) -> str:
        """Return the word for a decision: it is the class if there is no postprocessing."""
        return "decision" if self.postprocess else "class"
