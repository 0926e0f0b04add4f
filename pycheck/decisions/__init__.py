"""What an application decides from the outputs of a model: labels, boxes, texts and other JSON, and how two differ."""

from __future__ import annotations

from .comparing import difference, summary
from .plain import Json, as_json, as_text, from_text
from .words import brief
