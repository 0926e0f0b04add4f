"""Writes a pipeline as the JavaScript of an app, with what TF.js has."""

from __future__ import annotations

from .steps import SCALES, SIZE, Steps


def javascript(steps: Steps) -> str | None:
    """Return the function of an app that does the steps; None if browsers have no function for one of them."""
    library, _, centers = steps.resize.partition(" ")
    if library not in ("bilinear", "nearest") or (steps.place == "resize, crop" and any(steps.shift)):
        return None
    if not steps.upright:  # browsers apply the EXIF orientation whatever imageOrientation says
        return None
    if steps.color in ("linear", "gamma") or (steps.alpha == "ignored" and steps.color == "stored"):
        return None
    resize = {"bilinear": "resizeBilinear", "nearest": "resizeNearestNeighbor"}[library]
    flags = f"{str(centers == 'aligned').lower()}, {str(centers == 'half').lower()}"
    mean, divisor = SCALES[steps.scale]
    options = {"colorSpaceConversion": "none"} if steps.color == "stored" else {}
    background = (
        ""
        if steps.alpha == "ignored"
        else (f"context.fillStyle = '{steps.alpha}'; context.fillRect(0, 0, bitmap.width, bitmap.height);")
    )
    lines = [
        f"const bitmap = await createImageBitmap(blob, {options});",
        "const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);",
        "const context = canvas.getContext('2d');",
        background,
        "context.drawImage(bitmap, 0, 0);",
        "const data = context.getImageData(0, 0, canvas.width, canvas.height);",
        "return tf.tidy(() => {",
        "let x = tf.browser.fromPixels(data).toFloat();",
    ]
    lines += _placing(steps, lambda value, height, width: f"tf.image.{resize}({value}, [{height}, {width}], {flags})")
    if steps.rounding != "none":
        lines.append({"round": "x = x.add(0.5).floor();", "floor": "x = x.floor();"}[steps.rounding])
    order = ["RGB".index(name) for name in steps.order]
    lines += [
        f"x = tf.gather(x, tf.tensor1d({order}, 'int32'), 2);",
        f"x = x.sub(tf.tensor1d({list(mean)})).div(tf.tensor1d({list(divisor)}));",
    ]
    if steps.clip:
        lines.append(f"x = x.clipByValue({steps.clip[0]}, {steps.clip[1]});")
    lines += {
        "none": [],
        "mirrored": ["x = x.reverse(1);"],
        "upside down": ["x = x.reverse(0);"],
        "half turn": ["x = x.reverse([0, 1]);"],
        "transposed": ["x = x.transpose([1, 0, 2]);"],
        "left": ["x = x.transpose([1, 0, 2]).reverse(0);"],
        "right": ["x = x.transpose([1, 0, 2]).reverse(1);"],
    }[steps.turn]
    if steps.first:
        lines.append(f"x = x.transpose([2, 0, 1]).reshape([{SIZE}, {SIZE}, 3]);")
    body = "\n  ".join([*lines, "return x;", "});"])
    return f"async (blob, tf) => {{\n  {body}\n}};\n"


def _placing(steps: Steps, resize: object) -> list[str]:
    make = resize
    assert callable(make)
    if steps.place.startswith("letterbox"):
        top = "0" if steps.place == "letterbox top" else f"Math.floor(({SIZE} - height) / 2)"
        left = "0" if steps.place == "letterbox top" else f"Math.floor(({SIZE} - width) / 2)"
        return [
            f"const largest = Math.max(x.shape[0], x.shape[1]) / {SIZE};",
            "const height = Math.max(1, Math.round(x.shape[0] / largest));",
            "const width = Math.max(1, Math.round(x.shape[1] / largest));",
            f"const top = {top}, left = {left};",
            f"x = {make('x', 'height', 'width')};",
            f"x = x.pad([[top, {SIZE} - height - top], [left, {SIZE} - width - left], [0, 0]], {steps.fill});",
        ]
    if steps.place == "crop":
        return [
            "const side = Math.min(x.shape[0], x.shape[1]);",
            "const clamp = (value, most) => Math.max(0, Math.min(value, most));",
            f"const top = clamp(Math.floor((x.shape[0] - side) / 2) + {steps.shift[0]}, x.shape[0] - side);",
            f"const left = clamp(Math.floor((x.shape[1] - side) / 2) + {steps.shift[1]}, x.shape[1] - side);",
            "x = x.slice([top, left, 0], [side, side, 3]);",
            f"x = {make('x', SIZE, SIZE)};",
        ]
    if steps.place == "resize, crop":
        short = round(SIZE / 0.875)
        return [
            f"const ratio = {short} / Math.min(x.shape[0], x.shape[1]);",
            f"const height = Math.max({short}, Math.round(x.shape[0] * ratio));",
            f"const width = Math.max({short}, Math.round(x.shape[1] * ratio));",
            f"x = {make('x', 'height', 'width')};",
            f"x = x.slice([(height - {SIZE}) >> 1, (width - {SIZE}) >> 1, 0], [{SIZE}, {SIZE}, 3]);",
        ]
    return [f"x = {make('x', SIZE, SIZE)};"]
