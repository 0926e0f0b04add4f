"""Lines of the console that end a runtime, and those that are only shown with a later error."""

from __future__ import annotations

from pycheck.runtimes.browser.console import Console
from pycheck.runtimes.launching.base import ConsoleLine
from pycheck.types import RuntimeId

FATAL = (
    "F1130 15:11:15.068999  755312 model.cc:217] Check failed: !IsInput(consumer, value) Node 0 is already a "
    "consumer of the value 0 "
)


def test_a_library_that_aborts_ends_the_runtime_at_once_with_its_reason() -> None:
    failure = Console(RuntimeId("chromium", "litert-webgpu")).add(ConsoleLine("error", FATAL))
    assert failure is not None
    assert "model.cc:217] Check failed: !IsInput(consumer, value)" in failure.message
    assert "LiteRT.js" in str(failure.advice)


def test_progress_is_not_shown_and_other_errors_are_shown_with_the_next_failure() -> None:
    console = Console(RuntimeId("chromium", "webgl"))
    assert console.add(ConsoleLine("error", "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.")) is None
    assert console.add(ConsoleLine("error", "F1130 is a printer")) is None
    assert console.said() == " (the browser said: F1130 is a printer)"
