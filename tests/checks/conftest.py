"""A check on fake runtimes that can be divided into shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycheck.runtimes.fake import drifting

from ..fakes import Fakes, dense
from .sharded import CONFIGURATION


@pytest.fixture
def work(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three models, of which webgl lets all drift; it is the current one."""
    for seed, name in enumerate(("m", "n", "o")):
        fakes.save(tmp_path / f"{name}.keras", dense(seed=seed))
    (tmp_path / "broken.keras").write_text("no model")
    (tmp_path / "pycheck.toml").write_text(CONFIGURATION)
    fakes.break_("chromium:webgl", drifting(0.5))
    monkeypatch.chdir(tmp_path)
    return tmp_path
