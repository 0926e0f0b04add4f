"""The known ways to make an input of an image: how Python does it, by name.

A recipe is the name of a scale, perhaps after that of a geometry: ``tf``, ``center-crop+torch``,
``letterbox+rescale``.
The scales are those of ``keras.applications.imagenet_utils.preprocess_input`` (modes tf, caffe, torch), ``rescale`` for
0 to 1, and ``raw`` for 0 to 255. Pixels are decoded by Pillow, turned upright as their EXIF orientation says, laid on
black where they are transparent, and resized by bilinear interpolation between pixel centers without antialiasing, as
``tf.image.resize`` and TF.js's ``resizeBilinear(..., false, true)`` do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import UsageError
from ...types import Array, Signature
from .pixels import decode, resize


@dataclass(frozen=True, slots=True)
class Scaling:
    """``(pixel - mean) * factor`` of each channel, in the order `channels` of RGB."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    factor: tuple[float, float, float] = (1.0, 1.0, 1.0)
    channels: str = "RGB"


_TORCH_MEAN = (0.485, 0.456, 0.406)
_TORCH_DEVIATION = (0.229, 0.224, 0.225)

#: The scales by name. Those of keras.applications are of imagenet_utils.py (Keras 3).
RECIPES = {
    "tf": Scaling((127.5,) * 3, (1 / 127.5,) * 3),
    "caffe": Scaling((103.939, 116.779, 123.68), channels="BGR"),
    "torch": Scaling(
        (255 * _TORCH_MEAN[0], 255 * _TORCH_MEAN[1], 255 * _TORCH_MEAN[2]),
        (1 / (255 * _TORCH_DEVIATION[0]), 1 / (255 * _TORCH_DEVIATION[1]), 1 / (255 * _TORCH_DEVIATION[2])),
    ),
    "rescale": Scaling(factor=(1 / 255,) * 3),
    "raw": Scaling(),
}
GEOMETRIES = ("stretch", "center-crop", "letterbox")


def is_recipe(text: str) -> bool:
    """Tell whether a text names a recipe."""
    *geometry, scale = text.split("+")
    return scale in RECIPES and len(geometry) <= 1 and all(name in GEOMETRIES for name in geometry)


def recipe(text: str, signature: Signature) -> Callable[[Path], Array]:
    """Return the function of a recipe for a model with one image as its input; UsageError for another model."""
    place, scale = parts(text)
    height, width, channels = size_of(text, signature)
    return lambda path: scaled(placed(decode(path), place, height, width), RECIPES[scale], channels)


def parts(text: str) -> tuple[str, str]:
    """Return geometry and scale of a recipe."""
    *geometry, scale = text.split("+")
    return (geometry[0] if geometry else "stretch"), scale


def size_of(text: str, signature: Signature) -> tuple[int, int, int]:
    """Return height, width and channels of the model's one image; UsageError for another model."""
    specs = [spec for spec in signature.inputs if len(spec.shape) == 4]
    if len(signature.inputs) != 1 or not specs or specs[0].shape[3] not in (1, 3):
        raise UsageError(
            f"--preprocess {text} makes an image, but the model takes "
            f"{', '.join(f'{spec.name} {list(spec.shape)}' for spec in signature.inputs) or 'no input'}.",
            "Write a function: --preprocess FILE.py:FUNCTION.",
        )
    _, height, width, channels = specs[0].shape
    if height is None or width is None:
        raise UsageError(
            f"--preprocess {text} needs the size of the image, which {specs[0].name} leaves free.",
            "Write a function: --preprocess FILE.py:FUNCTION.",
        )
    return height, width, channels or 3


def placed(pixels: Array, geometry: str, height: int, width: int) -> Array:
    """Bring pixels (height, width, 3) to a size: stretched, cropped in the middle, or whole with black beside."""
    if geometry == "center-crop":
        side = min(pixels.shape[0] / height, pixels.shape[1] / width)
        crop = int(side * height + 0.5), int(side * width + 0.5)
        top, left = (pixels.shape[0] - crop[0]) // 2, (pixels.shape[1] - crop[1]) // 2
        return resize(pixels[top : top + crop[0], left : left + crop[1]], height, width)
    if geometry == "letterbox":
        side = min(height / pixels.shape[0], width / pixels.shape[1])
        inner = max(1, int(side * pixels.shape[0] + 0.5)), max(1, int(side * pixels.shape[1] + 0.5))
        made = np.zeros((height, width, 3), np.float32)
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        made[top : top + inner[0], left : left + inner[1]] = resize(pixels, *inner)
        return made
    return resize(pixels, height, width)


def scaled(pixels: Array, scaling: Scaling, channels: int = 3) -> Array:
    """Scale pixels of 0 to 255; one channel is the mean of the three, weighted as in ITU-R BT.601."""
    if scaling.channels == "BGR":
        pixels = pixels[..., ::-1]
    values = (pixels - np.array(scaling.mean, np.float32)) * np.array(scaling.factor, np.float32)
    if channels == 1:
        values = (values @ np.array((0.299, 0.587, 0.114), np.float32))[..., None]
    return np.asarray(values, np.float32)
