"""Writes the code that makes the token ids of texts that a description tells of, for the page and for Python."""

from __future__ import annotations

from .code import UNDESCRIBED, TextCode, code_of_recipe, describe, own_files, reads
from .javascript import javascript
from .python import python
