"""Puts faults into a right pipeline, alone and in pairs, and says how many of them pycheck names exactly.

python -m tests.preprocessing.images.faults prints the table.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pycheck.preprocessing.explained import Explained
from pycheck.preprocessing.images import find_causes
from pycheck.types import Array

from .in_page import in_page, javascript
from .photos import write_photos
from .steps import Steps

#: Right pipelines, each in Python and in the page.
RIGHT: dict[str, Steps] = {
    "stretch": Steps(),
    "pillow": Steps(resize="pillow BILINEAR", scale="torch"),
    "crop": Steps(place="crop", scale="torch"),
    "letterbox": Steps(place="letterbox", scale="rescale"),
    "caffe": Steps(order="BGR", scale="caffe", resize="nearest half"),
    "zoom": Steps(place="resize, crop", resize="pillow BICUBIC"),
    "white": Steps(alpha="white", scale="rescale", resize="pillow LANCZOS"),
}


@dataclass(frozen=True)
class Fault:
    """A change of the page, the codes that name it, and words that must be in what is said of the page."""

    title: str
    change: dict[str, Any]
    codes: frozenset[str]
    said: str = ""
    of: tuple[str, ...] = ()

    def fits(self, steps: Steps, name: str) -> bool:
        """Tell whether the pipeline can have the fault."""
        return (not self.of or name in self.of) and replace(steps, **self.change) != steps

    def goes_with(self, other: Fault) -> bool:
        """Tell whether both can be seen together: nearest pixels are bytes, so that rounding changes none of them."""
        changes = self.change | other.change
        hidden = "rounding" in changes and str(changes.get("resize", "")).startswith("nearest")
        return not hidden and not self.codes & other.codes and not self.change.keys() & other.change.keys()


def _fault(title: str, codes: str, said: str = "", of: str = "", **change: Any) -> Fault:
    return Fault(title, change, frozenset(codes.split()), said, tuple(of.split(", ")) if of else ())


FAULTS: tuple[Fault, ...] = (
    _fault("BGR", "channels-swapped", "BGR", "stretch, pillow, crop, letterbox, zoom, white", order="BGR"),
    _fault("GRB", "channels-swapped", "GRB", order="GRB"),
    _fault("RGB for BGR", "channels-swapped", "RGB", "caffe", order="RGB"),
    _fault("0 to 255", "pixel-scale", "0 to 255", scale="raw"),
    _fault("0 to 1", "pixel-scale", "0 to 1", scale="rescale"),
    _fault("-1 to 1", "pixel-scale", "-1 to 1", scale="tf"),
    _fault("by 128", "pixel-scale", "-1 to 0.9922", scale="by 128"),
    _fault("divided twice", "pixel-scale", scale="twice"),
    _fault("ImageNet", "pixel-scale", "ImageNet", "stretch, letterbox", scale="torch"),
    _fault("no deviation", "pixel-scale", scale="no deviation"),
    _fault("-0.5 to 0.5", "pixel-scale", "-0.5 to 0.5", scale="half"),
    _fault("caffe's means", "pixel-scale", "means", "stretch, letterbox", scale="caffe"),
    _fault("clipped at 0", "pixel-range", "at least 0", "stretch, pillow, crop, caffe", clip=(0, 1e9)),
    _fault("clipped at 0.7", "pixel-range", "at most 0.7", "letterbox, stretch", clip=(-1e9, 0.7)),
    _fault("rounded", "pixel-range", "rounded to bytes", "stretch, crop, letterbox", rounding="round"),
    _fault("rounded down", "pixel-range", "rounded down", "stretch, crop, letterbox", rounding="floor"),
    _fault("nearest", "resize-differs", "nearest, pixel centers", "stretch, crop, letterbox", resize="nearest half"),
    _fault("nearest, plain", "resize-differs", "nearest, no pixel", "stretch, crop, caffe", resize="nearest plain"),
    _fault("nearest, corners", "resize-differs", "nearest, corners", "stretch, caffe", resize="nearest aligned"),
    _fault("plain", "resize-differs", "bilinear, no pixel", "stretch, crop, letterbox, caffe", resize="bilinear plain"),
    _fault("corners", "resize-differs", "bilinear, corners", "stretch, crop, letterbox", resize="bilinear aligned"),
    _fault("bicubic", "resize-differs", "bicubic, pixel", "stretch, crop, letterbox", resize="bicubic half"),
    _fault(
        "not antialiased",
        "resize-differs",
        "bilinear, pixel",
        "pillow, white",
        resize="bilinear half",
        rounding="round",
    ),
    _fault("box", "resize-differs", "box", "pillow, zoom", resize="pillow BOX"),
    _fault("Pillow's bicubic", "resize-differs", "bicubic, anti", "pillow, white", resize="pillow BICUBIC"),
    _fault("Lanczos", "resize-differs", "Lanczos", "pillow, zoom", resize="pillow LANCZOS"),
    _fault("stretched", "crop-differs", "stretched", "crop, letterbox", place="stretch"),
    _fault("cropped", "crop-differs", "center crop", "stretch, pillow, letterbox, caffe", place="crop"),
    _fault("letterboxed", "crop-differs", "border", "stretch, pillow, crop", place="letterbox"),
    _fault("gray border", "crop-differs", "gray 114", "letterbox", fill=114),
    _fault("at the top", "crop-differs", "top left", "letterbox", place="letterbox top"),
    _fault("7/8", "crop-differs", "0.8727", "crop, pillow", place="resize, crop"),
    _fault("whole side", "crop-differs", "center crop", "zoom", place="crop"),
    _fault("4 pixels down", "crop-differs", "4 down", "zoom", shift=(4, 0)),
    _fault("2 up, 3 right", "crop-differs", "3 right", "zoom", shift=(-2, 3)),
    _fault("lying", "image-orientation", "ignored", upright=False),
    _fault("mirrored", "image-flipped", "mirrored", turn="mirrored"),
    _fault("upside down", "image-flipped", "upside down", turn="upside down"),
    _fault("half turn", "image-flipped", "180", turn="half turn"),
    _fault("transposed", "image-flipped", "transposed", turn="transposed"),
    _fault("turned left", "image-flipped", "left", turn="left"),
    _fault("channels first", "channels-first", "channels first", first=True),
    _fault("on white", "alpha-differs", "white", "stretch, pillow, crop, letterbox, caffe", alpha="white"),
    _fault("on black", "alpha-differs", "black", "white", alpha="black"),
    _fault("alpha ignored", "alpha-differs", "ignored", alpha="ignored"),
    _fault("linear light", "color-differs", "linear", "stretch, crop, letterbox", color="linear"),
    _fault("gamma", "color-differs", "gamma", "stretch, crop, letterbox", color="gamma"),
    _fault("profile", "color-differs", "profile ignored", color="stored"),
)


@dataclass(frozen=True)
class Case:
    """A pipeline whose page has faults: none, one or two."""

    right: str
    faults: tuple[Fault, ...]

    @property
    def title(self) -> str:
        return f"{self.right}: {' + '.join(fault.title for fault in self.faults) or 'right'}"

    @property
    def page(self) -> Steps:
        steps = RIGHT[self.right]
        for fault in self.faults:
            steps = replace(steps, **fault.change)
        return steps

    @property
    def codes(self) -> frozenset[str]:
        return frozenset().union(*(fault.codes for fault in self.faults))


def cases() -> list[Case]:
    """Every right pipeline, every fault in two pipelines, and every fault with another one."""
    made = [Case(name, ()) for name in RIGHT]
    pairs: list[Case] = []
    for number, fault in enumerate(FAULTS):
        names = [name for name, steps in RIGHT.items() if fault.fits(steps, name)]
        made += [
            Case(name, (fault,))
            for name in dict.fromkeys((names[number % len(names)], names[(number + 1) % len(names)]))
        ]
        name = names[(number * 5) % len(names)]
        others = [other for other in FAULTS if other.fits(RIGHT[name], name) and other.goes_with(fault)]
        pairs.append(Case(name, (fault, others[(number * 11) % len(others)])))
    return made + pairs


@dataclass(frozen=True)
class Outcome:
    """What pycheck named for a case."""

    case: Case
    explained: Explained
    seconds: float

    @property
    def exact(self) -> bool:
        """Tell whether the codes are those of the faults, and the words too."""
        said = " | ".join(cause.page for cause in self.explained.causes)
        return self.named == self.case.codes and all(fault.said in said for fault in self.case.faults)

    @property
    def named(self) -> frozenset[str]:
        return frozenset(cause.code for cause in self.explained.causes)

    def __str__(self) -> str:
        causes = "; ".join(f"{c.code}: {c.page} for {c.python}" for c in self.explained.causes) or "nothing"
        mark = "exact" if self.exact else "WRONG"
        return (
            f"{mark}  {self.case.title:45} {causes} (left {self.explained.unexplained_rms:.2g}, {self.seconds:.1f} s)"
        )


def inputs(steps: Steps, files: Sequence[Path]) -> Array:
    return np.stack([steps(file) for file in files])


def outcome(case: Case, files: Sequence[Path], python: Array | None = None, page: Array | None = None) -> Outcome:
    python = inputs(RIGHT[case.right], files) if python is None else python
    page = inputs(case.page, files) if page is None else page
    start = time.process_time()
    explained = find_causes(files, python, page)
    return Outcome(case, explained, time.process_time() - start)


def summary(outcomes: Sequence[Outcome]) -> str:
    right = [each for each in outcomes if not each.case.faults]
    lines = []
    for count, title in ((1, "one fault"), (2, "two faults")):
        some = [each for each in outcomes if len(each.case.faults) == count]
        if some:
            lines.append(f"{title}: {sum(each.exact for each in some)} of {len(some)} named exactly")
    lines.append(f"right pipelines: {sum(bool(each.explained.causes) for each in right)} of {len(right)} have a cause")
    return "\n".join(lines)


def outcomes_in(engine: str, some: Sequence[Case], files: Sequence[Path], folder: Path) -> list[Outcome]:
    """Return the outcomes of the cases that browsers have functions for, with the inputs of a real page."""
    able = [case for case in some if javascript(case.page) and javascript(RIGHT[case.right])]
    if engine == "webkit":  # it applies the color profile whatever colorSpaceConversion says: there is no such fault
        able = [case for case in able if case.page.color != "stored"]
    pages = asyncio.run(in_page(engine, [case.page for case in able], files, folder))
    python = {name: inputs(RIGHT[name], files) for name in {case.right for case in able}}
    return [outcome(case, files, python[case.right], page) for case, page in zip(able, pages, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose title has this text")
    parser.add_argument("--engine", default="", help="chromium, firefox or webkit: the page is real")
    options = parser.parse_args()
    some = [case for case in cases() if options.only in case.title]
    with tempfile.TemporaryDirectory() as folder:
        files = write_photos(Path(folder, "photos"), 0.5 if options.engine else 1.0)
        made = []
        for case in () if options.engine else some:
            made.append(outcome(case, files))
            print(made[-1], flush=True)
        if options.engine:
            made = outcomes_in(options.engine, some, files, Path(folder))
            print(*made, sep="\n")
        print(summary(made))


if __name__ == "__main__":
    main()
