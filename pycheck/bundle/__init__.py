"""Writes one source operation as a page for the maintainers of TF.js, on the smallest inputs that show its error."""

from __future__ import annotations

from .bundling import bundle_source
