"""Explains each proven difference between the preprocessing of Python and of a page, with the code that removes it."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import Finding, PipelineCause, PipelineRow, Severity
from .case import number
from .causes_of_sounds import SOUNDS
from .causes_of_texts import TEXTS
from .codes import finding

#: What differs, and what to change in the page; the clauses of both sides follow "Python: ..., page: ...".
_TOLD = {
    **SOUNDS,
    **TEXTS,
    "channels-swapped": (
        "the channels are in a different order",
        "Reverse the last axis in the page: tensor.reverse(-1).",
    ),
    "pixel-scale": (
        "pixels have a different scale",
        "Scale in the page as in Python: tensor.sub(mean).div(deviation), with numbers for pixels of 0 to 255.",
    ),
    "pixel-range": (
        "pixels are rounded or clipped differently",
        "Round in the page as Python does. If Python keeps fractions, call toFloat() before the resize, and leave out "
        "cast, round and clipByValue. If Python rounds, as Pillow's resize does, call round() after the resize.",
    ),
    "resize-differs": (
        "the resize takes different pixels",
        "Resize as Python does. In TF.js, tf.image.resize is tf.image.resizeBilinear(image, size, false, true), whose "
        "last argument is halfPixelCenters. TF.js has no antialiasing: pycheck preprocess --emit js writes it.",
    ),
    "crop-differs": (
        "a different part of the image is used",
        "Crop in the page as in Python: image.slice([top, left, 0], [height, width, 3]) before the resize.",
    ),
    "image-orientation": (
        "the EXIF orientation is applied on one side only",
        "Browsers turn the image upright. In Python, call PIL.ImageOps.exif_transpose(image) before anything else.",
    ),
    "image-flipped": (
        "the image is flipped, turned or transposed",
        "Undo it in the page: tensor.reverse(axis), or tensor.transpose([1, 0, 2]).",
    ),
    "channels-first": (
        "the channels are on a different axis",
        "Move the axis in the page: tensor.transpose([2, 0, 1]) for channels first, [1, 2, 0] for channels last.",
    ),
    "alpha-differs": (
        "transparent pixels have different colors",
        "Decode without premultiplied colors, createImageBitmap(blob, {premultiplyAlpha: 'none'}), and lay the image "
        "on the same background on both sides.",
    ),
    "color-differs": (
        "colors are converted differently",
        "Decode without the color profile, createImageBitmap(blob, {colorSpaceConversion: 'none'}), or convert to sRGB "
        "in Python: PIL.ImageCms.profileToProfile.",
    ),
    "decoder-differs": (
        "the decoders give slightly different pixels",
        "Both decoders are right. Save such files as PNG if the difference matters to your model.",
    ),
}


def diagnose_causes(row: PipelineRow) -> Iterator[Finding]:
    """Yield a finding for each cause: an error if the page answers differently, otherwise a note."""
    for cause in row.causes:
        yield _finding(row, cause)


def _finding(row: PipelineRow, cause: PipelineCause) -> Finding:
    what, advice = _TOLD[cause.code]
    return finding(
        cause.code,
        Severity.ERROR if row.passed is False and cause.code != "decoder-differs" else Severity.INFO,
        runtimes=(row.runtime,),
        summary=f"{row.runtime}: {what}. Python: {cause.python}. Page: {cause.page}. Without the other causes, undoing "
        f"this one lowers the RMS difference of the input from {number(cause.before)} to {number(cause.after)}.",
        advice=advice,
        evidence={"python": cause.python, "page": cause.page, "before": cause.before, "after": cause.after},
    )
