from __future__ import annotations

from collections.abc import Iterator

import pytest

from .lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The plainest backend: what Python and TF.js do alike or not does not depend on it."""
    with Lab("chromium:cpu") as opened:
        yield opened


@pytest.fixture(scope="session")
def wide_lab() -> Iterator[Lab]:
    """Three backends."""
    with Lab("chromium:cpu", "chromium:wasm", "chromium:webgl") as opened:
        yield opened
