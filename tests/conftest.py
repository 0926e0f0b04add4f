"""What every test has: a cache of this session's own, and no settings from outside."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A busy machine makes no property false.
settings.register_profile("pycheck", deadline=None)
settings.load_profile("pycheck")

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as pycheck does, for tests that import Keras themselves


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither read nor fill the user's cache, and no variable of ours or of a CI server decides their outcome."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PYCHECK_", "GITHUB_"))]:
            patch.delenv(name)
        patch.setenv("PYCHECK_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
