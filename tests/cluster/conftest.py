"""Dask clusters for tests: workers that are threads of this process, so that fake runtimes are theirs too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from ..checks.sharded import write
from ..fakes import Fakes


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a scheduler with two workers in this process."""
    options = {"n_workers": 2, "threads_per_worker": 2, "processes": False, "protocol": "tcp"}
    with LocalCluster(**options, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def work(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three models, of which webgl lets all drift; it is the current one."""
    write(fakes, tmp_path)
    fakes.identity = "a browser"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYCHECK_RECHECK", "0")
    return tmp_path
