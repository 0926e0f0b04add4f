"""Faults of pages for images: python -m tests.preprocessing.images.faults prints how many are named exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pycheck.types import Array

from ..table import Case, Fault, Table, fault
from .javascript import javascript
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


FAULTS: tuple[Fault, ...] = (
    fault("BGR", "channels-swapped", "BGR", "stretch, pillow, crop, letterbox, zoom, white", order="BGR"),
    fault("GRB", "channels-swapped", "GRB", order="GRB"),
    fault("RGB for BGR", "channels-swapped", "RGB", "caffe", order="RGB"),
    fault("0 to 255", "pixel-scale", "0 to 255", scale="raw"),
    fault("0 to 1", "pixel-scale", "0 to 1", scale="rescale"),
    fault("-1 to 1", "pixel-scale", "-1 to 1", scale="tf"),
    fault("by 128", "pixel-scale", "-1 to 0.9922", scale="by 128"),
    fault("divided twice", "pixel-scale", scale="twice"),
    fault("ImageNet", "pixel-scale", "ImageNet", "stretch, letterbox", scale="torch"),
    fault("no deviation", "pixel-scale", scale="no deviation"),
    fault("-0.5 to 0.5", "pixel-scale", "-0.5 to 0.5", scale="half"),
    fault("caffe's means", "pixel-scale", "means", "stretch, letterbox", scale="caffe"),
    fault("clipped at 0", "pixel-range", "at least 0", "stretch, pillow, crop, caffe", clip=(0, 1e9)),
    fault("clipped at 0.7", "pixel-range", "at most 0.7", "letterbox, stretch", clip=(-1e9, 0.7)),
    fault("rounded", "pixel-range", "rounded to bytes", "stretch, crop, letterbox", rounding="round"),
    fault("rounded down", "pixel-range", "rounded down", "stretch, crop, letterbox", rounding="floor"),
    fault("nearest", "resize-differs", "nearest, pixel centers", "stretch, crop, letterbox", resize="nearest half"),
    fault("nearest, plain", "resize-differs", "nearest, no pixel", "stretch, crop, caffe", resize="nearest plain"),
    fault("nearest, corners", "resize-differs", "nearest, corners", "stretch, caffe", resize="nearest aligned"),
    fault("plain", "resize-differs", "bilinear, no pixel", "stretch, crop, letterbox, caffe", resize="bilinear plain"),
    fault("corners", "resize-differs", "bilinear, corners", "stretch, crop, letterbox", resize="bilinear aligned"),
    fault("bicubic", "resize-differs", "bicubic, pixel", "stretch, crop, letterbox", resize="bicubic half"),
    fault(
        "not antialiased",
        "resize-differs",
        "bilinear, pixel",
        "pillow, white",
        resize="bilinear half",
        rounding="round",
    ),
    fault("box", "resize-differs", "box", "pillow, zoom", resize="pillow BOX"),
    fault("Pillow's bicubic", "resize-differs", "bicubic, anti", "pillow, white", resize="pillow BICUBIC"),
    fault("Lanczos", "resize-differs", "Lanczos", "pillow, zoom", resize="pillow LANCZOS"),
    fault("stretched", "crop-differs", "stretched", "crop, letterbox", place="stretch"),
    fault("cropped", "crop-differs", "center crop", "stretch, pillow, letterbox, caffe", place="crop"),
    fault("letterboxed", "crop-differs", "border", "stretch, pillow, crop", place="letterbox"),
    fault("gray border", "crop-differs", "gray 114", "letterbox", fill=114),
    fault("at the top", "crop-differs", "top left", "letterbox", place="letterbox top"),
    fault("7/8", "crop-differs", "0.8727", "crop, pillow", place="resize, crop"),
    fault("whole side", "crop-differs", "center crop", "zoom", place="crop"),
    fault("4 pixels down", "crop-differs", "4 down", "zoom", shift=(4, 0)),
    fault("2 up, 3 right", "crop-differs", "3 right", "zoom", shift=(-2, 3)),
    fault("lying", "image-orientation", "ignored", upright=False),
    fault("mirrored", "image-flipped", "mirrored", turn="mirrored"),
    fault("upside down", "image-flipped", "upside down", turn="upside down"),
    fault("half turn", "image-flipped", "180", turn="half turn"),
    fault("transposed", "image-flipped", "transposed", turn="transposed"),
    fault("turned left", "image-flipped", "left", turn="left"),
    fault("channels first", "channels-first", "channels first", first=True),
    fault("on white", "alpha-differs", "white", "stretch, pillow, crop, letterbox, caffe", alpha="white"),
    fault("on black", "alpha-differs", "black", "white", alpha="black"),
    fault("alpha ignored", "alpha-differs", "ignored", alpha="ignored"),
    fault("linear light", "color-differs", "linear", "stretch, crop, letterbox", color="linear"),
    fault("gamma", "color-differs", "gamma", "stretch, crop, letterbox", color="gamma"),
    fault("profile", "color-differs", "profile ignored", color="stored"),
)


def _seen_together(one: Fault, other: Fault) -> bool:
    """Nearest pixels are bytes, so that rounding changes none of them."""
    changes = one.change | other.change
    hidden = "rounding" in changes and str(changes.get("resize", "")).startswith("nearest")
    return not hidden and one.goes_with(other)


def cases() -> list[Case]:
    """Every right pipeline, every fault in two pipelines, and every fault with another one."""
    made = [Case(name, steps) for name, steps in RIGHT.items()]
    pairs: list[Case] = []
    for number, each in enumerate(FAULTS):
        names = [name for name, steps in RIGHT.items() if each.fits(steps, name)]
        chosen = dict.fromkeys((names[number % len(names)], names[(number + 1) % len(names)]))
        made += [Case(name, RIGHT[name], (each,)) for name in chosen]
        name = names[(number * 5) % len(names)]
        others = [other for other in FAULTS if other.fits(RIGHT[name], name) and _seen_together(other, each)]
        pairs.append(Case(name, RIGHT[name], (each, others[(number * 11) % len(others)])))
    return made + pairs


def inputs(steps: Steps, files: Sequence[Path]) -> Array:
    return np.stack([steps(file) for file in files])


def _javascript(case: Case, files: Sequence[Path], engine: str) -> str | None:
    """WebKit applies the color profile whatever colorSpaceConversion says: there is no such fault."""
    if engine == "webkit" and case.page.color == "stored":
        return None
    return javascript(case.page) if javascript(case.steps) else None


TABLE = Table(
    cases,
    write=lambda folder, seed, whole: write_photos(folder, 1.0 if whole else 0.5, seed),
    inputs=lambda case, steps, files: inputs(steps, files),
    javascript=_javascript,
)

if __name__ == "__main__":
    TABLE.main(__doc__)
