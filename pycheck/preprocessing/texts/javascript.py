"""Writes the JavaScript of a recipe for texts."""

from __future__ import annotations

import json

from ...types import Signature
from .recipes import PUNCTUATION, made_for

_CODE = """\
export default async function (blob, tf) {
  const text = (await blob.text()).replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(PUNCTUATION, '');
  const words = text.split(/[ \\t\\n\\v\\f\\r]+/).filter((word) => word);
  const ids = words.slice(0, LENGTH).map((word) => NUMBERS.get(word) ?? 1); // 1: unknown
  while (ids.length < LENGTH) ids.push(0); // 0: padding
  return tf.tensor(ids, SHAPE, 'int32');
}
"""


def recipe_module(text: str, signature: Signature) -> str:
    """Return the module of a recipe for a model; its default export takes (blob, tf). UsageError as for `recipe`."""
    made = made_for(text, signature)
    lines = [
        f"// {text}: the token ids of a text, as pycheck's recipe makes them.",
        f"const LENGTH = {made.length};",
        f"const SHAPE = {json.dumps(made.shape)};",
        f"const PUNCTUATION = /{PUNCTUATION.replace('/', chr(92) + '/')}/g;",
        f"const WORDS = {json.dumps(list(made.numbers))};",
        f"const NUMBERS = new Map(WORDS.map((word, n) => [word, {json.dumps(list(made.numbers.values()))}[n]]));",
        "",
    ]
    return "\n".join(lines) + _CODE
