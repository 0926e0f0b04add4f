"""What a cluster cannot do, or is not there for, is said before anything runs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from pycheck.cluster import connecting, tasks

from ..conftest import Cli


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CONNECT_S", 0.3)
    monkeypatch.setattr(connecting, "WORKERS_S", 0.3)


@pytest.fixture(scope="module")
def empty() -> Iterator[str]:
    """The address of a scheduler without workers."""
    with LocalCluster(
        n_workers=0, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


def test_without_dask_the_message_says_what_to_install(
    work: Path, command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting.importlib.util, "find_spec", lambda name: None)
    said = command("check", "--dask", "local")
    assert said.code == 2
    assert "pip install 'pycheck[dask]'" in said.err


@pytest.mark.usefixtures("impatient")
def test_a_scheduler_that_does_not_answer_is_named(work: Path, command: Cli) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # it does not listen
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        said = command("check", "--dask", address)
    assert said.code == 2
    assert f"No Dask scheduler answers at {address}" in said.err


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_no_scheduler_is_named(work: Path, command: Cli) -> None:
    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(1 << 16)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        said = command("check", "--dask", f"127.0.0.1:{server.getsockname()[1]}")
    assert said.code == 2
    assert "No Dask scheduler answers" in said.err


@pytest.mark.usefixtures("impatient")
def test_a_scheduler_without_workers_is_named_with_the_command_that_starts_one(
    work: Path, command: Cli, empty: str
) -> None:
    said = command("check", "--dask", empty)
    assert said.code == 2
    assert f"The Dask scheduler at {empty} has had no worker for 0.3 s." in said.err
    assert f"dask worker {empty}" in said.err


def test_a_scheduler_with_a_different_pycheck_is_refused(
    work: Path, command: Cli, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "own_code", _other_code)
    said = command("check", "--dask", empty)
    assert said.code == 2
    assert f"The Dask scheduler at {empty} has a different pycheck than this machine." in said.err


def _other_code() -> str:
    return "different"


@pytest.mark.parametrize("address", ["somewhere", "tcp://", "host", "local:", "10.0.0.5:port"])
def test_an_address_that_is_none_is_refused(work: Path, command: Cli, address: str) -> None:
    said = command("check", "--dask", address)
    assert said.code == 2
    assert "For example tcp://10.0.0.5:8786." in said.err


def test_code_of_the_user_does_not_go_to_a_cluster(work: Path, command: Cli) -> None:
    Path("pycheck.toml").write_text('[[models]]\npath = "m.keras"\ncustom_objects = ["mine:Layer"]\n')
    said = command("check", "--dask", "tcp://127.0.0.1:1")
    assert said.code == 2
    assert "m: --custom-objects names code of this machine" in said.err
    assert "--dask local" in said.err


def test_a_browser_of_the_user_does_not_go_to_a_cluster(work: Path, command: Cli) -> None:
    said = command("check", "--dask", "local", "--connect", "chromium=http://127.0.0.1:9222")
    assert said.code == 2
    assert "--connect names a browser of this machine" in said.err
