"""Writes the code that makes the inputs that a description tells of, for the page and for Python."""

from __future__ import annotations

from .code import UNDESCRIBED, ImageCode, code_of_recipe, describe, own_files, reads
from .javascript import decoding_module, javascript
from .python import python
