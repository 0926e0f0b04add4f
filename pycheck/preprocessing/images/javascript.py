"""Writes the JavaScript of a recipe: an ES module that gives in TF.js what the recipe gives in Python."""

from __future__ import annotations

from ...types import Signature
from .recipes import RECIPES, Scaling, parts, size_of

_DECODE = """\
  const bitmap = await createImageBitmap(blob); // upright, as the EXIF orientation says
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d');
  context.fillRect(0, 0, canvas.width, canvas.height); // transparent pixels on black
  context.drawImage(bitmap, 0, 0);
  return tf.tidy(() => {
    const pixels = tf.browser.fromPixels(canvas).toFloat();
"""
#: `height` and `width` are the model's. The last argument of resizeBilinear is halfPixelCenters.
_PLACE = {
    "stretch": """\
    const placed = tf.image.resizeBilinear(pixels, [height, width], false, true);
""",
    "center-crop": """\
    const [rows, columns] = pixels.shape;
    const side = Math.min(rows / height, columns / width);
    const [cropRows, cropColumns] = [Math.floor(side * height + 0.5), Math.floor(side * width + 0.5)];
    const top = Math.floor((rows - cropRows) / 2);
    const left = Math.floor((columns - cropColumns) / 2);
    const crop = pixels.slice([top, left, 0], [cropRows, cropColumns, 3]);
    const placed = tf.image.resizeBilinear(crop, [height, width], false, true);
""",
    "letterbox": """\
    const [rows, columns] = pixels.shape;
    const side = Math.min(height / rows, width / columns);
    const innerRows = Math.max(1, Math.floor(side * rows + 0.5));
    const innerColumns = Math.max(1, Math.floor(side * columns + 0.5));
    const inner = tf.image.resizeBilinear(pixels, [innerRows, innerColumns], false, true);
    const top = Math.floor((height - innerRows) / 2);
    const left = Math.floor((width - innerColumns) / 2);
    const placed = inner.pad([[top, height - innerRows - top], [left, width - innerColumns - left], [0, 0]]);
""",
}


def recipe_module(text: str, signature: Signature) -> str:
    """Return the module of a recipe for a model; its default export takes (blob, tf). UsageError as for `recipe`."""
    geometry, scale = parts(text)
    height, width, channels = size_of(text, signature)
    lines = [
        f"// {text}: the input of an image for a model of {height} x {width} pixels, as pycheck's recipe makes it.",
        "export default async function (blob, tf) {",
        f"  const [height, width] = [{height}, {width}];",
        _DECODE + _PLACE[geometry] + _scaled(RECIPES[scale], channels),
        "  });",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _scaled(scaling: Scaling, channels: int) -> str:
    code = "placed.reverse(-1)" if scaling.channels == "BGR" else "placed"
    if any(scaling.mean):
        code += f".sub({_numbers(scaling.mean)})"
    if set(scaling.factor) != {1.0}:
        code += f".mul({_numbers(scaling.factor)})"
    if channels == 1:
        code = f"{code}.mul([0.299, 0.587, 0.114]).sum(-1, true)"
    return f"    return {code};"


def _numbers(values: tuple[float, float, float]) -> str:
    return f"{values[0]!r}" if len(set(values)) == 1 else f"[{', '.join(map(repr, values))}]"
