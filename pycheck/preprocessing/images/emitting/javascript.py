"""Writes a description as an ES module that makes the same input in a page, with TF.js and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...lines import wrapped
from ..description import ROUNDINGS, Description
from ..placing import Placement
from ..resampling import Kernel, knows_rows_first
from ..sides import Side
from ..sources import ALPHAS, CURVES
from ..words import sentence
from . import javascript_parts as parts
from .values import cut_of, enlarged, kept, limits, scaled, text

#: `alignCorners` and `halfPixelCenters` of TF.js's resize.
_FLAGS = {"half": "false, true", "plain": "false, false", "aligned": "true, false"}
_RESIZES = {"bilinear": "resizeBilinear", "nearest": "resizeNearestNeighbor"}


def javascript(side: Side, origin: str) -> str:
    """Return the module whose default export takes (blob, tf); `origin` names the code that it is like."""
    lines = [
        f"// Makes of an image the input that {origin} makes of it:",
        *(f"// {line}" for line in wrapped(f"{sentence(side.description, side.seen)}.")),
        "// Written and checked by pycheck preprocess --emit js.",
        "",
        *_body(side),
        "",
        *_functions(side),
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip("\n") + "\n"


def decoding_module(side: Side, count: int) -> str:
    """Return a module that gives the decoded pixels: RGBA, each packed into an int32, (height, width).

    It exports its function `count` times, as d0, d1 and so on: results of one export have one shape.
    """
    lines = [
        "async function pixels(blob, tf) {",
        "  const {data, width, height} = await decode(blob);",
        "  return tf.tensor2d(new Int32Array(data.buffer, 0, width * height), [height, width], 'int32');",
        "}",
        f"export {{{', '.join(f'pixels as d{number}' for number in range(count))}}};",
        *_decoding(side),
    ]
    return "\n".join(lines) + "\n"


def _body(side: Side) -> Iterator[str]:
    description = side.description
    height, width = side.form.upright(description.layout)
    yield "export default async function (blob, tf) {"
    yield "  const image = await decode(blob);"
    yield f"  const [height, width] = [{height}, {width}]; // of the model"
    yield from (f"  {line}" for line in _placing(description.making.placement, _by_tfjs(description)))
    yield "  return tf.tidy(() => {"
    yield from (f"    {line}" for line in _resized(description))
    yield from (f"    {line}" for line in _changes(side))
    yield "    return pixels;"
    yield "  });"
    yield "}"


def _by_tfjs(description: Description) -> bool:
    """Tell whether TF.js has the resize: not antialiased, of whole pixels."""
    making = description.making
    placement = making.placement
    # A moved part may begin before the image, where a slice cannot.
    whole = placement.kind == "letterbox" or (not placement.resized and not any(placement.shift))
    return whole and making.kernel.method in _RESIZES and not making.kernel.antialias and making.curve == CURVES[0]


def _placing(placement: Placement, by_tfjs: bool) -> Iterator[str]:
    """Yield the lines that say which part of the image is read, and which size it gets."""
    if placement.kind == "letterbox":
        yield "// The whole image, with a border."
        yield "const ratio = Math.max(image.height / height, image.width / width);"
        for name, of_image, of_model, shift in (
            ("Height", "image.height", "height", placement.shift[0]),
            ("Width", "image.width", "width", placement.shift[1]),
        ):
            yield f"const inner{name} = Math.min({of_model}, Math.max(1, Math.round({of_image} / ratio)));"
            start = f"Math.floor(({of_model} - inner{name}) / 2)" if placement.anchor == "center" else "0"
            moved = f"Math.min(Math.max({start} + {round(shift)}, 0), {of_model} - inner{name})" if shift else start
            yield f"const {'top' if name == 'Height' else 'left'} = {moved};"
        if not by_tfjs:
            yield "const whole = (size, wanted) => ({start: 0, length: size, first: 0, end: size, wanted});"
            yield "const down = whole(image.height, innerHeight);"
            yield "const across = whole(image.width, innerWidth);"
        return
    stretched = placement.kind == "stretch"
    if placement.kind == "crop":
        yield "const ratio = Math.min(image.height / height, image.width / width);"
    is_cut = not stretched or placement.zoom != 1 or any(placement.shift)
    if placement.resized:
        yield from _zoomed(placement)
    elif is_cut:
        yield from _cut(placement)
    elif not by_tfjs:
        yield "const part = (size, wanted) => ({start: 0, length: size, first: 0, end: size, wanted});"
    if is_cut or not by_tfjs:
        for name, of_image, of_model, shift in (
            ("down", "image.height", "height", placement.shift[0]),
            ("across", "image.width", "width", placement.shift[1]),
        ):
            call = f"part({of_image}, {of_model}, {shift:g})"
            yield f"const {name} = {call if any(placement.shift) else f'part({of_image}, {of_model})'};"


def _zoomed(placement: Placement) -> Iterator[str]:
    """Yield the part that is cut out of a larger, resized image."""
    ratio = "ratio" if placement.kind == "crop" else "size / wanted"
    yield f"// {cut_of(placement)}"
    yield f"const part = (size, wanted{', shift' if any(placement.shift) else ''}) => {{"
    yield f"  const resized = Math.max(wanted, Math.{enlarged(placement, 'size', ratio)});"
    yield "  const scale = size / resized;"
    start = "Math.floor((resized - wanted) / 2) * scale" if placement.anchor == "center" else "0"
    if any(placement.shift):
        start += " + shift" if placement.of_source else " + shift * scale"
    yield f"  return {{start: {start}, length: wanted * scale, first: 0, end: size, wanted}};"
    yield "};"


def _cut(placement: Placement) -> Iterator[str]:
    """Yield the part that is cut out of the image, in whole pixels or moved."""
    start = "Math.floor((size - length) / 2)" if placement.anchor == "center" else "0"
    yield f"const part = (size, wanted{', shift' if any(placement.shift) else ''}) => {{"
    yield f"  const length = Math.min(size, Math.{kept(placement, 'size', 'wanted')});"
    if not any(placement.shift) or placement.of_source:
        yield f"  const start = {start}{' + shift' if any(placement.shift) else ''};"
        yield "  return {start, length, first: Math.max(start, 0), end: Math.min(start + length, size), wanted};"
    else:
        yield f"  const start = {start} + (shift * length) / wanted;"
        yield "  return {start, length, first: 0, end: size, wanted};"
    yield "};"


def _resized(description: Description) -> Iterator[str]:
    making = description.making
    boxed = making.placement.kind == "letterbox"
    size = "[innerHeight, innerWidth]" if boxed else "[height, width]"
    if not _by_tfjs(description):
        yield f"let pixels = tf.tensor3d(resize(image, down, across), {size[:-1]}, 3]);"
        return
    yield "let pixels = tf.browser.fromPixels(image).toFloat();"
    if making.placement.kind == "crop" or making.placement.zoom != 1:
        yield "pixels = pixels.slice([down.start, across.start, 0], [down.length, across.length, 3]);"
    resize = _RESIZES[making.kernel.method]
    yield f"pixels = tf.image.{resize}(pixels, {size}, {_FLAGS[making.kernel.centers]});"


def _changes(side: Side) -> Iterator[str]:
    """Yield the lines that make the input of resized pixels."""
    description = side.description
    making = description.making
    if making.rounding == ROUNDINGS[1] and not (making.kernel.antialias and not _by_tfjs(description)):
        yield "pixels = pixels.add(0.5).floor().clipByValue(0, 255);"
    elif making.rounding == ROUNDINGS[2]:
        yield "pixels = pixels.add(1e-3).floor().clipByValue(0, 255); // 1e-3: the roundoff of sums"
    if making.placement.kind == "letterbox":
        fill = making.placement.fill or (0.0,)
        border = "[[top, height - innerHeight - top], [left, width - innerWidth - left], [0, 0]]"
        if len(set(fill)) == 1:
            yield f"pixels = pixels.pad({border}, {text(fill)});"
        else:
            yield f"pixels = pixels.sub({text(fill)}).pad({border}).add({text(fill)});"
    yield from _mixing(description)
    for name, values in (("maximum", description.low), ("minimum", description.high)):
        if values:
            yield f"pixels = pixels.{name}({text(limits(values))});"
    arithmetic = scaled(description)
    if arithmetic.mean or arithmetic.divisor:
        sub = f".sub({text(arithmetic.mean)})" if arithmetic.mean else ""
        yield f"pixels = pixels{sub}{f'.div({text(arithmetic.divisor)})' if arithmetic.divisor else ''};"
    yield from _laid_out(side)


def _mixing(description: Description) -> Iterator[str]:
    mix = description.mix
    if set(mix) <= set("RGB"):
        order = ["RGB".index(name) for name in mix]
        if order == [2, 1, 0]:
            yield "pixels = pixels.reverse(-1); // BGR"
        elif order != [0, 1, 2]:
            yield f"pixels = pixels.gather({order}, 2); // {''.join(mix)}"
        return
    weights = description.weights(mix[0])
    yield f"pixels = pixels.mul({text(weights)}).sum(-1, true); // gray"
    if len(mix) > 1:
        yield f"pixels = pixels.tile([1, 1, {len(mix)}]);"


def _laid_out(side: Side) -> Iterator[str]:
    description, form = side.description, side.form
    height, width = form.upright(description.layout)
    shape = [height, width, form.channels]
    if description.layout & 4:
        yield "pixels = pixels.transpose([1, 0, 2]);"
        shape = [width, height, form.channels]
    if axes := [axis for axis, bit in ((0, 1), (1, 2)) if description.layout & bit]:
        yield f"pixels = pixels.reverse({axes});"
    if description.first:
        yield "pixels = pixels.transpose([2, 0, 1]); // channels first"
        shape = [shape[2], *shape[:2]]
    if tuple(shape) != side.shape:
        yield f"pixels = pixels.reshape({list(side.shape)});"


def _functions(side: Side) -> Iterator[str]:
    """Yield the functions that the body calls."""
    making = side.description.making
    yield from _decoding(side)
    if _by_tfjs(side.description):
        return
    yield ""
    if making.curve != CURVES[0]:
        yield parts.CURVE.format(curve=parts.CURVES[making.curve])
    yield _taps(making.kernel, pillow=making.rounding == ROUNDINGS[1])
    for name, function in parts.FUNCTIONS.items():
        if f"{name}(" in parts.KERNELS.get(making.kernel.method, ""):
            yield function
    rounds = making.rounding == ROUNDINGS[1] and making.kernel.antialias
    yield parts.RESIZE.format(
        pixels="Float64Array.from(data, (byte) => levels[byte])" if making.curve != CURVES[0] else "data",
        order=parts.ROWS_FIRST if rounds and knows_rows_first() else "",
        round="Math.min(Math.max(Math.floor(sum + 0.5), 0), 255)" if rounds else "sum",
        remark=", with bytes after each axis, as Pillow does" if rounds else "",
    )


def _taps(kernel: Kernel, *, pillow: bool) -> str:
    center = {
        "half": "start + (place + 0.5) * scale",
        "plain": "start + place * scale + 0.5",
        "aligned": "start + (place * (length - 1)) / Math.max(wanted - 1, 1) + 0.5",
    }[kernel.centers]
    if kernel.method == "sixteenths":  # Skia computes in float32, which decides ties
        center = "start + Math.fround(Math.fround(1 / Math.fround(wanted / length)) * (place + 0.5))"
    if kernel.method == "nearest":
        return parts.TAPS_NEAREST.format(center=center, shift=0.5 if kernel.centers == "plain" else 0)
    return parts.TAPS.format(
        center=center,
        widening="Math.max(scale, 1); // antialiasing" if kernel.antialias else "1",
        reach=parts.REACHES[kernel.method],
        kernel=parts.KERNELS[kernel.method],
        # Pillow's weights have 22 bits after the point (Resample.c).
        normalized="Math.round((weight / sum) * 2 ** 22) / 2 ** 22" if pillow else "weight / sum",
    ).replace("antialiasing;", "antialiasing")


def _decoding(side: Side) -> Iterator[str]:
    making = side.description.making
    cuts_turn = "upright" in side.seen and not making.upright
    cuts_colors = "managed" in side.seen and not making.managed
    alpha = making.alpha if "alpha" in side.seen else ALPHAS[2]
    blob = "await stripped(blob)" if cuts_turn or cuts_colors else "blob"
    turned = "as it is stored" if cuts_turn else "upright"
    yield f"/** Decodes an image, {turned}, with transparent pixels {ALPHA_WORDS[alpha]}. */"
    if alpha == ALPHAS[0]:
        yield parts.DECODE_STRAIGHT.format(blob=blob)
    else:
        color = {ALPHAS[2]: "black", ALPHAS[3]: "white"}.get(alpha)
        background = parts.BACKGROUND.format(color=color) if color else ""
        options = "" if color else ", {premultiplyAlpha: 'none'}"
        yield parts.DECODE.format(blob=blob, options=options, background=background)
    if cuts_turn or cuts_colors:
        told = ["the EXIF orientation"] * cuts_turn + ["the color profile"] * cuts_colors
        segments = ["0xffe1"] * cuts_turn + ["0xffe2"] * cuts_colors
        chunks = ["eXIf"] * cuts_turn + ["iCCP", "gAMA", "cHRM", "sRGB"] * cuts_colors
        yield parts.STRIPPED.format(
            what=" and ".join(told),
            segments=f"[{', '.join(segments)}]",
            chunks=f"[{', '.join(map(repr, chunks))}]",
        )


ALPHA_WORDS = {
    ALPHAS[0]: "in their own colors",
    ALPHAS[1]: "in their own colors, black if invisible",
    ALPHAS[2]: "on black",
    ALPHAS[3]: "on white",
}
