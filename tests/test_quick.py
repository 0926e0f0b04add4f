"""What quick tests are held to."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from .conftest import Quick


@pytest.mark.parametrize(
    ("event", "arguments", "told"),
    [
        ("subprocess.Popen", ("node", ["node", "x"], None, None), "starts a process (subprocess.Popen 'node'"),
        ("os.posix_spawn", ("node", ["node"], {}), "starts a process (os.posix_spawn 'node'"),
        ("os.spawn", (1, "node", ["node"], {}), "starts a process (os.spawn 1 'node'"),
        ("os.exec", ("node", ["node"], {}), "starts a process (os.exec 'node'"),
        ("os.system", (b"node x",), "starts a process (os.system b'node x')"),
        ("os.fork", (), "starts a process (os.fork)"),
        ("os.forkpty", (), "starts a process (os.forkpty)"),
        ("import", ("keras.src.layers", None, None, None, None), "imports keras.src.layers"),
    ],
)
def test_what_a_quick_test_must_not_do_is_refused_and_told_at_its_end(
    event: str, arguments: tuple[Any, ...], told: str
) -> None:
    quick = Quick()
    with suppress(AssertionError):  # as code does that goes on after any error
        quick(event, arguments)
        pytest.fail("it was not refused")
    with pytest.raises(AssertionError) as caught:
        quick.check()
    assert told in str(caught.value)
    quick.check()  # it is told once


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("subprocess.Popen", ("uname", ["uname", "-p"], None, None)),
        ("import", ("kerastuner", None, None, None, None)),
        ("open", ("keras", "r", 0)),
    ],
)
def test_all_else_is_let_through(event: str, arguments: tuple[Any, ...]) -> None:
    quick = Quick()
    quick(event, arguments)
    quick.check()
