"""One session for the tests of a process, so that a browser starts once and not with every comparison."""

from __future__ import annotations

from pycheck import Session

session = Session()
