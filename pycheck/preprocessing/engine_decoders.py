"""Compares what a browser decodes of an image or a sound with Pillow and with soundfile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from ..types import Array, DecodedFile
from .images.decoded import unpacked
from .images.pixels import open_image
from .images.sources import Source
from .sounds import is_sound
from .sounds.decoding import decode as decode_sound

#: What a page does that knows nothing better. Each export has results of one shape, so that each file has its own.
_MODULE = """\
const rates = {rates};

async function image(blob, tf) {{
  const bitmap = await createImageBitmap(blob);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d', {{willReadFrequently: true}});
  context.drawImage(bitmap, 0, 0);
  const {{data, width, height}} = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return tf.tensor2d(new Int32Array(data.buffer, 0, width * height), [height, width], 'int32');
}}

async function sound(blob, tf) {{
  const context = new OfflineAudioContext(1, 1, rates[blob.name]);
  const audio = await context.decodeAudioData(await blob.arrayBuffer());
  const channels = Array.from({{length: audio.numberOfChannels}}, (_, channel) => audio.getChannelData(channel));
  return tf.stack(channels.map((channel) => tf.tensor1d(channel)), 1);
}}

export {{{exports}}};
"""


def decoding_module(files: Sequence[tuple[str, Path]]) -> str:
    """Return a module whose export ``dN`` decodes the file number N, of names and paths; the page keeps the rate."""
    sounds = [is_sound(path) for _, path in files]
    rates = {name: decode_sound(path).rate for (name, path), sound in zip(files, sounds, strict=True) if sound}
    exports = [f"{'sound' if sound else 'image'} as d{number}" for number, sound in enumerate(sounds)]
    return _MODULE.format(rates=json.dumps(rates), exports=", ".join(exports))


def compare_decoded(name: str, path: Path, made: Array) -> DecodedFile:
    """Compare what a page decoded: packed pixels (height, width), or samples (samples, channels).

    Errors are those of Python's decoder.
    """
    return _sound(name, path, made) if is_sound(path) else _image(name, path, unpacked(made))


def _image(name: str, path: Path, pixels: Array) -> DecodedFile:
    """Compare pixels (height, width, RGBA) with the nearest of the ways in which Pillow can decode the file."""
    source = Source(path)
    kind = str(open_image(path).format)
    ways = product(
        (True, False) if source.turned else (True,), (False, True) if source.has_colors else (False,)
    )  # fmt: skip
    visible = pixels[..., 3] > 0
    found = []
    for upright, managed in ways:
        mine = source.planes(upright, "ignored", managed, "as stored").transpose(1, 2, 0)
        if mine.shape[:2] == pixels.shape[:2]:
            error = np.abs(pixels[..., :3].astype(np.float64) - mine)
            found.append((float(np.sqrt(np.mean(np.square(error[visible])))), upright, managed, error))
    if not found:
        return DecodedFile(name, kind, f"{pixels.shape[1]} x {pixels.shape[0]} pixels, unlike Pillow's")
    rms, upright, managed, error = min(found, key=lambda each: each[0])
    facts = [f"orientation {'applied' if upright else 'ignored'}"] * source.turned
    facts += [f"profile {'applied' if managed else 'ignored'}"] * source.has_colors
    if source.has_alpha:
        if visible.all():
            facts.append("opaque")
        else:
            kept = not error[~visible].any()
            facts.append("invisible colors kept" if kept else "invisible colors lost")
        partly = visible & (pixels[..., 3] < 255)
        if error[partly].any():
            facts.append("premultiplied")
    return DecodedFile(name, kind, "", rms, float(error[visible].max(initial=0.0)), tuple(facts))


def _sound(name: str, path: Path, made: Array) -> DecodedFile:
    sound = decode_sound(path)
    kind = f"{path.suffix[1:].upper()}, {sound.rate} Hz"
    if made.shape[1] != sound.samples.shape[1]:
        return DecodedFile(name, kind, f"{made.shape[1]} channels, unlike the {sound.samples.shape[1]} of soundfile")
    count = min(len(made), len(sound.samples))
    facts = []
    if len(made) != len(sound.samples):
        facts.append(f"{len(made) - len(sound.samples):+d} samples")
    error = np.abs(made[:count].astype(np.float64) - sound.samples[:count])
    return DecodedFile(
        name, kind, "", float(np.sqrt(np.mean(np.square(error)))), float(error.max(initial=0.0)), tuple(facts)
    )
