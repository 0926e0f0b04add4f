"""Writes a description as a Python module that makes the same input, with Pillow and NumPy and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from ...lines import wrapped
from ..description import ROUNDINGS, Description, Making
from ..placing import Placement
from ..resampling import Kernel
from ..sides import Side
from ..sources import ALPHAS, CURVES
from ..words import sentence
from . import python_parts as parts
from .javascript import ALPHA_WORDS
from .values import cut_of, enlarged, kept, limits, scaled, text

_OF_PILLOW = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos": "LANCZOS", "box": "BOX"}


def python(side: Side, origin: str) -> str:
    """Return the module whose function `load` takes the path of a file; `origin` names the code that it is like."""
    making = side.description.making
    lines = [
        f'"""Makes of an image the input that {origin} makes of it.',
        "",
        *wrapped(f"{sentence(side.description, side.seen)}."),
        "Written and checked by pycheck preprocess --emit python.",
        '"""',
        "",
        *(["import io", ""] if _manages(side) else []),
        "import numpy as np",
        f"from PIL import Image{', ImageCms' if _manages(side) else ''}{', ImageOps' if making.upright else ''}",
        "",
        "",
        *_body(side),
        "",
        "",
        *_decoding(side),
    ]
    if not _by_pillow(making):
        lines += ["", _weights(making.kernel), ""]
        for function in (parts.CUBIC, parts.SIXTEENTHS):
            name = function.rpartition("def ")[2].partition("(")[0]
            lines += [function, ""] if f"{name}(" in parts.KERNELS.get(making.kernel.method, "") else []
        lines += [parts.RESIZE]
    return "\n".join(lines).rstrip("\n") + "\n"


def _by_pillow(making: Making) -> bool:
    """Tell whether Pillow has the resize, with bytes after each axis."""
    moved = making.placement.kind != "letterbox" and any(making.placement.shift) and not making.placement.of_source
    return (
        making.rounding == ROUNDINGS[1]
        and making.kernel.antialias
        and making.kernel.method in _OF_PILLOW
        and making.curve == CURVES[0]
        and not (moved and not making.placement.resized)
    )


def _manages(side: Side) -> bool:
    return side.description.making.managed and "managed" in side.seen


def _body(side: Side) -> Iterator[str]:
    description = side.description
    making = description.making
    height, width = side.form.upright(description.layout)
    yield "def load(path):"
    yield f'    """Return the input of one image: float32 {list(side.shape)}."""'
    yield "    image = decode(path)"
    yield f"    height, width = {height}, {width}  # of the model"
    yield "    columns, rows = image.size"
    lines = _with_pillow(making) if _by_pillow(making) else _with_numpy(making)
    yield from (f"    {line}" for line in lines)
    yield from (f"    {line}" for line in _changes(side))
    yield "    return np.ascontiguousarray(pixels, np.float32)"


def _inner(placement: Placement) -> Iterator[str]:
    """Yield the size and the place of the whole image within a border."""
    yield "# The whole image, with a border."
    yield "ratio = max(rows / height, columns / width)"
    for inner, place, of_image, of_model, shift in (
        ("inner_height", "top", "rows", "height", placement.shift[0]),
        ("inner_width", "left", "columns", "width", placement.shift[1]),
    ):
        yield f"{inner} = min({of_model}, max(1, round({of_image} / ratio)))"
        start = f"({of_model} - {inner}) // 2" if placement.anchor == "center" else "0"
        yield (
            f"{place} = min(max({start} + {round(shift)}, 0), {of_model} - {inner})" if shift else f"{place} = {start}"
        )


def _with_pillow(making: Making) -> Iterator[str]:
    placement, method = making.placement, f"Image.{_OF_PILLOW[making.kernel.method]}"
    center = placement.anchor == "center"
    if placement.kind == "letterbox":
        yield from _inner(placement)
        yield f"pixels = np.asarray(image.resize((inner_width, inner_height), {method}), np.float32)"
        return
    if placement.kind == "crop":
        yield "ratio = min(rows / height, columns / width)"
    ratios = ("ratio", "ratio") if placement.kind == "crop" else ("rows / height", "columns / width")
    if placement.resized:
        yield f"# {cut_of(placement)}"
        for name, size, wanted, ratio in zip(
            ("tall", "wide"), ("rows", "columns"), ("height", "width"), ratios, strict=True
        ):
            yield f"{name} = max({wanted}, {enlarged(placement, size, ratio)})"
        down, right = (round(value) for value in placement.shift)
        yield f"top = {'(tall - height) // 2' if center else '0'}{f' + {down}' if down else ''}"
        yield f"left = {'(wide - width) // 2' if center else '0'}{f' + {right}' if right else ''}"
        yield f"image = image.resize((wide, tall), {method}).crop((left, top, left + width, top + height))"
        yield "pixels = np.asarray(image, np.float32)"
        return
    if placement.kind == "crop" or placement.zoom != 1 or any(placement.shift):
        tall, wide = kept(placement, "rows", "height"), kept(placement, "columns", "width")
        yield f"tall, wide = min(rows, {tall}), min(columns, {wide})"
        down, right = (round(value) for value in placement.shift)
        yield f"top = {'(rows - tall) // 2' if center else '0'}{f' + {down}' if down else ''}"
        yield f"left = {'(columns - wide) // 2' if center else '0'}{f' + {right}' if right else ''}"
        yield "image = image.crop((left, top, left + wide, top + tall))"
    yield f"pixels = np.asarray(image.resize((width, height), {method}), np.float32)"


def _with_numpy(making: Making) -> Iterator[str]:
    placement = making.placement
    yield "pixels = np.asarray(image, np.float64)"
    if making.curve != CURVES[0]:
        yield "x = pixels / 255"
        yield f"pixels = 255 * {parts.CURVES[making.curve]}  # {making.curve}"
    if placement.kind == "letterbox":
        yield from _inner(placement)
        yield "down = weights(rows, 0, rows, 0, rows, inner_height)"
        yield "across = weights(columns, 0, columns, 0, columns, inner_width)"
    else:
        if placement.kind == "crop":
            yield "ratio = min(rows / height, columns / width)"
        for name, size, wanted, shift in (
            ("down", "rows", "height", placement.shift[0]),
            ("across", "columns", "width", placement.shift[1]),
        ):
            ratio = "ratio" if placement.kind == "crop" else f"{size} / {wanted}"
            yield from _part(placement, name, size, wanted, ratio, shift)
    yield "pixels = resize(pixels, down, across)"
    if making.rounding == ROUNDINGS[1]:
        yield "pixels = np.clip(np.floor(pixels + 0.5), 0, 255)"
    elif making.rounding == ROUNDINGS[2]:
        yield "pixels = np.clip(np.floor(pixels + 1e-3), 0, 255)  # 1e-3: the roundoff of sums"


def _part(placement: Placement, name: str, size: str, wanted: str, ratio: str, shift: float) -> Iterator[str]:
    """Yield the weights along one axis."""
    center = placement.anchor == "center"
    if placement.resized:
        yield f"resized = max({wanted}, {enlarged(placement, size, ratio)})"
        start = f"(resized - {wanted}) // 2 * {size} / resized" if center else "0"
        moved = f" + {shift:g}{'' if placement.of_source else f' * {size} / resized'}" if shift else ""
        yield f"{name} = weights({size}, {start}{moved}, {wanted} * {size} / resized, 0, {size}, {wanted})"
    elif placement.kind == "stretch" and placement.zoom == 1 and not shift:
        yield f"{name} = weights({size}, 0, {size}, 0, {size}, {wanted})"
    else:
        yield f"length = min({size}, {kept(placement, size, wanted)})"
        start = f"({size} - length) // 2" if center else "0"
        if shift and not placement.of_source:
            yield f"{name} = weights({size}, {start} + {shift:g} * length / {wanted}, length, 0, {size}, {wanted})"
            return
        yield f"start = {start}{f' + {shift:g}' if shift else ''}"
        yield f"{name} = weights({size}, start, length, max(start, 0), min(start + length, {size}), {wanted})"


def _changes(side: Side) -> Iterator[str]:
    description = side.description
    making = description.making
    if making.placement.kind == "letterbox":
        fill = making.placement.fill or (0.0,)
        yield f"whole = np.full((height, width, 3), {text(fill)}, np.float32)"
        yield "whole[top : top + inner_height, left : left + inner_width] = pixels"
        yield "pixels = whole"
    yield from _mixing(description)
    for name, values in (("maximum", description.low), ("minimum", description.high)):
        if values:
            yield f"pixels = np.{name}(pixels, {text(limits(values))})"
    arithmetic = scaled(description)
    if arithmetic.mean or arithmetic.divisor:
        less = f"(pixels - {_array(arithmetic.mean)})" if arithmetic.mean else "pixels"
        over = f" / {_array(arithmetic.divisor)}" if arithmetic.divisor else ""
        yield f"pixels = {less if over else less.strip('()') if '(' not in less[1:] else less}{over}"
    if description.layout & 4:
        yield "pixels = pixels.transpose(1, 0, 2)"
    rows, columns = "::-1" if description.layout & 1 else ":", "::-1" if description.layout & 2 else ":"
    if description.layout & 3:
        yield f"pixels = pixels[{rows}, {columns}]"
    if description.first:
        yield "pixels = pixels.transpose(2, 0, 1)  # channels first"
    if len(side.shape) == 2 or description.first != side.form.first:
        yield f"pixels = pixels.reshape({side.shape})"


def _array(values: tuple[float, ...]) -> str:
    return text(values) if len(set(values)) == 1 else f"np.array({text(values)})"


def _mixing(description: Description) -> Iterator[str]:
    mix = description.mix
    if set(mix) <= set("RGB"):
        order = ["RGB".index(name) for name in mix]
        if order != [0, 1, 2]:
            yield f"pixels = pixels[..., {order}]  # {''.join(mix)}"
        return
    yield f"pixels = (pixels * {_array(description.weights(mix[0]))}).sum(axis=-1, keepdims=True)  # gray"
    if len(mix) > 1:
        yield f"pixels = np.repeat(pixels, {len(mix)}, axis=-1)"


def _decoding(side: Side) -> Iterator[str]:
    making = side.description.making
    alpha = making.alpha if "alpha" in side.seen else ALPHAS[2]
    lines = parts.COLORS if _manages(side) else ""
    lines += parts.UPRIGHT if making.upright else ""
    lines += {
        ALPHAS[0]: parts.PLAIN,
        ALPHAS[1]: parts.BLACK_IF_INVISIBLE,
        ALPHAS[2]: parts.BACKGROUND.format(level=0),
        ALPHAS[3]: parts.BACKGROUND.format(level=255),
    }[alpha]
    lines += parts.IN_SRGB if _manages(side) else ""
    yield parts.DECODE.format(
        turned="upright" if making.upright else "as it is stored",
        colors=", in sRGB" if _manages(side) else "",
        transparent=ALPHA_WORDS[alpha],
        lines=lines,
    )


def _weights(kernel: Kernel) -> str:
    center = {
        "half": "start + (np.arange(wanted) + 0.5) * scale",
        "plain": "start + np.arange(wanted) * scale + 0.5",
        "aligned": "start + np.arange(wanted) * (length - 1) / max(wanted - 1, 1) + 0.5",
    }[kernel.centers]
    if kernel.method == "sixteenths":
        center = "start + skia(scale, wanted)"
    if kernel.method == "nearest":
        return parts.WEIGHTS_NEAREST.format(center=center, shift=0.5 if kernel.centers == "plain" else 0)
    return parts.WEIGHTS.format(
        center=center,
        widening="max(scale, 1)  # antialiasing" if kernel.antialias else "1",
        kernel=parts.KERNELS[kernel.method],
    )
