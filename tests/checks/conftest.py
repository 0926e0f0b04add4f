"""A check on fake runtimes that can be divided into shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..fakes import Fakes
from .sharded import write


@pytest.fixture
def work(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three models, of which webgl lets all drift; it is the current one."""
    write(fakes, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
