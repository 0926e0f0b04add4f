"""One source operation for those who maintain TF.js: cut out, on the smallest inputs on which it errs, as a page."""

from __future__ import annotations

from .bundling import bundle_source

__all__ = ["bundle_source"]
