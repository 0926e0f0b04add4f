"""A crash in native code is one message with the name of the model, whichever thread crashed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

_ROOT = Path(__file__).parents[2]

_TELL = """
import ctypes, faulthandler, os, signal, threading, time
from pycheck.system import fatal_signals
fatal_signals.tell(fatal_signals.crashed)
libc = ctypes.CDLL(None)
fatal_signals.working_on.set("m.keras")
thread = fatal_signals.NativeThread()
"""

#: As in a thread of TensorFlow's that crashed within an allocation.
_HANDLER_WAITS = """
alarm = signal.alarm
signal.alarm = lambda s: alarm(s) if threading.current_thread().name == "fatal signals" else time.sleep(60)
"""


@pytest.mark.parametrize("before", ["", _HANDLER_WAITS])
@pytest.mark.parametrize(
    ("crash", "name"),
    [
        ("libc.memset, None, 1, 64", "SIGSEGV"),
        ("libc.free, ctypes.c_void_p(8)", "SIG"),  # the heap of a library is damaged: SIGABRT, or SIGSEGV
        ("signal.raise_signal, signal.SIGILL", "SIGILL"),
        ("signal.raise_signal, signal.SIGFPE", "SIGFPE"),
    ],
)
def test_a_crash_in_native_code_names_the_signal_and_the_model_and_ends_with_3(
    before: str, crash: str, name: str
) -> None:
    done = _run(_TELL + before + f"thread.submit({crash}).result()")
    assert done.returncode == 3, done.stderr
    message, advice = done.stderr.splitlines()[-2:]
    assert message.startswith(f"pycheck: {name}") and "m.keras" in message
    assert advice.startswith("  ") and "TF_ENABLE_ONEDNN_OPTS=0" in advice


def test_a_crash_of_a_thread_that_python_does_not_know_is_told_too() -> None:
    crash = "libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, libc.abort, None)"
    done = _run(_TELL + f"thread.submit(lambda: ({crash}, time.sleep(60))).result()")
    assert done.returncode == 3, done.stderr
    assert "SIGABRT" in done.stderr and "m.keras" in done.stderr


def test_a_crash_after_the_work_names_no_model() -> None:
    done = _run(_TELL + "thread.submit(int).result()\nctypes.string_at(0)")
    assert done.returncode == 3, done.stderr
    assert "SIGSEGV" in done.stderr and "m.keras" not in done.stderr


def test_who_asks_python_for_a_traceback_gets_that_too() -> None:
    done = _run(_TELL + "ctypes.string_at(0)", "-Xfaulthandler")
    assert done.returncode == 3
    assert done.stderr.index("Segmentation fault") < done.stderr.index("pycheck: SIGSEGV")


def test_in_a_process_of_others_a_crash_ends_the_process_as_ever() -> None:
    done = _run(
        "import ctypes\nfrom pycheck.model.tensorflow_import import import_tensorflow\nimport_tensorflow()\n"
        "ctypes.string_at(0)"
    )
    assert (done.returncode, done.stderr) == (-signal.SIGSEGV, "")


def test_a_compare_whose_model_crashes_names_it(tmp_path: Path) -> None:
    code = """
import ctypes, keras
@keras.saving.register_keras_serializable("crashing")
class Crash(keras.layers.Layer):
    saved = False
    def call(self, x):
        return ctypes.string_at(0) if Crash.saved else x
if __name__ == "__main__":
    import sys
    x = keras.Input((3,))
    keras.Model(x, Crash()(x)).save(sys.argv[1])
Crash.saved = True
"""
    (tmp_path / "crashing.py").write_text(code)
    model = tmp_path / "m.keras"
    made = _run("", str(tmp_path / "crashing.py"), str(model), cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    arguments = ["compare", str(model), "--custom-objects", "crashing:Crash", "--runtime", "chromium:cpu"]
    done = _run("", "-m", "pycheck", *arguments, "--no-cache", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert f"SIGSEGV killed the process while TensorFlow worked on {model}." in done.stderr


def _run(code: str, *arguments: str, cwd: Path = _ROOT) -> subprocess.CompletedProcess[str]:
    given = [*arguments, *(["-c", code] if code else [])]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONFAULTHANDLER"}
    return subprocess.run(
        [sys.executable, *given], cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
        env={**inherited, "PYTHONPATH": str(_ROOT)},
    )  # fmt: skip
